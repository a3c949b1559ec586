"""Qualifying gaps, pit stops and the overview of a season."""

from f1_bronze.charts.positions import draw_qualifying_gaps
from f1_bronze.charts.season_overview import draw_season
from f1_bronze.charts.tyre_strategy import draw_pit_stops
from f1_bronze.datasets.partition import SessionPartition

from .svg_reading import QUALIFYING, RACE, Tables, boxes, elements, table, texts


def test_qualifying_gaps() -> None:
    """Each driver's fastest time of all parts, in the order of the classification."""
    times = {1: [90.5, 90.0, 90.25], 2: [91.0, 90.1], 3: [92.0], 4: None}
    results = table(
        "results",
        *({"driver_number": n, "position": n, "duration": t} for n, t in times.items()),
    )
    svg = draw_qualifying_gaps(QUALIFYING, results)
    assert svg is not None
    assert texts(svg)[1].startswith("Fastest time 1:30.000, 1; ")
    assert [t for t in texts(svg)[2:] if ":" in t] == [
        "1:30.000",
        "1:30.100  +0.100",
        "1:32.000  +2.000",
    ]
    assert draw_qualifying_gaps(RACE, results) is None
    assert draw_qualifying_gaps(QUALIFYING, results.slice(3)) is None


def test_pit_stops() -> None:
    """A mark per visit with its seconds, and the total; a red flag is no stop."""
    stops = table(
        "pit_stops",
        {"driver_number": 1, "lap_number": 10, "lane_duration": 21.54},
        {"driver_number": 1, "lap_number": 30, "lane_duration": 23.0},
        {"driver_number": 2, "lap_number": 20, "pit_duration": 22.0},
        {"driver_number": 2, "lap_number": 25, "lane_duration": 1800.0},
        {"driver_number": 3, "lap_number": None, "lane_duration": 20.0},
    )
    svg = draw_pit_stops(RACE, stops)
    assert svg is not None
    assert texts(svg)[1] == "Seconds in the pit lane of 4 visits; shortest 21.5 s, 1"
    assert [t for t in texts(svg) if t in ("21.5", "23.0", "22.0", "1800.0")] == [
        "21.5",
        "23.0",
        "22.0",
    ]
    assert [t for t in texts(svg)[2:] if t.endswith(" s")] == ["44.5 s", "22.0 s"]
    marks = "".join(p.attrib["d"] for p in elements(svg, "path"))
    assert marks.count("h0") == 4
    assert draw_pit_stops(RACE, stops.slice(4)) is None


def test_season() -> None:
    """A column per race; the points of sprints count too, and the order is that of the points."""

    def result(driver: int, position: int | None, points: float, **more: object) -> dict:
        return {"driver_number": driver, "position": position, "points": points} | more

    def session(key: str, *rows: dict) -> tuple[SessionPartition, object]:
        return SessionPartition.parse(key), table("results", *rows)

    results = dict(
        [
            session("2026/australian/race", result(1, 1, 25.0), result(2, 2, 18.0)),
            session("2026/chinese/sprint", result(2, 1, 8.0), result(1, None, 0.0, dnf=True)),
            session("2026/chinese/race", result(3, 1, 25.0), result(1, None, 0.0, dsq=True)),
        ]
    )
    svg = draw_season(2026, results, {})  # type: ignore[arg-type]  # tables are untyped
    assert svg is not None
    shown = texts(svg)
    assert shown[:5] == ["Season 2026", "Results of 2 races and the points with sprints", "AUS",
                         "CHI", "points"]  # fmt: skip
    assert shown[5:] == ["2", "2", "26", "1", "1", "DSQ", "25", "3", "1", "25"]  # row by row
    assert len(boxes(svg, "#d9a514")) == 2
    assert draw_season(2026, {}, {}) is None


def test_simulated_charts_say_so_and_are_small(race: Tables, qualifying: Tables) -> None:
    """Of a whole session each is below 40 kB, and says that its data is simulated."""
    known = {"drivers": race["drivers"], "results": race["results"]}
    for svg in (
        draw_pit_stops(RACE, race["pit_stops"], **known),
        draw_qualifying_gaps(QUALIFYING, qualifying["results"], drivers=qualifying["drivers"]),
        draw_season(2026, {RACE: race["results"]}, {RACE: race["drivers"]}),
    ):
        assert svg is not None
        assert len(svg) < 40_000
        assert texts(svg)[0].endswith("(simulated data)")
