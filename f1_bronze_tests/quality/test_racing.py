"""What racing rules allow, and what they cannot judge."""

from dataclasses import replace
from typing import Any

import pytest

from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.quality.racing import RACING_RULES

from .landed import Landed, Records
from .paddock import (
    PRACTICE,
    QUALIFYING,
    RACE,
    RACE_2025,
    RACE_2026,
    SPRINT,
    Paddock,
    identities,
    simulated,
)

DRIVER = ("driver_number",)


@pytest.fixture(scope="module")
def paddock() -> Paddock:
    return simulated()


@pytest.mark.parametrize(("dataset", "rule"), RACING_RULES)
def test_no_sessions_at_all(dataset: str, rule: str) -> None:
    """A judging of nothing finds nothing."""
    nowhere = Paddock(landed=Landed(), usual=Landed())
    findings = nowhere.findings(dataset, rule)
    assert len(findings.offences) == 0
    assert (dict(findings.looked_at), dict(findings.not_judged)) == ({}, {})


@pytest.mark.parametrize(("dataset", "rule"), RACING_RULES)
def test_sessions_without_rows(paddock: Paddock, dataset: str, rule: str) -> None:
    """A session that landed empty has nothing to look at; only the rule of how many counts it."""
    findings = paddock.emptied(dataset).findings(dataset, rule)
    if rule == "rows as many as usual":
        usual = paddock.usual.records[dataset]
        assert dict(
            zip(findings.offences["session_key"], findings.offences["rows"], strict=True)
        ) == {paddock.key(partition): 0 for partition, rows in usual.items() if len(rows) > 10}
    else:
        assert (len(findings.offences), dict(findings.looked_at)) == (0, {})


BETWEEN = [
    ("results", "drivers known", "drivers"),
    ("results", "every driver has a result", "drivers"),
    ("laps", "drivers known", "drivers"),
    ("laps", "laps as in results", "results"),
    ("stints", "drivers known", "drivers"),
    ("stints", "last stint reaches the last lap", "laps"),
    ("pit_stops", "drivers known", "drivers"),
    ("pit_stops", "stops end stints", "stints"),
]


@pytest.mark.parametrize(("dataset", "rule", "neighbour"), BETWEEN)
def test_neighbour_has_not_landed(
    paddock: Paddock, dataset: str, rule: str, neighbour: str
) -> None:
    """Without the other dataset nothing is judged, and the reason names it."""
    with_rows = {
        paddock.key(partition)
        for partition, records in paddock.landed.records[dataset].items()
        if records
    }
    missing = paddock.without(neighbour).findings(dataset, rule)
    assert dict(missing.not_judged) == dict.fromkeys(with_rows, f"{neighbour} have not landed")
    empty = paddock.emptied(neighbour).findings(dataset, rule)
    assert dict(empty.not_judged) == dict.fromkeys(with_rows, f"{neighbour} landed without rows")
    for findings in (missing, empty):
        assert (len(findings.offences), dict(findings.looked_at)) == (0, {})


def test_the_fastest_lap_point_needs_results(paddock: Paddock) -> None:
    """Only races of the seasons that gave the point are meant."""
    findings = paddock.without("results").findings("laps", "fastest lap has its point")
    assert dict(findings.not_judged) == {paddock.key(RACE): "results have not landed"}


def test_nobody_has_points_or_positions(paddock: Paddock) -> None:
    """Outside races and sprints there are no points, and a session may have no order at all."""

    def forget(records: Records) -> Records:
        return [{**record, "position": None} for record in records]

    points = paddock.findings("results", "points by the table")
    assert dict(points.not_judged) == dict.fromkeys(
        map(paddock.key, (QUALIFYING, PRACTICE)), "nobody has points"
    )
    positions = paddock.but("results", RACE, forget).findings("results", "positions without gap")
    assert dict(positions.not_judged) == {paddock.key(RACE): "nobody has a position"}


def test_no_lap_has_a_time(paddock: Paddock) -> None:
    """Then there is no fastest one."""

    def forget(records: Records) -> Records:
        return [{**record, "lap_duration": None} for record in records]

    broken = paddock.but("laps", RACE, forget)
    findings = broken.findings("laps", "fastest lap plausible")
    assert dict(findings.not_judged) == {paddock.key(RACE): "no lap has a time"}
    assert paddock.key(RACE) not in findings.looked_at


@pytest.mark.parametrize(
    ("earlier", "told"),
    [
        ([], "0 earlier sessions of that type, 5 needed"),
        ([20, 20, 20, 20], "4 earlier sessions of that type, 5 needed"),
        ([20, 0, 20, 0, 20, 0], "3 earlier sessions of that type, 5 needed"),
    ],
)
def test_too_little_seen_for_a_band(paddock: Paddock, earlier: list[int], told: str) -> None:
    """With fewer than five earlier sessions with rows the number of rows is not judged."""
    arranged = replace(paddock, earlier={RACE: earlier})
    findings = arranged.findings("drivers", "rows as many as usual")
    assert dict(findings.not_judged) == {paddock.key(RACE): told}
    assert findings.observed[paddock.key(RACE_2025)] == "20 rows, expected 5 to 37"


def test_the_season_is_told_of_once(paddock: Paddock) -> None:
    """The latest session of each season tells of it; sessions under judgement are no holes."""
    hole = SessionPartition.parse("2025/monaco/race")
    findings = replace(paddock, missing=[hole, RACE]).findings("sessions", "season is whole")
    tellers = {2024: QUALIFYING, 2025: RACE_2025, 2026: RACE_2026}
    assert dict(findings.observed) == {
        paddock.key(QUALIFYING): "every ended session of 2024 has landed",
        paddock.key(RACE_2025): "1 ended sessions of 2025 have not landed",
        paddock.key(RACE_2026): "every ended session of 2026 has landed",
    }
    assert dict(findings.looked_at) == {
        paddock.key(QUALIFYING): 3,
        paddock.key(RACE_2025): 3,
        paddock.key(RACE_2026): 1,
    }
    assert dict(findings.not_judged) == {
        paddock.key(one): f"told once a season, this time on {tellers[one.year].key}"
        for one in (RACE, SPRINT, PRACTICE)
    }
    assert identities(findings, paddock.key(RACE_2025), ["grand_prix"]) == [("monaco",)]


def changed(record: dict[str, Any], **values: Any) -> dict[str, Any]:
    return {**record, **values}


def test_what_results_and_laps_may_differ_by(paddock: Paddock) -> None:
    """One lap more has a row where a car stopped on it; two more, or one fewer, are at fault."""
    first, second, third = (r["driver_number"] for r in paddock.landed.records["results"][RACE][:3])
    off = {first: -1, second: -2, third: 1}

    def recount(records: Records) -> Records:
        return [
            changed(r, number_of_laps=r["number_of_laps"] + off.get(r["driver_number"], 0))
            if r["number_of_laps"] is not None
            else r
            for r in records
        ]

    findings = paddock.but("results", RACE, recount).findings("laps", "laps as in results")
    assert identities(findings, paddock.key(RACE), DRIVER) == sorted([(second,), (third,)])


def test_stints_may_share_a_lap(paddock: Paddock) -> None:
    """Stints that begin on the last lap of the one before hold, and are told of."""

    def share(records: Records) -> Records:
        return [changed(r, lap_start=r["lap_start"] - (r["stint_number"] > 1)) for r in records]

    records = paddock.landed.records["stints"][RACE]
    shared = sum(record["stint_number"] > 1 for record in records)
    findings = paddock.but("stints", RACE, share).findings("stints", "stints follow each other")
    assert identities(findings, paddock.key(RACE), DRIVER) == []
    assert findings.observed[paddock.key(RACE)] == (
        f"{shared} stints begin on the last lap of the one before"
    )


def test_a_stint_without_an_end_is_not_held_against_the_laps(paddock: Paddock) -> None:
    """A null may stand for the last lap; a driver with laps and no stint at all is at fault."""
    rows = paddock.landed.records["stints"][RACE]
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
    findings = paddock.but("stints", RACE, forget).findings(*rule)
    key = paddock.key(RACE)
    assert identities(findings, key, DRIVER) == [(second,)]
    assert findings.looked_at[key] == paddock.findings(*rule).looked_at[key] - 1


def test_a_stop_may_lie_a_lap_off(paddock: Paddock) -> None:
    """One lap beside the end of a stint is near enough, two are not."""
    first, second = paddock.landed.records["pit_stops"][RACE][:2]
    off = {first["date"]: 1, second["date"]: 2}

    def shift(records: Records) -> Records:
        return [changed(r, lap_number=r["lap_number"] + off.get(r["date"], 0)) for r in records]

    findings = paddock.but("pit_stops", RACE, shift).findings("pit_stops", "stops end stints")
    assert identities(findings, paddock.key(RACE), DRIVER) == [(second["driver_number"],)]


def test_a_stop_without_a_lap_is_not_looked_at(paddock: Paddock) -> None:
    """Upstream leaves the lap out at times."""

    def forget(records: Records) -> Records:
        return [changed(records[0], lap_number=None), *records[1:]]

    findings = paddock.but("pit_stops", RACE, forget).findings("pit_stops", "stops end stints")
    key = paddock.key(RACE)
    stops = len(paddock.landed.records["pit_stops"][RACE])
    assert (identities(findings, key, DRIVER), findings.looked_at[key]) == ([], stops - 1)


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
    paddock: Paddock, seen: list[float], bounds: str
) -> None:
    """Bounds come from other sessions on the circuit, wider while there are one or two."""
    arranged = replace(paddock, fastest={RACE: seen})
    observed = arranged.findings("laps", "fastest lap plausible").observed[paddock.key(RACE)]
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
    paddock: Paddock, partition: SessionPartition, kept: int, at_fault: bool
) -> None:
    """One where it counts, two in practice; there are 20 cars and from 2026 on 22."""
    broken = paddock.but("drivers", partition, lambda records: records[:kept])
    findings = broken.findings("drivers", "as many drivers as cars")
    offences = identities(findings, paddock.key(partition), ["drivers"])
    assert offences == ([(kept,)] if at_fault else [])


def test_testing_has_any_half_of_the_grid() -> None:
    """A day of testing may list half the drivers, or all and as many again."""
    day = SessionPartition.parse("2025/pre_season_testing/day_1")
    testing = simulated([day])
    for kept, offences in ((10, []), (9, [(9,)])):
        broken = testing.but("drivers", day, lambda records, kept=kept: records[:kept])  # type: ignore[misc]
        findings = broken.findings("drivers", "as many drivers as cars")
        assert identities(findings, testing.key(day), ["drivers"]) == offences
