"""Generated sessions obey the laws of real ones, the same in every process."""

import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from f1_bronze.simulator.invented import InventedSeasons
from f1_bronze.simulator.sources import Record

from .selecting import by_driver, keys

ENDPOINTS = ("drivers", "session_result", "laps", "stints", "pit", "weather")
RACE_POINTS = [25.0, 18.0, 15.0, 12.0, 10.0, 8.0, 6.0, 4.0, 2.0, 1.0]
SPRINT_POINTS = [8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0]


def every_lap(seasons: InventedSeasons) -> Iterator[Record]:
    for year, name in ((2023, "Race"), (2026, "Race"), (2025, "Qualifying"), (2024, "Practice 1")):
        for key in keys(seasons, year, name)[:6]:
            yield from seasons.rows("laps", key)


@pytest.mark.slow
def test_sectors_add_up_to_the_lap(seasons: InventedSeasons) -> None:
    """Where all four are there they agree to a thousandth of a second."""
    checked = 0
    for lap in every_lap(seasons):
        sectors = [lap[f"duration_sector_{n}"] for n in (1, 2, 3)]
        if lap["lap_duration"] is not None and None not in sectors:
            assert sum(sectors) == pytest.approx(lap["lap_duration"], abs=0.0005)
            assert min(sectors) > 0
            checked += 1
    assert checked > 15_000


def test_laps_have_the_api_s_shape(seasons: InventedSeasons) -> None:
    """Every field is there with its types; times have microseconds only when not zero."""
    date = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?\+00:00")
    nulls: Counter[str] = Counter()
    for lap in every_lap(seasons):
        assert len(lap) == 16
        if lap["date_start"] is not None:
            assert date.fullmatch(lap["date_start"])
            assert not lap["date_start"].endswith(".000000+00:00")
        for field in ("i1_speed", "i2_speed", "st_speed"):
            assert lap[field] is None or 100 < lap[field] < 400
        for field in ("segments_sector_1", "segments_sector_2", "segments_sector_3"):
            assert lap[field] is None or {*lap[field]} <= {None, 2048, 2049, 2051, 2064}
        nulls.update(field for field, value in lap.items() if value is None)
    assert {"i1_speed", "st_speed", "segments_sector_1", "lap_duration", "date_start"} <= set(nulls)


def test_laps_of_a_race_follow_each_other(seasons: InventedSeasons) -> None:
    """Numbers run from 1 and each lap starts where the one before it ended."""
    for key in keys(seasons, 2026, "Race")[:8]:
        for _, laps in by_driver(seasons.rows("laps", key)):
            assert [lap["lap_number"] for lap in laps] == list(range(1, len(laps) + 1))
            for lap, following in pairwise(laps):
                if lap["lap_duration"] is not None:
                    begin = datetime.fromisoformat(lap["date_start"])
                    assert datetime.fromisoformat(following["date_start"]) == begin + timedelta(
                        milliseconds=round(lap["lap_duration"] * 1000)
                    )


def test_stints_tile_the_laps(seasons: InventedSeasons) -> None:
    """From 1 to the last lap without gap, but for the documented rare defects."""
    defects = drives = 0
    for name in ("Race", "Qualifying", "Practice 2"):
        for key in keys(seasons, 2026, name):
            laps = Counter(lap["driver_number"] for lap in seasons.rows("laps", key))
            for number, stints in by_driver(seasons.rows("stints", key)):
                drives += 1
                assert [s["stint_number"] for s in stints] == [*range(1, len(stints) + 1)]
                ends = [0, *(s["lap_end"] for s in stints)]
                starts = [*(s["lap_start"] for s in stints), laps[number] + 1]
                defects += any(
                    end is None or end + 1 != start for end, start in zip(ends, starts, strict=True)
                )
    assert drives > 1000
    assert 0 < defects < drives * 0.02


def test_race_results_follow_from_the_laps(seasons: InventedSeasons) -> None:
    """Order by laps and total time, gaps and lap counts as driven, points by the table."""
    for key in keys(seasons, 2026, "Race"):
        results = seasons.rows("session_result", key)
        laps = dict(by_driver(seasons.rows("laps", key)))
        winner = results[0]
        assert (winner["position"], winner["gap_to_leader"]) == (1, 0)
        classified = [r for r in results if r["position"] is not None]
        assert [r["position"] for r in classified] == [*range(1, len(classified) + 1)]
        assert [r["points"] for r in classified][:10] == RACE_POINTS
        for result in results:
            driven = laps.get(result["driver_number"], [])
            assert (result["number_of_laps"] or 0) == len(driven)
            times = [lap["lap_duration"] for lap in driven]
            if result["duration"] is not None and None not in times:
                assert sum(times) == pytest.approx(result["duration"], abs=0.0005)
                assert result["gap_to_leader"] == pytest.approx(
                    result["duration"] - winner["duration"], abs=0.0005
                )
            behind = winner["number_of_laps"] - len(driven)
            if isinstance(result["gap_to_leader"], str):
                assert result["gap_to_leader"] == f"+{behind} LAP" + "S" * (behind > 1)
            if result["position"] is None:
                assert result["dnf"] or result["dns"] or result["dsq"]
                assert (result["points"], result["gap_to_leader"]) == (0.0, None)
        finishers = [r for r in classified if not r["dnf"]]
        ranks = [(-r["number_of_laps"], r["duration"] or 0) for r in finishers]
        assert ranks == sorted(ranks)


def test_the_fastest_lap_had_a_point_until_2024(seasons: InventedSeasons) -> None:
    """Points of a 2024 race add up to 102 when the fastest was in the top ten, 101 since."""
    sums_2024 = {
        sum(r["points"] for r in seasons.rows("session_result", k))
        for k in keys(seasons, 2024, "Race")
    }
    sums_2025 = {
        sum(r["points"] for r in seasons.rows("session_result", k))
        for k in keys(seasons, 2025, "Race")
    }
    assert 102.0 in sums_2024 <= {101.0, 102.0}
    assert sums_2025 == {101.0}


def test_points_of_earlier_seasons(seasons: InventedSeasons) -> None:
    """No point for the fastest lap before 2019, and until 2021 a sprint gave 3, 2 and 1."""
    for key in keys(seasons, 2018, "Race"):
        assert sum(r["points"] for r in seasons.rows("session_result", key)) == 101.0
    sums_2019 = {
        sum(r["points"] for r in seasons.rows("session_result", k))
        for k in keys(seasons, 2019, "Race")
    }
    assert 102.0 in sums_2019 <= {101.0, 102.0}
    for year, scale in ((2021, [3.0, 2.0, 1.0]), (2022, SPRINT_POINTS)):
        points = [
            r["points"] for r in seasons.rows("session_result", keys(seasons, year, "Sprint")[0])
        ]
        assert points == scale + [0.0] * (20 - len(scale))


@pytest.mark.slow
def test_stints_of_a_driver_nobody_knows_follow_each_other(seasons: InventedSeasons) -> None:
    """They are one driver's stints once more, under a number that is not in drivers."""
    orphans = 0
    for year in (2023, 2025, 2030):
        for key in keys(seasons, year, "Race", "Sprint"):
            known = {d["driver_number"] for d in seasons.rows("drivers", key)}
            stints = dict(by_driver(seasons.rows("stints", key)))
            for number in stints.keys() - known:
                orphans += 1
                laps = [(s["stint_number"], s["lap_start"], s["lap_end"]) for s in stints[number]]
                assert laps[0][:2] == (1, 1)
                assert laps in [
                    [(s["stint_number"], s["lap_start"], s["lap_end"]) for s in stints[other]]
                    for other in known & stints.keys()
                ]
    assert orphans > 2


def test_points_are_for_races_and_sprints_only(seasons: InventedSeasons) -> None:
    """The key is absent elsewhere; a sprint gives eight points and less, as floats."""
    for key in keys(seasons, 2025, "Sprint"):
        points = [r["points"] for r in seasons.rows("session_result", key)]
        assert points[:8] == SPRINT_POINTS
        assert {type(p) for p in points} == {float}
    for name in ("Practice 1", "Day 1", "Qualifying", "Sprint Qualifying"):
        for row in seasons.rows("session_result", keys(seasons, 2025, name)[0]):
            assert "points" not in row


def test_qualifying_results_follow_from_the_laps(seasons: InventedSeasons) -> None:
    """Lists of three, each a lap that was driven; ten reach the third part."""
    for key in keys(seasons, 2026, "Qualifying", "Sprint Qualifying"):
        results = seasons.rows("session_result", key)
        laps = dict(by_driver(seasons.rows("laps", key)))
        best = [
            min(r["duration"][part] for r in results if r["duration"][part] is not None)
            for part in range(3)
        ]
        reached = [sum(r["duration"][part] is not None for r in results) for part in range(3)]
        assert reached[1:] == [16, 10]
        for result in results:
            times = {lap["lap_duration"] for lap in laps[result["driver_number"]]}
            assert result["number_of_laps"] == len(laps[result["driver_number"]])
            for part, (time_, gap) in enumerate(
                zip(result["duration"], result["gap_to_leader"], strict=True)
            ):
                assert (time_ is None) is (gap is None)
                if time_ is not None:
                    assert time_ in times
                    assert gap == pytest.approx(time_ - best[part], abs=0.0005)
        pole = results[0]
        assert (pole["position"], pole["gap_to_leader"][2]) == (1, 0.0)


def test_practice_results_are_best_laps(seasons: InventedSeasons) -> None:
    """duration is the best lap as a float, in order, with the gap to the first."""
    for key in keys(seasons, 2024, "Practice 2"):
        results = seasons.rows("session_result", key)
        laps = dict(by_driver(seasons.rows("laps", key)))
        durations = [r["duration"] for r in results]
        assert durations == sorted(durations)
        for r in results:
            times = [lap["lap_duration"] for lap in laps[r["driver_number"]]]
            assert r["duration"] == min(t for t in times if t is not None)
            assert r["gap_to_leader"] == pytest.approx(r["duration"] - durations[0], abs=0.0005)


def test_stops_are_where_stints_end(seasons: InventedSeasons) -> None:
    """A pit row of a race is on the last lap of a stint, and an out-lap follows."""
    key = keys(seasons, 2026, "Race")[1]
    ends = {(s["driver_number"], s["lap_end"]) for s in seasons.rows("stints", key)}
    out = {
        (lap["driver_number"], lap["lap_number"])
        for lap in seasons.rows("laps", key)
        if lap["is_pit_out_lap"]
    }
    stops = [(r["driver_number"], r["lap_number"]) for r in seasons.rows("pit", key)]
    assert len(stops) > 20
    assert set(stops) <= ends
    assert {(number, lap + 1) for number, lap in stops} >= out


def test_keys_are_unique_where_upstream_s_are(seasons: InventedSeasons) -> None:
    """No duplicates by key in results, laps and stints; rows belong to their session."""
    fields = {"session_result": (), "laps": ("lap_number",), "stints": ("stint_number",)}
    for key in keys(seasons, 2024, "Race", "Qualifying", "Practice 1"):
        for endpoint, more in fields.items():
            rows = seasons.rows(endpoint, key)
            ids = {tuple(row[f] for f in ("driver_number", *more)) for row in rows}
            assert len(ids) == len(rows)
            assert {row["session_key"] for row in rows} == {key}


FINGERPRINT = """
import hashlib, json
from f1_bronze.simulator.invented import InventedSeasons
seasons = InventedSeasons(seed=7, years=[2023, 2026])
digest = hashlib.sha256(json.dumps([seasons.sessions(), seasons.meetings()]).encode())
for number, session in enumerate(seasons.sessions()):
    if number % 11 == 0:
        for endpoint in ("drivers", "session_result", "laps", "stints", "pit"):
            digest.update(json.dumps(seasons.rows(endpoint, session["session_key"])).encode())
print(digest.hexdigest())
"""


def test_every_process_makes_the_same_seasons() -> None:
    """The bytes do not depend on PYTHONHASHSEED or on the process."""
    prints = {
        subprocess.run(
            [sys.executable, "-c", FINGERPRINT],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "4242")
    }
    assert len(prints) == 1
    assert len(prints.pop().strip()) == 64


def test_weather_is_measured_each_minute(seasons: InventedSeasons) -> None:
    """Rows of OpenF1's shape, a minute apart, from the start of the session to its end."""
    [key, *_] = keys(seasons, 2025, "Race")
    [session] = [one for one in seasons.sessions() if one["session_key"] == key]
    rows = seasons.rows("weather", key)
    assert [list(row) for row in rows[:1]] == [
        [
            *("date", "session_key", "meeting_key", "air_temperature", "track_temperature"),
            *("humidity", "pressure", "rainfall", "wind_direction", "wind_speed"),
        ]
    ]
    assert {(row["session_key"], row["meeting_key"]) for row in rows} == {
        (key, session["meeting_key"])
    }
    dates = [datetime.fromisoformat(row["date"]) for row in rows]
    start, end = (datetime.fromisoformat(session[name]) for name in ("date_start", "date_end"))
    assert len(dates) == (end - start) / timedelta(minutes=1) + 1
    assert all(
        timedelta(0) <= date - start - timedelta(minutes=n) < timedelta(seconds=1)
        for n, date in enumerate(dates)
    )
    assert all(0 <= row["humidity"] <= 100 and row["wind_speed"] >= 0 for row in rows)


def test_the_order_of_questions_changes_nothing(seasons: InventedSeasons) -> None:
    """A session is the same asked first or last, remembered or made again."""
    key = keys(seasons, 2024, "Race")[3]
    forgetful = InventedSeasons(seed=1, keep=1)
    forwards = [forgetful.rows(endpoint, key) for endpoint in ENDPOINTS]
    forgetful.rows("laps", keys(seasons, 2024, "Race")[4])
    backwards = [forgetful.rows(endpoint, key) for endpoint in reversed(ENDPOINTS)]
    assert forwards == backwards[::-1]
    assert forwards == [seasons.rows(endpoint, key) for endpoint in ENDPOINTS]


def test_another_seed_is_another_season_on_the_same_calendar() -> None:
    """Sessions are the same, what happens in them is not."""
    one, other = InventedSeasons(seed=1), InventedSeasons(seed=2)
    assert one.sessions() == other.sessions()
    key = one.sessions()[500]["session_key"]
    assert one.rows("laps", key) != other.rows("laps", key)


def test_nothing_is_known_of_other_keys(seasons: InventedSeasons) -> None:
    """A real session key and a made-up one have no rows; an unknown endpoint is an error."""
    assert seasons.rows("laps", 9158) == ()
    assert seasons.rows("drivers", 999_999) == ()
    with pytest.raises(ValueError, match="position"):
        seasons.rows("position", 9158)


def test_starting_is_free_and_a_race_is_quick() -> None:
    """Nothing is made before it is asked for; a race takes some 20 ms, here at most 2 s."""
    began = time.perf_counter()
    fresh = InventedSeasons(seed=3)
    assert time.perf_counter() - began < 0.1
    key = keys(fresh, 2024, "Race")[0]
    began = time.perf_counter()
    assert len(InventedSeasons(seed=3).rows("laps", key)) > 900
    assert time.perf_counter() - began < 2


@pytest.mark.slow
def test_every_session_of_every_year_can_be_made() -> None:
    """One session of each kind and year, all endpoints, never an error."""
    everything = InventedSeasons(seed=11, keep=5)
    seen: set[tuple[int, str]] = set()
    for session in everything.sessions():
        kind = (session["year"], session["session_name"])
        if kind not in seen:
            seen.add(kind)
            for endpoint in ENDPOINTS:
                everything.rows(endpoint, session["session_key"])
    assert len(seen) == 13 * 7 + 6 * 3
