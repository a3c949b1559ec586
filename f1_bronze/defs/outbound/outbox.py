"""Hands the run starts and ends that are new to a sensor's delivery, at least once each."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from f1_bronze.defs.record.runs import GroupOf
from f1_bronze.defs.record.stream import (
    SETTLED,
    Change,
    Kind,
    Position,
    latest_ended,
    read_changes,
    to_reactions,
)

TICK_SECONDS = 40.0
"""How long a tick goes on starting deliveries; Dagster ends it after 60."""

MOST_TRIES = 3
"""In how many ticks a run is tried whose delivery breaks."""

MOST_REACTIONS = 10

_TRIES = "tries"


class TryLater(Exception):
    """The sink cannot take a run now: the sensor stops there and resumes at its next tick.

    Attributes:
        position: with notes on what the sink has taken already; None where there is none.
    """

    def __init__(self, message: str, position: Position | None = None) -> None:
        super().__init__(message)
        self.position = position


@dataclass(frozen=True, kw_only=True)
class TickResult:
    """What a tick has done.

    Attributes:
        position: where the next tick resumes.
        runs: how many changes were delivered.
        waiting: why the others wait; empty when there are none.
    """

    position: Position
    runs: int
    waiting: str = ""


def deliver_changes(
    context: dg.SensorEvaluationContext,
    kinds: tuple[Kind, ...],
    deliver: Callable[[Change, Position], Position],
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    monotonic: Callable[[], float] = time.monotonic,
) -> TickResult:
    """Deliver what is new, one run after the other, in the order of time.

    `deliver` returns the position with its notes, and raises `TryLater` when the sink cannot take
    a run now. A run whose delivery breaks is tried again, since a database may have failed for a
    moment; after three ticks it is logged as an error and left out, because it must not keep the
    others. A run whose end is on record before its status waits, and keeps nobody either.
    """
    deadline = monotonic() + TICK_SECONDS
    position = Position.from_json(context.cursor)
    runs, held = 0, set[Kind]()
    for change in read_changes(context.instance, position, kinds):
        now = clock()
        if position.is_handled(change):
            position = position.after(change, now=now, is_held=change.kind in held)
            continue
        if monotonic() >= deadline:
            break
        if change.is_ahead_of_status and now - change.at < SETTLED:
            held.add(change.kind)
            continue
        try:
            position = deliver(change, position)
        except TryLater as error:
            return TickResult(position=error.position or position, runs=runs, waiting=str(error))
        except Exception as error:  # noqa: BLE001  logged, and one run must not keep the others
            what = f"{type(error).__name__}: {error}"
            tries = position.notes.get(_TRIES, {}).get(change.run_id, 0) + 1
            if tries < MOST_TRIES:
                position = position.with_notes(tries={change.run_id: tries})
                waiting = f"Run {change.run_id} is tried again ({what})."
                return TickResult(position=position, runs=runs, waiting=waiting)
            context.log.error("Run %s is left out: %s", change.run_id, what)
        position = position.with_notes(tries=None)
        position = position.after(change, now=now, is_held=change.kind in held)
        runs += 1
    return TickResult(position=position, runs=runs)


def finish_tick(
    context: dg.SensorEvaluationContext,
    said: str,
    acted_on: Sequence[dg.DagsterRun],
    *,
    has_acted: bool = False,
) -> Any:
    """What a sensor returns: a success that acted on these runs, or a skip with the reason.

    Dagster knows no other success of a sensor that starts no runs. It notes the sensor in the log
    of each run, so these are at most ten. A tick that has acted on no run in particular
    (`has_acted`: a gauge, overdue sessions) acted on what the latest run has left.
    """
    if not acted_on and has_acted:
        acted_on = latest_ended(context.instance)
    if not acted_on:
        return dg.SkipReason(said)
    context.log.info(said)
    runs = {run.run_id: run for run in acted_on}  # a run that started and ended is there twice
    return to_reactions(list(runs.values())[:MOST_REACTIONS])


def group_finder(context: dg.SensorEvaluationContext) -> GroupOf:
    """A function from the key of an asset to its group in this code location."""
    repository = context.repository_def

    def find_group(key: dg.AssetKey) -> str | None:
        if repository is None or not repository.asset_graph.has(key):
            return None
        return repository.asset_graph.get(key).group_name

    return find_group
