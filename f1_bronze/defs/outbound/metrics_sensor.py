"""The sensor `cloudwatch_metrics`: metrics of every run that has ended, and the hourly gauge."""

from datetime import UTC, datetime

import dagster as dg

from f1_bronze.datasets.sessions import SESSIONS
from f1_bronze.defs.outbound.outbox import TryLater, deliver_changes, group_finder
from f1_bronze.defs.partitions import read_registered
from f1_bronze.defs.record.calendar_memory import remembered_ends
from f1_bronze.defs.record.latest import read_latest
from f1_bronze.defs.record.runs import planned_datasets, read_run_result
from f1_bronze.defs.record.stream import ENDS, Change, Position
from f1_bronze.defs.resources import Deployment
from f1_bronze.telemetry.metrics.measurement import hours_since_last_success, run_metrics
from f1_bronze.telemetry.outbound import SinkUnavailable

_SENT, _HOUR, _SUCCESS = "sent", "gauge_hour", "last_success"

_SESSIONS_READ = 60

_RUNS_READ = 50


@dg.sensor(
    name="cloudwatch_metrics",
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=60,
    description=(
        "Sends the metrics of every run that has ended, whoever started it, and once an hour the "
        "hours since the last success: to CloudWatch, or as JSON lines into the lake "
        "(F1_BRONZE_METRICS). An outage delays them and loses none."
    ),
)
def cloudwatch_metrics(
    context: dg.SensorEvaluationContext, deployment: dg.ResourceParam[Deployment]
) -> dg.SkipReason:
    """Metrics first, cursor last; the tick says what was sent."""
    find_group = group_finder(context)

    def deliver(change: Change, position: Position) -> Position:
        if change.run is None:  # deleted since
            return position
        result = read_run_result(context.instance, change.run, group_of=find_group)
        metrics = run_metrics(result, environment=deployment.environment)
        before = position.notes.get(_SENT, {}).get(change.run_id, ())
        try:
            deployment.metrics.send(metrics, sent_before=before)
        except SinkUnavailable as error:
            sent = {change.run_id: sorted({*before, *error.sent})}
            raise TryLater(str(error), position.with_notes(sent=sent)) from error
        position = position.with_notes(sent=None)
        if planned_datasets(change.run) and change.kind is dg.DagsterEventType.RUN_SUCCESS:
            position = position.with_notes(last_success=change.at.isoformat())
        return position

    delivered = deliver_changes(context, ENDS, deliver)
    position, waiting = delivered.position, delivered.waiting
    if not waiting:
        try:
            position = _send_gauge(context, deployment, position)
        except SinkUnavailable as error:
            waiting = str(error)
    context.update_cursor(position.to_json())
    sent = f"Metrics of {delivered.runs} runs sent"
    return dg.SkipReason(f"{sent}; the rest waits: {waiting}" if waiting else f"{sent}.")


def _send_gauge(
    context: dg.SensorEvaluationContext, deployment: Deployment, position: Position
) -> Position:
    """Send the hours since the last success, once an hour."""
    now = datetime.now(UTC)
    hour = f"{now:%Y-%m-%dT%H}"
    if position.notes.get(_HOUR) == hour:
        return position
    success = position.notes.get(_SUCCESS)
    gauge = hours_since_last_success(
        datetime.fromisoformat(success) if success else last_success(context.instance),
        now,
        environment=deployment.environment,
        session_ends=session_ends(context.instance),
    )
    deployment.metrics.send([gauge])
    return position.with_notes(gauge_hour=hour)


def last_success(instance: dg.DagsterInstance) -> datetime | None:
    """The end of the latest run of bronze assets that succeeded."""
    records = instance.get_run_records(
        dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS]), limit=_RUNS_READ
    )
    for record in records:
        if planned_datasets(record.dagster_run) and record.end_time:
            return datetime.fromtimestamp(record.end_time, UTC)
    return None


def session_ends(instance: dg.DagsterInstance) -> list[datetime]:
    """When the latest registered sessions ended: by the calendar, and by what was stored.

    The calendar counts too, or a pipeline that stores nothing would never look old.
    """
    keys = set(read_registered(instance).session_keys[-_SESSIONS_READ:])
    ends = {key: end for key, end in remembered_ends(instance).items() if key in keys}
    for key, recorded in read_latest(instance, SESSIONS, keys).items():
        if recorded.session_end is not None:
            ends.setdefault(key, recorded.session_end)
    return list(ends.values())
