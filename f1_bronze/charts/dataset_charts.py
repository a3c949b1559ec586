"""Which dataset, session and season has which chart, and which tables the chart uses.

`laps` is stored before `stints` and `pit_stops`, which have a run of their own, so its chart is
drawn again, complete, for `pit_stops`, the last to be stored.
"""

from collections.abc import Callable, Mapping, Sequence

import pyarrow as pa

from f1_bronze.charts.lap_times import draw_lap_times
from f1_bronze.charts.positions import QUALIFYING_TYPE, draw_positions, draw_qualifying_gaps
from f1_bronze.charts.race_progress import draw_positions_by_lap, draw_race_trace
from f1_bronze.charts.season_overview import draw_season
from f1_bronze.charts.svg import as_markdown
from f1_bronze.charts.tyre_strategy import draw_pit_stops, draw_tyre_strategy
from f1_bronze.datasets.dataset import RACE_TYPES, Dataset
from f1_bronze.datasets.partition import SessionPartition

LARGEST = 40_000
"""Characters that a chart may have; more would bloat the event log and the report page."""

TableKey = tuple[str, SessionPartition]
"""A table: the name of its dataset and its session."""

NEEDED = {
    "lap-times": ("laps", "drivers", "results", "stints", "pit_stops"),
    "positions": ("results", "drivers", "laps"),
    "tyres": ("stints", "drivers", "results"),
    "race-trace": ("laps", "drivers", "results"),
    "position-by-lap": ("laps", "drivers", "results"),
    "qualifying-gaps": ("results", "drivers"),
    "pit-stops": ("pit_stops", "drivers", "results"),
}
"""The datasets of each kind: the first must be stored, the others are used where they are."""

_DRAW: dict[str, Callable[..., str | None]] = {
    "lap-times": draw_lap_times,
    "positions": draw_positions,
    "tyres": draw_tyre_strategy,
    "race-trace": draw_race_trace,
    "position-by-lap": draw_positions_by_lap,
    "qualifying-gaps": draw_qualifying_gaps,
    "pit-stops": draw_pit_stops,
}

_TABLES = {
    "results": ("drivers",),
    "laps": ("drivers", "results"),
    "stints": ("drivers", "results"),
    "pit_stops": ("drivers", "results", "laps", "stints"),
}

_RACE_TABLES = {"results": ("laps",), "laps": ("stints", "pit_stops")}


def needed_tables(dataset: Dataset, partition: SessionPartition) -> list[TableKey]:
    """The other tables that the chart uses where they are stored; none if there is no chart."""
    names = _TABLES.get(dataset.name, ())
    if partition.session_type in RACE_TYPES:
        names += _RACE_TABLES.get(dataset.name, ())
    keys = [(name, partition) for name in names]
    if dataset.name == "results" and partition.session_type in QUALIFYING_TYPE:
        keys.append(("results", _qualifying(partition)))
    return keys


def draw_dataset_chart(
    dataset: Dataset,
    partition: SessionPartition,
    table: pa.Table,
    others: Mapping[TableKey, pa.Table],
) -> str | None:
    """The chart of a stored table as Markdown; None where there is nothing to show.

    `others` has those of the `needed_tables` that are stored; it may have more. A chart larger
    than `LARGEST` is not drawn: the session would have many times the usual laps or cars.
    """
    if dataset.name not in _TABLES or not table.num_rows:
        return None
    known = {key: others[key] for key in needed_tables(dataset, partition) if key in others}
    of_session = {name: rows for (name, session), rows in known.items() if session == partition}
    match dataset.name:
        case "results":
            qualifying = known.get(("results", _qualifying(partition)))
            svg = draw_positions(partition, table, qualifying=qualifying, **of_session)
        case "stints":
            svg = draw_tyre_strategy(partition, table, **of_session)
        case "laps":
            svg = draw_lap_times(partition, table, **of_session)
        case _:
            laps = of_session.pop("laps", None)
            if laps is None:
                return None
            svg = draw_lap_times(partition, laps, pit_stops=table, **of_session)
    if svg is None:
        return None
    markdown = as_markdown(svg, f"Chart of {dataset.name} in {partition.key}")
    return markdown if len(markdown) <= LARGEST else None


def session_tables(partition: SessionPartition) -> list[TableKey]:
    """The tables that the charts of a session use, whatever their kind, where they are stored."""
    keys = [
        (name, partition) for name in sorted({name for used in NEEDED.values() for name in used})
    ]
    if partition.session_type in QUALIFYING_TYPE:
        keys.append(("results", _qualifying(partition)))
    return keys


def draw_session_chart(
    kind: str, partition: SessionPartition, tables: Mapping[TableKey, pa.Table]
) -> str | None:
    """The chart of a kind of `NEEDED` as SVG; None where there is nothing to show.

    `tables` has those of the `session_tables` that are stored; it may have more.
    """
    first, *others = NEEDED[kind]
    table = tables.get((first, partition))
    if table is None:
        return None
    used = {name: tables.get((name, partition)) for name in others}
    if kind == "positions" and partition.session_type in QUALIFYING_TYPE:
        used["qualifying"] = tables.get(("results", _qualifying(partition)))
    return _DRAW[kind](partition, table, **used)


def draw_season_chart(
    year: int, sessions: Sequence[SessionPartition], tables: Mapping[TableKey, pa.Table]
) -> str | None:
    """The overview of a season as SVG; None without results of a race.

    `sessions` are in chronological order; of races and sprints `tables` has results and drivers.
    """
    races = [one for one in sessions if one.session_type in RACE_TYPES]
    results, drivers = (
        {one: tables[name, one] for one in races if (name, one) in tables}
        for name in ("results", "drivers")
    )
    return draw_season(year, results, drivers)


def _qualifying(partition: SessionPartition) -> SessionPartition:
    """The qualifying of a race or sprint; of any other session itself."""
    kind = QUALIFYING_TYPE.get(partition.session_type, partition.session_type)
    return SessionPartition(year=partition.year, grand_prix=partition.grand_prix, session_type=kind)
