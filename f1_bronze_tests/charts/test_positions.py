"""Places gained and lost: which columns, which places, and what is said of them."""

import json

import pyarrow as pa

from f1_bronze.charts.palette import LOST
from f1_bronze.charts.positions import draw_positions
from f1_bronze.datasets.partition import SessionPartition

from .svg_reading import PRACTICE, QUALIFYING, RACE, Tables, elements, table, texts


def result(driver: int, position: int | None, **more: object) -> dict:
    """One row of results."""
    return {"driver_number": driver, "position": position} | more


def lap(driver: int, number: int, moment: str | None) -> dict:
    """One row of laps."""
    return {"driver_number": driver, "lap_number": number, "date_start": moment}


def ends(svg: str) -> list[str]:
    """What stands right of the last column: place, acronym, gain, driver by driver."""
    return texts(svg, right_of=789)


def test_from_qualifying_over_lap_1_to_the_result() -> None:
    """Gains are counted from qualifying; the middle column is the order in which lap 2 began."""
    svg = draw_positions(
        RACE,
        table("results", result(1, 1), result(2, 2), result(3, 3)),
        qualifying=table("results", result(3, 1), result(1, 2), result(2, 3)),
        laps=table(
            "laps",
            lap(1, 2, "2026-03-08T05:03:01+00:00"),
            lap(2, 2, "2026-03-08T05:03:03+00:00"),
            lap(3, 2, "2026-03-08T05:03:02+00:00"),
            lap(2, 1, "2026-03-08T05:00:00+00:00"),
        ),
    )
    assert svg is not None
    assert [t for t in texts(svg) if t in ("Qualifying", "After lap 1", "Result")] == [
        "Qualifying",
        "After lap 1",
        "Result",
    ]
    subtitle = "From qualifying, before any grid penalty, to the result. Most gained: 1 ▲1"
    assert subtitle in texts(svg)
    assert ends(svg) == ["P1", "1", "▲1", "P2", "2", "▲1", "P3", "3", "▼2"]
    lost = [e for e in elements(svg, "text") if e.attrib.get("fill") == LOST]
    assert [e.text for e in lost] == ["▼2"]


def test_a_column_that_is_not_stored_is_left_out() -> None:
    """Without qualifying, gains count from the end of lap 1, and the chart says so."""
    results = table("results", result(1, 1), result(2, 2))
    laps = table(
        "laps",
        lap(1, 2, "2026-03-08T05:03:02+00:00"),
        lap(2, 2, "2026-03-08T05:03:01+00:00"),
    )
    svg = draw_positions(RACE, results, laps=laps)
    assert svg is not None
    assert "Qualifying" not in texts(svg)
    assert "From the end of lap 1 to the result. Most gained: 1 ▲1" in texts(svg)
    assert draw_positions(RACE, results, laps=table("laps", lap(1, 2, None))) is None
    assert draw_positions(RACE, results) is None


def test_who_did_not_finish_has_a_line_but_no_gain() -> None:
    """DNF and DSQ end below the classified; who did not start is not shown."""
    svg = draw_positions(
        RACE,
        table(
            "results",
            result(1, 1, number_of_laps=50),
            result(2, None, dnf=True, number_of_laps=3),
            result(3, None, dsq=True, number_of_laps=50),
            result(4, None, dns=True),
        ),
        qualifying=table("results", *(result(n, 5 - n) for n in (1, 2, 3, 4))),
    )
    assert svg is not None
    assert ends(svg) == ["P1", "1", "▲3", "DSQ", "3", "DNF", "2"]
    assert "DNS" not in texts(svg)


def test_qualifying_shows_its_parts() -> None:
    """The order of the times in Q1 and Q2, then the result; who is out keeps their place."""
    rows = table(
        "results",
        result(1, 1, duration=[81.0, 80.0, 79.0]),
        result(2, 2, duration=[80.5, 80.2, None]),
        result(3, 3, duration=[82.0, None, None]),
        result(4, None, duration=None),
    )
    svg = draw_positions(QUALIFYING, rows)
    assert svg is not None
    assert [t for t in texts(svg) if t in ("Q1", "Q2", "Result")] == ["Q1", "Q2", "Result"]
    assert ends(svg) == ["P1", "1", "▲1", "P2", "2", "▼1", "P3", "3", "=", "–", "4"]
    sprint = SessionPartition.parse("2026/chinese/sprint_qualifying")
    named = draw_positions(sprint, rows)
    assert named is not None
    assert "From SQ1 to the result. Most gained: 1 ▲1" in texts(named)


def test_simulated_race_and_qualifying(race: Tables, qualifying: Tables) -> None:
    """Drivers who end a race elsewhere than they qualified are shown with the difference."""
    svg = draw_positions(
        RACE,
        race["results"],
        drivers=race["drivers"],
        laps=race["laps"],
        qualifying=qualifying["results"],
    )
    assert svg is not None
    before = dict(places(qualifying["results"]))
    gains = [
        before[driver] - position
        for driver, position in places(race["results"])
        if before.get(driver) and position
    ]
    assert len(gains) > 15
    shown = [t for t in texts(svg) if t[:1] in "▲▼="]
    assert sorted(shown) == sorted(
        f"▲{gain}" if gain > 0 else f"▼{-gain}" if gain else "=" for gain in gains
    )


def places(results: pa.Table) -> list[tuple[int, int | None]]:
    """Driver and position of every row that is neither out nor disqualified."""
    return [
        (row["driver_number"], row["position"])
        for row in results.to_pylist()
        if not (row["dnf"] or row["dns"] or row["dsq"])
    ]


def test_practice_has_no_places() -> None:
    """One best lap and nothing to compare it with: no chart."""
    rows = table("results", result(1, 1, duration=81.0), result(2, 2, duration=json.dumps("x")))
    assert draw_positions(PRACTICE, rows) is None
