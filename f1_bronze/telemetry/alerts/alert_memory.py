"""What has been told already, and what waits for a sink that is down.

Belongs here: that each thing is told once, as plain data that a cursor can hold. Stays out: the
words (alerts.py), sending (defs/alert_sensor.py).
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
        told: group of runs (a backfill, a week, a run with its further attempts) → the causes of
            failure that were told of it.
        failing: dataset, partition and check → the rules that it is known to fail.
        stale: the sessions known to be stale → the datasets that they are known to lack.
        waiting: sink → what it has not taken yet, in order.
    """

    told: Mapping[str, Sequence[str]] = field(default_factory=dict)
    failing: Mapping[str, str] = field(default_factory=dict)
    stale: Mapping[str, Sequence[str]] = field(default_factory=dict)
    waiting: Mapping[str, Sequence[Alert]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "told": {group: list(causes) for group, causes in self.told.items()},
            "failing": dict(self.failing),
            "stale": {key: list(missing) for key, missing in self.stale.items()},
            "waiting": {
                sink: [alert.to_json() for alert in alerts]
                for sink, alerts in self.waiting.items()
                if alerts
            },
        }

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> "AlertMemory":
        """What `to_json` wrote; of nothing an empty memory."""
        return cls(
            told=dict(written.get("told", {})),
            failing=dict(written.get("failing", {})),
            stale=dict(written.get("stale", {})),
            waiting={
                sink: tuple(Alert.from_json(alert) for alert in alerts)
                for sink, alerts in written.get("waiting", {}).items()
            },
        )

    def after_run(
        self, run: RunResult, wording: Wording, *, group: str, goes_on: bool
    ) -> tuple[Alert | None, "AlertMemory"]:
        """What is new about a run, as one alert, and the memory that has it.

        A cause that was told of the run's group is not told again, nor a check that is known to
        fail by the same rules, until it has passed. `goes_on`: the run will be attempted again by
        itself, so its failure is no news yet; its checks are.
        """
        failing = dict(self.failing)
        broken = [check for check in run.checks if self._is_new(check)]
        for check in run.checks:
            failing.pop(_name(check), None)
            if check.is_error:
                failing[_name(check)] = _rules(check)
        causes = _causes(run) if run.end is RunEnd.FAILURE and not goes_on else set()
        before = set(self.told.get(group, ()))
        failed = bool(causes - before)
        told = dict(self.told)
        if failed:
            told.pop(group, None)  # the latest are kept
            told[group] = sorted(before | causes)
        memory = replace(self, told=_last(told, MOST_GROUPS), failing=_last(failing, MOST_CHECKS))
        if not failed and not broken:
            return None, memory
        return wording.of_run(run, broken, failed=failed), memory

    def after_look(
        self, stale: Sequence[OverdueSession], wording: Wording, now: datetime
    ) -> tuple[Alert | None, "AlertMemory"]:
        """The sessions that have become stale, or lack more than was known, as one alert."""
        new = [one for one in stale if not set(one.missing) <= set(self.stale.get(one.key, ()))]
        memory = replace(self, stale={one.key: one.missing for one in stale})
        return (wording.of_stale(new, now) if new else None), memory

    def queued(self, alert: Alert, sinks: Collection[str]) -> tuple["AlertMemory", int]:
        """The memory with an alert for each sink, and how many old ones had to give way."""
        waiting, lost = dict(self.waiting), 0
        for sink in sinks:
            queue = [*waiting.get(sink, ()), alert]
            lost += max(0, len(queue) - MOST_WAITING)
            waiting[sink] = tuple(queue[-MOST_WAITING:])
        return replace(self, waiting=waiting), lost

    def taken(self, sink: str) -> "AlertMemory":
        """The memory without the first alert that waited for a sink."""
        return replace(self, waiting={**self.waiting, sink: self.waiting[sink][1:]})

    def only(self, sinks: Collection[str]) -> "AlertMemory":
        """The memory without what waits for sinks that are set no more."""
        return replace(self, waiting={s: a for s, a in self.waiting.items() if s in sinks})

    def _is_new(self, check: CheckOutcome) -> bool:
        return check.is_error and self.failing.get(_name(check)) != _rules(check)


def _name(check: CheckOutcome) -> str:
    return f"{check.partition.key} {check.dataset} {check.check}"


def _rules(check: CheckOutcome) -> str:
    return ",".join(sorted(rule["rule"] for rule in check.failed_rules))


def _causes(run: RunResult) -> set[str]:
    """Why a run failed, without the partitions: the same for each of its attempts."""
    causes = {f"{one.dataset} {one.error}" for one in run.failed}
    if not causes and not any(check.is_error for check in run.checks):
        causes = {sha256((run.error or "").encode()).hexdigest()[:12]}
    return causes


def _last(known: Mapping[str, Any], most: int) -> dict[str, Any]:
    return dict(list(known.items())[-most:])
