"""Dagster's own daemon evaluates the sensor and launches silver, in this process."""

import logging
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.test_utils import (
    create_test_daemon_workspace_context,
    freeze_time,
    instance_for_test,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget
from dagster._daemon.sensor import execute_sensor_iteration

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.lake.lake import Lake
from f1_bronze.lake.landing import Candidate
from f1_bronze.settings import Settings
from f1_bronze.simulator.invented import InventedSeasons

from .deployment import RACE, Deployment, silver

LOCATION = """\
from examples.silver.alone import assemble
from f1_bronze.settings import Settings

defs = assemble(Settings.read({{"F1_BRONZE_LAKE_URI": {lake!r}}}))
"""
"""A code location for the lake of a test."""


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance whose runs are executed where they are launched."""
    launcher = {"module": "dagster._core.launcher.sync_in_memory_run_launcher"}
    overrides = {
        "run_coordinator": {
            "module": "dagster._core.run_coordinator",
            "class": "DefaultRunCoordinator",
        },
        "run_launcher": {**launcher, "class": "SyncInMemoryRunLauncher"},
        "telemetry": {"enabled": False},
    }
    (tmp_path / "home").mkdir()
    with instance_for_test(temp_dir=str(tmp_path / "home"), overrides=overrides) as made:
        yield made


class Daemon:
    """Ticks of the sensor daemon, a minute apart."""

    def __init__(self, instance: dg.DagsterInstance, context: WorkspaceProcessContext) -> None:
        self._instance, self._context = instance, context
        self._now = datetime.now(UTC)

    def tick(self) -> list[tuple[str, str, str]]:
        """The runs that the tick launched: asset, partition, and how they ended."""
        before = {run.run_id for run in self._instance.get_runs()}
        self._now += timedelta(minutes=1)
        with freeze_time(self._now):
            log = logging.getLogger("daemon")
            said = execute_sensor_iteration(self._context, log, None, None)
            assert [error for error in said if error] == []
        return sorted(
            (key.path[-1], run.tags["dagster/partition"], run.status.value)
            for run in self._instance.get_runs()
            if run.run_id not in before
            for key in run.asset_selection or ()
        )


@pytest.fixture
def daemon(instance: dg.DagsterInstance, lake: Settings, tmp_path: Path) -> Iterator[Daemon]:
    """The daemon, with a code location for that lake."""
    location = tmp_path / "location.py"
    location.write_text(LOCATION.format(lake=lake.lake_uri))
    origin = LoadableTargetOrigin(
        executable_path=sys.executable, python_file=str(location), working_directory=str(tmp_path)
    )
    target = InProcessWorkspaceLoadTarget(
        InProcessCodeLocationOrigin(origin, location_name="silver")
    )
    with create_test_daemon_workspace_context(target, instance) as context:
        yield Daemon(instance, context)


@pytest.fixture
def lake(tmp_path: Path, seasons: InventedSeasons) -> Settings:
    """A lake with laps and results of a race, of which Dagster knows nothing yet."""
    settings = Settings.read({"F1_BRONZE_LAKE_URI": str(tmp_path / "lake")})
    partition, lake = SessionPartition.parse(RACE), Lake.at(settings.lake_uri)
    for dataset in DATASETS:
        if dataset.name not in ("laps", "results"):
            continue
        lake.land(
            Candidate(
                dataset=dataset,
                partition=partition,
                session_key=907047,
                records=list(seasons.rows(dataset.endpoint, 907047)),
                source="",
                notes={},
            )
        )
    return settings


@pytest.mark.slow
def test_the_daemon_follows_bronze(
    instance: dg.DagsterInstance, lake: Settings, daemon: Daemon
) -> None:
    """Unchanged rows and a failed ERROR check start nothing; new rows and a change do."""
    bronze = Deployment(instance, lake)
    bronze.registers(RACE)
    made = [("driver_pace", RACE, "SUCCESS")]
    assert daemon.tick() == []
    bronze.lands_well("1", RACE)
    assert [daemon.tick(), daemon.tick()] == [made, []]
    bronze.lands_well("1", RACE)
    assert daemon.tick() == []
    bronze.store("2", RACE)
    bronze.check(RACE, broken=dg.AssetCheckSeverity.ERROR)
    assert daemon.tick() == []
    bronze.lands_well("3", RACE)
    assert [daemon.tick(), daemon.tick()] == [made, []]
    assert len(instance.fetch_materializations(silver("driver_pace"), limit=9).records) == 2
