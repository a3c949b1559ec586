"""What differs between two contents of one partition.

Belongs here: the comparison, by key. Stays out: what follows from it (landing.py).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from f1_bronze.datasets.dataset import Dataset
from f1_bronze.lake.records import json_text

RowKey = tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class Changes:
    """Rows that came, went or changed; a key is listed once per row concerned.

    A key that several rows share (pit stops have such) is compared as a group: what the new
    group has fewer of is removed, never silently changed.
    """

    added: tuple[RowKey, ...] = ()
    removed: tuple[RowKey, ...] = ()
    changed: tuple[RowKey, ...] = ()


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
    for key in sorted(old.keys() | new.keys(), key=lambda k: [(v is None, v or 0) for v in k]):
        had, has = Counter(old[key]), Counter(new[key])
        gone, came = (had - has).total(), (has - had).total()
        added += [key] * max(0, came - gone)
        removed += [key] * max(0, gone - came)
        changed += [key] * min(gone, came)
    return Changes(added=tuple(added), removed=tuple(removed), changed=tuple(changed))


def _groups(dataset: Dataset, records: Iterable[Mapping[str, Any]]) -> dict[RowKey, list[str]]:
    groups: dict[RowKey, list[str]] = defaultdict(list)
    for record in records:
        key = tuple(_comparable(record.get(name)) for name in dataset.key)
        groups[key].append(json_text(record))
    return groups


def _comparable(value: Any) -> Any:
    """Key values are whole numbers, but one that was not declared so may be of any type."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole else None
