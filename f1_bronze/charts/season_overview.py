"""A season at a glance: a row per driver, a column per race, and the points."""

from collections.abc import Mapping

import pyarrow as pa

from f1_bronze.charts.field import count, rows
from f1_bronze.charts.palette import MUTED, PANEL, TEXT, ink_on, team_colour
from f1_bronze.charts.svg import MARGIN, TITLE_HEIGHT, WIDTH, Drawing
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.datasets.sessions import is_simulated

_ROW = 20
_LEFT, _RIGHT = 62, 62
_TOP = TITLE_HEIGHT + 26
_PODIUM = {1: "#d9a514", 2: "#9a9aa6", 3: "#a9713b"}
_MOST_DRIVERS = 40


def draw_season(
    year: int,
    results: Mapping[SessionPartition, pa.Table],
    drivers: Mapping[SessionPartition, pa.Table],
) -> str | None:
    """Positions and points of the races of a season, as SVG; None without results.

    results: of races and sprints, in the order of the season; sprints count for the points alone.
    drivers: of the same sessions, where they are stored.
    """
    points: dict[int, float] = {}
    places: dict[int, dict[SessionPartition, str]] = {}
    names: dict[int, tuple[str, str]] = {}
    simulated = False
    for partition, table in results.items():
        for number, acronym, colour in rows(
            drivers.get(partition), "driver_number", "name_acronym", "team_colour"
        ):
            names[number] = (acronym or str(number))[:4], team_colour(colour)
        for key, number, position, scored, dnf, dns, dsq in rows(
            table, "session_key", "driver_number", "position", "points", "dnf", "dns", "dsq"
        ):
            simulated = simulated or is_simulated(key)
            points[number] = points.get(number, 0.0) + (scored or 0.0)
            if partition.session_type == "race":
                out = "DSQ" if dsq else "DNS" if dns else "DNF" if dnf else "–"
                shown = str(position) if position is not None and position < 100 else out
                places.setdefault(number, {})[partition] = shown
    races = [partition for partition in results if partition.session_type == "race"]
    if not races or not places:
        return None

    def rank(number: int) -> tuple[float, list[int], int]:
        best = sorted(int(place) for place in places[number].values() if place.isdigit())
        return -points[number], best or [99], number

    field = sorted(places, key=rank)[:_MOST_DRIVERS]
    drawing = Drawing(
        height=_TOP + _ROW * len(field) + 14,
        title=f"Season {year}" + (" (simulated data)" if simulated else ""),
        subtitle=f"Results of {count(len(races), 'race')} and the points with sprints",
    )
    column = min(60.0, (WIDTH - _LEFT - _RIGHT) / len(races))
    for turn, race in enumerate(races):
        code = race.grand_prix.replace("_", "")[:3].upper()
        drawing.text(_LEFT + column * (turn + 0.5), _TOP - 10, code, size=10, colour=MUTED,
                     anchor="middle")  # fmt: skip
    drawing.text(WIDTH - MARGIN, _TOP - 10, "points", colour=MUTED, anchor="end")
    for line, number in enumerate(field):
        top = _TOP + line * _ROW
        acronym, colour = names.get(number, (str(number), MUTED))
        drawing.text(MARGIN, top + 13, acronym, size=12, colour=colour, bold=True)
        for turn, race in enumerate(races):
            if race not in places[number]:
                continue
            shown = places[number][race]
            fill = _PODIUM.get(int(shown), PANEL) if shown.isdigit() else PANEL
            x = _LEFT + column * turn
            drawing.box(x + 1, top, column - 2, _ROW - 3, fill, radius=2)
            ink = ink_on(fill) if shown.isdigit() else MUTED
            size = 10 if shown.isdigit() or column > 30 else 8
            drawing.text(x + column / 2, top + 12.5, shown, size=size, colour=ink, anchor="middle")
        total = points[number]
        label = f"{total:g}"
        drawing.text(WIDTH - MARGIN, top + 13, label, size=12, colour=TEXT, anchor="end")
    return drawing.to_svg()
