"""The schedules: what Dagster does by the clock.

https://docs.dagster.io/guides/automate/schedules
"""

from datetime import UTC

import dagster as dg

from f1_bronze.defs.automation.reconcile import RECENT_DAYS, note_due, request_week, week_of
from f1_bronze.defs.automation.season import UNREADABLE, read_running_seasons
from f1_bronze.defs.partitions import register
from f1_bronze.defs.record.tags import SENSOR, WEEK_TAG
from f1_bronze.defs.resources import Deployment

EVERY_ASSET = "__ASSET_JOB"
"""Dagster's job over all assets, which runs from the catalog have too.

A schedule has one job, and a job of ours cannot span both partition definitions: docs/adr/0015.
"""


@dg.schedule(
    name="weekly_bronze",
    cron_schedule="0 6 * * 1",
    execution_timezone="UTC",
    job_name=EVERY_ASSET,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description=(
        "New sessions of the running season, what earlier ones still lack, and every session of "
        f"the last {RECENT_DAYS} days again, because OpenF1 corrects results; on the first Monday "
        "of a month the whole season is compared with OpenF1. Where the API is closed or out of "
        "reach, openf1_calendar catches up later."
    ),
)
def weekly_bronze(
    context: dg.ScheduleEvaluationContext, deployment: dg.ResourceParam[Deployment]
) -> list[dg.RunRequest] | dg.SkipReason:
    """The requests of the tick's week; a reason where there are none."""
    instance = context.instance
    due_at = context.scheduled_execution_time
    due_at = due_at if due_at.tzinfo else due_at.replace(tzinfo=UTC)
    week = week_of(due_at)
    by_sensor = {WEEK_TAG: week, SENSOR: "openf1_calendar"}
    if instance.get_runs_count(dg.RunsFilter(tags=by_sensor)):
        return dg.SkipReason(f"openf1_calendar has requested the runs of the week of {week}.")
    # A tick that comes late belongs to its own week; one to come cannot know more than now.
    as_of = min(due_at, deployment.now())
    try:
        seasons = read_running_seasons(instance, deployment, as_of)
    except UNREADABLE as error:
        note_due(instance, week)
        return dg.SkipReason(
            f"{error} The week of {week} is noted as due: openf1_calendar requests its runs as "
            "soon as it can read the calendar."
        )
    register(instance, [session.partition for session in seasons.wanted])
    requests = request_week(instance, seasons, week, as_of=as_of, now=deployment.now())
    return requests or dg.SkipReason(
        f"Nothing to do: no session ended in the {RECENT_DAYS} days before {as_of:%Y-%m-%d}, and "
        f"none of the {len(seasons.wanted)} earlier ones of the season lacks a dataset that no run "
        "under way will store."
    )


SCHEDULES = (weekly_bronze,)
