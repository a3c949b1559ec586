"""Sensors: what Dagster looks at by itself.

Belongs here: sensors and when they ask for runs. Stays out: what the runs do (assets.py).
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg

from f1_bronze.defs.failures import ATTEMPT_TAG, RETRY_AT_TAG
from f1_bronze.defs.jobs import JOBS

MOST_ATTEMPTS = 24
_LOOKED_BACK = timedelta(days=3)
_ROOT_RUN, _PARENT_RUN = "dagster/root_run_id", "dagster/parent_run_id"
_PARTITION_TAGS = (
    "dagster/partition",
    "dagster/asset_partition_range_start",
    "dagster/asset_partition_range_end",
)


@dg.sensor(
    name="openf1_reopened",
    jobs=JOBS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=60,
    description=(
        "Runs again what failed because OpenF1 was closed for a live session, once the time that "
        "it gave has come. What had landed is not asked for again."
    ),
)
def openf1_reopened(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """One run request for each closed run that is due; the run key makes it happen once."""
    now = datetime.now(UTC)
    closed = context.instance.get_runs(
        dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=now - _LOOKED_BACK)
    )
    waiting = 0
    for run in closed:
        retry_at = run.tags.get(RETRY_AT_TAG)
        attempt = int(run.tags.get(ATTEMPT_TAG, "1"))
        if retry_at is None or attempt >= MOST_ATTEMPTS:
            continue
        if datetime.fromisoformat(retry_at) > now:
            waiting += 1
            continue
        yield dg.RunRequest(
            run_key=run.run_id,
            job_name=run.job_name,
            asset_selection=sorted(run.asset_selection) if run.asset_selection else None,
            tags={
                **{name: run.tags[name] for name in _PARTITION_TAGS if name in run.tags},
                _ROOT_RUN: run.tags.get(_ROOT_RUN, run.run_id),
                _PARENT_RUN: run.run_id,
                ATTEMPT_TAG: str(attempt + 1),
            },
        )
    if waiting:
        yield dg.SkipReason(f"{waiting} runs wait for OpenF1 to open again.")


SENSORS = (openf1_reopened,)
