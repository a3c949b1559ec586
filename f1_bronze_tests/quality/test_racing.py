"""What racing rules allow, and what they cannot check."""

from dataclasses import replace
from typing import Any

import pytest

from f1_bronze.datasets.partition import SessionPartition

from .fake_lake import BY_NAME, FakeLake, Records
from .racing_fixtures import (
    PRACTICE,
    QUALIFYING,
    RACE,
    RACE_2025,
    RACE_2026,
    SPRINT,
    RacingSessions,
    identities,
    racing_rules,
    simulated,
)

DRIVER = ("driver_number",)
THAT_THERE_ARE_ROWS = ("at least one row", "rows where cars drove")
DECLARED = [(name, rule.name) for name in BY_NAME for rule in racing_rules(name)]


@pytest.fixture(scope="module")
def racing() -> RacingSessions:
    return simulated()


@pytest.mark.parametrize(("dataset", "rule"), DECLARED)
def test_no_sessions_at_all(dataset: str, rule: str) -> None:
    """A check of nothing finds nothing."""
    nowhere = RacingSessions(lake=FakeLake(), usual=FakeLake())
    findings = nowhere.findings(dataset, rule)
    assert len(findings.failing) == 0
    assert (dict(findings.checked), dict(findings.not_checked)) == ({}, {})


@pytest.mark.parametrize(
    ("dataset", "rule"), [one for one in DECLARED if not one[1].startswith(THAT_THERE_ARE_ROWS)]
)
def test_sessions_without_rows(racing: RacingSessions, dataset: str, rule: str) -> None:
    """A session without rows has nothing to check; that there are none is another rule's."""
    findings = racing.emptied(dataset).findings(dataset, rule)
    assert (len(findings.failing), dict(findings.checked)) == (0, {})


BETWEEN = [
    ("results", "drivers known", "drivers"),
    ("results", "every driver has a result", "drivers"),
    ("laps", "drivers known", "drivers"),
    *((name, "meeting as in sessions", "sessions") for name in BY_NAME if name != "sessions"),
    ("laps", "dated within the session", "sessions"),
    ("laps", "laps as in results", "results"),
    ("laps", "as many laps as in results", "results"),
    ("laps", "drivers with results have laps", "results"),
    ("laps", "drivers with laps have results", "results"),
    ("stints", "drivers known", "drivers"),
    ("stints", "last stint reaches the last lap", "laps"),
    ("pit_stops", "drivers known", "drivers"),
    ("stints", "drivers with results have stints", "results"),
    ("pit_stops", "dated within the session", "sessions"),
    ("pit_stops", "stops end stints", "stints"),
    ("pit_stops", "stints end with stops", "stints"),
]


@pytest.mark.parametrize(("dataset", "rule", "neighbour"), BETWEEN)
def test_neighbour_is_not_stored(
    racing: RacingSessions, dataset: str, rule: str, neighbour: str
) -> None:
    """Without the other dataset nothing is checked, and the reason names it."""
    with_rows = {
        racing.key(partition)
        for partition, records in racing.lake.records[dataset].items()
        if records
    }
    missing = racing.without(neighbour).findings(dataset, rule)
    assert dict(missing.not_checked) == dict.fromkeys(with_rows, f"{neighbour} are not stored")
    empty = racing.emptied(neighbour).findings(dataset, rule)
    assert dict(empty.not_checked) == dict.fromkeys(
        with_rows, f"{neighbour} are stored without rows"
    )
    for findings in (missing, empty):
        assert (len(findings.failing), dict(findings.checked)) == (0, {})


def test_the_fastest_lap_point_needs_results(racing: RacingSessions) -> None:
    """Only races of the seasons that gave the point are meant."""
    findings = racing.without("results").findings("laps", "fastest lap has its point")
    assert dict(findings.not_checked) == {racing.key(RACE): "results are not stored"}


def test_nobody_has_points_or_positions(racing: RacingSessions) -> None:
    """Outside races and sprints there are no points, and a session may have no order at all."""

    def forget(records: Records) -> Records:
        return [{**record, "position": None} for record in records]

    points = racing.findings("results", "points by the table")
    assert dict(points.not_checked) == dict.fromkeys(
        map(racing.key, (QUALIFYING, PRACTICE)), "nobody has points"
    )
    positions = racing.but_with("results", RACE, forget).findings(
        "results", "positions without gap"
    )
    assert dict(positions.not_checked) == {racing.key(RACE): "nobody has a position"}


def test_no_lap_has_a_time(racing: RacingSessions) -> None:
    """Then there is no fastest one."""

    def forget(records: Records) -> Records:
        return [{**record, "lap_duration": None} for record in records]

    broken = racing.but_with("laps", RACE, forget)
    findings = broken.findings("laps", "fastest lap plausible")
    assert dict(findings.not_checked) == {racing.key(RACE): "no lap has a possible time"}
    assert racing.key(RACE) not in findings.checked


@pytest.mark.parametrize(
    ("earlier", "reason"),
    [
        ([], "0 earlier sessions of that type, 5 needed"),
        ([20, 20, 20, 20], "4 earlier sessions of that type, 5 needed"),
        ([20, 0, 20, 0, 20, 0], "3 earlier sessions of that type, 5 needed"),
    ],
)
def test_too_little_seen_for_a_band(
    racing: RacingSessions, earlier: list[int], reason: str
) -> None:
    """With fewer than five earlier sessions with rows the number of rows is not checked."""
    arranged = replace(racing, earlier={RACE: earlier})
    findings = arranged.findings("drivers", "rows as many as usual")
    assert dict(findings.not_checked) == {racing.key(RACE): reason}
    assert findings.observed[racing.key(RACE_2025)] == "20 rows, expected 5 to 37"


def test_the_season_is_reported_once(racing: RacingSessions) -> None:
    """The latest session of each season reports it; sessions being checked are no holes."""
    hole = SessionPartition.parse("2025/monaco/race")
    findings = replace(racing, missing=[hole, RACE]).findings("sessions", "season is whole")
    latest = {2024: QUALIFYING, 2025: RACE_2025, 2026: RACE_2026}
    assert dict(findings.observed) == {
        racing.key(QUALIFYING): "every ended session of 2024 is stored",
        racing.key(RACE_2025): "missing: 2025/monaco/race",
        racing.key(RACE_2026): "every ended session of 2026 is stored",
    }
    assert dict(findings.checked) == {
        racing.key(QUALIFYING): 3,
        racing.key(RACE_2025): 3,
        racing.key(RACE_2026): 1,
    }
    assert dict(findings.not_checked) == {
        racing.key(one): f"reported once a season, this time on {latest[one.year].key}"
        for one in (RACE, SPRINT, PRACTICE)
    }
    assert identities(findings, racing.key(RACE_2025), ["grand_prix"]) == [("monaco",)]


def changed(record: dict[str, Any], **values: Any) -> dict[str, Any]:
    return {**record, **values}


def test_what_results_and_laps_may_differ_by(racing: RacingSessions) -> None:
    """One lap more has a row where a car stopped on it; two more, or one fewer, are at fault."""
    first, second, third = (r["driver_number"] for r in racing.lake.records["results"][RACE][:3])
    off = {first: -1, second: -2, third: 1}

    def recount(records: Records) -> Records:
        return [
            changed(r, number_of_laps=r["number_of_laps"] + off.get(r["driver_number"], 0))
            if r["number_of_laps"] is not None
            else r
            for r in records
        ]

    findings = racing.but_with("results", RACE, recount).findings("laps", "laps as in results")
    assert identities(findings, racing.key(RACE), DRIVER) == sorted([(second,), (third,)])


def test_stints_may_share_a_lap(racing: RacingSessions) -> None:
    """Stints that begin on the last lap of the one before pass, and are counted."""

    def share(records: Records) -> Records:
        return [changed(r, lap_start=r["lap_start"] - (r["stint_number"] > 1)) for r in records]

    records = racing.lake.records["stints"][RACE]
    shared = sum(record["stint_number"] > 1 for record in records)
    findings = racing.but_with("stints", RACE, share).findings("stints", "stints follow each other")
    assert identities(findings, racing.key(RACE), DRIVER) == []
    assert findings.observed[racing.key(RACE)] == (
        f"{shared} stints begin on the last lap of the one before"
    )


def test_a_stint_without_an_end_is_not_held_against_the_laps(racing: RacingSessions) -> None:
    """A null may stand for the last lap; a driver with laps and no stint at all is at fault, which
    where results are stored another rule says."""
    rows = racing.lake.records["stints"][RACE]
    first, second = list(dict.fromkeys(row["driver_number"] for row in rows))[:2]
    ends = {row["stint_number"] for row in rows if row["driver_number"] == first}

    def forget(records: Records) -> Records:
        return [
            changed(r, lap_end=None)
            if (r["driver_number"], r["stint_number"]) == (first, max(ends))
            else r
            for r in records
            if r["driver_number"] != second
        ]

    rule = ("stints", "last stint reaches the last lap")
    broken = racing.but_with("stints", RACE, forget)
    key = racing.key(RACE)
    assert identities(broken.findings(*rule), key, DRIVER) == []
    other_rule = broken.findings("stints", "drivers with results have stints")
    assert identities(other_rule, key, DRIVER) == [(second,)]
    findings = broken.without("results").findings(*rule)
    assert identities(findings, key, DRIVER) == [(second,)]
    assert findings.checked[key] == racing.findings(*rule).checked[key] - 1


def test_a_stop_may_lie_a_lap_off(racing: RacingSessions) -> None:
    """One lap beside the end of a stint is near enough, two are not."""
    first, second = racing.lake.records["pit_stops"][RACE][:2]
    off = {first["date"]: 1, second["date"]: 2}

    def shift(records: Records) -> Records:
        return [changed(r, lap_number=r["lap_number"] + off.get(r["date"], 0)) for r in records]

    findings = racing.but_with("pit_stops", RACE, shift).findings("pit_stops", "stops end stints")
    assert identities(findings, racing.key(RACE), DRIVER) == [(second["driver_number"],)]


def test_a_stop_without_a_lap_is_not_checked(racing: RacingSessions) -> None:
    """Upstream leaves the lap out at times."""

    def forget(records: Records) -> Records:
        return [changed(records[0], lap_number=None), *records[1:]]

    findings = racing.but_with("pit_stops", RACE, forget).findings("pit_stops", "stops end stints")
    key = racing.key(RACE)
    stops = len(racing.lake.records["pit_stops"][RACE])
    assert (identities(findings, key, DRIVER), findings.checked[key]) == ([], stops - 1)


@pytest.mark.parametrize(
    ("seen", "bounds"),
    [
        ([], "expected 50 to 240 s"),
        ([100.0], "expected 70 to 150 s"),
        ([110.0, 100.0], "expected 70 to 150 s"),
        ([120.0, 100.0, 110.0], "expected 88 to 154 s"),
    ],
)
def test_the_less_is_known_of_a_circuit_the_more_is_plausible(
    racing: RacingSessions, seen: list[float], bounds: str
) -> None:
    """Bounds come from other sessions on the circuit, wider while there are one or two."""
    arranged = replace(racing, fastest={RACE: seen})
    observed = arranged.findings("laps", "fastest lap plausible").observed[racing.key(RACE)]
    assert observed.endswith(bounds)


@pytest.mark.parametrize(
    ("partition", "kept", "at_fault"),
    [
        (RACE, 19, False),
        (RACE, 18, True),
        (RACE_2026, 21, False),
        (RACE_2026, 20, True),
        (QUALIFYING, 19, False),
        (PRACTICE, 18, False),
        (PRACTICE, 17, True),
    ],
)
def test_how_many_drivers_may_be_missing(
    racing: RacingSessions, partition: SessionPartition, kept: int, at_fault: bool
) -> None:
    """One where it counts, two in practice; there are 20 cars and from 2026 on 22."""
    broken = racing.but_with("drivers", partition, lambda records: records[:kept])
    findings = broken.findings("drivers", "as many drivers as cars")
    failing = identities(findings, racing.key(partition), ["drivers"])
    assert failing == ([(kept,)] if at_fault else [])


def test_testing_has_any_half_of_the_grid() -> None:
    """A day of testing may list half the drivers, or all and as many again."""
    day = SessionPartition.parse("2025/pre_season_testing/day_1")
    testing = simulated([day])
    for kept, failing in ((10, []), (9, [(9,)])):
        broken = testing.but_with("drivers", day, lambda records, kept=kept: records[:kept])  # type: ignore[misc]
        findings = broken.findings("drivers", "as many drivers as cars")
        assert identities(findings, testing.key(day), ["drivers"]) == failing
