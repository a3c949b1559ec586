"""Which dataset has which chart, what it looks at, and what every chart promises."""

import re
from datetime import UTC, datetime
from xml.etree import ElementTree

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from f1_bronze.charts.dataset_charts import LARGEST, draw_dataset_chart, needed_tables
from f1_bronze.datasets.dataset import ColumnType
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.datasets.schema import arrow_schema
from f1_bronze.simulator.invented import InventedSeasons

from .svg_reading import (
    BY_NAME,
    QUALIFYING,
    RACE,
    Tables,
    invented,
    svg_in,
    table,
    texts,
)

ILLUSTRATED = ("results", "laps", "stints", "pit_stops")
_ODD = {
    ColumnType.INTEGER: st.one_of(st.none(), st.integers(0, 60), st.integers(-(2**62), 2**62)),
    ColumnType.FLOAT: st.one_of(st.none(), st.floats(60, 200), st.floats()),
    ColumnType.TEXT: st.one_of(st.none(), st.sampled_from(["SOFT", "ff8000"]), st.text(max_size=5)),
    ColumnType.BOOLEAN: st.one_of(st.none(), st.booleans()),
    ColumnType.TIMESTAMP: st.one_of(st.none(), st.just(datetime(2026, 3, 8, tzinfo=UTC))),
    ColumnType.INTEGERS: st.none(),
    ColumnType.JSON: st.sampled_from([None, "[80.1, null, 79]", '["x"]', '"+1 LAP"', "81.5"]),
}


@st.composite
def odd_tables(draw: st.DrawFn) -> dict[str, pa.Table]:
    """Tables in their schemas that hold whatever their types allow."""
    tables = {}
    for name in (*ILLUSTRATED, "drivers"):
        row = st.fixed_dictionaries({c.name: _ODD[c.type] for c in BY_NAME[name].columns})
        rows = draw(st.lists(row, max_size=4))
        for number, values in enumerate(rows):
            values |= {"session_key": 1, "driver_number": number % 2, "stint_number": number}
            if name == "laps":
                values["lap_number"] = draw(st.integers(0, 2**40))
        tables[name] = pa.Table.from_pylist(rows, schema=arrow_schema(BY_NAME[name]))
    return tables


def drawn(name: str, partition: SessionPartition, tables: Tables) -> str | None:
    """The chart of a dataset of which all neighbours are stored."""
    others = {(other, partition): rows for other, rows in tables.items()}
    return draw_dataset_chart(BY_NAME[name], partition, tables[name], others)


def test_what_each_chart_shows(race: Tables) -> None:
    """Results show places, laps and pit stops the lap times, stints the tyres; others nothing."""
    titles = {}
    for name in race:
        markdown = drawn(name, RACE, race)
        titles[name] = None if markdown is None else texts(svg_in(markdown))[0]
    assert titles == {
        "drivers": None,
        "results": "Places gained and lost · Australian 2026, race (simulated data)",
        "laps": "Lap times · Australian 2026, race (simulated data)",
        "stints": "Tyre strategy · Australian 2026, race (simulated data)",
        "pit_stops": "Lap times · Australian 2026, race (simulated data)",
    }


@pytest.mark.parametrize(
    ("name", "partition", "needed"),
    [
        ("drivers", RACE, []),
        ("stints", RACE, ["drivers", "results"]),
        ("laps", RACE, ["drivers", "results", "stints", "pit_stops"]),
        ("laps", QUALIFYING, ["drivers", "results"]),
        ("results", QUALIFYING, ["drivers"]),
        ("results", RACE, ["drivers", "laps", "results of 2026/australian/qualifying"]),
        ("pit_stops", RACE, ["drivers", "results", "laps", "stints"]),
    ],
)
def test_what_each_chart_needs(name: str, partition: SessionPartition, needed: list[str]) -> None:
    """Reading a table costs a call to the store, so nothing is named that is not used."""
    places = needed_tables(BY_NAME[name], partition)
    assert [n if p == partition else f"{n} of {p.key}" for n, p in places] == needed


@pytest.mark.parametrize("name", ILLUSTRATED)
def test_each_works_with_what_is_there(name: str, race: Tables) -> None:
    """With nothing but itself a dataset has its chart, or none where it has nothing to show."""
    markdown = draw_dataset_chart(BY_NAME[name], RACE, race[name], {})
    if name in ("results", "pit_stops"):  # what they show is in the others
        assert markdown is None
    else:
        assert markdown is not None
        numbers = {str(n) for n in race[name]["driver_number"].to_pylist()}
        assert numbers <= set(texts(svg_in(markdown)))


@pytest.mark.parametrize("name", [*ILLUSTRATED, "drivers"])
def test_an_empty_dataset_has_none(name: str, race: Tables) -> None:
    """Where OpenF1 has no rows there is no chart, whatever its neighbours hold."""
    assert drawn(name, RACE, {**race, name: table(name)}) is None


@pytest.mark.parametrize(
    ("year", "location", "session", "charts"),
    [
        (2026, "Melbourne", "Race", 4),
        (2026, "Monte Carlo", "Race", 4),
        (2026, "Melbourne", "Qualifying", 2),
        (2025, "Sakhir", "Practice 1", 1),
        (2025, "Sakhir", "Day 1", 1),
    ],
)
def test_promises(
    year: int, location: str, session: str, charts: int, seasons: InventedSeasons
) -> None:
    """Below 40 kB, plain ASCII on one line, and nothing in it is fetched from anywhere."""
    tables = invented(seasons, year, location, session)
    kind = session.lower().replace(" ", "_")
    partition = SessionPartition(year=year, grand_prix="somewhere", session_type=kind)
    names = [name for name in ILLUSTRATED if BY_NAME[name].exists_for(kind)]
    found = [one for name in names if (one := drawn(name, partition, tables)) is not None]
    assert len(found) == charts
    assert max(len(markdown) for markdown in found) < LARGEST == 40_000
    form = r"!\[Chart of [a-z_ 0-9/]+\]\(<data:image/svg\+xml,[ -~]+>\)"
    for markdown in found:
        assert re.fullmatch(form, markdown)
        svg = svg_in(markdown)
        assert "<" not in markdown.split("(<", 1)[1]
        assert re.findall(r"https?:[^']*", svg) == ["http://www.w3.org/2000/svg"]
        links = re.findall(r"(?:href|src)='([^']*)'", svg)
        assert {link[0] for link in links} <= {"#"}
        assert not re.search(r"<(script|style|image|foreignObject)|url\(", svg)


def test_names_are_text() -> None:
    """Whatever upstream calls a driver is shown as it is, and cannot become part of the drawing."""
    stints = table("stints", {"driver_number": 1, "stint_number": 1, "lap_start": 1, "lap_end": 5})
    drivers = table(
        "drivers", {"driver_number": 1, "name_acronym": '<&\u0001">', "team_colour": '"/><x a="'}
    )
    markdown = drawn("stints", RACE, {"stints": stints, "drivers": drivers})
    assert markdown is not None
    assert '<&"' in texts(svg_in(markdown))


@settings(max_examples=60, deadline=None)
@given(tables=odd_tables(), kind=st.sampled_from(["race", "qualifying", "practice_1"]))
def test_any_rows_can_be_drawn(tables: dict[str, pa.Table], kind: str) -> None:
    """Nulls, nonsense and enormous numbers give a chart that is XML, or none; never an error."""
    partition = SessionPartition(year=2026, grand_prix="australian", session_type=kind)
    for name in ILLUSTRATED:
        markdown = drawn(name, partition, tables)
        if markdown is not None:
            root = ElementTree.fromstring(svg_in(markdown))
            assert root.attrib["width"] == "920"
            assert not re.search(r"\b(nan|inf)\b", svg_in(markdown))


def test_too_much_is_not_drawn() -> None:
    """A session of forty times the laps would bloat the event log, so it has no chart."""
    rows = [
        {"driver_number": driver, "lap_number": lap, "lap_duration": 80 + (lap * driver) % 7 / 3}
        for driver in range(1, 23)
        for lap in range(1, 400)
    ]
    laps = table("laps", *rows)
    assert drawn("laps", RACE, {"laps": laps}) is None
    assert drawn("laps", RACE, {"laps": laps.slice(0, 1000)}) is not None
