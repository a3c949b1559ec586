"""Bronze and silver as their records say, without a run: fast, and as many sessions as one likes.

Materializations and check results are reported, not made; ticks of the automation are real.
"""

import warnings
from collections.abc import Sequence
from uuid import uuid4

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData as Target,
)

from examples.silver import alone
from examples.silver.fitness import CHECKS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.defs.partitions import register
from f1_bronze.settings import Settings

QUALIFYING, RACE = "2025/bahrain/qualifying", "2025/bahrain/race"
DRIVER_PACE, TYRE_PACE = "driver_pace", "tyre_pace"
MADE_FROM = {DRIVER_PACE: ("laps", "results"), TYRE_PACE: ("laps", "stints")}


def bronze(name: str) -> dg.AssetKey:
    """The key of a bronze asset."""
    return dg.AssetKey(["bronze", name])


def silver(name: str) -> dg.AssetKey:
    """The key of a silver asset."""
    return dg.AssetKey(["silver", name])


class Deployment:
    """What Dagster has on record, and the automation that looks at it."""

    def __init__(self, instance: dg.DagsterInstance, settings: Settings) -> None:
        self.instance = instance
        self.definitions = alone.assemble(settings)
        self._tick: dg.EvaluateAutomationConditionsResult | None = None

    def registers(self, *keys: str) -> None:
        """These sessions are partitions."""
        register(self.instance, [SessionPartition.parse(key) for key in keys])

    def store(
        self, version: str, *keys: str, datasets: Sequence[str] = ("laps", "results")
    ) -> None:
        """These partitions hold rows of this version, which are not checked."""
        for key in keys:
            for name in datasets:
                made = dg.AssetMaterialization(
                    bronze(name), partition=key, tags={"dagster/data_version": f"{name}-{version}"}
                )
                self.instance.report_runless_asset_event(made)

    def check(
        self,
        *keys: str,
        datasets: Sequence[str] = ("laps", "results"),
        broken: dg.AssetCheckSeverity | None = None,
    ) -> None:
        """All checks are evaluated; that of the first dataset fails with `broken`."""
        for name in datasets:
            for key in keys:
                latest = self._latest(bronze(name), key)
                for check in (CHECKS[bronze(name)],):
                    fails = broken if name == datasets[0] else None
                    self._report(
                        dg.AssetCheckEvaluation(
                            asset_key=check.asset_key,
                            check_name=check.name,
                            partition=key,
                            passed=fails is None,
                            severity=fails or dg.AssetCheckSeverity.ERROR,
                            description="lap_time: 2 laps of 5 s" if fails else "All is well",
                            blocking=True,
                            target_materialization_data=latest,
                        )
                    )

    def lands_well(self, version: str, *keys: str) -> None:
        """Rows of this version, and all checks are content."""
        self.store(version, *keys)
        self.check(*keys)

    def makes(self, *keys: str, asset: str = DRIVER_PACE) -> None:
        """Silver is made of what bronze holds, and tagged as Dagster tags it."""
        for key in keys:
            tags = {}
            for name in MADE_FROM[asset]:
                read, of = self._latest(bronze(name), key), bronze(name).to_user_string()
                version = f"hash of {self._version(bronze(name), key)}"  # as of any partitions
                tags[f"dagster/input_event_pointer/{of}"] = str(read.storage_id)
                tags[f"dagster/input_data_version/{of}"] = version
            self.instance.report_runless_asset_event(
                dg.AssetMaterialization(silver(asset), partition=key, tags=tags)
            )

    def tick(self, asset: str = DRIVER_PACE) -> list[str]:
        """What the automation asks for now."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", dg.BetaWarning)
            self._tick = dg.evaluate_automation_conditions(
                defs=self.definitions,
                instance=self.instance,
                cursor=self._tick.cursor if self._tick else None,
            )
        return sorted(str(key) for key in self._tick.get_requested_partitions(silver(asset)))

    def _report(self, verdict: dg.AssetCheckEvaluation) -> None:
        """A run of its own said so: without a run Dagster takes one verdict of a check only."""
        event = dg.DagsterEvent(
            event_type_value=dg.DagsterEventType.ASSET_CHECK_EVALUATION.value,
            job_name="bronze_sessions",
            event_specific_data=verdict,
        )
        self.instance.report_dagster_event(event, run_id=str(uuid4()))

    def _latest(self, asset: dg.AssetKey, key: str) -> Target:
        [record] = self.instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=asset, asset_partitions=[key]), limit=1
        ).records
        return Target(
            storage_id=record.storage_id, run_id=record.run_id, timestamp=record.timestamp
        )

    def _version(self, asset: dg.AssetKey, key: str) -> str:
        tags = self.instance.event_log_storage.get_latest_tags_by_partition(
            asset, dg.DagsterEventType.ASSET_MATERIALIZATION, ["dagster/data_version"], [key]
        )
        return tags[key]["dagster/data_version"]
