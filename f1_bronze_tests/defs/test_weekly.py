"""A week's runs: what is new, what is lacking, what may have been corrected; no week is lost."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.defs.automation.reconcile import due_weeks, note_due, under_way, week_of
from f1_bronze.defs.partitions import read_registered, register
from f1_bronze.settings import Settings
from f1_bronze.simulator.faults import InjectedFault
from f1_bronze.simulator.server import Simulator

from .ticks import Ticks, asked, launch, utc

FIRST_MONDAY, THIRD_MONDAY = utc(2025, 3, 17, 6), utc(2025, 4, 7, 6)
QUALIFYING, RACE = "2025/australian/qualifying", "2025/australian/race"
OF_SESSIONS = ["sessions", "drivers", "results", "laps"]
OF_RACES = ["stints", "pit_stops"]
FIRST_RUNS = [
    ("bronze_sessions", OF_SESSIONS, QUALIFYING, RACE),
    ("bronze_races", OF_RACES, RACE, RACE),
]
Materialize = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def instance(disk_instance: dg.DagsterInstance) -> dg.DagsterInstance:
    """An instance on disk, since a schedule's tick opens it by reference."""
    return disk_instance


@pytest.fixture
def ticks(instance: dg.DagsterInstance, settings: Settings) -> Ticks:
    """The Monday after the first race of 2025."""
    return Ticks(instance, settings, FIRST_MONDAY)


@given(moment=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)))
def test_a_week_is_its_monday(moment: datetime) -> None:
    """Every moment belongs to the Monday at or before it."""
    monday = datetime.fromisoformat(week_of(moment)).replace(tzinfo=UTC)
    assert monday.weekday() == 0
    assert monday <= moment < monday + timedelta(days=7)


def test_new_sessions_are_requested(ticks: Ticks, simulator: Simulator) -> None:
    """What has ended becomes partitions and a run of each job, in two calls, tagged by week."""
    result = ticks.weekly(FIRST_MONDAY)
    assert asked(result.run_requests) == FIRST_RUNS
    assert read_registered(ticks.instance).session_keys == (QUALIFYING, RACE)
    assert simulator.control.state()["by_endpoint"] == {"sessions": 1, "meetings": 1}
    for request in result.run_requests:
        assert request.tags["f1_bronze/week"] == "2025-03-17"
        assert request.tags["f1_bronze/trigger"] == "week"
        assert request.tags["dagster/schedule_name"] == "weekly_bronze"
    assert [request.run_key for request in result.run_requests] == [
        f"2025-03-17/bronze_sessions/{QUALIFYING}/{RACE}",
        f"2025-03-17/bronze_races/{RACE}/{RACE}",
    ]
    assert ticks.weekly(FIRST_MONDAY).run_requests == result.run_requests


def test_corrections_and_what_is_lacking(ticks: Ticks, materialize: Materialize) -> None:
    """Sessions of the last 15 days are asked for again in full; earlier ones only for what the
    lake lacks of them. A run has one session type, or whole blocks of several."""
    ticks.calendar()
    for job in ("bronze_sessions", "bronze_races"):
        first = QUALIFYING if job == "bronze_sessions" else RACE
        select = ["sessions", "drivers", "results"] if job == "bronze_sessions" else None
        assert materialize(job, first, RACE, select=select).success
    again = ticks.weekly(FIRST_MONDAY)
    assert asked(again.run_requests) == FIRST_RUNS
    ticks.now = THIRD_MONDAY
    assert asked(ticks.weekly(THIRD_MONDAY).run_requests) == [
        ("bronze_sessions", ["laps"], QUALIFYING, QUALIFYING),
        ("bronze_sessions", OF_SESSIONS, "2025/chinese/qualifying", "2025/japanese/qualifying"),
        ("bronze_sessions", ["laps"], RACE, RACE),
        ("bronze_sessions", OF_SESSIONS, "2025/chinese/race", "2025/japanese/race"),
        ("bronze_races", OF_RACES, "2025/chinese/race", "2025/japanese/race"),
    ]


def test_nothing_to_do_is_a_reason(ticks: Ticks) -> None:
    """Between seasons the tick says why it asks for nothing."""
    with_nothing = ticks.weekly(utc(2025, 2, 3, 6))
    assert with_nothing.run_requests == []
    assert with_nothing.skip_message.startswith(
        "Nothing to do: no session ended in the 15 days before 2025-02-03"
    )


def test_a_tick_knows_no_future(ticks: Ticks) -> None:
    """A tick that is tried out ahead of its time asks for what has ended by now."""
    assert asked(ticks.weekly(THIRD_MONDAY).run_requests) == FIRST_RUNS


def test_ticks_that_are_caught_up_with_do_not_repeat_each_other(ticks: Ticks) -> None:
    """After weeks without a daemon each tick asks for its own week: what an earlier one has
    asked for just now is under way."""
    ticks.now = THIRD_MONDAY + timedelta(hours=3)
    for request in ticks.weekly(FIRST_MONDAY).run_requests:
        launch(ticks.instance, request)
    assert asked(ticks.weekly(utc(2025, 3, 24, 6)).run_requests) == [
        ("bronze_sessions", OF_SESSIONS, "2025/chinese/qualifying", "2025/chinese/race"),
        ("bronze_races", OF_RACES, "2025/chinese/race", "2025/chinese/race"),
    ]


def test_a_run_that_hangs_does_not_keep_a_session_for_ever(ticks: Ticks) -> None:
    """A run that is older than a day counts as hanging, and its sessions are asked for again."""
    [sessions, _] = ticks.weekly(FIRST_MONDAY).run_requests
    launch(ticks.instance, sessions)
    now = datetime.now(UTC)
    both = {SessionPartition.parse(key) for key in (QUALIFYING, RACE)}
    assert under_way(ticks.instance, now)["laps"] == both
    assert under_way(ticks.instance, now)["stints"] == set()
    assert under_way(ticks.instance, now + timedelta(days=2))["laps"] == set()


def test_runs_of_whole_jobs_are_under_way_too(ticks: Ticks) -> None:
    """A job that was started by hand covers all its datasets, another job none."""
    register(ticks.instance, [SessionPartition.parse(key) for key in (QUALIFYING, RACE)])
    for job in ("bronze_races", "silver"):
        ticks.instance.create_run_for_job(
            dg.GraphDefinition(name=job).to_job(),
            status=dg.DagsterRunStatus.STARTED,
            tags={"dagster/partition": RACE},
        )
    covered = under_way(ticks.instance, datetime.now(UTC))
    assert {name: len(partitions) for name, partitions in covered.items() if partitions} == {
        "stints": 1,
        "pit_stops": 1,
    }


@pytest.fixture(params=["closed", "outage", "slip", "budget", "setting"])
def unreadable(
    request: pytest.FixtureRequest, ticks: Ticks, simulator: Simulator
) -> Iterator[Callable[[], None]]:
    """A calendar that cannot be read; calling the value makes it readable."""
    usual = ticks.settings
    if request.param == "closed":
        simulator.control.change_behaviour(live=True)
    elif request.param == "slip":
        simulator.control.add_faults(InjectedFault(kind="empty", endpoint="sessions"))
    elif request.param == "outage":
        simulator.control.add_faults(InjectedFault(kind="status", status=503))
    else:
        # Without a budget to reserve from, no call may be made.
        nowhere = {"budget": "file:/proc/rate.json", "setting": "nowhere"}[request.param]
        ticks.settings = usual.model_copy(update={"rate_store": nowhere})

    def repair() -> None:
        ticks.settings = usual
        simulator.control.reset()

    yield repair
    repair()


def test_a_week_is_not_lost(ticks: Ticks, unreadable: Callable[[], None]) -> None:
    """What the schedule cannot ask for is noted and requested by the sensor later, once."""
    result = ticks.weekly(FIRST_MONDAY)
    assert result.run_requests == []
    assert result.skip_message.endswith(
        "The week of 2025-03-17 is noted as due: openf1_calendar requests its runs as soon as it "
        "can read the calendar."
    )
    assert due_weeks(ticks.instance) == ["2025-03-17"]
    assert ticks.calendar().run_requests == []

    unreadable()
    ticks.now += timedelta(hours=2)
    caught_up = ticks.calendar().run_requests
    assert asked(caught_up) == FIRST_RUNS
    assert {request.tags["f1_bronze/week"] for request in caught_up} == {"2025-03-17"}
    assert {request.tags["f1_bronze/trigger"] for request in caught_up} == {"week"}

    for request in caught_up:
        by = {"dagster/sensor_name": "openf1_calendar"}
        launch(ticks.instance, request, dg.DagsterRunStatus.SUCCESS, **by)
    assert ticks.calendar().run_requests == []
    assert due_weeks(ticks.instance) == []
    again = ticks.weekly(FIRST_MONDAY)
    assert again.run_requests == []
    assert again.skip_message == "openf1_calendar has requested the runs of the week of 2025-03-17."


def test_a_tick_that_died_is_repeated(ticks: Ticks) -> None:
    """The note stays until runs of the week exist, so requests that were lost are made again."""
    note_due(ticks.instance, "2025-03-17")
    first = ticks.calendar().run_requests
    assert asked(first) == FIRST_RUNS
    assert ticks.calendar().run_requests == first


def test_several_due_weeks_are_one(ticks: Ticks) -> None:
    """The newest week covers what earlier ones lack."""
    note_due(ticks.instance, "2025-03-10")
    note_due(ticks.instance, "2025-03-17")
    assert asked(ticks.calendar().run_requests) == FIRST_RUNS
    assert due_weeks(ticks.instance) == ["2025-03-17"]


def test_a_week_without_work_is_settled(ticks: Ticks, simulator: Simulator) -> None:
    """A due week is looked after although no session is near; when there is nothing, it goes."""
    ticks.now = utc(2025, 1, 20, 7)
    ticks.calendar()
    note_due(ticks.instance, "2025-01-20")
    ticks.now = utc(2025, 1, 20, 8)
    # Everything that the lake lacks of 2024 is under way.
    for request in ticks.weekly(utc(2025, 1, 20, 6)).run_requests:
        launch(ticks.instance, request)
    for run in ticks.instance.get_runs():
        ticks.instance.add_run_tags(run.run_id, {"f1_bronze/week": "2025-01-13"})
    result = ticks.calendar()
    assert result.run_requests == []
    assert "The week of 2025-01-20 was owed, and nothing is left" in result.skip_message
    assert due_weeks(ticks.instance) == []
    assert simulator.control.state()["calls"] == 6
