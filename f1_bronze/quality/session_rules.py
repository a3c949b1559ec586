"""Rules about what one session holds as a whole: its rows, columns and fields."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from f1_bronze.datasets.conditions import (
    ColumnsAsDeclared,
    NoEmptyTexts,
    NoFieldsGone,
    NoNewFields,
    NoTextInNumbers,
    NotNull,
    NoTypesChanged,
    OneSession,
    RowCount,
    SessionCondition,
    TypeIs,
)
from f1_bronze.datasets.dataset import EXTRA_FIELDS, ColumnType, Dataset, Rule
from f1_bronze.datasets.schema import arrow_schema
from f1_bronze.quality.context import SessionRows, to_declared_schema
from f1_bronze.quality.verdicts import MOST_ROWS_SHOWN, RuleVerdict, json_ready

# Where `extra_fields` lists the declared fields that a record does not have.
_ABSENT = "$absent"

# By field the rows that have it, and its value there.
_Values = dict[str, dict[int, Any]]


def check_session(
    dataset: Dataset, rules: Sequence[Rule], session: SessionRows
) -> dict[str, RuleVerdict]:
    """By rule the verdict on one session."""
    return _Session(dataset, session).verdicts(rules)


@dataclass(frozen=True, kw_only=True)
class _Drift:
    """How the records of one session differ from the declaration, according to `extra_fields`.

    Attributes:
        new: fields that are not declared.
        texts: fields of number columns that were sent a text.
        changed: other declared fields whose value their column could not hold.
        gone: by declared field the rows that lack it.
    """

    new: _Values = field(default_factory=dict)
    texts: _Values = field(default_factory=dict)
    changed: _Values = field(default_factory=dict)
    gone: dict[str, list[int]] = field(default_factory=dict)


def _read_drift(dataset: Dataset, table: pa.Table) -> _Drift:
    drift = _Drift()
    extras = table.column(EXTRA_FIELDS)
    if extras.null_count == len(extras):
        return drift
    declared = {column.field: column for column in dataset.columns}
    # What a rule of its own is about is not reported twice.
    own = {rule.column for rule in dataset.rules if isinstance(rule.condition, TypeIs)}
    for row, text in enumerate(extras.to_pylist()):
        extra: dict[str, Any] = json.loads(text) if text is not None else {}
        for name in extra.pop(_ABSENT, ()):
            drift.gone.setdefault(name, []).append(row)
        for name, value in extra.items():
            column = declared.get(name)
            if column is not None and column.name in own:
                continue
            if column is None:
                values = drift.new
            elif isinstance(value, str) and column.type in (ColumnType.INTEGER, ColumnType.FLOAT):
                values = drift.texts
            else:
                values = drift.changed
            # A name that begins with $ is stored with a second one.
            values.setdefault(name.removeprefix("$"), {})[row] = value
    return drift


class _Session:
    """One session with what its rules share: the rows in the declared schema, and the drift."""

    def __init__(self, dataset: Dataset, session: SessionRows) -> None:
        self._dataset, self._session = dataset, session
        self._table = to_declared_schema(dataset, session.table)
        self._rows: int = self._table.num_rows
        self._drift = _read_drift(dataset, self._table)

    def verdicts(self, rules: Iterable[Rule]) -> dict[str, RuleVerdict]:
        return {
            rule.name: self._verdict(rule, rule.condition)
            for rule in rules
            if isinstance(rule.condition, SessionCondition)
        }

    def _verdict(self, rule: Rule, condition: SessionCondition) -> RuleVerdict:
        match condition:
            case RowCount(low, high):
                passed = low <= self._rows and (high is None or self._rows <= high)
                observed = _count_rows(self._rows)
                return RuleVerdict.make(
                    rule, passed=passed, observed=observed, rows_seen=self._rows
                )
            case ColumnsAsDeclared():
                stored = self._session.table.schema
                differences = _differences(arrow_schema(self._dataset), stored)
                return RuleVerdict.make(
                    rule,
                    passed=not differences,
                    observed="; ".join(differences) or f"{len(stored)} columns",
                    rows_seen=self._rows,
                )
            case OneSession():
                return self._one_session(rule)
            case NoNewFields():
                return self._no_drift(rule, self._drift.new, "new")
            case NoTextInNumbers():
                return self._no_drift(rule, self._drift.texts, "is a text")
            case NoTypesChanged():
                return self._no_drift(rule, self._drift.changed, "does not fit")
            case NoEmptyTexts():
                return self._no_drift(rule, self._empty_texts(), "is empty")
            case NoFieldsGone(come_and_go):
                return self._no_fields_gone(rule, come_and_go)

    def _one_session(self, rule: Rule) -> RuleVerdict:
        counts = {
            entry["values"]: entry["counts"]
            for entry in self._table.column("session_key").value_counts().to_pylist()
            if entry["values"] is not None
        }
        if not counts:
            return RuleVerdict.not_checked(rule, "no rows to check")
        most = max(counts, key=lambda key: counts[key])
        foreign = {key: count for key, count in sorted(counts.items()) if key != most}
        return RuleVerdict.make(
            rule,
            passed=not foreign,
            observed=f"session_key {', '.join(str(key) for key in (most, *foreign))}",
            rows_seen=sum(counts.values()),
            unexpected_count=sum(foreign.values()),
            unexpected_rows=[{"session_key": key} for key in foreign],
        )

    def _no_drift(self, rule: Rule, fields: _Values, what: str) -> RuleVerdict:
        types = {column.field: column.type.value for column in self._dataset.columns}
        findings = []
        for name, values in fields.items():
            example = json.dumps(next(iter(values.values())), ensure_ascii=False)[:60]
            declared = f"; {types[name]} is declared" if name in types else ""
            where = _count_rows(len(values))
            findings.append(f"{name} {what} in {where}, for example {example}{declared}")
        rows = {row for values in fields.values() for row in values}
        return self._drifted(rule, findings, len(rows), self._evidence(rows, fields))

    def _empty_texts(self) -> _Values:
        # To a rule that wants a value in every row an empty text is none.
        wanted = {
            rule.column
            for rule in self._dataset.rules
            if isinstance(rule.condition, NotNull)
            and rule.mostly == 1
            and rule.scope.last_year is None
        }
        texts = [c.name for c in self._dataset.columns if c.type is ColumnType.TEXT]
        texts = [name for name in texts if name not in wanted]
        found: _Values = {}
        for name in texts:
            values = self._table.column(name).to_pylist()
            empty = {row: value for row, value in enumerate(values) if value is not None}
            empty = {row: value for row, value in empty.items() if not value.strip()}
            if empty and (2 * len(empty) <= self._rows or self._rows == 1):
                found[name] = empty
        return found

    def _no_fields_gone(self, rule: Rule, come_and_go: Sequence[str]) -> RuleVerdict:
        known = {self._dataset.column(name).field for name in come_and_go}
        missing = [name for name in self._session.absent_columns if name not in known]
        lacking = {name: rows for name, rows in self._drift.gone.items() if name not in known}
        findings = [f"{name} is gone" for name in missing]
        findings += [f"{name} is gone from {_count_rows(len(r))}" for name, r in lacking.items()]
        rows = {row for rows in lacking.values() for row in rows}
        count = self._rows if missing else len(rows)
        return self._drifted(rule, findings, count, self._evidence(rows, {}))

    def _drifted(
        self, rule: Rule, findings: Sequence[str], count: int, evidence: list[dict[str, Any]]
    ) -> RuleVerdict:
        if not self._rows:
            return RuleVerdict.not_checked(rule, "no rows to check")
        return RuleVerdict.make(
            rule,
            passed=not findings,
            observed="; ".join(findings) or "none",
            rows_seen=self._rows,
            unexpected_count=count,
            unexpected_rows=evidence,
        )

    def _evidence(self, rows: Iterable[int], fields: _Values) -> list[dict[str, Any]]:
        """The first of these rows: their key, and the values that are in no column."""
        first = sorted(rows)[:MOST_ROWS_SHOWN]
        if not first:
            return []
        keys = self._table.select(list(self._dataset.key)).take(first).to_pylist()
        return [
            json_ready(key | {n: values[row] for n, values in fields.items() if row in values})
            for row, key in zip(first, keys, strict=True)
        ]


def _count_rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def _differences(declared: pa.Schema, stored: pa.Schema) -> list[str]:
    """How a schema differs from the declared one, in words."""
    found = [f"{name} is missing" for name in declared.names if name not in stored.names]
    found += [f"{name} is not declared" for name in stored.names if name not in declared.names]
    found += [
        f"{one.name} is {stored.field(one.name).type} instead of {one.type}"
        for one in declared
        if stored.names.count(one.name) == 1 and not stored.field(one.name).type.equals(one.type)
    ]
    if not found and stored.names != declared.names:
        found = [f"the order is {', '.join(stored.names)}"]
    return found
