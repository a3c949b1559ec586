"""What a week's run is to bring, and weeks whose run is still owed.

Belongs here: which sessions and datasets, as which run requests; the notes of due weeks. Stays
out: when that is (schedules.py), reading the calendar (season.py), the runs' work (ingestion.py).
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.partition import PartitionKeyError, SessionPartition
from f1_bronze.defs.assets import OF_ALL_SESSIONS, OF_RACES
from f1_bronze.defs.events import asset_key
from f1_bronze.defs.jobs import bronze_races
from f1_bronze.defs.launch import Plan, recent
from f1_bronze.defs.partitions import (
    F1_RACE_SESSIONS,
    F1_SESSIONS,
    UNFINISHED,
    registered,
)
from f1_bronze.defs.tags import (
    BY_CALENDAR,
    BY_WEEK,
    TRIGGER_TAG,
    WEEK_TAG,
    partition_keys_of,
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


def requests_of_week(
    plan: Plan, registered_keys: Mapping[str, Sequence[str]], week: str
) -> list[dg.RunRequest]:
    """The runs of a week, one for each stretch of neighbours and job."""
    return _requests(plan, registered_keys, week, {TRIGGER_TAG: BY_WEEK, WEEK_TAG: week})


def requests_of_new(
    plan: Plan, registered_keys: Mapping[str, Sequence[str]]
) -> list[dg.RunRequest]:
    """The first runs of new sessions, one for each stretch of neighbours and job."""
    return _requests(plan, registered_keys, "new", {TRIGGER_TAG: BY_CALENDAR})


def _requests(
    plan: Plan,
    registered_keys: Mapping[str, Sequence[str]],
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
        for run in plan.runs(registered_keys)
    ]


def under_way(instance: dg.DagsterInstance, now: datetime) -> dict[str, set[SessionPartition]]:
    """What runs that wait or work will bring, by dataset.

    A run that is older than a day may hang, so it is no reason not to ask.
    """
    known = registered(instance)
    found: dict[str, set[SessionPartition]] = {dataset.name: set() for dataset in DATASETS}
    for run in instance.get_runs(
        dg.RunsFilter(statuses=UNFINISHED, created_after=now - _TRUSTED_FOR)
    ):
        for dataset in _datasets_of(run):
            definition = F1_RACE_SESSIONS if dataset in OF_RACES else F1_SESSIONS
            for key in partition_keys_of(run, known[str(definition.name)]):
                try:
                    found[dataset.name].add(SessionPartition.parse(key))
                except PartitionKeyError:  # added by hand in the UI; the run says so
                    continue
    return found


def _datasets_of(run: dg.DagsterRun) -> Sequence[Dataset]:
    """The datasets that a run of ours means to make; none for somebody else's run."""
    if run.asset_selection is not None:
        return [d for d in DATASETS if asset_key(d) in run.asset_selection]
    if run.job_name == bronze_races.name:
        return OF_RACES
    return OF_ALL_SESSIONS if run.job_name == "bronze_sessions" else ()


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
