"""What is wrong: rules that are broken, with the rows that broke them, and what did not land.

Belongs here: putting together what belongs together, worst first. Stays out: judging (quality/),
how it looks (page.py and its template).
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.conditions import RowCondition
from f1_bronze.datasets.dataset import Dataset, Rule
from f1_bronze.defs.monitoring.coverage import LATE, Cell, Coverage, Place, State
from f1_bronze.defs.record.check_results import CheckState

MOST_SESSIONS_WITH_ROWS = 12

"""Of a rule that half the season breaks the rows of these many sessions show what is wrong."""

_SAME_IN_ALL = ("session_key", "meeting_key")

_NOT_THERE = (
    "The lake holds no file, and no run has told of a failure. "
    "`f1-bronze ingest {year} --missing` lands it."
)

_UNKNOWN = "This rule was judged then and is not declared any more."


@dataclass(frozen=True, kw_only=True)
class Breach:
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
        judged, held: in how many sessions.
        places: where it is broken, in chronological order.
    """

    dataset: str
    check: str
    name: str
    severity: str
    says: str
    why: str
    about: tuple[str, ...]
    judged: int
    held: int
    places: tuple[Breach, ...]


def standings(coverage: Coverage) -> tuple[RuleStanding, ...]:
    """Every rule that was judged: broken ERROR rules first, then WARN, then those that hold."""
    found = [
        standing
        for dataset in DATASETS
        for (check, name), judged in _by_rule(coverage, dataset).items()
        if (standing := _standing(dataset, check, name, judged)).judged
    ]
    return tuple(
        sorted(
            found,
            key=lambda one: (not one.places, one.severity != "ERROR", -len(one.places)),
        )
    )


_Judged = tuple[Cell, CheckState, Mapping[str, Any]]


def _by_rule(coverage: Coverage, dataset: Dataset) -> dict[tuple[str, str], list[_Judged]]:
    by_rule: dict[tuple[str, str], list[_Judged]] = {}
    for session in coverage.sessions:
        cell = coverage.cell(session, dataset)
        for check in cell.checks:
            for record in check.rules:
                if record["passed"] is not None:
                    place = by_rule.setdefault((check.check, record["rule"]), [])
                    place.append((cell, check, record))
    return by_rule


def _standing(dataset: Dataset, check: str, name: str, judged: Sequence[_Judged]) -> RuleStanding:
    rule = next((rule for rule in dataset.rules if rule.name == name), None)
    broken = [one for one in judged if not one[2]["passed"]]
    return RuleStanding(
        dataset=dataset.name,
        check=check,
        name=name,
        severity=judged[-1][2]["severity"],
        says=rule.says if rule else _UNKNOWN,
        why=rule.why if rule else "",
        about=_about(rule),
        judged=len(judged),
        held=len(judged) - len(broken),
        places=tuple(
            _place(*one, with_rows=number < MOST_SESSIONS_WITH_ROWS)
            for number, one in enumerate(broken)
        ),
    )


def _about(rule: Rule | None) -> tuple[str, ...]:
    condition = rule.condition if rule else None
    return tuple(condition.about) if isinstance(condition, RowCondition) else ()


def _place(cell: Cell, check: CheckState, record: Mapping[str, Any], *, with_rows: bool) -> Breach:
    rows = check.unexpected_rows.get(record["rule"], ()) if with_rows else ()
    declared = (*cell.dataset.key, *cell.dataset.column_names)
    names = {name for row in rows for name in row}
    ordered = (*(name for name in dict.fromkeys(declared) if name in names), *sorted(names))
    told = tuple(dict.fromkeys(ordered))
    telling = tuple(name for name in told if name not in _SAME_IN_ALL) or told
    return Breach(
        key=cell.partition.key,
        observed=record["observed"],
        unexpected_count=record["unexpected_count"],
        columns=telling,
        rows=tuple(tuple(as_text(row.get(name)) for name in telling) for row in rows),
    )


def as_text(value: Any) -> str:
    """A value of a row for people.

    >>> as_text(None), as_text([1, None]), as_text(True), as_text("SOFT")
    ('null', '[1, null]', 'true', 'SOFT')
    """
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Why some datasets of sessions are not as they should be, the same for all of them."""

    state: str
    text: str
    where: tuple[str, ...]


def reasons(coverage: Coverage, late: Collection[Place]) -> tuple[Reason, ...]:
    """Each error once, with everything that it keeps from landing; and what is just not there."""
    grouped: dict[tuple[str, str], list[str]] = {}
    for cell in _chronological(coverage):
        where = f"{cell.dataset.name} of {cell.partition.key}"
        if cell.error:
            grouped.setdefault((cell.state.value, cell.error), []).append(where)
        elif cell.state is State.MISSING:
            state = LATE if cell.place in late else cell.state.value
            text = _NOT_THERE.format(year=cell.partition.year)
            grouped.setdefault((state, text), []).append(where)
    return tuple(
        Reason(state=state, text=text, where=tuple(where))
        for (state, text), where in grouped.items()
    )


def _chronological(coverage: Coverage) -> Iterator[Cell]:
    for session in coverage.sessions:
        for dataset in DATASETS:
            yield coverage.cell(session, dataset)
