"""The generated calendar has the real rounds and every trap of the real one."""

import re
from collections import Counter
from itertools import pairwise

import pytest

from f1_bronze.simulator.invented import InventedSeasons
from f1_bronze.simulator.season.rounds import calendar
from f1_bronze.simulator.sources import Record

SPRINT_WEEKEND = ["Practice 1", "Sprint Qualifying", "Sprint", "Qualifying", "Race"]
NORMAL_WEEKEND = ["Practice 1", "Practice 2", "Practice 3", "Qualifying", "Race"]
TYPES = {"Sprint": "Race", "Race": "Race", "Qualifying": "Qualifying"}
ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")


def of_year(rows: list[Record], year: int) -> list[Record]:
    return [row for row in rows if row["year"] == year]


@pytest.mark.parametrize(
    ("year", "races", "cancelled", "sprints", "tests"),
    [
        (2018, 24, 0, 6, 1),
        (2023, 22, 1, 6, 1),
        (2024, 24, 0, 6, 1),
        (2025, 24, 0, 6, 1),
        (2026, 23, 2, 6, 2),
        (2030, 24, 1, 6, 2),
    ],
)
def test_a_season_has_its_rounds(
    year: int, races: int, cancelled: int, sprints: int, tests: int
) -> None:
    """Races that run, cancelled rounds, sprint weekends and tests are counted by hand."""
    plan = calendar(year)
    ran = [r for r in plan.rounds if not r.cancelled]
    assert (len(ran), len(plan.rounds) - len(ran)) == (races, cancelled)
    assert (sum(r.sprint for r in ran), len(plan.tests)) == (sprints, tests)
    days = [r.race_day for r in plan.rounds]
    assert all(a < b for a, b in pairwise(days))
    assert {day.year for day in days} == {year}


@pytest.mark.parametrize("year", [2017, 2031])
def test_other_years_are_refused(year: int) -> None:
    """There is nothing before 2018 and after 2030."""
    with pytest.raises(ValueError, match="2018 to 2030"):
        InventedSeasons(years=[year])


def test_every_weekend_has_its_sessions(seasons: InventedSeasons) -> None:
    """Normal and sprint weekends and tests; the type is not the session."""
    weekends: dict[int, list[str]] = {}
    for row in seasons.sessions():
        weekends.setdefault(row["meeting_key"], []).append(row["session_name"])
        expected = "Qualifying" if "Quali" in row["session_name"] else "Practice"
        assert row["session_type"] == TYPES.get(row["session_name"], expected)
        assert ISO.fullmatch(row["date_start"])
        assert row["date_start"] < row["date_end"]
        assert re.fullmatch(r"-?\d\d:00:00", row["gmt_offset"])
    kinds = Counter(tuple(names) for names in weekends.values())
    assert kinds[tuple(SPRINT_WEEKEND)] == 13 * 6
    assert kinds[tuple(NORMAL_WEEKEND)] == sum(len(calendar(y).rounds) - 6 for y in seasons.years)
    assert kinds[("Practice 1", "Practice 2", "Practice 3")] == 7
    assert kinds[("Day 1", "Day 2", "Day 3")] == 1 + 5 * 2


def test_keys_are_unique_and_never_real_ones(seasons: InventedSeasons) -> None:
    """Session keys from 900000, meeting keys from 90000, none twice, not chronological."""
    sessions = [row["session_key"] for row in seasons.sessions()]
    meetings = [row["meeting_key"] for row in seasons.meetings()]
    assert len(set(sessions)) == len(sessions)
    assert len(set(meetings)) == len(meetings)
    assert min(sessions) >= 900_000
    assert min(meetings) >= 90_000
    year = [row["session_key"] for row in seasons.sessions() if row["year"] == 2025]
    assert year != sorted(year)
    assert {row["meeting_key"] for row in seasons.sessions()} == set(meetings)


def test_bahrain_2026_comes_back_elsewhere(seasons: InventedSeasons) -> None:
    """Cancelled at Sakhir, run at Kuala Lumpur under the old name and another key."""
    found = [
        (m["location"], m["is_cancelled"])
        for m in of_year(list(seasons.meetings()), 2026)
        if m["meeting_name"] == "Bahrain Grand Prix"
    ]
    assert found == [("Sakhir", True), ("Kuala Lumpur", False)]
    names = Counter(m["meeting_name"] for m in of_year(list(seasons.meetings()), 2026))
    assert {n for n, count in names.items() if count > 1} == {
        "Bahrain Grand Prix",
        "Pre-Season Testing",
    }


def test_meetings_changed_their_fields_in_2026(seasons: InventedSeasons) -> None:
    """Before: meeting_code. Since: date_end, is_cancelled, circuit and flag addresses."""
    common = {
        "meeting_key",
        "meeting_name",
        "meeting_official_name",
        "location",
        "country_key",
        "country_code",
        "country_name",
        "circuit_key",
        "circuit_short_name",
        "gmt_offset",
        "date_start",
        "year",
    }
    new = {"date_end", "circuit_type", "circuit_image", "circuit_info_url", "country_flag"}
    for row in seasons.meetings():
        late = new | {"is_cancelled"} if row["year"] >= 2026 else {"meeting_code"}
        assert set(row) == common | late
    for row in seasons.sessions():
        assert ("is_cancelled" in row) is (row["year"] >= 2026)
