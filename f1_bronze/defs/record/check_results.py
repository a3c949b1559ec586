"""The last result of each check, partition by partition, as Dagster has it on record."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import dagster as dg
from dagster._core.event_api import PartitionKeyFilter
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecord,
)
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecordStatus as CheckStatus,
)

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import Dataset, RuleGroup
from f1_bronze.defs.partitions import DATASET_BY_ASSET_KEY, asset_key
from f1_bronze.quality.verdicts import read_rule, summarize, unpack_rules

RULES_CHECK = "rules"
"""The check of every dataset. Releases before it had one for each group of rules, with its name:
what those recorded is read until the partition is checked again."""


@dataclass(frozen=True, kw_only=True)
class CheckState:
    """What the last evaluation says of one group of rules.

    Attributes:
        check: the group, a value of `RuleGroup`.
        severity: ERROR or WARN where it failed, else None.
        summary: what is wrong first, in a line.
        rules: as `RuleVerdict.to_json` wrote them; empty where they were not asked for.
        unexpected_rows: by rule, at most 20 rows of each that failed.
    """

    check: str
    severity: str | None
    summary: str = ""
    rules: Sequence[Mapping[str, Any]] = ()
    unexpected_rows: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)


def read_evaluation(evaluation: dg.AssetCheckEvaluation) -> tuple[CheckState, ...]:
    """What an evaluation, as `defs.checks` makes it or made it, says of each group."""

    def value(name: str, default: Any) -> Any:
        metadata = evaluation.metadata.get(name)
        return default if metadata is None else metadata.value

    rules, rows = value("rules", ()), value("unexpected_rows", {})
    severity = None if evaluation.passed else evaluation.severity.value
    if not isinstance(rules, dict):  # of an older release, or not ours
        return (
            CheckState(
                check=evaluation.check_name,
                severity=severity,
                summary=evaluation.description or "",
                rules=[read_rule(rule) for rule in rules],
                unexpected_rows=rows,
            ),
        )
    by_group = unpack_rules(rules)
    return tuple(
        CheckState(
            check=group.value,
            severity=_worst(listed),
            summary=summarize(listed),
            rules=listed,
            unexpected_rows={
                rule["rule"]: rows[rule["rule"]] for rule in listed if rule["rule"] in rows
            },
        )
        for group in RuleGroup
        if (listed := by_group.get(group.value)) is not None
    )


def _worst(rules: Sequence[Mapping[str, Any]]) -> str | None:
    failed = [str(rule["severity"]) for rule in rules if rule["passed"] is False]
    return min(failed, default=None)  # "ERROR" is before "WARN"


def read_checks(
    instance: dg.DagsterInstance, keys: Sequence[str], *, with_rules: bool
) -> dict[tuple[str, str], tuple[CheckState, ...]]:
    """By partition key and dataset the last evaluation, in the order of the groups of rules.

    `with_rules` also reads the rules of checks that passed. It takes one query, and one for each
    partition of which more than the success is wanted. An evaluation that is only planned does not
    hide the one before it.
    """
    if not keys:
        return {}
    checks = {dg.AssetCheckKey(asset_key(ds), RULES_CHECK): ds for ds in DATASETS}
    found = _read_states(instance, list(checks), keys, with_rules=with_rules)
    states = {(key, checks[check].name): one for (key, check), one in found.items()}
    older = _older_checks(instance, DATASETS)
    without = [key for key in keys if any((key, ds.name) not in states for ds in DATASETS)]
    if older and without:
        found = _read_states(instance, list(older), without, with_rules=with_rules)
        for check, dataset in older.items():
            for key in without:
                if (key, check) in found and (key, dataset.name) not in states:
                    by_group = (found.get((key, c), ()) for c in older if older[c] is dataset)
                    states[key, dataset.name] = tuple(one for group in by_group for one in group)
    return states


def _older_checks(
    instance: dg.DagsterInstance, datasets: Sequence[Dataset]
) -> dict[dg.AssetCheckKey, Dataset]:
    """The checks of older releases that this record knows; one query."""
    checks = {
        dg.AssetCheckKey(asset_key(dataset), group.value): dataset
        for dataset in datasets
        for group in dataset.rule_groups
    }
    known = instance.event_log_storage.get_latest_asset_check_execution_by_key(list(checks))
    return {check: dataset for check, dataset in checks.items() if check in known}


def _read_states(
    instance: dg.DagsterInstance,
    checks: Sequence[dg.AssetCheckKey],
    keys: Sequence[str],
    *,
    with_rules: bool,
) -> dict[tuple[str, dg.AssetCheckKey], tuple[CheckState, ...]]:
    found: dict[tuple[str, dg.AssetCheckKey], tuple[CheckState, ...]] = {}
    to_read: dict[str, list[dg.AssetCheckKey]] = {}
    for info in instance.event_log_storage.get_asset_check_partition_info(
        checks, partition_keys=list(keys)
    ):
        key, check_key = info.partition_key, info.check_key
        if key is None:
            continue
        if info.latest_execution_status is CheckStatus.PLANNED:
            if (earlier := _evaluation_before_planned(instance, check_key, key)) is not None:
                found[key, check_key] = read_evaluation(earlier)
        elif with_rules or info.latest_execution_status is CheckStatus.FAILED:
            to_read.setdefault(key, []).append(check_key)
        else:
            dataset = DATASET_BY_ASSET_KEY[check_key.asset_key]
            names = dataset.rule_groups if check_key.name == RULES_CHECK else (check_key.name,)
            found[key, check_key] = tuple(CheckState(check=str(n), severity=None) for n in names)
    for key, check_keys in to_read.items():
        latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(
            check_keys, PartitionKeyFilter(key=key)
        )
        for check_key in check_keys:
            if (evaluation := _evaluation(latest[check_key])) is not None:
                found[key, check_key] = read_evaluation(evaluation)
    if with_rules:
        return found
    return {
        place: tuple(one if one.severity else replace(one, rules=()) for one in groups)
        for place, groups in found.items()
    }


def checked_keys(
    instance: dg.DagsterInstance, dataset: Dataset, partition_keys: Collection[str]
) -> set[str]:
    """Those of the partitions whose rules were all evaluated on what they hold now.

    Two queries, and one for each check that a later run was to evaluate and has not.
    """
    if not partition_keys:
        return set()
    check = dg.AssetCheckKey(asset_key(dataset), RULES_CHECK)
    checked = {key for key, _ in _read_current(instance, [check], partition_keys)}
    older = _older_checks(instance, [dataset])
    without = set(partition_keys) - checked
    if older and without:
        counts = Counter(key for key, _ in _read_current(instance, list(older), without))
        checked |= {key for key, number in counts.items() if number == len(dataset.rule_groups)}
    return checked


def _read_current(
    instance: dg.DagsterInstance,
    checks: Sequence[dg.AssetCheckKey],
    partition_keys: Collection[str],
) -> Iterator[tuple[str, dg.AssetCheckKey]]:
    """Partitions and checks whose latest evaluation is about the latest materialization."""
    for info in instance.event_log_storage.get_asset_check_partition_info(
        checks, partition_keys=list(partition_keys)
    ):
        key, target = info.partition_key, info.latest_target_materialization_storage_id
        if key is None:
            continue
        if info.latest_execution_status is CheckStatus.PLANNED:
            earlier = _evaluation_before_planned(instance, info.check_key, key)
            data = earlier.target_materialization_data if earlier is not None else None
            target = data.storage_id if data is not None else None
        if target is not None and target == info.latest_materialization_storage_id:
            yield key, info.check_key


def _evaluation_before_planned(
    instance: dg.DagsterInstance, check_key: dg.AssetCheckKey, key: str
) -> dg.AssetCheckEvaluation | None:
    for record in instance.event_log_storage.get_asset_check_execution_history(
        check_key,
        limit=1,
        status={CheckStatus.SUCCEEDED, CheckStatus.FAILED},
        partition_filter=PartitionKeyFilter(key=key),
    ):
        return _evaluation(record)
    return None


def _evaluation(record: AssetCheckExecutionRecord) -> dg.AssetCheckEvaluation | None:
    """What the record holds; None while it is only planned."""
    event = record.event
    if event is None or record.status is CheckStatus.PLANNED:
        return None
    return event.get_dagster_event().asset_check_evaluation_data
