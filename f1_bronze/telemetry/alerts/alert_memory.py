"""Remembers what was alerted, so that each thing is alerted once, and what waits for a sink.

Plain data that a cursor can hold.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from typing import Any

from f1_bronze.telemetry.alerts.wording import Alert, OverdueSession, Wording
from f1_bronze.telemetry.run_results import CheckOutcome, RunEnd, RunResult

MOST_GROUPS = 200

MOST_CHECKS = 2_000

MOST_WAITING = 25
"""Alerts that are kept for a sink that is down."""


@dataclass(frozen=True, kw_only=True)
class AlertMemory:
    """What the sensor remembers between its ticks.

    Attributes:
        causes: group of runs (a backfill, a week, a run with its further attempts) → the causes of
            failure that were alerted of it.
        failing: dataset, partition and check → the rules that it is known to fail.
        overdue: the sessions known to be overdue → the datasets that they are known to lack.
        waiting: sink → what it has not taken yet, in order.
    """

    causes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    failing: Mapping[str, str] = field(default_factory=dict)
    overdue: Mapping[str, Sequence[str]] = field(default_factory=dict)
    waiting: Mapping[str, Sequence[Alert]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "told": {group: list(causes) for group, causes in self.causes.items()},
            "failing": dict(self.failing),
            "stale": {key: list(missing) for key, missing in self.overdue.items()},
            "waiting": {
                sink: [alert.to_json() for alert in alerts]
                for sink, alerts in self.waiting.items()
                if alerts
            },
        }

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> "AlertMemory":
        """What `to_json` wrote; an empty memory from nothing."""
        return cls(
            causes=dict(written.get("told", {})),
            failing=dict(written.get("failing", {})),
            overdue=dict(written.get("stale", {})),
            waiting={
                sink: tuple(Alert.from_json(alert) for alert in alerts)
                for sink, alerts in written.get("waiting", {}).items()
            },
        )

    def after_run(
        self, run: RunResult, wording: Wording, *, group: str, is_retried: bool
    ) -> tuple[Alert | None, "AlertMemory"]:
        """What is news about a run, as one alert, and the memory that has it.

        A cause that was alerted of the run's group is no news, nor a check that is known to fail
        by the same rules, until it has passed. `is_retried`: a further attempt follows by itself,
        so the failure is no news yet; the run's checks are.
        """
        news = [
            check
            for check in run.checks
            if check.is_error and self.failing.get(_check_name(check)) != _rule_names(check)
        ]
        failing = dict(self.failing)
        for check in run.checks:
            failing.pop(_check_name(check), None)
            if check.is_error:
                failing[_check_name(check)] = _rule_names(check)
        known = set(self.causes.get(group, ()))
        causes = _causes(run) if run.end is RunEnd.FAILURE and not is_retried else set()
        by_group = dict(self.causes)
        is_failure = bool(causes - known)
        if is_failure:
            by_group.pop(group, None)  # the latest are kept
            by_group[group] = sorted(known | causes)
        memory = replace(
            self, causes=_last(by_group, MOST_GROUPS), failing=_last(failing, MOST_CHECKS)
        )
        if not is_failure and not news:
            return None, memory
        return wording.describe_run(run, news, is_failure=is_failure), memory

    def after_overdue(
        self, overdue: Sequence[OverdueSession], wording: Wording, now: datetime
    ) -> tuple[Alert | None, "AlertMemory"]:
        """The sessions that have become overdue, or lack more than was known, as one alert."""
        news = [
            one for one in overdue if not set(one.missing) <= set(self.overdue.get(one.key, ()))
        ]
        memory = replace(self, overdue={one.key: one.missing for one in overdue})
        return (wording.describe_overdue(news, now) if news else None), memory

    def with_waiting(self, alert: Alert, sinks: Collection[str]) -> tuple["AlertMemory", int]:
        """The memory with an alert for each sink, and how many old ones were dropped for it."""
        waiting, dropped = dict(self.waiting), 0
        for sink in sinks:
            queue = [*waiting.get(sink, ()), alert]
            dropped += max(0, len(queue) - MOST_WAITING)
            waiting[sink] = tuple(queue[-MOST_WAITING:])
        return replace(self, waiting=waiting), dropped

    def without_first(self, sink: str) -> "AlertMemory":
        """The memory without the first alert that waited for a sink."""
        return replace(self, waiting={**self.waiting, sink: self.waiting[sink][1:]})

    def for_sinks(self, sinks: Collection[str]) -> "AlertMemory":
        """The memory without what waits for sinks that are no longer set."""
        return replace(self, waiting={s: a for s, a in self.waiting.items() if s in sinks})


def _check_name(check: CheckOutcome) -> str:
    return f"{check.partition.key} {check.dataset} {check.check}"


def _rule_names(check: CheckOutcome) -> str:
    return ",".join(sorted(rule["rule"] for rule in check.failed_rules))


def _causes(run: RunResult) -> set[str]:
    """Why a run failed, without the partitions: the same for each of its attempts."""
    causes = {f"{one.dataset} {one.error}" for one in run.failed}
    if not causes and not any(check.is_error for check in run.checks):
        causes = {sha256((run.error or "").encode()).hexdigest()[:12]}
    return causes


def _last(known: Mapping[str, Any], most: int) -> dict[str, Any]:
    return dict(list(known.items())[-most:])
