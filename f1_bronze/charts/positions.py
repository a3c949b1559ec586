"""Charts of results: places gained and lost, and the gaps of qualifying.

Places are a line per driver from where they started to the result, gaps a bar per driver.
Race and sprint: from qualifying, which is not the grid (OpenF1's starting grid is no dataset of
ours, and penalties move cars after qualifying), over the end of lap 1, to the result. Qualifying
and sprint qualifying: the order in each part, then the result. A column whose data is not stored
is left out; practice has no places to gain.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from f1_bronze.charts.field import Entrant, entrants, lap_time, rows, title
from f1_bronze.charts.palette import GAINED, GRID, LOST, MUTED
from f1_bronze.charts.svg import (
    MARGIN,
    TITLE_HEIGHT,
    WIDTH,
    Drawing,
    Point,
    dots,
    polyline,
    vertical_lines,
)
from f1_bronze.datasets.dataset import RACE_TYPES
from f1_bronze.datasets.partition import SessionPartition

QUALIFYING_TYPE = {"race": "qualifying", "sprint": "sprint_qualifying"}
"""By session type, the type of the session of the same weekend that sets its starting order."""

_ROW = 22
_LEFT, _RIGHT = 82, 132

_TOP = TITLE_HEIGHT + 34

_BAR = 13
_GAPS_LEFT, _GAPS_RIGHT = 100, 190
_GAPS_TOP = TITLE_HEIGHT + 14
_A_DAY = 86_400


@dataclass(frozen=True, kw_only=True)
class _Column:
    """One moment: its name, its name in a sentence, and the place of each driver then."""

    name: str
    moment: str
    places: Mapping[int, int]


def draw_positions(
    partition: SessionPartition,
    results: pa.Table,
    *,
    drivers: pa.Table | None = None,
    laps: pa.Table | None = None,
    qualifying: pa.Table | None = None,
) -> str | None:
    """Places gained and lost, as SVG; None where there is nothing to compare the result with.

    results, drivers, laps: the session's rows in their datasets' schemas.
    qualifying: the results of the session named by `QUALIFYING_TYPE`.
    """
    field = entrants((n for (n,) in rows(results, "driver_number")), drivers, results)
    field = [one for one in field if one.status != "DNS"]
    before = (
        _before_a_race(partition, laps, qualifying)
        if partition.session_type in RACE_TYPES
        else _parts_of_qualifying(partition, results)
    )
    # Drivers without a place come after those who have one, so that each line ends somewhere.
    end = {one.number: turn for turn, one in enumerate(field, start=1)}
    before = [column for column in before if column.places.keys() & end.keys()]
    if not before or not field:
        return None
    columns = [*before, _Column(name="Result", moment="the result", places=end)]
    slots = max(max(column.places.values()) for column in columns)
    gains = {
        one.number: before[0].places[one.number] - one.position
        for one in field
        if one.position is not None and not one.status and one.number in before[0].places
    }
    drawing = Drawing(
        height=_TOP + slots * _ROW + 8,
        title=title(partition, "Places gained and lost", results),
        subtitle=_subtitle(before[0], field, gains),
    )
    step = (WIDTH - _LEFT - _RIGHT) / (len(columns) - 1)
    at = [_LEFT + turn * step for turn in range(len(columns))]
    for column, x in zip(columns, at, strict=True):
        drawing.text(x, _TOP - 12, column.name, size=12, anchor="middle", bold=True)
    drawing.line(vertical_lines(at, _TOP, _TOP + slots * _ROW), GRID)
    ends: dict[str, list[Point]] = {}
    for one in reversed(field):  # the first are drawn last, over the others
        ends.setdefault(one.colour, []).extend(_line(drawing, one, columns, at))
    for colour, points in ends.items():
        drawing.line(dots(points), colour, width=7)
    for one in field:
        _result(drawing, one, end[one.number], gains.get(one.number), at[-1])
    return drawing.to_svg()


def _line(drawing: Drawing, one: Entrant, columns: list[_Column], at: list[float]) -> list[Point]:
    points: list[Point] = [
        (x, _y(column.places[one.number]))
        for column, x in zip(columns, at, strict=True)
        if one.number in column.places
    ]
    dashes = "6 4" if one.second else ""
    drawing.line(polyline(points), one.colour, width=2, dashes=dashes)
    place = columns[0].places.get(one.number)
    if place is not None:
        y = _y(place) + 4
        drawing.text(MARGIN, y, str(place), colour=MUTED)
        drawing.text(
            _LEFT - 12, y, one.acronym, size=12, colour=one.colour, anchor="end", bold=True
        )
    return points


def _result(drawing: Drawing, one: Entrant, slot: int, gain: int | None, x: float) -> None:
    y = _y(slot) + 4
    drawing.text(x + 12, y, one.place or "–", colour=MUTED)
    drawing.text(x + 46, y, one.acronym, size=12, colour=one.colour, bold=True)
    if gain is not None:
        sign, colour = ("▲", GAINED) if gain > 0 else ("▼", LOST) if gain < 0 else ("=", MUTED)
        label = f"{sign}{abs(gain)}" if gain else sign
        drawing.text(WIDTH - MARGIN, y, label, size=12, colour=colour, anchor="end")


def _y(place: int) -> float:
    return _TOP + (place - 0.5) * _ROW


def _subtitle(start: _Column, field: Iterable[Entrant], gains: Mapping[int, int]) -> str:
    acronyms = {one.number: one.acronym for one in field}
    sentence = f"From {start.moment} to the result"
    best = max(gains, key=lambda number: gains[number], default=None)
    if best is None or gains[best] <= 0:
        return sentence
    return f"{sentence}. Most gained: {acronyms[best]} ▲{gains[best]}"


def _before_a_race(
    partition: SessionPartition, laps: pa.Table | None, qualifying: pa.Table | None
) -> list[_Column]:
    columns = []
    known = {
        n: place for n, place in rows(qualifying, "driver_number", "position") if _is_place(place)
    }
    if known:
        columns.append(
            _Column(name="Qualifying", moment="qualifying, before any grid penalty,", places=known)
        )
    begun = _second_laps(laps)
    if begun:
        columns.append(
            _Column(name="After lap 1", moment="the end of lap 1", places=_ranked(begun))
        )
    return columns


def _is_place(place: int | None) -> bool:
    return place is not None and 0 < place < 100


def _second_laps(laps: pa.Table | None) -> dict[int, float]:
    """When each driver began lap 2, which is when they ended lap 1; microseconds."""
    if laps is None:
        return {}
    second = laps.filter(pc.equal(laps["lap_number"], 2))
    moments = second["date_start"].cast(pa.int64()).to_pylist()
    drivers = second["driver_number"].to_pylist()
    return {n: at for n, at in zip(drivers, moments, strict=True) if at is not None}


def _parts_of_qualifying(partition: SessionPartition, results: pa.Table) -> list[_Column]:
    """The order of the times in Q1 and Q2; that of Q3 is the result."""
    names = ("SQ1", "SQ2") if partition.session_type == "sprint_qualifying" else ("Q1", "Q2")
    parts: tuple[dict[int, float], dict[int, float]] = ({}, {})
    for driver, duration in rows(results, "driver_number", "duration"):
        times = json.loads(duration) if duration else None
        if isinstance(times, list):
            for part, seconds in zip(parts, times, strict=False):
                if isinstance(seconds, int | float):
                    part[driver] = seconds
    return [
        _Column(name=name, moment=name, places=_ranked(part))
        for name, part in zip(names, parts, strict=True)
        if part
    ]


def _ranked(values: Mapping[int, float]) -> dict[int, int]:
    """The place of each driver, the smallest value first, the lower number where two are equal."""
    return {n: place for place, n in enumerate(sorted(values, key=lambda n: (values[n], n)), 1)}


def draw_qualifying_gaps(
    partition: SessionPartition, results: pa.Table, *, drivers: pa.Table | None = None
) -> str | None:
    """Gaps to the fastest time, as SVG; None outside qualifying and where nobody has a time.

    results, drivers: the session's rows in their datasets' schemas. `duration` has the times of
    the parts that a driver took part in; the fastest of them counts.
    """
    if "qualifying" not in partition.session_type:
        return None
    best = {
        driver: min(times)
        for driver, duration in rows(results, "driver_number", "duration")
        if (times := _times(duration))
    }
    if not best:
        return None
    field = [one for one in entrants(best, drivers, results) if one.number in best]
    fastest, slowest = min(best.values()), max(best.values())
    pole = min(best, key=lambda driver: best[driver])
    name = next(one.acronym for one in field if one.number == pole)
    drawing = Drawing(
        height=_GAPS_TOP + _ROW * len(field) + 14,
        title=title(partition, "Qualifying gaps", results),
        subtitle=f"Fastest time {lap_time(fastest)}, {name}; bars are the gap of each driver's "
        "fastest time",
    )
    per_second = (WIDTH - _GAPS_LEFT - _GAPS_RIGHT) / max(slowest - fastest, 0.001)
    bottom = _GAPS_TOP + _ROW * len(field)
    drawing.line(vertical_lines([_GAPS_LEFT], _GAPS_TOP - 6, bottom), GRID)
    for turn, one in enumerate(field):
        top = _GAPS_TOP + turn * _ROW
        gap = best[one.number] - fastest
        width = max(2.0, gap * per_second)
        drawing.text(MARGIN, top + 11, one.place, colour=MUTED)
        drawing.text(MARGIN + 36, top + 11, one.acronym, size=12, colour=one.colour, bold=True)
        drawing.box(_GAPS_LEFT, top, width, _BAR, one.colour, radius=2.5)
        label = f"{lap_time(best[one.number])}" + (f"  +{gap:.3f}" if gap else "")
        drawing.text(_GAPS_LEFT + width + 8, top + 11, label, colour=MUTED)
    return drawing.to_svg()


def _times(duration: str | None) -> list[float]:
    times = json.loads(duration) if duration else []
    return [
        seconds
        for seconds in (times if isinstance(times, list) else [times])
        if isinstance(seconds, int | float) and 0 < seconds < _A_DAY
    ]
