"""The last result of each check, partition by partition, as Dagster has it on record."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
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
from f1_bronze.datasets.dataset import Dataset
from f1_bronze.defs.partitions import asset_key


@dataclass(frozen=True, kw_only=True)
class CheckState:
    """The last evaluation of a check.

    Attributes:
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

    @classmethod
    def read(cls, evaluation: dg.AssetCheckEvaluation) -> "CheckState":
        """From the evaluation as `defs.checks` made it."""

        def value(name: str, default: Any) -> Any:
            metadata = evaluation.metadata.get(name)
            return default if metadata is None else metadata.value

        return cls(
            check=evaluation.check_name,
            severity=None if evaluation.passed else evaluation.severity.value,
            summary=evaluation.description or "",
            rules=value("rules", ()),
            unexpected_rows=value("unexpected_rows", {}),
        )


def read_checks(
    instance: dg.DagsterInstance, keys: Sequence[str], *, with_rules: bool
) -> dict[tuple[str, str], tuple[CheckState, ...]]:
    """By partition key and dataset the last evaluations, in the order of the dataset's checks.

    `with_rules` also reads the rules of checks that passed. It takes one query, and one for each
    partition of which more than the success is wanted. An evaluation that is only planned does not
    hide the one before it.
    """
    if not keys:
        return {}
    datasets = {
        dg.AssetCheckKey(asset_key(dataset), check.value): dataset.name
        for dataset in DATASETS
        for check in dataset.checks
    }
    found: dict[tuple[str, dg.AssetCheckKey], CheckState] = {}
    to_read: dict[str, list[dg.AssetCheckKey]] = {}
    for info in instance.event_log_storage.get_asset_check_partition_info(
        list(datasets), partition_keys=list(keys)
    ):
        key, check_key = info.partition_key, info.check_key
        if key is None:
            continue
        if info.latest_execution_status is CheckStatus.PLANNED:
            if (earlier := _evaluation_before_planned(instance, check_key, key)) is not None:
                found[key, check_key] = CheckState.read(earlier)
        elif with_rules or info.latest_execution_status is CheckStatus.FAILED:
            to_read.setdefault(key, []).append(check_key)
        else:
            found[key, check_key] = CheckState(check=check_key.name, severity=None)
    for key, check_keys in to_read.items():
        latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(
            check_keys, PartitionKeyFilter(key=key)
        )
        for check_key in check_keys:
            if (evaluation := _evaluation(latest[check_key])) is not None:
                found[key, check_key] = CheckState.read(evaluation)
    states: dict[tuple[str, str], list[CheckState]] = {}
    for check_key, dataset in datasets.items():  # in the order of the dataset's checks
        for key in keys:
            if (key, check_key) in found:
                states.setdefault((key, dataset), []).append(found[key, check_key])
    return {place: tuple(checks) for place, checks in states.items()}


def checked_keys(
    instance: dg.DagsterInstance, dataset: Dataset, partition_keys: Collection[str]
) -> set[str]:
    """Those of the partitions whose every check was evaluated on what they hold now.

    One query, and one for each check that a later run was to evaluate and has not.
    """
    if not partition_keys:
        return set()
    checks = [dg.AssetCheckKey(asset_key(dataset), check.value) for check in dataset.checks]
    evaluated: dict[str, int] = {}
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
            evaluated[key] = evaluated.get(key, 0) + 1
    return {key for key, number in evaluated.items() if number == len(checks)}


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
