"""Sensors resume the record of runs at their cursor: nothing is missed or handled twice."""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from f1_bronze.defs.outbound.outbox import TICK_SECONDS, TickResult, TryLater, deliver_changes
from f1_bronze.defs.record.stream import (
    ENDS,
    MOST_HANDLED,
    PAGE,
    SETTLED,
    STARTS,
    Change,
    Kind,
    Position,
    end_of_record,
    read_changes,
)

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
SUCCESS = dg.DagsterEventType.RUN_SUCCESS
FAILURE = dg.DagsterEventType.RUN_FAILURE
Deliver = Callable[[Change, Position], Position]


class Record:
    """A record of run changes with Dagster's methods to read it; counts the queries and rows."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.unfinished: set[str] = set()
        self.queries = self.rows = 0

    def add(self, number: int, *, kind: Kind = SUCCESS, age: timedelta = timedelta(0)) -> None:
        """A run ended."""
        change = Change(storage_id=number, kind=kind, run_id=f"run-{number}", at=NOW - age)
        self.changes.append(change)

    def fetch_run_status_changes(
        self, asked: dg.RunStatusChangeRecordsFilter, limit: int, ascending: bool
    ) -> Any:
        """As DagsterInstance has it."""
        self.queries += 1
        found = sorted(
            (
                change
                for change in self.changes
                if change.kind is asked.event_type
                and change.storage_id > (asked.after_storage_id or 0)
            ),
            key=lambda change: change.storage_id,
            reverse=not ascending,
        )[:limit]
        self.rows += len(found)
        return SimpleNamespace(
            records=[
                SimpleNamespace(
                    storage_id=c.storage_id, run_id=c.run_id, timestamp=c.at.timestamp()
                )
                for c in found
            ]
        )

    def get_runs(self, filters: dg.RunsFilter) -> Any:
        """As DagsterInstance has it."""
        return [
            SimpleNamespace(run_id=run_id, is_finished=run_id not in self.unfinished)
            for run_id in filters.run_ids or ()
        ]


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
    deliver: Deliver,
    *,
    now: datetime = NOW,
    seconds: Iterator[float] | None = None,
    log: Log | None = None,
) -> TickResult:
    """One tick of a sensor."""
    context: Any = SimpleNamespace(instance=record, cursor=cursor, log=log or Log())
    monotonic = (lambda: next(seconds)) if seconds else (lambda: 0.0)
    return deliver_changes(context, ENDS, deliver, clock=lambda: now, monotonic=monotonic)


class Sensor:
    """Ticks one after the other, the cursor kept as text; `delivered` has the ids in order."""

    def __init__(self, record: Record, cursor: str | None = None) -> None:
        self.record, self.cursor = record, cursor
        self.delivered: list[int] = []

    def deliver(self, change: Change, position: Position) -> Position:
        """Take it."""
        self.delivered.append(change.storage_id)
        return position

    def tick(self, **how: Any) -> TickResult:
        """One tick."""
        result = tick(self.record, self.cursor, how.pop("deliver", self.deliver), **how)
        self.cursor = result.position.to_json()
        return result


def test_what_is_new_is_delivered_once() -> None:
    """A second tick delivers only what came after the first, of every kind of end."""
    record = Record()
    sensor = Sensor(record)
    record.add(1)
    record.add(2, kind=FAILURE)
    sensor.tick()
    record.add(3)
    sensor.tick()
    sensor.tick()
    assert sensor.delivered == [1, 2, 3]


def test_in_the_order_of_time_over_all_kinds() -> None:
    """After an outage a failure comes before the success that repaired it, and the next failure
    after that, page by page."""
    record = Record()
    for number in range(1, 2 * PAGE + 50):
        record.add(number, kind=FAILURE if number % 3 else SUCCESS, age=timedelta(hours=1))
    sensor = Sensor(record)
    sensor.tick()
    assert sensor.delivered == list(range(1, 2 * PAGE + 50))


def test_a_late_commit_is_not_missed() -> None:
    """An id that appears below one that was handled is delivered, while both are young."""
    record = Record()
    sensor = Sensor(record)
    record.add(8)
    sensor.tick()
    record.add(7)
    sensor.tick()
    assert sensor.delivered == [8, 7]


@pytest.mark.slow
def test_a_tick_costs_the_same_whatever_the_history() -> None:
    """In normal work the position follows: after 100,000 runs that ended while the sensor ticked
    each minute, a tick reads the last minutes alone and the cursor is short."""
    record, sizes = Record(), []
    sensor = Sensor(record)
    now, number = NOW, 0
    for _ in range(1_000):
        for _ in range(100):
            number += 1
            change = Change(storage_id=number * 37, kind=SUCCESS, run_id=f"run-{number}", at=now)
            record.changes.append(change)
        # The record is long; what a query gives back is what counts, so the past is cut here.
        record.changes = record.changes[-2_000:]
        now += timedelta(minutes=1)
        record.queries = record.rows = 0
        sensor.tick(now=now)
        sizes.append(len(sensor.cursor or ""))
        assert record.rows <= 700
        assert record.queries <= 8
    assert sensor.delivered == [37 * n for n in range(1, 100_001)]
    assert max(sizes) < 2_000


def test_a_quiet_record_is_passed() -> None:
    """A minute of many runs is passed once it is old, and an idle tick costs a query a kind."""
    record = Record()
    sensor = Sensor(record)
    for number in range(1, 50):
        record.add(number)
    sensor.tick()
    sensor.tick(now=NOW + SETTLED)
    assert Position.from_json(sensor.cursor) == Position(passed={"PIPELINE_SUCCESS": 49})
    record.queries = record.rows = 0
    sensor.tick(now=NOW + SETTLED)
    assert (record.queries, record.rows) == (len(ENDS), 0)
    assert len(sensor.delivered) == 49


def test_a_cursor_of_an_older_release() -> None:
    """A cursor of 5863273, which remembered every id, is taken over: nothing is sent again, what
    is new is, and it is short from then on."""
    record = Record()
    for number in range(1, 30_001):
        record.add(number, age=timedelta(hours=2))
    record.add(30_001)
    handled = {"PIPELINE_SUCCESS": list(range(1, 30_001))}
    old = json.dumps({"passed": {}, "handled": handled, "notes": {"gauge_hour": "2026-11-23T05"}})
    sensor = Sensor(record, old)
    sensor.tick()
    assert sensor.delivered == [30_001]
    assert record.rows <= MOST_HANDLED + 1
    assert len(sensor.cursor or "") < 300
    assert Position.from_json(sensor.cursor).notes == {"gauge_hour": "2026-11-23T05"}


def test_a_tick_ends_in_time_and_the_next_resumes() -> None:
    """With 10,000 ends waiting a tick stops at its time and the next begins where it stopped."""
    record = Record()
    for number in range(1, 10_001):
        record.add(number, age=timedelta(days=1))
    sensor, ticks = Sensor(record), 0
    while len(sensor.delivered) < 10_000:
        before = len(sensor.delivered)
        sensor.tick(seconds=iter(number * TICK_SECONDS / 4000 for number in range(20_000)))
        assert 0 < len(sensor.delivered) - before <= 4000
        ticks += 1
    assert sensor.delivered == list(range(1, 10_001))
    assert ticks == 3


def test_an_outage_of_the_sink() -> None:
    """When the sink is down the tick ends at that run with its notes; the next begins there."""
    record = Record()
    for number in (1, 2, 3):
        record.add(number)
    sensor = Sensor(record)

    def down(change: Change, position: Position) -> Position:
        if change.storage_id == 2:
            raise TryLater("The sink is down. Wait.", position.with_notes(half=["a"]))
        return sensor.deliver(change, position)

    result = sensor.tick(deliver=down)
    assert (result.runs, result.waiting) == (1, "The sink is down. Wait.")
    assert result.position.notes == {"half": ["a"]}
    sensor.tick()
    assert sensor.delivered == [1, 2, 3]


def test_an_end_ahead_of_its_status() -> None:
    """A run whose end is on record before its status waits for the next tick, and no other does."""
    record = Record()
    for number in (1, 2, 3):
        record.add(number)
    record.unfinished = {"run-2"}
    sensor = Sensor(record)
    assert sensor.tick().waiting == ""
    assert sensor.delivered == [1, 3]
    sensor.tick(now=NOW + timedelta(minutes=1))
    record.unfinished = set()
    sensor.tick(now=NOW + timedelta(minutes=2))
    assert sensor.delivered == [1, 3, 2]
    sensor.tick(now=NOW + SETTLED)
    assert sensor.delivered == [1, 3, 2]


def test_a_poisonous_run_does_not_keep_the_others() -> None:
    """A run whose delivery breaks is tried in three ticks, then logged and left out."""
    record, log = Record(), Log()
    for number in (1, 2, 3):
        record.add(number)
    sensor = Sensor(record)

    def deliver(change: Change, position: Position) -> Position:
        if change.storage_id == 2:
            raise KeyError("session_key")
        return sensor.deliver(change, position)

    for _ in range(2):
        assert "run-2 is tried again" in sensor.tick(deliver=deliver, log=log).waiting
        assert sensor.delivered == [1]
    sensor.tick(deliver=deliver, log=log)
    assert sensor.delivered == [1, 3]
    assert log.errors == ["Run run-2 is left out: KeyError: 'session_key'"]
    sensor.tick(deliver=deliver, log=log)
    assert sensor.delivered == [1, 3]
    assert Position.from_json(sensor.cursor).notes == {}


@given(
    numbers=st.lists(st.integers(1, 400), unique=True, max_size=40),
    cuts=st.lists(st.integers(0, 40), max_size=6),
    ages=st.lists(st.sampled_from([timedelta(0), SETTLED * 2]), min_size=40, max_size=40),
)
def test_once_unless_interrupted(
    numbers: list[int], cuts: list[int], ages: list[timedelta]
) -> None:
    """Whatever the order of commits, as long as none is late by more than the settling time,
    every change is delivered exactly once over any number of ticks."""
    record = Record()
    sensor = Sensor(record)
    # Old ones are committed in order, before the young ones.
    old = sorted(n for n, age in zip(numbers, ages, strict=False) if age)
    young = [n for n in numbers if n not in old]
    base = max(old, default=0)
    stream = [(n, SETTLED * 2) for n in old] + [(n + base, timedelta(0)) for n in young]
    for place, (number, age) in enumerate(stream):
        record.add(number, age=age)
        if place in cuts:
            sensor.tick()
    sensor.tick()
    assert sorted(sensor.delivered) == sorted(number for number, _ in stream)


def test_a_damaged_cursor_is_an_error() -> None:
    """A cursor that somebody has edited says what to do, and is not taken for a new beginning."""
    with pytest.raises(ValueError, match="Edit cursor"):
        Position.from_json('{"passed": []}')


def run_ids(found: Sequence[Change]) -> list[str]:
    """The runs of these changes."""
    return [change.run_id for change in found]


def test_dagster_answers_like_the_record(instance: dg.DagsterInstance) -> None:
    """Dagster's own record gives the starts and the ends of runs in the order of time, with the
    runs themselves, command-line ones included."""

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
    assert run_ids(list(read_changes(instance, Position(), STARTS))) == ids
    ends = list(read_changes(instance, Position(), ENDS))
    assert [(end.run_id, end.kind) for end in ends] == list(
        zip(ids, (SUCCESS, FAILURE, SUCCESS), strict=True)
    )
    assert [end.run.job_name for end in ends if end.run] == ["good", "bad", "good"]
    assert list(read_changes(instance, end_of_record(instance, ENDS), ENDS)) == []
