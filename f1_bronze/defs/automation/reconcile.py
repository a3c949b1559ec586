"""What a week's run is to bring, and weeks whose run is still owed.

Belongs here: which sessions and datasets, as which run requests; the notes of due weeks. Stays
out: when that is (schedules.py), reading the calendar (season.py), the runs' work (ingestion.py).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.datasets.sessions import SESSIONS
from f1_bronze.defs.automation.launch import Plan, recent
from f1_bronze.defs.jobs import JOBS, bronze_races, bronze_sessions
from f1_bronze.defs.partitions import (
    RACE_GROUP,
    UNFINISHED,
    Registered,
    asset_key,
    read_registered,
)
from f1_bronze.defs.record.runs import planned_datasets, planned_keys, planned_partitions
from f1_bronze.defs.record.tags import (
    ATTEMPT_TAG,
    BACKFILL,
    BY_CALENDAR,
    BY_WEEK,
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
)
from f1_bronze.openf1.calendar import CalendarSession

RECENT_DAYS = 15

"""Upstream corrects what is younger: it is asked for again every week."""

WEEKS_DUE = dg.DynamicPartitionsDefinition(name="f1_weekly_due")

"""Notes of weeks, no partitions of any asset: each storage of Dagster keeps such a set."""

_TRUSTED_FOR = timedelta(days=1)

Held = Mapping[str, Collection[SessionPartition]]

"""Partitions by name of dataset."""


def week_of(moment: datetime) -> str:
    """The Monday of a moment's week, as YYYY-MM-DD; `moment` is aware.

    >>> week_of(datetime(2026, 11, 25, tzinfo=UTC))
    '2026-11-23'
    """
    day = moment.astimezone(UTC).date()
    return (day - timedelta(days=day.weekday())).isoformat()


def plan_of_week(
    sessions: Sequence[CalendarSession], *, now: datetime, landed: Held, under_way: Held
) -> Plan:
    """The datasets that sessions lack, and every dataset of those that ended within 15 days.

    What a run that is under way will bring is not asked for twice.
    """
    again = {session.partition for session in recent(sessions, RECENT_DAYS, now)}
    held = {d.name: (set(landed[d.name]) - again) | set(under_way[d.name]) for d in DATASETS}
    return Plan(sessions=tuple(sessions), datasets=DATASETS, landed=held)


def plan_of_new(sessions: Sequence[CalendarSession], *, landed: Held, under_way: Held) -> Plan:
    """The datasets that sessions lack."""
    held = {d.name: set(landed[d.name]) | set(under_way[d.name]) for d in DATASETS}
    return Plan(sessions=tuple(sessions), datasets=DATASETS, landed=held)


def requests_of_week(plan: Plan, registered: Registered, week: str) -> list[dg.RunRequest]:
    """The runs of a week, one for each stretch of neighbours and job."""
    return _requests(plan, registered, week, {TRIGGER_TAG: BY_WEEK, WEEK_TAG: week})


def requests_of_new(plan: Plan, registered: Registered) -> list[dg.RunRequest]:
    """The first runs of new sessions, one for each stretch of neighbours and job."""
    return _requests(plan, registered, "new", {TRIGGER_TAG: BY_CALENDAR})


def _requests(
    plan: Plan,
    registered: Registered,
    occasion: str,
    tags: Mapping[str, str],
) -> list[dg.RunRequest]:
    return [
        dg.RunRequest(
            run_key="/".join((occasion, run.job, run.keys[0], run.keys[-1])),
            job_name=run.job,
            asset_selection=[asset_key(dataset) for dataset in run.datasets],
            tags={**tags, **run.tags},
        )
        for run in plan.runs(registered)
    ]


def under_way(instance: dg.DagsterInstance, now: datetime) -> dict[str, set[SessionPartition]]:
    """What runs that wait or work will bring, by dataset.

    A run that is older than a day may hang, so it is no reason not to ask.
    """
    known = read_registered(instance)
    found: dict[str, set[SessionPartition]] = {dataset.name: set() for dataset in DATASETS}
    for run in instance.get_runs(
        dg.RunsFilter(statuses=UNFINISHED, created_after=now - _TRUSTED_FOR)
    ):
        for dataset, partitions in planned_partitions(run, known).items():
            found[dataset.name].update(partitions)
    return found


def note_due(instance: dg.DagsterInstance, week: str) -> None:
    """Write down that a week's runs are owed."""
    instance.add_dynamic_partitions(str(WEEKS_DUE.name), [week])


def settle(instance: dg.DagsterInstance, week: str) -> None:
    """Nothing is owed for this week any more."""
    if instance.has_dynamic_partition(str(WEEKS_DUE.name), week):
        instance.delete_dynamic_partition(str(WEEKS_DUE.name), week)


def due_weeks(instance: dg.DagsterInstance) -> list[str]:
    """The weeks whose runs are owed, the oldest first.

    A note goes only when runs of its week exist, which takes another look: a tick that dies
    between asking for runs and getting them loses nothing.
    """
    due = []
    for week in sorted(instance.get_dynamic_partitions(str(WEEKS_DUE.name))):
        if instance.get_runs_count(dg.RunsFilter(tags={WEEK_TAG: week})):
            settle(instance, week)
        else:
            due.append(week)
    return due


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
    return any(dataset in RACE_GROUP.datasets for dataset in planned_datasets(run))


def _races_left_out(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Iterator[dg.RunRequest]:
    """The races of a backfill whose sessions failed: Dagster never starts that second wave."""
    backfill = instance.get_backfill(run.tags[BACKFILL]) if BACKFILL in run.tags else None
    chosen = set(backfill.asset_selection or ()) if backfill else set()
    assets = [key for key in RACE_GROUP.asset_keys if key in chosen]
    if not assets or asset_key(SESSIONS) not in chosen or _is_of_races(run):
        return
    known = read_registered(instance)
    covered = set(planned_keys(run, known))
    keys = [key for key in known.race_keys if key in covered]
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
