"""What the rules say about the rows of one session, as data.

`to_json` is the form in which Dagster's record keeps verdicts, and in which metrics, alerts,
lineage and the report read them.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from f1_bronze.datasets.dataset import Rule, Severity
from f1_bronze.datasets.partition import SessionPartition

MOST_ROWS_SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class RuleVerdict:
    """What one rule says about one session.

    Attributes:
        name: the rule's name in its dataset.
        passed: None where it could not be checked; `observed` then says why.
        observed: the observed value in a few words.
        rows_seen: how many rows (or laps, drivers, …) were checked.
        unexpected_count: how many of these fail.
        column: the column that the rule is about, where it is about one.
        unexpected_rows: at most 20 of the failing ones, as JSON-ready mappings with the key.
    """

    name: str
    severity: Severity
    passed: bool | None
    observed: str
    rows_seen: int = 0
    unexpected_count: int = 0
    column: str | None = None
    unexpected_rows: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def make(
        cls,
        rule: Rule,
        *,
        passed: bool | None,
        observed: str,
        rows_seen: int = 0,
        unexpected_count: int = 0,
        unexpected_rows: Sequence[Mapping[str, Any]] = (),
        severity: Severity | None = None,
    ) -> "RuleVerdict":
        """The verdict of a declared rule, with its severity if no other is given."""
        return cls(
            name=rule.name,
            severity=severity or rule.severity,
            passed=passed,
            observed=observed,
            rows_seen=rows_seen,
            unexpected_count=unexpected_count,
            column=rule.column,
            unexpected_rows=tuple(unexpected_rows[:MOST_ROWS_SHOWN]),
        )

    @classmethod
    def not_checked(cls, rule: Rule, reason: str) -> "RuleVerdict":
        """The verdict of a rule that has nothing to check in a session."""
        return cls.make(rule, passed=None, observed=reason)

    @classmethod
    def out_of_scope(cls, rule: Rule, partition: SessionPartition) -> "RuleVerdict":
        """The verdict on a session that the rule is not about."""
        return cls.not_checked(rule, f"not about {partition.session_type} in {partition.year}")

    @classmethod
    def by_count(
        cls,
        rule: Rule,
        *,
        rows_seen: int,
        unexpected_count: int = 0,
        unexpected_rows: Sequence[Mapping[str, Any]] = (),
        things: str = "rows",
        also: str = "",
    ) -> "RuleVerdict":
        """The verdict by count: the rule's `mostly` is the share of the rows that must pass.

        Where fewer than `usable_from` pass, the failure is an ERROR.
        `things` are what is counted, in the plural; `also` is put behind the counts.
        """
        if not rows_seen:
            return cls.not_checked(rule, f"no {things} to check")
        counted = things if rows_seen > 1 else things.removesuffix("s")
        observed = _all_pass(rows_seen, counted) if rows_seen > 1 else f"1 {counted} passes"
        if unexpected_count:
            fail = "fails" if unexpected_count == 1 else "fail"
            share = _percent(unexpected_count / rows_seen)
            allowed = f"; {_percent(1 - rule.mostly)} allowed" if rule.mostly < 1 else ""
            observed = f"{unexpected_count:,} of {rows_seen:,} {counted} {fail} ({share}{allowed})"
        # Floats: a tenth of twenty must allow two.
        allowed_count = (1 - rule.mostly) * rows_seen + 1e-9
        unusable = rule.usable_from is not None and (
            unexpected_count > (1 - rule.usable_from) * rows_seen + 1e-9
        )
        return cls.make(
            rule,
            passed=unexpected_count <= allowed_count,
            severity=Severity.ERROR if unusable else None,
            observed=f"{observed}; {also}" if also else observed,
            rows_seen=rows_seen,
            unexpected_count=unexpected_count,
            unexpected_rows=unexpected_rows,
        )

    @property
    def unexpected_percent(self) -> float:
        """Share of the rows that fail, 0 to 100."""
        return 100 * self.unexpected_count / self.rows_seen if self.rows_seen else 0.0

    def to_json(self) -> dict[str, Any]:
        """All but the rows, as plain data, without what is zero or null: `read_rule` reads it."""
        data = {
            "rule": self.name,
            "severity": self.severity.value,
            "passed": self.passed,
            "observed": self.observed,
            "unexpected_count": self.unexpected_count,
            "unexpected_percent": round(self.unexpected_percent, 3),
            "rows_seen": self.rows_seen,
            "column": self.column,
        }
        return {n: v for n, v in data.items() if n == "passed" or v not in (0, None)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "RuleVerdict":
        """From what `to_json` wrote, in this release or before; the rows are kept apart."""
        complete = read_rule(data)
        return cls(
            name=complete["rule"],
            severity=Severity(complete["severity"]),
            passed=complete["passed"],
            observed=complete["observed"],
            rows_seen=complete["rows_seen"],
            unexpected_count=complete["unexpected_count"],
            column=complete["column"],
        )


def read_rule(data: Mapping[str, Any]) -> dict[str, Any]:
    """A rule's verdict as `RuleVerdict.to_json` wrote it in this release or before, complete."""
    return {
        "unexpected_count": 0,
        "unexpected_percent": 0.0,
        "rows_seen": 0,
        "column": None,
        **data,
    }


_FIELDS = (*("rule", "severity", "passed", "observed", "rows_seen", "unexpected_count", "column"),)


def pack_rules(groups: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """Verdicts by group as a table, which is half the size: `fields`, and a row for each rule.

    Zeros and nulls at the end of a row are left out, and where all rows pass that is not said
    again in words; `unpack_rules` reads it.
    """
    packed: dict[str, Any] = {"fields": list(_FIELDS)}
    for group, rules in groups.items():
        packed[group] = rows = []
        for rule in map(read_rule, rules):
            usual = rule["observed"] == _all_pass(rule["rows_seen"])
            row = [None if usual and name == "observed" else rule[name] for name in _FIELDS]
            while row[-1] in (0, None):
                row.pop()
            rows.append(row)
    return packed


def unpack_rules(data: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Each group's verdicts as `read_rule` gives them, from `pack_rules` of this release or before.

    >>> packed = pack_rules({"values": [{"rule": "a", "severity": "WARN", "passed": True,
    ...                                  "observed": "all 3 rows pass", "rows_seen": 3}]})
    >>> packed["values"], unpack_rules(packed)["values"][0]["unexpected_count"]
    ([['a', 'WARN', True, None, 3]], 0)
    """
    fields = data.get("fields", ())
    unpacked = {}
    for group, rows in data.items():
        if group != "fields":
            rules = [
                read_rule(dict(zip(fields, row, strict=False)) if isinstance(row, list) else row)
                for row in rows
            ]
            for rule in rules:
                if rule["observed"] is None:
                    rule["observed"] = _all_pass(rule["rows_seen"])
                if rule["rows_seen"] and not rule["unexpected_percent"]:
                    share = rule["unexpected_count"] / rule["rows_seen"]
                    rule["unexpected_percent"] = round(100 * share, 3)
            unpacked[group] = rules
    return unpacked


def summarize(rules: Sequence[Mapping[str, Any]]) -> str:
    """One line on verdicts in that form: what is wrong first, or that nothing is.

    >>> summarize([{"rule": "a", "severity": "WARN", "passed": False, "observed": "2 rows fail"}])
    'a: 2 rows fail'
    """
    failed = [rule for rule in rules if rule["passed"] is False]
    if failed:
        worst = next((rule for rule in failed if rule["severity"] == Severity.ERROR), failed[0])
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        return f"{worst['rule']}: {worst['observed']}{more}"
    checked = sum(1 for rule in rules if rule["passed"] is not None)
    left = len(rules) - checked
    return f"{checked} rules pass" + (f", {left} not checked" if left else "")


@dataclass(frozen=True, kw_only=True)
class CheckVerdict:
    """What the rules of one group say about one session, as declared.

    Attributes:
        dataset: its name.
        check: the group, a value of `RuleGroup`.
    """

    dataset: str
    check: str
    partition: SessionPartition
    rules: tuple[RuleVerdict, ...]

    @property
    def failed(self) -> tuple[RuleVerdict, ...]:
        """The rules that failed, ERROR first."""
        failed = [verdict for verdict in self.rules if verdict.passed is False]
        return tuple(sorted(failed, key=lambda verdict: verdict.severity is not Severity.ERROR))

    @property
    def passed(self) -> bool:
        """Whether every rule that could be checked passed."""
        return not self.failed

    @property
    def severity(self) -> Severity:
        """That of the worst failed rule; WARN when none failed."""
        return self.failed[0].severity if self.failed else Severity.WARN

    def to_json(self) -> dict[str, Any]:
        """`rules`, and `unexpected_rows` by rule that rows failed: what Dagster's record keeps."""
        rows = {v.name: list(v.unexpected_rows) for v in self.failed if v.unexpected_rows}
        return {
            "rules": [verdict.to_json() for verdict in self.rules],
            **({"unexpected_rows": rows} if rows else {}),
        }


def _all_pass(rows_seen: int, counted: str = "rows") -> str:
    return f"all {rows_seen:,} {counted} pass"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


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
