"""A partition is complete once it is stored, recorded and checked, and `--missing` goes by that."""

from collections.abc import Callable

import dagster as dg
import pytest

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.defs.automation.launch import execute_checks, plan_runs
from f1_bronze.defs.partitions import asset_key, read_registered, register
from f1_bronze.defs.record.completeness import find_complete
from f1_bronze.lake.lake import Lake
from f1_bronze.lake.landing import Candidate
from f1_bronze.settings import Settings
from f1_bronze.simulator.server import Simulator

QUALIFYING, RACE = (
    SessionPartition.parse(key) for key in ("2025/bahrain/qualifying", "2025/bahrain/race")
)
DRIVERS = DATASETS[1]
Materialize = Callable[..., dg.ExecuteInProcessResult]
Complete = Callable[[], set[SessionPartition]]


@pytest.fixture
def lake(settings: Settings) -> Lake:
    """The lake that the runs write to."""
    return Lake.at(settings.lake_uri)


@pytest.fixture
def complete(instance: dg.DagsterInstance, lake: Lake) -> Complete:
    """The complete partitions of drivers; two sessions are registered."""
    register(instance, [QUALIFYING, RACE])

    def find() -> set[SessionPartition]:
        stored = {DRIVERS.name: lake.stored_partitions(DRIVERS.name, {2025})}
        return find_complete(instance, stored)[DRIVERS.name]

    return find


def store(lake: Lake, partition: SessionPartition) -> str:
    """Write a file as a run does that is killed right after it; its content hash."""
    landing = lake.land(
        Candidate(
            dataset=DRIVERS,
            partition=partition,
            session_key=1,
            records=[{"session_key": 1, "driver_number": 4}],
            source="drivers?session_key=1",
            notes={},
        )
    )
    return landing.content_sha256


def test_a_run_that_ends_leaves_complete_partitions(
    complete: Complete, materialize: Materialize
) -> None:
    """What it stored it has recorded and checked."""
    materialize("bronze_sessions", QUALIFYING.key, RACE.key, select=["drivers"])
    assert complete() == {QUALIFYING, RACE}


def test_a_file_alone_is_not_complete(complete: Complete, lake: Lake) -> None:
    """The run was killed between the file and its materialization."""
    store(lake, RACE)
    assert complete() == set()


def test_a_record_without_checks_is_not_complete(
    complete: Complete,
    lake: Lake,
    instance: dg.DagsterInstance,
    definitions: dg.Definitions,
    simulator: Simulator,
) -> None:
    """The run was killed before its checks; evaluated on what the lake holds, without a call, they
    complete it."""
    tags = {"dagster/data_version": store(lake, RACE)}
    event = dg.AssetMaterialization(asset_key(DRIVERS), partition=RACE.key, tags=tags)
    instance.report_runless_asset_event(event)
    assert complete() == set()
    [run] = plan_runs(read_registered(instance), {DRIVERS: {RACE.key}})
    assert execute_checks(run, definitions=definitions, instance=instance).success
    assert complete() == {RACE}
    assert simulator.control.state()["calls"] == 0


def test_new_rows_are_to_be_checked_again(
    complete: Complete, materialize: Materialize, instance: dg.DagsterInstance
) -> None:
    """Results on earlier rows do not count."""
    materialize("bronze_sessions", RACE.key, RACE.key, select=["drivers"])
    event = dg.AssetMaterialization(asset_key(DRIVERS), partition=RACE.key)
    instance.report_runless_asset_event(event)
    assert complete() == set()


def test_a_run_that_stores_nothing_leaves_it_complete(
    complete: Complete, materialize: Materialize, simulator: Simulator
) -> None:
    """Checks that a later run was to evaluate and could not do not hide the results there are."""
    materialize("bronze_sessions", RACE.key, RACE.key, select=["drivers"])
    simulator.control.change_behaviour(live=True)
    assert not materialize("bronze_sessions", RACE.key, RACE.key).success
    assert complete() == {RACE}
