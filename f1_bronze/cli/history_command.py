"""f1-bronze history: what a partition has held, and when.

Belongs here: the options, the list and the rows for people and as JSON. Stays out: how the lake
tells it (lake/history.py).
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from f1_bronze.cli.options import Moment, as_json_option, dataset_named, nearest_in, told
from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.partition import PartitionKeyError, SessionPartition
from f1_bronze.settings import Settings

if TYPE_CHECKING:
    from f1_bronze.lake.history import Content, History, SetAside
    from f1_bronze.lake.lake import Lake
    from f1_bronze.lake.parquet import StoredFile


_ROWS_SHOWN = 20

_VALUES_SHOWN = 20

_UNKNOWN_ARRIVAL = "When revision 1 arrived no file tells; Dagster's record of the partition does."


@click.command()
@click.argument("dataset_name", metavar="DATASET")
@click.argument("partition_key", metavar="PARTITION")
@click.option("--at", type=Moment(), metavar="TIME", help="The rows that were current then (UTC).")
@click.option("--revision", type=click.IntRange(min=1), metavar="N", help="The rows of number N.")
@as_json_option
@told
def history(
    dataset_name: str, partition_key: str, at: datetime | None, revision: int | None, as_json: bool
) -> None:
    """List the revisions of a partition (laps 2025/bahrain/race), or read one of them.

    Exit status: 0 told, 1 the lake cannot be read, 2 wrong use.
    """
    if at is not None and revision is not None:
        raise click.UsageError("--at and --revision exclude each other; give one.")
    from f1_bronze.lake.errors import NotInLake
    from f1_bronze.lake.lake import Lake

    dataset = dataset_named(dataset_name)
    lake = Lake.at(Settings.read().lake_uri)
    try:
        partition = SessionPartition.parse(partition_key)
        found = lake.history(dataset, partition)
    except (PartitionKeyError, NotInLake) as error:
        raise click.UsageError(f"{error}{nearest_in(lake, dataset, partition_key)}") from error
    if at is None and revision is None:
        _print_list(lake, dataset, found, as_json)
        return
    try:
        content = found.numbered(revision) if revision else found.at(at) if at else None
    except NotInLake as error:
        raise click.UsageError(str(error)) from error
    assert content is not None
    _print_rows(lake, dataset, found, content, as_json)


def _print_list(lake: "Lake", dataset: Dataset, found: "History", as_json: bool) -> None:
    from f1_bronze.cli.console import plain, print_json, print_rows

    if as_json:
        print_json(_to_json(lake, dataset, found))
        return
    console = plain()
    print_rows(console, [_line(content) for content in found.contents], total=False)
    unknown = [_UNKNOWN_ARRIVAL for oldest in found.contents[:1] if oldest.since is None]
    console.print("\n" + " ".join([f"{found.name}.", *unknown]), soft_wrap=True)
    lines = list(_values(dataset, found.contents))
    if lines:
        console.print("\nChanged values:")
        print_rows(console, lines[:_VALUES_SHOWN], total=False)
    if len(lines) > _VALUES_SHOWN:
        console.print(f"… and {len(lines) - _VALUES_SHOWN:,} more; --json lists them all")
    if found.aside:
        console.print("\nKept aside, never current:")
        print_rows(console, [_aside_line(lake, one) for one in found.aside], total=False)


def _line(content: "Content") -> dict[str, Any]:
    changes = content.changes
    return {
        "revision": str(content.number),
        "since": _moment(content.since) or "?",
        "replaced_at": _moment(content.replaced_at) or "current",
        "rows": _rows_of(content.file),
        "added": len(changes.added) if changes else "",
        "removed": len(changes.removed) if changes else "",
        "changed": len(changes.changed) if changes else "",
        "bytes": content.size_bytes,
        "content_sha256": _sha256(content.file)[:12],
    }


def _values(dataset: Dataset, contents: Iterable["Content"]) -> Iterable[dict[str, Any]]:
    for content in contents:
        for row in content.changes.changed_values if content.changes else ():
            key = dict(zip(dataset.key, row.key, strict=True))
            for value in row.values:
                yield {
                    "revision": str(content.number),
                    **{name: str(part) for name, part in key.items() if name != "session_key"},
                    "column": value.column,
                    "before": _short(value.before),
                    "after": _short(value.after),
                }


def _aside_line(lake: "Lake", one: "SetAside") -> dict[str, Any]:
    return {
        "kept_as": one.kept_as.value,
        "rows": _rows_of(one.file),
        "bytes": one.size_bytes,
        "content_sha256": _sha256(one.file)[:12],
        "uri": lake.store.uri(one.path),
    }


def _to_json(lake: "Lake", dataset: Dataset, found: "History") -> dict[str, Any]:
    def named(keys: Iterable[tuple[Any, ...]]) -> list[dict[str, Any]]:
        return [dict(zip(dataset.key, key, strict=True)) for key in keys]

    def changes(content: "Content") -> dict[str, Any] | None:
        if content.changes is None:
            return None
        return {
            "added": named(content.changes.added),
            "removed": named(content.changes.removed),
            "changed": named(content.changes.changed),
            "changed_values": [
                {"key": key, "values": [asdict(value) for value in row.values]}
                for row in content.changes.changed_values
                for key in named([row.key])
            ],
        }

    return {
        "dataset": dataset.name,
        "revisions": [
            {
                "revision": content.number,
                "current": content.is_current,
                "since": _moment(content.since),
                "replaced_at": _moment(content.replaced_at),
                "rows": content.file.table.num_rows if content.file else None,
                "size_bytes": content.size_bytes,
                "content_sha256": _sha256(content.file) if content.file else None,
                "uri": lake.store.uri(content.path),
                "changes": changes(content),
            }
            for content in found.contents
        ],
        "kept_aside": [
            {**_aside_line(lake, one), "content_sha256": _sha256(one.file) if one.file else None}
            for one in found.aside
        ],
    }


def _print_rows(
    lake: "Lake", dataset: Dataset, found: "History", content: "Content", as_json: bool
) -> None:
    from f1_bronze.cli.console import plain, print_json, print_rows
    from f1_bronze.lake.errors import TornFile

    if content.file is None:
        raise TornFile(
            f"Revision {content.number} of {found.name} cannot be read: "
            f"{lake.store.uri(content.path)} was damaged. Read another revision."
        )
    if as_json:
        print_json(content.file.records(dataset))
        return
    table, console = content.file.table, plain()
    until = _moment(content.replaced_at)
    console.print(
        f"{found.name}, revision {content.number}: {table.num_rows:,} rows, "
        + (f"current since {_moment(content.since)}" if content.since else "the oldest in the lake")
        + (f", replaced {until}." if until else "."),
        soft_wrap=True,
    )
    head = table.slice(0, _ROWS_SHOWN)
    head = head.select([n for n in head.column_names if head.column(n).null_count < head.num_rows])
    print_rows(console, [_shown(row) for row in head.to_pylist()], total=False)
    if table.num_rows > _ROWS_SHOWN:
        console.print(f"… and {table.num_rows - _ROWS_SHOWN:,} more rows; --json prints them all")


def _shown(row: Mapping[str, Any]) -> dict[str, str]:
    return {name: "" if value is None else _short(value) for name, value in row.items()}


def _short(value: Any) -> str:
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    widest = 12 if isinstance(value, list) else 32
    return text if len(text) <= widest else f"{text[: widest - 1]}…"


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _rows_of(file: "StoredFile | None") -> Any:
    return file.table.num_rows if file else "(cannot be read)"


def _sha256(file: "StoredFile | None") -> str:
    return file.provenance.content_sha256 if file else ""
