"""The sensor that goes on with runs which met a closed API or an outage.

Belongs here: which runs are due, and the requests that go on with them. Stays out: when a run is
marked to go on, and until when (waiting.py).
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
    HISTORICAL_TAG,
    LEFT_OUT_BY_TAG,
    PARENT_RUN,
    PARTITION,
    RANGE_END,
    RANGE_START,
    RETRY_AT_TAG,
    ROOT_RUN,
    TRIGGER_TAG,
    WEEK_TAG,
    partition_keys_of,
)

_LOOKED_BACK = timedelta(days=3)
_KEPT_TAGS = (PARTITION, RANGE_START, RANGE_END, TRIGGER_TAG, WEEK_TAG, HISTORICAL_TAG)


@dg.sensor(
    name="openf1_reopened",
    jobs=JOBS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=60,
    description=(
        "Goes on with runs that failed because OpenF1 was closed for a live session, once the "
        "time that it gave has come, and with runs that met an outage, after 15 minutes, 30, 60 "
        "and so on up to a day. What had landed is not asked for again."
    ),
)
def openf1_reopened(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """One run request for each run that is due; the run key makes it happen once."""
    now = datetime.now(UTC)
    failed = context.instance.get_runs(
        dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=now - _LOOKED_BACK)
    )
    waiting, requests = [], []
    for run in failed:
        retry_at = run.tags.get(RETRY_AT_TAG)
        # A re-execution by hand inherits our tags: only the run that met the closure counts.
        if retry_at is None or run.tags.get(CLOSED_RUN_TAG) != run.run_id:
            continue
        if datetime.fromisoformat(retry_at) > now:
            waiting.append(retry_at)
            continue
        if not _gone_on_with(context.instance, run):
            requests.append(_again(run))
        requests += _races_left_out(context.instance, run)
    if requests:  # Dagster takes requests or a reason, not both
        yield from requests
    elif waiting:
        yield dg.SkipReason(
            f"{len(waiting)} run{'s'[: len(waiting) > 1]} to go on with later, the next at "
            f"{min(waiting)}."
        )
    else:
        yield dg.SkipReason("No run waits for OpenF1 or the lake.")


def _gone_on_with(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether there is a further attempt already, ours or by hand."""
    return instance.get_runs_count(dg.RunsFilter(tags={PARENT_RUN: run.run_id})) > 0


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
            **({HISTORICAL_TAG: "true"} if BACKFILL in run.tags else {}),
            **{name: run.tags[name] for name in _KEPT_TAGS if name in run.tags},
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
    known = registered(instance)
    covered = set(partition_keys_of(run, known[str(F1_SESSIONS.name)]))
    keys = [key for key in known[str(F1_RACE_SESSIONS.name)] if key in covered]
    asked = instance.get_runs_count(dg.RunsFilter(tags={LEFT_OUT_BY_TAG: run.run_id}))
    if keys and not asked:
        yield dg.RunRequest(
            run_key=f"{run.run_id}/races",
            job_name=bronze_races.name,
            asset_selection=assets,
            tags={
                RANGE_START: keys[0],
                RANGE_END: keys[-1],
                LEFT_OUT_BY_TAG: run.run_id,
                HISTORICAL_TAG: "true",
            },
        )
