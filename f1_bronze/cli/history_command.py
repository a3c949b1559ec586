"""f1-bronze history: the revisions of a partition, and the rows of one of them."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from f1_bronze.cli.options import (
    Time,
    as_json_option,
    find_dataset,
    reports_errors,
    suggesting_partitions,
)
from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.settings import Settings

if TYPE_CHECKING:
    from f1_bronze.lake.history import Content, History, SetAside
    from f1_bronze.lake.lake import Lake
    from f1_bronze.lake.parquet import StoredFile

SPARE = ("bytes", "content_sha256", "removed", "added")
"""Columns of `revision_row` that a narrow terminal leaves out, in this order."""
_ROWS_SHOWN = 20
_VALUES_SHOWN = 20
_WIDEST_LIST, _WIDEST_VALUE = 12, 32


@click.command()
@click.argument("dataset_name", metavar="DATASET")
@click.argument("partition_key", metavar="PARTITION")
@click.option("--at", type=Time(), metavar="TIME", help="The rows that were current then (UTC).")
@click.option("--revision", type=click.IntRange(min=1), metavar="N", help="The rows of number N.")
@as_json_option
@reports_errors
def history(
    dataset_name: str, partition_key: str, at: datetime | None, revision: int | None, as_json: bool
) -> None:
    """List the revisions of a partition (laps 2025/bahrain/race), or print one of them.

    Exit status: 0 printed, 1 the lake cannot be read, 2 wrong use.
    """
    if at is not None and revision is not None:
        raise click.UsageError("--at and --revision exclude each other; give one.")
    from f1_bronze.lake.errors import NotInLake
    from f1_bronze.lake.lake import Lake

    dataset = find_dataset(dataset_name)
    lake = Lake.at(Settings.read().lake_uri)
    with suggesting_partitions(lake, dataset, partition_key):
        found = lake.history(dataset, SessionPartition.parse(partition_key))
    try:
        content = found.numbered(revision) if revision else found.at(at) if at else None
    except NotInLake as error:
        raise click.UsageError(str(error)) from error
    if content is None:
        _print_revisions(lake, dataset, found, as_json)
    else:
        _print_rows(lake, dataset, found, content, as_json)


def _print_revisions(lake: "Lake", dataset: Dataset, found: "History", as_json: bool) -> None:
    from f1_bronze.cli.console import print_json, print_rows, stdout

    if as_json:
        print_json(_to_json(lake, dataset, found))
        return
    console = stdout()
    print_rows(console, [revision_row(content) for content in found.contents], spare=SPARE)
    sentence = f"\n{found.name}."
    if found.contents[0].since is None:
        sentence += (
            " No file in the lake shows when revision 1 was stored; Dagster's record of the "
            "partition does."
        )
    console.print(sentence, soft_wrap=True)
    changes = list(_changed_values(dataset, found.contents))
    if changes:
        console.print("\nChanged values:")
        print_rows(console, changes[:_VALUES_SHOWN], fold=("before", "after"))
    if len(changes) > _VALUES_SHOWN:
        console.print(f"… and {len(changes) - _VALUES_SHOWN:,} more; --json lists them all")
    if found.aside:
        console.print("\nKept aside, never current:")
        print_rows(
            console, [_aside_row(lake, one, digits=12) for one in found.aside], fold=("uri",)
        )


def revision_row(content: "Content") -> dict[str, Any]:
    """The columns by which tables show a revision."""
    from f1_bronze.cli.console import UNREADABLE, iso_seconds

    return {
        "revision": str(content.number),
        "since": iso_seconds(content.since) or "?",
        "replaced_at": iso_seconds(content.replaced_at) or "current",
        "rows": content.file.table.num_rows if content.file else UNREADABLE,
        "added": len(content.changes.added) if content.changes else None,
        "removed": len(content.changes.removed) if content.changes else None,
        "changed": len(content.changes.changed) if content.changes else None,
        "bytes": content.size_bytes,
        "content_sha256": _sha256(content.file, 12),
    }


def revision_to_json(lake: "Lake", content: "Content") -> dict[str, Any]:
    """A revision as plain data: number, when it was current, size, hash and address."""
    from f1_bronze.cli.console import iso

    return {
        "revision": content.number,
        "since": iso(content.since),
        "replaced_at": iso(content.replaced_at),
        "rows": content.file.table.num_rows if content.file else None,
        "size_bytes": content.size_bytes,
        "content_sha256": _sha256(content.file),
        "uri": lake.store.uri(content.path),
    }


def _aside_row(lake: "Lake", one: "SetAside", *, digits: int | None = None) -> dict[str, Any]:
    from f1_bronze.cli.console import UNREADABLE

    return {
        "kept_as": one.kept_as.value,
        "rows": one.file.table.num_rows if one.file else UNREADABLE,
        "bytes": one.size_bytes,
        "content_sha256": _sha256(one.file, digits),
        "uri": lake.store.uri(one.path),
    }


def _changed_values(dataset: Dataset, contents: Iterable["Content"]) -> Iterator[dict[str, Any]]:
    for content in contents:
        for row in content.changes.changed_values if content.changes else ():
            key = dict(zip(dataset.key, row.key, strict=True))
            for value in row.values:
                yield {
                    "revision": str(content.number),
                    **{name: str(part) for name, part in key.items() if name != "session_key"},
                    "column": value.column,
                    "before": _shortened(value.before),
                    "after": _shortened(value.after),
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
                **revision_to_json(lake, content),
                "current": content.is_current,
                "changes": changes(content),
            }
            for content in found.contents
        ],
        "kept_aside": [_aside_row(lake, one) for one in found.aside],
    }


def _print_rows(
    lake: "Lake", dataset: Dataset, found: "History", content: "Content", as_json: bool
) -> None:
    from f1_bronze.cli.console import iso, print_json, print_rows, stdout
    from f1_bronze.lake.errors import TornFile

    if content.file is None:
        raise TornFile(
            f"Revision {content.number} of {found.name} cannot be read: "
            f"{lake.store.uri(content.path)} is damaged. Read another revision."
        )
    if as_json:
        print_json(content.file.records(dataset))
        return
    table, console = content.file.table, stdout()
    console.print(
        f"{found.name}, revision {content.number}: {table.num_rows:,} rows, "
        + (f"current since {iso(content.since)}" if content.since else "the oldest in the lake")
        + (f", replaced {iso(content.replaced_at)}." if content.replaced_at else "."),
        soft_wrap=True,
    )
    head = table.slice(0, _ROWS_SHOWN)
    head = head.select([n for n in head.column_names if head.column(n).null_count < head.num_rows])
    rows = [
        {name: "" if value is None else _shortened(value) for name, value in row.items()}
        for row in head.to_pylist()
    ]
    print_rows(console, rows, spare=list(reversed(head.column_names)))
    if table.num_rows > _ROWS_SHOWN:
        console.print(f"… and {table.num_rows - _ROWS_SHOWN:,} more rows; --json prints them all")


def _shortened(value: Any) -> str:
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    widest = _WIDEST_LIST if isinstance(value, list) else _WIDEST_VALUE
    return text if len(text) <= widest else f"{text[: widest - 1]}…"


def _sha256(file: "StoredFile | None", digits: int | None = None) -> str | None:
    return file.provenance.content_sha256[:digits] if file else None
