"""The tyre strategy: bars, colours, and stints that upstream wrote crooked."""

import pytest

from f1_bronze.charts.palette import COMPOUNDS, UNKNOWN_COMPOUND
from f1_bronze.charts.tyre_strategy import draw_tyre_strategy, read_stints

from .svg_reading import RACE, Tables, boxes, table, texts


def stint(driver: int, number: int, start: int | None, end: int | None, **more: object) -> dict:
    """One row of stints."""
    row = {"driver_number": driver, "stint_number": number, "lap_start": start, "lap_end": end}
    return row | more


def test_a_bar_per_stint_in_its_compounds_colour(race: Tables) -> None:
    """Each stint is one bar, and each compound has as many as there are stints on it."""
    svg = draw_tyre_strategy(RACE, race["stints"], drivers=race["drivers"], results=race["results"])
    assert svg is not None
    stints = race["stints"].column("compound").to_pylist()
    assert len(stints) > 44
    for compound, colour in COMPOUNDS.items():
        bars = [width for _, width in boxes(svg, colour) if width != 10]  # the legend's are 10
        assert len(bars) == stints.count(compound), compound


def test_every_driver_in_the_order_of_the_result(race: Tables) -> None:
    """All 22 acronyms stand in the classification's order, each beside its place."""
    svg = draw_tyre_strategy(RACE, race["stints"], drivers=race["drivers"], results=race["results"])
    assert svg is not None
    acronyms = dict(
        zip(
            race["drivers"]["driver_number"].to_pylist(),
            race["drivers"]["name_acronym"].to_pylist(),
            strict=True,
        )
    )
    placed = sorted(
        (position, acronyms[driver])
        for driver, position in zip(
            race["results"]["driver_number"].to_pylist(),
            race["results"]["position"].to_pylist(),
            strict=True,
        )
        if position is not None
    )
    shown = [text for text in texts(svg) if text in acronyms.values()]
    assert len(shown) == 22
    assert shown[: len(placed)] == [acronym for _, acronym in placed]
    assert [text for text in texts(svg) if text in ("P1", "P2", "P3")] == ["P1", "P2", "P3"]


def test_lengths_are_laps() -> None:
    """A stint of 15 laps is half as long as one of 30, and begins where the first ended."""
    rows = table(
        "stints",
        stint(4, 1, 1, 30, compound="MEDIUM", tyre_age_at_start=0),
        stint(4, 2, 31, 45, compound="SOFT", tyre_age_at_start=3),
    )
    svg = draw_tyre_strategy(RACE, rows)
    assert svg is not None
    [(left, long)] = [bar for bar in boxes(svg, COMPOUNDS["MEDIUM"]) if bar[1] != 10]
    [(second, short)] = [bar for bar in boxes(svg, COMPOUNDS["SOFT"]) if bar[1] != 10]
    assert (long + 1) / (short + 1) == pytest.approx(2, abs=0.005)
    assert second - left == pytest.approx(long + 1)
    assert {"30", "○ 15", "4"} <= set(texts(svg))
    subtitle = "2 stints of 1 driver, 1 change of tyres; ○ a set that had been used before"
    assert subtitle in texts(svg)


def test_crooked_stints_are_made_straight() -> None:
    """A stint without an end, or with one too early, lasts until the next one, at least a lap."""
    rows = table(
        "stints",
        stint(1, 1, 1, None),
        stint(1, 2, 10, 8),
        stint(1, 3, None, 20),
        stint(2, 1, 0, 5),
        stint(2, 2, 5, 4),
    )
    assert [(s.driver_number, s.first, s.last) for s in read_stints(rows)] == [
        (1, 1, 9),
        (1, 10, 10),
        (2, 1, 5),
        (2, 5, 5),
    ]


def test_an_unknown_compound_is_grey() -> None:
    """UNKNOWN, TEST_UNKNOWN and null share one colour and one entry in the legend."""
    rows = table(
        "stints",
        stint(1, 1, 1, 9, compound="UNKNOWN"),
        stint(1, 2, 10, 19, compound="TEST_UNKNOWN"),
        stint(1, 3, 20, 29, compound=None),
    )
    svg = draw_tyre_strategy(RACE, rows)
    assert svg is not None
    assert len([bar for bar in boxes(svg, UNKNOWN_COMPOUND) if bar[1] != 10]) == 3
    assert texts(svg).count("unknown") == 1


def test_nothing_to_draw() -> None:
    """No rows, or none with a start: no chart."""
    assert draw_tyre_strategy(RACE, table("stints")) is None
    assert draw_tyre_strategy(RACE, table("stints", stint(1, 1, None, 5))) is None
