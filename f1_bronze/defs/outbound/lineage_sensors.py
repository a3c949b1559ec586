"""The sensors that tell lineage: into the lake, and on to a consumer where there is one.

Belongs here: which runs are told of, one cursor for each of the two. Stays out: what the events
say, how they are written and sent (telemetry/lineage/), reading runs (run_records.py).
"""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

import dagster as dg

from f1_bronze.defs.outbound.metrics_sensor import group_finder
from f1_bronze.defs.record.runs import GroupOf, read_run_result, read_run_start
from f1_bronze.defs.record.stream import (
    ENDS,
    STARTS,
    Change,
    Position,
    TryLater,
    keep_position,
    tell,
)
from f1_bronze.defs.resources import Deployment
from f1_bronze.lake.errors import LakeUnavailable

if TYPE_CHECKING:
    from f1_bronze.telemetry.lineage.events import LineageEvent


_DAYS, _CONSUMER = "days", "consumer"

_KINDS = (*STARTS, *ENDS)


def events_of(
    instance: dg.DagsterInstance, change: Change, group_of: GroupOf
) -> "Sequence[LineageEvent]":
    """The events of a run that began or ended; none where it has been deleted since."""
    # No tick, no use: the code location loads without them.
    from f1_bronze.telemetry.lineage.events import end_events, start_events

    run = instance.get_run_by_id(change.run_id)
    if run is None:
        return ()
    if change.kind in STARTS:
        return start_events(read_run_start(instance, run))
    return end_events(read_run_result(instance, run, group_of=group_of))


@dg.sensor(
    name="openlineage_events",
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=60,
    description=(
        "Writes the OpenLineage events of every run that has begun or ended into the lake, and "
        "the summary of each day that got some."
    ),
)
def openlineage_events(
    context: dg.SensorEvaluationContext, deployment: dg.ResourceParam[Deployment]
) -> dg.SkipReason:
    """Events first, then the summaries, cursor last; says in the tick what was written."""
    group_of = group_finder(context)
    written = 0

    def deliver(change: Change, position: Position) -> Position:
        nonlocal written
        events = events_of(context.instance, change, group_of)
        try:
            days = deployment.lineage_events.write(events)
        except LakeUnavailable as error:
            raise TryLater(str(error)) from error
        written += len(events)
        return noting_days(position, {*days_in(position), *days})

    try:
        for position in tell(context, _KINDS, deliver):
            context.update_cursor(position.to_json())
        position = Position.from_json(context.cursor)
        if days := days_in(position):
            deployment.lineage_summaries.refresh(days)
            context.update_cursor(noting_days(position, set()).to_json())
    except (TryLater, LakeUnavailable) as error:
        keep_position(context, error)
        return dg.SkipReason(f"{written} lineage events written, the rest waits: {error}")
    return dg.SkipReason(f"{written} lineage events written.")


def days_in(position: Position) -> set[date]:
    """The days that got events and whose summary is not written yet."""
    return {date.fromisoformat(day) for day in position.notes.get(_DAYS, ())}


def noting_days(position: Position, days: set[date]) -> Position:
    """The position with these days noted."""
    return position.noting(days=sorted(day.isoformat() for day in days) or None)


@dg.sensor(
    name="openlineage_consumer",
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=60,
    description=(
        "Sends the same events to the OpenLineage consumer of F1_BRONZE_LINEAGE_URL, in order, for "
        "at most 2 s a tick. While it is down nothing is lost: the sensor goes on where it stopped."
    ),
)
def openlineage_consumer(
    context: dg.SensorEvaluationContext, deployment: dg.ResourceParam[Deployment]
) -> dg.SkipReason:
    """One run after the other; the position within a run is kept in the cursor."""
    from f1_bronze.telemetry.lineage.delivery import Position as Delivered

    delivery = deployment.lineage_delivery()
    if delivery is None:
        return dg.SkipReason("No consumer is set (F1_BRONZE_LINEAGE_URL): the lake has all events.")
    group_of = group_finder(context)
    taken = 0

    def deliver(change: Change, position: Position) -> Position:
        nonlocal taken
        events = events_of(context.instance, change, group_of)
        try:
            got = delivery.deliver(events, Delivered.of_json(position.notes.get(_CONSUMER, {})))
        except LakeUnavailable as error:
            raise TryLater(str(error)) from error
        taken += got.taken
        after = position.noting(consumer=got.position.to_json())
        if not got.is_done:
            raise TryLater(str(got.waiting), after)
        return after

    try:
        for position in tell(context, _KINDS, deliver):
            context.update_cursor(position.to_json())
    except TryLater as error:
        keep_position(context, error)
        return dg.SkipReason(f"{taken} events taken, the rest waits: {error}")
    return dg.SkipReason(f"{taken} events taken.")
