"""The latest materialization of each partition, as Dagster has it on record."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData as CheckTarget,  # has no public name
)

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.defs.metadata import CHANGES, REPEATED_FROM, ROW_COUNT, SESSION_END, SESSION_START
from f1_bronze.defs.partitions import asset_key, read_registered
from f1_bronze.lake.changes import Changes


@dataclass(frozen=True, kw_only=True)
class RecordedMaterialization:
    """One materialization of a partition, read back.

    Attributes:
        event: with its partition and metadata.
        tags: those that Dagster keeps with the event: data version, code version, inputs.
        storage_id: its place in the record; SQLite numbers the events of a run and those of an
            asset apart.
    """

    event: dg.AssetMaterialization
    run_id: str
    storage_id: int
    timestamp: float
    tags: Mapping[str, str]

    @classmethod
    def read(cls, record: dg.EventLogRecord) -> "RecordedMaterialization | None":
        """From Dagster's record; None where the record is of another kind of event."""
        entry, event = record.event_log_entry, record.asset_materialization
        if event is None:
            return None
        return cls(
            event=event,
            run_id=entry.run_id,
            storage_id=record.storage_id,
            timestamp=entry.timestamp,
            tags=entry.tags or {},
        )

    def value(self, name: str) -> Any:
        """A value of its metadata; None where it has none of that name."""
        value = self.event.metadata.get(name)
        return None if value is None else value.value

    @property
    def recorded_at(self) -> datetime:
        """When it was recorded, UTC."""
        return datetime.fromtimestamp(self.timestamp, UTC)

    @property
    def rows(self) -> int | None:
        """How many rows the partition held; None where that was not recorded."""
        rows = self.value(ROW_COUNT)
        return rows if isinstance(rows, int) else None

    @property
    def data_version(self) -> str | None:
        """The hash of the content."""
        return self.tags.get("dagster/data_version")

    @property
    def schema_version(self) -> str | None:
        """The version of the declaration that the content follows."""
        return self.tags.get("dagster/code_version")

    @property
    def session_start(self) -> datetime | None:
        """Of `sessions`: when the session began."""
        return self._moment(SESSION_START)

    @property
    def session_end(self) -> datetime | None:
        """Of `sessions`: when the session was to end."""
        return self._moment(SESSION_END)

    @property
    def is_repeated(self) -> bool:
        """Whether an earlier attempt of its run stored the content, and this one recorded it."""
        return REPEATED_FROM in self.event.metadata

    def changes(self, dataset: Dataset) -> Changes | None:
        """What changed; None where nothing did, all rows are new, or in an older record."""
        document = self.value(CHANGES)
        return None if document is None else Changes.from_json(dataset, document)

    @property
    def check_target(self) -> CheckTarget:
        """What ties the evaluation of a check to this materialization."""
        return CheckTarget(storage_id=self.storage_id, run_id=self.run_id, timestamp=self.timestamp)

    def _moment(self, name: str) -> datetime | None:
        value = self.event.metadata.get(name)
        if not isinstance(value, dg.TimestampMetadataValue):
            return None
        return datetime.fromtimestamp(value.value, UTC)


def read_latest(
    instance: dg.DagsterInstance, dataset: Dataset, partition_keys: Collection[str]
) -> dict[str, RecordedMaterialization]:
    """The latest materialization by partition key, without the partitions that have none.

    Two queries, whatever the number of partitions.
    """
    if not partition_keys:
        return {}
    key = asset_key(dataset)
    latest = instance.get_latest_storage_id_by_partition(
        key, dg.DagsterEventType.ASSET_MATERIALIZATION, set(partition_keys)
    )
    found = read_materializations(instance, key, latest.values())
    return {one.event.partition: one for one in found if one.event.partition}


def recorded_sessions(
    instance: dg.DagsterInstance, years: Collection[int], stored: Mapping[int, SessionPartition]
) -> dict[int, SessionPartition]:
    """Session key → partition of registered sessions that were materialized, beside those stored.

    So a session keeps its partition where the lake has nothing readable of it: a file was moved
    away, or the lake is another one. Nothing is asked where the lake has all that is registered.
    """
    placed = set(stored.values())
    left = {
        partition.key: partition
        for partition in read_registered(instance).sessions
        if partition.year in years and partition not in placed
    }
    found: dict[int, SessionPartition] = {}
    for dataset in DATASETS:
        for key, recorded in read_latest(instance, dataset, set(left)).items():
            session_key = recorded.value("session_key")
            if isinstance(session_key, int) and session_key not in stored:
                found.setdefault(session_key, left.pop(key))
    return found


def recorded_keys(
    instance: dg.DagsterInstance, dataset: Dataset, partition_keys: Collection[str]
) -> set[str]:
    """Those of the partitions that have ever been materialized."""
    if not partition_keys:
        return set()
    return set(
        instance.get_latest_storage_id_by_partition(
            asset_key(dataset), dg.DagsterEventType.ASSET_MATERIALIZATION, set(partition_keys)
        )
    )


def unmet_attempts(instance: dg.DagsterInstance, dataset: Dataset) -> dict[str, str]:
    """The latest run of each partition that it was to materialize and has not, or not yet."""
    attempts = instance.event_log_storage.get_latest_asset_partition_materialization_attempts_without_materializations(  # noqa: E501  Dagster's name
        asset_key(dataset)
    )
    return {partition_key: run_id for partition_key, (run_id, _) in attempts.items()}


def read_materializations(
    instance: dg.DagsterInstance, key: dg.AssetKey, storage_ids: Collection[int]
) -> list[RecordedMaterialization]:
    """These materializations of an asset, ours or not."""
    if not storage_ids:
        return []
    records = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=key, storage_ids=list(storage_ids)), limit=len(storage_ids)
    ).records
    return [one for one in map(RecordedMaterialization.read, records) if one is not None]
