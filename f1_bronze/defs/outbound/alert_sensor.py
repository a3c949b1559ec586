"""The sensor `bronze_alerts`: failed runs, failed checks, overdue sessions, each alerted once."""

import json
from datetime import datetime, timedelta
from typing import Any

import dagster as dg

from f1_bronze.datasets import DATASETS
from f1_bronze.defs.monitoring.overdue import overdue_sessions
from f1_bronze.defs.outbound.outbox import deliver_changes, finish_tick
from f1_bronze.defs.partitions import asset_key
from f1_bronze.defs.record.runs import planned_datasets, read_run_result
from f1_bronze.defs.record.sensor_memory import MemoryLost, keep, recall
from f1_bronze.defs.record.stream import ENDS, Change, Position, end_of_record
from f1_bronze.defs.record.tags import BACKFILL, CLOSED_RUN_TAG, RETRY_AT_TAG, ROOT_RUN, WEEK_TAG
from f1_bronze.defs.resources import Deployment
from f1_bronze.telemetry.alerts.alert_memory import AlertMemory
from f1_bronze.telemetry.alerts.wording import Alert, Wording
from f1_bronze.telemetry.outbound import Dropped, SinkUnavailable

NEWS = timedelta(days=7)
"""A run that ended longer ago is no news: the sensor was off."""

SEND_SECONDS = 15.0
"""How long a tick goes on sending."""

_WILL_RETRY = "dagster/will_retry"

_NAME = "bronze_alerts"

_MEMORY, _HOUR = "alerts", "stale_hour"

_BRONZE = {asset_key(dataset) for dataset in DATASETS}


@dg.sensor(
    name=_NAME,
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=60,
    description=(
        "Posts runs that failed and are not retried by themselves, checks that failed with ERROR, "
        "and overdue sessions, each once, to the SNS topic of F1_BRONZE_ALERT_TOPIC and the "
        "webhook of F1_BRONZE_ALERT_WEBHOOK."
    ),
)
def bronze_alerts(
    context: dg.SensorEvaluationContext, deployment: dg.ResourceParam[Deployment]
) -> Any:
    """What is new is remembered first, then sent; what a sink does not take waits."""
    if not deployment.alert_sinks:
        return dg.SkipReason(
            "Alerts go nowhere: set F1_BRONZE_ALERT_TOPIC or F1_BRONZE_ALERT_WEBHOOK."
        )
    if not context.cursor:  # what failed before the sensor was on is no news
        context.update_cursor(end_of_record(context.instance, ENDS).to_json())

    before = Position.from_json(context.cursor).notes.get(_MEMORY)
    memory = _recall_memory(context, before)

    def remember(change: Change, position: Position) -> Position:
        nonlocal memory
        memory = _remember_run(context, deployment, change, memory)
        return position

    delivered = deliver_changes(context, ENDS, remember)
    position = delivered.position
    now = deployment.now()
    memory = memory.for_sinks(deployment.alert_sinks)
    hour = f"{now:%Y-%m-%dT%H}"
    if position.notes.get(_HOUR) != hour:
        memory, dropped = remember_overdue(context.instance, deployment, memory, now)
        _log_dropped(context, dropped)
        position = position.with_notes(stale_hour=hour)
    memory, sent, waits = send_waiting(context, deployment, memory)
    written = json.dumps(memory.to_json(), ensure_ascii=False)
    kept = keep(
        context.instance, _NAME, written, before=before if isinstance(before, str) else None
    )
    context.update_cursor(position.with_notes(alerts=kept).to_json())
    said = [f"{len(sent)} alert{'s'[: len(sent) != 1]} sent.", *waits, delivered.waiting]
    run_ids = list({alert.facts["run_id"] for alert in sent if "run_id" in alert.facts})
    runs = context.instance.get_runs(dg.RunsFilter(run_ids=run_ids)) if run_ids else []
    return finish_tick(context, " ".join(filter(None, said)), runs, has_acted=bool(sent))


def _remember_run(
    context: dg.SensorEvaluationContext,
    deployment: Deployment,
    change: Change,
    memory: AlertMemory,
) -> AlertMemory:
    run = change.run
    if run is None or not _is_bronze(run) or deployment.now() - change.at > NEWS:
        return memory
    tags = run.tags
    alert, memory = memory.after_run(
        read_run_result(context.instance, run, group_of=lambda key: None),
        _wording(deployment),
        # Runs that fail together in the same way: a backfill, a week, a run with its attempts.
        group=tags.get(BACKFILL) or tags.get(WEEK_TAG) or tags.get(ROOT_RUN) or run.run_id,
        is_retried=_is_retried(run),
    )
    if alert is not None:
        memory, dropped = memory.with_waiting(alert, deployment.alert_sinks)
        _log_dropped(context, dropped)
    return memory


def remember_overdue(
    instance: dg.DagsterInstance, deployment: Deployment, memory: AlertMemory, now: datetime
) -> tuple[AlertMemory, int]:
    """The memory with an alert for sessions that are newly overdue, and how many were dropped."""
    overdue = overdue_sessions(instance, deployment, now)
    alert, memory = memory.after_overdue(overdue, _wording(deployment), now)
    return memory.with_waiting(alert, deployment.alert_sinks) if alert else (memory, 0)


def send_waiting(
    context: dg.SensorEvaluationContext, deployment: Deployment, memory: AlertMemory
) -> tuple[AlertMemory, list[Alert], list[str]]:
    """Send what waits, sink by sink; one that is down does not keep the other from its alerts.

    Returns what is left, what was sent, and why some wait.
    """
    sent, waits = list[Alert](), list[str]()
    deadline = deployment.monotonic() + SEND_SECONDS
    for name, sink in deployment.alert_sinks.items():
        for alert in memory.waiting.get(name, ()):
            if deployment.monotonic() >= deadline:
                break
            try:
                [outcome] = sink.send([alert])
            except SinkUnavailable as error:
                waits.append(f"{len(memory.waiting[name])} for the {name} wait: {error}")
                break
            if isinstance(outcome, Dropped):
                context.log.error(
                    "An alert (%s) is left out, it was %s: %s.",
                    *(alert.kind, outcome.reason, outcome.detail),
                )
            else:
                sent.append(alert)
            memory = memory.without_first(name)
    return memory, sent, waits


def _wording(deployment: Deployment) -> Wording:
    settings = deployment.settings
    return Wording(environment=settings.environment, ui_url=settings.dagster_url)


def _recall_memory(context: dg.SensorEvaluationContext, note: Any) -> AlertMemory:
    """What the note of the cursor refers to, or is itself, as earlier releases wrote it."""
    if not isinstance(note, str):
        return AlertMemory.from_json(note or {})
    try:
        return AlertMemory.from_json(json.loads(recall(context.instance, _NAME, note)))
    except MemoryLost as lost:
        context.log.error("%s Things that were alerted may be alerted once more.", lost)
        return AlertMemory()


def _is_bronze(run: dg.DagsterRun) -> bool:
    """Whether it is to materialize bronze datasets, or to check them."""
    checked = {check.asset_key for check in run.asset_check_selection or ()}
    return bool(planned_datasets(run) or checked & _BRONZE)


def _is_retried(run: dg.DagsterRun) -> bool:
    """Whether a further attempt comes by itself: ours, or Dagster's after a crash."""
    is_waiting = RETRY_AT_TAG in run.tags and run.tags.get(CLOSED_RUN_TAG) == run.run_id
    return is_waiting or run.tags.get(_WILL_RETRY) == "true"


def _log_dropped(context: dg.SensorEvaluationContext, dropped: int) -> None:
    if dropped:
        context.log.error(
            "%d alerts are dropped: a sink has been down for so long that no more are kept. The "
            "runs are on the Runs page.",
            dropped,
        )
