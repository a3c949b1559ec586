"""The sensors that emit lineage: into the lake, and on to a consumer where there is one."""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import dagster as dg

from f1_bronze.defs.outbound.outbox import TryLater, deliver_changes, finish_tick, group_finder
from f1_bronze.defs.record.runs import GroupOf, read_run_result, read_run_start
from f1_bronze.defs.record.stream import ENDS, STARTS, Change, Position
from f1_bronze.defs.resources import Deployment
from f1_bronze.lake.errors import LakeUnavailable

if TYPE_CHECKING:
    from f1_bronze.telemetry.lineage.events import LineageEvent


_DAYS, _CONSUMER = "days", "consumer"

_KINDS = (*STARTS, *ENDS)


def change_events(
    instance: dg.DagsterInstance, deployment: Deployment, change: Change, group_of: GroupOf
) -> "Sequence[LineageEvent]":
    """The events of a run that started or ended; none where it has been deleted since."""
    # Imported by a tick, so that the code location loads without the OpenLineage client.
    from f1_bronze.telemetry.lineage.events import end_events, start_events

    if change.run is None:
        return ()
    if change.kind in STARTS:
        return start_events(read_run_start(instance, change.run))
    result = read_run_result(instance, change.run, group_of=group_of)
    return end_events(result, glue_database=deployment.glue_database)


@dg.sensor(
    name="openlineage_events",
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=60,
    description=(
        "Writes the OpenLineage events of every run that has started or ended into the lake, and "
        "the summary of each day that got some."
    ),
)
def openlineage_events(
    context: dg.SensorEvaluationContext, deployment: dg.ResourceParam[Deployment]
) -> Any:
    """Events first, then the summaries, cursor last; the tick says what was written."""
    find_group = group_finder(context)
    written = 0
    acted_on: list[dg.DagsterRun] = []

    def deliver(change: Change, position: Position) -> Position:
        nonlocal written
        events = change_events(context.instance, deployment, change, find_group)
        try:
            days = deployment.lineage_events.write(events)
        except LakeUnavailable as error:
            raise TryLater(str(error)) from error
        written += len(events)
        if events and change.run is not None:
            acted_on.append(change.run)
        pending = {*position.notes.get(_DAYS, ()), *(day.isoformat() for day in days)}
        return position.with_notes(days=sorted(pending) or None)

    delivered = deliver_changes(context, _KINDS, deliver)
    position, waiting = delivered.position, delivered.waiting
    try:
        deployment.lineage_summaries.refresh(
            date.fromisoformat(day) for day in position.notes.get(_DAYS, ())
        )
        position = position.with_notes(days=None)
    except LakeUnavailable as error:
        waiting = waiting or str(error)
    context.update_cursor(position.to_json())
    said = f"{written} lineage events written"
    said = f"{said}; the rest waits: {waiting}" if waiting else f"{said}."
    return finish_tick(context, said, acted_on)


@dg.sensor(
    name="openlineage_consumer",
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=60,
    description=(
        "Sends the same events to the OpenLineage consumer of F1_BRONZE_LINEAGE_URL, in order, for "
        "a few seconds a tick. While it is down nothing is lost: the sensor resumes where it "
        "stopped."
    ),
)
def openlineage_consumer(
    context: dg.SensorEvaluationContext, deployment: dg.ResourceParam[Deployment]
) -> Any:
    """One run after the other; the progress within a run is kept in the cursor."""
    from f1_bronze.telemetry.lineage.delivery import ConsumerProgress

    delivery = deployment.lineage_delivery()
    if delivery is None:
        return dg.SkipReason("No consumer is set (F1_BRONZE_LINEAGE_URL): the lake has all events.")
    find_group = group_finder(context)
    taken = 0
    acted_on: list[dg.DagsterRun] = []

    def deliver(change: Change, position: Position) -> Position:
        nonlocal taken
        events = change_events(context.instance, deployment, change, find_group)
        note = position.notes.get(_CONSUMER, {})
        try:
            sent = delivery.deliver(events, ConsumerProgress.from_json(note, change.run_id))
        except LakeUnavailable as error:
            raise TryLater(str(error)) from error
        taken += sent.taken
        if sent.taken and change.run is not None:
            acted_on.append(change.run)
        note = sent.progress.add_to(note, change.run_id, is_done=sent.is_done)
        position = position.with_notes(consumer=note)
        if sent.waiting is not None:
            raise TryLater(sent.waiting, position)
        return position

    delivered = deliver_changes(context, _KINDS, deliver)
    context.update_cursor(delivered.position.to_json())
    said, waiting = f"{taken} events taken", delivered.waiting
    said = f"{said}; the rest waits: {waiting}" if waiting else f"{said}."
    return finish_tick(context, said, acted_on)
