"""HoursSinceLastSuccess: an age in season, 0 in a pause."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from f1_bronze.telemetry.metrics.measurement import hours_since_last_success

RACE = datetime(2026, 11, 22, 15, tzinfo=UTC)
ALARM = 216


def hours(last_success: datetime | None, now: datetime, *ends: datetime) -> float:
    """The gauge's value."""
    return hours_since_last_success(
        last_success, now, environment="production", session_ends=ends
    ).value


def test_in_season() -> None:
    """Between two races the gauge is the age of the last success."""
    earlier = RACE - timedelta(days=7)
    assert hours(RACE + timedelta(hours=15), RACE + timedelta(hours=39), earlier, RACE) == 24


def test_the_metric() -> None:
    """It is one series of the deployment, of the moment it is taken, and one id an hour."""
    now = RACE + timedelta(hours=1)
    gauge = hours_since_last_success(None, now, environment="staging", session_ends=[RACE])
    assert (gauge.namespace, gauge.name, gauge.unit) == (
        "F1Pipeline/Bronze",
        "HoursSinceLastSuccess",
        "None",
    )
    assert gauge.dimensions == (
        ("Environment", "staging"),
        ("Pipeline", "f1_bronze"),
        ("Layer", "bronze"),
    )
    assert (gauge.at, gauge.origin, gauge.value) == (now, "freshness-20261122T16", 1)
    later = now + timedelta(minutes=59)
    assert (
        hours_since_last_success(None, later, environment="staging", session_ends=[RACE]).id
        == gauge.id
    )


def test_between_seasons() -> None:
    """When nothing has ended for more than 15 days there is nothing to do, and the gauge is 0."""
    success = RACE + timedelta(hours=15)
    assert hours(success, RACE + timedelta(days=15), RACE) == 15 * 24 - 15
    assert hours(success, RACE + timedelta(days=15, seconds=1), RACE) == 0
    assert hours(success, RACE + timedelta(days=90), RACE) == 0


def test_a_race_that_nothing_ingested() -> None:
    """No pause begins before something succeeded after its last session: the age goes on."""
    before = RACE - timedelta(hours=9)
    assert hours(before, RACE + timedelta(days=30), RACE, RACE - timedelta(days=7)) == 30 * 24 + 9
    assert hours(RACE, RACE + timedelta(days=30), RACE, RACE - timedelta(days=7)) == 0


def test_the_pause_is_not_counted_afterwards() -> None:
    """The first session after a winter starts the age anew: no alarm before the next Monday."""
    opening = datetime(2027, 3, 6, 15, tzinfo=UTC)
    ends = (RACE, opening, opening + timedelta(days=1))
    monday = datetime(2027, 3, 8, 6, tzinfo=UTC)
    assert hours(datetime(2026, 12, 7, 6, tzinfo=UTC), monday, *ends) == 39


def test_a_season_that_nobody_ingested() -> None:
    """Without any success the age is that of the first session of the season."""
    assert hours(None, RACE + timedelta(days=3), RACE, RACE - timedelta(days=7)) == 240
    assert hours(None, RACE, *()) == 0


def test_sessions_to_come() -> None:
    """The calendar's future sessions are not looked at until they have ended."""
    assert hours(None, RACE + timedelta(hours=2), RACE, RACE + timedelta(days=7)) == 2


def test_a_calendar_of_mondays() -> None:
    """With a success each Monday that has something to do, no hour of a season alarms.

    Races two weeks apart, a summer break of four weeks and a winter are in it.
    """
    days = (0, 7, 21, 28, 56, 63, 77, 150, 157)
    first = datetime(2026, 3, 8, 15, tzinfo=UTC)
    ends = [first + timedelta(days=day) for day in days]
    success, worst, now = None, 0.0, first
    while now < first + timedelta(days=170):
        worst = max(worst, hours(success, now, *ends))
        done = [end for end in ends if now - timedelta(days=15) <= end <= now]
        if now.weekday() == 0 and now.hour == 6 and done:
            success = now
        now += timedelta(hours=1)
    assert 150 < worst < ALARM


@given(
    st.lists(st.integers(-9_000, 9_000), max_size=20),
    st.none() | st.integers(-9_000, 100),
)
@settings(deadline=None)
def test_never_older_than_the_last_success(ends: list[int], success: int | None) -> None:
    """The gauge is never negative and never more than the hours since the last success."""
    last = None if success is None else RACE + timedelta(hours=success)
    value = hours(last, RACE, *(RACE + timedelta(hours=end) for end in ends))
    assert value >= 0
    if success is not None:
        assert value <= max(0, -success)
    ended = sorted(end for end in ends if end <= 0)
    if not ended or (ended[-1:] < [-15 * 24] and (success is None or success >= max(ended))):
        assert value == 0
