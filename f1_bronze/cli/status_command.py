"""f1-bronze status: what is there of a season, and what is not.

Belongs here: the coverage matrix in colour, and as JSON. Stays out: where the states come from
(defs/coverage.py), the page that shows the same (report.py).
"""

import sys
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from f1_bronze.cli.options import FAILED, Seasons, as_json_option, told
from f1_bronze.datasets import DATASETS
from f1_bronze.defs.monitoring.coverage import LATE, MEANINGS, SIGNS
from f1_bronze.settings import Settings

if TYPE_CHECKING:
    from rich.text import Text

    from f1_bronze.defs.monitoring.coverage import Cell, Coverage, Place


_STYLES = {
    "landed": "green",
    "empty": "dim green",
    "stale": "cyan",
    "refused": "magenta",
    "failed": "bold red",
    "running": "blue",
    "unrecorded": "cyan",
    "missing": "yellow",
    LATE: "bold red",
    "": "dim",
}

_ROOM_FOR_NAMES = 100

_UNWELL = ("refused", "failed", "missing", "unrecorded")

_MARKS = {"ERROR": ("✗", "bold red"), "WARN": ("!", "yellow")}


@click.command()
@click.argument("seasons", type=Seasons())
@as_json_option
@told
def status(seasons: tuple[int, ...], as_json: bool) -> None:
    """Print the coverage of SEASONS: each session, each dataset, and what became of it.

    A number is the rows that the lake holds; ✗ after it is a failed ERROR check, ! a warning.

    Exit status: 0 every registered session has landed and no ERROR check failed, 1 otherwise or
    where no session is registered.
    """
    from f1_bronze.cli.console import print_json
    from f1_bronze.defs.automation.instance import open_instance
    from f1_bronze.defs.monitoring.coverage import coverage_of
    from f1_bronze.lake.lake import Lake

    lake = Lake.at(Settings.read().lake_uri)
    with open_instance() as instance:
        coverage = coverage_of(instance, lake, seasons)
    late = coverage.late(datetime.now(UTC))
    exit_status = FAILED if is_unwell(coverage) else 0
    if as_json:
        about = {"status": exit_status, "lake": lake.store.uri(""), "seasons": list(seasons)}
        print_json(about | to_json(coverage, late))
    else:
        print_coverage(coverage, late, seasons)
    sys.exit(exit_status)


def is_unwell(coverage: "Coverage") -> bool:
    """Whether something has not landed, must not be used, or was never registered."""
    return not coverage.sessions or any(
        cell.state in _UNWELL or cell.severity == "ERROR" for cell in coverage.cells.values()
    )


def to_json(coverage: "Coverage", late: Collection["Place"]) -> dict[str, Any]:
    """The matrix as plain data: a record for each dataset of each session that has it."""
    return {
        "states": {state.value: count for state, count in coverage.counts().items()},
        "late": len(late),
        "unregistered": [partition.key for partition in coverage.unregistered],
        "sessions": [
            {
                "partition": session.key,
                "ended_at": _iso(coverage.ended_at.get(session.key)),
                "datasets": {
                    dataset.name: _record(cell, late)
                    for dataset in DATASETS
                    if (cell := coverage.cell(session, dataset)).state
                },
            }
            for session in coverage.sessions
        ],
    }


def _record(cell: "Cell", late: Collection["Place"]) -> dict[str, Any]:
    return {
        "state": cell.state.value,
        "late": cell.place in late,
        "rows": cell.rows,
        "landed_at": _iso(cell.landed_at),
        "revision": cell.revision,
        "error": cell.error,
        "run": cell.run_id or None,
        "checks": {
            check.check: {"failed": check.severity, "summary": check.summary}
            for check in cell.checks
        },
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat(timespec="seconds") if moment else None


def print_coverage(coverage: "Coverage", late: Collection["Place"], seasons: Sequence[int]) -> None:
    """The matrix, what its words mean, and what is wrong."""
    from rich.table import Table

    from f1_bronze.cli.console import plain

    console = plain()
    there = {session.year for session in coverage.sessions}
    if coverage.sessions:
        narrow = console.width < _ROOM_FOR_NAMES
        table = Table(box=None, pad_edge=False, padding=(0, 0 if narrow else 1, 0, 0))
        table.add_column("session", overflow="fold")
        for dataset in DATASETS:
            table.add_column(f"{dataset.name} ", justify="right", no_wrap=True)
        for session in coverage.sessions:
            cells = (coverage.cell(session, dataset) for dataset in DATASETS)
            table.add_row(session.key, *(_shown(cell, late, narrow) for cell in cells))
        console.print(table)
        console.print()
        _print_counts(console, coverage, late, narrow)
        _print_troubles(console, coverage)
    if absent := [year for year in seasons if year not in there]:
        console.print(nothing_of(absent, coverage), soft_wrap=True, markup=False)


def nothing_of(years: Sequence[int], coverage: "Coverage") -> str:
    """What to do about seasons of which no session is registered."""
    named = ", ".join(map(str, years))
    if found := [p for p in coverage.unregistered if p.year in years]:
        return (
            f"No session of {named} is registered, but the lake holds {len(found)} of them: "
            f"f1-bronze verify {named.replace(' ', '')} --repair registers and records them."
        )
    return (
        f"No session of {named} is registered. f1-bronze ingest {named.replace(' ', '')} lands "
        "those that there are (--dry-run shows them first); the sensor openf1_calendar registers "
        "those of the running season by itself."
    )


def _print_counts(
    console: Any, coverage: "Coverage", late: Collection["Place"], narrow: bool
) -> None:
    counts = {state.value: count for state, count in coverage.counts().items()}
    missing_late = sum(coverage.cells[place].state == "missing" for place in late)
    if missing_late:
        counts["missing"] -= missing_late
        counts[LATE] = missing_late
    for state, count in counts.items():
        if count:
            meaning = f": {MEANINGS[state]}" if state in MEANINGS else ""
            sign = f" {SIGNS[state]}" if narrow and SIGNS[state] else ""
            console.print(
                f"{count:>5} {state}{sign}{meaning}", style=_STYLES[state], soft_wrap=True
            )
    if coverage.unregistered:
        console.print(
            f"{len(coverage.unregistered):>5} sessions are in the lake and no partitions: "
            "f1-bronze verify SEASONS --repair",
            style=_STYLES["unrecorded"],
            soft_wrap=True,
        )


def _print_troubles(console: Any, coverage: "Coverage") -> None:
    """Why what is unwell is so, each reason once; then the checks that failed, ERROR first."""
    errors: dict[str, list[str]] = {}
    checks: dict[tuple[str, str], list[str]] = {}
    for cell in coverage.cells.values():
        if cell.error:
            errors.setdefault(cell.error, []).append(f"{cell.dataset.name} of {cell.partition.key}")
        for check in cell.checks:
            if check.severity:
                where = (check.severity, f"{cell.dataset.name}.{check.check}: {check.summary}")
                checks.setdefault(where, []).append(cell.partition.key)
    if errors or checks:
        console.print()
    for error, places in errors.items():
        console.print(f"{_first(places)}: {error}", style="red", soft_wrap=True, markup=False)
    for (severity, what), places in sorted(checks.items()):
        mark, style = _MARKS[severity]
        line = f"{mark} {_first(places)} {what}"
        console.print(line, style=style, soft_wrap=True, markup=False)


def _first(places: list[str]) -> str:
    return places[0] + (f" and {len(places) - 1} more" if len(places) > 1 else "")


def _shown(cell: "Cell", late: Collection["Place"], narrow: bool) -> "Text":
    from rich.text import Text

    state = LATE if cell.place in late and cell.state == "missing" else cell.state.value
    words = f"{cell.rows:,}" if state == "landed" else SIGNS[state] if narrow and state else state
    text = Text(words or "·", style=_STYLES[state])
    mark, style = _MARKS.get(cell.severity or "", (" ", ""))
    text.append(mark, style=style)
    return text
