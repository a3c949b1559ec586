"""Stand-ins for the evaluation of checks, which costs more than most of what is tested."""

from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.quality.verdicts import CheckVerdict


class NoVerdicts:
    """Evaluates no check, where checks are not the point of a test."""

    def judge(self, *args: object, **kwargs: object) -> dict[SessionPartition, list[CheckVerdict]]:
        """No verdict on anything."""
        return {}
