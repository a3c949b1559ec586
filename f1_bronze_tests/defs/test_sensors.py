"""What was closed for a live session is run again by itself, once, when its time has come."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.definitions import defs
from f1_bronze.defs.partitions import register
from f1_bronze.defs.sensors import MOST_ATTEMPTS, openf1_reopened
from f1_bronze.defs.tags import ATTEMPT_TAG, BY_COMMAND, RETRY_AT_TAG, TRIGGER_TAG
from f1_bronze.simulator.faults import Fault
from f1_bronze.simulator.server import Simulator

QUALIFYING, RACE = "2025/bahrain/qualifying", "2025/bahrain/race"
Materialize = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture(autouse=True)
def partitions(instance: dg.DagsterInstance) -> None:
    """A weekend is registered."""
    register(instance, [SessionPartition.parse(key) for key in (QUALIFYING, RACE)])


def tick(instance: dg.DagsterInstance) -> dg.SensorResult:
    """What the sensor asks for now."""
    with dg.build_sensor_context(instance=instance, definitions=defs) as context:
        return openf1_reopened.evaluate_tick(context)


def make_due(instance: dg.DagsterInstance, run_id: str) -> None:
    """Let the time that the run waits for be a second ago."""
    past = datetime.now(UTC) - timedelta(seconds=1)
    instance.add_run_tags(run_id, {RETRY_AT_TAG: past.isoformat()})


def test_one_due_and_one_waiting(
    materialize: Materialize, simulator: Simulator, instance: dg.DagsterInstance
) -> None:
    """While one run waits, another that is due is run again all the same."""
    simulator.control.change_manners(live=True)
    first = materialize("bronze_sessions", QUALIFYING, QUALIFYING)
    materialize("bronze_sessions", RACE, RACE)
    make_due(instance, first.run_id)
    result = tick(instance)
    assert [request.run_key for request in result.run_requests] == [first.run_id]
    assert result.skip_message is None


def test_inherited_tags_do_not_count(
    materialize: Materialize, simulator: Simulator, instance: dg.DagsterInstance
) -> None:
    """A re-execution by hand inherits our tags: it is not run again for the first one's closure,
    and a re-execution of all asks for everything."""
    simulator.control.change_manners(live=True)
    closed = materialize("bronze_sessions", RACE, RACE)
    make_due(instance, closed.run_id)
    [request] = tick(instance).run_requests
    simulator.control.reset()
    again = materialize("bronze_sessions", RACE, RACE, tags=dict(request.tags))
    simulator.control.reset()
    simulator.control.add_faults(Fault(kind="unknown_path", endpoint="laps"))
    inherited = {
        **instance.get_run_by_id(closed.run_id).tags,
        **dict(request.tags),
        "dagster/parent_run_id": again.run_id,
    }
    by_hand = materialize("bronze_sessions", RACE, RACE, tags=inherited)
    assert simulator.control.state()["calls"] == 5
    assert by_hand.run_id not in [r.run_key for r in tick(instance).run_requests]


def test_a_closed_run_waits_and_is_run_again(
    materialize: Materialize, simulator: Simulator, instance: dg.DagsterInstance
) -> None:
    """Until its time it is a skip with a reason; then one request that asks only for the rest."""
    simulator.control.add_faults(Fault(kind="live", endpoint="laps"))
    closed = materialize("bronze_sessions", QUALIFYING, RACE)
    tags = instance.get_run_by_id(closed.run_id).tags
    ahead = datetime.fromisoformat(tags[RETRY_AT_TAG]) - datetime.now(UTC)
    assert timedelta(minutes=59) < ahead <= timedelta(minutes=60)
    assert tick(instance).skip_message == "1 runs wait for OpenF1 to open again."

    make_due(instance, closed.run_id)
    [request] = tick(instance).run_requests
    assert request.run_key == closed.run_id
    assert request.job_name == "bronze_sessions"
    assert request.tags["dagster/root_run_id"] == closed.run_id
    assert request.tags[ATTEMPT_TAG] == "2"

    simulator.control.reset()
    again = materialize("bronze_sessions", QUALIFYING, RACE, tags=dict(request.tags))
    assert again.success
    assert simulator.control.state()["by_endpoint"] == {"laps": 1}


def test_a_closed_backfill_gets_its_second_wave(
    materialize: Materialize, simulator: Simulator, instance: dg.DagsterInstance
) -> None:
    """Runs of a backfill have no job of their own, and Dagster never starts the races after
    sessions that failed: both are asked for."""
    from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill

    every = [spec.key for spec in defs.resolve_all_asset_specs()]
    backfill = PartitionBackfill(
        backfill_id="weekend",
        status=BulkActionStatus.REQUESTED,
        from_failure=False,
        tags={},
        backfill_timestamp=datetime.now(UTC).timestamp(),
        asset_selection=every,
        serialized_asset_backfill_data=None,
    )
    instance.add_backfill(backfill)
    simulator.control.change_manners(live=True)
    tags = {"dagster/backfill": "weekend"}
    closed = materialize("bronze_sessions", QUALIFYING, RACE, tags=tags)
    make_due(instance, closed.run_id)
    again, races = tick(instance).run_requests
    assert (again.run_key, again.job_name) == (closed.run_id, "bronze_sessions")
    assert (races.run_key, races.job_name) == (f"{closed.run_id}/races", "bronze_races")
    assert sorted(key.path[-1] for key in races.asset_selection) == ["pit_stops", "stints"]
    assert races.tags["dagster/asset_partition_range_start"] == RACE
    assert races.tags["dagster/asset_partition_range_end"] == RACE


def test_nothing_closed_is_no_request(
    materialize: Materialize, simulator: Simulator, instance: dg.DagsterInstance
) -> None:
    """A run that failed of something else is left to people."""
    simulator.control.add_faults(Fault(kind="unknown_path", endpoint="laps"))
    materialize("bronze_sessions", QUALIFYING, RACE)
    assert tick(instance).run_requests == []


def test_it_gives_up_in_the_end(
    materialize: Materialize, simulator: Simulator, instance: dg.DagsterInstance
) -> None:
    """An API that stays closed for a day is not asked for ever."""
    simulator.control.change_manners(live=True)
    tags = {ATTEMPT_TAG: str(MOST_ATTEMPTS)}
    make_due(instance, materialize("bronze_sessions", RACE, RACE, tags=tags).run_id)
    assert tick(instance).run_requests == []


def test_the_command_is_not_run_again(
    materialize: Materialize, simulator: Simulator, instance: dg.DagsterInstance
) -> None:
    """Who typed the command was told to come back; nothing happens behind their back."""
    simulator.control.change_manners(live=True)
    result = materialize("bronze_sessions", RACE, RACE, tags={TRIGGER_TAG: BY_COMMAND})
    assert RETRY_AT_TAG not in instance.get_run_by_id(result.run_id).tags
