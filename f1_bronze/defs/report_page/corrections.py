"""What the latest answers changed.

Belongs here: which contents are new, which were corrected, and the corrected values as a table
again. Stays out: telling two contents apart (lake/changes.py), the text that is read here
(`defs.events.what_changed`).
"""

import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from f1_bronze.datasets import DATASETS
from f1_bronze.defs.coverage import Cell, Coverage

_CELL = re.compile(r"\|((?:\\.|[^|\\])*)(?=\|)")


@dataclass(frozen=True, kw_only=True)
class Correction:
    """A content that the latest answer has replaced; `table` has its head in front."""

    dataset: str
    key: str
    landed_at: datetime
    table: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True)
class News:
    """What changed since the time before: corrections, the latest first; and what is new."""

    corrections: tuple[Correction, ...]
    new_by_dataset: tuple[tuple[str, int], ...]


def news(coverage: Coverage) -> News:
    """By the latest materialization of everything that has landed."""
    cells = list(coverage.cells.values())
    corrections = [one for cell in cells if (one := _correction(cell))]
    new = Counter(cell.dataset.name for cell in cells if cell.revision == "new")
    return News(
        corrections=tuple(sorted(corrections, key=lambda one: one.landed_at, reverse=True)),
        new_by_dataset=tuple((d.name, new[d.name]) for d in DATASETS if new[d.name]),
    )


def _correction(cell: Cell) -> Correction | None:
    if cell.revision != "changed" or cell.landed_at is None:
        return None
    return Correction(
        dataset=cell.dataset.name,
        key=cell.partition.key,
        landed_at=cell.landed_at,
        table=cells_of(cell.what_changed),
    )


def cells_of(markdown: str) -> tuple[tuple[str, ...], ...]:
    r"""The cells of a Markdown table, without the line below its head.

    >>> cells_of("| what | row |\n| --- | --- |\n| added | a\\|b |")
    (('what', 'row'), ('added', 'a|b'))
    """
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    rows = [tuple(_unescaped(cell) for cell in _CELL.findall(line)) for line in lines]
    return tuple(row for number, row in enumerate(rows) if number != 1)


def _unescaped(cell: str) -> str:
    return re.sub(r"\\(.)", r"\1", cell.strip())
