"""What the rules of a run may look at: the lake, and what Dagster has on record.

Belongs here: the port `quality.surroundings.Surroundings` filled from a run, the lake and the
instance. Stays out: what is made of it (quality/), where a run keeps its tables (validation.py).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, cached_property

import dagster as dg
import pyarrow as pa

from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.laps import LAPS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.defs.partitions import (
    Registered,
    asset_key,
    read_registered,
)
from f1_bronze.defs.record.latest import latest_materializations
from f1_bronze.defs.run.materialization import FASTEST_LAP
from f1_bronze.lake.errors import NotInLake
from f1_bronze.lake.lake import Lake

EARLIER_SESSIONS = 20

"""How many sessions of the same type make the band that row counts are held against."""

_READERS = 8

Place = tuple[str, SessionPartition]

"""A dataset's name and a session."""


class RunSurroundings:
    """What was seen besides the judged rows: tables of this run first, then lake and record."""

    def __init__(self, lake: Lake, instance: dg.DagsterInstance) -> None:
        self._lake, self._instance = lake, instance
        self._kept: dict[str, dict[SessionPartition, pa.Table]] = {}
        self._metadata: dict[str, dict[str, Mapping[str, dg.MetadataValue]]] = {}

    def keep(self, dataset: Dataset, partition: SessionPartition, table: pa.Table) -> None:
        """Remember what this run has landed, so that it need not be read back."""
        self._kept.setdefault(dataset.name, {})[partition] = table

    def kept(self, places: Iterable[Place]) -> dict[Place, pa.Table]:
        """Those of these tables that this run has landed or read."""
        return {
            (name, partition): self._kept[name][partition]
            for name, partition in places
            if partition in self._kept.get(name, {})
        }

    def tables(
        self, dataset: Dataset, partitions: Sequence[SessionPartition]
    ) -> Mapping[SessionPartition, pa.Table]:
        """What the lake holds of a dataset; a session that has not landed is left out."""
        kept = self._kept.setdefault(dataset.name, {})
        unread = [partition for partition in partitions if partition not in kept]
        if unread:
            landed = self._lake.stored_partitions(
                dataset.name, {partition.year for partition in unread}
            )
            wanted = [partition for partition in unread if partition in landed]
            with ThreadPoolExecutor(_READERS) as pool:
                found = pool.map(lambda partition: self._read(dataset, partition), wanted)
                kept.update({p: t for p, t in zip(wanted, found, strict=True) if t is not None})
        return {partition: kept[partition] for partition in partitions if partition in kept}

    def _read(self, dataset: Dataset, partition: SessionPartition) -> pa.Table | None:
        try:
            return self._lake.read(dataset, partition).table
        except NotInLake:  # moved away since it was listed
            return None

    def earlier_rows(self, dataset: Dataset, partition: SessionPartition) -> Sequence[int]:
        """Row counts of the sessions of that type before this one, the latest first."""
        keys = self._registered.keys(dataset)
        place = keys.index(partition.key) if partition.key in keys else len(keys)
        same = [k for k in keys[:place] if k.rpartition("/")[2] == partition.session_type]
        before = same[: -EARLIER_SESSIONS - 1 : -1]
        counts = {p.key: table.num_rows for p, table in self._kept.get(dataset.name, {}).items()}
        unknown = [key for key in before if key not in counts]
        for key, metadata in self._latest(dataset, unknown).items():
            rows = metadata.get("dagster/row_count")
            if isinstance(rows, dg.IntMetadataValue) and rows.value is not None:
                counts[key] = rows.value
        return [counts[key] for key in before if key in counts]

    def fastest_laps(self, partition: SessionPartition) -> Sequence[float]:
        """Fastest laps in seconds of other sessions of that Grand Prix, in any season."""
        kept = self._kept.get(LAPS.name, {})
        circuits = {partition.grand_prix, *(p.grand_prix for p in kept)}
        keys = [
            key
            for key in self._registered.session_keys
            if key.split("/")[1:2] and key.split("/")[1] in circuits
        ]
        latest = self._latest(LAPS, keys)  # of all circuits of the run at once
        others = [k for k in keys if k != partition.key and k.split("/")[1] == partition.grand_prix]
        found = [latest[key].get(FASTEST_LAP) for key in others]
        return [
            one.value
            for one in found
            if isinstance(one, dg.FloatMetadataValue) and one.value is not None
        ]

    def not_landed(self, dataset: Dataset, year: int) -> Sequence[SessionPartition]:
        """Registered sessions of the season, up to the latest of this run, that the lake lacks.

        Those behind it are left to the runs that will come to them.
        """
        order = [p for p in self._registered.sessions if p.year == year]
        kept = self._kept.get(dataset.name, {})
        here = [place for place, partition in enumerate(order) if partition in kept]
        landed = self._landed(dataset.name, year)
        return [p for p in order[: max(here, default=len(order)) + 1] if p not in landed]

    @cache  # noqa: B019  one object a run
    def _landed(self, dataset: str, year: int) -> set[SessionPartition]:
        return self._lake.stored_partitions(dataset, {year})

    @cached_property
    def _registered(self) -> Registered:
        return read_registered(self._instance)

    def _latest(
        self, dataset: Dataset, keys: Collection[str]
    ) -> Mapping[str, Mapping[str, dg.MetadataValue]]:
        """The metadata of the latest materialization of each key; asked once a run for a key."""
        known = self._metadata.setdefault(dataset.name, {})
        unknown = {key for key in keys if key not in known}
        if unknown:
            known.update({key: {} for key in unknown})
            for key, record in latest_materializations(
                self._instance, asset_key(dataset), unknown
            ).items():
                if record.asset_materialization is not None:
                    known[key] = record.asset_materialization.metadata
        return known
