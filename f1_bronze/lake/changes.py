"""What differs between two contents of one partition.

Belongs here: the comparison, by key and by column. Stays out: what follows from it (landing.py).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from f1_bronze.datasets.dataset import Dataset
from f1_bronze.lake.records import json_text

RowKey = tuple[Any, ...]

_Rows = list[tuple[str, Mapping[str, Any]]]


class Absent(StrEnum):
    """What stands for the value of a field that a record does not have."""

    NOT_SENT = "(not sent)"


@dataclass(frozen=True, kw_only=True)
class ChangedValue:
    """One column of a changed row: its value before and after."""

    column: str
    before: Any
    after: Any


@dataclass(frozen=True, kw_only=True)
class ChangedRow:
    """A row whose key stayed and whose values did not, column by column in declared order."""

    key: RowKey
    values: tuple[ChangedValue, ...]


@dataclass(frozen=True, kw_only=True)
class Changes:
    """Rows that came, went or changed; a key is listed once per row concerned.

    A key that several rows share (pit stops have such) is compared as a group: what the new
    group has fewer of is removed, never silently changed.

    Attributes:
        changed_values: the old and new values of the changed rows whose key is unique on both
            sides; for others no one can tell which row became which.
    """

    added: tuple[RowKey, ...] = ()
    removed: tuple[RowKey, ...] = ()
    changed: tuple[RowKey, ...] = ()
    changed_values: tuple[ChangedRow, ...] = ()


NO_CHANGES = Changes()


def compare(
    dataset: Dataset,
    before: Iterable[Mapping[str, Any]],
    after: Iterable[Mapping[str, Any]],
) -> Changes:
    """The changes from one list of records to another, in the order of their keys."""
    old, new = _groups(dataset, before), _groups(dataset, after)
    added: list[RowKey] = []
    removed: list[RowKey] = []
    changed: list[RowKey] = []
    rows: list[ChangedRow] = []
    for key in sorted(old.keys() | new.keys(), key=lambda k: [(v is None, v or 0) for v in k]):
        was, now = old.get(key, []), new.get(key, [])
        if len(was) == len(now) == 1 and was[0][0] == now[0][0]:
            continue
        had, has = Counter(text for text, _ in was), Counter(text for text, _ in now)
        gone, came = (had - has).total(), (has - had).total()
        added += [key] * max(0, came - gone)
        removed += [key] * max(0, gone - came)
        changed += [key] * min(gone, came)
        if len(was) == len(now) == 1:
            values = _changed_values(dataset, was[0][1], now[0][1])
            rows.append(ChangedRow(key=key, values=values))
    return Changes(
        added=tuple(added),
        removed=tuple(removed),
        changed=tuple(changed),
        changed_values=tuple(rows),
    )


def _changed_values(
    dataset: Dataset, before: Mapping[str, Any], after: Mapping[str, Any]
) -> tuple[ChangedValue, ...]:
    columns = {column.field: column.name for column in dataset.columns}
    unknown = sorted((before.keys() | after.keys()) - columns.keys())
    values = []
    for field, column in (*columns.items(), *((name, name) for name in unknown)):
        old, new = before.get(field, Absent.NOT_SENT), after.get(field, Absent.NOT_SENT)
        # As text, because to Python True is 1; by being there, because a field may say anything.
        if (field in before) != (field in after) or json_text(old) != json_text(new):
            values.append(ChangedValue(column=column, before=old, after=new))
    return tuple(values)


def _groups(dataset: Dataset, records: Iterable[Mapping[str, Any]]) -> dict[RowKey, _Rows]:
    groups: dict[RowKey, _Rows] = defaultdict(list)
    for record in records:
        key = tuple(_comparable(record.get(name)) for name in dataset.key)
        groups[key].append((json_text(record), record))
    return groups


def _comparable(value: Any) -> Any:
    """Key values are whole numbers, but one that was not declared so may be of any type."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole else None
