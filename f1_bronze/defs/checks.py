"""The asset checks: one a dataset (docs/adr/0022), and their results with the evidence.

Dagster's concept: https://docs.dagster.io/guides/test/asset-checks
"""

import textwrap
import warnings
from collections.abc import Sequence

import dagster as dg

from f1_bronze.datasets.dataset import Dataset, RuleGroup, Severity
from f1_bronze.defs.metadata import markdown_table
from f1_bronze.defs.partitions import asset_key
from f1_bronze.defs.record.check_results import RULES_CHECK
from f1_bronze.defs.record.latest import RecordedMaterialization
from f1_bronze.quality.verdicts import CheckVerdict, RuleVerdict, pack_rules, summarize

_ROWS_SHOWN = 5

_WIDEST_CELL = 120
"""Characters: an observed value may end in the very one that is wrong."""

_WIDEST_LIST = 2_000
"""Characters of the rules that share a line; a dataset has some thirty."""

_MEANINGS = {
    RuleGroup.SCHEMA: "Shape: rows, columns, types, keys, and what upstream added or took away.",
    RuleGroup.VALUES: "Single values: nulls, bounds, codes.",
    RuleGroup.RACING: "What only the sport explains, across rows and datasets.",
}


def check_specs(
    datasets: Sequence[Dataset], partitions_def: dg.PartitionsDefinition[str]
) -> list[dg.AssetCheckSpec]:
    """A spec for the check of each dataset; a failed ERROR rule fails the run that checked it."""
    with warnings.catch_warnings():
        # Partitioned checks are labelled a preview; without them a result has no partition.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return [
            dg.AssetCheckSpec(
                RULES_CHECK,
                asset=asset_key(dataset),
                description="\n\n".join(_describe(dataset, g) for g in dataset.rule_groups),
                blocking=True,
                partitions_def=partitions_def,
            )
            for dataset in datasets
        ]


def _describe(dataset: Dataset, group: RuleGroup) -> str:
    rules = [rule for rule in dataset.rules if rule.group is group]
    listed = "\n".join(f"- `{rule.name}` ({rule.severity}): {rule.says}" for rule in rules)
    return f"**{group}** {_MEANINGS[group]}\n\n{listed}"


def to_evaluation(
    dataset: Dataset, verdicts: Sequence[CheckVerdict], checked: RecordedMaterialization | None
) -> dg.AssetCheckEvaluation:
    """The verdicts on the groups of a session, as Dagster keeps them: one evaluation.

    It is tied to the materialization that was checked, and has the severity of the worst rule.
    """
    documents = {verdict.check: verdict.to_json() for verdict in verdicts}
    rules = {group: document["rules"] for group, document in documents.items()}
    unexpected = {
        n: r for one in documents.values() for n, r in one.get("unexpected_rows", {}).items()
    }
    worst = min(verdicts, key=lambda one: (one.passed, one.severity is not Severity.ERROR))
    return dg.AssetCheckEvaluation(
        asset_key=asset_key(dataset),
        check_name=RULES_CHECK,
        partition=worst.partition.key,
        passed=worst.passed,
        severity=dg.AssetCheckSeverity[worst.severity.value],
        description=_summarize(verdicts),
        blocking=True,
        target_materialization_data=checked.check_target if checked else None,
        metadata={
            **{group: summarize(listed) for group, listed in rules.items()},
            "evidence": dg.MetadataValue.md(evidence(dataset, verdicts)),
            "rows_seen": max((one.rows_seen for v in verdicts for one in v.rules), default=0),
            "rules_failed": sum(len(verdict.failed) for verdict in verdicts),
            "rules": dg.MetadataValue.json(pack_rules(rules)),
            **({"unexpected_rows": dg.MetadataValue.json(unexpected)} if unexpected else {}),
        },
    )


def _summarize(verdicts: Sequence[CheckVerdict]) -> str:
    """One line: what is wrong in each group, the worst first, or that nothing is."""
    failed = [verdict for verdict in verdicts if not verdict.passed]
    if not failed:
        return summarize([rule.to_json() for verdict in verdicts for rule in verdict.rules])
    failed.sort(key=lambda verdict: verdict.severity is not Severity.ERROR)
    return "; ".join(f"{v.check}: {summarize(v.to_json()['rules'])}" for v in failed)


def evidence(dataset: Dataset, verdicts: Sequence[CheckVerdict]) -> str:
    """Each rule with its result as Markdown, failed ones first and with the rows that fail.

    Rules of a group that did not fail and observed the same share a line.
    """
    rules = [(verdict.check, rule) for verdict in verdicts for rule in verdict.rules]
    rules.sort(key=lambda one: _RESULTS.index(_result(one[1])))
    lines: dict[tuple[object, ...], list[str]] = {}
    for group, rule in rules:
        failed = rule.unexpected_count
        count = f"{failed} ({rule.unexpected_percent:.1f} %)" if failed else ""
        observed = textwrap.shorten(rule.observed, _WIDEST_CELL, placeholder=" …")
        line = (_result(rule), observed, count, rule.rows_seen, group)
        lines.setdefault((*line, rule.name) if rule.passed is False else line, []).append(rule.name)
    table = markdown_table(
        ["result", "rule", "observed", "unexpected", "seen", "group"],
        [[line[0], ", ".join(names), *line[1:5]] for line, names in lines.items()],
        widest=_WIDEST_LIST,
    ).replace(" | ", "|")  # a fifth of a kilobyte in each evaluation
    parts = [table]
    for _, rule in rules:
        if rule.passed is not False:
            continue
        if (declared := dataset.rule(rule.name)) is not None:
            parts.append(f"**{rule.name}**: {declared.says} {declared.why}")
        if rule.unexpected_rows:
            names = list(dict.fromkeys(name for row in rule.unexpected_rows for name in row))
            rows = [[row.get(n) for n in names] for row in rule.unexpected_rows[:_ROWS_SHOWN]]
            parts.append(markdown_table(names, rows))
    return "\n\n".join(parts)


_RESULTS = ("fails", "warns", "passes", "not checked")


def _result(verdict: RuleVerdict) -> str:
    if verdict.passed is None:
        return "not checked"
    if verdict.passed:
        return "passes"
    return "fails" if verdict.severity is Severity.ERROR else "warns"
