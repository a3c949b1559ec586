"""Qualifying gaps: a bar per driver, from the fastest time of the session to the driver's own."""

import json

import pyarrow as pa

from f1_bronze.charts.field import entrants, lap_time, rows, title
from f1_bronze.charts.palette import GRID, MUTED
from f1_bronze.charts.svg import MARGIN, TITLE_HEIGHT, WIDTH, Drawing, number
from f1_bronze.datasets.partition import SessionPartition

_ROW, _BAR = 22, 13
_LEFT, _RIGHT = 100, 190
_TOP = TITLE_HEIGHT + 14
_A_DAY = 86_400


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
        height=_TOP + _ROW * len(field) + 14,
        title=title(partition, "Qualifying gaps", results),
        subtitle=f"Fastest time {lap_time(fastest)}, {name}; bars are the gap of each driver's "
        "fastest time",
    )
    per_second = (WIDTH - _LEFT - _RIGHT) / max(slowest - fastest, 0.001)
    drawing.line(f"M{_LEFT} {_TOP - 6}V{number(_TOP + _ROW * len(field))}", GRID)
    for turn, one in enumerate(field):
        top = _TOP + turn * _ROW
        gap = best[one.number] - fastest
        width = max(2.0, gap * per_second)
        drawing.text(MARGIN, top + 11, one.place, colour=MUTED)
        drawing.text(MARGIN + 36, top + 11, one.acronym, size=12, colour=one.colour, bold=True)
        drawing.box(_LEFT, top, width, _BAR, one.colour, radius=2.5)
        label = f"{lap_time(best[one.number])}" + (f"  +{gap:.3f}" if gap else "")
        drawing.text(_LEFT + width + 8, top + 11, label, colour=MUTED)
    return drawing.to_svg()


def _times(duration: str | None) -> list[float]:
    times = json.loads(duration) if duration else []
    return [
        seconds
        for seconds in (times if isinstance(times, list) else [times])
        if isinstance(seconds, int | float) and 0 < seconds < _A_DAY
    ]
