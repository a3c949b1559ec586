"""The asset checks: what Dagster says of a partition that was judged.

Belongs here: the checks of each dataset, and a verdict as an evaluation with its evidence. Stays
out: judging (quality/), when it happens (validation.py). Why three a dataset: docs/adr/0010.
"""

import warnings
from collections.abc import Sequence
from typing import Any

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData as Target,  # has no public name
)

from f1_bronze.datasets.dataset import Check, Dataset, Rule, Severity
from f1_bronze.defs.partitions import asset_key
from f1_bronze.defs.run.materialization import markdown_table
from f1_bronze.quality.verdicts import CheckVerdict, RuleVerdict

_ROWS_SHOWN = 5

_OBSERVED = 120

"""Characters: an observed value may end in the very one that is wrong."""

_MEANINGS = {
    Check.SCHEMA: "Shape: rows, columns, types, keys, and what upstream added or took away.",
    Check.VALUES: "Single values: nulls, bounds, codes.",
    Check.RACING: "What only the sport explains, across rows and datasets.",
}


def checks_of(dataset: Dataset) -> tuple[Check, ...]:
    """The checks that the dataset has rules in."""
    return tuple(check for check in Check if any(rule.check is check for rule in dataset.rules))


def check_specs(
    datasets: Sequence[Dataset], partitions_def: dg.PartitionsDefinition[str]
) -> list[dg.AssetCheckSpec]:
    """A spec for each check of each dataset; a failed ERROR rule fails the run that judged it."""
    with warnings.catch_warnings():
        # Partitioned checks are labelled a preview; without them a verdict has no partition.
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
            for check in checks_of(dataset)
        ]


def _description(check: Check, rules: Sequence[Rule]) -> str:
    listed = "\n".join(f"- `{rule.name}` ({rule.severity}): {rule.says}" for rule in rules)
    return f"{_MEANINGS[check]}\n\n{listed}"


def evaluation(
    dataset: Dataset, verdict: CheckVerdict, target: Target | None
) -> dg.AssetCheckEvaluation:
    """The verdict as Dagster keeps it, tied to the materialization that was judged."""
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
        target_materialization_data=target,
        metadata=metadata,
    )


def summary(verdict: CheckVerdict) -> str:
    """One line: what is wrong first, or that nothing is."""
    if verdict.failed:
        worst = verdict.failed[0]
        more = len(verdict.failed) - 1
        return f"{worst.name}: {worst.observed}" + (f" (and {more} more)" if more else "")
    judged = sum(1 for rule in verdict.rules if rule.passed is not None)
    left = len(verdict.rules) - judged
    return f"{judged} rules hold" + (f", {left} not judged" if left else "")


def evidence(dataset: Dataset, verdict: CheckVerdict) -> str:
    """Each rule with its verdict, failed ones first and with the rows that broke them."""
    ordered = [*verdict.failed, *(rule for rule in verdict.rules if rule not in verdict.failed)]
    table = markdown_table(
        ["verdict", "rule", "observed", "unexpected", "seen"],
        [
            [
                _word(rule),
                rule.name,
                rule.observed,
                f"{rule.unexpected_count} ({rule.unexpected_percent:.1f} %)"
                if rule.unexpected_count
                else "",
                rule.rows_seen,
            ]
            for rule in ordered
        ],
        widest=_OBSERVED,
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


def _word(verdict: RuleVerdict) -> str:
    if verdict.passed is None:
        return "not judged"
    if verdict.passed:
        return "holds"
    return "fails" if verdict.severity is Severity.ERROR else "warns"
