"""Which dataset has which picture, and which other tables it looks at.

Belongs here: the roll-call, the promised size. Stays out: drawing (a module per picture), reading
the other tables (defs/).

`laps` lands before `stints` and `pit_stops`, which have a run of their own, so its picture is
drawn again, complete, for `pit_stops`, the last to land.
"""

from collections.abc import Mapping

import pyarrow as pa

from f1_bronze.charts.lap_times import lap_chart
from f1_bronze.charts.positions import QUALIFYING_OF, places_chart
from f1_bronze.charts.svg import as_markdown
from f1_bronze.charts.tyre_strategy import tyre_strategy
from f1_bronze.datasets.dataset import RACE_TYPES, Dataset
from f1_bronze.datasets.partition import SessionPartition

LARGEST = 40_000

"""Characters of Markdown that a picture may have; an event with more would bloat the event log."""

Place = tuple[str, SessionPartition]

"""One table: the name of its dataset and its session."""

_OF_THE_SESSION = {
    "results": ("drivers",),
    "laps": ("drivers", "results"),
    "stints": ("drivers", "results"),
    "pit_stops": ("drivers", "results", "laps", "stints"),
}

_OF_A_RACE = {"results": ("laps",), "laps": ("stints", "pit_stops")}


def looks_at(dataset: Dataset, partition: SessionPartition) -> list[Place]:
    """The other tables that the picture would use, should they have landed; none for no picture."""
    names = _OF_THE_SESSION.get(dataset.name, ())
    if partition.session_type in RACE_TYPES:
        names += _OF_A_RACE.get(dataset.name, ())
    places = [(name, partition) for name in names]
    if dataset.name == "results" and partition.session_type in QUALIFYING_OF:
        places.append(("results", _qualifying_of(partition)))
    return places


def picture_of(
    dataset: Dataset,
    partition: SessionPartition,
    table: pa.Table,
    others: Mapping[Place, pa.Table],
) -> str | None:
    """The picture of what landed, as Markdown; None where there is nothing to see.

    `others` has those tables of `looks_at` that have landed; what more it has is not looked at.
    What a session of many times the real number of laps or cars would need more than `LARGEST`
    for is not drawn.
    """
    if dataset.name not in _OF_THE_SESSION or not table.num_rows:
        return None
    known = {place: others[place] for place in looks_at(dataset, partition) if place in others}
    of_session = {name: rows for (name, place), rows in known.items() if place == partition}
    match dataset.name:
        case "results":
            qualifying = known.get(("results", _qualifying_of(partition)))
            drawn = places_chart(partition, table, qualifying=qualifying, **of_session)
        case "stints":
            drawn = tyre_strategy(partition, table, **of_session)
        case "laps":
            drawn = lap_chart(partition, table, **of_session)
        case _:
            laps = of_session.pop("laps", None)
            if laps is None:
                return None
            drawn = lap_chart(partition, laps, pit_stops=table, **of_session)
    if drawn is None:
        return None
    markdown = as_markdown(drawn, f"Picture of {dataset.name} in {partition.key}")
    return markdown if len(markdown) <= LARGEST else None


def _qualifying_of(partition: SessionPartition) -> SessionPartition:
    """The session by which the field of a race lines up; of any other session itself."""
    kind = QUALIFYING_OF.get(partition.session_type, partition.session_type)
    return SessionPartition(year=partition.year, grand_prix=partition.grand_prix, session_type=kind)
