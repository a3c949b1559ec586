"""Which upstream content a partition was made from, in Dagster's own terms.

Belongs here: the tags by which Dagster tells a partition that is in sync with its upstream from one
that is not. An op that returns its outputs gets these tags for nothing; one that records
materializations itself must set them. Stays out: the rest of the event (events.py).
"""

from collections.abc import Collection, Mapping

import dagster as dg

from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.defs.latest import latest_materializations

_NEVER = "NULL"  # Dagster's word for an upstream that has not been materialized


def upstream_tags(
    instance: dg.DagsterInstance,
    upstream: dg.AssetKey,
    partitions: Collection[SessionPartition],
) -> Mapping[SessionPartition, Mapping[str, str]]:
    """For each partition the tags that name the same partition of its upstream as it is now.

    Two queries, whatever the number of partitions.
    """
    latest = latest_materializations(instance, upstream, {one.key for one in partitions})
    name = upstream.to_user_string()

    def tags(record: dg.EventLogRecord | None) -> dict[str, str]:
        told = record.event_log_entry.tags or {} if record is not None else {}
        return {
            f"dagster/input_data_version/{name}": told.get("dagster/data_version", _NEVER),
            f"dagster/input_event_pointer/{name}": str(record.storage_id) if record else _NEVER,
        }

    return {partition: tags(latest.get(partition.key)) for partition in partitions}
