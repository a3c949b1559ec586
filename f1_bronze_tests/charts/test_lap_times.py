"""Lap times: a panel per driver, stints and stops, axes that a red flag does not flatten."""

import pyarrow as pa
import pytest

from f1_bronze.charts.lap_times import draw_lap_times
from f1_bronze.charts.palette import COMPOUNDS, FAINT, GRID, PANEL, TEXT, team_colour

from .svg_reading import PRACTICE, RACE, Tables, boxes, elements, strokes, table, texts


def laps(driver: int, *times: float | None, out: tuple[int, ...] = ()) -> list[dict]:
    """A driver's laps from the first; those in `out` began in the pit lane."""
    return [
        {
            "driver_number": driver,
            "lap_number": number,
            "lap_duration": seconds,
            "is_pit_out_lap": number in out,
        }
        for number, seconds in enumerate(times, 1)
    ]


def whole(race: Tables) -> str:
    """The chart of a race of which everything is stored."""
    others = {name: race[name] for name in ("drivers", "results", "stints", "pit_stops")}
    svg = draw_lap_times(RACE, race["laps"], **others)
    assert svg is not None
    return svg


def test_a_panel_per_driver(race: Tables) -> None:
    """Each driver who drove has a panel with acronym, best lap and a line in the team's colour."""
    svg, driven = whole(race), set(race["laps"]["driver_number"].to_pylist())
    assert len(driven) >= 20
    assert len(boxes(svg, PANEL)) == 1
    assert len(elements(svg, "use")) == len(driven)
    for row in race["drivers"].to_pylist():
        if row["driver_number"] in driven:
            assert texts(svg).count(row["name_acronym"]) == 1
            assert strokes(svg, team_colour(row["team_colour"])) != []


def test_stints_in_their_colours_and_stops_as_marks(race: Tables) -> None:
    """Under the lines lie as many bars as stints, and as many marks as pit stops."""
    svg = whole(race)
    rows = race["stints"].to_pylist()
    driven = set(race["laps"]["driver_number"].to_pylist())
    for compound, colour in COMPOUNDS.items():
        bars = boxes(svg, colour)
        stints = [s for s in rows if s["compound"] == compound and s["driver_number"] in driven]
        in_legend = 1 if stints else 0
        assert len(bars) == len(stints) + in_legend, compound
    marks = "".join(p.attrib["d"] for p in elements(svg, "path") if p.attrib.get("fill") == TEXT)
    stops = [s for s in race["pit_stops"].to_pylist() if s["lap_number"] is not None]
    assert len(stops) > 20
    assert marks.count("z") == len(stops)


def test_laps_alone_show_stops() -> None:
    """Before stints and pit stops are stored, out laps give both, without compounds."""
    alone = draw_lap_times(RACE, table("laps", *laps(1, 90.0, 91.0, 110.0, 90.5, out=(1, 3))))
    assert alone is not None
    marks = [p.attrib["d"] for p in elements(alone, "path") if p.attrib.get("fill") == TEXT]
    assert [d.count("z") for d in marks] == [1]
    assert len(boxes(alone, GRID)) == 1
    assert len(boxes(alone, FAINT)) == 2  # a stint, and the median's colour in the legend
    for colour in COMPOUNDS.values():
        assert boxes(alone, colour) == []


def test_a_red_flag_flattens_nothing() -> None:
    """The axis of a race with a lap of 40 minutes ends near the pace, and the subtitle says so."""
    times = [100.0, 90.0, 91.0, 2400.0, 90.5, 91.5]
    svg = draw_lap_times(RACE, table("laps", *laps(1, *times)))
    assert svg is not None
    assert "Fastest 1:30.000, 1 in lap 2; laps above 1:33 cut off" in texts(svg)
    assert {"1:30", "1:31", "1:32", "1:33"} <= set(texts(svg))


def test_missing_times_interrupt_the_line() -> None:
    """No line is drawn through laps that have no time."""
    svg = draw_lap_times(RACE, table("laps", *laps(1, 90.0, 91.0, None, 90.0, 91.0, 90.0)))
    assert svg is not None
    assert [line.count("M") for line in strokes(svg, team_colour(None))] == [2]


def test_practice_is_dots() -> None:
    """Outside races each lap within 107 % is a dot, the driver's best one with a ring."""
    rows = table("laps", *laps(1, None, 90.0, 130.0, 92.0), *laps(2, None, 91.0))
    svg = draw_lap_times(PRACTICE, rows)
    assert svg is not None
    assert [dots.count("h0") for dots in strokes(svg, team_colour(None))] == [2, 1]
    assert [dots.count("h0") for dots in strokes(svg, TEXT)] == [2]
    assert "Fastest 1:30.000, 1 in lap 2; laps above 107 % of it left out" in texts(svg)


@pytest.mark.parametrize("times", [(), (None, None), (0.0, -1.0)])
def test_nothing_to_draw(times: tuple[float | None, ...]) -> None:
    """No lap with a time: no chart."""
    assert draw_lap_times(RACE, table("laps", *laps(1, *times))) is None


def test_without_results_the_order_is_the_pace() -> None:
    """In practice the fastest comes first; in a race who drove more laps, then who was faster."""
    rows = table("laps", *laps(7, 92.0, 92.0), *laps(8, 91.0), *laps(9, 91.5, 91.5))
    in_practice, in_race = draw_lap_times(PRACTICE, rows), draw_lap_times(RACE, rows)
    assert in_practice is not None
    assert in_race is not None
    assert [t for t in texts(in_practice) if t in "789"] == ["8", "9", "7"]
    assert [t for t in texts(in_race) if t in "789"] == ["9", "7", "8"]


def test_same_tables_same_chart(race: Tables) -> None:
    """Drawn twice, or from tables in other chunks, the text is the same."""
    chunked = {name: pa.concat_tables([t.slice(0, 5), t.slice(5)]) for name, t in race.items()}
    assert whole(race) == whole(race) == whole(chunked)


def test_laps_are_counted_from_one_but_need_not_be() -> None:
    """A lap that upstream numbers 0 is drawn, and divides nothing by zero."""
    row = {"driver_number": 1, "lap_number": 0, "lap_duration": 90.0}
    svg = draw_lap_times(RACE, table("laps", row))
    assert svg is not None
    assert "lap 1" in texts(svg)
