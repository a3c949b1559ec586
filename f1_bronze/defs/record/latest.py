"""The latest materialization of partitions, as Dagster has it on record.

Belongs here: the one way to ask for it, by partition or by id. Stays out: what is read from it.
"""

from collections.abc import Collection, Sequence

import dagster as dg


def latest_materializations(
    instance: dg.DagsterInstance, key: dg.AssetKey, partition_keys: Collection[str]
) -> dict[str, dg.EventLogRecord]:
    """The record by partition key, without the partitions that have none.

    Two queries, whatever the number of partitions.
    """
    if not partition_keys:
        return {}
    latest = instance.get_latest_storage_id_by_partition(
        key, dg.DagsterEventType.ASSET_MATERIALIZATION, set(partition_keys)
    )
    records = materializations(instance, key, latest.values())
    return {record.partition_key: record for record in records if record.partition_key}


def materializations(
    instance: dg.DagsterInstance, key: dg.AssetKey, storage_ids: Collection[int]
) -> Sequence[dg.EventLogRecord]:
    """The records of these materializations of an asset."""
    if not storage_ids:
        return []
    return instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=key, storage_ids=list(storage_ids)),
        limit=len(storage_ids),
    ).records
