"""Which bronze partitions may be used.

Belongs here: what the checks have said of the rows that are in the lake now. Stays out: what
follows from it (following.py, assets.py). A check that only warned keeps nobody: Dagster's own
`all_deps_blocking_checks_passed` would hold a partition back for that, too.
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

CHECKS = {
    asset_key(dataset): tuple(
        dg.AssetCheckKey(asset_key(dataset), check.value) for check in dataset.checks
    )
    for dataset in DATASETS
}
"""The checks of each bronze asset."""


def held_back(
    instance: dg.DagsterInstance, asset: dg.AssetKey, keys: Collection[str]
) -> Mapping[str, str]:
    """Why partitions of an asset must not be used; those that may are left out.

    A partition may be used once every check of its dataset has judged the rows that it has now and
    none found an ERROR. An asset without checks of ours may always be used.
    """
    checks = CHECKS.get(asset, ())
    if not checks or not keys:
        return {}
    infos = {
        (info.check_key, info.partition_key): info
        for info in instance.event_log_storage.get_asset_check_partition_info(
            list(checks), partition_keys=list(keys)
        )
    }
    reasons: dict[str, str] = {}
    for key in keys:
        for check in checks:
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
            f"the check {check.name} has not judged it. Execute it on the asset's Checks tab, "
            "which asks nothing of OpenF1."
        )
    if info.latest_execution_status is CheckStatus.SUCCEEDED and info.is_current:
        return None
    # The latest word may be a plan that came to nothing, so the latest verdict is looked up.
    history = instance.event_log_storage.get_asset_check_execution_history(
        check,
        limit=1,
        status={CheckStatus.SUCCEEDED, CheckStatus.FAILED},
        partition_filter=PartitionKeyFilter(key=key),
    )
    event = history[0].event if history else None
    if event is None or event.dagster_event is None:
        return _objection(instance, check, key, None)
    verdict = event.dagster_event.asset_check_evaluation_data
    target = verdict.target_materialization_data
    if target is None or target.storage_id != info.latest_materialization_storage_id:
        return (
            f"the check {check.name} has judged earlier rows only. Wait for the run that lands it, "
            "or execute the check on the asset's Checks tab."
        )
    if verdict.passed or verdict.severity is not dg.AssetCheckSeverity.ERROR:
        return None
    return (
        f"the check {check.name} found rows that must not be used ({verdict.description}). "
        "Look at its evidence; materialize the bronze partition again once upstream has mended it."
    )
