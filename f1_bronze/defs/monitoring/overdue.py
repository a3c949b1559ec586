"""Sessions that should have landed by now and have not.

Belongs here: when a session is due, and what it lacks by Dagster's record. Stays out: telling of it
(alert_sensor.py), the calendar (calendar_reading.py); nothing is asked of OpenF1.
"""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

import dagster as dg

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.defs.partitions import asset_key, parse_key
from f1_bronze.defs.record.calendar_memory import remembered_ends
from f1_bronze.telemetry.alerts.wording import OverdueSession

STALE_AFTER = timedelta(hours=24)

WATCHED = timedelta(days=15)

"""What ended longer ago is history: the weekly run does not come back to it either."""

_READY = timedelta(minutes=45)

_WEEKLY_TAKES = timedelta(hours=3)

_MONDAY_AT_SIX = timedelta(hours=6)


def overdue_sessions(
    instance: dg.DagsterInstance,
    now: datetime,
    *,
    session_types: Collection[str] | None,
    weekly: bool,
) -> list[OverdueSession]:
    """The sessions of the last 15 days that are overdue, in the order of their ends.

    Args:
        instance: whose calendar sensor knows the ends, and whose record knows what landed.
        now: UTC.
        session_types: those that are ingested; None: all.
        weekly: whether new sessions wait for the weekly run.
    """
    ends: dict[SessionPartition, datetime] = {}
    for key, end in remembered_ends(instance).items():
        partition = parse_key(key)
        if partition is None:  # a session whose name gives no key is no partition either
            continue
        is_wanted = session_types is None or partition.session_type in session_types
        if is_wanted and now - end <= WATCHED and now >= due(end, weekly=weekly):
            ends[partition] = end
    keys = {partition.key for partition in ends}
    landed = {
        dataset.name: instance.get_latest_storage_id_by_partition(
            asset_key(dataset), dg.DagsterEventType.ASSET_MATERIALIZATION, keys
        )
        for dataset in DATASETS
        if keys
    }
    found = []
    for partition, end in sorted(ends.items(), key=lambda item: (item[1], item[0].key)):
        missing = tuple(
            dataset.name
            for dataset in DATASETS
            if dataset.exists_for(partition.session_type)
            and partition.key not in landed[dataset.name]
        )
        if missing:
            found.append(OverdueSession(key=partition.key, ended_at=end, missing=missing))
    return found


def due(end: datetime, *, weekly: bool) -> datetime:
    """When a session must have landed: a day after its end, but not before the week's run is over.

    >>> saturday = datetime(2026, 11, 21, 19, 0, tzinfo=UTC)
    >>> due(saturday, weekly=False), due(saturday, weekly=True)  # doctest: +NORMALIZE_WHITESPACE
    (datetime.datetime(2026, 11, 22, 19, 0, tzinfo=datetime.timezone.utc),
     datetime.datetime(2026, 11, 23, 9, 0, tzinfo=datetime.timezone.utc))
    """
    late = end + STALE_AFTER
    if not weekly:
        return late
    ready = (end + _READY).astimezone(UTC)
    midnight = ready.replace(hour=0, minute=0, second=0, microsecond=0)
    monday = midnight - timedelta(days=midnight.weekday()) + _MONDAY_AT_SIX
    tick = monday if ready <= monday else monday + timedelta(days=7)
    return max(late, tick + _WEEKLY_TAKES)
