"""f1-bronze verify: compares the lake with what its files say and with Dagster's record."""

import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

import click

from f1_bronze.cli.options import FAILED, as_json_option, reports_errors, seasons_argument
from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

    from f1_bronze.defs.resources import Deployment
    from f1_bronze.lake.lake import Lake
    from f1_bronze.lake.verify import Finding, LakeCheck, SoundFile

_DATASET = {dataset.name: dataset for dataset in DATASETS}


class FindingState(StrEnum):
    """What is to be done about a finding."""

    WRONG = "wrong"
    REPAIRED = "repaired"
    RECENT = "may still be in use"  # too recent to be called left behind
    WAITING = "waits for OpenF1"  # nothing is wrong, and nothing can be done yet


@dataclass(frozen=True, kw_only=True)
class FindingLine:
    """One finding as it is printed; `trouble` is its kind."""

    trouble: str
    dataset: str
    partition: str
    detail: str
    uri: str
    state: FindingState = FindingState.WRONG


@click.command()
@seasons_argument
@click.option("--repair", is_flag=True, help="Repair what can be repaired without guessing.")
@as_json_option
@reports_errors
def verify(seasons: tuple[int, ...], repair: bool, as_json: bool) -> None:
    """Read and hash every file of SEASONS and compare the lake with Dagster's record.

    \b
    torn, altered   a file was damaged or changed   --repair moves a current one aside
    missing         recorded, but not in the lake   f1-bronze ingest SEASONS --missing
    unrecorded      in the lake, not in the record  --repair records and checks it
    unchecked       its checks were not evaluated   --repair evaluates them
    unregistered    in the lake, but no partition   --repair registers it
    provisional     named by its place              --repair moves it, once OpenF1 has a name
    unfinished,     left by an interrupted writer   --repair removes it after an hour
    leftover
    foreign         not a file of this lake         move it away by hand
    double          two sessions in one partition   move the wrong one away by hand
    scattered       one session in two partitions   move the wrong one away by hand

    Exit status: 0 nothing is wrong any more, 1 something is wrong or there is no lake.
    """
    from f1_bronze.defs.automation.instance import open_instance, read_instance
    from f1_bronze.defs.resources import Deployment
    from f1_bronze.lake import paths
    from f1_bronze.lake.errors import NoLake
    from f1_bronze.lake.verify import check_lake

    settings = Settings.read()
    deployment = Deployment(settings)
    lake = deployment.lake
    folders = (paths.dataset_folder(dataset) for dataset in _DATASET)
    if not any(True for folder in folders for _ in lake.store.list(folder)) and not (
        check_lake(lake.store, seasons).findings
    ):
        raise NoLake(lake.store.uri(""))
    with open_instance() if repair else read_instance() as instance:
        lines, moved = _move_provisional(instance, deployment, seasons, repair=repair)
        checked = check_lake(lake.store, seasons)
        lines += [_lake_line(lake, finding, repair=repair) for finding in checked.findings]
        lines += _unregistered(instance, checked.sound, repair=repair)
        # Before the checks, which look for holes among what is registered.
        lines += _given_up(instance, lake, seasons, repair=repair)
        for dataset in _DATASET:
            files = [file for file in checked.sound if file.dataset == dataset]
            recorded = _recorded(instance, dataset, seasons)
            stored = lake.stored_partitions(dataset, seasons)
            lines += [
                _missing(lake, dataset, partition)
                for partition in sorted(recorded.keys() - stored)
                if not _is_elsewhere(instance, lake, dataset, partition)
            ]
            lines += _unrecorded(instance, lake, files, recorded, repair=repair)
        lines += _unchecked(instance, lake, settings, seasons, lines, repair=repair)
        # One line for a move, and not for each thing that it takes.
        lines = [one for one in lines if not (_is_repaired(one) and one.partition in moved)]
    status = FAILED if any(line.state is FindingState.WRONG for line in lines) else 0
    if as_json:
        _print_json(lake, checked, lines, status)
    else:
        _print(lake, checked, lines)
    sys.exit(status)


def _move_provisional(
    instance: "dg.DagsterInstance",
    deployment: "Deployment",
    years: Collection[int],
    *,
    repair: bool,
) -> tuple[list[FindingLine], set[str]]:
    """The sessions that their place names, and the keys of the partitions that some moved to."""
    from f1_bronze.cli.provisional_moves import find_provisional, move

    lines, moved = [], set()
    for session in find_provisional(instance, deployment, years):
        name, why = session.name, session.detail
        state = FindingState.WRONG if name.moves_to else FindingState.WAITING
        named = (
            f" It belongs to {name.moves_to.key} ({session.grand_prix})." if name.moves_to else ""
        )
        detail = f"{name.text}{named}"
        if name.moves_to and repair:
            why = move(deployment.lake, session)
            moved.add(name.moves_to.key)
            if not why:
                state = FindingState.REPAIRED
                detail = f"Moved to {name.moves_to.key}, with all its revisions."
        lines.append(
            FindingLine(
                trouble="provisional",
                dataset="",
                partition=name.partition.key,
                detail=detail + why,
                uri="",
                state=state,
            )
        )
    return lines, moved


def _is_repaired(line: FindingLine) -> bool:
    return line.state is FindingState.REPAIRED


def _given_up(
    instance: "dg.DagsterInstance", lake: "Lake", years: Collection[int], *, repair: bool
) -> Iterator[FindingLine]:
    """Partitions that are empty since their session was moved, and are registered still."""
    from f1_bronze.cli.provisional_moves import find_given_up, give_up

    for partition, home in list(find_given_up(instance, lake, years)):
        if repair and give_up(instance, partition, home):
            continue  # it belongs to the move
        yield FindingLine(
            trouble="provisional",
            dataset="",
            partition=partition.key,
            detail=f"Its session was moved to {home.key}, and it is registered still. "
            f"`f1-bronze verify {partition.year} --repair` removes it while no run is under way.",
            uri="",
            state=FindingState.RECENT if repair else FindingState.WRONG,
        )


def _lake_line(lake: "Lake", finding: "Finding", *, repair: bool) -> FindingLine:
    from f1_bronze.lake.verify import repair_finding

    now = datetime.now(UTC)
    line = FindingLine(
        trouble=finding.defect.value,
        dataset=finding.dataset,
        partition=finding.partition.key if finding.partition else "",
        detail=finding.detail,
        uri=lake.store.uri(finding.path),
    )
    if finding.may_be_at_work(now):
        return replace(line, state=FindingState.RECENT)
    if repair and repair_finding(lake.store, finding, now=now):
        return replace(line, state=FindingState.REPAIRED)
    return line


def _unregistered(
    instance: "dg.DagsterInstance", files: Sequence["SoundFile"], *, repair: bool
) -> list[FindingLine]:
    """Sessions of which the lake has files and that are no partitions of Dagster's."""
    from f1_bronze.defs.partitions import read_registered, register

    known = read_registered(instance).session_keys
    chronological = _chronological(files)
    lines = [
        FindingLine(
            trouble="unregistered",
            dataset="",
            partition=partition.key,
            detail="The lake holds files of it, and Dagster has no such partition.",
            uri="",
            state=FindingState.REPAIRED if repair else FindingState.WRONG,
        )
        for partition in chronological
        if partition.key not in known
    ]
    if lines and repair:
        register(instance, chronological)
    return lines


def _chronological(files: Sequence["SoundFile"]) -> list[SessionPartition]:
    """The partitions by the start of their session; those without one at the end of their year."""
    unknown = datetime.max.replace(tzinfo=UTC)
    starts = {
        file.partition: start
        for file in files
        if file.dataset == "sessions"
        for start in file.file.table.column("date_start").to_pylist()
        if start is not None
    }
    return sorted(
        {file.partition for file in files}, key=lambda p: (p.year, starts.get(p, unknown), p)
    )


def _recorded(
    instance: "dg.DagsterInstance", dataset: str, years: Collection[int]
) -> dict[SessionPartition, str | None]:
    """The data version of the latest materialization of each partition on record."""
    import dagster as dg

    from f1_bronze.defs.partitions import asset_key, parse_key

    key = asset_key(_DATASET[dataset])
    tags = instance.event_log_storage.get_latest_tags_by_partition(
        key, dg.DagsterEventType.ASSET_MATERIALIZATION, tag_keys=["dagster/data_version"]
    )
    parsed = {text: parse_key(text) for text in instance.get_materialized_partitions(key)}
    return {
        partition: tags.get(text, {}).get("dagster/data_version")
        for text, partition in parsed.items()
        if partition is not None and partition.year in years
    }


def _is_elsewhere(
    instance: "dg.DagsterInstance", lake: "Lake", dataset: str, partition: SessionPartition
) -> bool:
    """Whether what is recorded of a partition was moved to another one with its session."""
    from f1_bronze.defs.record.latest import read_latest
    from f1_bronze.defs.record.provisional_names import NAMED_BY_PLACE

    recorded = read_latest(instance, _DATASET[dataset], [partition.key])[partition.key]
    home = lake.session_partitions([partition.year]).get(recorded.value("session_key"))
    was_provisional = recorded.value(NAMED_BY_PLACE) is not None
    return was_provisional and home not in (None, partition)


def _missing(lake: "Lake", dataset: str, partition: SessionPartition) -> FindingLine:
    from f1_bronze.lake.paths import partition_folder

    return FindingLine(
        trouble="missing",
        dataset=dataset,
        partition=partition.key,
        detail="Recorded, but not in the lake. Ingest it again: f1-bronze ingest "
        f"{partition.year} --grand-prix {partition.grand_prix} "
        f"--session-type {partition.session_type} --missing",
        uri=lake.store.uri(partition_folder(dataset, partition)),
    )


def _unrecorded(
    instance: "dg.DagsterInstance",
    lake: "Lake",
    files: Sequence["SoundFile"],
    recorded: dict[SessionPartition, str | None],
    *,
    repair: bool,
) -> Iterator[FindingLine]:
    """Files of a dataset whose content is not that of the latest materialization."""
    first = {file.partition: file for file in reversed(files)}  # of two in one place the first
    for partition, file in sorted(first.items()):
        version = recorded.get(partition)
        if version == file.file.provenance.content_sha256:
            continue
        uri = lake.store.uri(file.path)
        if repair:
            instance.report_runless_asset_event(materialization_of(file, uri))
        yield FindingLine(
            trouble="unrecorded",
            dataset=file.dataset,
            partition=partition.key,
            detail=f"Dagster's record has another content ({version[:12]})."
            if version
            else "Dagster's record has no materialization of this file.",
            uri=uri,
            state=FindingState.REPAIRED if repair else FindingState.WRONG,
        )


def _unchecked(
    instance: "dg.DagsterInstance",
    lake: "Lake",
    settings: Settings,
    years: Collection[int],
    found: Sequence[FindingLine],
    *,
    repair: bool,
) -> list[FindingLine]:
    """Partitions on record whose checks were not evaluated on what they hold now.

    What was found to be unrecorded is checked too, and not listed twice.
    """
    from f1_bronze.defs.partitions import parse_key
    from f1_bronze.lake.paths import partition_folder

    before = _find_unchecked(instance, lake, years)
    if before and repair:
        _evaluate_checks(instance, settings, before)
    left = _find_unchecked(instance, lake, years) if before and repair else before
    listed = {(line.dataset, line.partition) for line in found}
    lines = []
    for dataset, keys in before.items():
        for key in sorted(keys):
            is_left = key in left.get(dataset, ())
            if (dataset.name, key) in listed and not is_left:
                continue
            partition = parse_key(key)
            assert partition is not None  # read from the lake's file names
            lines.append(
                FindingLine(
                    trouble="unchecked",
                    dataset=dataset.name,
                    partition=key,
                    detail="Its checks were not evaluated on the rows that it has now.",
                    uri=lake.store.uri(partition_folder(dataset.name, partition)),
                    state=FindingState.WRONG if is_left else FindingState.REPAIRED,
                )
            )
    return lines


def _find_unchecked(
    instance: "dg.DagsterInstance", lake: "Lake", years: Collection[int]
) -> dict[Dataset, set[str]]:
    from f1_bronze.defs.record.check_results import checked_keys
    from f1_bronze.defs.record.latest import recorded_keys

    unchecked = {}
    for dataset in DATASETS:
        stored = {p.key for p in lake.stored_partitions(dataset.name, years)}
        recorded = recorded_keys(instance, dataset, stored)
        if keys := recorded - checked_keys(instance, dataset, recorded):
            unchecked[dataset] = keys
    return unchecked


def _evaluate_checks(
    instance: "dg.DagsterInstance", settings: Settings, unchecked: dict[Dataset, set[str]]
) -> None:
    from f1_bronze.definitions import assemble
    from f1_bronze.defs.automation.launch import execute_checks, plan_runs
    from f1_bronze.defs.partitions import read_registered

    definitions = assemble(settings)
    for run in plan_runs(read_registered(instance), unchecked):
        execute_checks(run, definitions=definitions, instance=instance)


def materialization_of(sound: "SoundFile", uri: str) -> "dg.AssetMaterialization":
    """The event that records a file, from what the file itself says."""
    import dagster as dg

    from f1_bronze.defs.metadata import column_schema, show_rows
    from f1_bronze.defs.partitions import asset_key
    from f1_bronze.defs.run.materialization import dataset_metadata

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
            **dataset_metadata(dataset, file.table),
        },
        tags={
            "dagster/data_version": file.provenance.content_sha256,
            "dagster/code_version": str(file.provenance.schema_version),
        },
    )


def _print_json(
    lake: "Lake", checked: "LakeCheck", lines: Sequence[FindingLine], status: int
) -> None:
    from f1_bronze.cli.console import print_json

    print_json(
        {
            "status": status,
            "lake": lake.store.uri(""),
            "files": checked.files,
            "revisions": checked.revisions,
            "findings": [asdict(line) for line in lines],
        }
    )


def _print(lake: "Lake", checked: "LakeCheck", lines: Sequence[FindingLine]) -> None:
    from f1_bronze.cli.console import print_rows, stdout

    def count(state: FindingState, trouble: str | None = None) -> int:
        return sum(line.state is state and trouble in (None, line.trouble) for line in lines)

    console = stdout()
    for line in lines:
        place = " ".join(filter(None, (line.dataset, line.partition))) or line.uri
        console.print(
            f"{line.trouble} ({line.state.value}): {place}: {line.detail}",
            style="red" if line.state is FindingState.WRONG else None,
            markup=False,
            soft_wrap=True,
        )
    rows = [
        {"trouble": trouble, **{state.value: count(state, trouble) for state in FindingState}}
        for trouble in dict.fromkeys(line.trouble for line in lines)
    ]
    print_rows(console, rows)
    wrong, repaired = count(FindingState.WRONG), count(FindingState.REPAIRED)
    verdict = f"{wrong} wrong, {repaired} repaired" if wrong or repaired else "nothing is wrong"
    if waiting := count(FindingState.WAITING):
        verdict += f", {waiting} provisional"
    console.print(
        f"{checked.files:,} current files and {checked.revisions:,} revisions read in "
        f"{lake.store.uri('')}: {verdict}.",
        soft_wrap=True,
    )
