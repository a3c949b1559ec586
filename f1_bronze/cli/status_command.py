"""f1-bronze status: the coverage of seasons, session by session and dataset by dataset."""

import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from f1_bronze.cli.options import FAILED, as_json_option, reports_errors, seasons_argument
from f1_bronze.datasets import DATASETS
from f1_bronze.settings import Settings

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from f1_bronze.defs.monitoring.coverage import Cell, Coverage
    from f1_bronze.defs.record.provisional_names import ProvisionalName
    from f1_bronze.lake.verify import Finding


_STYLES = {
    "landed": "green",
    "empty": "dim green",
    "outdated": "cyan",
    "refused": "magenta",
    "failed": "bold red",
    "running": "blue",
    "unrecorded": "cyan",
    "unchecked": "cyan",
    "missing": "yellow",
    "overdue": "bold red",
    "provisional": "yellow",
    "": "dim",
}
_ROOM_FOR_NAMES = 100
"""Columns; a narrower terminal gets signs in place of the names of states."""
_NOT_STORED = ("refused", "failed", "missing", "unrecorded", "unchecked")
_MARKS = {"ERROR": ("✗", "bold red"), "WARN": ("!", "yellow")}


@click.command()
@seasons_argument
@as_json_option
@reports_errors
def status(seasons: tuple[int, ...], as_json: bool) -> None:
    """Print the coverage of SEASONS: the state of each dataset of each session.

    A number is the rows in the lake; ✗ after it is a failed ERROR check, ! a warning.

    Exit status: 0 every registered session is stored, in one place, and no ERROR check failed;
    1 otherwise or where no session is registered.
    """
    from f1_bronze.cli.console import print_json
    from f1_bronze.defs.automation.instance import read_instance
    from f1_bronze.defs.monitoring.coverage import read_coverage
    from f1_bronze.defs.resources import Deployment
    from f1_bronze.lake.verify import check_identity

    deployment = Deployment(Settings.read())
    with read_instance() as instance:
        coverage = read_coverage(instance, deployment, seasons)
    misplaced = check_identity(deployment.lake.store, seasons)
    exit_status = 0 if is_complete(coverage) and not misplaced else FAILED
    if as_json:
        about = {
            "status": exit_status,
            "lake": deployment.lake.store.uri(""),
            "seasons": list(seasons),
        }
        places = [
            {
                "trouble": finding.defect.value,
                "dataset": finding.dataset,
                "partition": finding.partition.key if finding.partition else "",
                "detail": finding.detail,
                "uri": deployment.lake.store.uri(finding.path),
            }
            for finding in misplaced
        ]
        print_json(about | to_json(coverage) | {"misplaced": places})
    else:
        print_coverage(coverage, seasons)
        print_misplaced(misplaced)
    sys.exit(exit_status)


def is_complete(coverage: "Coverage") -> bool:
    """Whether there are sessions, all of them are stored, and no ERROR check failed."""
    return bool(coverage.sessions) and not any(
        cell.state in _NOT_STORED or cell.severity == "ERROR" for cell in coverage.cells.values()
    )


def to_json(coverage: "Coverage") -> dict[str, Any]:
    """The matrix as plain data: an object for each dataset that a session has."""

    def to_text(time: datetime | None) -> str | None:
        return time.astimezone(UTC).isoformat(timespec="seconds") if time else None

    def provisional_to_json(name: "ProvisionalName | None") -> dict[str, Any] | None:
        if name is None:
            return None
        return {
            "text": name.text,
            "moves_to": name.moves_to.key if name.moves_to else None,
        }

    def cell_to_json(cell: "Cell") -> dict[str, Any]:
        return {
            "state": cell.state.value,
            "overdue": cell.is_overdue,
            "rows": cell.rows,
            "landed_at": to_text(cell.stored_at),
            "revision": cell.revision,
            "error": cell.error,
            "run": cell.run_id or None,
            "checks": {
                check.check: {"failed": check.severity, "summary": check.summary}
                for check in cell.checks
            },
        }

    return {
        "states": {state.value: count for state, count in coverage.counts().items()},
        "overdue": len(coverage.overdue),
        "unregistered": [partition.key for partition in coverage.unregistered],
        "sessions": [
            {
                "partition": session.key,
                "ended_at": to_text(coverage.ended_at.get(session.key)),
                "provisional": provisional_to_json(coverage.provisional.get(session.key)),
                "datasets": {
                    dataset.name: cell_to_json(cell)
                    for dataset in DATASETS
                    if (cell := coverage.cell(session, dataset)).state
                },
            }
            for session in coverage.sessions
        ],
    }


def print_coverage(coverage: "Coverage", seasons: Sequence[int]) -> None:
    """The matrix, what its words mean, and what is wrong."""
    from rich.table import Table

    from f1_bronze.cli.console import stdout

    console = stdout()
    if coverage.sessions:
        narrow = console.width < _ROOM_FOR_NAMES
        table = Table(box=None, pad_edge=False, padding=(0, 0 if narrow else 1, 0, 0))
        table.add_column("session", overflow="fold")
        for dataset in DATASETS:
            table.add_column(f"{dataset.name} ", justify="right", no_wrap=True)
        for session in coverage.sessions:
            cells = (coverage.cell(session, dataset) for dataset in DATASETS)
            mark = " (by place)" if session.key in coverage.provisional else ""
            table.add_row(session.key + mark, *(_cell_text(cell, narrow) for cell in cells))
        console.print(table, soft_wrap=False)
        console.print()
        _print_counts(console, coverage, narrow)
        _print_problems(console, coverage)
    registered = {session.year for session in coverage.sessions}
    if absent := [year for year in seasons if year not in registered]:
        console.print(_nothing_registered(absent, coverage), soft_wrap=True, markup=False)


def _print_counts(console: "Console", coverage: "Coverage", narrow: bool) -> None:
    from f1_bronze.defs.monitoring.coverage import MEANINGS, SIGNS

    counts = Counter(cell.label for cell in coverage.cells.values())
    for label, sign in SIGNS.items():
        if count := counts[label]:
            meaning = f": {MEANINGS[label]}" if label != "landed" else ""
            shown = f" {sign}" if narrow and sign else ""
            console.print(
                f"{count:>5} {label}{shown}{meaning}", style=_STYLES[label], soft_wrap=True
            )
    if coverage.unregistered:
        years = ",".join(map(str, sorted({one.year for one in coverage.unregistered})))
        count = len(coverage.unregistered)
        console.print(
            f"{count:>5} session{'s are' if count > 1 else ' is'} in the lake but not registered: "
            f"`f1-bronze verify {years} --repair` registers and records them",
            style=_STYLES["unrecorded"],
            soft_wrap=True,
        )


def _print_problems(console: "Console", coverage: "Coverage") -> None:
    """What is wrong and what to do, the worst first."""
    from f1_bronze.defs.monitoring.problems import list_problems

    problems = [problem for problem in list_problems(coverage) if problem.text]
    if problems:
        console.print()
    for problem in problems:
        first = problem.cells[0]
        mark, style = _MARKS.get(problem.kind, ("", _STYLES.get(problem.kind, "")))
        line = f"{first}{problem.more}: {problem.text}"
        if problem.check:
            where = f"{first.partition.key}{problem.more} {first.dataset.name}.{problem.check}"
            line = f"{mark} {where}: {problem.text}"
        console.print(line, style=style, soft_wrap=True, markup=False)


def print_misplaced(findings: Sequence["Finding"]) -> None:
    """Files of sessions that are stored in two partitions, or of two in one."""
    from f1_bronze.cli.console import stdout

    for finding in findings:
        where = f"{finding.dataset} {finding.partition.key if finding.partition else ''}"
        text = f"{finding.defect.value}: {where}: {finding.detail}"
        stdout().print(text, style="bold red", markup=False, soft_wrap=True)


def _cell_text(cell: "Cell", narrow: bool) -> "Text":
    from rich.text import Text

    from f1_bronze.defs.monitoring.coverage import SIGNS

    label = cell.label
    words = f"{cell.rows:,}" if label == "landed" else SIGNS[label] if narrow and label else label
    text = Text(words or "·", style=_STYLES[label])
    mark, style = _MARKS.get(cell.severity or "", (" ", ""))
    text.append(mark, style=style)
    return text


def _nothing_registered(years: Sequence[int], coverage: "Coverage") -> str:
    """What to do about seasons of which no session is registered."""
    named = ", ".join(map(str, years))
    argument = named.replace(" ", "")
    if in_lake := [p for p in coverage.unregistered if p.year in years]:
        return (
            f"No session of {named} is registered, but {len(in_lake)} are in the lake: "
            f"f1-bronze verify {argument} --repair registers and records them."
        )
    return (
        f"No session of {named} is registered. f1-bronze ingest {argument} registers and ingests "
        "them (--dry-run lists them first); the sensor openf1_calendar registers those of the "
        "running season."
    )
