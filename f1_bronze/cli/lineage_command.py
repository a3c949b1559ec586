"""f1-bronze lineage: the whole story of one file.

Belongs here: the options, and the story for people and as JSON. Stays out: how the lake tells of
its contents (lake/history.py), what events tell (telemetry/lineage/story.py).
"""

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from f1_bronze.cli.options import as_json_option, dataset_named, nearest_in, told
from f1_bronze.datasets.partition import PartitionKeyError, SessionPartition
from f1_bronze.settings import Settings

if TYPE_CHECKING:
    from f1_bronze.lake.history import Content, History
    from f1_bronze.lake.lake import Lake
    from f1_bronze.telemetry.lineage.story import Asserted, Story, Told


_EVENTS_SHOWN = 30

_ENDS = ("COMPLETE", "FAIL", "ABORT")


@click.command()
@click.argument("dataset_name", metavar="DATASET")
@click.argument("partition_key", metavar="PARTITION")
@as_json_option
@told
def lineage(dataset_name: str, partition_key: str, as_json: bool) -> None:
    """Tell where a partition (laps 2025/bahrain/race) comes from and what became of it.

    Source, runs, rows, checks, revisions and OpenLineage events, as the lake has them. Exit
    status: 0 told, 1 the lake cannot be read, 2 wrong use.
    """
    from f1_bronze.cli.console import print_json
    from f1_bronze.lake.errors import NotInLake
    from f1_bronze.lake.lake import Lake
    from f1_bronze.lake.paths import partition_folder
    from f1_bronze.telemetry.lineage.event_files import EventFiles
    from f1_bronze.telemetry.lineage.story import read_lineage

    dataset = dataset_named(dataset_name)
    lake = Lake.at(Settings.read().lake_uri)
    try:
        partition = SessionPartition.parse(partition_key)
    except PartitionKeyError as error:
        raise click.UsageError(f"{error}{nearest_in(lake, dataset, partition_key)}") from error
    events = EventFiles(lake.store).of_dataset(dataset.name)
    story = read_lineage(partition.key, partition_folder(dataset.name, partition), events)
    history: History | None = None
    try:
        history = lake.history(dataset, partition)
    except NotInLake as error:
        if not story.events:
            raise click.UsageError(f"{error}{nearest_in(lake, dataset, partition_key)}") from error
    if as_json:
        print_json(_to_json(lake, dataset.name, partition, history, story))
    else:
        _print(lake, dataset.name, partition, history, story)


def _current(history: "History | None") -> "Content | None":
    return next((c for c in history.contents if c.is_current), None) if history else None


def _last_landing(story: "Story") -> "Told | None":
    landings = [one for one in story.events if one.event_type == "COMPLETE" and one.output]
    return landings[-1] if landings else None


def _facts(lake: "Lake", history: "History | None", story: "Story") -> dict[str, Any]:
    """What is true of the file now; None for what nothing tells."""
    current, last = _current(history), _last_landing(story)
    file = current.file if current else None
    source = file.provenance.source if file else None
    return {
        "file": lake.store.uri(current.path) if current else None,
        "session_key": file.provenance.session_key if file else None,
        "source": (last.source if last else None) or source,
        "rows": file.table.num_rows if file else None,
        "size_bytes": current.size_bytes if current else None,
        "content_sha256": file.provenance.content_sha256 if file else None,
        "last_landing": _moment(last.at) if last else None,
        "last_run": last.dagster_run_id if last else None,
    }


def _print(
    lake: "Lake",
    dataset: str,
    partition: SessionPartition,
    history: "History | None",
    story: "Story",
) -> None:
    from f1_bronze.cli.console import plain, print_rows

    console = plain()
    console.print(f"{dataset} of {partition.key}", style="bold")
    for name, value in _facts(lake, history, story).items():
        if value is not None:
            shown = f"{value:,}" if name in ("rows", "size_bytes") else str(value)
            console.print(f"  {name.replace('_', ' '):<15} {shown}", soft_wrap=True, markup=False)
    if history is None:
        console.print("\nIt has never landed.")
    else:
        console.print("\nRevisions:")
        print_rows(console, [_revision_line(c) for c in history.contents], total=False)
    if story.checks:
        console.print(f"\nChecks of {_moment(story.checks[0].at)}:")
        print_rows(console, [_check_line(one) for one in story.checks], total=False)
    if not story.events:
        console.print(
            "\nNo lineage events. The sensor openlineage_events writes them: is it running?"
        )
        return
    ends = [one for one in story.events if one.event_type in _ENDS]
    console.print("\nEvents:")
    print_rows(console, [_event_line(one) for one in ends[-_EVENTS_SHOWN:]], total=False)
    if len(ends) > _EVENTS_SHOWN:
        console.print(f"and {len(ends) - _EVENTS_SHOWN:,} earlier ones; --json lists them all")


def _revision_line(content: "Content") -> dict[str, Any]:
    changes = content.changes
    return {
        "revision": str(content.number),
        "since": _moment(content.since) or "?",
        "replaced_at": _moment(content.replaced_at) or "current",
        "rows": content.file.table.num_rows if content.file else "(cannot be read)",
        "changed": len(changes.added) + len(changes.removed) + len(changes.changed)
        if changes
        else "",
        "content_sha256": content.file.provenance.content_sha256[:12] if content.file else "",
    }


def _check_line(one: "Asserted") -> dict[str, Any]:
    return {
        "rule": one.rule,
        "verdict": "passed" if one.passed else f"failed ({one.severity})",
        "column": one.column or "",
        "observed": one.observed or "",
    }


def _event_line(one: "Told") -> dict[str, Any]:
    return {
        "at": _moment(one.at),
        "event": one.event_type,
        "job": one.job,
        "revision": one.revision or "",
        "rows": "" if one.rows is None else f"{one.rows:,}",
        "run": one.dagster_run_id or one.run_id,
        "error": one.error or "",
    }


def _to_json(
    lake: "Lake",
    dataset: str,
    partition: SessionPartition,
    history: "History | None",
    story: "Story",
) -> dict[str, Any]:
    return {
        "dataset": dataset,
        "partition": partition.key,
        **_facts(lake, history, story),
        "revisions": [
            {
                "revision": content.number,
                "since": _moment(content.since),
                "replaced_at": _moment(content.replaced_at),
                "rows": content.file.table.num_rows if content.file else None,
                "size_bytes": content.size_bytes,
                "content_sha256": content.file.provenance.content_sha256 if content.file else None,
                "uri": lake.store.uri(content.path),
            }
            for content in (history.contents if history else ())
        ],
        "checks": [{**asdict(one), "at": _moment(one.at)} for one in story.checks],
        "events": [
            {**asdict(one), "at": _moment(one.at), "uri": lake.store.uri(one.path)}
            for one in story.events
        ],
    }


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
