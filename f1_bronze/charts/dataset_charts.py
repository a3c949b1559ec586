"""Which dataset has which chart, and which other tables the chart uses.

`laps` is stored before `stints` and `pit_stops`, which have a run of their own, so its chart is
drawn again, complete, for `pit_stops`, the last to be stored.
"""

from collections.abc import Mapping

import pyarrow as pa

from f1_bronze.charts.lap_times import draw_lap_times
from f1_bronze.charts.positions import QUALIFYING_TYPE, draw_positions
from f1_bronze.charts.svg import as_markdown
from f1_bronze.charts.tyre_strategy import draw_tyre_strategy
from f1_bronze.datasets.dataset import RACE_TYPES, Dataset
from f1_bronze.datasets.partition import SessionPartition

LARGEST = 40_000
"""Characters of Markdown that a chart may have; more would bloat the event log."""

TableKey = tuple[str, SessionPartition]
"""A table: the name of its dataset and its session."""

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


def _qualifying(partition: SessionPartition) -> SessionPartition:
    """The qualifying of a race or sprint; of any other session itself."""
    kind = QUALIFYING_TYPE.get(partition.session_type, partition.session_type)
    return SessionPartition(year=partition.year, grand_prix=partition.grand_prix, session_type=kind)
