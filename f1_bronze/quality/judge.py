"""Checks every rule of a dataset on every session that a run has stored."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

from f1_bronze.datasets.conditions import Across, SessionCondition
from f1_bronze.datasets.dataset import Dataset, DeclarationError, Rule, RuleGroup
from f1_bronze.datasets.drivers import DRIVERS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.quality.context import CheckContext, SessionRows, to_declared_schema
from f1_bronze.quality.gx import KeepResult, RowBatch, check_rows
from f1_bronze.quality.racing import RACING_RULES
from f1_bronze.quality.racing.findings import CheckedSessions
from f1_bronze.quality.session_rules import check_session
from f1_bronze.quality.verdicts import MOST_ROWS_SHOWN, CheckVerdict, RuleVerdict, json_ready


def judge(
    dataset: Dataset,
    sessions: Mapping[SessionPartition, SessionRows],
    context: CheckContext,
    *,
    keep: KeepResult | None = None,
) -> dict[SessionPartition, tuple[CheckVerdict, ...]]:
    """For each session a verdict for each check that the dataset has rules in.

    Every verdict lists all rules of its check in the order of their declaration, also those that
    are not about the session. `keep` is called with Great Expectations' own result, once at most.
    `DeclarationError` when a racing rule has no function.
    """
    racing = _racing_rules(dataset)
    if not sessions:
        return {}
    tables = {p: to_declared_schema(dataset, one.table) for p, one in sessions.items()}
    by_rule = check_rows(RowBatch(dataset, tables), keep)
    checked = CheckedSessions(dataset, tables, context)
    by_rule |= {rule.name: _check_racing_rule(dataset, rule, checked) for rule in racing}
    acronyms = _Acronyms(checked)
    session_rules = [rule for rule in dataset.rules if isinstance(rule.condition, SessionCondition)]
    verdicts = {}
    for place, (partition, rows) in enumerate(sessions.items()):
        own = {name: of_sessions[place] for name, of_sessions in by_rule.items()}
        own |= check_session(dataset, session_rules, rows)
        for rule in session_rules:
            if not rule.scope.covers(partition.year, partition.session_type):
                own[rule.name] = RuleVerdict.out_of_scope(rule, partition)
        verdicts[partition] = tuple(
            CheckVerdict(
                dataset=dataset.name,
                check=check.value,
                partition=partition,
                rules=tuple(
                    acronyms.add(own[rule.name], partition)
                    for rule in dataset.rules
                    if rule.group is check
                ),
            )
            for check in RuleGroup
            if any(rule.group is check for rule in dataset.rules)
        )
    return verdicts


class _Acronyms:
    """The acronyms of the drivers, for people who do not know the numbers by heart."""

    def __init__(self, sessions: CheckedSessions) -> None:
        self._sessions = sessions

    def add(self, verdict: RuleVerdict, partition: SessionPartition) -> RuleVerdict:
        """The verdict with name_acronym behind each driver_number among its rows."""
        if not any("driver_number" in row for row in verdict.unexpected_rows):
            return verdict
        rows = []
        for row in verdict.unexpected_rows:
            named = {}
            for column, value in row.items():
                named[column] = value
                if column == "driver_number" and "name_acronym" not in row:
                    named["name_acronym"] = self._names.get((partition, value))
            rows.append(named)
        return replace(verdict, unexpected_rows=tuple(rows))

    @cached_property
    def _names(self) -> Mapping[tuple[SessionPartition, int], str]:
        drivers = self._sessions.rows(DRIVERS).dropna(subset=["driver_number", "name_acronym"])
        return {
            (self._sessions.partitions[key], int(number)): str(acronym)
            for key, number, acronym in zip(
                *(drivers[name] for name in ("session_key", "driver_number", "name_acronym")),
                strict=True,
            )
        }


def _racing_rules(dataset: Dataset) -> list[Rule]:
    """The rules that functions check; `DeclarationError` when one has no function."""
    racing = [rule for rule in dataset.rules if isinstance(rule.condition, Across)]
    if missing := [rule.name for rule in racing if rule.name not in RACING_RULES]:
        raise DeclarationError(
            f"Rules of {dataset.name} without a function: {missing}. List the function in "
            "f1_bronze/quality/racing/__init__.py under the name of the rule."
        )
    return racing


def _check_racing_rule(
    dataset: Dataset, rule: Rule, sessions: CheckedSessions
) -> list[RuleVerdict]:
    """The verdict on each session, in their order."""
    findings = RACING_RULES[rule.name](sessions.rows(dataset), sessions)
    failing: dict[int, list[dict[str, Any]]] = {}
    for row in findings.failing.to_dict("records"):
        failing.setdefault(int(row["session_key"]), []).append({str(n): row[n] for n in row})
    verdicts = []
    for key, partition in sessions.partitions.items():
        rows = failing.get(key, [])
        if not rule.scope.covers(partition.year, partition.session_type):
            verdicts.append(RuleVerdict.out_of_scope(rule, partition))
        elif reason := findings.not_checked.get(key):
            verdicts.append(RuleVerdict.not_checked(rule, reason))
        else:
            failed = len(rows) if findings.failed is None else findings.failed.get(key, 0)
            verdicts.append(
                RuleVerdict.by_count(
                    rule,
                    rows_seen=max(findings.checked.get(key, 0), failed),
                    unexpected_count=failed,
                    unexpected_rows=[json_ready(row) for row in rows[:MOST_ROWS_SHOWN]],
                    things=findings.things,
                    also=findings.observed.get(key, ""),
                )
            )
    return verdicts
