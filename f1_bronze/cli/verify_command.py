"""f1-bronze verify: is the lake what it says, and what Dagster says of it?

Belongs here: comparing with Dagster's record, mending the record, what a person sees. Stays out:
the checks of the lake alone (lake/verifying.py).
"""

import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import click

from f1_bronze.cli.options import FAILED, Seasons, as_json_option, told
from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

    from f1_bronze.lake.lake import Lake
    from f1_bronze.lake.verify import Finding, LakeCheck, SoundFile


MISSING, UNRECORDED, UNREGISTERED = "missing", "unrecorded", "unregistered"

_DATASET = {dataset.name: dataset for dataset in DATASETS}


class State(StrEnum):
    """What is to be done about a finding."""

    WRONG = "wrong"
    MENDED = "mended"
    WAITING = "may be at work"  # too young to be called left behind


@dataclass(frozen=True, kw_only=True)
class Line:
    """One finding as it is told."""

    trouble: str
    dataset: str
    partition: str
    detail: str
    uri: str
    state: State = State.WRONG


@click.command()
@click.argument("seasons", type=Seasons())
@click.option("--repair", is_flag=True, help="Mend what can be mended without inventing anything.")
@as_json_option
@told
def verify(seasons: tuple[int, ...], repair: bool, as_json: bool) -> None:
    """Read and hash every file of SEASONS and compare the lake with Dagster's record.

    \b
    torn, altered   a file was damaged or changed   --repair moves a current one aside
    missing         recorded, but not in the lake   f1-bronze ingest SEASONS --missing
    unrecorded      in the lake, not in the record  --repair records it
    unregistered    in the lake, but no partition   --repair registers it
    unfinished,     left by an interrupted writer   --repair removes it after an hour
    leftover
    foreign, double not ours, or two in one place   to be moved away by hand

    Exit status: 0 all is well or was mended, 1 something is wrong.
    """
    from f1_bronze.defs.automation.instance import open_instance
    from f1_bronze.lake.lake import Lake
    from f1_bronze.lake.s3 import S3Writes
    from f1_bronze.lake.verify import check_lake

    settings = Settings.read()
    lake = Lake.at(settings.lake_uri, S3Writes(**settings.s3_writes))
    checked = check_lake(lake.store, seasons)
    lines = [_of_lake(lake, finding, repair=repair) for finding in checked.findings]
    with open_instance() as instance:
        record = _Record(instance, lake, seasons, repair=repair)
        lines += record.compared(checked, lines)
    status = FAILED if any(line.state is State.WRONG for line in lines) else 0
    _print(lake, checked, lines, status, as_json=as_json)
    sys.exit(status)


def _of_lake(lake: "Lake", finding: "Finding", *, repair: bool) -> Line:
    from f1_bronze.lake.verify import repair_finding

    now = datetime.now(UTC)
    line = Line(
        trouble=finding.defect.value,
        dataset=finding.dataset,
        partition=finding.partition.key if finding.partition else "",
        detail=finding.detail,
        uri=lake.store.uri(finding.path),
    )
    if finding.may_be_at_work(now):
        return replace(line, state=State.WAITING)
    if repair and repair_finding(lake.store, finding, now=now):
        return replace(line, state=State.MENDED)
    return line


class _Record:
    """What Dagster tells of these seasons, beside what the lake holds."""

    def __init__(
        self, instance: "dg.DagsterInstance", lake: "Lake", years: Collection[int], *, repair: bool
    ) -> None:
        self._instance, self._lake, self._years, self._repair = instance, lake, years, repair

    def compared(self, checked: "LakeCheck", told: Sequence[Line]) -> list[Line]:
        """What the two do not agree on; what is wrong in the lake itself was told already."""
        lines = self._unregistered(checked.sound)
        by_dataset: dict[str, dict[SessionPartition, SoundFile]] = {name: {} for name in _DATASET}
        for sound in checked.sound:
            by_dataset[sound.dataset].setdefault(sound.partition, sound)
        for name, sounds in by_dataset.items():
            recorded = self._recorded(name)
            landed = self._lake.stored_partitions(name, self._years)
            lines += [
                self._missing(name, partition) for partition in sorted(recorded.keys() - landed)
            ]
            for partition, sound in sorted(sounds.items()):
                version = recorded.get(partition)
                if version != sound.file.provenance.content_sha256:
                    lines.append(self._unrecorded(sound, version))
        return lines

    def _recorded(self, name: str) -> dict[SessionPartition, str | None]:
        """The data version that was recorded last, by partition."""
        import dagster as dg

        from f1_bronze.defs.partitions import asset_key, parse_key

        key = asset_key(_DATASET[name])
        tags = self._instance.event_log_storage.get_latest_tags_by_partition(
            key, dg.DagsterEventType.ASSET_MATERIALIZATION, tag_keys=["dagster/data_version"]
        )
        recorded: dict[SessionPartition, str | None] = {}
        for text in self._instance.get_materialized_partitions(key):
            partition = parse_key(text)
            if partition is not None and partition.year in self._years:
                recorded[partition] = tags.get(text, {}).get("dagster/data_version")
        return recorded

    def _missing(self, name: str, partition: SessionPartition) -> Line:
        from f1_bronze.lake.paths import partition_folder

        return Line(
            trouble=MISSING,
            dataset=name,
            partition=partition.key,
            detail="Recorded, but not in the lake. Land it again: f1-bronze ingest "
            f"{partition.year} --session-type {partition.session_type} --missing",
            uri=self._lake.store.uri(partition_folder(name, partition)),
        )

    def _unrecorded(self, sound: "SoundFile", version: str | None) -> Line:
        line = Line(
            trouble=UNRECORDED,
            dataset=sound.dataset,
            partition=sound.partition.key,
            detail=f"The record tells of another content ({version[:12]})."
            if version
            else "No materialization tells of this file.",
            uri=self._lake.store.uri(sound.path),
        )
        if not self._repair:
            return line
        self._instance.report_runless_asset_event(materialization_of(sound, line.uri))
        return replace(line, state=State.MENDED)

    def _unregistered(self, sounds: Sequence["SoundFile"]) -> list[Line]:
        from f1_bronze.defs.partitions import read_registered, register

        known = read_registered(self._instance).session_keys
        ordered = _chronological(sounds)
        lines = [
            Line(
                trouble=UNREGISTERED,
                dataset="",
                partition=partition.key,
                detail="The lake holds files of it, and Dagster has no such partition.",
                uri="",
                state=State.MENDED if self._repair else State.WRONG,
            )
            for partition in ordered
            if partition.key not in known
        ]
        if lines and self._repair:
            register(self._instance, ordered)
        return lines


def _chronological(sounds: Sequence["SoundFile"]) -> list[SessionPartition]:
    """The partitions by the start of their session; those without one end their year."""
    late = datetime.max.replace(tzinfo=UTC)
    started = {
        sound.partition: moment
        for sound in sounds
        if sound.dataset == "sessions"
        for moment in sound.file.table.column("date_start").to_pylist()
        if moment is not None
    }
    return sorted(
        {sound.partition for sound in sounds}, key=lambda p: (p.year, started.get(p, late), p)
    )


def materialization_of(sound: "SoundFile", uri: str) -> "dg.AssetMaterialization":
    """The event that records a file from what the file itself can tell."""
    import dagster as dg

    from f1_bronze.defs.metadata import column_schema, show_rows
    from f1_bronze.defs.partitions import asset_key

    dataset, file = _DATASET[sound.dataset], sound.file
    return dg.AssetMaterialization(
        asset_key=asset_key(dataset),
        partition=sound.partition.key,
        description="Recorded by f1-bronze verify --repair: the file was in the lake already.",
        metadata={
            "dagster/row_count": file.table.num_rows,
            "dagster/uri": uri,
            "dagster/column_schema": column_schema(dataset),
            "session_key": sound.session_key,
            "size_bytes": sound.size_bytes,
            "content_sha256": file.provenance.content_sha256,
            "revision": "unchanged",
            "preview": dg.MetadataValue.md(show_rows(file.table)),
        },
        tags={
            "dagster/data_version": file.provenance.content_sha256,
            "dagster/code_version": str(file.provenance.schema_version),
        },
    )


def _print(
    lake: "Lake", checked: "LakeCheck", lines: Sequence[Line], status: int, *, as_json: bool
) -> None:
    from f1_bronze.cli.console import plain, print_json, print_rows

    if as_json:
        findings: list[dict[str, Any]] = [
            {
                "trouble": line.trouble,
                "state": line.state.value,
                "dataset": line.dataset,
                "partition": line.partition,
                "detail": line.detail,
                "uri": line.uri,
            }
            for line in lines
        ]
        print_json(
            {
                "status": status,
                "lake": lake.store.uri(""),
                "files": checked.files,
                "revisions": checked.revisions,
                "findings": findings,
            }
        )
        return
    console = plain()
    for line in lines:
        where = " ".join(filter(None, (line.dataset, line.partition))) or line.uri
        console.print(
            f"{line.trouble} ({line.state.value}): {where}: {line.detail}",
            style="red" if line.state is State.WRONG else None,
            markup=False,
            soft_wrap=True,
        )
    rows = [
        {"trouble": trouble, **{state.value: count(lines, trouble, state) for state in State}}
        for trouble in dict.fromkeys(line.trouble for line in lines)
    ]
    print_rows(console, rows, total=False)
    wrong, mended = (sum(line.state is s for line in lines) for s in (State.WRONG, State.MENDED))
    verdict = f"{wrong} wrong, {mended} mended" if wrong or mended else "all is well"
    console.print(
        f"{checked.files:,} files and {checked.revisions:,} kept ones read in "
        f"{lake.store.uri('')}: {verdict}.",
        soft_wrap=True,
    )


def count(lines: Sequence[Line], trouble: str, state: State) -> int:
    """How many findings of a trouble are in a state."""
    return sum(line.trouble == trouble and line.state is state for line in lines)
