"""The schedules: what Dagster does by the clock.

Belongs here: `weekly_bronze` and the roll-call. Stays out: what a week's run brings (weekly.py).
"""

from datetime import UTC

import dagster as dg

from f1_bronze.defs.automation.reconcile import (
    RECENT_DAYS,
    note_due,
    plan_of_week,
    requests_of_week,
    settle,
    under_way,
    week_of,
)
from f1_bronze.defs.automation.season import (
    WHAT_PASSES,
    read_running_seasons,
    stored_now,
    wanted_sessions,
)
from f1_bronze.defs.partitions import read_registered, register
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
        f"the last {RECENT_DAYS} days again, because upstream corrects results. Where the API is "
        "closed or out of reach, openf1_calendar makes up for it later."
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
    made_up_for = {WEEK_TAG: week, SENSOR: "openf1_calendar"}
    if instance.get_runs_count(dg.RunsFilter(tags=made_up_for)):
        return dg.SkipReason(f"openf1_calendar has requested the runs of the week of {week}.")
    # A tick that is made up for belongs to its own week; one to come cannot know more than now.
    now = min(due_at, deployment.now())
    try:
        sessions = wanted_sessions(deployment, read_running_seasons(deployment, now))
        landed = stored_now(deployment, now)
    except WHAT_PASSES as passing:
        note_due(instance, week)
        return dg.SkipReason(
            f"{passing} The week of {week} is noted as due: openf1_calendar requests its runs as "
            "soon as it can read the calendar."
        )
    register(instance, [session.partition for session in sessions])
    plan = plan_of_week(
        sessions, now=now, landed=landed, under_way=under_way(instance, deployment.now())
    )
    requests = requests_of_week(plan, read_registered(instance), week)
    if not requests:
        settle(instance, week)
        return dg.SkipReason(
            f"Nothing to do: no session ended in the {RECENT_DAYS} days before {now:%Y-%m-%d}, and "
            f"none of the {len(sessions)} earlier ones of the season lacks a dataset, or a run "
            "under way brings it."
        )
    return requests


SCHEDULES = (weekly_bronze,)
