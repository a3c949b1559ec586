"""The judge: every rule of a dataset on every session that a run has landed.

Belongs here: bringing the verdicts of rows, shape and racing together. Stays out: how each kind of
rule is tested (rows.py, shape.py, racing/), what becomes of verdicts (defs/).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from f1_bronze.datasets.conditions import Across, SessionCondition
from f1_bronze.datasets.dataset import Check, Dataset, DeclarationError, Rule
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.quality.context import JudgedRows, Subject, Surroundings, conformed
from f1_bronze.quality.gx import KeepResult, row_verdicts
from f1_bronze.quality.racing import RACING_RULES
from f1_bronze.quality.racing.findings import Around, Findings
from f1_bronze.quality.session_rules import shape_verdicts
from f1_bronze.quality.verdicts import MOST_ROWS_SHOWN, CheckVerdict, RuleVerdict, json_ready


def judge(
    dataset: Dataset,
    subjects: Mapping[SessionPartition, Subject],
    surroundings: Surroundings,
    *,
    keep: KeepResult | None = None,
) -> dict[SessionPartition, tuple[CheckVerdict, ...]]:
    """For each session a verdict for each check that the dataset has rules in.

    Every verdict lists all rules of its check in the order of their declaration, also those that
    are not about the session. `keep` is called with Great Expectations' own result, once at most.
    `DeclarationError` when a racing rule has no function or a function no rule.
    """
    racing = _racing_rules(dataset)
    if not subjects:
        return {}
    sound = {
        partition: Subject(
            table=conformed(dataset, subject.table), absent_columns=subject.absent_columns
        )
        for partition, subject in subjects.items()
    }
    by_rule = row_verdicts(JudgedRows(dataset, sound), keep)
    if racing:
        around = Around(dataset, sound, surroundings)
        for rule in racing:
            by_rule[rule.name] = _racing_verdicts(dataset, rule, sound, around)
    shapes = [rule for rule in dataset.rules if isinstance(rule.condition, SessionCondition)]
    verdicts = {}
    for place, (partition, subject) in enumerate(subjects.items()):
        own = {name: of_sessions[place] for name, of_sessions in by_rule.items()}
        meant = [r for r in shapes if r.scope.covers(partition.year, partition.session_type)]
        own.update(shape_verdicts(dataset, meant, subject, sound[partition].table))
        own.update(
            {r.name: RuleVerdict.out_of_scope(r, partition) for r in shapes if r.name not in own}
        )
        verdicts[partition] = tuple(
            CheckVerdict(
                dataset=dataset.name,
                check=check.value,
                partition=partition,
                rules=tuple(own[rule.name] for rule in dataset.rules if rule.check is check),
            )
            for check in Check
            if any(rule.check is check for rule in dataset.rules)
        )
    return verdicts


def _racing_rules(dataset: Dataset) -> list[Rule]:
    """The rules that functions test; `DeclarationError` when rules and functions do not agree."""
    racing = [rule for rule in dataset.rules if isinstance(rule.condition, Across)]
    declared = {rule.name for rule in racing}
    written = {name for of, name in RACING_RULES if of == dataset.name}
    if declared != written:
        raise DeclarationError(
            f"Rules of {dataset.name} without a function: {sorted(declared - written)}; functions "
            f"without a rule: {sorted(written - declared)}. Declare the rule in "
            f"f1_bronze/datasets/{dataset.name}.py and list its function in "
            "f1_bronze/quality/racing/__init__.py under the same name."
        )
    return racing


def _racing_verdicts(
    dataset: Dataset, rule: Rule, subjects: Mapping[SessionPartition, Subject], around: Around
) -> list[RuleVerdict]:
    findings = RACING_RULES[dataset.name, rule.name](around.of(dataset), around)
    offences: dict[int, list[dict[str, Any]]] = {}
    for row in findings.offences.to_dict("records"):
        offences.setdefault(int(row["session_key"]), []).append({str(n): row[n] for n in row})
    keys = {partition: key for key, partition in around.partitions.items()}
    return [
        _racing_verdict(rule, findings, keys[partition], offences.get(keys[partition], []))
        if rule.scope.covers(partition.year, partition.session_type)
        else RuleVerdict.out_of_scope(rule, partition)
        for partition in subjects
    ]


def _racing_verdict(
    rule: Rule, findings: Findings, session_key: int, offences: Sequence[Mapping[str, Any]]
) -> RuleVerdict:
    if reason := findings.not_judged.get(session_key):
        return RuleVerdict.not_checked(rule, reason)
    return RuleVerdict.by_count(
        rule,
        rows_seen=max(findings.looked_at.get(session_key, 0), len(offences)),
        unexpected_count=len(offences),
        unexpected_rows=[json_ready(row) for row in offences[:MOST_ROWS_SHOWN]],
        also=findings.observed.get(session_key, ""),
    )
