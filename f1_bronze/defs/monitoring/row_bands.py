"""Rows of each session beside what is usual, as small charts.

Belongs here: scales and coordinates. Stays out: the band (defs/expectations.py), colours and the
elements themselves (the template).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import dagster as dg

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.sessions import SESSIONS
from f1_bronze.defs.monitoring.coverage import Cell, Coverage
from f1_bronze.defs.partitions import asset_key, read_registered
from f1_bronze.defs.record.latest import latest_materializations
from f1_bronze.defs.run.check_context import EARLIER_SESSIONS
from f1_bronze.quality.racing.volume import ENOUGH_SEEN, usual_band

Band = tuple[int, int]

"""The least and the most number of rows that is usual."""


def usual_rows(instance: dg.DagsterInstance, coverage: Coverage) -> Mapping[tuple[str, str], Band]:
    """By partition key and dataset the band; without one where too few earlier sessions landed.

    Two queries a dataset, for the sessions of earlier seasons.
    """
    earlier = _earlier(read_registered(instance).session_keys, coverage)
    bands: dict[tuple[str, str], Band] = {}
    for dataset in DATASETS:
        here = {key for key, name in coverage.cells if name == dataset.name}
        counts = {key: coverage.cells[key, dataset.name].rows for key in here}
        elsewhere = {key for keys in earlier.values() for key in keys} - here
        counts |= _recorded_rows(instance, dataset, elsewhere)
        for key, keys in earlier.items():
            seen = [rows for one in keys if (rows := counts.get(one))]
            if len(seen) >= ENOUGH_SEEN:
                bands[key, dataset.name] = usual_band(seen)
    return bands


def _earlier(keys: Sequence[str], coverage: Coverage) -> dict[str, list[str]]:
    """For each session the latest registered ones of its type before it."""
    wanted = {partition.key for partition in coverage.sessions}
    by_type: dict[str, list[str]] = {}
    earlier: dict[str, list[str]] = {}
    for key in keys:
        same = by_type.setdefault(key.rpartition("/")[2], [])
        if key in wanted:
            earlier[key] = same[-EARLIER_SESSIONS:]
        same.append(key)
    return earlier


def _recorded_rows(
    instance: dg.DagsterInstance, dataset: Dataset, keys: set[str]
) -> dict[str, int | None]:
    counts: dict[str, int | None] = {}
    for key, record in latest_materializations(instance, asset_key(dataset), keys).items():
        event = record.asset_materialization
        rows = event.metadata.get("dagster/row_count") if event is not None else None
        if isinstance(rows, dg.IntMetadataValue):
            counts[key] = rows.value
    return counts


WIDTH, HEIGHT = 260, 72

_GAP = 0.25

_HEADROOM = 1.05

Bands = Mapping[tuple[str, str], Band]


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One session; coordinates in pixels of the chart."""

    x: float
    y: float
    width: float
    height: float
    title: str
    is_unusual: bool


@dataclass(frozen=True, kw_only=True)
class Chart:
    """One dataset in all sessions of a type; `usual` is the band as the `d` of an SVG path."""

    dataset: str
    session_type: str
    bars: tuple[Bar, ...]
    usual: str
    least: int
    most: int
    unusual: int


def charts(coverage: Coverage, bands: Bands) -> tuple[Chart, ...]:
    """A chart for each dataset and session type that has rows; sessions have one row each."""
    types = list(dict.fromkeys(session.session_type for session in coverage.sessions))
    made = []
    for dataset in DATASETS:
        for session_type in types:
            if dataset is SESSIONS or not dataset.exists_for(session_type):
                continue
            cells = [
                coverage.cell(session, dataset)
                for session in coverage.sessions
                if session.session_type == session_type
            ]
            if any(cell.rows for cell in cells):
                made.append(_chart(dataset, session_type, cells, bands))
    return tuple(sorted(made, key=lambda chart: -chart.unusual))


def is_unusual(cell: Cell, bands: Bands) -> bool:
    """Whether the rows of a cell are outside the band."""
    band = bands.get((cell.partition.key, cell.dataset.name))
    return cell.rows is not None and band is not None and not band[0] <= cell.rows <= band[1]


def _chart(dataset: Dataset, session_type: str, cells: Sequence[Cell], bands: Bands) -> Chart:
    counts = [cell.rows for cell in cells if cell.rows is not None]
    known = [bands.get((cell.partition.key, cell.dataset.name)) for cell in cells]
    top = max(*counts, *(band[1] for band in known if band), 1) * _HEADROOM
    step = WIDTH / len(cells)
    bars = []
    pieces = []
    for number, (cell, band) in enumerate(zip(cells, known, strict=True)):
        left = number * step
        if band:
            high, low = (HEIGHT * (1 - rows / top) for rows in (band[1], band[0]))
            pieces.append(f"M{left:.1f} {high:.1f}H{left + step:.1f}V{low:.1f}H{left:.1f}Z")
        if cell.rows is not None:
            height = max(1.0, HEIGHT * cell.rows / top)
            bars.append(
                Bar(
                    x=round(left + step * _GAP / 2, 1),
                    y=round(HEIGHT - height, 1),
                    width=round(step * (1 - _GAP), 1),
                    height=round(height, 1),
                    title=f"{cell.partition.key}: {cell.rows:,} rows, {expected(cell, band)}",
                    is_unusual=is_unusual(cell, bands),
                )
            )
    return Chart(
        dataset=dataset.name,
        session_type=session_type,
        bars=tuple(bars),
        usual="".join(pieces),
        least=min(counts),
        most=max(counts),
        unusual=sum(bar.is_unusual for bar in bars),
    )


def expected(cell: Cell, band: Band | None) -> str:
    """What is usual in words, or what the declaration says while too little is known."""
    if band is not None:
        return f"usual {band[0]:,} to {band[1]:,}"
    declared = cell.dataset.rows_of(cell.partition.session_type)
    return f"up to about {declared:,} expected, too few earlier sessions for more"
