"""Writes docs/reference/rules.md: `python -m tools.rule_docs docs/reference/measured_rules.json`.

The figures are measured where recordings are, by `f1_bronze_tests/quality/measuring.py`.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.conditions import Across, RowCondition
from f1_bronze.datasets.dataset import Dataset, Rule, RuleGroup, Scope

_GROUPS = ", ".join(f"`{group}`" for group in RuleGroup)

# By dataset and rule: sessions, sessions_passed, rows, rows_passed.
Figures = Mapping[str, Mapping[str, Mapping[str, int]]]


def rules_page(measured: Figures) -> str:
    """All rules with the promises that they keep and how recorded data fares, as Markdown."""
    parts = [
        "# The rules and how real data fares",
        "",
        "Made from the declarations in `f1_bronze/datasets/` by `make docs`. The rules of a",
        f"dataset are evaluated by its asset check `rules`, in the groups {_GROUPS}",
        "([why so](../adr/0022-one-check-a-dataset.md)). ERROR: the partition must not be used.",
        "WARN: a person should look. *mostly* is the share of the checked rows (or drivers,",
        "stints, …) of one session that must pass, and, where the rule has one, the share below",
        "which the failure is an ERROR.",
        "",
        "*Measured* are the recorded sessions that the project was calibrated on: all races,",
        "qualifyings, sprints and sprint qualifyings of 2024 and one qualifying of 2026. First the",
        "share of rows (or drivers, stints, …) that pass, then the sessions that pass. A dash: no",
        "recorded session is in the scope of the rule, or has anything that it checks.",
        "",
        "*Tested by*: `GX` a Great Expectations suite over all sessions of a run at once, `shape`",
        "our own code per session, `racing` a function across rows and datasets.",
    ]
    for dataset in DATASETS:
        parts += ["", *_section(dataset, measured.get(dataset.name, {}))]
    return "\n".join(parts) + "\n"


def _section(dataset: Dataset, measured: Mapping[str, Mapping[str, int]]) -> list[str]:
    return [
        f"## {dataset.name}",
        "",
        "| promised | rule | severity | group | scope | mostly | tested by | why | measured |",
        "|---|---|---|---|---|---|---|---|---|",
        *(_line(rule, measured.get(rule.name, {})) for rule in dataset.rules),
    ]


def _line(rule: Rule, figures: Mapping[str, int]) -> str:
    cells = [
        rule.promised or "",
        f"**{rule.name}**: {rule.says}",
        rule.severity.value,
        rule.group.value,
        _scope(rule.scope),
        _shares(rule),
        _tested_by(rule),
        rule.why,
        _measured(figures),
    ]
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def _scope(scope: Scope) -> str:
    types = ", ".join(sorted(scope.session_types)) if scope.session_types else "all"
    if scope.first_year and scope.last_year:
        return f"{types}, {scope.first_year}–{scope.last_year}"
    if scope.first_year:
        return f"{types}, from {scope.first_year}"
    return f"{types}, until {scope.last_year}" if scope.last_year else types


def _shares(rule: Rule) -> str:
    below = f"; ERROR below {_percent(rule.usable_from)}" if rule.usable_from else ""
    return _percent(rule.mostly) + below


def _tested_by(rule: Rule) -> str:
    if isinstance(rule.condition, RowCondition):
        return "GX"
    return "racing" if isinstance(rule.condition, Across) else "shape"


def _measured(figures: Mapping[str, int]) -> str:
    if not figures.get("sessions"):
        return "—"
    rows, rows_passed = figures["rows"], figures["rows_passed"]
    passed = f"{figures['sessions_passed']} of {figures['sessions']} sessions"
    return f"{_percent(rows_passed / rows)} of {rows:,}; {passed}" if rows else passed


def _percent(share: float) -> str:
    """At most two decimals, and never 100 when it is less."""
    text = f"{100 * share:.2f}".rstrip("0").rstrip(".")
    return f"{'99.99' if text == '100' and share < 1 else text} %"


if __name__ == "__main__":
    figures: Any = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    sys.stdout.write(rules_page(figures))
