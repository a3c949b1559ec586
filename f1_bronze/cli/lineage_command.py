"""f1-bronze lineage: where a partition comes from, its runs, checks, revisions and events."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from f1_bronze.cli.options import (
    as_json_option,
    find_dataset,
    reports_errors,
    suggesting_partitions,
)
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.settings import Settings

if TYPE_CHECKING:
    from f1_bronze.lake.history import Content
    from f1_bronze.lake.lake import Lake
    from f1_bronze.telemetry.lineage.partition_lineage import PartitionEvent, PartitionLineage

_EVENTS_SHOWN = 30
_END_EVENTS = ("COMPLETE", "FAIL", "ABORT")


@click.command()
@click.argument("dataset_name", metavar="DATASET")
@click.argument("partition_key", metavar="PARTITION")
@as_json_option
@reports_errors
def lineage(dataset_name: str, partition_key: str, as_json: bool) -> None:
    """Show where a partition (laps 2025/bahrain/race) comes from and what became of it.

    Source, runs, rows, checks, revisions and OpenLineage events, as the lake has them. Exit
    status: 0 printed, 1 the lake cannot be read, 2 wrong use.
    """
    from f1_bronze.cli.console import iso, print_json
    from f1_bronze.cli.history_command import revision_to_json
    from f1_bronze.lake.errors import NotInLake
    from f1_bronze.lake.lake import Lake
    from f1_bronze.lake.paths import partition_folder
    from f1_bronze.telemetry.lineage.event_files import EventFiles
    from f1_bronze.telemetry.lineage.partition_lineage import read_lineage

    dataset = find_dataset(dataset_name)
    lake = Lake.at(Settings.read().lake_uri)
    contents: tuple[Content, ...] = ()
    with suggesting_partitions(lake, dataset, partition_key):
        partition = SessionPartition.parse(partition_key)
        events = EventFiles(lake.store).of_dataset(dataset.name)
        found = read_lineage(partition.key, partition_folder(dataset.name, partition), events)
        try:
            contents = lake.history(dataset, partition).contents
        except NotInLake:
            if not found.events:
                raise
    about = {"dataset": dataset.name, "partition": partition.key}
    about |= _facts(lake, contents, found)
    if as_json:
        revisions = [revision_to_json(lake, content) for content in contents]
        checks = [{**asdict(one), "at": iso(one.at)} for one in found.checks]
        listed = [
            {**asdict(one), "at": iso(one.at), "uri": lake.store.uri(one.path)}
            for one in found.events
        ]
        print_json({**about, "revisions": revisions, "checks": checks, "events": listed})
    else:
        _print(about, contents, found)


def _facts(
    lake: "Lake", contents: tuple["Content", ...], found: "PartitionLineage"
) -> dict[str, Any]:
    """What is known of the current file; None for what is not."""
    from f1_bronze.cli.console import iso

    current = next((content for content in contents if content.is_current), None)
    file = current.file if current else None
    stored = [one for one in found.events if one.event_type == "COMPLETE" and one.output]
    last = stored[-1] if stored else None
    source = file.provenance.source if file else None
    return {
        "file": lake.store.uri(current.path) if current else None,
        "session_key": file.provenance.session_key if file else None,
        "source": (last.source if last else None) or source,
        "rows": file.table.num_rows if file else None,
        "size_bytes": current.size_bytes if current else None,
        "content_sha256": file.provenance.content_sha256 if file else None,
        "last_landing": iso(last.at) if last else None,
        "last_run": last.dagster_run_id if last else None,
    }


def _print(
    about: dict[str, Any], contents: tuple["Content", ...], found: "PartitionLineage"
) -> None:
    from f1_bronze.cli.console import iso, print_rows, stdout
    from f1_bronze.cli.history_command import SPARE, revision_row

    console = stdout()
    console.print(f"{about.pop('dataset')} of {about.pop('partition')}", style="bold")
    for name, value in about.items():
        if value is not None:
            shown = f"{value:,}" if name in ("rows", "size_bytes") else str(value)
            console.print(f"  {name.replace('_', ' '):<15} {shown}", soft_wrap=True, markup=False)
    if contents:
        console.print("\nRevisions:")
        print_rows(console, [revision_row(content) for content in contents], spare=SPARE)
    else:
        console.print("\nThe lake has never held it.")
    if found.checks:
        console.print(f"\nChecks of {iso(found.checks[0].at)}:")
        rows = [
            {
                "rule": one.rule,
                "verdict": "passed" if one.passed else f"failed ({one.severity})",
                "column": one.column,
                "observed": one.observed,
            }
            for one in found.checks
        ]
        print_rows(console, rows, spare=("column",), fold=("rule", "observed"))
    ends = [one for one in found.events if one.event_type in _END_EVENTS]
    if not found.events:
        console.print(
            "\nThere are no lineage events. The sensor openlineage_events writes them: check in "
            "`f1-bronze ui` that it is on."
        )
    else:
        console.print("\nEvents:")
        print_rows(
            console,
            [_event_row(one) for one in ends[-_EVENTS_SHOWN:]],
            spare=("revision", "rows", "job"),
            fold=("error",),
        )
    if len(ends) > _EVENTS_SHOWN:
        console.print(f"… and {len(ends) - _EVENTS_SHOWN:,} earlier ones; --json lists them all")


def _event_row(event: "PartitionEvent") -> dict[str, Any]:
    from f1_bronze.cli.console import iso_seconds

    return {
        "at": iso_seconds(event.at),
        "event": event.event_type,
        "job": event.job,
        "revision": event.revision,
        "rows": None if event.rows is None else f"{event.rows:,}",
        "run": event.dagster_run_id or event.run_id,
        "error": event.error,
    }
