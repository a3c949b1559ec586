"""Rows of each session beside what is usual for its type, also as small charts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import dagster as dg

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.sessions import SESSIONS
from f1_bronze.defs.monitoring.coverage import Cell, Coverage
from f1_bronze.defs.partitions import read_registered
from f1_bronze.defs.record.latest import read_latest
from f1_bronze.quality.racing.volume import ENOUGH_SEEN, usual_band

WIDTH, HEIGHT = 260, 72
"""Of a chart, in pixels."""

_GAP = 0.25
_HEADROOM = 1.05

Band = tuple[int, int]
"""The least and the most rows that are usual."""

Bands = Mapping[tuple[str, str], Band]
"""By partition key and name of the dataset."""


def usual_rows(instance: dg.DagsterInstance, coverage: Coverage) -> Bands:
    """The bands of all sessions of which enough earlier ones of their type are stored.

    Two queries a dataset, for the sessions of earlier seasons.
    """
    registered = read_registered(instance)
    earlier = {session.key: registered.earlier(session) for session in coverage.sessions}
    bands: dict[tuple[str, str], Band] = {}
    for dataset in DATASETS:
        here = {key for key, name in coverage.cells if name == dataset.name}
        counts = {key: coverage.cells[key, dataset.name].rows for key in here}
        elsewhere = {key for keys in earlier.values() for key in keys} - here
        recorded = read_latest(instance, dataset, elsewhere)
        counts |= {key: materialization.rows for key, materialization in recorded.items()}
        for key, keys in earlier.items():
            seen = [rows for one in keys if (rows := counts.get(one))]
            if len(seen) >= ENOUGH_SEEN:
                bands[key, dataset.name] = usual_band(seen)
    return bands


def is_unusual(rows: int, band: Band) -> bool:
    """Whether so many rows are outside the band."""
    return not band[0] <= rows <= band[1]


def describe_band(cell: Cell, band: Band | None) -> str:
    """What is usual in words, or what the declaration says while too little is known."""
    if band is not None:
        return f"usual {band[0]:,} to {band[1]:,}"
    declared = cell.dataset.expected_rows_for(cell.partition.session_type)
    return f"up to about {declared:,} expected, too few earlier sessions for more"


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


def draw_charts(coverage: Coverage, bands: Bands) -> list[Chart]:
    """A chart for each dataset and session type that has rows; sessions have one row each."""
    types = list(dict.fromkeys(session.session_type for session in coverage.sessions))
    charts = []
    for dataset in DATASETS:
        for session_type in types:
            cells = [
                coverage.cell(session, dataset)
                for session in coverage.sessions
                if session.session_type == session_type
            ]
            if dataset is not SESSIONS and any(cell.rows for cell in cells):
                charts.append(_chart(dataset, session_type, cells, bands))
    return sorted(charts, key=lambda chart: -chart.unusual)


def _chart(dataset: Dataset, session_type: str, cells: Sequence[Cell], bands: Bands) -> Chart:
    counts = [cell.rows for cell in cells if cell.rows is not None]
    known = [bands.get((cell.partition.key, dataset.name)) for cell in cells]
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
                    title=f"{cell.partition.key}: {cell.rows:,} rows, {describe_band(cell, band)}",
                    is_unusual=band is not None and is_unusual(cell.rows, band),
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
