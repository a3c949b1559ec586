"""The stream of runs that begin and end, read on from where a sensor stopped.

Belongs here: the cursor, and reading Dagster's record of run changes at least once each. Stays out:
what is told of a run (telling.py). Why not Dagster's own run-status sensors: they move
on when a delivery failed, and do not see runs of the command (docs/adr/0012).
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
from dagster._core.event_api import RunStatusChangeEventType  # has no public name

Kind = RunStatusChangeEventType

SETTLED = timedelta(minutes=5)

"""Where several processes write to one database, a lower id can be committed after a higher one:
ids are passed by for good once they are this old."""

PAGE = 200

ENDS: tuple[Kind, ...] = (
    dg.DagsterEventType.RUN_SUCCESS,
    dg.DagsterEventType.RUN_FAILURE,
    dg.DagsterEventType.RUN_CANCELED,
)

STARTS: tuple[Kind, ...] = (dg.DagsterEventType.RUN_START,)


@dataclass(frozen=True, kw_only=True)
class Change:
    """A run that began or ended."""

    storage_id: int
    kind: Kind
    run_id: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Position:
    """How far a sensor has got.

    Attributes:
        passed: by kind of change the highest id below which everything was handled.
        handled: by kind the ids above it that were handled too.
        notes: what else the sensor remembers, as plain data.
    """

    passed: Mapping[str, int] = field(default_factory=dict)
    handled: Mapping[str, frozenset[int]] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """The cursor's text."""
        handled = {kind: sorted(ids) for kind, ids in self.handled.items() if ids}
        return json.dumps({"passed": self.passed, "handled": handled, "notes": self.notes})

    @classmethod
    def from_json(cls, text: str | None) -> "Position":
        """Read back; the beginning of the record where there is no cursor.

        `ValueError` for a text that is none: it was edited by hand.
        """
        if not text:
            return cls()
        try:
            data = json.loads(text)
            return cls(
                passed={str(kind): int(number) for kind, number in data["passed"].items()},
                handled={kind: frozenset(map(int, ids)) for kind, ids in data["handled"].items()},
                notes=dict(data["notes"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"The cursor is no position in the record of runs: {text[:80]!r}. Clear it on the "
                "sensor's page (Edit cursor): everything is told again, which repeats no file and "
                "no lineage event, but may count metrics of the last two weeks twice."
            ) from error

    def after(self, change: Change, *, now: datetime) -> "Position":
        """The position once this change was handled, which is told in the order of ids."""
        kind = change.kind.value
        handled = self.handled.get(kind, frozenset())
        if now - change.at >= SETTLED:
            young = frozenset(one for one in handled if one > change.storage_id)
            return replace(
                self,
                passed={**self.passed, kind: change.storage_id},
                handled={**self.handled, kind: young},
            )
        return replace(self, handled={**self.handled, kind: handled | {change.storage_id}})

    def noting(self, **notes: Any) -> "Position":
        """The position with these notes changed; None takes one away."""
        kept = {name: value for name, value in {**self.notes, **notes}.items() if value is not None}
        return replace(self, notes=kept)

    def is_handled(self, change: Change) -> bool:
        """Whether the sensor has told of it already."""
        return change.storage_id in self.handled.get(change.kind.value, ())


def changes(
    instance: dg.DagsterInstance, position: Position, kinds: Sequence[Kind]
) -> Iterator[Change]:
    """What has not been handled yet, kind by kind, each in the order of ids; read page by page.

    The cost of nothing new is one query a kind, however long the record is.
    """
    for kind in kinds:
        after = position.passed.get(kind.value, 0)
        while True:
            records = instance.fetch_run_status_changes(
                dg.RunStatusChangeRecordsFilter(event_type=kind, after_storage_id=after),
                limit=PAGE,
                ascending=True,
            ).records
            for record in records:
                change = Change(
                    storage_id=record.storage_id,
                    kind=kind,
                    run_id=record.run_id,
                    at=datetime.fromtimestamp(record.timestamp, UTC),
                )
                if not position.is_handled(change):
                    yield change
            if len(records) < PAGE:
                break
            after = records[-1].storage_id


TICK_SECONDS = 40.0

"""How long a tick goes on telling of runs; Dagster ends it after 60."""


MOST_TRIES = 3

"""In how many ticks a run is tried that breaks the telling."""

_TRIES = "tries"


class TryLater(Exception):
    """A run could not be told of now: the sensor stops there and goes on at its next tick."""

    def __init__(self, message: str, position: Position | None = None) -> None:
        super().__init__(message)
        self.position = position


def tell(
    context: dg.SensorEvaluationContext,
    kinds: tuple[Kind, ...],
    deliver: Callable[[Change, Position], Position],
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    monotonic: Callable[[], float] = time.monotonic,
) -> Iterator[Position]:
    """Deliver what is new, one run at a time; the position after each.

    `deliver` gives back the position with its notes and raises `TryLater` when nobody can be told
    now. A run that cannot be told is tried again, since a database may have failed for a moment;
    after three ticks it is logged as an error and passed by: it must not keep the others.
    """
    deadline = monotonic() + TICK_SECONDS
    position = Position.from_json(context.cursor)
    for change in changes(context.instance, position, kinds):
        if monotonic() >= deadline:
            return
        try:
            position = deliver(change, position)
        except TryLater:
            raise
        except Exception as error:
            what = f"{type(error).__name__}: {error}"
            tries = position.notes.get(_TRIES, {}).get(change.run_id, 0) + 1
            if tries < MOST_TRIES:
                later = position.noting(tries={change.run_id: tries})
                raise TryLater(f"Run {change.run_id} is tried again ({what}).", later) from error
            context.log.error("Run %s is left out: %s", change.run_id, what)
        position = position.noting(tries=None).after(change, now=clock())
        yield position


def keep_position(context: dg.SensorEvaluationContext, error: Exception) -> None:
    """Write the cursor to where an interrupted telling is to go on, if it says so."""
    if isinstance(error, TryLater) and error.position is not None:
        context.update_cursor(error.position.to_json())
