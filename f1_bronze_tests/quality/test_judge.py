"""Verdicts of all rules for each session, whatever is stored."""

import json
from dataclasses import replace
from typing import Any

import pytest

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.conditions import Across
from f1_bronze.datasets.dataset import Dataset, DeclarationError, Rule, RuleGroup, Severity
from f1_bronze.datasets.laps import LAPS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.quality.judge import judge
from f1_bronze.simulator.invented import InventedSeasons

from .fake_lake import FakeLake, Records, invented_sessions, rules_of

RACE = SessionPartition.parse("2025/belgian/race")
OTHER_RACE = SessionPartition.parse("2026/australian/race")
QUALIFYING = SessionPartition.parse("2025/belgian/qualifying")


@pytest.fixture(scope="module")
def lake(seasons: InventedSeasons) -> FakeLake:
    return invented_sessions(seasons, [RACE.key, OTHER_RACE.key, QUALIFYING.key])


def untimed(share: float) -> Any:
    def change(records: Records) -> Records:
        for record in records[: int(share * len(records))]:
            record["lap_duration"] = None
        return records

    return change


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda dataset: dataset.name)
def test_every_rule_is_in_the_verdict_of_its_check(lake: FakeLake, dataset: Dataset) -> None:
    """Each session has the same checks, and each check its rules in the order of declaration."""
    verdicts = lake.verdicts(dataset.name)
    assert list(verdicts) == list(lake.sessions[dataset.name])
    for partition, checks in verdicts.items():
        assert [one.check for one in checks] == [
            RuleGroup.SCHEMA,
            RuleGroup.VALUES,
            RuleGroup.RACING,
        ]
        for one in checks:
            assert (one.partition, one.dataset) == (partition, dataset.name)
            declared = [rule for rule in dataset.rules if rule.group == one.check]
            assert [verdict.name for verdict in one.rules] == [rule.name for rule in declared]


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda dataset: dataset.name)
def test_nothing_to_check(lake: FakeLake, dataset: Dataset) -> None:
    """Without sessions there are no verdicts, and nothing is asked of anyone."""
    assert judge(dataset, {}, lake) == {}


def empty(records: Records) -> Records:
    return []


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda dataset: dataset.name)
@pytest.mark.parametrize("others", [True, False], ids=["among others", "alone"])
def test_session_without_rows(lake: FakeLake, dataset: Dataset, others: bool) -> None:
    """A true empty breaks the rule on rows alone; rules on rows have nothing to check."""
    without = lake.but_with(dataset.name, RACE, empty)
    checks = without.verdicts(dataset.name, None if others else [RACE])[RACE]
    failed = {name for name, verdict in rules_of(checks).items() if verdict.passed is False}
    expected = {"sessions": "one row", "pit_stops": "rows where cars drove"}
    assert failed == {expected.get(dataset.name, "at least one row")}
    verdicts = rules_of(check for check in checks if check.check != RuleGroup.RACING)
    assert verdicts["session_key not null"].passed is None
    assert verdicts["session_key not null"].observed == "no rows to check"
    assert verdicts["columns as declared"].passed is True


def test_mostly_is_a_share_of_the_session(lake: FakeLake) -> None:
    """Six of a hundred untimed laps are too many for a race, however many others there are."""
    rule = "lap_duration not null in races"
    for share, passed in ((0.03, True), (0.06, False)):
        verdicts = lake.but_with("laps", RACE, untimed(share)).verdicts("laps")
        assert rules_of(verdicts[RACE])[rule].passed is passed
        assert rules_of(verdicts[OTHER_RACE])[rule].passed is True


def test_session_out_of_scope_is_not_checked(lake: FakeLake) -> None:
    """A rule on races says nothing of a qualifying, and says why."""
    verdict = rules_of(lake.verdicts("laps")[QUALIFYING])["lap_duration not null in races"]
    assert verdict.passed is None
    assert verdict.observed == "not about qualifying in 2025"
    assert (verdict.rows_seen, verdict.unexpected_count) == (0, 0)


def test_evidence(lake: FakeLake) -> None:
    """A verdict counts all offenders and shows twenty with key, acronym and value, as JSON."""
    verdicts = lake.but_with("laps", RACE, untimed(0.5)).verdicts("laps")[RACE]
    verdict = rules_of(verdicts)["lap_duration not null in races"]
    laps = len(lake.records["laps"][RACE])
    assert verdict.rows_seen == laps
    assert verdict.unexpected_count >= laps // 2
    assert len(verdict.unexpected_rows) == 20
    assert list(verdict.unexpected_rows[0]) == [
        "session_key",
        "driver_number",
        "name_acronym",
        "lap_number",
        "lap_duration",
    ]
    acronyms = {r["driver_number"]: r["name_acronym"] for r in lake.records["drivers"][RACE]}
    assert all(
        row["name_acronym"] == acronyms[row["driver_number"]] for row in verdict.unexpected_rows
    )
    assert all(row["lap_duration"] is None for row in verdict.unexpected_rows)
    assert verdict.observed.startswith(f"{verdict.unexpected_count} of {laps} rows fail (")
    assert verdict.observed.endswith("%; 5.0 % allowed)")
    for check in verdicts:
        for rule in check.rules:
            json.dumps(rule.unexpected_rows, allow_nan=False)


def test_bounds_show_the_span(lake: FakeLake) -> None:
    """The observed value of a rule with bounds is the span of the session's values."""
    numbers = [record["lap_number"] for record in lake.records["laps"][RACE]]
    verdict = rules_of(lake.verdicts("laps")[RACE])["lap_number 1 to 100"]
    observed = f"all {len(numbers)} rows pass; from 1 to {max(numbers)}"
    assert (verdict.passed, verdict.observed) == (True, observed)


def test_what_was_retyped_is_shown_as_it_came(lake: FakeLake) -> None:
    """A time that came as a text is null in its column; the evidence shows the text."""

    def as_text(records: Records) -> Records:
        records[0]["lap_duration"] = "1:47.2"
        return records

    verdicts = rules_of(lake.but_with("laps", RACE, as_text).verdicts("laps")[RACE])
    verdict = verdicts["lap_duration is a number"]
    assert verdict.passed is False
    assert verdict.unexpected_rows[0]["lap_duration"] == "1:47.2"
    assert verdict.observed.endswith("; for example 1:47.2")


def test_severity_of_a_check_is_that_of_its_worst_rule(lake: FakeLake) -> None:
    """A check with a failed ERROR rule is an ERROR and names it first."""
    broken = lake.but_with("laps", RACE, untimed(0.6)).verdicts("laps")[RACE]
    values = next(check for check in broken if check.check == RuleGroup.VALUES)
    assert values.severity is Severity.ERROR
    assert [verdict.name for verdict in values.failed] == [
        "half of the laps timed",
        "lap_duration not null in races",
    ]


def test_two_partitions_with_one_session(lake: FakeLake) -> None:
    """The same session under two names is noticed in both, because all are checked at once."""
    twice = FakeLake()
    for partition in (RACE, QUALIFYING):
        twice.store(DATASETS[0], partition, lake.records["sessions"][RACE])
    for checks in twice.verdicts("sessions").values():
        assert rules_of(checks)["keys unique"].passed is False


def test_racing_rule_without_a_function(lake: FakeLake) -> None:
    """A declared rule that nobody tests is an error, not a rule that holds."""
    unwritten = Rule(
        name="champagne",
        severity=Severity.WARN,
        condition=Across(),
        says="There is champagne.",
        why="There always was.",
    )
    with pytest.raises(DeclarationError, match=r"without a function: \['champagne'\]"):
        judge(replace(LAPS, rules=(*LAPS.rules, unwritten)), lake.sessions["laps"], lake)
