"""Which upstream content a partition was made from, in Dagster's own terms.

Belongs here: the tags by which Dagster tells a partition that is in sync with its upstream from one
that is not. An op that returns its outputs gets these tags for nothing; one that records
materializations itself must set them. Stays out: the rest of the event (events.py).
"""

from collections.abc import Collection, Mapping

import dagster as dg

from f1_bronze.datasets.partition import SessionPartition

_NEVER = "NULL"  # Dagster's word for an upstream that has not been materialized


def upstream_tags(
    instance: dg.DagsterInstance,
    upstream: dg.AssetKey,
    partitions: Collection[SessionPartition],
) -> Mapping[SessionPartition, Mapping[str, str]]:
    """For each partition the tags that name the same partition of its upstream as it is now.

    Two queries, whatever the number of partitions.
    """
    latest = instance.get_latest_storage_id_by_partition(
        upstream,
        dg.DagsterEventType.ASSET_MATERIALIZATION,
        {partition.key for partition in partitions},
    )
    versions: dict[int, str] = {}
    if latest:
        records = instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=upstream, storage_ids=list(latest.values())),
            limit=len(latest),
        ).records
        for record in records:
            tags = record.event_log_entry.tags or {}
            versions[record.storage_id] = tags.get("dagster/data_version", _NEVER)
    name = upstream.to_user_string()
    return {
        partition: {
            f"dagster/input_data_version/{name}": versions.get(
                latest.get(partition.key, -1), _NEVER
            ),
            f"dagster/input_event_pointer/{name}": str(latest.get(partition.key, _NEVER)),
        }
        for partition in partitions
    }
