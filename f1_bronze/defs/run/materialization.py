"""What Dagster is told of a partition that landed.

Belongs here: the materialization with its metadata and tags, the preview, column schemas. Stays
out: the decision what landed (lake/landing.py).
"""

import socket
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import dagster as dg
import pyarrow as pa

from f1_bronze import __version__
from f1_bronze.datasets.dataset import EXTRA_FIELDS, Dataset
from f1_bronze.datasets.laps import LAPS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.datasets.sessions import SESSIONS
from f1_bronze.lake.changes import RowKey
from f1_bronze.lake.landing import Landing, Revision
from f1_bronze.openf1.answers import Counters
from f1_bronze.openf1.batches import SessionAnswer

FASTEST_LAP = "fastest_lap_seconds"

"""Metadata of laps: the best time of the session."""

TOLD_AGAIN_FROM = "told_again_from"

"""Metadata of what an earlier attempt has landed: the run of that attempt."""

SESSION_START, SESSION_END = "session_start", "session_end"

"""Metadata of sessions: when the session began, and when it was to end."""

PREVIEW_ROWS = 5

CHANGES_SHOWN = 20

_CELL = 40

_SAME_IN_ALL = ("session_key", "meeting_key")


def asset_key(dataset: Dataset) -> dg.AssetKey:
    """`bronze/<dataset>`."""
    return dg.AssetKey(["bronze", dataset.name])


def column_schema(dataset: Dataset) -> dg.TableSchema:
    """The declared columns as the Dagster catalog shows them."""
    columns = [
        dg.TableColumn(
            column.name,
            column.type.value,
            description=column.description,
            constraints=dg.TableColumnConstraints(nullable=column.nullable),
        )
        for column in dataset.columns
    ]
    extra = dg.TableColumn(
        EXTRA_FIELDS,
        "string (JSON)",
        description="What no declared column can hold, so that the API's record can be rebuilt.",
    )
    return dg.TableSchema(columns=[*columns, extra])


def materialization(
    dataset: Dataset,
    partition: SessionPartition,
    landing: Landing,
    answer: SessionAnswer,
    counters: Counters,
    upstream: Mapping[str, str],
    picture: str | None,
) -> dg.AssetMaterialization:
    """The event of one partition, its content hash as data version.

    `upstream` has the tags of `provenance.upstream_tags`, empty for a dataset without upstream.
    `counters` is what the run has asked of the API so far: the last event has the run's sums.
    `picture` is Markdown with an image in it.
    """
    changes = landing.changes
    return dg.AssetMaterialization(
        asset_key=asset_key(dataset),
        partition=partition.key,
        # In the order of the UI: first what people look at, last what only programs read.
        metadata={
            "dagster/row_count": landing.rows,
            "revision": landing.revision.value,
            **({} if picture is None else {"picture": dg.MetadataValue.md(picture)}),
            "what_changed": dg.MetadataValue.md(what_changed(dataset, landing)),
            "preview": dg.MetadataValue.md(preview(landing.table.drop_columns(list(_SAME_IN_ALL)))),
            **_of_dataset(dataset, landing.table),
            "rows_added": len(changes.added),
            "rows_removed": len(changes.removed),
            "rows_changed": len(changes.changed),
            "size_bytes": landing.size_bytes,
            "api_requests": answer.api_requests,
            "api_retries": answer.api_retries,
            "extract_seconds": round(answer.extract_seconds, 4),
            "fetched_at": dg.MetadataValue.timestamp(datetime.now(UTC)),
            "source_url": dg.MetadataValue.url(answer.source_url),
            "file": dg.MetadataValue.path(as_path(landing.uri)),
            "dagster/uri": landing.uri,
            "session_key": answer.session_key,
            "content_sha256": landing.content_sha256,
            "code_version": __version__,
            "host": socket.gethostname(),
            "dagster/partition_row_count": landing.rows,
            "dagster/column_schema": column_schema(dataset),
            "api_so_far": dg.MetadataValue.json(counters.to_json()),
        },
        tags={
            "dagster/data_version": landing.content_sha256,
            "dagster/data_version_is_user_provided": "true",
            "dagster/code_version": str(dataset.schema_version),
            **upstream,
        },
    )


def _of_dataset(dataset: Dataset, table: pa.Table) -> dict[str, Any]:
    """What only some datasets tell.

    Laps the best time, which plots over the sessions and by which later ones are judged; sessions
    their own times, by which telemetry and freshness go.
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


def told_again(event: dg.AssetMaterialization, run_id: str) -> dg.AssetMaterialization:
    """What an earlier attempt of a run has landed, for the attempt that goes on with it.

    Everything is as it was told then, but that no call was made for it now.
    """
    metadata = {
        **event.metadata,
        "api_requests": dg.MetadataValue.int(0),
        "api_retries": dg.MetadataValue.int(0),
        TOLD_AGAIN_FROM: dg.MetadataValue.dagster_run(run_id),
    }
    return dg.AssetMaterialization(
        asset_key=event.asset_key, partition=event.partition, metadata=metadata, tags=event.tags
    )


def as_path(uri: str) -> str:
    """Where a file lies as people paste it into a shell or a query.

    >>> as_path("file:///data/my%20lake/x.parquet"), as_path("s3://bucket/lake/x.parquet")
    ('/data/my lake/x.parquet', 's3://bucket/lake/x.parquet')
    """
    return unquote(uri.removeprefix("file://")) if uri.startswith("file://") else uri


def what_changed(dataset: Dataset, landing: Landing) -> str:
    """Added, removed and changed rows by key, and changed values by column, as Markdown.

    At most 20 rows; the whole of it can be had by `f1-bronze history`.
    """
    if landing.revision is Revision.NEW:
        return "All rows are new."
    changes = landing.changes
    lines = []
    for word, keys in (("added", changes.added), ("removed", changes.removed)):
        lines += [f"| {word} | {_key(dataset, key)} | | | |" for key in keys]
    for row in changes.changed_values:
        lines += [
            f"| changed | {_key(dataset, row.key)} | {value.column} "
            f"| {_cell(value.before)} | {_cell(value.after)} |"
            for value in row.values
        ]
    told = {row.key for row in changes.changed_values}
    # Rows that share a key changed too, but no one can tell which became which.
    lines += [
        f"| changed | {_key(dataset, key)} | | | |" for key in changes.changed if key not in told
    ]
    if not lines:
        return "Nothing."
    more = len(lines) - CHANGES_SHOWN
    head = ["| what | row | column | before | after |", "| --- | --- | --- | --- | --- |"]
    tail = [f"| … {more} more | | | | |"] if more > 0 else []
    return "\n".join(head + lines[:CHANGES_SHOWN] + tail)


def _key(dataset: Dataset, key: RowKey) -> str:
    """The key without the session, which all rows share."""
    parts = zip(dataset.key, key, strict=True)
    return (
        ", ".join(f"{name} {value}" for name, value in parts if name != "session_key") or "the row"
    )


def preview(table: pa.Table) -> str:
    """The first rows as a Markdown table; columns that are null throughout are left out.

    >>> print(preview(pa.table({"lap": [1, 2], "none": pa.array([None, None], pa.string())})))
    | lap |
    | --- |
    | 1 |
    | 2 |
    """
    if not table.num_rows:
        return "No rows: OpenF1 answered that this session has none."
    head = table.slice(0, PREVIEW_ROWS)
    head = head.select([n for n in head.column_names if head.column(n).null_count < head.num_rows])
    return markdown_table(head.column_names, [list(row.values()) for row in head.to_pylist()])


def markdown_table(
    names: Sequence[str], rows: Sequence[Sequence[Any]], *, widest: int = _CELL
) -> str:
    """A table as Markdown; cells are escaped and cut to `widest` characters."""
    cells = ([_cell(value, widest) for value in row] for row in rows)
    lines = [names, ["---"] * len(names), *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: Any, widest: int = _CELL) -> str:
    if isinstance(value, datetime):
        value = value.replace(tzinfo=None).isoformat(" ", "milliseconds")
    text = "" if value is None else str(value)
    text = text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")
    return text if len(text) <= widest else text[: widest - 1] + "…"
