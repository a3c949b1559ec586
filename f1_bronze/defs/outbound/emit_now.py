"""Emits the command's own runs when they have ended, without waiting for a daemon.

Only what may be written twice without harm, since the sensors will write it again: CloudWatch and
the lineage consumer are left to them.
"""

from collections.abc import Iterable

import dagster as dg

from f1_bronze.defs.record.runs import read_run_result, read_run_start
from f1_bronze.defs.resources import Deployment
from f1_bronze.telemetry.lineage.events import end_events, start_events
from f1_bronze.telemetry.metrics.measurement import run_metrics
from f1_bronze.telemetry.metrics.metric_files import MetricFiles


def emit_now(instance: dg.DagsterInstance, deployment: Deployment, run_ids: Iterable[str]) -> None:
    """Lineage events and their summaries, and metrics where these are kept in the lake.

    A file of the same run has the same path and the same bytes whoever writes it. What the lake
    raises is passed on.
    """
    days = set()
    for run_id in run_ids:
        run = instance.get_run_by_id(run_id)
        if run is None or not run.is_finished:
            continue
        result = read_run_result(instance, run, group_of=lambda key: None)
        ended = end_events(result, glue_database=deployment.glue_database)
        events = [*start_events(read_run_start(instance, run)), *ended]
        days |= deployment.lineage_events.write(events)
        if isinstance(deployment.metrics, MetricFiles):
            deployment.metrics.send(run_metrics(result, environment=deployment.environment))
    deployment.lineage_summaries.refresh(days)
