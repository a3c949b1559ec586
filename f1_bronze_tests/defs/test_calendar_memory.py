"""The calendar sensor's cursor comes back as it was written, or is refused."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f1_bronze.defs.record.calendar_memory import (
    CalendarMemory,
    ChangeKind,
    CursorError,
    SeenSession,
    find_changes,
)

START = datetime(2025, 4, 13, 15, tzinfo=UTC)
SEEN = SeenSession(
    key="2025/bahrain/race",
    name="Bahrain Grand Prix Race",
    start=START,
    end=START + timedelta(hours=2),
)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))
SESSIONS = st.builds(
    SeenSession,
    key=st.text(),
    name=st.text(),
    start=MOMENTS,
    end=MOMENTS,
    cancelled=st.booleans(),
)
MEMORIES = st.builds(
    CalendarMemory,
    looked_at=st.none() | MOMENTS,
    closed_until=st.none() | MOMENTS,
    nameless=st.lists(st.integers(2020, 2030)).map(tuple),
    absent=st.frozensets(st.text()),
    kept=st.frozensets(st.text()),
    sessions=st.dictionaries(st.integers(), SESSIONS, max_size=3),
)


def test_the_cursor_of_an_earlier_release_is_read() -> None:
    """A cursor that also lists the sessions whose runs were requested is taken over."""
    memory = CalendarMemory(looked_at=START, kept=frozenset({SEEN.key}), sessions={7: SEEN})
    earlier = {**json.loads(memory.to_json()), "asked": [7, 8]}
    assert CalendarMemory.from_json(json.dumps(earlier)) == memory


@given(memory=MEMORIES)
def test_a_cursor_comes_back(memory: CalendarMemory) -> None:
    """What is written is read again, whatever it holds."""
    assert CalendarMemory.from_json(memory.to_json()) == memory


def test_no_cursor_is_an_empty_memory() -> None:
    """Before the first tick nothing is known."""
    assert CalendarMemory.from_json(None) == CalendarMemory.from_json("") == CalendarMemory()


@pytest.mark.parametrize(
    "cursor",
    [
        "2025-04-13",
        "[]",
        "{}",
        '"text"',
        "null",
        '{"format": 1}',
        json.dumps({**json.loads(CalendarMemory().to_json()), "sessions": {"one": []}}),
        json.dumps({**json.loads(CalendarMemory().to_json()), "sessions": []}),
        json.dumps({**json.loads(CalendarMemory().to_json()), "looked_at": "2025-04-13T15:00:00"}),
        "[" * 100_000,
    ],
    ids=lambda cursor: cursor[:40],
)
def test_a_damaged_cursor_is_refused(cursor: str) -> None:
    """Text that the sensor did not write, and damaged cursors, are recognized."""
    with pytest.raises(CursorError):
        CalendarMemory.from_json(cursor)


@pytest.mark.parametrize(
    ("after", "kinds"),
    [
        ({}, []),
        ({"cancelled": True}, [ChangeKind.CANCELLED]),
        ({"start": START - timedelta(hours=1)}, [ChangeKind.MOVED]),
        ({"end": START + timedelta(hours=3)}, [ChangeKind.MOVED]),
        ({"name": "Gulf Grand Prix Race"}, [ChangeKind.RENAMED]),
        ({"key": "2025/gulf/race", "cancelled": True}, [ChangeKind.CANCELLED, ChangeKind.RENAMED]),
    ],
)
def test_kinds_of_changes(after: dict[str, object], kinds: list[ChangeKind]) -> None:
    """Each kind of change is found, several of one session too, and nothing where none is."""
    now = SeenSession(**{**vars(SEEN), **after})  # type: ignore[arg-type]
    assert [change.kind for change in find_changes({1: SEEN}, {1: now, 2: SEEN})] == kinds


def test_a_cancellation_that_is_taken_back() -> None:
    """A session that takes place after all is reported too."""
    cancelled = SeenSession(**{**vars(SEEN), "cancelled": True})
    [change] = find_changes({7: cancelled}, {7: SEEN})
    assert change.text == "2025/bahrain/race (session 7) was cancelled and takes place after all."


def test_a_cancelled_session_closes_nothing() -> None:
    """Around a session that does not take place the API is open."""
    assert CalendarMemory(sessions={7: SEEN}).live(START) == SEEN
    assert (
        CalendarMemory(sessions={7: SeenSession(**{**vars(SEEN), "cancelled": True})}).live(START)
        is None
    )


def test_a_season_fits_into_a_cursor() -> None:
    """Two seasons with every session make a cursor of some thirty kilobytes, half a MySQL text."""
    sessions = {10_000 + number: SEEN for number in range(250)}
    assert len(CalendarMemory(sessions=sessions).to_json()) < 32_000
