"""The checks of a run: each dataset is checked once all of its partitions are stored."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

import dagster as dg

from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.defs.checks import to_evaluation
from f1_bronze.defs.partitions import asset_key
from f1_bronze.defs.record.latest import read_latest
from f1_bronze.defs.run.check_context import RunCheckContext
from f1_bronze.lake.lake import Lake
from f1_bronze.lake.landing import Landing
from f1_bronze.lake.paths import validation_path
from f1_bronze.quality.context import CheckContext, SessionRows
from f1_bronze.quality.verdicts import CheckVerdict


class Judge(Protocol):
    """What reaches verdicts: the declared rules, or a stand-in."""

    def judge(
        self,
        dataset: Dataset,
        sessions: Mapping[SessionPartition, SessionRows],
        context: CheckContext,
        *,
        keep: Callable[[Mapping[str, Any]], None],
    ) -> Mapping[SessionPartition, Sequence[CheckVerdict]]:
        """For each session a verdict for each group of rules; the library's own goes to `keep`."""


class ByRules:
    """The declared rules, with Great Expectations."""

    def judge(
        self,
        dataset: Dataset,
        sessions: Mapping[SessionPartition, SessionRows],
        context: CheckContext,
        *,
        keep: Callable[[Mapping[str, Any]], None],
    ) -> Mapping[SessionPartition, Sequence[CheckVerdict]]:
        """See `quality.judge.judge`."""
        from f1_bronze.quality.judge import judge  # the library takes seconds to import

        return judge(dataset, sessions, context, keep=keep)


class RunChecks:
    """The checks of one run; it keeps what was stored until its dataset is complete."""

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
        self.context = RunCheckContext(lake, instance)
        """What this run has stored and read; charts look at it too."""
        self._sessions: dict[Dataset, dict[SessionPartition, SessionRows]] = {}

    def add(self, dataset: Dataset, partition: SessionPartition, landing: Landing) -> None:
        """The partition holds this now."""
        self.context.keep(dataset, partition, landing.table)
        rows = SessionRows(table=landing.table, absent_columns=landing.absent_columns)
        self._sessions.setdefault(dataset, {})[partition] = rows

    def add_stored(self, dataset: Dataset, partitions: Collection[SessionPartition]) -> None:
        """These partitions hold what the lake has; one that is not stored is left out."""
        files = self._lake.read_all(dataset, partitions)
        for partition in partitions:
            if (file := files.get(partition)) is not None:
                self.context.keep(dataset, partition, file.table)
                self._sessions.setdefault(dataset, {})[partition] = SessionRows(
                    table=file.table, absent_columns=file.provenance.absent_columns
                )

    def unchecked(self, dataset: Dataset) -> list[SessionPartition]:
        """The partitions of a dataset that have not been checked yet."""
        return list(self._sessions.get(dataset, ()))

    def evaluate(
        self, dataset: Dataset
    ) -> Iterator[tuple[Sequence[CheckVerdict], dg.AssetCheckEvaluation]]:
        """The verdicts on all that was added of a dataset, partition by partition.

        They come after the materializations that they are about, and refer to them.
        """
        sessions = self._sessions.pop(dataset, {})
        key = asset_key(dataset)
        if not sessions or not any(one.asset_key == key for one in self._selected):
            return
        verdicts = self._judge.judge(
            dataset, sessions, self.context, keep=lambda result: self._keep(dataset, result)
        )
        latest = read_latest(self._instance, dataset, {partition.key for partition in sessions})
        for partition, found in verdicts.items():
            yield found, to_evaluation(dataset, found, latest.get(partition.key))

    def _keep(self, dataset: Dataset, result: Mapping[str, Any]) -> None:
        path = validation_path(dataset.name, self._run_id, datetime.now(UTC))
        self._lake.store.write(path, json.dumps(result, allow_nan=False).encode(), {})
