"""The calendar becomes partitions by itself, cheaply, and what OpenF1 changes is reported."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from pydantic import SecretStr

from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.defs.automation.calendar_sensor import openf1_calendar
from f1_bronze.defs.automation.season import running_years
from f1_bronze.defs.partitions import Registered, read_registered, register
from f1_bronze.defs.record.calendar_memory import CalendarMemory
from f1_bronze.openf1.budget import CallBudget, Ledger, parse_limits
from f1_bronze.openf1.budget_stores import FileStore
from f1_bronze.settings import SettingError, Settings
from f1_bronze.simulator.faults import InjectedFault
from f1_bronze.simulator.invented import InventedSeasons
from f1_bronze.simulator.server import Simulator

from .sensor_ticks import TickLog
from .ticks import Ticks, asked, launch, utc

QUALIFYING, RACE = "2025/australian/qualifying", "2025/australian/race"
RACE_KEY, CHINESE_RACE_KEY = 907017, 907029
MONDAY = utc(2025, 3, 17, 6)
Materialize = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def ticks(instance: dg.DagsterInstance, settings: Settings, tick_log: TickLog) -> Ticks:
    """The Monday after the first race of 2025."""
    return Ticks(instance, settings, MONDAY, tick_log)


@pytest.fixture
def listing(simulator: Simulator) -> Callable[..., None]:
    """Say what the calendar lists of a session from now on; nothing at all for no values."""

    def edit(session_key: int, **values: object) -> None:
        def row(record: dict[str, object]) -> dict[str, object] | None:
            return {**record, **values} if values else None

        simulator.control.add_faults(
            InjectedFault(
                kind="edit", endpoint="sessions", match={"session_key": session_key}, edit=row
            )
        )

    return edit


def keys(instance: dg.DagsterInstance) -> list[str]:
    """The registered keys, in order."""
    return list(read_registered(instance).session_keys)


def calls(simulator: Simulator) -> int:
    """Calls so far."""
    return int(simulator.control.state()["calls"])


def observed(result: dg.SensorResult) -> list[tuple[str | None, str | None]]:
    """Partition and text of each observation."""
    return [(event.partition, event.description) for event in result.asset_events]


def test_declaration() -> None:
    """It runs by default, every half hour, and may ask for both jobs."""
    assert openf1_calendar.name == "openf1_calendar"
    assert openf1_calendar.default_status is dg.DefaultSensorStatus.RUNNING
    assert openf1_calendar.minimum_interval_seconds == 1800
    assert {job.name for job in openf1_calendar.jobs} == {
        "bronze_sessions",
        "bronze_races",
        "coverage",
    }


def test_ended_sessions_become_partitions(ticks: Ticks, simulator: Simulator) -> None:
    """The first tick registers what has ended, in order and in two calls, and ingests nothing: it
    requests the coverage alone, so that Dagster does not call it skipped."""
    result = ticks.calendar()
    assert read_registered(ticks.instance) == Registered(
        session_keys=(QUALIFYING, RACE), race_keys=(RACE,)
    )
    assert simulator.control.state()["by_endpoint"] == {"sessions": 1, "meetings": 1}
    assert [request.job_name for request in result.run_requests] == ["coverage"]
    assert ticks.said == (
        f"Registered 2 partitions ({QUALIFYING}, {RACE}). 2 sessions of 2025 have ended and are "
        "partitions; next is 2025/chinese/practice_1 at 2025-03-21 03:30 UTC."
    )
    again = ticks.calendar()
    assert (again.run_requests, again.skip_message.split(" ")[0]) == ([], "2")


def test_a_cursor_that_people_can_read(ticks: Ticks, listing: Callable[..., None]) -> None:
    """It says when the calendar was read and what comes next; the sessions are kept beside it. A
    tick whose cursor is not stored, since the daemon dies or it is only tried, changes nothing."""
    ticks.calendar()
    cursor = json.loads(ticks.cursor or "")
    assert (cursor["looked_at"], cursor["sessions"], cursor["next"][0]) == (
        *("2025-03-17T06:00:00+00:00", 123, "2025/chinese/practice_1"),
    )
    assert len(ticks.cursor or "") < 500
    before = ticks.cursor
    listing(RACE_KEY, is_cancelled=True)
    notice = f"{RACE} (session {RACE_KEY}) was cancelled."
    for _ in range(3):
        ticks.cursor = before
        ticks.calendar()
        assert notice in ticks.said
    ticks.calendar()
    assert notice not in ticks.said


def test_a_memory_that_is_lost(ticks: Ticks) -> None:
    """A cursor of another instance, or an older one that somebody pasted, is taken as none."""
    ticks.calendar()
    old = ticks.cursor
    for _ in range(2):
        ticks.now += timedelta(minutes=30)
        ticks.calendar()
    ticks.cursor = old
    ticks.calendar()
    assert "is not kept. It is replaced: the calendar is taken as new." in ticks.said


@pytest.mark.parametrize(("minute", "found"), [(44, [QUALIFYING]), (45, [QUALIFYING, RACE])])
def test_45_minutes_after_the_end(ticks: Ticks, minute: int, found: list[str]) -> None:
    """A session becomes a partition 45 minutes after its end, not earlier."""
    ticks.now = utc(2025, 3, 16, 6, minute)
    ticks.calendar()
    assert keys(ticks.instance) == found


def test_types_of_the_settings(ticks: Ticks) -> None:
    """Only types that are ingested become partitions, and all do when all are wanted."""
    ticks.settings = ticks.settings.model_copy(update={"session_types": frozenset({"practice_1"})})
    ticks.calendar()
    assert keys(ticks.instance) == ["2025/australian/practice_1"]
    ticks.settings = ticks.settings.model_copy(update={"session_types": None})
    ticks.calendar()
    # Three days of testing, then the weekend, whatever was registered first.
    assert [key.split("/")[2] for key in keys(ticks.instance)] == [
        *("day_1", "day_2", "day_3", "practice_1", "practice_2", "practice_3"),
        *("qualifying", "race"),
    ]


def test_two_seasons_run_at_the_turn_of_the_year(
    instance: dg.DagsterInstance, settings: Settings
) -> None:
    """In December the next season is asked for too; that it is not listed yet is no error."""
    with Simulator(InventedSeasons(years=[2025]), limits=None) as simulator:
        of_2025 = settings.model_copy(update={"openf1_url": simulator.url})
        ticks = Ticks(instance, of_2025, utc(2025, 12, 8, 6))
        ticks.calendar()
        [sessions, _] = simulator.control.requests()
    assert (keys(instance)[0], keys(instance)[-1]) == (QUALIFYING, "2025/abu_dhabi/race")
    assert sessions.query == "year=2025&year=2026"


def test_between_seasons_once_a_day(ticks: Ticks, simulator: Simulator) -> None:
    """Without a session within two weeks the calendar is read once a day."""
    ticks.now = utc(2025, 1, 15)
    ticks.calendar()
    for hour in (1, 12, 23):
        ticks.now = utc(2025, 1, 15, hour)
        reason = ticks.calendar().skip_message
        assert reason == (
            "No session within two weeks; the calendar is read again at 2025-01-16 00:00 UTC."
        )
    assert calls(simulator) == 2
    ticks.now = utc(2025, 1, 16)
    ticks.calendar()
    assert calls(simulator) == 4


def test_no_call_around_a_session(ticks: Ticks, simulator: Simulator) -> None:
    """From 30 minutes before to 30 after any session nothing is asked, practice included."""
    ticks.calendar()
    for moment, expected in [
        (utc(2025, 3, 21, 2, 59), 4),
        (utc(2025, 3, 21, 3, 0), 4),
        (utc(2025, 3, 21, 5, 0), 4),
        (utc(2025, 3, 21, 5, 1), 6),
    ]:
        ticks.now = moment
        ticks.calendar()
        assert calls(simulator) == expected
    ticks.now = utc(2025, 3, 21, 8)
    assert ticks.calendar().skip_message == (
        "OpenF1 is closed from 30 minutes before to 30 minutes after "
        "2025/chinese/sprint_qualifying, which is to end at 2025-03-21 08:14 UTC."
    )


def test_paid_access_is_never_closed(
    ticks: Ticks, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With paid access the API answers during a session too: the login and two calls."""
    simulator.control.change_behaviour(credentials={"username": "me", "password": "secret"})
    monkeypatch.setenv("F1_BRONZE_OPENF1_USERNAME", "me")
    monkeypatch.setenv("F1_BRONZE_OPENF1_PASSWORD", "secret")
    ticks.settings = ticks.settings.model_copy(
        update={"openf1_username": "me", "openf1_password": SecretStr("hunter2")}
    )
    ticks.calendar()
    ticks.now = utc(2025, 3, 21, 4)
    ticks.calendar()
    assert simulator.control.state()["by_endpoint"] == {"token": 2, "sessions": 2, "meetings": 2}


def test_a_closed_api_is_left_alone(ticks: Ticks, simulator: Simulator) -> None:
    """After a refusal for a live session nothing is asked until the time that it gave."""
    simulator.control.change_behaviour(live=True)
    assert "closed to free users" in ticks.calendar().skip_message
    simulator.control.change_behaviour(live=False)
    ticks.now = utc(2025, 3, 17, 6, 59)
    assert ticks.calendar().skip_message == (
        "OpenF1 is closed for a live session; it is asked again at 2025-03-17 07:00 UTC."
    )
    assert (calls(simulator), keys(ticks.instance)) == (1, [])
    ticks.now = utc(2025, 3, 17, 7)
    ticks.calendar()
    assert (calls(simulator), keys(ticks.instance)) == (3, [QUALIFYING, RACE])


@pytest.mark.parametrize(
    "fault",
    [
        InjectedFault(kind="status", status=502),
        InjectedFault(kind="status", status=500, endpoint="meetings"),
        InjectedFault(kind="rate_limited", retry_after="1"),
        InjectedFault(kind="html_200"),
        InjectedFault(kind="empty", endpoint="sessions"),
        InjectedFault(kind="reset_before", endpoint="meetings"),
        InjectedFault(kind="edit", endpoint="sessions", patch={"date_end": "soon"}),
    ],
    ids=lambda fault: f"{fault.kind} {fault.endpoint}",
)
def test_an_outage_is_a_skipped_tick(
    ticks: Ticks, simulator: Simulator, fault: InjectedFault
) -> None:
    """A tick that fails asks at most twice and says why; the next one does what it could not."""
    simulator.control.add_faults(fault)
    result = ticks.calendar()
    assert result.skip_message.endswith("The next tick tries again.")
    assert calls(simulator) <= 2
    assert keys(ticks.instance) == []
    simulator.control.reset()
    # A 429 holds all callers back for a second or two; the tick waits so long.
    ticks.calendar()
    assert keys(ticks.instance) == [QUALIFYING, RACE]


def test_a_budget_that_others_use_is_not_waited_for(
    ticks: Ticks, simulator: Simulator, tmp_path: Path
) -> None:
    """Where a backfill has reserved the next minute, the tick skips at once and takes no place."""
    store = FileStore(tmp_path / "rate.json")
    limits = "1/60s"
    CallBudget(parse_limits(limits), store).reserve()
    ticks.settings = ticks.settings.model_copy(
        update={"openf1_limits": limits, "rate_store": f"file:{store.path}"}
    )
    reason = ticks.calendar().skip_message
    assert reason.startswith("The call budget is reserved by others for the next ")
    ledger = Ledger.from_json(store.read() or b"")
    assert (calls(simulator), len(ledger.slots)) == (0, 1)


def test_names_wait_for_the_meetings(ticks: Ticks, simulator: Simulator) -> None:
    """A tick that is shown no meetings names nothing; when the next is shown none, places do."""
    simulator.control.add_faults(InjectedFault(kind="empty", endpoint="meetings"))
    reason = ticks.calendar().skip_message
    assert reason.startswith("OpenF1 lists hardly a meeting of 2025")
    assert keys(ticks.instance) == []
    ticks.calendar()
    assert keys(ticks.instance) == ["2025/melbourne/qualifying", "2025/melbourne/race"]
    assert calls(simulator) == 4


def test_a_cancelled_session_is_no_partition_any_more(
    ticks: Ticks, listing: Callable[..., None]
) -> None:
    """A registered session that is cancelled before it is stored goes, and the tick says so."""
    ticks.calendar()
    listing(RACE_KEY, is_cancelled=True)
    result = ticks.calendar()
    report = ticks.said
    assert f"{RACE} (session {RACE_KEY}) was cancelled." in report
    assert f"Removed 1 partition ({RACE}): no session, and nothing was stored." in report
    assert read_registered(ticks.instance) == Registered(session_keys=(QUALIFYING,), race_keys=())
    assert observed(result) == [(RACE, f"{RACE} (session {RACE_KEY}) was cancelled.")]
    assert [request.job_name for request in result.run_requests] == ["coverage"]
    assert "cancelled" not in ticks.calendar().skip_message


def test_what_is_stored_stays(
    ticks: Ticks, listing: Callable[..., None], materialize: Materialize
) -> None:
    """A session that is stored stays a partition whatever becomes of it, which is said once."""
    ticks.calendar()
    assert materialize("bronze_races", RACE, RACE, select=["pit_stops"]).success
    listing(RACE_KEY)
    ticks.calendar()
    notice = f"{RACE} has no session any more; what is stored of it stays."
    result = ticks.calendar()
    assert notice in ticks.said
    assert observed(result) == [(RACE, notice)]
    assert keys(ticks.instance) == [QUALIFYING, RACE]
    assert notice not in ticks.calendar().skip_message


def test_a_session_that_is_missing_once_stays(
    ticks: Ticks, listing: Callable[..., None], simulator: Simulator
) -> None:
    """Upstream loses rows for a while: only what two looks in a row do not find goes."""
    ticks.calendar()
    listing(RACE_KEY)
    ticks.calendar()
    assert keys(ticks.instance) == [QUALIFYING, RACE]
    simulator.control.reset()
    ticks.calendar()
    listing(RACE_KEY)
    ticks.calendar()
    assert keys(ticks.instance) == [QUALIFYING, RACE]
    ticks.calendar()
    assert keys(ticks.instance) == [QUALIFYING]


@pytest.mark.parametrize(
    "tags",
    [
        {"dagster/partition": RACE},
        {
            "dagster/asset_partition_range_start": QUALIFYING,
            "dagster/asset_partition_range_end": RACE,
        },
    ],
    ids=["partition", "range"],
)
def test_nothing_is_removed_under_a_run(
    tags: dict[str, str], ticks: Ticks, listing: Callable[..., None]
) -> None:
    """While a run of it is under way, a key stays; it goes afterwards, whatever else runs."""
    ticks.calendar()
    listing(RACE_KEY, is_cancelled=True)
    job = dg.GraphDefinition(name="any").to_job()
    ticks.instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    run_id = ticks.instance.create_run_for_job(
        job, status=dg.DagsterRunStatus.STARTED, tags=tags
    ).run_id
    ticks.calendar()
    report = ticks.said
    assert f"1 partition ({RACE}) without a session: kept until its runs have ended." in report
    assert keys(ticks.instance) == [QUALIFYING, RACE]
    ticks.instance.delete_run(run_id)
    ticks.calendar()
    assert keys(ticks.instance) == [QUALIFYING]


def test_keys_of_other_seasons_and_types_stay(ticks: Ticks) -> None:
    """What the command has registered of other seasons and types is left alone."""
    before = ["2023/bahrain/race", "2025/australian/practice_2"]
    register(ticks.instance, [SessionPartition.parse(key) for key in before])
    ticks.instance.add_dynamic_partitions("f1_sessions", ["by hand"])
    ticks.calendar()
    ticks.calendar()
    assert {*before, "by hand", QUALIFYING, RACE} == set(keys(ticks.instance))


def test_moved_and_renamed(ticks: Ticks, listing: Callable[..., None]) -> None:
    """A session to come that moves, and one that is renamed, are reported with before and after."""
    ticks.calendar()
    listing(
        CHINESE_RACE_KEY,
        date_start="2025-03-23T08:00:00+00:00",
        date_end="2025-03-23T10:00:00+00:00",
    )
    listing(RACE_KEY, session_name="Sprint")
    ticks.calendar()
    report = ticks.said
    assert (
        "2025/australian/sprint (session 907017) is named Australian Grand Prix Sprint instead of "
        "Australian Grand Prix Race and was 2025/australian/race."
    ) in report
    assert ("was moved from 2025-03-23 07:00-09:00 to 2025-03-23 08:00-10:00 UTC.") in report
    assert keys(ticks.instance) == [QUALIFYING, RACE]


def test_a_foreign_cursor_is_replaced(ticks: Ticks) -> None:
    """A cursor that is not the sensor's own is replaced, and nothing else suffers."""
    ticks.cursor = '{"format": 99}'
    ticks.calendar()
    report = ticks.said
    assert report.startswith("The cursor has format 99, not 1. It is replaced")
    assert keys(ticks.instance) == [QUALIFYING, RACE]
    assert CalendarMemory.from_cursor(ticks.instance, ticks.cursor).looked_at == MONDAY


def test_new_sessions_at_once(ticks: Ticks, materialize: Materialize) -> None:
    """With the setting on, what the season lacks is asked for once, then each new session; what a
    run has tried and failed to store is not asked for again."""
    ticks.settings = ticks.settings.model_copy(update={"ingest_new": True})
    result = ticks.calendar()
    assert asked(result.run_requests) == [
        ("bronze_sessions", ["sessions", "drivers", "results", "laps"], QUALIFYING, RACE),
        ("bronze_races", ["stints", "pit_stops"], RACE, RACE),
    ]
    assert {request.tags["f1_bronze/trigger"] for request in result.run_requests} == {"calendar"}
    assert ticks.calendar().run_requests == result.run_requests  # the same run keys, launched once
    runs = [launch(ticks.instance, request) for request in result.run_requests]
    assert ticks.calendar().run_requests == []
    for run in runs:
        ticks.instance.report_run_failed(run)
    assert ticks.calendar().run_requests == []
    ticks.now = utc(2025, 3, 22, 9)
    assert asked(ticks.calendar().run_requests) == [
        (
            "bronze_sessions",
            ["sessions", "drivers", "results", "laps"],
            "2025/chinese/qualifying",
            "2025/chinese/qualifying",
        )
    ]


def test_the_deployment_provides_what_it_needs(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    simulator: Simulator,
    tick_log: TickLog,
) -> None:
    """What Dagster loads holds the sensor and its resource: it looks at the season of today."""
    sensor = definitions.resolve_sensor_def("openf1_calendar")
    needed = {key: definitions.resources[key] for key in sensor.required_resource_keys}
    assert set(needed) == {"deployment"}
    with dg.build_sensor_context(instance=instance, resources=needed) as context:
        result = sensor(context)
    assert isinstance(result, dg.SensorResult)
    years = " and ".join(map(str, running_years(datetime.now(UTC))))
    assert f"sessions of {years} have ended and are partitions" in tick_log.said[-1]
    assert calls(simulator) == 2


@pytest.mark.parametrize(
    ("value", "expected"), [("", False), ("false", False), ("True", True), ("true", True)]
)
def test_the_switch(value: str, expected: bool) -> None:
    """New sessions wait for Monday unless the setting says true."""
    assert Settings.read({"F1_BRONZE_INGEST_NEW": value}).ingest_new is expected


def test_a_switch_takes_true_or_false() -> None:
    """Anything else is refused with what it takes."""
    with pytest.raises(SettingError, match="F1_BRONZE_INGEST_NEW is 'yes'; it takes true or false"):
        Settings.read({"F1_BRONZE_INGEST_NEW": "yes"})
