"""Race trace and positions by lap: from when each lap ended."""

import re

from f1_bronze.charts.palette import team_colour
from f1_bronze.charts.race_progress import draw_positions_by_lap, draw_race_trace

from .svg_reading import QUALIFYING, RACE, Tables, strokes, table, texts


def lap(driver: int, number: int, second: int | None, duration: float | None = None) -> dict:
    """A lap that began so many seconds after three o'clock."""
    start = None if second is None else f"2026-03-08T15:{second // 60:02}:{second % 60:02}+00:00"
    return {
        "driver_number": driver,
        "lap_number": number,
        "date_start": start,
        "lap_duration": duration,
    }


LAPS = table(
    "laps",
    *(lap(1, 1, 0), lap(1, 2, 90), lap(1, 3, 180, 90.0)),
    *(lap(2, 1, 0), lap(2, 2, 95), lap(2, 3, 175, 100.0)),
)


def test_gaps_to_the_leader() -> None:
    """A lap ends when the next one begins, the last one after its duration; the axis fits them."""
    results = table("results", {"driver_number": 1, "position": 1})
    svg = draw_race_trace(RACE, LAPS, results=results)
    assert svg is not None
    assert "Seconds behind the leader at the end of each lap; 1 won; gaps above 5 s cut off" in (
        texts(svg)
    )
    lines = strokes(svg, team_colour(None))
    assert [len(re.findall(r"-?\d+", line)) for line in lines] == [6, 6]  # three points
    assert [text for text in texts(svg) if text.endswith(" s")] == [f"{n} s" for n in range(6)]


def test_positions() -> None:
    """The order in which the drivers end each lap; who started where is on the left."""
    svg = draw_positions_by_lap(RACE, LAPS)
    assert svg is not None
    assert "Position at the end of each lap, pit stops included; 4 changes" in texts(svg)
    shown = [text for text in texts(svg) if text in "12"][:6]
    assert shown == ["1", "1", "1", "2", "2", "2"]  # place and driver after lap 1, and in the end


def test_a_lap_without_a_time_interrupts_the_line() -> None:
    """No line is drawn through laps whose end is not known."""
    laps = table("laps", *(lap(1, n, None if n == 3 else n * 90, 90.0) for n in range(1, 7)))
    for draw in (draw_race_trace, draw_positions_by_lap):
        svg = draw(RACE, laps)
        assert svg is not None
        assert [line.count("M") for line in strokes(svg, team_colour(None))] == [2]


def test_all_drivers_are_named(race: Tables) -> None:
    """Each driver who ended a lap has a line and a label."""
    for draw in (draw_race_trace, draw_positions_by_lap):
        svg = draw(RACE, race["laps"], drivers=race["drivers"], results=race["results"])
        assert svg is not None
        assert len(svg) < 40_000
        driven = set(race["laps"]["driver_number"].to_pylist())
        acronyms = {
            row["name_acronym"]
            for row in race["drivers"].to_pylist()
            if row["driver_number"] in driven
        }
        assert acronyms <= set(texts(svg))


def test_nothing_to_draw() -> None:
    """Outside races, and with one lap, there is no chart."""
    assert draw_race_trace(QUALIFYING, LAPS) is None
    assert draw_positions_by_lap(QUALIFYING, LAPS) is None
    assert draw_race_trace(RACE, table("laps", lap(1, 1, 0, 90.0))) is None
    assert draw_positions_by_lap(RACE, table("laps")) is None
