"""Suites are built from the declarations, and none of their rules gets lost."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import Dataset, Rule
from f1_bronze.datasets.laps import LAPS
from f1_bronze.datasets.results import RESULTS
from f1_bronze.quality.gx import (
    SuiteIncomplete,
    build_suite,
    complete_suite,
    expectation,
    row_rules,
)
from tools.suites import suites_json

_NOT_NULL = {
    "type": "expect_column_values_to_not_be_null",
    "kwargs": {"column": "lap_number", "mostly": 0.9},
    "severity": "warning",
    "meta": {"rule": "lap_number not null"},
}


def rule_of(dataset: Dataset, name: str) -> Rule:
    return next(rule for rule in dataset.rules if rule.name == name)


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda dataset: dataset.name)
def test_suite_holds_every_row_rule(dataset: Dataset) -> None:
    """The suite has one expectation for each rule on rows, named after it and as severe."""
    suite = build_suite(dataset)
    severities = {"ERROR": "critical", "WARN": "warning"}
    assert [(one.meta["rule"], one.severity.value) for one in suite.expectations] == [
        (rule.name, severities[rule.severity]) for rule in row_rules(dataset)
    ]
    assert len(suite.expectations) >= 6


@pytest.mark.parametrize(
    "spoilt",
    [
        pytest.param({"type": "expect_column_values_to_not_be_nul"}, id="misspelt type"),
        pytest.param({"severity": "fatal"}, id="misspelt severity"),
    ],
)
def test_dropped_rule_is_an_error(spoilt: Mapping[str, Any]) -> None:
    """The library drops what it does not know without a word to the caller; we do not."""
    with pytest.raises(SuiteIncomplete, match=r"\['lap_number not null'\].*gx\.py"):
        complete_suite("laps", [{**_NOT_NULL, **spoilt}])


def test_second_rule_of_a_name_is_an_error() -> None:
    """Two expectations that claim to be one rule cannot both be reported."""
    other = {**_NOT_NULL, "kwargs": {"column": "lap_number"}}
    with pytest.raises(SuiteIncomplete, match=r"lap_number not null|same name"):
        complete_suite("laps", [_NOT_NULL, other])


def test_scope_and_exceptions_become_a_row_condition() -> None:
    """Sessions out of scope and rows that may lack a value are left out by the library itself."""
    made = expectation(RESULTS, rule_of(RESULTS, "position not null"))
    assert made["kwargs"]["mostly"] == 0.85
    assert [
        (one["column"]["name"], one["operator"], one["parameter"])
        for one in made["kwargs"]["row_condition"]["conditions"]
    ] == [
        ("session_type", "IN", ["qualifying", "race", "sprint", "sprint_qualifying"]),
        ("dnf", "==", False),
        ("dns", "==", False),
        ("dsq", "==", False),
    ]


def test_years_become_a_row_condition() -> None:
    """The seasons of a scope are a condition on the folder."""
    until = expectation(RESULTS, rule_of(RESULTS, "position 1 to 20"))["kwargs"]["row_condition"]
    since = expectation(RESULTS, rule_of(RESULTS, "position 1 to 22"))["kwargs"]["row_condition"]
    assert (until["conditions"][1]["operator"], until["conditions"][1]["parameter"]) == ("<=", 2025)
    assert (since["conditions"][1]["operator"], since["conditions"][1]["parameter"]) == (">=", 2026)


def test_rule_on_more_than_a_row_is_no_expectation() -> None:
    """A rule of shape is refused, and is not among the rules on rows."""
    rule = rule_of(LAPS, "columns as declared")
    assert rule not in row_rules(LAPS)
    with pytest.raises(ValueError, match="'columns as declared' of laps is about more than a row"):
        expectation(LAPS, rule)


def test_dataset_without_row_rules_has_an_empty_suite() -> None:
    """A dataset may have no rules on rows."""
    assert build_suite(replace(LAPS, rules=())).expectations == []


def test_export_can_be_read_back() -> None:
    """The exported JSON makes the same suites again."""
    suites = json.loads(suites_json())
    assert [suite["name"] for suite in suites] == [f"bronze_{dataset.name}" for dataset in DATASETS]
    for suite, dataset in zip(suites, DATASETS, strict=True):
        again = complete_suite(suite["name"], suite["expectations"])
        assert len(again.expectations) == len(row_rules(dataset))
