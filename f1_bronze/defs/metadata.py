"""The metadata of assets and events: its names, and values as the UI shows them.

Dagster's concept: https://docs.dagster.io/guides/build/assets/metadata-and-tags
"""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import dagster as dg

from f1_bronze.datasets.dataset import EXTRA_FIELDS, Dataset
from f1_bronze.lake.changes import CHANGE_COLUMNS, Changes, change_table

if TYPE_CHECKING:
    import pyarrow as pa

ROW_COUNT = "dagster/row_count"

FASTEST_LAP = "fastest_lap_seconds"
"""Metadata of laps: the best time of the session."""

SESSION_START, SESSION_END = "session_start", "session_end"
"""Metadata of sessions: when the session began, and when it was to end."""

COUNTED_REQUESTS = "api_requests_counted"
"""How many whole calls are counted for a partition: they add up to the calls that were made, while
`api_requests` is its share of a call that it had in common with others."""

SIMULATED, SIMULATED_NOTE = "simulated", "Invented by the simulator; not real Formula 1 data."
"""Metadata of partitions that the simulator has invented, and its value."""

REPEATED_FROM = "told_again_from"
"""Metadata of what an earlier attempt of a run stored: the run of that attempt. The name is that of
older records."""

CHANGES = "changes"
"""What changed, as data (`Changes.to_json`); absent where nothing did or all rows are new, and in
older records."""

PREVIEW_ROWS = 5
CHANGES_SHOWN = 20

_WIDEST_CELL = 40


def column_schema(dataset: Dataset, *, described: bool = True) -> dg.TableSchema:
    """The declared columns as the Dagster catalog shows them, with or without descriptions."""
    columns = [
        dg.TableColumn(
            column.name,
            column.type.value,
            description=column.description if described else None,
            constraints=dg.TableColumnConstraints(nullable=column.nullable),
        )
        for column in dataset.columns
    ]
    extra = dg.TableColumn(
        EXTRA_FIELDS,
        "string (JSON)",
        description="What no declared column can hold, so that the API's record can be rebuilt."
        if described
        else None,
    )
    return dg.TableSchema(columns=[*columns, extra])


def show_path(uri: str) -> str:
    """A file's path where it is local, so that the UI offers to copy it; else the URI as it is.

    >>> show_path("file:///data/a%20b.parquet"), show_path("s3://bucket/a")
    ('/data/a b.parquet', 's3://bucket/a')
    """
    return unquote(uri.removeprefix("file://")) if uri.startswith("file://") else uri


def show_changes(dataset: Dataset, changes: Changes) -> str:
    """Added, removed and changed rows by key, and changed values by column, as Markdown.

    At most 20 lines; `f1-bronze history` lists them all.
    """
    lines: list[Sequence[Any]] = list(change_table(dataset, changes))
    if not lines:
        return "Nothing."
    more = len(lines) - CHANGES_SHOWN
    if more > 0:
        lines[CHANGES_SHOWN:] = [(f"… {more} more", None, None, None, None)]
    return markdown_table(CHANGE_COLUMNS, lines)


def show_rows(table: "pa.Table") -> str:
    """The first rows as a Markdown table; columns that are null throughout are left out.

    >>> import pyarrow as pa
    >>> print(show_rows(pa.table({"lap": [1, 2], "none": pa.array([None, None], pa.string())})))
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
    names: Sequence[str], rows: Sequence[Sequence[Any]], *, widest: int = _WIDEST_CELL
) -> str:
    """A table as Markdown; cells are escaped and cut to `widest` characters."""
    cells = ([_show_cell(value, widest) for value in row] for row in rows)
    lines = [names, ["---"] * len(names), *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _show_cell(value: Any, widest: int) -> str:
    if isinstance(value, datetime):
        value = value.replace(tzinfo=None).isoformat(" ", "milliseconds")
    text = "" if value is None else str(value)
    text = text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")
    return text if len(text) <= widest else text[: widest - 1] + "…"
