"""Verdicts of the rules on what one session holds as a whole: its rows, columns and fields.

Belongs here: the conditions of shape, which no single row fulfils. Stays out: rows (rows.py), other
sessions and datasets (racing/).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from f1_bronze.datasets.conditions import (
    ColumnsAsDeclared,
    NoFieldsGone,
    NoNewFields,
    NoTypesChanged,
    OneSession,
    RowCount,
    SessionCondition,
)
from f1_bronze.datasets.dataset import EXTRA_FIELDS, Dataset, Rule
from f1_bronze.datasets.schema import arrow_schema
from f1_bronze.quality.context import Subject
from f1_bronze.quality.verdicts import MOST_ROWS_SHOWN, RuleVerdict, json_ready

_ABSENT = "$absent"

"""Where `extra_fields` lists the declared fields that a record does not have."""


@dataclass(frozen=True, kw_only=True)
class Drift:
    """What the records of one session have otherwise than declared, from `extra_fields`.

    Attributes:
        new: by field that is not declared the rows that have it, and its value there.
        changed: the same for declared fields whose value their column could not hold.
        gone: by declared field that is missing the rows that lack it.
    """

    new: dict[str, dict[int, Any]] = field(default_factory=dict)
    changed: dict[str, dict[int, Any]] = field(default_factory=dict)
    gone: dict[str, list[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, dataset: Dataset, table: pa.Table) -> "Drift":
        """The drift of a table in the declared schema."""
        drift = cls()
        extras = table.column(EXTRA_FIELDS)
        if extras.null_count == len(extras):
            return drift
        declared = {column.field for column in dataset.columns}
        for row, text in enumerate(extras.to_pylist()):
            extra: dict[str, Any] = json.loads(text) if text is not None else {}
            for name in extra.pop(_ABSENT, ()):
                drift.gone.setdefault(name, []).append(row)
            for name, value in extra.items():
                # A name that begins with $ is stored with a second one.
                kept = drift.changed if name in declared else drift.new
                kept.setdefault(name.removeprefix("$"), {})[row] = value
        return drift


def shape_verdicts(
    dataset: Dataset, rules: Sequence[Rule], subject: Subject, table: pa.Table
) -> dict[str, RuleVerdict]:
    """By rule the verdict on one session; `table` are its rows in the declared schema."""
    drift = Drift.of(dataset, table)
    verdicts = {}
    for rule in rules:
        assert isinstance(rule.condition, SessionCondition)
        verdicts[rule.name] = _verdict(dataset, rule, rule.condition, subject, table, drift)
    return verdicts


def _verdict(
    dataset: Dataset,
    rule: Rule,
    condition: SessionCondition,
    subject: Subject,
    table: pa.Table,
    drift: Drift,
) -> RuleVerdict:
    rows = table.num_rows
    match condition:
        case RowCount(at_least=low, at_most=high):
            passed = low <= rows and (high is None or rows <= high)
            return RuleVerdict.make(rule, passed=passed, observed=_rows(rows), rows_seen=rows)
        case ColumnsAsDeclared():
            differences = _differences(arrow_schema(dataset), subject.table.schema)
            return RuleVerdict.make(
                rule,
                passed=not differences,
                observed="; ".join(differences) or f"{len(subject.table.schema)} columns",
                rows_seen=rows,
                unexpected_count=0,
            )
        case OneSession():
            return _one_session(rule, table)
        case NoNewFields():
            return _drifted(dataset, rule, table, drift.new, "new", {})
        case NoTypesChanged():
            types = {column.field: column.type.value for column in dataset.columns}
            return _drifted(dataset, rule, table, drift.changed, "does not fit", types)
        case NoFieldsGone(come_and_go=names):
            expected = {dataset.column(name).field for name in names}
            missing = [n for n in subject.absent_columns if n not in expected]
            lacking = {n: rows for n, rows in drift.gone.items() if n not in expected}
            return _gone(dataset, rule, table, missing, lacking)


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def _differences(declared: pa.Schema, stored: pa.Schema) -> list[str]:
    """What a schema has otherwise than declared, in words."""
    told = [f"{name} is missing" for name in declared.names if name not in stored.names]
    told += [f"{name} is not declared" for name in stored.names if name not in declared.names]
    told += [
        f"{one.name} is {stored.field(one.name).type} instead of {one.type}"
        for one in declared
        if stored.names.count(one.name) == 1 and not stored.field(one.name).type.equals(one.type)
    ]
    if not told and stored.names != declared.names:
        told = [f"the order is {', '.join(stored.names)}"]
    return told


def _one_session(rule: Rule, table: pa.Table) -> RuleVerdict:
    counts = {
        entry["values"]: entry["counts"]
        for entry in table.column("session_key").value_counts().to_pylist()
        if entry["values"] is not None
    }
    if not counts:
        return RuleVerdict.not_checked(rule, "no rows to check")
    most = max(counts, key=lambda key: counts[key])
    foreign = {key: count for key, count in counts.items() if key != most}
    return RuleVerdict.make(
        rule,
        passed=not foreign,
        observed=f"session_key {', '.join(str(key) for key in (most, *sorted(foreign)))}",
        rows_seen=sum(counts.values()),
        unexpected_count=sum(foreign.values()),
        unexpected_rows=tuple({"session_key": key} for key in sorted(foreign)[:MOST_ROWS_SHOWN]),
    )


def _drifted(
    dataset: Dataset,
    rule: Rule,
    table: pa.Table,
    fields: Mapping[str, Mapping[int, Any]],
    word: str,
    types: Mapping[str, str],
) -> RuleVerdict:
    told = []
    for name, values in fields.items():
        example = json.dumps(next(iter(values.values())), ensure_ascii=False)[:60]
        kind = f"; {types[name]} is declared" if name in types else ""
        told.append(f"{name} {word} in {_rows(len(values))}, for example {example}{kind}")
    offenders = {row for values in fields.values() for row in values}
    return RuleVerdict.make(
        rule,
        passed=not offenders if table.num_rows else None,
        observed="; ".join(told) or ("none" if table.num_rows else "no rows to check"),
        rows_seen=table.num_rows,
        unexpected_count=len(offenders),
        unexpected_rows=_evidence(dataset, table, sorted(offenders), fields),
    )


def _gone(
    dataset: Dataset,
    rule: Rule,
    table: pa.Table,
    missing: Sequence[str],
    lacking: Mapping[str, Sequence[int]],
) -> RuleVerdict:
    told = [f"{name} is gone" for name in missing]
    told += [f"{name} is gone from {_rows(len(rows))}" for name, rows in lacking.items()]
    offenders = {row for rows in lacking.values() for row in rows}
    return RuleVerdict.make(
        rule,
        passed=not told if table.num_rows else None,
        observed="; ".join(told) or ("none" if table.num_rows else "no rows to check"),
        rows_seen=table.num_rows,
        unexpected_count=table.num_rows if missing else len(offenders),
        unexpected_rows=_evidence(dataset, table, sorted(offenders), {}),
    )


def _evidence(
    dataset: Dataset,
    table: pa.Table,
    rows: Sequence[int],
    fields: Mapping[str, Mapping[int, Any]],
) -> tuple[dict[str, Any], ...]:
    """The first of these rows: their key, and the values that are in no column."""
    first = list(rows[:MOST_ROWS_SHOWN])
    keys = table.select(list(dataset.key)).take(first).to_pylist() if first else []
    return tuple(
        json_ready({**key, **{n: values[row] for n, values in fields.items() if row in values}})
        for row, key in zip(first, keys, strict=True)
    )
