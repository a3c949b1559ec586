"""Which bronze partitions may be used: what the checks found in the rows that the lake has now.

A check that only warned holds nothing back; Dagster's own `all_deps_blocking_checks_passed` would.
"""

from collections.abc import Collection, Mapping

import dagster as dg
from dagster._core.event_api import PartitionKeyFilter
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecordStatus as CheckStatus,
)
from dagster._core.storage.asset_check_execution_record import AssetCheckPartitionInfo

from f1_bronze.datasets import DATASETS
from f1_bronze.defs.partitions import asset_key
from f1_bronze.defs.record.check_results import RULES_CHECK

CHECKS = {
    asset_key(dataset): dg.AssetCheckKey(asset_key(dataset), RULES_CHECK) for dataset in DATASETS
}
"""The check of each bronze asset."""

OLDER_CHECKS = {
    asset_key(dataset): tuple(
        dg.AssetCheckKey(asset_key(dataset), group.value) for group in dataset.rule_groups
    )
    for dataset in DATASETS
}
"""What earlier releases had in its place; theirs count until the partition is checked again."""


def held_back(
    instance: dg.DagsterInstance, asset: dg.AssetKey, keys: Collection[str]
) -> Mapping[str, str]:
    """Why partitions of an asset must not be used; those that may are left out.

    A partition may be used once the check of its dataset was evaluated on the rows that it has now
    and did not fail with ERROR. An asset without a check of ours may always be used.
    """
    if asset not in CHECKS or not keys:
        return {}
    own, older = CHECKS[asset], OLDER_CHECKS[asset]
    infos = {
        (info.check_key, info.partition_key): info
        for info in instance.event_log_storage.get_asset_check_partition_info(
            [own, *older], partition_keys=list(keys)
        )
    }
    reasons: dict[str, str] = {}
    for key in keys:
        is_older = (own, key) not in infos and all((check, key) in infos for check in older)
        for check in older if is_older else (own,):
            why = _objection(instance, check, key, infos.get((check, key)))
            if why is not None:
                reasons[key] = f"{key} {asset.to_user_string()}: {why}"
                break
    return reasons


def _objection(
    instance: dg.DagsterInstance,
    check: dg.AssetCheckKey,
    key: str,
    info: AssetCheckPartitionInfo | None,
) -> str | None:
    if info is None:
        return (
            f"the check {check.name} was not evaluated. Execute it on the asset's Checks tab, "
            "which asks nothing of OpenF1."
        )
    if info.latest_execution_status is CheckStatus.SUCCEEDED and info.is_current:
        return None
    # The latest evaluation may only be planned, so the latest result is looked up.
    history = instance.event_log_storage.get_asset_check_execution_history(
        check,
        limit=1,
        status={CheckStatus.SUCCEEDED, CheckStatus.FAILED},
        partition_filter=PartitionKeyFilter(key=key),
    )
    event = history[0].event if history else None
    if event is None or event.dagster_event is None:
        return _objection(instance, check, key, None)
    evaluation = event.dagster_event.asset_check_evaluation_data
    target = evaluation.target_materialization_data
    if target is None or target.storage_id != info.latest_materialization_storage_id:
        return (
            f"the check {check.name} was evaluated on earlier rows only. Wait for the run that "
            "stores it, or execute the check on the asset's Checks tab."
        )
    if evaluation.passed or evaluation.severity is not dg.AssetCheckSeverity.ERROR:
        return None
    return (
        f"the check {check.name} found rows that must not be used ({evaluation.description}). "
        "Look at its evidence; materialize the bronze partition again once OpenF1 has corrected it."
    )
