"""Sensors read the record of runs on from their cursor: nothing is missed, nothing told twice."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from f1_bronze.defs.record.stream import (
    ENDS,
    PAGE,
    SETTLED,
    STARTS,
    TICK_SECONDS,
    Change,
    Kind,
    Position,
    TryLater,
    changes,
    tell,
)

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
SUCCESS = dg.DagsterEventType.RUN_SUCCESS
FAILURE = dg.DagsterEventType.RUN_FAILURE


class Record:
    """A record of run changes with Dagster's method to read it; counts the queries."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.queries = 0

    def add(self, number: int, *, kind: Kind = SUCCESS, age: timedelta = timedelta(0)) -> None:
        """A run ended."""
        change = Change(storage_id=number, kind=kind, run_id=f"run-{number}", at=NOW - age)
        self.changes.append(change)

    def fetch_run_status_changes(
        self, asked: dg.RunStatusChangeRecordsFilter, limit: int, ascending: bool
    ) -> Any:
        """As DagsterInstance has it."""
        assert ascending
        self.queries += 1
        found = sorted(
            (
                change
                for change in self.changes
                if change.kind is asked.event_type and change.storage_id > asked.after_storage_id
            ),
            key=lambda change: change.storage_id,
        )
        return SimpleNamespace(
            records=[
                SimpleNamespace(
                    storage_id=c.storage_id, run_id=c.run_id, timestamp=c.at.timestamp()
                )
                for c in found[:limit]
            ]
        )


class Log:
    """Keeps what is logged as an error."""

    def __init__(self) -> None:
        self.errors: list[str] = []

    def error(self, text: str, *values: object) -> None:
        """As a logger has it."""
        self.errors.append(text % values)


def tick(
    record: Record,
    cursor: str | None,
    deliver: Any,
    *,
    seconds: Iterator[float] | None = None,
    log: Log | None = None,
) -> str | None:
    """One tick of a sensor; the cursor that it leaves."""
    context: Any = SimpleNamespace(instance=record, cursor=cursor, log=log or Log())
    clock = (lambda: next(seconds)) if seconds else (lambda: 0.0)
    try:
        for position in tell(context, ENDS, deliver, clock=lambda: NOW, monotonic=clock):
            cursor = position.to_json()
    except TryLater as error:
        raise Interrupted(str(error), error.position.to_json()) from error
    return cursor


class Interrupted(Exception):
    """A tick that ended early, and the cursor that it leaves."""

    def __init__(self, message: str, cursor: str) -> None:
        super().__init__(message)
        self.cursor = cursor


def run_ids(found: Sequence[Change]) -> list[str]:
    """The runs of these changes."""
    return [change.run_id for change in found]


def test_what_is_new_is_told_once() -> None:
    """A second tick tells only of what came after the first, of every kind of end."""
    record, told = Record(), []

    def deliver(change: Change, position: Position) -> Position:
        told.append(change.run_id)
        return position

    record.add(1)
    record.add(2, kind=FAILURE)
    cursor = tick(record, None, deliver)
    record.add(3)
    cursor = tick(record, cursor, deliver)
    tick(record, cursor, deliver)
    assert told == ["run-1", "run-2", "run-3"]


def test_a_late_commit_is_not_missed() -> None:
    """An id that appears below one that was told already is told all the same, while both are
    young."""
    record, told = Record(), []

    def deliver(change: Change, position: Position) -> Position:
        told.append(change.run_id)
        return position

    record.add(8)
    cursor = tick(record, None, deliver)
    record.add(7)
    tick(record, cursor, deliver)
    assert told == ["run-8", "run-7"]


def test_the_cursor_does_not_grow_with_history() -> None:
    """Ids that are old are passed by for good; an idle tick costs one query a kind."""
    record = Record()
    for number in range(1, 3 * PAGE):
        record.add(number, age=SETTLED)
    cursor = tick(record, None, lambda change, position: position)
    assert Position.from_json(cursor) == Position(passed={"PIPELINE_SUCCESS": 3 * PAGE - 1})
    record.queries = 0
    assert tick(record, cursor, lambda change, position: position) == cursor
    assert record.queries == len(ENDS)


def test_a_tick_ends_in_time_and_the_next_goes_on() -> None:
    """With 10,000 ends waiting a tick stops at its time and the next begins where it stopped."""
    record, told = Record(), []
    for number in range(1, 10_001):
        record.add(number, age=timedelta(days=1))

    def deliver(change: Change, position: Position) -> Position:
        told.append(change.storage_id)
        return position

    cursor: str | None = None
    ticks = 0
    while len(told) < 10_000:
        seconds = iter(number * TICK_SECONDS / 4000 for number in range(20_000))
        before = len(told)
        cursor = tick(record, cursor, deliver, seconds=seconds)
        assert 0 < len(told) - before <= 4000
        ticks += 1
    assert told == list(range(1, 10_001))
    assert ticks == 3


def test_who_cannot_be_told_now_is_told_later() -> None:
    """When the sink is down the tick ends at that run, and the next one begins with it."""
    record, told, down = Record(), [], True

    def deliver(change: Change, position: Position) -> Position:
        if down and change.storage_id == 2:
            raise TryLater("The sink is down. Wait.")
        told.append(change.storage_id)
        return position

    for number in (1, 2, 3):
        record.add(number)
    context: Any = SimpleNamespace(instance=record, cursor=None, log=Log())
    positions = tell(context, ENDS, deliver, clock=lambda: NOW)
    cursor = next(positions).to_json()
    with pytest.raises(TryLater):
        next(positions)
    assert told == [1]
    down = False
    tick(record, cursor, deliver)
    assert told == [1, 2, 3]


def test_a_poisonous_run_does_not_keep_the_others() -> None:
    """A run that breaks the telling is tried in three ticks, then logged and passed by."""
    record, log, told = Record(), Log(), []

    def deliver(change: Change, position: Position) -> Position:
        if change.storage_id == 2:
            raise KeyError("session_key")
        told.append(change.storage_id)
        return position

    for number in (1, 2, 3):
        record.add(number)
    cursor: str | None = None
    for _ in range(2):
        with pytest.raises(Interrupted, match="run-2 is tried again") as broken:
            tick(record, cursor, deliver, log=log)
        cursor = broken.value.cursor
        assert told == [1]
    cursor = tick(record, cursor, deliver, log=log)
    assert told == [1, 3]
    assert log.errors == ["Run run-2 is left out: KeyError: 'session_key'"]
    assert tick(record, cursor, deliver, log=log) == cursor
    assert told == [1, 3]
    assert Position.from_json(cursor).notes == {}


@given(
    numbers=st.lists(st.integers(1, 400), unique=True, max_size=40),
    cuts=st.lists(st.integers(0, 40), max_size=6),
    ages=st.lists(st.sampled_from([timedelta(0), SETTLED * 2]), min_size=40, max_size=40),
)
def test_at_least_once_and_once_unless_interrupted(
    numbers: list[int], cuts: list[int], ages: list[timedelta]
) -> None:
    """Whatever the order of commits, as long as none is late by more than the settling time,
    every change is told exactly once over any number of ticks."""
    record, told = Record(), []

    def deliver(change: Change, position: Position) -> Position:
        told.append(change.storage_id)
        return position

    # Old ones are committed in order, before the young ones.
    old = sorted(n for n, age in zip(numbers, ages, strict=False) if age)
    young = [n for n in numbers if n not in old]
    base = max(old, default=0)
    cursor: str | None = None
    stream = [(n, SETTLED * 2) for n in old] + [(n + base, timedelta(0)) for n in young]
    for place, (number, age) in enumerate(stream):
        record.add(number, age=age)
        if place in cuts:
            cursor = tick(record, cursor, deliver)
    tick(record, cursor, deliver)
    assert sorted(told) == sorted(number for number, _ in stream)


def test_a_cursor_that_is_none_is_an_error() -> None:
    """A cursor that somebody has edited says what to do, and is not taken for a new beginning."""
    with pytest.raises(ValueError, match="Edit cursor"):
        Position.from_json('{"passed": []}')


def test_dagster_answers_like_the_record(instance: dg.DagsterInstance) -> None:
    """Dagster's own record gives the starts and the ends of runs, command-line ones included."""

    @dg.op
    def breaks() -> None:
        raise ValueError("broken")

    @dg.job
    def good() -> None:
        pass

    @dg.job
    def bad() -> None:
        breaks()

    ids = [
        job.execute_in_process(instance=instance, raise_on_error=False).run_id
        for job in (good, bad, good)
    ]
    assert run_ids(list(changes(instance, Position(), STARTS))) == ids
    assert sorted(run_ids(list(changes(instance, Position(), ENDS)))) == sorted(ids)
    kinds = {change.run_id: change.kind for change in changes(instance, Position(), ENDS)}
    assert kinds == {ids[0]: SUCCESS, ids[1]: FAILURE, ids[2]: SUCCESS}
