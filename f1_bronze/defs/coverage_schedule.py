"""The schedule `hourly_coverage`: looks again while there is something new to see.

Belongs here: when monitoring/coverage is made. Stays out: making it (coverage_asset.py).
"""

from datetime import UTC, datetime, timedelta

import dagster as dg

from f1_bronze.defs.coverage_asset import COVERAGE, OVERDUE, Watch, coverage
from f1_bronze.defs.run_records import bronze_datasets

AT_LEAST = timedelta(hours=23, minutes=30)
"""Daily even when nothing happens, so that an old picture means a dead daemon."""
_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_RUNS_LOOKED_AT = 100


@dg.schedule(
    name="hourly_coverage",
    cron_schedule="20 * * * *",
    execution_timezone="UTC",
    target=coverage,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description=(
        "Makes monitoring/coverage when a bronze run has ended since, when another session is "
        "overdue, and once a day. Asks nothing of OpenF1."
    ),
)
def hourly_coverage(
    context: dg.ScheduleEvaluationContext, watch: dg.ResourceParam[Watch]
) -> dg.RunRequest | dg.SkipReason:
    """A run where the last picture is not that of now; the reason where it is."""
    event = context.instance.get_latest_materialization_event(COVERAGE)
    if event is None or event.asset_materialization is None:
        return dg.RunRequest()
    made_at = datetime.fromtimestamp(event.timestamp, UTC)
    told = event.asset_materialization.metadata[OVERDUE].value
    if (
        watch.now() - made_at >= AT_LEAST
        or told != [session.key for session in watch.overdue(context.instance)]
        or _has_run_since(context.instance, made_at)
    ):
        return dg.RunRequest()
    return dg.SkipReason(
        f"Nothing has changed since {made_at:%Y-%m-%d %H:%M} UTC: no bronze run has ended and no "
        "other session is overdue."
    )


def _has_run_since(instance: dg.DagsterInstance, moment: datetime) -> bool:
    """Whether a bronze run has ended since; where very many runs have, one of them will be ours."""
    records = instance.get_run_records(
        dg.RunsFilter(statuses=_ENDED, updated_after=moment), limit=_RUNS_LOOKED_AT
    )
    return len(records) == _RUNS_LOOKED_AT or any(
        bronze_datasets(record.dagster_run) or record.dagster_run.asset_check_selection
        for record in records
    )
