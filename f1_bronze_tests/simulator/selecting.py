"""Selecting sessions and rows of invented seasons, for the tests that hold them to laws."""

from collections.abc import Iterator, Sequence

from f1_bronze.simulator.invented import InventedSeasons
from f1_bronze.simulator.sources import Record


def keys(seasons: InventedSeasons, year: int, *names: str) -> list[int]:
    """Keys of the sessions that ran; cancelled ones have no results."""
    return [
        s["session_key"]
        for s in seasons.sessions()
        if s["year"] == year
        and s["session_name"] in names
        and seasons.rows("session_result", s["session_key"])
    ]


def by_driver(rows: Sequence[Record]) -> Iterator[tuple[int, list[Record]]]:
    for number in dict.fromkeys(row["driver_number"] for row in rows):
        yield number, [row for row in rows if row["driver_number"] == number]
