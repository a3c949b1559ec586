"""What the checks said last, partition by partition.

Belongs here: reading evaluations back from Dagster's record. Stays out: making them (checks.py).
"""

from collections.abc import Mapping, Sequence
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
from f1_bronze.defs.checks import checks_of
from f1_bronze.defs.partitions import asset_key


@dataclass(frozen=True, kw_only=True)
class CheckState:
    """The last evaluation of a check.

    Attributes:
        severity: ERROR or WARN where it failed, else None.
        summary: what is wrong first, in a line.
        rules: as `checks.rule_record` wrote them; empty where they were not asked for.
        unexpected_rows: by rule, at most 20 rows of each that was broken.
    """

    check: str
    severity: str | None
    summary: str = ""
    rules: Sequence[Mapping[str, Any]] = ()
    unexpected_rows: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)


def check_states(
    instance: dg.DagsterInstance, keys: Sequence[str], *, with_rules: bool
) -> dict[tuple[str, str], tuple[CheckState, ...]]:
    """By partition key and dataset the last evaluations, in the order of the dataset's checks.

    A query a check, and one for each partition of which more than the success is to be known. An
    evaluation that is planned and has not come to anything does not hide the one before it.
    """
    if not keys:
        return {}
    check_keys = {
        dg.AssetCheckKey(asset_key(dataset), check.value): dataset
        for dataset in DATASETS
        for check in checks_of(dataset)
    }
    found: dict[tuple[str, dg.AssetCheckKey], CheckState] = {}
    to_read: dict[str, list[dg.AssetCheckKey]] = {}
    for info in instance.event_log_storage.get_asset_check_partition_info(
        list(check_keys), partition_keys=list(keys)
    ):
        key, check_key = info.partition_key, info.check_key
        if key is None:
            continue
        if info.latest_execution_status is CheckStatus.PLANNED:
            if (earlier := _earlier(instance, check_key, key)) is not None:
                found[key, check_key] = _check_state(earlier)
        elif with_rules or info.latest_execution_status is CheckStatus.FAILED:
            to_read.setdefault(key, []).append(check_key)
        else:
            found[key, check_key] = CheckState(check=check_key.name, severity=None)
    for key, wanted in to_read.items():
        latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(
            wanted, PartitionKeyFilter(key=key)
        )
        for check_key in wanted:
            if (evaluation := _evaluation(latest[check_key])) is not None:
                found[key, check_key] = _check_state(evaluation)
    states: dict[tuple[str, str], tuple[CheckState, ...]] = {}
    for check_key, dataset in check_keys.items():
        for key in keys:
            if (key, check_key) in found:
                before = states.get((key, dataset.name), ())
                states[key, dataset.name] = (*before, found[key, check_key])
    return states


def _earlier(
    instance: dg.DagsterInstance, check_key: dg.AssetCheckKey, key: str
) -> dg.AssetCheckEvaluation | None:
    """The last evaluation of a partition for which another one is planned."""
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


def _check_state(evaluation: dg.AssetCheckEvaluation) -> CheckState:
    def json(name: str, otherwise: Any) -> Any:
        value = evaluation.metadata.get(name)
        return otherwise if value is None else value.value

    return CheckState(
        check=evaluation.check_name,
        severity=None if evaluation.passed else evaluation.severity.value,
        summary=evaluation.description or "",
        rules=json("rules", ()),
        unexpected_rows=json("unexpected_rows", {}),
    )
