"""Which sessions should be stored by now: what the calendar says against Dagster's record."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from f1_bronze.datasets import DATASETS
from f1_bronze.defs.monitoring.overdue import WATCHED, due, overdue_sessions
from f1_bronze.defs.outbound.alert_sensor import remember_overdue
from f1_bronze.defs.record.calendar_memory import SeenSession
from f1_bronze.defs.resources import Deployment
from f1_bronze.settings import Settings
from f1_bronze.telemetry.alerts.alert_memory import AlertMemory
from f1_bronze.telemetry.alerts.wording import OverdueSession

from .calendars import remember

QUALIFYING, RACE = "2025/bahrain/qualifying", "2025/bahrain/race"
PRACTICE = "2025/bahrain/practice_1"
FRIDAY = datetime(2025, 4, 11, 13, 0, tzinfo=UTC)
SATURDAY, SUNDAY = FRIDAY + timedelta(days=1, hours=4), FRIDAY + timedelta(days=2, hours=4)
MONDAY = datetime(2025, 4, 14, 6, 0, tzinfo=UTC)
ENDS = {PRACTICE: FRIDAY, QUALIFYING: SATURDAY, RACE: SUNDAY}
Look = Callable[..., list[OverdueSession]]


@pytest.fixture
def instance(disk_instance: dg.DagsterInstance) -> dg.DagsterInstance:
    """An instance whose calendar sensor has seen a weekend, and its race of the week after."""
    sessions = {
        number: SeenSession(key=key, name=key, start=end - timedelta(hours=2), end=end)
        for number, (key, end) in enumerate(ENDS.items())
    }
    next_race = replace(sessions[2], key="2025/saudi_arabian/race", end=SUNDAY + timedelta(days=7))
    cancelled = replace(sessions[2], key="2025/imola/race", cancelled=True)
    remember(disk_instance, {**sessions, 98: next_race, 99: cancelled})
    return disk_instance


@pytest.fixture
def look(instance: dg.DagsterInstance) -> Look:
    """What is overdue at a moment."""

    def at(now: datetime, *, on_mondays: bool = False, types: str = "") -> list[OverdueSession]:
        environ = {"F1_BRONZE_INGEST_NEW": "" if on_mondays else "true"}
        if types:
            environ["F1_BRONZE_SESSION_TYPES"] = types
        return overdue_sessions(instance, Deployment(Settings.read(environ)), now)

    return at


def store(instance: dg.DagsterInstance, key: str, *but: str) -> None:
    """All datasets of a session are stored by the record, but these."""
    for dataset in DATASETS:
        if dataset.name not in but:
            made = dg.AssetMaterialization(["bronze", dataset.name], partition=key)
            instance.report_runless_asset_event(made)


def test_a_day_after_its_end(look: Look) -> None:
    """A session is overdue from 24 hours after its end on; others of the weekend are not yet."""
    names = ("sessions", "drivers", "results", "laps")
    day = timedelta(hours=24)
    assert look(SATURDAY + day - timedelta(seconds=1)) == []
    assert look(SATURDAY + day) == [
        OverdueSession(key=QUALIFYING, ended_at=SATURDAY, missing=names)
    ]
    assert [one.key for one in look(SUNDAY + day)] == [QUALIFYING, RACE]
    assert look(SUNDAY + day)[1].missing == (*names, "stints", "pit_stops")


def test_what_is_stored_is_not_overdue(look: Look, instance: dg.DagsterInstance) -> None:
    """Only what is missing counts, dataset by dataset."""
    now = SUNDAY + timedelta(hours=25)
    store(instance, QUALIFYING)
    store(instance, RACE, "stints")
    assert [(one.key, one.missing) for one in look(now)] == [(RACE, ("stints",))]
    store(instance, RACE)
    assert look(now) == []


def test_history_is_not_watched(look: Look) -> None:
    """What the weekly run does not come back to is no alert either."""
    later = [one.key for one in look(SATURDAY + WATCHED)]
    assert later == [QUALIFYING, RACE, "2025/saudi_arabian/race"]
    assert [one.key for one in look(SATURDAY + WATCHED + timedelta(seconds=1))] == later[1:]


def test_types_that_are_ingested(look: Look) -> None:
    """Practice is watched where it is ingested."""
    now = FRIDAY + timedelta(hours=25)
    assert look(now) == []
    assert [one.key for one in look(now, types="all")] == [PRACTICE]


def test_sessions_wait_for_the_weekly_run(look: Look) -> None:
    """Where new sessions come on Mondays, a Saturday is no alert before Monday's run is over."""
    assert look(MONDAY + timedelta(hours=2), on_mondays=True) == []
    found = look(MONDAY + timedelta(hours=3), on_mondays=True)
    assert [one.key for one in found] == [QUALIFYING]
    assert [one.key for one in look(SUNDAY + timedelta(hours=24), on_mondays=True)] == [
        QUALIFYING,
        RACE,
    ]


def test_a_session_that_ends_on_monday_morning() -> None:
    """What is not ready at six waits for the Monday after."""
    assert due(MONDAY - timedelta(minutes=44), on_mondays=True) == MONDAY + timedelta(
        days=7, hours=3
    )
    assert due(MONDAY - timedelta(minutes=45), on_mondays=True) == MONDAY + timedelta(hours=23.25)


def test_settings_decide(instance: dg.DagsterInstance) -> None:
    """The sensor looks with the deployment's own settings, and alerts each session once."""
    environ = {"F1_BRONZE_ALERT_WEBHOOK": "https://hooks.example.org/x"}
    eager = Deployment(Settings.read({**environ, "F1_BRONZE_INGEST_NEW": "true"}))
    weekly = Deployment(Settings.read(environ))
    now = SATURDAY + timedelta(hours=24)
    assert remember_overdue(instance, weekly, AlertMemory(), now)[0].waiting == {}
    memory, _ = remember_overdue(instance, eager, AlertMemory(), now)
    [alert] = memory.waiting["webhook"]
    assert alert.subject == f"f1_bronze dev: {QUALIFYING} overdue"
    memory, _ = remember_overdue(instance, eager, memory, now + timedelta(hours=1))
    assert len(memory.waiting["webhook"]) == 1
