"""Sensors: what Dagster looks at by itself.

Belongs here: sensors and when they ask for runs. Stays out: what the runs do (assets.py).
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg

from f1_bronze.defs.assets import OF_RACES
from f1_bronze.defs.events import asset_key
from f1_bronze.defs.ingestion import SESSIONS
from f1_bronze.defs.jobs import JOBS, bronze_races, bronze_sessions
from f1_bronze.defs.partitions import F1_RACE_SESSIONS, F1_SESSIONS, registered
from f1_bronze.defs.tags import (
    ATTEMPT_TAG,
    BACKFILL,
    CLOSED_RUN_TAG,
    GOES_ON_WITH_TAG,
    LEFT_OUT_BY_TAG,
    PARENT_RUN,
    PARTITION,
    RANGE_END,
    RANGE_START,
    RETRY_AT_TAG,
    ROOT_RUN,
)

MOST_ATTEMPTS = 24
_LOOKED_BACK = timedelta(days=3)
_PARTITION_TAGS = (PARTITION, RANGE_START, RANGE_END)


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
    waiting, due = 0, []
    for run in closed:
        retry_at = run.tags.get(RETRY_AT_TAG)
        # A re-execution by hand inherits our tags: only the run that met the closure counts.
        if retry_at is None or run.tags.get(CLOSED_RUN_TAG) != run.run_id:
            continue
        if int(run.tags.get(ATTEMPT_TAG, "1")) >= MOST_ATTEMPTS:
            continue
        if datetime.fromisoformat(retry_at) > now:
            waiting += 1
        else:
            due.append(run)
    for run in due:
        yield _again(run)
        yield from _races_left_out(context.instance, run)
    if waiting and not due:  # Dagster takes requests or a reason, not both
        yield dg.SkipReason(f"{waiting} runs wait for OpenF1 to open again.")


def _again(run: dg.DagsterRun) -> dg.RunRequest:
    """The run once more, as a further attempt that asks only for what did not land.

    A run from the catalog or a backfill has no job of its own, so its assets tell the job.
    """
    assets = run.asset_selection or set()
    return dg.RunRequest(
        run_key=run.run_id,
        job_name=(bronze_races if _is_of_races(run) else bronze_sessions).name,
        asset_selection=list(assets) or None,
        tags={
            **{name: run.tags[name] for name in _PARTITION_TAGS if name in run.tags},
            ROOT_RUN: run.tags.get(ROOT_RUN, run.run_id),
            PARENT_RUN: run.run_id,
            GOES_ON_WITH_TAG: run.run_id,
            ATTEMPT_TAG: str(int(run.tags.get(ATTEMPT_TAG, "1")) + 1),
        },
        run_config=run.run_config,
    )


def _is_of_races(run: dg.DagsterRun) -> bool:
    assets = run.asset_selection or set()
    races = {asset_key(dataset) for dataset in OF_RACES}
    return bool(assets & races) or run.job_name == bronze_races.name


def _races_left_out(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Iterator[dg.RunRequest]:
    """The races of a backfill whose sessions failed: Dagster never starts that second wave."""
    backfill = instance.get_backfill(run.tags[BACKFILL]) if BACKFILL in run.tags else None
    chosen = set(backfill.asset_selection or ()) if backfill else set()
    assets = [asset_key(dataset) for dataset in OF_RACES if asset_key(dataset) in chosen]
    if not assets or asset_key(SESSIONS) not in chosen or _is_of_races(run):
        return
    covered = set(_keys_of(instance, run))
    keys = [key for key in registered(instance)[str(F1_RACE_SESSIONS.name)] if key in covered]
    if keys:
        yield dg.RunRequest(
            run_key=f"{run.run_id}/races",
            job_name=bronze_races.name,
            asset_selection=assets,
            tags={RANGE_START: keys[0], RANGE_END: keys[-1], LEFT_OUT_BY_TAG: run.run_id},
        )


def _keys_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> list[str]:
    """The partition keys that a run was made for."""
    if PARTITION in run.tags:
        return [run.tags[PARTITION]]
    keys = registered(instance)[str(F1_SESSIONS.name)]
    ends = (run.tags.get(RANGE_START), run.tags.get(RANGE_END))
    if ends[0] not in keys or ends[1] not in keys:
        return []
    return keys[keys.index(ends[0]) : keys.index(ends[1]) + 1]


SENSORS = (openf1_reopened,)
