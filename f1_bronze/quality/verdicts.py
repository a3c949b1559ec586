"""What judging a session's rows ends in.

Belongs here: the verdicts as plain data. Stays out: how they are reached (judging.py), how they
are shown (defs/checks.py, report).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from f1_bronze.datasets.dataset import Check, Dataset, Rule, Severity
from f1_bronze.datasets.partition import SessionPartition

MOST_ROWS_SHOWN = 20


def json_ready(row: Mapping[Any, Any]) -> dict[str, Any]:
    """A row as evidence: moments as ISO 8601, NaN as null, numbers as Python's own.

    >>> json_ready({"lap": 3.0, "date": datetime(2025, 4, 13), "time": float("nan")})
    {'lap': 3, 'date': '2025-04-13T00:00:00', 'time': None}
    """
    return {str(name): _json_value(value) for name, value in row.items()}


def _json_value(value: Any) -> Any:
    if hasattr(value, "item"):  # a number of numpy's
        value = value.item()
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return int(value) if value.is_integer() else value
    if type(value).__name__ in ("NAType", "NaTType"):  # pandas is not imported for two words
        return None
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [_json_value(one) for one in value]
    return value if value is None or isinstance(value, str | int | bool) else str(value)


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


def out_of_scope(rule: Rule, partition: SessionPartition) -> RuleVerdict:
    """The verdict on a session that the rule is not about."""
    told = f"not about {partition.session_type} in {partition.year}"
    return RuleVerdict(rule=rule, passed=None, observed=told, rows_seen=0)


def counted(
    rule: Rule,
    *,
    rows_seen: int,
    unexpected_count: int,
    unexpected_rows: Sequence[Mapping[str, Any]] = (),
    also: str = "",
) -> RuleVerdict:
    """The verdict by count: the rule's `mostly` is the share of what was seen that must hold.

    `also` is put behind the counts. Where nothing was seen, nothing can be judged.
    """
    if not rows_seen:
        return RuleVerdict(rule=rule, passed=None, observed="nothing to look at", rows_seen=0)
    allowed = (1 - rule.mostly) * rows_seen
    observed = f"all {rows_seen:,} as demanded"
    if unexpected_count:
        share = f"{unexpected_count / rows_seen:.1%}"
        allowance = f", {1 - rule.mostly:.1%} allowed" if rule.mostly < 1 else ""
        observed = f"{unexpected_count:,} of {rows_seen:,} not as demanded ({share}{allowance})"
    return RuleVerdict(
        rule=rule,
        # Floats: a tenth of twenty must allow two.
        passed=unexpected_count <= allowed + 1e-9,
        observed=f"{observed}; {also}" if also else observed,
        rows_seen=rows_seen,
        unexpected_count=unexpected_count,
        unexpected_rows=tuple(unexpected_rows[:MOST_ROWS_SHOWN]),
    )


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
