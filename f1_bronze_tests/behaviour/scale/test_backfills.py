"""Backfills across seasons: the same files as by the command, few calls, retried in part."""

import json
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from f1_bronze.datasets import DATASETS
from f1_bronze.simulator.faults import InjectedFault
from f1_bronze.simulator.invented import InventedSeasons
from f1_bronze.simulator.server import Simulator

from ...commands import Run, environ
from ..faults.bench import content_of
from .daemon import Deployment

SIX = [dataset.name for dataset in DATASETS]
RACES = [
    f"{year}/{grand_prix}/race"
    for year in (2024, 2025)
    for grand_prix in ("bahrain", "saudi_arabian")
]
"""Neighbours in each season, in the order of registration."""
WORDS = ("ingest", "2024-2025", "--session-type", "race")
PLACES = ("--grand-prix", "bahrain", "--grand-prix", "saudi_arabian")
RACE_OF_2024 = 906017
"""The session key of Bahrain's race in the invented season."""


@pytest.fixture
def limited() -> Iterator[Simulator]:
    """The simulator with the limits of the API."""
    with Simulator(InventedSeasons()) as running:
        yield running


@pytest.mark.slow
def test_a_backfill_across_seasons(
    limited: Simulator,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Two ranges are two runs and two of races; what failed is retried alone, with one call.

    In the end the lake is byte for byte what the command stores, every partition is on record, and
    the API has refused nothing.
    """
    by_command = run(*WORDS, *PLACES, OPENF1_URL=limited.url)
    assert by_command.status == 0
    assert _historical_sessions(tmp_path / "data/lake") == [4, 4]  # races twice: all datasets
    limited.control.reset()
    settings = {"OPENF1_URL": limited.url, "LAKE_URI": str(tmp_path / "lake")}
    for name, value in environ(tmp_path, settings).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    with Deployment.at(tmp_path / "home") as deployment:
        assert run("partitions", "2024-2025", **settings).status == 0
        limited.control.add_faults(
            InjectedFault(kind="unknown_path", endpoint="laps", session_key=RACE_OF_2024)
        )
        backfill = deployment.backfills(SIX, RACES)
        assert deployment.status_of(backfill) == "COMPLETED_FAILED"
        assert [_told(made) for made in deployment.runs_of(backfill)] == [
            ("FAILURE", RACES[:2]),
            ("SUCCESS", RACES[2:]),
            ("SUCCESS", RACES[:2]),
            ("SUCCESS", RACES[2:]),
        ]
        assert _missing(deployment) == {("laps", key) for key in RACES[:2]}  # one call

        limited.control.set_faults([])
        before = limited.control.state()
        retried = deployment.retries(backfill)
        assert deployment.status_of(retried) == "COMPLETED_SUCCESS"
        [again] = deployment.runs_of(retried)
        assert _told(again) == ("SUCCESS", RACES[:2])
        after = limited.control.state()
        assert after["calls"] - before["calls"] == 1
        assert _missing(deployment) == set()
    assert set(after["by_status"]) <= {"200", "404"}
    assert content_of(tmp_path / "lake") == content_of(tmp_path / "data/lake")


def _historical_sessions(lake: Path) -> list[float]:
    """HistoricalSessionsProcessed of each run that the lake has metrics of, in ascending order."""
    lines = [
        json.loads(line)
        for file in (lake / "metrics").rglob("*.jsonl")
        for line in file.read_text("utf-8").splitlines()
    ]
    return sorted(
        one["value"]
        for one in lines
        if one["name"] == "HistoricalSessionsProcessed" and "BackfillType" not in one["dimensions"]
    )


def _told(made: dg.DagsterRun) -> tuple[str, list[str]]:
    """A run's status, and the ends of its range."""
    tags = made.tags
    keys = [tags[name] for name in ("dagster/partition",) if name in tags] or [
        tags["dagster/asset_partition_range_start"],
        tags["dagster/asset_partition_range_end"],
    ]
    return made.status.name, list(dict.fromkeys(keys))


def _missing(deployment: Deployment) -> set[tuple[str, str]]:
    """What Dagster has no materialization of, among what was asked for."""
    return {
        (dataset.name, key)
        for dataset in DATASETS
        for key in RACES
        if key
        not in deployment.instance.get_materialized_partitions(
            dg.AssetKey(["bronze", dataset.name])
        )
    }
