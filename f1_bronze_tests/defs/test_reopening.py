"""A run that met a closed API or an outage is resumed by itself, once, when its time has come."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.definitions import assemble, defs
from f1_bronze.defs.automation.reconcile import openf1_reopened
from f1_bronze.defs.partitions import register
from f1_bronze.defs.record.tags import (
    ATTEMPT_TAG,
    BY_COMMAND,
    CLOSED_RUN_TAG,
    RETRY_AT_TAG,
    TRIGGER_TAG,
)
from f1_bronze.defs.resources import OpenF1Resource, openf1_resource
from f1_bronze.defs.run.failures import (
    MOST_ATTEMPTS,
    MOST_ATTEMPTS_IN_OUTAGE,
    outage_pause,
    plan_later_attempt,
)
from f1_bronze.lake.errors import LakeUnavailable
from f1_bronze.openf1.answers import (
    BudgetTaken,
    CircuitOpen,
    ClosedForLiveSession,
    Malformed,
    Refused,
    TooMuchAsked,
    Unavailable,
)
from f1_bronze.openf1.breaker import Breaker
from f1_bronze.openf1.client import OpenF1Client
from f1_bronze.settings import Settings
from f1_bronze.simulator.faults import InjectedFault
from f1_bronze.simulator.server import Simulator

pytestmark = pytest.mark.slow

QUALIFYING, RACE = "2025/bahrain/qualifying", "2025/bahrain/race"
Materialize = Callable[..., dg.ExecuteInProcessResult]


class AskingOnce(OpenF1Resource):
    """Asks once, so that no test waits for retries."""

    def make_client(self, *, observer: Callable[[str], None] | None = None) -> OpenF1Client:
        return OpenF1Client(
            base_url=self.url, budget=self.make_budget(), breaker=Breaker(), attempts=1
        )


@pytest.fixture
def definitions(settings: Settings) -> dg.Definitions:
    """What Dagster would load, with a client that asks once."""
    return assemble(settings, openf1=AskingOnce(**openf1_resource(settings).model_dump()))


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
    simulator.control.change_behaviour(live=True)
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
    simulator.control.change_behaviour(live=True)
    closed = materialize("bronze_sessions", RACE, RACE)
    make_due(instance, closed.run_id)
    [request] = tick(instance).run_requests
    simulator.control.reset()
    again = materialize("bronze_sessions", RACE, RACE, tags=dict(request.tags))
    simulator.control.reset()
    simulator.control.add_faults(InjectedFault(kind="unknown_path", endpoint="laps"))
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
    simulator.control.add_faults(InjectedFault(kind="live", endpoint="laps"))
    closed = materialize("bronze_sessions", QUALIFYING, RACE)
    tags = instance.get_run_by_id(closed.run_id).tags
    ahead = datetime.fromisoformat(tags[RETRY_AT_TAG]) - datetime.now(UTC)
    assert timedelta(minutes=59) < ahead <= timedelta(minutes=60)
    assert tick(instance).skip_message == (
        f"1 run to go on with later, the next at {tags[RETRY_AT_TAG]}."
    )

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


def test_a_further_attempt_on_disk(
    definitions: dg.Definitions, simulator: Simulator, tmp_path: Path
) -> None:
    """On the default storage too a further attempt asks only for what did not land."""
    (tmp_path / "home").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "home")) as instance:
        register(instance, [SessionPartition.parse(RACE)])
        job = definitions.resolve_job_def("bronze_sessions")
        how = {"instance": instance, "raise_on_error": False}
        simulator.control.add_faults(InjectedFault(kind="live", endpoint="laps"))
        closed = job.execute_in_process(tags={"dagster/partition": RACE}, **how)
        make_due(instance, closed.run_id)
        [request] = tick(instance).run_requests
        simulator.control.reset()
        assert job.execute_in_process(tags=dict(request.tags), **how).success
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
    simulator.control.change_behaviour(live=True)
    tags = {"dagster/backfill": "weekend"}
    closed = materialize("bronze_sessions", QUALIFYING, RACE, tags=tags)
    make_due(instance, closed.run_id)
    again, races = tick(instance).run_requests
    assert (again.run_key, again.job_name) == (closed.run_id, "bronze_sessions")
    assert (races.run_key, races.job_name) == (f"{closed.run_id}/races", "bronze_races")
    assert sorted(key.path[-1] for key in races.asset_selection) == ["pit_stops", "stints"]
    assert races.tags["dagster/asset_partition_range_start"] == RACE
    assert races.tags["dagster/asset_partition_range_end"] == RACE
    assert {request.tags["f1_bronze/historical"] for request in (again, races)} == {"true"}


def test_nothing_closed_is_no_request(
    materialize: Materialize, simulator: Simulator, instance: dg.DagsterInstance
) -> None:
    """A run that failed of something else is left to people."""
    simulator.control.add_faults(InjectedFault(kind="unknown_path", endpoint="laps"))
    materialize("bronze_sessions", QUALIFYING, RACE)
    result = tick(instance)
    assert result.run_requests == []
    assert result.skip_message == "No run waits for OpenF1 or the lake."


def test_it_gives_up_in_the_end(
    materialize: Materialize, simulator: Simulator, instance: dg.DagsterInstance
) -> None:
    """An API that stays closed for a day is not asked for ever."""
    simulator.control.change_behaviour(live=True)
    tags = {ATTEMPT_TAG: str(MOST_ATTEMPTS)}
    run_id = materialize("bronze_sessions", RACE, RACE, tags=tags).run_id
    assert RETRY_AT_TAG not in instance.get_run_by_id(run_id).tags
    assert tick(instance).run_requests == []


def test_the_command_is_not_run_again(
    materialize: Materialize, simulator: Simulator, instance: dg.DagsterInstance
) -> None:
    """The command said to come back later; nothing is resumed without the user."""
    simulator.control.change_behaviour(live=True)
    result = materialize("bronze_sessions", RACE, RACE, tags={TRIGGER_TAG: BY_COMMAND})
    assert RETRY_AT_TAG not in instance.get_run_by_id(result.run_id).tags


def test_a_run_that_met_an_outage_is_resumed(
    materialize: Materialize, simulator: Simulator, instance: dg.DagsterInstance
) -> None:
    """A run that could not reach the API goes on after 15 minutes, still as the week's run, and
    asks only for what did not land; each further attempt waits twice as long."""
    simulator.control.add_faults(InjectedFault(kind="status", status=503, endpoint="laps"))
    week = {TRIGGER_TAG: "week", "f1_bronze/week": "2025-04-14"}
    first = materialize("bronze_sessions", RACE, RACE, tags=week)
    assert pause_of(instance, first.run_id) == pytest.approx(15, abs=1)
    make_due(instance, first.run_id)
    [request] = tick(instance).run_requests
    assert {**request.tags, **week, ATTEMPT_TAG: "2"} == request.tags

    second = materialize("bronze_sessions", RACE, RACE, tags=dict(request.tags))
    assert pause_of(instance, second.run_id) == pytest.approx(30, abs=1)
    make_due(instance, second.run_id)
    [request] = tick(instance).run_requests
    assert (request.run_key, request.tags[ATTEMPT_TAG]) == (second.run_id, "3")
    simulator.control.reset()
    assert materialize("bronze_sessions", RACE, RACE, tags=dict(request.tags)).success
    assert simulator.control.state()["by_endpoint"] == {"laps": 1}
    assert tick(instance).run_requests == []


def pause_of(instance: dg.DagsterInstance, run_id: str) -> float:
    """Minutes until a run is to go on."""
    retry_at = instance.get_run_by_id(run_id).tags[RETRY_AT_TAG]
    return (datetime.fromisoformat(retry_at) - datetime.now(UTC)) / timedelta(minutes=1)


@pytest.mark.parametrize(
    ("errors", "minutes"),
    [
        ([Unavailable("502")], 15),
        ([CircuitOpen("open", seconds=3)], 15),
        ([BudgetTaken("taken", seconds=90)], 15),
        ([LakeUnavailable("S3 is away")], 15),
        ([Refused("login"), Unavailable("502")], 15),
        ([Unavailable("502"), ClosedForLiveSession("closed", retry_after=1800)], 30),
        ([Refused("login"), Malformed("strange"), TooMuchAsked("422"), KeyError()], None),
        ([], None),
    ],
    ids=lambda value: str(value),
)
def test_which_errors_are_worth_a_further_attempt(
    errors: list[Exception], minutes: int | None
) -> None:
    """What is out of reach is tried again later, what is wrong is left to people."""
    now = datetime(2025, 4, 14, 6, tzinfo=UTC)
    run = dg.DagsterRun(job_name="bronze_sessions", run_id="1")
    expected = {
        RETRY_AT_TAG: (now + timedelta(minutes=minutes)).isoformat(),
        CLOSED_RUN_TAG: "1",
    } if minutes else None  # fmt: skip
    assert plan_later_attempt(run, errors, now) == expected


def test_attempts_in_an_outage_are_limited() -> None:
    """After ten attempts, three days of pauses, an outage is left to people."""
    now = datetime(2025, 4, 14, 6, tzinfo=UTC)

    def attempt(number: int) -> dict[str, str] | None:
        run = dg.DagsterRun(job_name="any", run_id=str(number), tags={ATTEMPT_TAG: str(number)})
        return plan_later_attempt(run, [Unavailable("502")], now)

    waits = range(1, MOST_ATTEMPTS_IN_OUTAGE)
    assert [attempt(number) is None for number in (*waits, MOST_ATTEMPTS_IN_OUTAGE)] == [
        *[False] * 9,
        True,
    ]
    total = sum((outage_pause(number) for number in waits), timedelta())
    assert total == timedelta(days=3, hours=7, minutes=45)


def test_a_run_re_executed_by_hand(
    materialize: Materialize, simulator: Simulator, instance: dg.DagsterInstance
) -> None:
    """A run that was re-executed by hand meanwhile is not resumed."""
    simulator.control.change_behaviour(live=True)
    closed = materialize("bronze_sessions", RACE, RACE)
    make_due(instance, closed.run_id)
    simulator.control.reset()
    tags = {"dagster/parent_run_id": closed.run_id, "dagster/root_run_id": closed.run_id}
    assert materialize("bronze_sessions", RACE, RACE, tags=tags).success
    assert tick(instance).run_requests == []
