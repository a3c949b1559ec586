"""What should be stored and is not becomes run requests: weekly, at once, or when OpenF1 is back.

A dataset of a session is asked for where it is wanted but not complete (stored, recorded and
checked), and no run that is under way will store it. The schedule `weekly_bronze`, the sensor
`openf1_calendar` and the sensor `openf1_reopened` decide when.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.datasets.sessions import SESSIONS
from f1_bronze.defs.automation.launch import Plan, recent
from f1_bronze.defs.automation.season import RunningSeasons
from f1_bronze.defs.jobs import INGESTING
from f1_bronze.defs.partitions import (
    DATASET_GROUPS,
    PARTITION,
    RACE_GROUP,
    RANGE_END,
    RANGE_START,
    SESSION_GROUP,
    UNFINISHED,
    asset_key,
    parse_keys,
    read_registered,
)
from f1_bronze.defs.record.completeness import find_complete
from f1_bronze.defs.record.latest import unmet_attempts
from f1_bronze.defs.record.runs import planned_datasets, planned_keys, planned_partitions
from f1_bronze.defs.record.tags import (
    ATTEMPT_TAG,
    BACKFILL,
    BY_CALENDAR,
    BY_WEEK,
    CLOSED_RUN_TAG,
    HISTORICAL_TAG,
    LEFT_OUT_BY_TAG,
    PARENT_RUN,
    RECHECK_TAG,
    RESUMED_RUN_TAG,
    RETRY_AT_TAG,
    ROOT_RUN,
    TRIGGER_TAG,
    WEEK_TAG,
)

RECENT_DAYS = 15
"""OpenF1 corrects what is younger: it is asked for again every week."""

DAYS_OF_A_WEEK = 7

WEEKS_DUE = dg.DynamicPartitionsDefinition(name="f1_weekly_due")
"""Weeks whose runs could not be requested on Monday. No asset has these partitions: each of
Dagster's storages can keep such a set."""

_TRUSTED_FOR = timedelta(days=1)
_LOOK_BACK = timedelta(days=3)
_KEPT_TAGS = (PARTITION, RANGE_START, RANGE_END, TRIGGER_TAG, WEEK_TAG, HISTORICAL_TAG, RECHECK_TAG)


def week_of(moment: datetime) -> str:
    """The Monday of a moment's week, as YYYY-MM-DD; `moment` is aware.

    >>> week_of(datetime(2026, 11, 25, tzinfo=UTC))
    '2026-11-23'
    """
    day = moment.astimezone(UTC).date()
    return (day - timedelta(days=day.weekday())).isoformat()


def request_week(
    instance: dg.DagsterInstance,
    seasons: RunningSeasons,
    week: str,
    *,
    as_of: datetime,
    now: datetime,
) -> list[dg.RunRequest]:
    """What sessions lack, and every dataset of those that ended in the 15 days before `as_of`.

    On the first Monday of a month what is stored of the running seasons is compared with OpenF1
    too. Where there is nothing to do the week is no longer due.
    """
    again = {session.partition for session in recent(seasons.wanted, RECENT_DAYS, as_of)}
    done = find_complete(instance, wanted_and_stored(seasons))
    busy = under_way(instance, now)
    held = {name: (done[name] - again) | busy[name] for name in done}
    tags = {TRIGGER_TAG: BY_WEEK, WEEK_TAG: week}
    requests = _to_requests(instance, seasons, held, week, tags)
    if date.fromisoformat(week).day <= DAYS_OF_A_WEEK:
        older = {name: done[name] - again for name in done}
        requests += _recheck_requests(older, week, tags)
    if not requests:
        settle(instance, week)
    return requests


def request_new(
    instance: dg.DagsterInstance, seasons: RunningSeasons, now: datetime
) -> list[dg.RunRequest]:
    """What sessions lack, unless a run has tried already: a failure is left to people, to Monday
    and, where OpenF1 was closed or out of reach, to `openf1_reopened`."""
    done = find_complete(instance, wanted_and_stored(seasons))
    busy = under_way(instance, now)
    tried = {ds.name: set(parse_keys(unmet_attempts(instance, ds))) for ds in DATASETS}
    held = {name: done[name] | busy[name] | tried[name] for name in done}
    return _to_requests(instance, seasons, held, "new", {TRIGGER_TAG: BY_CALENDAR})


def wanted_and_stored(seasons: RunningSeasons) -> dict[str, set[SessionPartition]]:
    """The wanted sessions that are in the lake, by dataset."""
    wanted = {session.partition for session in seasons.wanted}
    return {name: wanted & set(stored) for name, stored in seasons.stored.items()}


def under_way(instance: dg.DagsterInstance, now: datetime) -> dict[str, set[SessionPartition]]:
    """What runs that wait or work will store, by dataset.

    A run that is older than a day may hang, so it is no reason not to ask.
    """
    registered = read_registered(instance)
    found: dict[str, set[SessionPartition]] = {dataset.name: set() for dataset in DATASETS}
    for run in instance.get_runs(
        dg.RunsFilter(statuses=UNFINISHED, created_after=now - _TRUSTED_FOR)
    ):
        for dataset, partitions in planned_partitions(run, registered).items():
            found[dataset.name].update(partitions)
    return found


def _to_requests(
    instance: dg.DagsterInstance,
    seasons: RunningSeasons,
    held: Mapping[str, set[SessionPartition]],
    occasion: str,
    tags: Mapping[str, str],
) -> list[dg.RunRequest]:
    """A request for each stretch of neighbours and job; Dagster launches a run key only once."""
    plan = Plan(sessions=seasons.wanted, datasets=DATASETS, held=held)
    return [
        dg.RunRequest(
            run_key="/".join((occasion, run.job, run.keys[0], run.keys[-1])),
            job_name=run.job,
            asset_selection=[asset_key(dataset) for dataset in run.datasets],
            tags={**tags, **run.tags},
        )
        for run in plan.runs(read_registered(instance))
    ]


def _recheck_requests(
    stored: Mapping[str, set[SessionPartition]], week: str, tags: Mapping[str, str]
) -> Iterator[dg.RunRequest]:
    """A run for each job that records only what has changed.

    It has no partition and plans no checks, so that what has not changed leaves no event at all.
    """
    for group in DATASET_GROUPS:
        datasets = [dataset for dataset in group.datasets if stored[dataset.name]]
        years = sorted({p.year for dataset in datasets for p in stored[dataset.name]})
        if not datasets:
            continue
        seasons = ",".join(map(str, years))
        yield dg.RunRequest(
            run_key="/".join((week, group.job, "recheck", seasons)),
            job_name=group.job,
            asset_selection=[asset_key(dataset) for dataset in datasets],
            asset_check_keys=[],
            tags={**tags, RECHECK_TAG: seasons},
            run_config={"ops": {group.op: {"config": {"recheck_seasons": years}}}},
        )


def note_due(instance: dg.DagsterInstance, week: str) -> None:
    """Remember that a week's runs are still to be requested."""
    instance.add_dynamic_partitions(str(WEEKS_DUE.name), [week])


def settle(instance: dg.DagsterInstance, week: str) -> None:
    """A week's runs need not be requested any more."""
    if instance.has_dynamic_partition(str(WEEKS_DUE.name), week):
        instance.delete_dynamic_partition(str(WEEKS_DUE.name), week)


def due_weeks(instance: dg.DagsterInstance) -> list[str]:
    """The weeks whose runs are still to be requested, the oldest first.

    A week is due until runs of it exist, which takes another tick to see: one that dies between
    requesting runs and getting them loses nothing.
    """
    due = []
    for week in sorted(instance.get_dynamic_partitions(str(WEEKS_DUE.name))):
        if instance.get_runs_count(dg.RunsFilter(tags={WEEK_TAG: week})):
            settle(instance, week)
        else:
            due.append(week)
    return due


@dg.sensor(
    name="openf1_reopened",
    jobs=INGESTING,
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=60,
    description=(
        "Resumes runs that failed because OpenF1 was closed for a live session, once the time "
        "that it gave has come, and runs that met an outage, after 15 minutes, 30, 60 and so on "
        "up to a day. What was stored is not asked for again."
    ),
)
def openf1_reopened(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """A request for each run whose time has come and that no run has resumed yet."""
    now = datetime.now(UTC)
    failed = context.instance.get_runs(
        dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=now - _LOOK_BACK)
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
        if not context.instance.get_runs_count(dg.RunsFilter(tags={PARENT_RUN: run.run_id})):
            requests.append(_resume(run))
        requests += _second_wave(context.instance, run)
    if requests:  # Dagster takes requests or a reason, not both
        yield from requests
    elif waiting:
        yield dg.SkipReason(
            f"{len(waiting)} run{'s'[: len(waiting) > 1]} to go on with later, the next at "
            f"{min(waiting)}."
        )
    else:
        yield dg.SkipReason("No run waits for OpenF1 or the lake.")


def _resume(run: dg.DagsterRun) -> dg.RunRequest:
    """The run once more, as a further attempt that asks only for what was not stored.

    A run from the catalog or a backfill has no job of ours, so the job follows from its datasets.
    """
    checks = run.asset_check_selection
    return dg.RunRequest(
        run_key=run.run_id,
        job_name=(RACE_GROUP if _is_of_races(run) else SESSION_GROUP).job,
        asset_selection=list(run.asset_selection or ()) or None,
        asset_check_keys=checks if checks is None else list(checks),
        tags={
            **({HISTORICAL_TAG: "true"} if BACKFILL in run.tags else {}),
            **{name: run.tags[name] for name in _KEPT_TAGS if name in run.tags},
            ROOT_RUN: run.tags.get(ROOT_RUN, run.run_id),
            PARENT_RUN: run.run_id,
            RESUMED_RUN_TAG: run.run_id,
            ATTEMPT_TAG: str(int(run.tags.get(ATTEMPT_TAG, "1")) + 1),
        },
        run_config=run.run_config,
    )


def _is_of_races(run: dg.DagsterRun) -> bool:
    return any(dataset in RACE_GROUP.datasets for dataset in planned_datasets(run))


def _second_wave(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Iterator[dg.RunRequest]:
    """The races of a backfill whose sessions failed: Dagster never starts them."""
    backfill = instance.get_backfill(run.tags[BACKFILL]) if BACKFILL in run.tags else None
    selected = set(backfill.asset_selection or ()) if backfill else set()
    assets = [key for key in RACE_GROUP.asset_keys if key in selected]
    if not assets or asset_key(SESSIONS) not in selected or _is_of_races(run):
        return
    registered = read_registered(instance)
    covered = set(planned_keys(run, registered))
    keys = [key for key in registered.race_keys if key in covered]
    if keys and not instance.get_runs_count(dg.RunsFilter(tags={LEFT_OUT_BY_TAG: run.run_id})):
        yield dg.RunRequest(
            run_key=f"{run.run_id}/races",
            job_name=RACE_GROUP.job,
            asset_selection=assets,
            tags={
                RANGE_START: keys[0],
                RANGE_END: keys[-1],
                LEFT_OUT_BY_TAG: run.run_id,
                HISTORICAL_TAG: "true",
            },
        )
