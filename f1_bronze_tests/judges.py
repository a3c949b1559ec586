"""Stand-ins for the evaluation of checks, which costs more than most of what is tested."""

from collections.abc import Mapping

from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.quality.context import SessionRows
from f1_bronze.quality.verdicts import CheckVerdict


class NoRules:
    """Every check passes, and no rule is evaluated: where checks are not the point of a test."""

    def judge(
        self,
        dataset: Dataset,
        sessions: Mapping[SessionPartition, SessionRows],
        context: object,
        **how: object,
    ) -> dict[SessionPartition, list[CheckVerdict]]:
        """A verdict without rules for each check."""
        return {
            partition: [
                CheckVerdict(dataset=dataset.name, check=check.value, partition=partition, rules=())
                for check in dataset.rule_groups
            ]
            for partition in sessions
        }
