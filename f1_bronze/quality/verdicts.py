"""What judging a session's rows ends in.

Belongs here: the verdicts as plain data. Stays out: how they are reached (judging.py), how they
are shown (defs/checks.py, report).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from f1_bronze.datasets.dataset import Check, Dataset, Rule, Severity
from f1_bronze.datasets.partition import SessionPartition

MOST_ROWS_SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class RuleVerdict:
    """What one rule says of one session.

    Attributes:
        passed: None where it could not be judged; `observed` then says why.
        observed: the observed value in a few words.
        rows_seen: how many rows (or laps, drivers, …) were looked at.
        unexpected_count: how many of these were not as demanded.
        unexpected_rows: at most 20 of them, as JSON-ready mappings that hold the key columns.
    """

    rule: Rule
    passed: bool | None
    observed: str
    rows_seen: int
    unexpected_count: int = 0
    unexpected_rows: tuple[Mapping[str, Any], ...] = ()

    @property
    def unexpected_percent(self) -> float:
        """Share of the unexpected, 0 to 100."""
        return 100 * self.unexpected_count / self.rows_seen if self.rows_seen else 0.0


@dataclass(frozen=True, kw_only=True)
class CheckVerdict:
    """What one asset check says of one session: the verdicts of its rules, as declared."""

    dataset: Dataset
    check: Check
    partition: SessionPartition
    rules: tuple[RuleVerdict, ...]

    @property
    def failed(self) -> tuple[RuleVerdict, ...]:
        """The rules that were not fulfilled, ERROR first."""
        broken = [verdict for verdict in self.rules if verdict.passed is False]
        return tuple(sorted(broken, key=lambda v: v.rule.severity is not Severity.ERROR))

    @property
    def passed(self) -> bool:
        """Whether every rule that could be judged is fulfilled."""
        return not self.failed

    @property
    def severity(self) -> Severity:
        """That of the worst failed rule; WARN when none failed."""
        return self.failed[0].rule.severity if self.failed else Severity.WARN
