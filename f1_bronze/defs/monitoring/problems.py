"""What is wrong: one list of problems for the UI, the terminal and the page; and rule by rule."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.conditions import RowCondition
from f1_bronze.datasets.dataset import Dataset
from f1_bronze.defs.monitoring.coverage import OVERDUE, Cell, CellState, Coverage
from f1_bronze.defs.record.check_results import CheckState

MOST_SESSIONS_WITH_ROWS = 12
"""Of a rule that half the season breaks the rows of these many sessions show what is wrong."""

MOST_PLACES_NAMED = 3
"""A command that concerns more Grands Prix is one for the season."""

PROVISIONAL = "provisional"
"""The kind of a session whose partition has the name of its place for now."""

WORST_FIRST = (
    *("ERROR", "failed", "refused", OVERDUE, "WARN"),
    *("outdated", "unrecorded", "unchecked", "missing", "running", PROVISIONAL),
)

_UNKNOWN_RULE = "This rule was checked then and is not declared any more."
_SAME_IN_ALL = ("session_key", "meeting_key")


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is wrong, the same for each of its cells.

    Attributes:
        kind: the label of the cells, or the severity of the failed check: one of `WORST_FIRST`.
        check: the check that failed; None where it is the dataset that is not as it should be.
        text: why, and what to do; empty where a run is about to store it.
        cells: where, in chronological order.
    """

    kind: str
    check: str | None
    text: str
    cells: tuple[Cell, ...]

    @property
    def dataset(self) -> str:
        """The name of the dataset of the first cell."""
        return self.cells[0].dataset.name

    @property
    def more(self) -> str:
        """How many cells there are besides the first one, in words."""
        return f" and {len(self.cells) - 1} more" if len(self.cells) > 1 else ""


def list_problems(coverage: Coverage) -> list[Problem]:
    """Everything that is wrong, the worst first, each cause once with all the places it affects."""
    found: dict[tuple[str, str | None, tuple[str, ...]], list[Cell]] = {}
    for cell in coverage.chronological():
        if cell.label in WORST_FIRST:
            # What no run has reported is ended by one command for all that it covers.
            covered = ("", str(cell.partition.year), *_options(cell, coverage))
            cause = (cell.error,) if cell.error else covered
            found.setdefault((cell.label, None, cause), []).append(cell)
        for check in cell.checks:
            if check.severity:
                cause = (check.summary, cell.dataset.name)
                found.setdefault((check.severity, check.check, cause), []).append(cell)
    names = coverage.provisional
    for session in coverage.sessions:
        if name := names.get(session.key):
            stored = [cell for d in DATASETS if (cell := coverage.cell(session, d)).has_content]
            if stored:
                found.setdefault((PROVISIONAL, None, (name.text,)), []).append(stored[0])
    problems = [
        Problem(
            kind=kind,
            check=check,
            text=cause[0] or _remedy(cells, coverage),
            cells=tuple(cells),
        )
        for (kind, check, cause), cells in found.items()
    ]
    return sorted(problems, key=lambda problem: WORST_FIRST.index(problem.kind))


def _options(cell: Cell, coverage: Coverage) -> tuple[str, ...]:
    """The options with which `f1-bronze ingest` reaches this cell."""
    options: tuple[str, ...] = ()
    if not coverage.is_ingested(cell.partition):
        options += ("--session-type", cell.partition.session_type)
    if cell.state is CellState.OUTDATED:
        options += ("--dataset", cell.dataset.name)
    return options


def _remedy(cells: Sequence[Cell], coverage: Coverage) -> str:
    """Why it is so, and the command that ends it."""
    first = cells[0]
    places = list(dict.fromkeys(cell.partition.grand_prix for cell in cells))
    words = ["f1-bronze ingest", str(first.partition.year)]
    if len(places) <= MOST_PLACES_NAMED:
        words += [f"--grand-prix {place}" for place in places]
    command = " ".join([*words, *_options(first, coverage)])
    match first.state:
        case CellState.MISSING:
            why = "The lake holds no file, and no run has reported a failure."
            return f"{why} `{command} --missing` stores it."
        case CellState.UNRECORDED:
            why = "The lake holds a file that is not in Dagster's record."
            return f"{why} `f1-bronze verify {first.partition.year} --repair` records it."
        case CellState.UNCHECKED:
            why = "Its checks were not evaluated on the rows that it has now."
            return f"{why} `f1-bronze verify {first.partition.year} --repair` evaluates them."
        case CellState.OUTDATED:
            why = "It was stored before its session or its columns changed."
            return f"{why} `{command}` renews it."
        case _:
            return ""


@dataclass(frozen=True, kw_only=True)
class Violation:
    """One session in which a rule is broken.

    Attributes:
        columns: names of the shown columns, those of `rows` in order.
        rows: as text, one for each row that broke the rule, at most 20.
    """

    key: str
    observed: str
    unexpected_count: int
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def more(self) -> int:
        """How many rows are not shown."""
        return max(0, self.unexpected_count - len(self.rows)) if self.rows else 0


@dataclass(frozen=True, kw_only=True)
class RuleStanding:
    """One rule over all sessions of the report.

    Attributes:
        about: the columns that it is about, to be marked among those of the rows.
        checked: in how many sessions it was checked.
        violations: where it is broken, in chronological order.
    """

    dataset: str
    check: str
    name: str
    severity: str
    says: str
    why: str
    about: tuple[str, ...]
    checked: int
    violations: tuple[Violation, ...]

    @property
    def held(self) -> int:
        """In how many sessions it holds."""
        return self.checked - len(self.violations)


_Result = tuple[Cell, CheckState, Mapping[str, Any]]


def standings(coverage: Coverage) -> tuple[RuleStanding, ...]:
    """Every rule that was checked: broken ERROR rules first, then WARN, then those that hold."""
    results: dict[tuple[str, str, str], list[_Result]] = {}
    for dataset in DATASETS:
        for session in coverage.sessions:
            cell = coverage.cell(session, dataset)
            for check in cell.checks:
                for rule in check.rules:
                    if rule["passed"] is not None:
                        name = (dataset.name, check.check, rule["rule"])
                        results.setdefault(name, []).append((cell, check, rule))
    return tuple(
        sorted(
            (_standing(check, name, found) for (_, check, name), found in results.items()),
            key=lambda one: (not one.violations, one.severity != "ERROR", -len(one.violations)),
        )
    )


def _standing(check: str, name: str, results: Sequence[_Result]) -> RuleStanding:
    dataset: Dataset = results[0][0].dataset
    rule = next((rule for rule in dataset.rules if rule.name == name), None)
    condition = rule.condition if rule else None
    broken = [result for result in results if not result[2]["passed"]]
    return RuleStanding(
        dataset=dataset.name,
        check=check,
        name=name,
        severity=results[-1][2]["severity"],
        says=rule.says if rule else _UNKNOWN_RULE,
        why=rule.why if rule else "",
        about=tuple(condition.columns) if isinstance(condition, RowCondition) else (),
        checked=len(results),
        violations=tuple(
            _violation(*result, with_rows=number < MOST_SESSIONS_WITH_ROWS)
            for number, result in enumerate(broken)
        ),
    )


def _violation(
    cell: Cell, check: CheckState, rule: Mapping[str, Any], *, with_rows: bool
) -> Violation:
    rows = check.unexpected_rows.get(rule["rule"], ()) if with_rows else ()
    names = {name for row in rows for name in row}
    declared = dict.fromkeys((*cell.dataset.key, *cell.dataset.column_names))
    ordered = (*(name for name in declared if name in names), *sorted(names - declared.keys()))
    columns = tuple(name for name in ordered if name not in _SAME_IN_ALL) or ordered
    return Violation(
        key=cell.partition.key,
        observed=rule["observed"],
        unexpected_count=rule["unexpected_count"],
        columns=columns,
        rows=tuple(tuple(as_text(row.get(name)) for name in columns) for row in rows),
    )


def as_text(value: Any) -> str:
    """A value of a row for people.

    >>> as_text(None), as_text([1, None]), as_text(True), as_text("SOFT")
    ('null', '[1, null]', 'true', 'SOFT')
    """
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
