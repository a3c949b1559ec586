"""Lap times: a small chart per driver, all on the same axes, with stints and pit stops.

Races and sprints: a line over the grey one of the field's median, which shows safety cars and
rain. Other sessions: a dot per timed lap near the pace; slower ones are in and out laps.
The time axis ends where most of the field does, and the subtitle says where: a lap under a red
flag lasts half an hour and would flatten everything else.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import pyarrow as pa

from f1_bronze.charts.field import Entrant, entrants, lap_time, rows, short_time, title
from f1_bronze.charts.palette import FAINT, GRID, MUTED, PANEL, TEXT, compound_colour
from f1_bronze.charts.svg import (
    MARGIN,
    TITLE_HEIGHT,
    WIDTH,
    Drawing,
    Point,
    dots,
    horizontal_lines,
    polyline,
    triangles,
)
from f1_bronze.charts.tyre_strategy import DrivenStint, compounds_seen, read_stints
from f1_bronze.datasets.dataset import RACE_TYPES
from f1_bronze.datasets.partition import SessionPartition

_MOST_COLUMNS = 5
_AXIS = 34

_GAP = 10
_HEAD, _PLOT, _STRIP = 18, 72, 4

_PANEL = _HEAD + _PLOT + _STRIP + 4

_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600)
"""Seconds between the lines of the time axis."""

_A_DAY = 86_400
_NEAR_THE_PACE = 1.07
"""Outside races, laps within 107 % of the fastest are shown: the limit to qualify for a race."""


@dataclass(frozen=True, kw_only=True)
class _DriverLaps:
    """One driver's session.

    Attributes:
        laps: every lap that has a row, timed or not.
        stints: upstream's, or else inferred from the out laps, without compounds.
        has_compounds: whether the stints are upstream's.
        stops: laps at whose end the car was in the pit lane.
    """

    laps: tuple[int, ...]
    times: Mapping[int, float]
    stints: Sequence[DrivenStint]
    has_compounds: bool
    stops: Sequence[int]


@dataclass(frozen=True, kw_only=True)
class _Scale:
    """The axes that all panels share."""

    last_lap: int
    fastest: float
    slowest: float
    width: float
    racing: bool

    def x(self, lap: float) -> float:
        """Pixels from a panel's left edge to the middle of a lap."""
        return 4 + (self.width - 8) * (lap - 0.5) / self.last_lap

    def y(self, seconds: float) -> float:
        """Pixels from the top of a plot; what is slower than the axis is at the top."""
        share = (min(seconds, self.slowest) - self.fastest) / (self.slowest - self.fastest)
        return 4 + (_PLOT - 8) * (1 - share)

    def ticks(self) -> list[int]:
        """Whole seconds at which the time axis has a line, at most five."""
        step = next((s for s in _STEPS if (self.slowest - self.fastest) / s <= 4), None)
        step = step or int(self.slowest - self.fastest) // 4
        first = -int(-self.fastest // step) * step
        return list(range(first, int(self.slowest) + 1, step))


def draw_lap_times(
    partition: SessionPartition,
    laps: pa.Table,
    *,
    drivers: pa.Table | None = None,
    results: pa.Table | None = None,
    stints: pa.Table | None = None,
    pit_stops: pa.Table | None = None,
) -> str | None:
    """Every driver's lap times, as SVG; None where no lap has a time.

    All tables: the session's rows in their datasets' schemas. Where there are no stints or pit
    stops, they are inferred from the out laps, without compounds.
    """
    drives = _drives(laps, stints, pit_stops)
    timed = [(seconds, n, lap) for n, d in drives.items() for lap, seconds in d.times.items()]
    if not timed:
        return None
    racing = partition.session_type in RACE_TYPES
    entered = entrants(drives, drivers, results)
    if results is None:
        entered.sort(key=lambda one: _rank(drives[one.number], racing))
    best, best_number, best_lap = min(timed)
    columns = min(_MOST_COLUMNS, len(entered))
    scale = _Scale(
        last_lap=max(1, *(max(drive.laps) for drive in drives.values())),
        fastest=best,
        slowest=_slowest([seconds for seconds, _, _ in timed], racing),
        width=(WIDTH - 2 * MARGIN - _AXIS - (columns - 1) * _GAP) / columns,
        racing=racing,
    )
    name = next(one.acronym for one in entered if one.number == best_number)
    drawing = Drawing(
        height=TITLE_HEIGHT + -(-len(entered) // columns) * (_PANEL + _GAP) + 20,
        title=title(partition, "Lap times", laps),
        subtitle=f"Fastest {lap_time(best)}, {name} in lap {best_lap}; laps above "
        + (f"{short_time(scale.slowest)} cut off" if racing else "107 % of it left out"),
    )
    drawing.legend(46, _legend(drives, racing))
    drawing.define_box(scale.width, _PANEL, PANEL, radius=4)
    at_ticks = (_HEAD + scale.y(seconds) for seconds in scale.ticks())
    drawing.define(horizontal_lines(at_ticks, 0, scale.width), GRID)
    if racing:
        drawing.define(polyline(_points(_median(drives), scale, 0, _HEAD)), FAINT)
    corners = [
        (
            MARGIN + _AXIS + turn % columns * (scale.width + _GAP),
            TITLE_HEIGHT + turn // columns * (_PANEL + _GAP),
        )
        for turn in range(len(entered))
    ]
    for corner in corners:
        drawing.place(*corner)
    if not racing:
        best_dots = [
            point
            for one, (left, top) in zip(entered, corners, strict=True)
            for point in _best_dot(drives[one.number], scale, left, top)
        ]
        drawing.line(dots(best_dots), TEXT, width=8)
    stops = ""
    for turn, (entrant, (left, top)) in enumerate(zip(entered, corners, strict=True)):
        drive = drives[entrant.number]
        _panel(drawing, left, top, entrant, drive, scale)
        if racing:
            at = (left + scale.x(lap + 0.5) for lap in drive.stops)
            stops += triangles(at, top + _HEAD + _PLOT - 6)
        if turn % columns == 0:
            for seconds in scale.ticks():
                y = top + _HEAD + scale.y(seconds) + 4
                drawing.text(left - 5, y, short_time(seconds), colour=MUTED, anchor="end")
        if turn + columns >= len(entered):
            y = top + _PANEL + 12
            drawing.text(left + scale.x(1), y, "1", colour=MUTED)
            last = f"lap {scale.last_lap}"
            drawing.text(left + scale.width - 4, y, last, colour=MUTED, anchor="end")
    drawing.shape(stops, TEXT)
    return drawing.to_svg()


def _panel(
    drawing: Drawing, left: float, top: float, entrant: Entrant, drive: _DriverLaps, scale: _Scale
) -> None:
    drawing.text(left + 5, top + 14, entrant.acronym, size=12, colour=entrant.colour, bold=True)
    drawing.text(left + 40, top + 14, entrant.place, colour=MUTED)
    if drive.times:
        best, end = lap_time(min(drive.times.values())), left + scale.width - 5
        drawing.text(end, top + 14, best, colour=MUTED, anchor="end")
    plot = top + _HEAD
    if scale.racing:
        drawing.line(polyline(_points(drive.times, scale, left, plot)), entrant.colour, width=1.5)
    else:
        drawing.line(dots(_near_the_pace(drive, scale, left, plot)), entrant.colour, width=5)
    strip = plot + _PLOT
    for turn, stint in enumerate(drive.stints):
        start, end = scale.x(stint.first - 0.5), scale.x(stint.last + 0.5)
        fill = compound_colour(stint.compound) if drive.has_compounds else (FAINT, GRID)[turn % 2]
        drawing.box(left + start + 0.5, strip, max(1.0, end - start - 1), _STRIP, fill)


def _near_the_pace(drive: _DriverLaps, scale: _Scale, left: float, plot: float) -> list[Point]:
    """A point for each lap that is shown outside races."""
    shown = {lap: s for lap, s in drive.times.items() if s <= scale.slowest}
    return [point for point in _points(shown, scale, left, plot) if point]


def _best_dot(drive: _DriverLaps, scale: _Scale, left: float, top: float) -> list[Point]:
    """The point of a driver's fastest lap that is shown, if there is one."""
    points = _near_the_pace(drive, scale, left, top + _HEAD)
    return [max(points, key=lambda point: point[1])] if points else []


def _points(
    times: Mapping[int, float], scale: _Scale, left: float, top: float
) -> Iterator[Point | None]:
    """Lap by lap, with an interruption where one or more have no time."""
    before = None
    for lap in sorted(times):
        if before is not None and lap > before + 1:
            yield None
        yield left + scale.x(lap), top + scale.y(times[lap])
        before = lap


def _legend(drives: Mapping[int, _DriverLaps], racing: bool) -> list[tuple[str, str]]:
    seen = compounds_seen(stint for d in drives.values() if d.has_compounds for stint in d.stints)
    if not racing:
        return [("runs between pit visits", FAINT)]
    stops = [("▲ pit stop", "")] if any(drive.stops for drive in drives.values()) else []
    return [("median of the field", FAINT), *seen, *stops]


def _drives(
    laps: pa.Table, stints: pa.Table | None, pit_stops: pa.Table | None
) -> dict[int, _DriverLaps]:
    driven: dict[int, dict[int, float | None]] = {}
    out_laps: dict[int, list[int]] = {}
    for driver, lap, seconds, out in rows(
        laps, "driver_number", "lap_number", "lap_duration", "is_pit_out_lap"
    ):
        driven.setdefault(driver, {})[lap] = seconds
        if out and lap > 1:  # everyone leaves the pit lane before the first
            out_laps.setdefault(driver, []).append(lap)
    ridden: dict[int, list[DrivenStint]] = {}
    for stint in read_stints(stints):
        ridden.setdefault(stint.driver_number, []).append(stint)
    stopped: dict[int, list[int]] = {}
    for driver, lap in rows(pit_stops, "driver_number", "lap_number"):
        if lap is not None:
            stopped.setdefault(driver, []).append(lap)
    return {
        driver: _DriverLaps(
            laps=tuple(times),
            times={lap: s for lap, s in times.items() if s is not None and 0 < s < _A_DAY},
            stints=ridden.get(driver) or _infer_stints(driver, times, out_laps.get(driver, [])),
            has_compounds=driver in ridden,
            stops=stopped.get(driver, [])
            if stopped
            else [lap - 1 for lap in out_laps.get(driver, [])],
        )
        for driver, times in driven.items()
    }


def _infer_stints(
    driver: int, laps: Mapping[int, object], out_laps: Sequence[int]
) -> list[DrivenStint]:
    """The stints between out laps."""
    starts = sorted({min(laps), *out_laps, max(laps) + 1})
    return [
        DrivenStint(driver_number=driver, first=first, last=after - 1, compound=None, used=False)
        for first, after in pairwise(starts)
    ]


def _rank(drive: _DriverLaps, racing: bool) -> tuple[float, float]:
    """An order without results: by laps and total time in a race, else by the best lap."""
    if racing:
        return -max(drive.laps), sum(drive.times.values())
    return min(drive.times.values(), default=float("inf")), 0


def _median(drives: Mapping[int, _DriverLaps]) -> dict[int, float]:
    by_lap: dict[int, list[float]] = {}
    for drive in drives.values():
        for lap, seconds in drive.times.items():
            by_lap.setdefault(lap, []).append(seconds)
    return {lap: median(times) for lap, times in by_lap.items()}


def _slowest(times: Sequence[float], racing: bool) -> float:
    """Where the time axis ends: in a race about twice as far from the fastest as the median.

    Safety cars, stops and red flags are cut off there: they would flatten the pace.
    """
    fastest = min(times)
    if not racing:
        return max(seconds for seconds in times if seconds <= fastest * _NEAR_THE_PACE) + 0.5
    return min(max(times), fastest + 2.2 * (median(times) - fastest)) + 1
