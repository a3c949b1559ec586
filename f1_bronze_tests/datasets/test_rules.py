"""The declared rules: what users were promised is there, and no rule contradicts its dataset."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.conditions import Between, Condition, NoFieldsGone, NotNull, TypeIs
from f1_bronze.datasets.dataset import (
    Dataset,
    DeclarationError,
    Rule,
    RuleGroup,
    Scope,
    Severity,
    error,
    warn,
)
from f1_bronze.datasets.laps import LAPS
from tools.rule_docs import rules_page

BY_NAME = {dataset.name: dataset for dataset in DATASETS}
DOCS = Path(__file__).parents[2] / "docs/reference"

EVERYWHERE = {
    "at least one row",
    "columns match the declared ordered list",
    "session_key not null",
}
PROMISED = {
    "sessions": set(),
    "drivers": {
        "driver_number not null",
        "driver_number 1–99",
        "full_name not null",
        "name_acronym `^[A-Z]{3}$`",
    },
    "results": {"position 1–20", "position not null", "points an integer 0–26"},
    "laps": {"lap_time not null", "lap_time a float, numeric", "lap_number 1–100"},
    "stints": {
        "compound not null",
        "compound one of SOFT, MEDIUM, HARD, INTERMEDIATE, WET",
        "stint_number 1–10",
    },
    "pit_stops": {"pit_duration not null", "pit_duration a float", "pit_duration 1.0–60.0"},
}
"""Every rule that users were promised, by dataset."""

TYPES = {
    *("race", "sprint", "qualifying", "sprint_qualifying"),
    *(f"practice_{n}" for n in (1, 2, 3)),
    *(f"day_{n}" for n in (1, 2, 3)),
}


def rule(condition: Condition, **changes: Any) -> Rule:
    """A valid rule, but for the changes."""
    sound: dict[str, Any] = {
        "name": "a rule",
        "severity": Severity.WARN,
        "condition": condition,
        "says": "It is.",
        "why": "It must be.",
    }
    return Rule(**{**sound, **changes})


@pytest.mark.parametrize("name", PROMISED)
def test_promised_rules_are_there(name: str) -> None:
    """Each promise is kept by at least one rule of its dataset, which quotes it."""
    kept = {rule.promised for rule in BY_NAME[name].rules if rule.promised}
    assert kept == PROMISED[name] | EVERYWHERE


@pytest.mark.parametrize(
    ("dataset", "session_type", "year", "names"),
    [
        ("results", "race", 2025, ["position 1 to 20"]),
        ("results", "race", 2026, ["position 1 to 22"]),
        ("results", "practice_1", 2026, ["position in practice"]),
        ("laps", "sprint", 2024, ["lap_number 1 to 100"]),
        ("laps", "day_2", 2025, ["lap_number 1 to 250"]),
    ],
)
def test_bounds_by_season_and_session_type(
    dataset: str, session_type: str, year: int, names: list[str]
) -> None:
    """A session has one rule for the bounds of a number, the one of its time."""
    column = "position" if dataset == "results" else "lap_number"
    assert [
        rule.name
        for rule in BY_NAME[dataset].rules
        if isinstance(rule.condition, Between)
        and rule.condition.column == column
        and rule.scope.covers(year, session_type)
    ] == names


@pytest.mark.parametrize("session_type", sorted(TYPES))
def test_laps_of_any_session_must_have_times(session_type: str) -> None:
    """Every session type has its own share of laps that must be timed, and no two."""
    shares = [
        rule.mostly
        for rule in LAPS.rules
        if rule.name.startswith("lap_duration not null") and rule.scope.covers(2025, session_type)
    ]
    assert len(shares) == 1
    assert 0.65 <= shares[0] <= 0.95


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda dataset: dataset.name)
def test_scopes_name_session_types_that_exist(dataset: Dataset) -> None:
    """A rule's session types are among those that its dataset has."""
    exist = {one for one in TYPES if dataset.exists_for(one)}
    for one in dataset.rules:
        if one.scope.session_types is not None:
            assert one.scope.session_types <= exist, one.name


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda dataset: dataset.name)
def test_rules_explain_themselves(dataset: Dataset) -> None:
    """Each rule says what it requires and why, in sentences, and is in one of three groups."""
    assert {one.group for one in dataset.rules} == {
        RuleGroup.SCHEMA,
        RuleGroup.VALUES,
        RuleGroup.RACING,
    }
    for one in dataset.rules:
        assert one.says.endswith("."), one.name
        assert one.why.endswith("."), one.name


def test_two_rules_of_one_name_are_refused() -> None:
    """A verdict is filed under its rule's name, so a dataset cannot have it twice."""
    twice = rule(NotNull(column="lap_number"))
    with pytest.raises(DeclarationError, match=r"laps declares rules twice: \['a rule'\]"):
        replace(LAPS, rules=(twice, twice))


@pytest.mark.parametrize(
    "condition",
    [
        NotNull(column="lap_time"),
        NotNull(column="lap_duration", unless=("lap_time",)),
        NotNull(column="lap_duration", or_else="lap_time"),
        NoFieldsGone(come_and_go=("lap_time",)),
    ],
    ids=["column", "flag", "alternative", "field"],
)
def test_rule_about_no_column_is_refused(condition: Condition) -> None:
    """A misspelt column is an error where it is declared, not when it is judged."""
    with pytest.raises(
        DeclarationError, match=r"'a rule' of laps names unknown columns.*'lap_time'"
    ):
        replace(LAPS, rules=(rule(condition),))


@pytest.mark.parametrize("mostly", [0.0, -0.5, 1.01])
def test_mostly_is_a_share(mostly: float) -> None:
    """A rule that requires nothing, or more than everything, is refused."""
    with pytest.raises(DeclarationError, match="use 0 < … <= 1"):
        rule(NotNull(column="lap_number"), mostly=mostly)


@pytest.mark.parametrize("usable_from", [0.0, 0.96])
def test_usable_from_is_a_share_below_mostly(usable_from: float) -> None:
    """A partition that cannot be used is worse than one to look at."""
    with pytest.raises(DeclarationError, match="use 0 < … <= mostly"):
        rule(NotNull("lap_number"), mostly=0.95, usable_from=usable_from)


@pytest.mark.parametrize(
    ("scope", "covered"),
    [
        (Scope(), [True, True, True]),
        (Scope(session_types=frozenset({"race"})), [True, False, True]),
        (Scope(first_year=2025), [False, True, True]),
        (Scope(last_year=2025), [True, True, False]),
    ],
)
def test_scope(scope: Scope, covered: list[bool]) -> None:
    """Years are included at both ends, and no session types means all."""
    sessions = [(2024, "race"), (2025, "sprint"), (2026, "race")]
    assert [scope.covers(*session) for session in sessions] == covered


def test_the_page_of_rules_is_derived() -> None:
    """The page of rules is what the declarations and measured shares say; `make docs` writes it."""
    measured = json.loads((DOCS / "measured_rules.json").read_text("utf-8"))
    assert (DOCS / "rules.md").read_text("utf-8") == rules_page(measured)


def test_the_page_shows_shares_and_scopes() -> None:
    """A rule's line holds promise, bounds by season, and how real data fares."""
    figures = {"sessions": 60, "sessions_passed": 59, "rows": 1140, "rows_passed": 1137}
    page = rules_page({"results": {"position 1 to 20": figures}})
    (line,) = [line for line in page.splitlines() if "**position 1 to 20**" in line]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[0] == "position 1–20"
    assert cells[2:7] == [
        "ERROR",
        "values",
        "qualifying, race, sprint, sprint_qualifying, until 2025",
        "100 %",
        "GX",
    ]
    assert cells[-1] == "99.74 % of 1,140; 59 of 60 sessions"
    (unmeasured,) = [line for line in page.splitlines() if "**position 1 to 22**" in line]
    assert unmeasured.endswith("| — |")


def test_a_rule_about_bounds_says_so_itself() -> None:
    """Bounds and types make their own sentence; any other rule has to be given one."""
    assert error("lap 1 to 1,000", Between("lap", 1, 1000), why="So.").says == (
        "lap is from 1 to 1,000."
    )
    assert warn("lap is a number", TypeIs("lap"), why="So.").says == "lap is a number."
    with pytest.raises(DeclarationError, match="does not say what it requires"):
        warn("laps start in order", why="So.")


def test_rules_belong_to_the_check_of_their_kind() -> None:
    """Columns, types and keys are the schema's, single values and what spans rows are not."""
    checks = {rule.name: rule.group for rule in LAPS.rules}
    assert {checks[name] for name in ("session_key not null", "keys unique")} == {RuleGroup.SCHEMA}
    assert checks["lap_duration is a number"] is RuleGroup.SCHEMA
    assert checks["half of the laps timed"] is RuleGroup.VALUES
    assert checks["sectors add up"] is RuleGroup.RACING
