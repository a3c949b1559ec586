"""The sensor `cloudwatch_metrics`: the metrics of every run that ended, and the hourly gauge.

Belongs here: which runs are told of, and what the cursor remembers of half a delivery. Stays out:
values and sinks (telemetry/), reading runs (run_records.py).
"""

from datetime import UTC, datetime

import dagster as dg

from f1_bronze.datasets.sessions import SESSIONS
from f1_bronze.defs.partitions import read_registered
from f1_bronze.defs.record.calendar_memory import remembered_ends
from f1_bronze.defs.record.latest import read_latest
from f1_bronze.defs.record.runs import GroupOf, planned_datasets, read_run_result
from f1_bronze.defs.record.stream import ENDS, Change, Position, TryLater, keep_position, tell
from f1_bronze.defs.resources import Deployment
from f1_bronze.telemetry.metrics.measurement import hours_since_last_success, run_metrics
from f1_bronze.telemetry.outbound import SinkUnavailable

_SENT, _HOUR = "sent", "gauge_hour"

_SESSIONS_LOOKED_AT = 60

_RUNS_LOOKED_AT = 50


def group_finder(context: dg.SensorEvaluationContext) -> GroupOf:
    """Tells the group of an asset of this code location."""
    repository = context.repository_def

    def group_of(key: dg.AssetKey) -> str | None:
        if repository is None or not repository.asset_graph.has(key):
            return None
        return repository.asset_graph.get(key).group_name

    return group_of


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
    """Metrics first, cursor last; says in the tick what was sent."""
    group_of = group_finder(context)
    told = 0

    def deliver(change: Change, position: Position) -> Position:
        run = context.instance.get_run_by_id(change.run_id)
        if run is None:  # deleted since
            return position
        metrics = run_metrics(
            read_run_result(context.instance, run, group_of=group_of),
            environment=deployment.environment,
        )
        before = position.notes.get(_SENT, {}).get(run.run_id, ())
        try:
            deployment.metrics.send(metrics, sent_before=before)
        except SinkUnavailable as error:
            sent = {run.run_id: sorted({*before, *error.sent})}
            raise TryLater(str(error), position.noting(sent=sent)) from error
        return position.noting(sent=None)

    try:
        for position in tell(context, ENDS, deliver):
            context.update_cursor(position.to_json())
            told += 1
        position = _gauge(context, deployment, Position.from_json(context.cursor))
        context.update_cursor(position.to_json())
    except TryLater as error:
        keep_position(context, error)
        return dg.SkipReason(f"Metrics of {told} runs sent, the rest waits: {error}")
    return dg.SkipReason(f"Metrics of {told} runs sent.")


def _gauge(
    context: dg.SensorEvaluationContext, deployment: Deployment, position: Position
) -> Position:
    """Send the hours since the last success, once an hour."""
    now = datetime.now(UTC)
    hour = f"{now:%Y-%m-%dT%H}"
    if position.notes.get(_HOUR) == hour:
        return position
    gauge = hours_since_last_success(
        last_success(context.instance),
        now,
        environment=deployment.environment,
        session_ends=session_ends(context.instance),
    )
    try:
        deployment.metrics.send([gauge])
    except SinkUnavailable as error:
        raise TryLater(str(error)) from error
    return position.noting(gauge_hour=hour)


def last_success(instance: dg.DagsterInstance) -> datetime | None:
    """The end of the latest run of bronze assets that succeeded."""
    records = instance.get_run_records(
        dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS]), limit=_RUNS_LOOKED_AT
    )
    for record in records:
        if planned_datasets(record.dagster_run) and record.end_time:
            return datetime.fromtimestamp(record.end_time, UTC)
    return None


def session_ends(instance: dg.DagsterInstance) -> list[datetime]:
    """When the latest registered sessions ended: by the calendar, and by what has landed.

    The calendar's own word counts, or a pipeline that lands nothing would never look old.
    """
    keys = set(read_registered(instance).session_keys[-_SESSIONS_LOOKED_AT:])
    ends = {key: end for key, end in remembered_ends(instance).items() if key in keys}
    for key, recorded in read_latest(instance, SESSIONS, keys).items():
        if recorded.session_end is not None:
            ends.setdefault(key, recorded.session_end)
    return list(ends.values())
