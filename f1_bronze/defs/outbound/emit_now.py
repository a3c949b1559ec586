"""Emits the command's own runs when they have ended, without waiting for a daemon.

Files in the lake may be written twice without harm: the sensors will write them again, the same.
CloudWatch counts twice what it gets twice, so it is sent metrics only where no daemon is alive that
will, and the runs are marked for the day that one is. The lineage consumer is left to its sensor.
"""

import time
from collections.abc import Iterable

import dagster as dg

from f1_bronze.defs.record.runs import read_run_result, read_run_start
from f1_bronze.defs.record.stream import is_sensor_daemon_alive
from f1_bronze.defs.record.tags import METRICS_SENT_TAG
from f1_bronze.defs.resources import Deployment
from f1_bronze.telemetry.lineage.events import end_events, start_events
from f1_bronze.telemetry.metrics.measurement import run_metrics
from f1_bronze.telemetry.metrics.metric_files import MetricFiles


def emit_now(instance: dg.DagsterInstance, deployment: Deployment, run_ids: Iterable[str]) -> None:
    """Lineage events and their summaries into the lake, and metrics to where they go.

    What the lake raises is passed on, and `SinkUnavailable` where CloudWatch takes no metrics now.
    """
    is_file = isinstance(deployment.metrics, MetricFiles)
    sends_metrics = is_file or not is_sensor_daemon_alive(instance, now=time.time())
    results = []
    days = set()
    for run_id in run_ids:
        run = instance.get_run_by_id(run_id)
        if run is None or not run.is_finished:
            continue
        result = read_run_result(instance, run, group_of=lambda key: None)
        results.append(result)
        ended = end_events(result, glue_database=deployment.glue_database)
        days |= deployment.lineage_events.write(
            [*start_events(read_run_start(instance, run)), *ended]
        )
    deployment.lineage_summaries.refresh(days)
    for result in results if sends_metrics else ():
        deployment.metrics.send(run_metrics(result, environment=deployment.environment))
        if not is_file:
            instance.add_run_tags(result.start.run_id, {METRICS_SENT_TAG: "true"})
