"""The event of a stored partition: its metadata and tags."""

import socket
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pyarrow as pa

from f1_bronze import __version__
from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.laps import LAPS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.datasets.sessions import SESSIONS, is_simulated
from f1_bronze.defs.metadata import (
    CHANGES,
    COUNTED_REQUESTS,
    FASTEST_LAP,
    REPEATED_FROM,
    ROW_COUNT,
    SESSION_END,
    SESSION_START,
    SIMULATED,
    SIMULATED_NOTE,
    column_schema,
    show_changes,
    show_path,
    show_rows,
)
from f1_bronze.defs.partitions import asset_key
from f1_bronze.defs.record.latest import RecordedMaterialization, read_latest
from f1_bronze.lake.changes import NO_CHANGES
from f1_bronze.lake.landing import Landing, Revision
from f1_bronze.openf1.answers import Counters
from f1_bronze.openf1.batches import SessionAnswer

CHANGES_STORED = 200
"""Rows that came, went or changed and are kept as data in an event; a correction has a few."""

_SHARE_DIGITS = 9
_SAME_IN_ALL_ROWS = ["session_key", "meeting_key"]
_NEVER_MATERIALIZED = "NULL"  # Dagster's word for an upstream that has no materialization


def to_materialization(
    dataset: Dataset,
    partition: SessionPartition,
    landing: Landing,
    answer: SessionAnswer,
    counters: Counters | None,
    upstream: Mapping[str, str],
    chart: str | None,
    naming: Mapping[str, str],
) -> dg.AssetMaterialization:
    """The event of one partition, its content hash as data version.

    `upstream` has the tags of `read_upstream_tags`, empty for a dataset without upstream.
    `counters` is what the run has asked of the API so far, None where an earlier event says it: the
    last event that has it has the run's sums.
    `chart` is Markdown with an image in it, `naming` that of `provisional_names.describe_naming`.
    """
    changes = landing.changes
    return dg.AssetMaterialization(
        asset_key=asset_key(dataset),
        partition=partition.key,
        # In the order of the UI: first what people look at, last what only programs read.
        metadata={
            ROW_COUNT: landing.rows,
            "revision": landing.revision.value,
            **({SIMULATED: SIMULATED_NOTE} if is_simulated(answer.session_key) else {}),
            **naming,
            **({} if chart is None else {"picture": dg.MetadataValue.md(chart)}),
            "what_changed": dg.MetadataValue.md(
                "All rows are new."
                if landing.revision is Revision.NEW
                else show_changes(dataset, changes)
            ),
            "preview": dg.MetadataValue.md(
                show_rows(landing.table.drop_columns(_SAME_IN_ALL_ROWS))
            ),
            **dataset_metadata(dataset, landing.table),
            "rows_added": len(changes.added),
            "rows_removed": len(changes.removed),
            "rows_changed": len(changes.changed),
            "size_bytes": landing.size_bytes,
            "api_requests": round(answer.request_share, _SHARE_DIGITS),
            "api_retries": answer.api_retries,
            "extract_seconds": round(answer.extract_seconds, 4),
            "fetched_at": dg.MetadataValue.timestamp(datetime.now(UTC)),
            "source_url": dg.MetadataValue.url(answer.source_url),
            "file": dg.MetadataValue.path(show_path(landing.uri)),
            "dagster/uri": landing.uri,
            "session_key": answer.session_key,
            "content_sha256": landing.content_sha256,
            "code_version": __version__,
            "host": socket.gethostname(),
            "dagster/partition_row_count": landing.rows,
            # The definition has the descriptions, which the UI adds.
            "dagster/column_schema": column_schema(dataset, described=False),
            **_changes_metadata(dataset, landing),
            COUNTED_REQUESTS: answer.api_requests,
            **({"api_so_far": dg.MetadataValue.json(counters.to_json())} if counters else {}),
        },
        tags={
            "dagster/data_version": landing.content_sha256,
            "dagster/data_version_is_user_provided": "true",
            "dagster/code_version": str(dataset.schema_version),
            **upstream,
        },
    )


def _changes_metadata(dataset: Dataset, landing: Landing) -> dict[str, dg.MetadataValue]:
    """What changed, as data; a new partition has only added rows, all of them in the file."""
    if landing.revision is Revision.NEW or landing.changes == NO_CHANGES:
        return {}
    changes = landing.changes.to_json(dataset, limit=CHANGES_STORED)
    return {CHANGES: dg.MetadataValue.json(changes)}


def dataset_metadata(dataset: Dataset, table: pa.Table) -> dict[str, Any]:
    """What only some datasets record.

    Laps the best time, which the UI plots over the sessions and later sessions are checked by;
    sessions their own times, by which telemetry and freshness go.
    """
    if dataset is LAPS:
        import pyarrow.compute as pc  # half as slow to import as pyarrow itself

        fastest = pc.min(table["lap_duration"]).as_py()
        return {} if fastest is None else {FASTEST_LAP: fastest}
    if dataset is SESSIONS and table.num_rows:
        times = {SESSION_START: table["date_start"][0], SESSION_END: table["date_end"][0]}
        return {
            name: dg.MetadataValue.timestamp(moment.as_py())
            for name, moment in times.items()
            if moment.is_valid
        }
    return {}


def repeat_materialization(recorded: RecordedMaterialization) -> dg.AssetMaterialization:
    """What an earlier attempt of a run stored, for the attempt that resumes it.

    Everything is as it was recorded then, but that no call was made for it now.
    """
    event = recorded.event
    metadata = {
        **event.metadata,
        "api_requests": dg.MetadataValue.float(0.0),
        COUNTED_REQUESTS: dg.MetadataValue.int(0),
        "api_retries": dg.MetadataValue.int(0),
        REPEATED_FROM: dg.MetadataValue.dagster_run(recorded.run_id),
    }
    return dg.AssetMaterialization(
        asset_key=event.asset_key, partition=event.partition, metadata=metadata, tags=event.tags
    )


def read_upstream_tags(
    instance: dg.DagsterInstance, dataset: Dataset, partitions: Collection[SessionPartition]
) -> Mapping[SessionPartition, Mapping[str, str]]:
    """For each partition the tags that name the same partition of `sessions` as it is now.

    Two queries, whatever the number of partitions; `sessions` itself has no upstream.
    """
    if dataset is SESSIONS:
        return {partition: {} for partition in partitions}
    latest = read_latest(instance, SESSIONS, {partition.key for partition in partitions})
    name = asset_key(SESSIONS).to_user_string()

    def tags(recorded: RecordedMaterialization | None) -> dict[str, str]:
        version = recorded.data_version if recorded else None
        return {
            f"dagster/input_data_version/{name}": version or _NEVER_MATERIALIZED,
            f"dagster/input_event_pointer/{name}": str(recorded.storage_id)
            if recorded
            else _NEVER_MATERIALIZED,
        }

    return {partition: tags(latest.get(partition.key)) for partition in partitions}
