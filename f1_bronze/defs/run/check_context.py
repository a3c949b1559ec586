"""What rules and charts of a run may look at besides their rows: the run, the lake, the record."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property

import dagster as dg
import pyarrow as pa

from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.laps import LAPS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.defs.metadata import FASTEST_LAP
from f1_bronze.defs.partitions import Registered, read_registered
from f1_bronze.defs.record.latest import RecordedMaterialization, read_latest
from f1_bronze.lake.lake import Lake

Place = tuple[str, SessionPartition]
"""A dataset's name and a session."""


class RunCheckContext:
    """The port `quality.context.CheckContext`: tables of this run first, then lake and record."""

    def __init__(self, lake: Lake, instance: dg.DagsterInstance) -> None:
        self._lake, self._instance = lake, instance
        self._kept: dict[str, dict[SessionPartition, pa.Table]] = {}
        self._latest: dict[str, dict[str, RecordedMaterialization | None]] = {}
        self._stored: dict[tuple[str, int], set[SessionPartition]] = {}

    def keep(self, dataset: Dataset, partition: SessionPartition, table: pa.Table) -> None:
        """Remember what this run has stored, so that it need not be read back."""
        self._kept.setdefault(dataset.name, {})[partition] = table

    def kept(self, places: Iterable[Place]) -> dict[Place, pa.Table]:
        """Those of these tables that this run has stored or read."""
        return {
            (name, partition): self._kept[name][partition]
            for name, partition in places
            if partition in self._kept.get(name, {})
        }

    def tables(
        self, dataset: Dataset, partitions: Sequence[SessionPartition]
    ) -> Mapping[SessionPartition, pa.Table]:
        """What the lake holds of a dataset; a session that is not stored is left out."""
        kept = self._kept.setdefault(dataset.name, {})
        unread = [partition for partition in partitions if partition not in kept]
        if unread:
            files = self._lake.read_all(dataset, unread)
            kept.update({partition: file.table for partition, file in files.items()})
        return {partition: kept[partition] for partition in partitions if partition in kept}

    def earlier_rows(self, dataset: Dataset, partition: SessionPartition) -> Sequence[int]:
        """Row counts of the sessions of that type before this one, the latest first."""
        earlier = self._registered.earlier(partition)
        counts = {p.key: table.num_rows for p, table in self._kept.get(dataset.name, {}).items()}
        for key, recorded in self._read_latest(dataset, set(earlier) - counts.keys()).items():
            if recorded.rows is not None:
                counts[key] = recorded.rows
        return [counts[key] for key in earlier if key in counts]

    def fastest_laps(self, partition: SessionPartition) -> Sequence[float]:
        """Fastest laps in seconds of other sessions of that Grand Prix, in any season."""
        kept = self._kept.get(LAPS.name, {})
        circuits = {partition.grand_prix, *(p.grand_prix for p in kept)}
        sessions = [p for p in self._registered.sessions if p.grand_prix in circuits]
        # Of all circuits of the run at once: its other partitions are asked for next.
        latest = self._read_latest(LAPS, {p.key for p in sessions})
        found = [
            latest[p.key].value(FASTEST_LAP)
            for p in sessions
            if p.key in latest and p != partition and p.grand_prix == partition.grand_prix
        ]
        return [seconds for seconds in found if isinstance(seconds, float)]

    def missing_sessions(self, dataset: Dataset, year: int) -> Sequence[SessionPartition]:
        """Registered sessions of the season, up to the latest of this run, that the lake lacks.

        Later ones are left to the runs that will come to them.
        """
        order = [p for p in self._registered.sessions if p.year == year]
        kept = self._kept.get(dataset.name, {})
        here = [place for place, partition in enumerate(order) if partition in kept]
        stored = self._read_stored(dataset.name, year)
        return [p for p in order[: max(here, default=len(order)) + 1] if p not in stored]

    def _read_stored(self, dataset: str, year: int) -> set[SessionPartition]:
        place = dataset, year
        if place not in self._stored:
            self._stored[place] = self._lake.stored_partitions(dataset, {year})
        return self._stored[place]

    @cached_property
    def _registered(self) -> Registered:
        return read_registered(self._instance)

    def _read_latest(
        self, dataset: Dataset, keys: Collection[str]
    ) -> dict[str, RecordedMaterialization]:
        """The latest materialization of each key; asked once a run for a key."""
        known = self._latest.setdefault(dataset.name, {})
        unknown = {key for key in keys if key not in known}
        if unknown:
            known.update(dict.fromkeys(unknown))
            known.update(read_latest(self._instance, dataset, unknown))
        return {key: one for key in keys if (one := known[key]) is not None}
