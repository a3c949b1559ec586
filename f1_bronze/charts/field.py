"""The drivers of a session for charts: names, colours and order; titles and lap times as text."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from f1_bronze.charts.palette import team_colour
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.datasets.sessions import is_simulated

_LAST = 10_000


@dataclass(frozen=True, kw_only=True)
class Entrant:
    """One driver as charts show them.

    Attributes:
        acronym: three capitals; the car's number where drivers are not known.
        position: as classified; None without one, or while results are not known.
        status: "DNF", "DNS", "DSQ" or empty.
        second: whether a team-mate, who has the same colour, comes before.
    """

    number: int
    acronym: str
    colour: str
    position: int | None
    status: str
    second: bool

    @property
    def place(self) -> str:
        """The text beside the name: P1, DNF, or nothing while it is not known."""
        return self.status or (f"P{self.position}" if self.position is not None else "")


def rows(table: pa.Table | None, *columns: str) -> Iterator[tuple[Any, ...]]:
    """The rows of a table as tuples of these columns; none for no table."""
    if table is None:
        return iter(())
    return zip(*(table.column(name).to_pylist() for name in columns), strict=True)


def entrants(
    numbers: Iterable[int], drivers: pa.Table | None, results: pa.Table | None
) -> list[Entrant]:
    """These drivers in the order of the classification, then by laps driven.

    Without results they keep the order in which their numbers come.
    """
    named = {
        number: (acronym, colour)
        for number, acronym, colour in rows(drivers, "driver_number", "name_acronym", "team_colour")
    }
    placed = {
        number: (position, _status(dnf, dns, dsq), laps or 0)
        for number, position, laps, dnf, dns, dsq in rows(
            results, "driver_number", "position", "number_of_laps", "dnf", "dns", "dsq"
        )
    }
    first_come = {number: turn for turn, number in enumerate(dict.fromkeys(numbers))}

    def rank(number: int) -> tuple[int, int, int]:
        position, _, laps = placed.get(number, (None, "", 0))
        return (_LAST if position is None else position), -laps, first_come[number]

    found: list[Entrant] = []
    seen: set[str] = set()
    for number in sorted(first_come, key=rank):
        acronym, raw = named.get(number, (None, None))
        position, status, _ = placed.get(number, (None, "", 0))
        colour = team_colour(raw)
        found.append(
            Entrant(
                number=number,
                acronym=(acronym or str(number))[:4],
                colour=colour,
                position=position,
                status=status,
                second=colour in seen,
            )
        )
        seen.add(colour)
    return found


def title(partition: SessionPartition, what: str, table: pa.Table) -> str:
    """Subject and session; says so where the rows are simulated.

    >>> rows = pa.table({"session_key": [9158]})
    >>> title(SessionPartition.parse("2024/sao_paulo/sprint_qualifying"), "Lap times", rows)
    'Lap times · Sao Paulo 2024, sprint qualifying'
    """
    grand_prix = partition.grand_prix.replace("_", " ").title()
    simulated = any(map(is_simulated, table["session_key"].slice(0, 1).to_pylist()))
    return f"{what} · {grand_prix} {partition.year}, {partition.session_type.replace('_', ' ')}" + (
        " (simulated data)" if simulated else ""
    )


def lap_time(seconds: float) -> str:
    """A duration as timing screens write it, to the thousandth.

    >>> lap_time(83.4), lap_time(59.9996)
    ('1:23.400', '1:00.000')
    """
    minutes, thousandths = divmod(round(seconds * 1000), 60_000)
    return f"{minutes}:{thousandths // 1000:02}.{thousandths % 1000:03}"


def short_time(seconds: float) -> str:
    """A whole number of seconds, for an axis.

    >>> short_time(95)
    '1:35'
    """
    return lap_time(seconds).split(".")[0]


def count(number: int, noun: str) -> str:
    """
    >>> count(1, "lap"), count(2, "lap")
    ('1 lap', '2 laps')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _status(dnf: bool | None, dns: bool | None, dsq: bool | None) -> str:
    return "DSQ" if dsq else "DNS" if dns else "DNF" if dnf else ""
