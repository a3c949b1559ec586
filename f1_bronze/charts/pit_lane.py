"""Pit stops: a row per driver, a mark per visit to the pit lane, and the time spent there."""

import pyarrow as pa

from f1_bronze.charts.field import count, entrants, rows, title
from f1_bronze.charts.palette import GRID, MUTED, TEXT
from f1_bronze.charts.svg import MARGIN, TITLE_HEIGHT, WIDTH, Drawing, dots, number
from f1_bronze.datasets.partition import SessionPartition

_ROW = 22
_LEFT, _RIGHT = 100, 90
_TOP = TITLE_HEIGHT + 22
_RED_FLAG = 180
"""Seconds; a longer visit is a suspended race, and its label would say nothing of a stop."""


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
        height=_TOP + _ROW * len(field) + 30,
        title=title(partition, "Pit stops", pit_stops),
        subtitle=f"Seconds in the pit lane of {count(len(visits), 'visit')}{shortest}",
    )
    per_lap = (WIDTH - _LEFT - _RIGHT) / last_lap
    bottom = _TOP + _ROW * len(field)
    step = next((s for s in (1, 5, 10, 20, 50, 100) if last_lap <= 8 * s), last_lap)
    for lap in range(step, last_lap + 1, step):
        x = _LEFT + lap * per_lap
        drawing.line(f"M{number(x)} {_TOP - 8}V{number(bottom)}", GRID)
        drawing.text(x, bottom + 15, str(lap), colour=MUTED, anchor="middle")
    drawing.text(MARGIN, bottom + 15, "laps", colour=MUTED)
    drawing.text(WIDTH - MARGIN, _TOP - 8, "total", colour=MUTED, anchor="end")
    for turn, one in enumerate(field):
        y = _TOP + turn * _ROW + 8
        drawing.text(MARGIN, y + 4, one.place, colour=MUTED)
        drawing.text(MARGIN + 36, y + 4, one.acronym, size=12, colour=one.colour, bold=True)
        own = [(lap, seconds) for driver, lap, seconds in visits if driver == one.number]
        drawing.line(dots((_LEFT + lap * per_lap, y) for lap, _ in own), one.colour, width=8)
        for lap, seconds in own:
            if seconds is not None and 0 < seconds < _RED_FLAG:
                drawing.text(_LEFT + lap * per_lap + 7, y + 4, f"{seconds:.1f}", colour=TEXT)
        total = sum(s for _, s in own if s is not None and 0 < s < _RED_FLAG)
        if total:
            drawing.text(WIDTH - MARGIN, y + 4, f"{total:.1f} s", colour=MUTED, anchor="end")
    return drawing.to_svg()
