"""The calendar sensor's cursor comes back as it was written, or is refused."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f1_bronze.defs.record.calendar_memory import CursorError, Kind, Memory, Seen, changes

START = datetime(2025, 4, 13, 15, tzinfo=UTC)
SEEN = Seen(
    key="2025/bahrain/race",
    name="Bahrain Grand Prix Race",
    start=START,
    end=START + timedelta(hours=2),
)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))
SESSIONS = st.builds(
    Seen,
    key=st.text(),
    name=st.text(),
    start=MOMENTS,
    end=MOMENTS,
    cancelled=st.booleans(),
)
MEMORIES = st.builds(
    Memory,
    looked_at=st.none() | MOMENTS,
    closed_until=st.none() | MOMENTS,
    nameless=st.lists(st.integers(2020, 2030)).map(tuple),
    absent=st.frozensets(st.text()),
    told=st.frozensets(st.text()),
    asked=st.frozensets(st.integers()),
    sessions=st.dictionaries(st.integers(), SESSIONS, max_size=3),
)


@given(memory=MEMORIES)
def test_a_cursor_comes_back(memory: Memory) -> None:
    """What is written is read again, whatever it holds."""
    assert Memory.from_json(memory.to_json()) == memory


def test_no_cursor_is_an_empty_memory() -> None:
    """Before the first tick nothing is known."""
    assert Memory.from_json(None) == Memory.from_json("") == Memory()


@pytest.mark.parametrize(
    "cursor",
    [
        "2025-04-13",
        "[]",
        "{}",
        '"text"',
        "null",
        '{"format": 1}',
        json.dumps({**json.loads(Memory().to_json()), "sessions": {"one": []}}),
        json.dumps({**json.loads(Memory().to_json()), "sessions": []}),
        json.dumps({**json.loads(Memory().to_json()), "looked_at": "2025-04-13T15:00:00"}),
        "[" * 100_000,
    ],
    ids=lambda cursor: cursor[:40],
)
def test_a_damaged_cursor_is_refused(cursor: str) -> None:
    """Text of somebody else, and cursors that are damaged, are told from ours."""
    with pytest.raises(CursorError):
        Memory.from_json(cursor)


@pytest.mark.parametrize(
    ("after", "kinds"),
    [
        ({}, []),
        ({"cancelled": True}, [Kind.CANCELLED]),
        ({"start": START - timedelta(hours=1)}, [Kind.MOVED]),
        ({"end": START + timedelta(hours=3)}, [Kind.MOVED]),
        ({"name": "Gulf Grand Prix Race"}, [Kind.RENAMED]),
        ({"key": "2025/gulf/race", "cancelled": True}, [Kind.CANCELLED, Kind.RENAMED]),
    ],
)
def test_changes_are_told_apart(after: dict[str, object], kinds: list[Kind]) -> None:
    """Each kind of change is found, several of one session too, and nothing where none is."""
    now = Seen(**{**vars(SEEN), **after})  # type: ignore[arg-type]
    assert [change.kind for change in changes({1: SEEN}, {1: now, 2: SEEN})] == kinds


def test_a_cancellation_that_is_taken_back() -> None:
    """A session that takes place after all is told too."""
    cancelled = Seen(**{**vars(SEEN), "cancelled": True})
    [change] = changes({7: cancelled}, {7: SEEN})
    assert change.text == "2025/bahrain/race (session 7) was cancelled and takes place after all."


def test_a_cancelled_session_closes_nothing() -> None:
    """Around a session that does not take place the API is open."""
    assert Memory(sessions={7: SEEN}).live(START) == SEEN
    assert Memory(sessions={7: Seen(**{**vars(SEEN), "cancelled": True})}).live(START) is None


def test_a_season_fits_into_a_cursor() -> None:
    """Two seasons with every session make a cursor of some thirty kilobytes, half a MySQL text."""
    sessions = {10_000 + number: SEEN for number in range(250)}
    assert len(Memory(sessions=sessions).to_json()) < 32_000
