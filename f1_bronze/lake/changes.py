"""Compare two contents of one partition: which rows came, went or changed, and which values.

`Changes` is data. Its JSON form is what `f1-bronze history --json` prints and what Dagster's
record keeps of a correction; text for people is rendered from `change_table`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from f1_bronze.datasets.dataset import Dataset
from f1_bronze.lake.records import json_text

RowKey = tuple[Any, ...]

CHANGE_COLUMNS = ("what", "row", "column", "before", "after")


class Absent(StrEnum):
    """Stands for the value of a field that a record does not have."""

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
class LostRows:
    """Rows of one key of which the new content has no equal and no other in their place.

    Attributes:
        rows: how many different rows are lost.
        of: how many different rows of that key there were.
        differ_in: the columns in which these differ. Where there was one row, those that the
            dataset declares as fixed and that the new row has otherwise; empty where it is gone.
    """

    key: RowKey
    rows: int
    of: int
    differ_in: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Changes:
    """Rows that came, went or changed; a key is listed once per row concerned.

    A key that several rows share (pit stops have such) is compared as a group: what the new
    group has fewer of is removed, never silently changed. Of rows that were equal in every field
    one is enough: its twins are removed, and nothing is lost with them.

    Attributes:
        lost: what of `removed` the new content no longer has in any row.
        changed_values: the old and new values of the changed rows whose key is unique on both
            sides; for others no one can tell which row became which.
        omitted: how many rows a shortened JSON form does not list.
    """

    added: tuple[RowKey, ...] = ()
    removed: tuple[RowKey, ...] = ()
    changed: tuple[RowKey, ...] = ()
    changed_values: tuple[ChangedRow, ...] = ()
    lost: tuple[LostRows, ...] = ()
    omitted: int = 0

    def to_json(self, dataset: Dataset, *, limit: int | None = None) -> dict[str, Any]:
        """The changes as JSON-ready data, each key as a mapping from column to value.

        With `limit`, at most so many rows are listed, and `omitted` says how many are not.
        """
        left = len(self.added) + len(self.removed) + len(self.changed) if limit is None else limit
        lists: dict[str, list[RowKey]] = {}
        for name in ("added", "removed", "changed"):
            lists[name] = list(getattr(self, name)[:left])
            left -= len(lists[name])
        document: dict[str, Any] = {
            name: [dict(zip(dataset.key, key, strict=True)) for key in keys]
            for name, keys in lists.items()
        }
        listed = set(lists["changed"])
        gone = listed | set(lists["removed"])
        document["changed_values"] = [
            {
                "key": dict(zip(dataset.key, row.key, strict=True)),
                "values": [
                    {"column": value.column, "before": value.before, "after": value.after}
                    for value in row.values
                ],
            }
            for row in self.changed_values
            if row.key in listed
        ]
        document["lost"] = [
            {
                "key": dict(zip(dataset.key, lost.key, strict=True)),
                "rows": lost.rows,
                "of": lost.of,
                "differ_in": list(lost.differ_in),
            }
            for lost in self.lost
            if lost.key in gone
        ]
        if limit is not None:
            total = len(self.added) + len(self.removed) + len(self.changed)
            document["omitted"] = self.omitted + total - sum(map(len, lists.values()))
        return document

    @classmethod
    def from_json(cls, dataset: Dataset, document: Mapping[str, Any]) -> "Changes":
        """Read `to_json` back; KeyError or TypeError for anything else."""

        def to_key(columns: Mapping[str, Any]) -> RowKey:
            return tuple(columns[name] for name in dataset.key)

        return cls(
            added=tuple(map(to_key, document["added"])),
            removed=tuple(map(to_key, document["removed"])),
            changed=tuple(map(to_key, document["changed"])),
            changed_values=tuple(
                ChangedRow(
                    key=to_key(row["key"]),
                    values=tuple(ChangedValue(**value) for value in row["values"]),
                )
                for row in document["changed_values"]
            ),
            lost=tuple(
                LostRows(
                    key=to_key(lost["key"]),
                    rows=lost["rows"],
                    of=lost["of"],
                    differ_in=tuple(lost["differ_in"]),
                )
                for lost in document.get("lost", ())
            ),
            omitted=document.get("omitted", 0),
        )


NO_CHANGES = Changes()


def change_table(dataset: Dataset, changes: Changes) -> list[tuple[str, str, str | None, Any, Any]]:
    """One line per row that came or went and per value that changed, as `CHANGE_COLUMNS`.

    >>> from f1_bronze.datasets.laps import LAPS
    >>> value = ChangedValue(column="st_speed", before=301, after=302)
    >>> row = ChangedRow(key=(9472, 4, 3), values=(value,))
    >>> change_table(LAPS, Changes(changed=(row.key,), changed_values=(row,)))
    [('changed', 'driver_number 4, lap_number 3', 'st_speed', 301, 302)]
    """

    def named(key: RowKey) -> str:
        """The key without the session, which all rows share."""
        parts = zip(dataset.key, key, strict=True)
        return ", ".join(f"{n} {v}" for n, v in parts if n != "session_key") or "the row"

    lines: list[tuple[str, str, str | None, Any, Any]] = [
        ("added", named(key), None, None, None) for key in changes.added
    ]
    lost = Counter({one.key: one.rows for one in changes.lost})
    for key in changes.removed:
        what = "removed" if lost[key] else "equal twin removed"
        lost[key] -= 1 if lost[key] else 0
        lines.append((what, named(key), None, None, None))
    for row in changes.changed_values:
        lines += [("changed", named(row.key), v.column, v.before, v.after) for v in row.values]
    listed = {row.key for row in changes.changed_values}
    # Rows that share a key changed too, but no one can tell which became which.
    lines += [
        ("changed", named(key), None, None, None) for key in changes.changed if key not in listed
    ]
    return lines


def compare(
    dataset: Dataset,
    before: Iterable[Mapping[str, Any]],
    after: Iterable[Mapping[str, Any]],
) -> Changes:
    """The changes from one list of records to another, in the order of their keys."""
    old, new = _group(dataset, before), _group(dataset, after)
    added: list[RowKey] = []
    removed: list[RowKey] = []
    changed: list[RowKey] = []
    rows: list[ChangedRow] = []
    lost: list[LostRows] = []
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
            values = _compare_values(dataset, was[0][1], now[0][1])
            rows.append(ChangedRow(key=key, values=values))
            moved = tuple(
                v.column for v in values if v.column in dataset.fixed and v.before is not None
            )
            if moved:
                lost.append(LostRows(key=key, rows=1, of=1, differ_in=moved))
        if (missing := len(had.keys() - has.keys()) - came) > 0:
            different = list(dict(was).values())
            columns = [
                value.column
                for other in different[1:]
                for value in _compare_values(dataset, different[0], other)
            ]
            differ_in = tuple(dict.fromkeys(columns))
            lost.append(LostRows(key=key, rows=missing, of=len(different), differ_in=differ_in))
    return Changes(
        added=tuple(added),
        removed=tuple(removed),
        changed=tuple(changed),
        changed_values=tuple(rows),
        lost=tuple(lost),
    )


def _group(
    dataset: Dataset, records: Iterable[Mapping[str, Any]]
) -> dict[RowKey, list[tuple[str, Mapping[str, Any]]]]:
    """The records by their key, each with its text."""
    groups: dict[RowKey, list[tuple[str, Mapping[str, Any]]]] = defaultdict(list)
    for record in records:
        key = tuple(_comparable(record.get(name)) for name in dataset.key)
        groups[key].append((json_text(record), record))
    return groups


def _comparable(value: Any) -> int | None:
    """Key values are whole numbers, but one that was not declared so may be of any type."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole else None


def _compare_values(
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
