"""A judge that has its verdicts ready, for tests of what follows from a verdict."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from f1_bronze.datasets.conditions import Across
from f1_bronze.datasets.dataset import Dataset, Rule, RuleGroup, Severity
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.quality.context import CheckContext, SessionRows
from f1_bronze.quality.verdicts import CheckVerdict, RuleVerdict

RACE = "2025/bahrain/race"
ROWS = ({"driver_number": 4, "lap_number": 7}, {"driver_number": 44, "lap_number": 9})


def rule(name: str, severity: Severity) -> Rule:
    """A rule of this name."""
    return Rule(
        name=name,
        severity=severity,
        condition=Across(),
        says="Laps have a time.",
        why="A lap without one is no lap.",
    )


SOUND, UNSEEN = rule("sound", Severity.ERROR), rule("unseen", Severity.WARN)
BROKEN = {severity: rule(f"broken_{severity.lower()}", severity) for severity in Severity}


def verdict(
    *broken: Severity,
    dataset: str = "laps",
    check: RuleGroup = RuleGroup.VALUES,
    partition: str = RACE,
) -> CheckVerdict:
    """A group with one rule that passes, one that was not checked, and these that fail."""
    rules = [
        RuleVerdict.make(SOUND, passed=True, observed="fine", rows_seen=50),
        RuleVerdict.not_checked(UNSEEN, "-"),
        *(
            RuleVerdict.make(
                BROKEN[severity],
                passed=False,
                observed="2 laps without a time",
                rows_seen=50,
                unexpected_count=2,
                unexpected_rows=ROWS,
            )
            for severity in broken
        ),
    ]
    return CheckVerdict(
        dataset=dataset,
        check=check.value,
        partition=SessionPartition.parse(partition),
        rules=tuple(rules),
    )


class FakeJudge:
    """Gives the verdict `broken` to one partition of one dataset, and records what it was given."""

    def __init__(self, *broken: Severity, only: str = RACE, dataset: str = "laps") -> None:
        self._broken, self._only, self._dataset = broken, only, dataset
        self.given: list[tuple[str, str, int]] = []
        self.error: Exception | None = None

    def judge(
        self,
        dataset: Dataset,
        sessions: Mapping[SessionPartition, SessionRows],
        context: CheckContext,
        *,
        keep: Callable[[Mapping[str, Any]], None],
    ) -> dict[SessionPartition, Sequence[CheckVerdict]]:
        """The verdicts, one for each check that the dataset has."""
        self.given += [(dataset.name, p.key, s.table.num_rows) for p, s in sessions.items()]
        if self.error is not None and dataset.name == self._dataset:
            raise self.error
        keep({"success": not self._broken})
        verdicts: dict[SessionPartition, Sequence[CheckVerdict]] = {}
        for partition in sessions:
            broken = self._broken if (dataset.name, partition.key) == self._where else ()
            verdicts[partition] = [
                replace(
                    verdict(*(broken if check is RuleGroup.VALUES else ())),
                    dataset=dataset.name,
                    check=check.value,
                    partition=partition,
                )
                for check in dataset.rule_groups
            ]
        return verdicts

    @property
    def _where(self) -> tuple[str, str]:
        return self._dataset, self._only
