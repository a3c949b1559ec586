"""How a race went, lap by lap: the gap of each driver to the leader, and the positions.

Both come from when each lap ended, which is when the driver's next lap began. OpenF1 has no such
time for a driver's last lap: there it is the start of the lap plus its duration.
"""

from collections.abc import Mapping
from statistics import quantiles

import pyarrow as pa
import pyarrow.compute as pc

from f1_bronze.charts.field import Entrant, entrants, rows, title
from f1_bronze.charts.palette import GRID, MUTED
from f1_bronze.charts.svg import (
    MARGIN,
    TITLE_HEIGHT,
    WIDTH,
    Drawing,
    horizontal_lines,
    polyline,
    vertical_lines,
)
from f1_bronze.datasets.dataset import RACE_TYPES
from f1_bronze.datasets.partition import SessionPartition

_LEFT, _RIGHT = 76, 92
_TOP = TITLE_HEIGHT + 16
_HEIGHT = 460
_MICROSECONDS = 1_000_000
_SPREAD = 3.0
"""Gaps beyond this many times the median of the last laps are cut off: lapped cars, repairs."""


def draw_race_trace(
    partition: SessionPartition,
    laps: pa.Table,
    *,
    drivers: pa.Table | None = None,
    results: pa.Table | None = None,
) -> str | None:
    """Each driver's gap to the leader, lap by lap, as SVG; None outside races and without laps.

    laps, drivers, results: the session's rows in their datasets' schemas.
    """
    ends, last_lap = _driven_laps(partition, laps)
    if last_lap < 2:
        return None
    leader = {
        lap: min(driven[lap] for driven in ends.values() if lap in driven)
        for lap in {lap for driven in ends.values() for lap in driven}
    }
    gaps = {
        driver: {lap: (end - leader[lap]) / _MICROSECONDS for lap, end in driven.items()}
        for driver, driven in ends.items()
    }
    largest = _axis_end(gaps)
    field = entrants(ends, drivers, results)
    winner = next((one.acronym for one in field if one.position == 1), "")
    drawing = Drawing(
        height=_TOP + _HEIGHT + 30,
        title=title(partition, "Race trace", laps),
        subtitle="Seconds behind the leader at the end of each lap"
        + (f"; {winner} won" if winner else "")
        + f"; gaps above {largest:.0f} s cut off",
    )
    step = next(s for s in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if largest <= 8 * s)
    ticks = range(0, int(largest) + 1, step)
    at = {seconds: _TOP + _HEIGHT * seconds / largest for seconds in ticks}
    drawing.line(horizontal_lines(at.values(), _LEFT, WIDTH - _LEFT - _RIGHT), GRID)
    for seconds, y in at.items():
        drawing.text(_LEFT - 8, y + 4, f"{seconds} s", colour=MUTED, anchor="end")
    _lap_axis(drawing, last_lap)
    labels: list[tuple[float, Entrant]] = []
    for one in reversed(field):  # the first are drawn last, over the others
        shown = {lap: gap for lap, gap in gaps[one.number].items() if gap <= largest}
        points = [
            (_x(lap, last_lap), _TOP + _HEIGHT * shown[lap] / largest) if lap in shown else None
            for lap in range(1, last_lap + 1)
        ]
        drawing.line(polyline(points), one.colour, width=1.8, dashes="5 3" if one.second else "")
        known = [point for point in points if point]
        if known:
            labels.append((known[-1][1], one))
    _labels(drawing, labels)
    return drawing.to_svg()


def draw_positions_by_lap(
    partition: SessionPartition,
    laps: pa.Table,
    *,
    drivers: pa.Table | None = None,
    results: pa.Table | None = None,
) -> str | None:
    """Each driver's position at the end of each lap, as SVG; None outside races and without laps.

    laps, drivers, results: the session's rows in their datasets' schemas.
    """
    ends, last_lap = _driven_laps(partition, laps)
    if last_lap < 2:
        return None
    positions: dict[int, dict[int, int]] = {driver: {} for driver in ends}
    for lap in range(1, last_lap + 1):
        order = sorted((driven[lap], driver) for driver, driven in ends.items() if lap in driven)
        for place, (_, driver) in enumerate(order, start=1):
            positions[driver][lap] = place
    field = entrants(ends, drivers, results)
    row = _HEIGHT / max(len(field), 1)
    changes = sum(
        places[lap] != places[lap - 1]
        for places in positions.values()
        for lap in places
        if lap - 1 in places
    )
    drawing = Drawing(
        height=_TOP + _HEIGHT + 30,
        title=title(partition, "Positions by lap", laps),
        subtitle=f"Position at the end of each lap, pit stops included; {changes:,} changes",
    )
    _lap_axis(drawing, last_lap)
    labels: list[tuple[float, Entrant]] = []
    for one in reversed(field):
        places = positions[one.number]
        points = [
            (_x(lap, last_lap), _TOP + row * (places[lap] - 0.5)) if lap in places else None
            for lap in range(1, last_lap + 1)
        ]
        drawing.line(polyline(points), one.colour, width=2, dashes="5 3" if one.second else "")
        known = [point for point in points if point]
        if not known:
            continue
        if 1 in places:
            y = known[0][1] + 4
            drawing.text(MARGIN, y, str(places[1]), colour=MUTED)
            drawing.text(_LEFT - 8, y, one.acronym, colour=one.colour, anchor="end", bold=True)
        labels.append((known[-1][1], one))
    _labels(drawing, labels)
    return drawing.to_svg()


def _driven_laps(
    partition: SessionPartition, laps: pa.Table
) -> tuple[dict[int, dict[int, int]], int]:
    """When each driver ended each lap, and the last lap of all; none and 0 outside races."""
    ends = _lap_ends(laps) if partition.session_type in RACE_TYPES else {}
    return ends, max((lap for driven in ends.values() for lap in driven), default=0)


def _lap_ends(laps: pa.Table) -> dict[int, dict[int, int]]:
    """When each driver ended each lap, in microseconds since 1970; laps without a time left out."""
    starts: dict[int, dict[int, int]] = {}
    durations: dict[tuple[int, int], float] = {}
    table = laps.set_column(
        laps.column_names.index("date_start"),
        "date_start",
        pc.cast(laps["date_start"], pa.int64()),
    )
    for driver, lap, start, seconds in rows(
        table, "driver_number", "lap_number", "date_start", "lap_duration"
    ):
        if start is not None and 0 < lap < 1000:
            starts.setdefault(driver, {})[lap] = start
            if seconds is not None and 0 < seconds < 86_400:
                durations[driver, lap] = seconds
    ends: dict[int, dict[int, int]] = {}
    for driver, begun in starts.items():
        for lap, start in begun.items():
            if lap + 1 in begun:
                ends.setdefault(driver, {})[lap] = begun[lap + 1]
            elif (driver, lap) in durations:
                ends.setdefault(driver, {})[lap] = start + round(
                    durations[driver, lap] * _MICROSECONDS
                )
    return ends


def _axis_end(gaps: Mapping[int, Mapping[int, float]]) -> float:
    """The largest gap that is shown, in seconds."""
    last = sorted(gap for driven in gaps.values() for gap in (driven[max(driven)],) if driven)
    everything = max(gap for driven in gaps.values() for gap in driven.values())
    median = quantiles(last, n=2)[0] if len(last) > 1 else everything
    return max(1.0, min(everything, _SPREAD * median or everything) * 1.05)


def _x(lap: int, last_lap: int) -> float:
    return _LEFT + (WIDTH - _LEFT - _RIGHT) * (lap - 1) / (last_lap - 1)


def _lap_axis(drawing: Drawing, last_lap: int) -> None:
    step = next((s for s in (1, 5, 10, 20, 50, 100) if last_lap <= 8 * s), last_lap)
    ticks = [1, *range(step, last_lap - step // 2, step), last_lap]
    bottom = _TOP + _HEIGHT
    at = [_x(lap, last_lap) for lap in dict.fromkeys(ticks)]
    drawing.line(vertical_lines(at, _TOP, bottom), GRID)
    for lap, x in zip(dict.fromkeys(ticks), at, strict=True):
        drawing.text(x, bottom + 16, f"lap {lap}" if lap == 1 else str(lap), colour=MUTED,
                     anchor="middle")  # fmt: skip


def _labels(drawing: Drawing, labels: list[tuple[float, Entrant]]) -> None:
    """Acronyms right of where the lines end, moved apart where they would overlap."""
    height = 12.0
    ordered = sorted(labels, key=lambda label: label[0])
    heights: list[float] = []
    for y, _ in ordered:
        heights.append(max(y, heights[-1] + height) if heights else y)
    highest = _TOP + _HEIGHT + 8.0
    for turn in reversed(range(len(heights))):  # pushed up again from the bottom edge
        highest = heights[turn] = min(heights[turn], highest)
        highest -= height
    for y, (_, one) in zip(heights, ordered, strict=True):
        drawing.text(WIDTH - _RIGHT + 8, y + 4, one.acronym, colour=one.colour, bold=True)
        drawing.text(WIDTH - _RIGHT + 44, y + 4, one.place, colour=MUTED)
