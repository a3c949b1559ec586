"""The charts as Chromium draws them: every text is inside its card."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from f1_bronze.charts.lap_times import draw_lap_times
from f1_bronze.charts.positions import draw_positions, draw_qualifying_gaps
from f1_bronze.charts.race_progress import draw_positions_by_lap, draw_race_trace
from f1_bronze.charts.season_overview import draw_season
from f1_bronze.charts.tyre_strategy import draw_pit_stops, draw_tyre_strategy

from ..chromium import Browser, chromium
from .svg_reading import QUALIFYING, RACE, Tables

OUTSIDE = """
const card = document.documentElement.getBoundingClientRect();
return [...document.querySelectorAll('text')].filter(text => {
  const box = text.getBoundingClientRect();
  return box.left < card.left || box.right > card.right
      || box.top < card.top || box.bottom > card.bottom;
}).map(text => text.textContent);
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One window for all tests here."""
    with chromium(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


def test_every_text_is_inside(
    browser: Browser, race: Tables, qualifying: Tables, tmp_path: Path
) -> None:
    """Drawn at its own width each chart shows all of its texts, and fetches nothing."""
    known = {"drivers": race["drivers"], "results": race["results"]}
    charts = {
        "lap-times": draw_lap_times(RACE, race["laps"], **known, stints=race["stints"]),
        "positions": draw_positions(
            RACE, race["results"], drivers=race["drivers"], qualifying=qualifying["results"]
        ),
        "tyres": draw_tyre_strategy(RACE, race["stints"], **known),
        "race-trace": draw_race_trace(RACE, race["laps"], **known),
        "position-by-lap": draw_positions_by_lap(RACE, race["laps"], **known),
        "pit-stops": draw_pit_stops(RACE, race["pit_stops"], **known),
        "qualifying-gaps": draw_qualifying_gaps(
            QUALIFYING, qualifying["results"], drivers=qualifying["drivers"]
        ),
        "season": draw_season(2026, {RACE: race["results"]}, {RACE: race["drivers"]}),
    }
    outside = {}
    for name, svg in charts.items():
        assert svg is not None, name
        file = tmp_path / f"{name}.svg"
        file.write_text(svg, "ascii")
        browser.open(file)
        assert browser.run("return document.documentElement.getBoundingClientRect().width") == 920
        outside[name] = browser.run(OUTSIDE)
    assert outside == {name: [] for name in charts}
    assert browser.complaints() == []
