"""Judging what a run has landed, partition by partition.

Belongs here: when a dataset is judged in a run, and what is judged. Stays out: rules (datasets/),
judging itself (quality/), the shape of an evaluation (checks.py).
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData as Target,  # has no public name
)

from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.defs.checks import evaluation
from f1_bronze.defs.partitions import asset_key
from f1_bronze.defs.record.latest import latest_materializations
from f1_bronze.defs.run.check_context import RunSurroundings
from f1_bronze.lake.lake import Lake
from f1_bronze.lake.landing import Landing
from f1_bronze.lake.paths import validation_path
from f1_bronze.quality.context import Subject, Surroundings
from f1_bronze.quality.verdicts import CheckVerdict


class Judge(Protocol):
    """What reaches verdicts: `quality.judging.judge`, or a stand-in."""

    def judge(
        self,
        dataset: Dataset,
        subjects: Mapping[SessionPartition, Subject],
        surroundings: Surroundings,
        *,
        keep: Callable[[Mapping[str, Any]], None],
    ) -> Mapping[SessionPartition, Sequence[CheckVerdict]]:
        """For each session a verdict for each check; the library's own result goes to `keep`."""


class ByRules:
    """The declared rules, with Great Expectations."""

    def judge(
        self,
        dataset: Dataset,
        subjects: Mapping[SessionPartition, Subject],
        surroundings: Surroundings,
        *,
        keep: Callable[[Mapping[str, Any]], None],
    ) -> Mapping[SessionPartition, Sequence[CheckVerdict]]:
        """See `quality.judging.judge`."""
        from f1_bronze.quality.judge import judge  # the library takes seconds to import

        return judge(dataset, subjects, surroundings, keep=keep)


class Validation:
    """The validation of one run: it keeps what landed until its dataset is complete."""

    def __init__(
        self,
        lake: Lake,
        instance: dg.DagsterInstance,
        *,
        run_id: str,
        selected: Collection[dg.AssetCheckKey],
        judge: Judge,
    ) -> None:
        self._lake, self._instance, self._selected = lake, instance, frozenset(selected)
        self._run_id, self._judge = run_id, judge
        self.surroundings = RunSurroundings(lake, instance)
        """What this run has landed and read, for whoever looks beyond one table."""
        self._subjects: dict[Dataset, dict[SessionPartition, Subject]] = {}

    def landed(self, dataset: Dataset, partition: SessionPartition, landing: Landing) -> None:
        """The partition holds this now."""
        self.surroundings.keep(dataset, partition, landing.table)
        subject = Subject(table=landing.table, absent_columns=landing.absent_columns)
        self._subjects.setdefault(dataset, {})[partition] = subject

    def in_lake(self, dataset: Dataset, partitions: Collection[SessionPartition]) -> None:
        """These partitions hold what the lake has; one that has not landed is left out."""
        landed = self._lake.stored_partitions(
            dataset.name, {partition.year for partition in partitions}
        )
        for partition in partitions:
            if partition in landed:
                stored = self._lake.read(dataset, partition)
                self.surroundings.keep(dataset, partition, stored.table)
                self._subjects.setdefault(dataset, {})[partition] = Subject(
                    table=stored.table, absent_columns=stored.provenance.absent_columns
                )

    def waiting(self, dataset: Dataset) -> list[SessionPartition]:
        """The partitions of a dataset that have not been judged yet."""
        return list(self._subjects.get(dataset, ()))

    def evaluations(
        self, dataset: Dataset
    ) -> Iterator[tuple[CheckVerdict, dg.AssetCheckEvaluation]]:
        """The verdicts on all that landed of a dataset, partition by partition.

        They are told after the materializations that they are about, and name them.
        """
        subjects = self._subjects.pop(dataset, {})
        key = asset_key(dataset)
        if not subjects or not any(one.asset_key == key for one in self._selected):
            return
        verdicts = self._judge.judge(
            dataset, subjects, self.surroundings, keep=lambda result: self._keep(dataset, result)
        )
        targets = self._targets(key, list(subjects))
        for partition, checks in verdicts.items():
            for verdict in checks:
                if dg.AssetCheckKey(key, verdict.check) in self._selected:
                    yield verdict, evaluation(dataset, verdict, targets.get(partition))

    def _keep(self, dataset: Dataset, result: Mapping[str, Any]) -> None:
        path = validation_path(dataset.name, self._run_id, datetime.now(UTC))
        self._lake.store.write(path, json.dumps(result, allow_nan=False).encode(), {})

    def _targets(
        self, asset: dg.AssetKey, partitions: Sequence[SessionPartition]
    ) -> Mapping[SessionPartition, Target]:
        """The latest materialization of each partition."""
        keys = {partition.key: partition for partition in partitions}
        return {
            keys[key]: Target(
                storage_id=record.storage_id, run_id=record.run_id, timestamp=record.timestamp
            )
            for key, record in latest_materializations(self._instance, asset, keys).items()
        }
