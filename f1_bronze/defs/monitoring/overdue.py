"""When a session should be stored, and which sessions of the last days are overdue.

It goes by the calendar that the sensor has read and by Dagster's record; OpenF1 is not asked.
"""

from datetime import UTC, datetime, timedelta

import dagster as dg

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.defs.partitions import parse_key
from f1_bronze.defs.record.calendar_memory import remembered_ends
from f1_bronze.defs.record.latest import recorded_keys
from f1_bronze.defs.resources import Deployment
from f1_bronze.telemetry.alerts.wording import OverdueSession

OVERDUE_AFTER = timedelta(hours=24)
"""A session's data is complete within the hour; a day later it should be stored."""

WATCHED = timedelta(days=15)
"""What ended longer ago is history: the weekly run does not come back to it either."""

_READY = timedelta(minutes=45)
_WEEKLY_RUN_TAKES = timedelta(hours=3)
_MONDAY_AT_SIX = timedelta(hours=6)


def due(end: datetime, *, on_mondays: bool) -> datetime:
    """When a session should be stored: a day after its end, but not before the week's run is over.

    `on_mondays` says whether new sessions wait for the weekly run.

    >>> saturday = datetime(2026, 11, 21, 19, 0, tzinfo=UTC)
    >>> [f"{due(saturday, on_mondays=on_mondays):%A %H:%M}" for on_mondays in (False, True)]
    ['Sunday 19:00', 'Monday 09:00']
    """
    a_day_later = end + OVERDUE_AFTER
    if not on_mondays:
        return a_day_later
    ready = (end + _READY).astimezone(UTC)
    midnight = ready.replace(hour=0, minute=0, second=0, microsecond=0)
    monday = midnight - timedelta(days=midnight.weekday()) + _MONDAY_AT_SIX
    tick = monday if ready <= monday else monday + timedelta(days=7)
    return max(a_day_later, tick + _WEEKLY_RUN_TAKES)


def overdue_sessions(
    instance: dg.DagsterInstance, deployment: Deployment, now: datetime
) -> list[OverdueSession]:
    """The sessions of the last 15 days that are overdue, in the order of their ends.

    Args:
        instance: whose calendar sensor knows the ends, and whose record knows what is stored.
        deployment: whose settings say which types are ingested, and when.
        now: the time, aware.
    """
    types = deployment.settings.session_types
    ends: dict[SessionPartition, datetime] = {}
    for key, end in remembered_ends(instance).items():
        partition = parse_key(key)
        if partition is None:  # a session whose name gives no key is no partition either
            continue
        is_wanted = types is None or partition.session_type in types
        due_at = due(end, on_mondays=deployment.waits_for_monday)
        if is_wanted and due_at <= now <= end + WATCHED:
            ends[partition] = end
    keys = {partition.key for partition in ends}
    recorded = {dataset.name: recorded_keys(instance, dataset, keys) for dataset in DATASETS}
    found = []
    for partition, end in sorted(ends.items(), key=lambda item: (item[1], item[0].key)):
        missing = tuple(
            dataset.name
            for dataset in DATASETS
            if dataset.exists_for(partition.session_type)
            and partition.key not in recorded[dataset.name]
        )
        if missing:
            found.append(OverdueSession(key=partition.key, ended_at=end, missing=missing))
    return found
