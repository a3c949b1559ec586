"""Fixtures of the tests of the Dagster rim."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from ..once import made_once
from .sensor_ticks import TickLog


@pytest.fixture
def tick_log(monkeypatch: pytest.MonkeyPatch) -> TickLog:
    """The log of every sensor tick of the test."""
    log = TickLog()
    monkeypatch.setattr(dg.SensorEvaluationContext, "log", property(lambda _: log))
    return log


@pytest.fixture(scope="session")
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Dagster home with every table, to be copied: making them takes longer than most tests."""

    def make(folder: Path) -> None:
        folder.mkdir()
        with dg.DagsterInstance.local_temp(str(folder)) as made:
            made.get_runs_count()
            made.get_dynamic_partitions("f1_sessions")
            made.all_instigator_state()

    return made_once(tmp_path_factory, "empty_home", make)


@pytest.fixture
def disk_instance(empty_home: Path, tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance on disk: it keeps the state of sensors, and ticks can open it by reference."""
    home = shutil.copytree(empty_home, tmp_path / "home")
    with dg.DagsterInstance.local_temp(str(home)) as made:
        yield made
