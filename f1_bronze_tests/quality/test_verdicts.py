"""Verdicts as plain data: when a share is enough, and what evidence may hold."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from f1_bronze.datasets.conditions import NotNull
from f1_bronze.datasets.dataset import Rule, Severity
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.quality.verdicts import CheckVerdict, RuleVerdict, json_ready


def rule(mostly: float) -> Rule:
    return Rule(
        name="a rule",
        severity=Severity.WARN,
        condition=NotNull(column="session_key"),
        says="It is.",
        why="It must be.",
        mostly=mostly,
    )


@pytest.mark.parametrize(
    ("mostly", "seen", "unexpected", "passed"),
    [
        (1.0, 20, 0, True),
        (1.0, 20, 1, False),
        (0.9, 20, 2, True),
        (0.9, 20, 3, False),
        (0.7, 10, 3, True),
        (0.95, 19, 1, False),
        (0.5, 0, 0, None),
    ],
)
def test_mostly(mostly: float, seen: int, unexpected: int, passed: bool | None) -> None:
    """The demanded share holds to the row, and of nothing nothing is said."""
    verdict = RuleVerdict.by_count(rule(mostly), rows_seen=seen, unexpected_count=unexpected)
    assert verdict.passed is passed
    assert verdict.unexpected_count == unexpected


@pytest.mark.parametrize(
    ("failing", "passed", "severity"),
    [(2, True, "WARN"), (3, False, "WARN"), (10, False, "WARN"), (11, False, "ERROR")],
)
def test_two_thresholds(failing: int, passed: bool, severity: str) -> None:
    """Below one share people should look, below the other the partition must not be used."""
    two = replace(rule(0.9), usable_from=0.5)
    verdict = RuleVerdict.by_count(two, rows_seen=20, unexpected_count=failing)
    assert (verdict.passed, verdict.severity) == (passed, severity)


@pytest.mark.parametrize(
    ("unexpected", "also", "observed"),
    [
        (0, "", "all 1,000 rows pass"),
        (0, "from 1 to 9", "all 1,000 rows pass; from 1 to 9"),
        (31, "", "31 of 1,000 rows fail (3.1 %; 10.0 % allowed)"),
    ],
)
def test_observed(unexpected: int, also: str, observed: str) -> None:
    """The observed value has the counts, the share and what is allowed."""
    verdict = RuleVerdict.by_count(
        rule(0.9), rows_seen=1000, unexpected_count=unexpected, also=also
    )
    assert verdict.observed == observed


def test_twenty_rows_at_most() -> None:
    """However many offenders are given, twenty are kept."""
    rows = [{"lap_number": n} for n in range(50)]
    verdict = RuleVerdict.by_count(
        rule(1.0), rows_seen=50, unexpected_count=50, unexpected_rows=rows
    )
    assert verdict.unexpected_rows == tuple(rows[:20])
    assert verdict.unexpected_percent == 100.0


def check(*rules: RuleVerdict) -> CheckVerdict:
    return CheckVerdict(
        dataset="laps",
        check="values",
        partition=SessionPartition.parse("2025/bahrain/race"),
        rules=rules,
    )


def test_what_is_stored_of_a_verdict() -> None:
    """The record keeps each rule with its column and counts, and rows of failed rules alone."""
    failed = RuleVerdict.by_count(
        rule(1.0), rows_seen=20, unexpected_count=1, unexpected_rows=[{"session_key": None}]
    )
    passed = RuleVerdict.by_count(replace(rule(1.0), name="another"), rows_seen=20)
    stored = json.loads(json.dumps(check(failed, passed).to_json()))
    assert stored["unexpected_rows"] == {"a rule": [{"session_key": None}]}
    assert stored["rules"][0] == {
        "rule": "a rule",
        "severity": "WARN",
        "passed": False,
        "observed": "1 of 20 rows fails (5.0 %)",
        "unexpected_count": 1,
        "unexpected_percent": 5.0,
        "rows_seen": 20,
        "column": "session_key",
    }
    assert [one["rule"] for one in stored["rules"]] == ["a rule", "another"]
    assert "unexpected_rows" not in check(passed).to_json()


def test_json_ready() -> None:
    """Values of Arrow, numpy and pandas become JSON's own."""
    import numpy as np
    import pandas as pd

    row: dict[str, Any] = {
        "driver_number": np.float64(4.0),
        "lap_duration": np.float64("nan"),
        "gap": float("inf"),
        "date": datetime(2025, 4, 13, 15, tzinfo=UTC),
        "stamp": pd.Timestamp("2025-04-13T15:00:00Z"),
        "never": pd.NaT,
        "flag": np.bool_(True),
        "times": [1.5, None],
        "unknown": pd.NA,
    }
    assert json_ready(row) == {
        "driver_number": 4,
        "lap_duration": None,
        "gap": None,
        "date": "2025-04-13T15:00:00+00:00",
        "stamp": "2025-04-13T15:00:00+00:00",
        "never": None,
        "flag": True,
        "times": [1.5, None],
        "unknown": None,
    }
