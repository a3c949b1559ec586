"""The asset checks: three a dataset (docs/adr/0010), and their results with the evidence.

Dagster's concept: https://docs.dagster.io/guides/test/asset-checks
"""

import warnings
from collections.abc import Sequence
from typing import Any

import dagster as dg

from f1_bronze.datasets.dataset import Check, Dataset, Rule, Severity
from f1_bronze.defs.metadata import markdown_table
from f1_bronze.defs.partitions import asset_key
from f1_bronze.defs.record.latest import RecordedMaterialization
from f1_bronze.quality.verdicts import CheckVerdict, RuleVerdict

_ROWS_SHOWN = 5

_WIDEST_CELL = 120
"""Characters: an observed value may end in the very one that is wrong."""

_MEANINGS = {
    Check.SCHEMA: "Shape: rows, columns, types, keys, and what upstream added or took away.",
    Check.VALUES: "Single values: nulls, bounds, codes.",
    Check.RACING: "What only the sport explains, across rows and datasets.",
}


def check_specs(
    datasets: Sequence[Dataset], partitions_def: dg.PartitionsDefinition[str]
) -> list[dg.AssetCheckSpec]:
    """A spec for each check of each dataset; a failed ERROR rule fails the run that checked it."""
    with warnings.catch_warnings():
        # Partitioned checks are labelled a preview; without them a result has no partition.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return [
            dg.AssetCheckSpec(
                check.value,
                asset=asset_key(dataset),
                description=_description(check, [r for r in dataset.rules if r.check is check]),
                blocking=True,
                partitions_def=partitions_def,
            )
            for dataset in datasets
            for check in dataset.checks
        ]


def _description(check: Check, rules: Sequence[Rule]) -> str:
    listed = "\n".join(f"- `{rule.name}` ({rule.severity}): {rule.says}" for rule in rules)
    return f"{_MEANINGS[check]}\n\n{listed}"


def to_evaluation(
    dataset: Dataset, verdict: CheckVerdict, checked: RecordedMaterialization | None
) -> dg.AssetCheckEvaluation:
    """The verdict as Dagster keeps it, tied to the materialization that was checked."""
    metadata: dict[str, Any] = {
        **{name: dg.MetadataValue.json(data) for name, data in verdict.to_json().items()},
        "rows_seen": max((rule.rows_seen for rule in verdict.rules), default=0),
        "rules_failed": len(verdict.failed),
        "evidence": dg.MetadataValue.md(evidence(dataset, verdict)),
    }
    return dg.AssetCheckEvaluation(
        asset_key=asset_key(dataset),
        check_name=verdict.check,
        partition=verdict.partition.key,
        passed=verdict.passed,
        severity=dg.AssetCheckSeverity[verdict.severity.value],
        description=summary(verdict),
        blocking=True,
        target_materialization_data=checked.check_target if checked else None,
        metadata=metadata,
    )


def summary(verdict: CheckVerdict) -> str:
    """One line: what is wrong first, or that nothing is."""
    if verdict.failed:
        worst = verdict.failed[0]
        more = len(verdict.failed) - 1
        return f"{worst.name}: {worst.observed}" + (f" (and {more} more)" if more else "")
    checked = sum(1 for rule in verdict.rules if rule.passed is not None)
    left = len(verdict.rules) - checked
    return f"{checked} rules pass" + (f", {left} not checked" if left else "")


def evidence(dataset: Dataset, verdict: CheckVerdict) -> str:
    """Each rule with its result as Markdown, failed ones first and with the rows that fail."""
    ordered = [*verdict.failed, *(rule for rule in verdict.rules if rule not in verdict.failed)]
    table = markdown_table(
        ["result", "rule", "observed", "unexpected", "seen"],
        [
            [
                _result(rule),
                rule.name,
                rule.observed,
                f"{rule.unexpected_count} ({rule.unexpected_percent:.1f} %)"
                if rule.unexpected_count
                else "",
                rule.rows_seen,
            ]
            for rule in ordered
        ],
        widest=_WIDEST_CELL,
    )
    parts = [table]
    for rule in verdict.failed:
        if (declared := dataset.rule(rule.name)) is not None:
            parts.append(f"**{rule.name}**: {declared.says} {declared.why}")
        if rule.unexpected_rows:
            names = list(dict.fromkeys(name for row in rule.unexpected_rows for name in row))
            rows = [[row.get(n) for n in names] for row in rule.unexpected_rows[:_ROWS_SHOWN]]
            parts.append(markdown_table(names, rows))
    return "\n\n".join(parts)


def _result(verdict: RuleVerdict) -> str:
    if verdict.passed is None:
        return "not checked"
    if verdict.passed:
        return "passes"
    return "fails" if verdict.severity is Severity.ERROR else "warns"
