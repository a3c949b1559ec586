"""Tyre strategy and pit stops: a row per driver.

Of tyres a bar per stint, in the colour of its compound; of stops a mark per visit to the pit lane.
A stint without an end, or with one before its start, lasts until the driver's next stint begins,
at least one lap. Overlaps are drawn as they came, the later stint on top.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

from f1_bronze.charts.field import Entrant, count, entrants, rows, title
from f1_bronze.charts.palette import (
    COMPOUNDS,
    GRID,
    MUTED,
    TEXT,
    UNKNOWN_COMPOUND,
    compound_colour,
    ink_on,
)
from f1_bronze.charts.svg import MARGIN, TITLE_HEIGHT, WIDTH, Drawing, dots, vertical_lines
from f1_bronze.datasets.partition import SessionPartition

_ROW, _BAR = 21, 15
_LEFT, _RIGHT = 96, 40

_TOP = TITLE_HEIGHT + 22
_LABEL_ROOM = 17

_STOPS_ROW = 22
_STOPS_LEFT, _STOPS_RIGHT = 100, 90
_RED_FLAG = 180
"""Seconds; a longer visit is a suspended race, and its label would say nothing of a stop."""


@dataclass(frozen=True, kw_only=True)
class DrivenStint:
    """One stint: its laps, first and last included, and its tyres."""

    driver_number: int
    first: int
    last: int
    compound: str | None
    used: bool

    @property
    def laps(self) -> int:
        """How many laps the stint lasted."""
        return self.last - self.first + 1


def read_stints(stints: pa.Table | None) -> list[DrivenStint]:
    """Every stint whose start is known, by driver and start, none shorter than a lap."""
    columns = ("driver_number", "lap_start", "lap_end", "compound", "tyre_age_at_start")
    known = sorted(
        (row for row in rows(stints, *columns) if row[1] is not None),
        key=lambda row: (row[0], row[1]),
    )
    found = []
    for turn, (driver, start, end, compound, age) in enumerate(known):
        first = max(start, 1)
        if end is not None and end >= first:
            last = end
        elif turn + 1 < len(known) and known[turn + 1][0] == driver:
            last = max(first, known[turn + 1][1] - 1)
        else:
            last = first
        found.append(
            DrivenStint(
                driver_number=driver, first=first, last=last, compound=compound, used=bool(age)
            )
        )
    return found


def compounds_seen(stints: Iterable[DrivenStint]) -> list[tuple[str, str]]:
    """The compounds of these stints for a legend: names and colours."""
    seen = {stint.compound for stint in stints}
    known = [(name.lower(), colour) for name, colour in COMPOUNDS.items() if name in seen]
    return known + ([("unknown", UNKNOWN_COMPOUND)] if seen - COMPOUNDS.keys() else [])


def draw_tyre_strategy(
    partition: SessionPartition,
    stints: pa.Table,
    *,
    drivers: pa.Table | None = None,
    results: pa.Table | None = None,
) -> str | None:
    """How far each driver drove on which tyres, as SVG; None where no stint has a start.

    stints, drivers, results: the session's rows in their datasets' schemas; without drivers cars
    are shown by number, without results in the order of their numbers.
    """
    bars = read_stints(stints)
    if not bars:
        return None
    field = entrants((bar.driver_number for bar in bars), drivers, results)
    last_lap = max(bar.last for bar in bars)
    stops = len(bars) - len(field)
    drawing = Drawing(
        height=_TOP + _ROW * len(field) + 34,
        title=title(partition, "Tyre strategy", stints),
        subtitle=f"{count(len(bars), 'stint')} of {count(len(field), 'driver')}, "
        f"{count(stops, 'change')} of tyres; ○ a set that had been used before",
    )
    drawing.legend(46, compounds_seen(bars))
    per_lap = (WIDTH - _LEFT - _RIGHT) / last_lap
    _axis(drawing, last_lap, per_lap, len(field))
    for row, entrant in enumerate(field):
        own = [bar for bar in bars if bar.driver_number == entrant.number]
        _row(drawing, entrant, own, _TOP + row * _ROW, per_lap)
    return drawing.to_svg()


def _axis(drawing: Drawing, last_lap: int, per_lap: float, field: int) -> None:
    bottom = _TOP + field * _ROW + 3
    step = next((s for s in (1, 5, 10, 20) if last_lap <= 8 * s), last_lap)
    ticks = [0, *range(step, last_lap - step // 2, step), last_lap]
    at = [(lap, _LEFT + lap * per_lap) for lap in ticks]
    drawing.line(vertical_lines((x for _, x in at), _TOP - 4, bottom), GRID)
    for lap, x in at:
        drawing.text(x, bottom + 15, str(lap), colour=MUTED, anchor="middle")
    drawing.text(MARGIN, bottom + 15, "laps", colour=MUTED)


def _row(
    drawing: Drawing, entrant: Entrant, bars: list[DrivenStint], top: float, per_lap: float
) -> None:
    middle = top + _BAR / 2 + 4
    drawing.text(MARGIN, middle, entrant.place, colour=MUTED)
    drawing.text(MARGIN + 36, middle, entrant.acronym, size=12, colour=entrant.colour, bold=True)
    for bar in bars:
        x, width = _LEFT + (bar.first - 1) * per_lap, bar.laps * per_lap
        fill = compound_colour(bar.compound)
        drawing.box(x + 0.5, top, max(1.0, width - 1), _BAR, fill, radius=2.5)
        label = f"{'○ ' if bar.used else ''}{bar.laps}"
        if width > _LABEL_ROOM + (12 if bar.used else 0):
            drawing.text(x + width / 2, middle, label, colour=ink_on(fill), anchor="middle")
    end = max(bar.last for bar in bars)
    drawing.text(_LEFT + end * per_lap + 6, middle, str(end), colour=MUTED)


def draw_pit_stops(
    partition: SessionPartition,
    pit_stops: pa.Table,
    *,
    drivers: pa.Table | None = None,
    results: pa.Table | None = None,
) -> str | None:
    """When each driver was in the pit lane and for how long, as SVG; None where nobody was.

    pit_stops, drivers, results: the session's rows in their datasets' schemas.
    """
    visits = sorted(
        (driver, lap, lane if lane is not None else pit)
        for driver, lap, lane, pit in rows(
            pit_stops, "driver_number", "lap_number", "lane_duration", "pit_duration"
        )
        if lap is not None and 0 < lap < 1000
    )
    if not visits:
        return None
    field = entrants((driver for driver, _, _ in visits), drivers, results)
    last_lap = max(lap for _, lap, _ in visits)
    timed = [(s, d) for d, _, s in visits if s is not None and 0 < s < _RED_FLAG]
    acronyms = {one.number: one.acronym for one in field}
    shortest = f"; shortest {min(timed)[0]:.1f} s, {acronyms[min(timed)[1]]}" if timed else ""
    drawing = Drawing(
        height=_TOP + _STOPS_ROW * len(field) + 30,
        title=title(partition, "Pit stops", pit_stops),
        subtitle=f"Seconds in the pit lane of {count(len(visits), 'visit')}{shortest}",
    )
    per_lap = (WIDTH - _STOPS_LEFT - _STOPS_RIGHT) / last_lap
    bottom = _TOP + _STOPS_ROW * len(field)
    step = next((s for s in (1, 5, 10, 20, 50, 100) if last_lap <= 8 * s), last_lap)
    at = {lap: _STOPS_LEFT + lap * per_lap for lap in range(step, last_lap + 1, step)}
    drawing.line(vertical_lines(at.values(), _TOP - 8, bottom), GRID)
    for lap, x in at.items():
        drawing.text(x, bottom + 15, str(lap), colour=MUTED, anchor="middle")
    drawing.text(MARGIN, bottom + 15, "laps", colour=MUTED)
    drawing.text(WIDTH - MARGIN, _TOP - 8, "total", colour=MUTED, anchor="end")
    for turn, one in enumerate(field):
        y = _TOP + turn * _STOPS_ROW + 8
        drawing.text(MARGIN, y + 4, one.place, colour=MUTED)
        drawing.text(MARGIN + 36, y + 4, one.acronym, size=12, colour=one.colour, bold=True)
        own = [(lap, seconds) for driver, lap, seconds in visits if driver == one.number]
        drawing.line(dots((_STOPS_LEFT + lap * per_lap, y) for lap, _ in own), one.colour, width=8)
        for lap, seconds in own:
            if seconds is not None and 0 < seconds < _RED_FLAG:
                drawing.text(_STOPS_LEFT + lap * per_lap + 7, y + 4, f"{seconds:.1f}", colour=TEXT)
        total = sum(s for _, s in own if s is not None and 0 < s < _RED_FLAG)
        if total:
            drawing.text(WIDTH - MARGIN, y + 4, f"{total:.1f} s", colour=MUTED, anchor="end")
    return drawing.to_svg()
