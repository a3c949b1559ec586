"""Partition definitions, their keys, and which datasets share them.

A session is one partition, `YEAR/GRAND_PRIX/SESSION_TYPE`, of a dynamic definition. Everybody who
needs the registered sessions reads them here, parsed. Dagster's concept:
https://docs.dagster.io/guides/build/partitions-and-backfills/partitioning-assets
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import dagster as dg

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import RACE_TYPES, Dataset
from f1_bronze.datasets.partition import PartitionKeyError, SessionPartition

F1_SESSIONS = dg.DynamicPartitionsDefinition(name="f1_sessions")
"""Every session that is ingested."""

F1_RACE_SESSIONS = dg.DynamicPartitionsDefinition(name="f1_race_sessions")
"""Races and sprints: the sessions that have stints and pit stops."""

PARTITION = "dagster/partition"
RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
"""Dagster's tags of a run that say what it is of; Dagster has no public name for them."""

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]
"""Statuses of runs that are under way or will be."""

EARLIER_SESSIONS = 20
"""How many sessions of the same type make the band that row counts are held against."""

_YEAR_OF_UNKNOWN = 10_000
"""Keys that are no session's are ordered behind all seasons."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class DatasetGroup:
    """Datasets that share a partition definition, and the op and the job that ingest them."""

    job: str
    op: str
    partitions_def: dg.DynamicPartitionsDefinition
    datasets: tuple[Dataset, ...]

    @property
    def asset_keys(self) -> tuple[dg.AssetKey, ...]:
        """The keys of the datasets, in their order."""
        return tuple(asset_key(dataset) for dataset in self.datasets)


SESSION_GROUP = DatasetGroup(
    job="bronze_sessions",
    op="ingest_sessions",
    partitions_def=F1_SESSIONS,
    datasets=tuple(dataset for dataset in DATASETS if dataset.session_types is None),
)

RACE_GROUP = DatasetGroup(
    job="bronze_races",
    op="ingest_races",
    partitions_def=F1_RACE_SESSIONS,
    datasets=tuple(dataset for dataset in DATASETS if dataset.session_types is not None),
)

DATASET_GROUPS = (SESSION_GROUP, RACE_GROUP)


def asset_key(dataset: Dataset) -> dg.AssetKey:
    """`bronze/<dataset>`."""
    return dg.AssetKey(["bronze", dataset.name])


DATASET_BY_ASSET_KEY = {asset_key(dataset): dataset for dataset in DATASETS}


def parse_key(key: str | None) -> SessionPartition | None:
    """The session of a partition key; None for no key, and for one that was added by hand.

    Anybody can add a key to a dynamic definition in the UI. A run over such a key fails and says
    so (`run.failures.UnknownPartition`); everybody else leaves it out.
    """
    try:
        return SessionPartition.parse(key) if key else None
    except PartitionKeyError:
        return None


def parse_keys(keys: Iterable[str]) -> list[SessionPartition]:
    """The sessions of these keys, in their order, without keys that were added by hand."""
    return [partition for key in keys if (partition := parse_key(key)) is not None]


@dataclass(frozen=True, kw_only=True)
class Registered:
    """The registered partition keys, in the order of registration (`order_keys`), read once.

    Attributes:
        session_keys: those of `f1_sessions`.
        race_keys: those of `f1_race_sessions`.
    """

    session_keys: tuple[str, ...]
    race_keys: tuple[str, ...]

    @cached_property
    def sessions(self) -> tuple[SessionPartition, ...]:
        """The registered sessions in chronological order."""
        return tuple(in_time(parse_keys(self.session_keys)))

    @property
    def added_by_hand(self) -> tuple[str, ...]:
        """Keys that are no session's: somebody added them in the UI."""
        known = {partition.key for partition in self.sessions}
        return tuple(key for key in self.session_keys if key not in known)

    def keys(self, dataset: Dataset) -> tuple[str, ...]:
        """The keys of the definition by which a dataset is partitioned."""
        return self.session_keys if dataset in SESSION_GROUP.datasets else self.race_keys

    def earlier(self, partition: SessionPartition) -> list[str]:
        """The keys of the latest sessions of its type before it, at most 20, the latest first."""
        keys = self.session_keys
        place = keys.index(partition.key) if partition.key in keys else len(keys)
        same_type = [k for k in keys[:place] if k.rpartition("/")[2] == partition.session_type]
        return same_type[: -EARLIER_SESSIONS - 1 : -1]


class _HasTags(Protocol):
    @property
    def tags(self) -> Mapping[str, str]: ...


class PartitionStore(Protocol):
    """Where dynamic partitions are registered: a Dagster instance, or a remote deployment."""

    def get_dynamic_partitions(self, partitions_def_name: str) -> Sequence[str]:
        """The keys in the order of registration."""

    def add_dynamic_partitions(
        self, partitions_def_name: str, partition_keys: Sequence[str]
    ) -> None:
        """Register keys behind those that are there."""

    def delete_dynamic_partition(self, partitions_def_name: str, partition_key: str) -> None:
        """Take a key off; what was materialized of it stays."""

    def get_runs(self, filters: dg.RunsFilter) -> Sequence[_HasTags]:
        """The runs of some statuses."""


def read_registered(instance: PartitionStore) -> Registered:
    """What is registered now, in two queries."""
    return Registered(
        session_keys=tuple(instance.get_dynamic_partitions(str(F1_SESSIONS.name))),
        race_keys=tuple(instance.get_dynamic_partitions(str(F1_RACE_SESSIONS.name))),
    )


def register(
    instance: PartitionStore, chronological: Sequence[SessionPartition]
) -> tuple[SessionPartition, ...]:
    """Make these sessions partitions of both definitions; returns those that are new.

    The sessions come in chronological order, whole seasons or parts. What is registered already
    stays; `order_keys` says in which order.
    """
    known = read_registered(instance)
    races = [partition for partition in chronological if partition.session_type in RACE_TYPES]
    for definition, keys, sessions in (
        (F1_SESSIONS, known.session_keys, chronological),
        (F1_RACE_SESSIONS, known.race_keys, races),
    ):
        _register(instance, str(definition.name), keys, [partition.key for partition in sessions])
    return tuple(p for p in chronological if p.key not in set(known.session_keys))


def _register(
    instance: PartitionStore, name: str, known: Sequence[str], chronological: Sequence[str]
) -> None:
    wanted = order_keys(known, chronological)
    kept = next(
        (i for i, (a, b) in enumerate(zip(known, wanted, strict=False)) if a != b), len(known)
    )
    if kept == len(known):
        instance.add_dynamic_partitions(name, wanted[kept:])
    elif find_keys_under_way(instance, known).intersection(known[kept:]):
        # A run that resolves its range while its keys are moved would miss some: order can wait.
        missing = [key for key in wanted if key not in set(known)]
        instance.add_dynamic_partitions(name, missing)
        _log.warning(
            "%s: %d partitions are registered out of order, because runs of partitions behind "
            "them are under way; the next registration puts them in order.",
            name,
            len(missing),
        )
    else:
        # Dagster orders keys by registration alone, so those behind the gap are registered anew;
        # what was materialized for them is stored by key and stays. One by one: a process that
        # dies meanwhile leaves one key to be found again, not a season.
        moved = set(known[kept:])
        for key in wanted[kept:]:
            if key in moved:
                instance.delete_dynamic_partition(name, key)
            instance.add_dynamic_partitions(name, [key])


def find_keys_under_way(instance: PartitionStore, known: Sequence[str]) -> set[str]:
    """Those of the registered keys of a definition that unfinished runs are of.

    A run without a partition, or of other partitions (the coverage, a job of the user's), has none.
    """
    places = {key: place for place, key in enumerate(known)}
    found: set[str] = set()
    for run in instance.get_runs(dg.RunsFilter(statuses=UNFINISHED)):
        first = places.get(run.tags.get(RANGE_START, run.tags.get(PARTITION, "")))
        last = places.get(run.tags.get(RANGE_END, run.tags.get(PARTITION, "")))
        if first is not None and last is not None:
            found.update(known[first : last + 1])
    return found


def order_keys(known: Sequence[str], chronological: Sequence[str]) -> list[str]:
    """All keys, each once, in the order of registration: what is often selected lies together.

    A run covers neighbours only. So seasons come in order, in a season its session types (those
    that are ingested by default last and side by side), and in a type the sessions in time.
    Given keys are in the order given; a registered key that is not among them keeps its place
    behind the registered key of its season and type before it. docs/adr/0020 has the figures.

    >>> order_keys(["2024/a/race", "2024/c/race"], ["2024/b/race", "2024/c/race", "2023/z/race"])
    ['2023/z/race', '2024/a/race', '2024/b/race', '2024/c/race']
    >>> order_keys([], ["2024/a/qualifying", "2024/a/race", "2024/b/qualifying", "2024/b/race"])
    ['2024/a/qualifying', '2024/b/qualifying', '2024/a/race', '2024/b/race']
    """
    blocks: dict[tuple[int, int, str], list[str]] = {}
    for key in chronological:
        blocks.setdefault(_block(key), []).append(key)
    given = set(chronological)
    before: dict[tuple[int, int, str], str] = {}
    for key in known:
        place = _block(key)
        block = blocks.setdefault(place, [])
        if key not in given:
            block.insert(block.index(before[place]) + 1 if place in before else 0, key)
        before[place] = key
    return [key for place in sorted(blocks) for key in blocks[place]]


_LAST_TYPES = ("sprint_qualifying", "sprint", "qualifying", "race")
"""Session types as they are registered, behind all others."""


def _block(key: str) -> tuple[int, int, str]:
    """The season of a key, the place of its session type in it, and the type."""
    partition = parse_key(key)
    if partition is None:
        return _YEAR_OF_UNKNOWN, 0, ""
    kind = partition.session_type
    return partition.year, _LAST_TYPES.index(kind) + 1 if kind in _LAST_TYPES else 0, kind


def in_time(registered: Sequence[SessionPartition]) -> list[SessionPartition]:
    """Sessions in chronological order, from those of each type in that order.

    No key has a date. The weekends of a season are in the order in which its types have them, and
    the sessions of a weekend as its timetable has them.

    >>> keys = [f"2024/{name}/practice_1" for name in "abc"] + ["2024/a/race", "2024/c/race"]
    >>> [one.key.removeprefix("2024/") for one in in_time(parse_keys(keys))]
    ['a/practice_1', 'a/race', 'b/practice_1', 'c/practice_1', 'c/race']
    """
    weekends: dict[int, dict[str, list[str]]] = {}
    for one in registered:
        weekends.setdefault(one.year, {}).setdefault(one.session_type, []).append(one.grand_prix)
    places = {
        (year, name): place
        for year, by_type in weekends.items()
        for place, name in enumerate(_merge(by_type.values()))
    }
    return sorted(
        registered,
        key=lambda one: (one.year, places[one.year, one.grand_prix], _time_of_weekend(one)),
    )


def _merge(sequences: Iterable[Sequence[str]]) -> list[str]:
    """One order from parts of it; what is in one part alone comes first, like tests before it."""
    first, *others = sorted(sequences, key=len, reverse=True)
    merged = list(first)
    for sequence in others:
        for at, name in enumerate(sequence):
            if name not in merged:
                before = [merged.index(other) + 1 for other in sequence[:at] if other in merged]
                after = [merged.index(other) for other in sequence[at + 1 :] if other in merged]
                merged.insert(max(before) if before else min(after, default=0), name)
    return merged


_SPRINTS_FIRST = 2024
"""Since then sprints are before qualifying."""


def _time_of_weekend(partition: SessionPartition) -> tuple[int, str]:
    """The place of a session among those of its weekend."""
    order = ["qualifying", "sprint_qualifying", "sprint", "race"]
    if partition.year >= _SPRINTS_FIRST:
        order = ["sprint_qualifying", "sprint", "qualifying", "race"]
    kind = partition.session_type
    return order.index(kind) + 1 if kind in order else 0, kind
