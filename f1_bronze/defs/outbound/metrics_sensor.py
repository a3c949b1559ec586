"""The sensor `cloudwatch_metrics`: metrics of every run that has ended, and the hourly gauge."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg

from f1_bronze.datasets.sessions import SESSIONS
from f1_bronze.defs.outbound.outbox import TryLater, deliver_changes, finish_tick, group_finder
from f1_bronze.defs.partitions import DATASET_GROUPS, read_registered
from f1_bronze.defs.record.calendar_memory import remembered_ends
from f1_bronze.defs.record.check_results import read_checks
from f1_bronze.defs.record.latest import read_latest
from f1_bronze.defs.record.runs import planned_datasets, read_run_result
from f1_bronze.defs.record.stream import ENDS, Change, Position
from f1_bronze.defs.record.tags import METRICS_SENT_TAG
from f1_bronze.defs.resources import Deployment
from f1_bronze.telemetry.metrics.measurement import gauge, hours_since_last_success, run_metrics
from f1_bronze.telemetry.metrics.metric_kinds import UNUSABLE_PARTITIONS
from f1_bronze.telemetry.outbound import SinkUnavailable

_SENT, _HOUR, _SUCCESS = "sent", "gauge_hour", "last_success"

_SESSIONS_READ = 60

_RUNS_READ = 50

_ASSET_JOB = "__ASSET_JOB"  # Dagster's name for runs from the catalog and backfills


@dg.sensor(
    name="cloudwatch_metrics",
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=60,
    description=(
        "Sends the metrics of every run that has ended, whoever started it, and once an hour the "
        "hours since the last success and the partitions that must not be used: to CloudWatch, or "
        "as JSON lines into the lake (F1_BRONZE_METRICS). An outage delays them and loses none."
    ),
)
def cloudwatch_metrics(
    context: dg.SensorEvaluationContext, deployment: dg.ResourceParam[Deployment]
) -> Any:
    """Metrics first, cursor last; the tick says what was sent."""
    find_group = group_finder(context)
    acted_on: list[dg.DagsterRun] = []

    def deliver(change: Change, position: Position) -> Position:
        run = change.run
        if run is None:  # deleted since
            return position
        if METRICS_SENT_TAG not in run.tags:
            result = read_run_result(context.instance, run, group_of=find_group)
            metrics = run_metrics(result, environment=deployment.environment)
            before = position.notes.get(_SENT, {}).get(run.run_id, ())
            try:
                deployment.metrics.send(metrics, sent_before=before)
            except SinkUnavailable as error:
                sent = {run.run_id: sorted({*before, *error.sent})}
                raise TryLater(str(error), position.with_notes(sent=sent)) from error
            position = position.with_notes(sent=None)
            acted_on.extend([run] if metrics else [])
        if planned_datasets(run) and change.kind is dg.DagsterEventType.RUN_SUCCESS:
            position = position.with_notes(last_success=change.at.isoformat())
        return position

    delivered = deliver_changes(context, ENDS, deliver)
    position, waiting = delivered.position, delivered.waiting
    hour = position.notes.get(_HOUR)
    if not waiting:
        try:
            position = _send_gauges(context, deployment, position)
        except SinkUnavailable as error:
            waiting = str(error)
    context.update_cursor(position.to_json())
    has_gauges = position.notes.get(_HOUR) != hour
    gauges = " and the hourly gauges" if has_gauges and not acted_on else ""
    said = f"Metrics of {len(acted_on)} runs{gauges} sent"
    said = f"{said}; the rest waits: {waiting}" if waiting else f"{said}."
    return finish_tick(context, said, acted_on, has_acted=has_gauges)


def _send_gauges(
    context: dg.SensorEvaluationContext, deployment: Deployment, position: Position
) -> Position:
    """Send the hours since the last success and the unusable partitions, once an hour."""
    now = deployment.now()
    hour = f"{now:%Y-%m-%dT%H}"
    if position.notes.get(_HOUR) == hour:
        return position
    success = position.notes.get(_SUCCESS)
    hours = hours_since_last_success(
        datetime.fromisoformat(success) if success else last_success(context.instance),
        now,
        environment=deployment.environment,
        session_ends=session_ends(context.instance),
    )
    unusable = gauge(
        UNUSABLE_PARTITIONS,
        count_unusable(context.instance),
        now,
        environment=deployment.environment,
    )
    deployment.metrics.send([hours, unusable])
    return position.with_notes(gauge_hour=hour)


def count_unusable(instance: dg.DagsterInstance) -> int:
    """How many dataset partitions break a rule of severity ERROR, by the last checks of each."""
    checks = read_checks(instance, read_registered(instance).session_keys, with_rules=False)
    return sum(any(one.severity == "ERROR" for one in states) for states in checks.values())


def last_success(instance: dg.DagsterInstance) -> datetime | None:
    """The end of the latest run of bronze assets that succeeded, whatever else the instance runs.

    The sensor remembers it; this is for its first tick.
    """
    ends = [
        record.end_time
        for job in (*(group.job for group in DATASET_GROUPS), _ASSET_JOB)
        for record in instance.get_run_records(
            dg.RunsFilter(job_name=job, statuses=[dg.DagsterRunStatus.SUCCESS]), limit=_RUNS_READ
        )
        if planned_datasets(record.dagster_run) and record.end_time
    ]
    return datetime.fromtimestamp(max(ends), UTC) if ends else None


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
