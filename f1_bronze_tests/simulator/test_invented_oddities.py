"""Generated sessions have the sizes, holes and defects of real ones."""

import re
import statistics
from collections import Counter
from itertools import pairwise

import pytest

from f1_bronze.simulator.invented import InventedSeasons

from .selecting import by_driver, keys


def test_older_races_have_overlapping_stints(seasons: InventedSeasons) -> None:
    """About 12 % of race rows before 2026 begin on the lap on which the last one ended."""
    overlaps = rows = 0
    for year in (2023, 2024, 2025):
        for key in keys(seasons, year, "Race"):
            for _, stints in by_driver(seasons.rows("stints", key)):
                rows += len(stints)
                overlaps += sum(a["lap_end"] == b["lap_start"] for a, b in pairwise(stints))
    assert 0.05 < overlaps / rows < 0.2


@pytest.mark.parametrize(
    ("year", "name", "endpoint", "low", "high"),
    [
        (2024, "Race", "laps", 1000, 1250),
        (2024, "Race", "stints", 50, 62),
        (2024, "Race", "pit", 28, 42),
        (2024, "Qualifying", "laps", 260, 340),
        (2024, "Practice 2", "laps", 400, 560),
        (2026, "Race", "drivers", 22, 22),
        (2025, "Race", "drivers", 20, 20),
        (2026, "Race", "session_result", 22, 22),
        (2026, "Qualifying", "laps", 260, 340),
    ],
)
def test_sessions_have_their_real_sizes(
    seasons: InventedSeasons, year: int, name: str, endpoint: str, low: int, high: int
) -> None:
    """The mean number of rows over a season lies where the real one does."""
    sizes = [len(seasons.rows(endpoint, key)) for key in keys(seasons, year, name)]
    assert low <= statistics.mean(sizes) <= high


def test_lap_numbers_reach_their_known_ends(seasons: InventedSeasons) -> None:
    """78 laps at Monaco at most, up to about 140 in a day of testing."""
    races = [seasons.rows("laps", key) for key in keys(seasons, 2025, "Race")]
    longest = [max(lap["lap_number"] for lap in laps) for laps in races]
    assert (min(longest), max(longest)) == (44, 78)
    days = [seasons.rows("laps", key) for key in keys(seasons, 2025, "Day 1", "Day 2", "Day 3")]
    assert 100 < max(lap["lap_number"] for laps in days for lap in laps) <= 143


@pytest.mark.parametrize(
    ("year", "name", "low", "high"),
    [
        (2025, "Race", 0.013, 0.025),
        (2026, "Race", 0.001, 0.008),
        (2025, "Qualifying", 0.10, 0.16),
        (2025, "Practice 1", 0.04, 0.10),
    ],
)
def test_lap_times_are_missing_as_often_as_upstream(
    seasons: InventedSeasons, year: int, name: str, low: float, high: float
) -> None:
    """Lap 1 of older races, out-laps of practice and qualifying."""
    laps = [lap for key in keys(seasons, year, name) for lap in seasons.rows("laps", key)]
    assert low < sum(lap["lap_duration"] is None for lap in laps) / len(laps) < high


def test_red_flags_make_long_laps_and_long_stops(seasons: InventedSeasons) -> None:
    """In a few races a season a lap takes up to some 2,600 s, and so do the stops."""
    longest = [
        max(lap["lap_duration"] or 0 for lap in seasons.rows("laps", key))
        for key in keys(seasons, 2024, "Race")
    ]
    assert 1 <= sum(t > 900 for t in longest) <= 3
    assert max(longest) <= 2_625
    lanes = [
        row["pit_duration"]
        for year in (2024, 2025, 2026)
        for key in keys(seasons, year, "Race")
        for row in seasons.rows("pit", key)
        if row["pit_duration"] is not None
    ]
    assert 20 < statistics.median(lanes) < 26
    assert 0.01 < sum(lane > 60 for lane in lanes) / len(lanes) < 0.09


def test_pit_rows_changed_their_fields_in_2026(seasons: InventedSeasons) -> None:
    """Before only pit_duration; since then lane_duration with the same value and the stop."""
    base = {"date", "session_key", "meeting_key", "driver_number", "lap_number", "pit_duration"}
    for row in seasons.rows("pit", keys(seasons, 2025, "Race")[0]):
        assert set(row) == base
    for row in seasons.rows("pit", keys(seasons, 2026, "Race")[0]):
        assert set(row) == base | {"lane_duration", "stop_duration"}
        assert row["lane_duration"] == row["pit_duration"]


def test_the_first_six_races_of_2023_have_no_pit_rows(seasons: InventedSeasons) -> None:
    """A true empty, and so are several sprints; the seventh race has rows."""
    sizes = [len(seasons.rows("pit", key)) for key in keys(seasons, 2023, "Race")]
    assert sizes[:6] == [0] * 6
    assert min(sizes[6:]) > 0
    assert 0 in [len(seasons.rows("pit", key)) for key in keys(seasons, 2025, "Sprint")]


def test_compounds_and_orphans_are_as_odd_as_upstream(seasons: InventedSeasons) -> None:
    """Five names, the unknown ones, nulls (more in 2026), and a few drivers nobody knows."""
    compounds: Counter[str | None] = Counter()
    new: Counter[bool] = Counter()
    orphans = 0
    for year in (2024, 2025, 2026):
        for key in keys(seasons, year, "Race", "Qualifying", "Day 1"):
            known = {d["driver_number"] for d in seasons.rows("drivers", key)}
            for stint in seasons.rows("stints", key):
                compounds[stint["compound"]] += 1
                orphans += stint["driver_number"] not in known
                if year == 2026:
                    new[stint["compound"] is None] += 1
    assert {"SOFT", "MEDIUM", "HARD", "UNKNOWN", "TEST_UNKNOWN", None} <= set(compounds)
    assert 0.02 < new[True] / new.total() < 0.06
    assert 0 < orphans < compounds.total() * 0.01


def test_drivers_are_a_plausible_grid(seasons: InventedSeasons) -> None:
    """Unique numbers 1 to 98, three capitals, two a team, no country from 2025 on."""
    for year, teams in ((2018, 10), (2024, 10), (2025, 10), (2026, 11), (2030, 11)):
        rows = seasons.rows("drivers", keys(seasons, year, "Race")[0])
        assert len({r["driver_number"] for r in rows}) == len(rows) == teams * 2
        assert all(1 <= r["driver_number"] <= 98 for r in rows)
        assert len({r["name_acronym"] for r in rows}) == len(rows)
        assert all(re.fullmatch("[A-Z]{3}", r["name_acronym"]) for r in rows)
        assert all(re.fullmatch("[0-9A-Fa-f]{6}", r["team_colour"]) for r in rows)
        assert set(Counter(r["team_name"] for r in rows).values()) == {2}
        assert all((r["country_code"] is None) is (year >= 2025) for r in rows)


def test_a_rookie_sometimes_drives_a_first_practice(seasons: InventedSeasons) -> None:
    """Some first practices have one number that does not race."""
    race = {r["driver_number"] for r in seasons.rows("drivers", keys(seasons, 2025, "Race")[0])}
    strangers = [
        len({r["driver_number"] for r in seasons.rows("drivers", key)} - race)
        for key in keys(seasons, 2025, "Practice 1")
    ]
    assert set(strangers) == {0, 1}
