"""A simulator, a lake, a Dagster instance and a clock of their own: ingest under faults.

`f1-bronze ingest` runs in this process, as it is, but for three things: the client's time is a
clock that moves without waiting, the instance is in memory, and no checks are evaluated.
"""

import json
import random
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import dagster as dg
from click.testing import CliRunner

from f1_bronze.cli import main
from f1_bronze.defs.resources import OpenF1Resource
from f1_bronze.openf1.breaker import Breaker
from f1_bronze.openf1.budget import CallBudget, parse_limits
from f1_bronze.openf1.budget_stores import MemoryStore
from f1_bronze.openf1.client import OpenF1Client
from f1_bronze.openf1.http import Credentials
from f1_bronze.simulator.behaviour import Behaviour
from f1_bronze.simulator.faults import InjectedFault
from f1_bronze.simulator.server import Simulator
from f1_bronze.simulator.sources import Record, SeasonSource

from ...judges import NoRules

LIMITS = "3/1s,30/60s"
SEASON = ("ingest", "2023")
PLACES = ("bahrain", "emilia_romagna", "british")
"""Bahrain's race has no pit rows, Imola was cancelled and has drivers only: true empties."""
MORE_PLACES = (*PLACES, "spanish", "italian", "abu_dhabi")


def ingesting(*places: str, datasets: Sequence[str] = ()) -> tuple[str, ...]:
    """The words for a season, or for these places of it, or for these datasets only."""
    chosen = (word for place in places for word in ("--grand-prix", place))
    return (*SEASON, *chosen, *(word for name in datasets for word in ("--dataset", name)))


PART = ingesting(*PLACES)
"""Six sessions: enough for every fault that does not depend on how many are asked for."""
LARGER_PART = ingesting(*MORE_PLACES)
"""Twelve sessions, for what is cut into halves of halves."""


class Timeline:
    """A clock for both sides: sleeping moves it on, and does what has come due."""

    def __init__(self) -> None:
        self.now = datetime(2026, 6, 1, 12, 0, 20, tzinfo=UTC).timestamp()
        self._due: list[tuple[float, Callable[[], None]]] = []
        self._lock = threading.Lock()

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Move on without waiting."""
        with self._lock:
            self.now += seconds
            due = [entry for entry in self._due if entry[0] <= self.now]
            self._due = [entry for entry in self._due if entry[0] > self.now]
        for _, action in due:
            action()

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Act once the clock has moved on so far."""
        with self._lock:
            self._due.append((self.now + seconds, action))


class ThinSource:
    """A source with every session and every dataset, but only every twelfth lap."""

    def __init__(self, whole: SeasonSource) -> None:
        self._whole = whole

    def sessions(self) -> Sequence[Record]:
        return self._whole.sessions()

    def meetings(self) -> Sequence[Record]:
        return self._whole.meetings()

    def rows(self, endpoint: str, session_key: int) -> Sequence[Record]:
        rows = self._whole.rows(endpoint, session_key)
        if endpoint != "laps":
            return rows
        return [row for row in rows if row["lap_number"] % 12 == 1]


def content_of(lake: Path) -> dict[str, bytes]:
    """Every file of data and of its history, unfinished ones included.

    Without locks, which hold nothing, and without records of single runs. A mark of an arrival
    goes by its place: its name is a time, and no two runs have the same.
    """
    return {
        re.sub(r"/arrived_[^/]*$", "/arrived", name): file.read_bytes()
        for file in sorted(lake.rglob("*"))
        if file.is_file() and not (name := str(file.relative_to(lake))).startswith(NOT_DATA)
    }


NOT_DATA = (".locks/", "validations/", "metrics/", "lineage/", "reports/")
Place = tuple[str, str]
"""Dataset and partition key."""


@dataclass(frozen=True, kw_only=True)
class IngestResult:
    """What one ingest printed, and what the simulator saw of it.

    output: the object of --json; empty where the command ended before any run.
    in_runs: what the failures of the Dagster runs list.
    calls, by_status, by_endpoint, hits: by the simulator's journal.
    asked: calls by the client's own count, those that no server answered included.
    seconds: how far the clock moved.
    """

    status: int
    output: Mapping[str, Any]
    err: str
    in_runs: frozenset[Place]
    calls: int
    asked: int
    by_status: Mapping[str, int]
    by_endpoint: Mapping[str, int]
    hits: Mapping[str, int]
    seconds: float

    @property
    def failed(self) -> frozenset[Place]:
        """What the outcome lists as failed."""
        return frozenset((f["dataset"], f["partition"]) for f in self.output.get("failed", ()))

    @property
    def errors(self) -> dict[str, int]:
        """How many failures of each type the outcome lists."""
        return dict(Counter(f["error"] for f in self.output.get("failed", ())))


class Bench:
    """One simulator and one lake, for one test."""

    def __init__(self, simulator: Simulator, time: Timeline, home: Path) -> None:
        self.simulator = simulator
        self.time = time
        self.lake = self.lake_in(home)
        self.credentials: Credentials | None = None
        self.read_timeout = 10.0
        self.keeps_client = False
        """Whether the next ingest is by the same process as the last one, at once after it."""
        self._clients: list[OpenF1Client] = []
        self._instance = dg.DagsterInstance.ephemeral(tempdir=str(home / "dagster"))
        self._home = home

    @staticmethod
    def lake_in(home: Path) -> Path:
        """Where the lake of a bench lies."""
        return home / "lake"

    @classmethod
    @contextmanager
    def over(cls, source: SeasonSource, home: Path, **behaviour: Any) -> "Iterator[Bench]":
        """A bench around a running simulator, with the true limits on both sides."""
        home.mkdir(exist_ok=True)
        time = Timeline()
        settled = Behaviour(
            clock=time, sleep=time.sleep, later=time.later, limits=LIMITS, **behaviour
        )
        with Simulator(source, behaviour=settled) as running:
            bench = cls(running, time, home)
            with bench._instance:
                yield bench

    def arm(self, *faults: Mapping[str, Any]) -> None:
        """These faults, as they are written for `f1-bronze simulate --fault`; none: all is well."""
        self.simulator.control.set_faults(
            [InjectedFault.from_json(dict(fault)) for fault in faults]
        )

    def ingest(self, words: Sequence[str] = PART) -> IngestResult:
        """`f1-bronze ingest … --json`, two minutes after the last one."""
        if not self.keeps_client:
            self.time.sleep(120)  # a new process, later: no budget is used up
            self._clients.clear()
        began, seen, asked = self.time(), self._seen(), self._asked()
        environ = {
            "F1_BRONZE_OPENF1_URL": self.simulator.url,
            "F1_BRONZE_LAKE_URI": str(self.lake),
            "F1_BRONZE_RATE_STORE": "memory",
            "DAGSTER_HOME": str(self._home / "unused"),
        }
        with (
            patch.object(OpenF1Resource, "make_client", lambda _, observer=None: self._client()),
            patch("f1_bronze.defs.automation.instance.open_instance", self._open_instance),
            patch("f1_bronze.definitions.ByRules", NoRules),
        ):
            ran = CliRunner().invoke(main, [*words, "--json"], env=environ)
        if ran.exception is not None and not isinstance(ran.exception, SystemExit):
            raise ran.exception
        output = json.loads(ran.stdout) if ran.stdout else {}
        calls, statuses, endpoints, hits = (
            now - before for now, before in zip(self._seen(), seen, strict=True)
        )
        return IngestResult(
            status=ran.exit_code,
            output=output,
            err=ran.stderr,
            in_runs=frozenset(self._listed_in(output.get("runs", ()))),
            calls=calls.total(),
            asked=self._asked() - asked,
            by_status=dict(statuses),
            by_endpoint=dict(endpoints),
            hits=dict(hits),
            seconds=self.time() - began,
        )

    def content(self) -> dict[str, bytes]:
        """Every file of the lake."""
        return content_of(self.lake)

    def _client(self) -> OpenF1Client:
        if not self._clients:
            made = OpenF1Client(
                base_url=self.simulator.url,
                budget=CallBudget(parse_limits(LIMITS), MemoryStore(), self.time, self.time.sleep),
                breaker=Breaker(clock=self.time),
                credentials=self.credentials,
                timeout=(5, self.read_timeout),
                clock=self.time,
                monotonic=self.time,
                sleep=self.time.sleep,
                rng=random.Random(1),
            )
            self._clients.append(made)
        return self._clients[0]

    def _asked(self) -> int:
        return sum(client.counters.calls for client in self._clients)

    @contextmanager
    def _open_instance(self) -> Iterator[dg.DagsterInstance]:
        yield self._instance

    def _seen(self) -> tuple[Counter[str], Counter[str], Counter[str], Counter[str]]:
        state = self.simulator.control.state()
        hits: Counter[str] = Counter()
        for entry in self.simulator.control.requests():
            hits.update(entry.faults)
        endpoints = Counter(state["by_endpoint"])
        return Counter(endpoints), Counter(state["by_status"]), endpoints, hits

    def _listed_in(self, runs: Sequence[str]) -> Iterator[Place]:
        for run in runs:
            records = self._instance.get_records_for_run(
                run, of_type=dg.DagsterEventType.STEP_FAILURE
            ).records
            for record in records:
                event = record.event_log_entry.dagster_event
                assert event is not None
                failure = event.step_failure_data.user_failure_data
                assert failure is not None, event.step_failure_data.error
                for one in failure.metadata["failed"].value:
                    yield one["dataset"], one["partition"]
