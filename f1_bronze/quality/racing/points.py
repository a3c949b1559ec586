"""The points that the sporting regulations give, as tables.

Belongs here: tables and the seasons they were in force. Stays out: comparing (classification.py).

Source: FIA Formula One Sporting Regulations, article on championship points. Since 2022 a race
that cannot be resumed gives points by the share of its distance that the winner covered; before,
it gave half points below three quarters. Fewer than two laps give none.
"""

from dataclasses import dataclass

FASTEST_LAP_SEASONS = (2019, 2024)
"""First and last season with a point for the fastest lap of a race, in the first ten only."""


@dataclass(frozen=True, kw_only=True)
class PointsTable:
    """Points from the first position on, and where they were given."""

    name: str
    session_type: str
    points: tuple[float, ...]
    first_year: int = 2010
    last_year: int = 9999


FULL_POINTS = (25.0, 18.0, 15.0, 12.0, 10.0, 8.0, 6.0, 4.0, 2.0, 1.0)

POINTS_TABLES = (
    PointsTable(name="full points", session_type="race", points=FULL_POINTS),
    PointsTable(
        name="half points",
        session_type="race",
        points=tuple(points / 2 for points in FULL_POINTS),
        last_year=2021,
    ),
    PointsTable(
        name="points for 50 to 75 % of the distance",
        session_type="race",
        points=(19.0, 14.0, 12.0, 10.0, 8.0, 6.0, 4.0, 3.0, 2.0, 1.0),
        first_year=2022,
    ),
    PointsTable(
        name="points for 25 to 50 % of the distance",
        session_type="race",
        points=(13.0, 10.0, 8.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0),
        first_year=2022,
    ),
    PointsTable(
        name="points for less than 25 % of the distance",
        session_type="race",
        points=(6.0, 4.0, 3.0, 2.0, 1.0),
        first_year=2022,
    ),
    PointsTable(name="no points", session_type="race", points=()),
    PointsTable(
        name="sprint points",
        session_type="sprint",
        points=(8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0),
        first_year=2022,
    ),
    PointsTable(
        name="sprint points", session_type="sprint", points=(3.0, 2.0, 1.0), last_year=2021
    ),
    PointsTable(name="no points", session_type="sprint", points=()),
)
"""The usual table comes first: where two fit equally well, the first is taken."""
