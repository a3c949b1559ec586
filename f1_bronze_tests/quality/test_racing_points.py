"""Points: the tables of the sporting regulations, one season after the other."""

from collections.abc import Sequence

import pytest

from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.datasets.results import RESULTS
from f1_bronze.quality.racing.classification import FASTEST_LAP_SEASONS, FULL_POINTS, POINTS_TABLES

from .fake_lake import FakeLake
from .racing_fixtures import RacingSessions, identities

FULL = list(FULL_POINTS)
SHORTENED = [19.0, 14.0, 12.0, 10.0, 8.0, 6.0, 4.0, 3.0, 2.0, 1.0]
KEY = 9000


def findings_of(year: int, session_type: str, points: Sequence[float]) -> tuple[list[object], str]:
    """Positions with other points than the table gives, and the table that was taken."""
    partition = SessionPartition(year=year, grand_prix="somewhere", session_type=session_type)
    lake = FakeLake()
    lake.store(
        RESULTS,
        partition,
        [
            {
                "session_key": KEY,
                "driver_number": 20 + place,
                "position": place if place <= 17 else None,
                "points": points[place - 1] if place <= len(points) else 0.0,
            }
            for place in range(1, 21)
        ],
    )
    findings = RacingSessions(lake=lake, usual=lake).findings("results", "points by the table")
    positions = [position for (position,) in identities(findings, KEY, ["position"])]
    return positions, findings.observed[KEY]


def one_more(points: Sequence[float], *places: int) -> list[float]:
    return [value + (place in places) for place, value in enumerate(points, start=1)]


@pytest.mark.parametrize(
    ("year", "session_type", "points", "wrong", "table"),
    [
        (2025, "race", FULL, [], "full points"),
        (2025, "race", one_more(FULL, 3), [3], "full points"),
        (2024, "race", one_more(FULL, 3), [], "full points"),
        (2024, "race", one_more(FULL, 3, 5), [3, 5], "full points"),
        (2019, "race", one_more(FULL, 10), [], "full points"),
        (2018, "race", one_more(FULL, 10), [10], "full points"),
        (2024, "race", [*FULL, 1.0], [11], "full points"),
        (2024, "race", [25.0, 18.0, 15.0, 10.0, 12.0, *FULL[5:]], [4, 5], "full points"),
        (2024, "race", SHORTENED, [], "points for 50 to 75 % of the distance"),
        (2024, "race", one_more(SHORTENED, 2), [], "points for 50 to 75 % of the distance"),
        (
            2022,
            "race",
            [13.0, 10.0, 8.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0],
            [],
            "points for 25 to 50 % of the distance",
        ),
        (2026, "race", [6.0, 4.0, 3.0, 2.0, 1.0], [], "points for less than 25 % of the distance"),
        (2021, "race", [value / 2 for value in FULL], [], "half points"),
        (
            2022,
            "race",
            [value / 2 for value in FULL],
            [1, 2, 3, 10],
            "points for 25 to 50 % of the distance",
        ),
        (2023, "race", [26.0], list(range(2, 11)), "full points"),  # as in Austin in 2023
        (2024, "race", [], [], "no points"),
        (2024, "sprint", [8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0], [], "sprint points"),
        (2024, "sprint", [9.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0], [1], "sprint points"),
        (2021, "sprint", [3.0, 2.0, 1.0], [], "sprint points"),
        (2024, "sprint", [], [], "no points"),
    ],
)
def test_points_by_season(
    year: int, session_type: str, points: list[float], wrong: list[int], table: str
) -> None:
    """The table that fits best is taken, and who differs from it is named."""
    assert findings_of(year, session_type, points) == (wrong, table)


def test_tables_fall_from_position_to_position() -> None:
    """Each table gives every position more than the one behind, and one season one usual table."""
    assert FASTEST_LAP_SEASONS == (2019, 2024)
    for table in POINTS_TABLES:
        assert sorted(table.points, reverse=True) == list(table.points)
        assert len(set(table.points)) == len(table.points)
    for year, winner in ((2018, 3.0), (2021, 3.0), (2022, 8.0), (2026, 8.0)):
        usual = next(
            table
            for table in POINTS_TABLES
            if table.session_type == "sprint" and table.first_year <= year <= table.last_year
        )
        assert usual.points[0] == winner
