"""The two dynamic partition definitions and how sessions become their keys.

Belongs here: registration, always in chronological order, because ranges and chunked backfills
cut along it. Stays out: which sessions exist (openf1/calendar.py).
"""

import logging
from collections.abc import Sequence

import dagster as dg

from f1_bronze.datasets.dataset import RACE_TYPES
from f1_bronze.datasets.partition import PartitionKeyError, SessionPartition

F1_SESSIONS = dg.DynamicPartitionsDefinition(name="f1_sessions")

"""Every session that is ingested."""

F1_RACE_SESSIONS = dg.DynamicPartitionsDefinition(name="f1_race_sessions")

"""Races and sprints: the sessions that have stints and pit stops."""

_log = logging.getLogger(__name__)

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]

"""Statuses of runs that are under way or will be."""


def register(
    instance: dg.DagsterInstance, chronological: Sequence[SessionPartition]
) -> tuple[SessionPartition, ...]:
    """Make these sessions partitions of both definitions; returns those that are new.

    The sessions come in chronological order, whole seasons or parts. Keys of other seasons that
    are registered already stay, in the order of their years.
    """
    known = set(_keys(instance, F1_SESSIONS))
    new = tuple(partition for partition in chronological if partition.key not in known)
    races = [partition for partition in chronological if partition.session_type in RACE_TYPES]
    _register(instance, F1_SESSIONS, [partition.key for partition in chronological])
    _register(instance, F1_RACE_SESSIONS, [partition.key for partition in races])
    return new


def registered(instance: dg.DagsterInstance) -> dict[str, list[str]]:
    """The keys of both definitions by name, in the order of their registration."""
    return {str(d.name): _keys(instance, d) for d in (F1_SESSIONS, F1_RACE_SESSIONS)}


def in_order(known: Sequence[str], chronological: Sequence[str]) -> list[str]:
    """All keys, each once, chronologically as far as that is known.

    Years come in order. Within a year the given keys are in the order given; a registered key
    that is not among them keeps its place behind the registered key before it.

    >>> in_order(["2024/a/race", "2024/c/race"], ["2024/b/race", "2024/c/race", "2023/z/race"])
    ['2023/z/race', '2024/a/race', '2024/b/race', '2024/c/race']
    """
    ordered = sorted(chronological, key=_year)
    given = set(ordered)
    before: str | None = None
    for key in known:
        if key not in given:
            same_year_before = before is not None and _year(before) == _year(key)
            at = (
                ordered.index(before) + 1
                if before is not None and same_year_before
                else sum(1 for other in ordered if _year(other) < _year(key))
            )
            ordered.insert(at, key)
        before = key
    return ordered


def _register(
    instance: dg.DagsterInstance,
    definition: dg.DynamicPartitionsDefinition,
    chronological: Sequence[str],
) -> None:
    name = str(definition.name)
    known = _keys(instance, definition)
    wanted = in_order(known, chronological)
    if wanted[: len(known)] == known:
        instance.add_dynamic_partitions(name, wanted[len(known) :])
        return
    if instance.get_runs_count(dg.RunsFilter(statuses=UNFINISHED)):
        # A run that resolves its range while keys are moved would miss some: order can wait.
        missing = [key for key in wanted if key not in set(known)]
        instance.add_dynamic_partitions(name, missing)
        _log.warning(
            "%s: %d partitions registered out of chronological order, because runs are under "
            "way; the next registration puts them in order.",
            name,
            len(missing),
        )
        return
    kept = next(i for i, (a, b) in enumerate(zip(known, wanted, strict=False)) if a != b)
    # Dagster orders keys by registration alone, so those behind the gap are registered anew;
    # what was materialized for them is stored by key and stays.
    for key in known[kept:]:
        instance.delete_dynamic_partition(name, key)
    instance.add_dynamic_partitions(name, wanted[kept:])


def _keys(instance: dg.DagsterInstance, definition: dg.DynamicPartitionsDefinition) -> list[str]:
    return list(instance.get_dynamic_partitions(str(definition.name)))


def _year(key: str) -> int:
    try:
        return SessionPartition.parse(key).year
    except PartitionKeyError:  # added by hand in the UI; a run over it says so
        return 10_000
