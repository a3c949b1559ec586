"""What batches, the lake, charts, checks and the code location cost, as ratios.

Each figure compares two things measured in the same run on the same machine; nothing is asserted.
"""

import json
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime

from benchmarks import checks, imports
from benchmarks.charts import draw_season
from f1_bronze.datasets import DATASETS
from f1_bronze.lake.lake import Lake
from f1_bronze.lake.landing import Candidate
from f1_bronze.openf1.batches import SessionRef, fetch_sessions, plan_batches, source_query
from f1_bronze.openf1.breaker import Breaker
from f1_bronze.openf1.budget import CallBudget, parse_limits
from f1_bronze.openf1.budget_stores import MemoryStore
from f1_bronze.openf1.calendar import read_calendar
from f1_bronze.openf1.client import OpenF1Client
from f1_bronze.simulator.invented import InventedSeasons
from f1_bronze.simulator.server import Simulator

SEASON, TYPES = 2025, {"qualifying", "race"}


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def report(what: str, ratio: float, detail: str) -> None:
    """One figure."""
    sys.stdout.write(f"{what:<58} {ratio:6.2f}   {detail}\n")


def benchmark_season() -> None:
    """Calls and time of a season: in batches against one call per session; landing on top."""
    with (
        Simulator(InventedSeasons(), limits=None) as simulator,
        tempfile.TemporaryDirectory() as folder,
    ):
        client = OpenF1Client(
            base_url=simulator.url,
            budget=CallBudget(parse_limits("100000/1s"), MemoryStore()),
            breaker=Breaker(),
        )
        calendar = read_calendar(
            client, [SEASON], now=datetime(2026, 1, 1, tzinfo=UTC), session_types=TYPES
        )
        places = {s.session_key: s.partition for s in calendar.sessions}
        refs = {
            dataset: [
                SessionRef(session_key=key, session_type=place.session_type)
                for key, place in places.items()
                if dataset.exists_for(place.session_type)
            ]
            for dataset in DATASETS[1:]
        }
        batched = sum(len(plan_batches(dataset, some)) for dataset, some in refs.items())
        single = sum(len(some) for some in refs.values())
        detail = f"{single}/{batched}"
        report("calls of a season: one per session / in batches", single / batched, detail)

        lake, size, stored = Lake.at(folder), 0, 0

        def ask() -> None:
            for dataset, some in refs.items():
                for _ in fetch_sessions(client, dataset, some):
                    pass

        def ask_and_land() -> None:
            nonlocal size, stored
            size = stored = 0
            for dataset, some in refs.items():
                for answer in fetch_sessions(client, dataset, some):
                    landing = lake.land(
                        Candidate(
                            dataset=dataset,
                            partition=places[answer.session_key],
                            session_key=answer.session_key,
                            records=answer.records,
                            source=source_query(dataset, answer.session_key),
                            notes={},
                        )
                    )
                    size += len(json.dumps(answer.records))
                    stored += landing.size_bytes

        ask()  # the simulator invents the season once
        asked, first, again = seconds(ask), seconds(ask_and_land), seconds(ask_and_land)
        report("time of a season: ask and land / ask alone", first / asked, "first time")
        report("time of a season: ask and land / ask alone", again / asked, "nothing changed")
        report("size of a season: Parquet / JSON", stored / size, f"{stored / 1e6:.1f} MB")
        drawn, lengths = draw_season(lake, places.values())
        detail = f"{len(lengths)} charts, {sum(lengths) / 1e6:.1f} MB, at most {max(lengths)} B"
        report("time of a season: charts / ask and land", drawn / first, detail)
        client.close()


def run() -> None:
    """All of them, printed."""
    logging.getLogger("f1_bronze").setLevel(logging.ERROR)
    benchmark_season()
    imports.compare(report)
    checks.compare(report)
