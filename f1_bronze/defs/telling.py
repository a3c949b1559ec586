"""How a sensor tells the outside of runs: reading on, within a tick's time.

Belongs here: delivering first and moving on last, and what becomes of a run that cannot be told.
Stays out: what is told (metric_sensor.py, lineage_sensors.py), the cursor (run_changes.py).
"""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import dagster as dg

from f1_bronze.defs.run_changes import Change, Kind, Position, changes

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
