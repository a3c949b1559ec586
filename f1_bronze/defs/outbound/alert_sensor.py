"""The sensor `bronze_alerts`: failed runs, failed checks and stale sessions, each told once.

Belongs here: which runs are looked at, the sinks of a deployment, and sending what waits. Stays
out: the words and the memory (telemetry/alerts*.py), which sessions are stale (overdue.py).
"""

from datetime import datetime, timedelta

import dagster as dg

from f1_bronze.datasets import DATASETS
from f1_bronze.defs.monitoring.overdue import overdue_sessions
from f1_bronze.defs.partitions import asset_key
from f1_bronze.defs.record.runs import planned_datasets, read_run_result
from f1_bronze.defs.record.stream import ENDS, Change, Position, TryLater, keep_position, tell
from f1_bronze.defs.record.tags import BACKFILL, CLOSED_RUN_TAG, RETRY_AT_TAG, ROOT_RUN, WEEK_TAG
from f1_bronze.defs.resources import Deployment
from f1_bronze.telemetry.alerts.alert_memory import AlertMemory
from f1_bronze.telemetry.alerts.wording import Wording
from f1_bronze.telemetry.outbound import AlertRefused, AlertsUnavailable

NEWS = timedelta(days=7)

"""A run that ended longer ago is no news: the sensor was off."""

SEND_SECONDS = 15.0

"""How long a tick goes on sending."""

_WILL_RETRY = "dagster/will_retry"

_MEMORY, _HOUR = "alerts", "stale_hour"

_BRONZE = {asset_key(dataset) for dataset in DATASETS}


@dg.sensor(
    name="bronze_alerts",
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=60,
    description=(
        "Posts runs that failed and will not go on by themselves, checks that failed with ERROR, "
        "and sessions that did not land in time, each once, to the SNS topic of "
        "F1_BRONZE_ALERT_TOPIC and the webhook of F1_BRONZE_ALERT_WEBHOOK."
    ),
)
def bronze_alerts(
    context: dg.SensorEvaluationContext, deployment: dg.ResourceParam[Deployment]
) -> dg.SkipReason:
    """What is new is noted first, then sent; what a sink does not take waits in the cursor."""
    if not deployment.alert_sinks:
        return dg.SkipReason(
            "Nobody is to be told: set F1_BRONZE_ALERT_TOPIC or F1_BRONZE_ALERT_WEBHOOK."
        )
    if not context.cursor:
        context.update_cursor(from_now_on(context.instance).to_json())
    said: list[str] = []

    def deliver(change: Change, position: Position) -> Position:
        return _noted(context, deployment, change, position)

    try:
        for position in tell(context, ENDS, deliver):
            context.update_cursor(position.to_json())
    except TryLater as error:
        keep_position(context, error)
        said.append(str(error))
    position = Position.from_json(context.cursor)
    now = deployment.now()
    memory = _memory(position).only(deployment.alert_sinks)
    hour = f"{now:%Y-%m-%dT%H}"
    if position.notes.get(_HOUR) != hour:
        memory, lost = add_overdue(context.instance, deployment, memory, now)
        _log_lost(context, lost)
        position = position.noting(stale_hour=hour)
    memory, sent, waits = send_waiting(context, deployment, memory)
    context.update_cursor(position.noting(alerts=memory.to_json()).to_json())
    told = f"{sent} alert{'s'[: sent != 1]} sent."
    return dg.SkipReason(" ".join([told, *waits, *said]))


def add_overdue(
    instance: dg.DagsterInstance, deployment: Deployment, memory: AlertMemory, now: datetime
) -> tuple[AlertMemory, int]:
    """The memory with an alert of sessions that are newly overdue; and how many alerts gave way."""
    overdue = overdue_sessions(instance, deployment, now)
    alert, memory = memory.after_look(overdue, _wording(deployment), now)
    return memory.queued(alert, deployment.alert_sinks) if alert else (memory, 0)


def _wording(deployment: Deployment) -> Wording:
    settings = deployment.settings
    return Wording(environment=settings.environment, ui_url=settings.dagster_url)


def from_now_on(instance: dg.DagsterInstance) -> Position:
    """The end of the record of runs: what failed before the sensor was on is not told."""
    passed = {}
    for kind in ENDS:
        records = instance.fetch_run_status_changes(
            dg.RunStatusChangeRecordsFilter(event_type=kind), limit=1, ascending=False
        ).records
        passed[kind.value] = records[0].storage_id if records else 0
    return Position(passed=passed)


def send_waiting(
    context: dg.SensorEvaluationContext, deployment: Deployment, memory: AlertMemory
) -> tuple[AlertMemory, int, list[str]]:
    """Send what waits, sink by sink; one that is down does not keep the other from its alerts.

    What is left, how many were taken, and why some wait.
    """
    sent, waits = 0, []
    deadline = deployment.monotonic() + SEND_SECONDS
    for name, sink in deployment.alert_sinks.items():
        for alert in memory.waiting.get(name, ()):
            if deployment.monotonic() >= deadline:
                break
            try:
                sink.send(alert)
                sent += 1
            except AlertsUnavailable as error:
                waits.append(f"{len(memory.waiting[name])} for the {name} wait: {error}")
                break
            except AlertRefused as error:
                context.log.error("An alert (%s) is left out: %s", alert.kind, error)
            memory = memory.taken(name)
    return memory, sent, waits


def _noted(
    context: dg.SensorEvaluationContext, deployment: Deployment, change: Change, position: Position
) -> Position:
    run = context.instance.get_run_by_id(change.run_id)
    if run is None or not _is_ours(run) or deployment.now() - change.at > NEWS:
        return position
    memory = _memory(position)
    alert, memory = memory.after_run(
        read_run_result(context.instance, run, group_of=lambda key: None),
        _wording(deployment),
        group=_group(run),
        goes_on=_goes_on(run),
    )
    if alert is not None:
        memory, lost = memory.queued(alert, deployment.alert_sinks)
        _log_lost(context, lost)
    return position.noting(alerts=memory.to_json())


def _memory(position: Position) -> AlertMemory:
    return AlertMemory.from_json(position.notes.get(_MEMORY, {}))


def _is_ours(run: dg.DagsterRun) -> bool:
    """Whether it means to make bronze, or to check it."""
    checked = {check.asset_key for check in run.asset_check_selection or ()}
    return bool(planned_datasets(run) or checked & _BRONZE)


def _group(run: dg.DagsterRun) -> str:
    """The runs that fail in the same way together: a backfill's, a week's, or one and its like."""
    tags = run.tags
    return tags.get(BACKFILL) or tags.get(WEEK_TAG) or tags.get(ROOT_RUN) or run.run_id


def _goes_on(run: dg.DagsterRun) -> bool:
    """Whether a further attempt comes by itself: ours, or Dagster's after a crash."""
    waits = RETRY_AT_TAG in run.tags and run.tags.get(CLOSED_RUN_TAG) == run.run_id
    return waits or run.tags.get(_WILL_RETRY) == "true"


def _log_lost(context: dg.SensorEvaluationContext, lost: int) -> None:
    if lost:
        context.log.error(
            "%d alerts are left out: a sink has been down for so long that no more are kept. The "
            "runs are on the Runs page.",
            lost,
        )
