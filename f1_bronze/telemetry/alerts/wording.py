"""What an alert says: of a run that failed, of checks that failed, of sessions that are stale.

Belongs here: the words, their order and the structured facts beside them. Stays out: what was said
already (alerts_memory.py), the sinks (alerts_topic.py, alerts_webhook.py), when (defs/).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from f1_bronze.telemetry.redaction import remove_secrets
from f1_bronze.telemetry.run_results import CheckOutcome, RunResult

GROUPS_SHOWN = 10

SESSIONS_SHOWN = 20


class AlertKind(StrEnum):
    """What happened."""

    FAILED_RUN = "failed_run"
    FAILED_CHECKS = "failed_checks"
    OVERDUE_SESSIONS = "stale_sessions"


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One message.

    Attributes:
        subject: one line, for a mail's subject or a pager.
        text: the first line says which partition, dataset, why, and what to do; the rest how much.
        facts: the same for machines.
    """

    kind: AlertKind
    subject: str
    text: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {"kind": str(self.kind), **{n: getattr(self, n) for n in ("subject", "text")}} | {
            "facts": dict(self.facts)
        }

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> "Alert":
        """What `to_json` wrote."""
        return cls(
            kind=AlertKind(written["kind"]),
            subject=str(written["subject"]),
            text=str(written["text"]),
            facts=dict(written["facts"]),
        )


@dataclass(frozen=True, kw_only=True)
class OverdueSession:
    """A session that should have landed by now, and the names of the datasets that have not."""

    key: str
    ended_at: datetime
    missing: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Wording:
    """How this deployment speaks. `ui_url` is the base of links into the UI; empty: none."""

    environment: str
    ui_url: str = ""

    def of_run(self, run: RunResult, broken: Sequence[CheckOutcome], *, failed: bool) -> Alert:
        """One message for all that is new about a run.

        Args:
            run: what it did.
            broken: its checks that failed with ERROR and were not told of before.
            failed: whether it failed for something besides, which is to be told.
        """
        begun = run.start
        lost = _by(((one.dataset, one.error), one.partition_key) for one in run.failed)
        wrong = _by(
            ((f"{one.dataset} {one.check}", _observed(one)), one.partition.key) for one in broken
        )
        told = failed and run.error
        lines = [remove_secrets(run.error or "") if told else _of_check(broken[0])]
        lines += _listed("Did not land", lost) if failed else []
        lines += _listed("Failed checks", wrong)
        if failed:
            lines.append(
                "When the cause is mended, re-execute the run 'From failure': only what did not "
                "land is asked for again."
            )
        if broken:
            lines.append("Rows of failed checks are in the lake; downstream must not use them.")
        lines.append(f"Run of {begun.job}, {begun.trigger}: {self._run(begun.run_id)}")
        if begun.backfill_id:
            lines.append(
                "Other runs of the backfill that fail in the same way are not told: "
                f"{self._backfill(begun.backfill_id)}"
            )
        return Alert(
            kind=AlertKind.FAILED_RUN if failed else AlertKind.FAILED_CHECKS,
            subject=self._subject(_summary(run, broken, failed=failed)),
            text="\n".join(lines),
            facts={
                "environment": self.environment,
                "run_id": begun.run_id,
                "job": begun.job,
                "trigger": str(begun.trigger),
                "backfill_id": begun.backfill_id,
                "ended_at": run.ended_at.isoformat(),
                "error": remove_secrets(run.error) if told and run.error else None,
                "not_landed": _facts(lost, ("dataset", "error")) if failed else [],
                "failed_checks": _facts(wrong, ("check", "observed")),
                "url": self._run(begun.run_id) if self.ui_url else None,
            },
        )

    def of_stale(self, stale: Sequence[OverdueSession], now: datetime) -> Alert:
        """One message for the sessions that have become stale."""
        years = ",".join(sorted({one.key.partition("/")[0] for one in stale}))
        first, more = stale[0], len(stale) - 1
        lines = [
            f"{first.key} {', '.join(first.missing)}: not landed, though the session ended "
            f"{_hours(first, now)} hours ago"
            + (f", and so with {more} more session{'s'[: more > 1]}" if more else "")
            + f". Are the daemon, the schedule weekly_bronze and the sensor openf1_calendar on? "
            f"`f1-bronze ingest {years} --missing` lands what is missing."
        ]
        lines += [
            f"- {one.key}: {', '.join(one.missing)}; ended {one.ended_at:%Y-%m-%d %H:%M} UTC"
            for one in stale[:SESSIONS_SHOWN]
        ]
        if len(stale) > SESSIONS_SHOWN:
            lines.append(f"- … {len(stale) - SESSIONS_SHOWN} more")
        if self.ui_url:
            lines.append(f"Runs: {self.ui_url}/runs")
        what = first.key if not more else f"{len(stale)} sessions"
        return Alert(
            kind=AlertKind.OVERDUE_SESSIONS,
            subject=self._subject(f"{what} not landed in time"),
            text="\n".join(lines),
            facts={
                "environment": self.environment,
                "sessions": [
                    {
                        "partition": one.key,
                        "ended_at": one.ended_at.isoformat(),
                        "missing": list(one.missing),
                    }
                    for one in stale
                ],
            },
        )

    def _subject(self, what: str) -> str:
        return f"f1_bronze {self.environment}: {what}"

    def _run(self, run_id: str) -> str:
        return f"{self.ui_url}/runs/{run_id}" if self.ui_url else run_id

    def _backfill(self, backfill_id: str) -> str:
        return f"{self.ui_url}/runs/b/{backfill_id}" if self.ui_url else backfill_id


Groups = Mapping[tuple[str, str], Sequence[str]]

"""What and why → the partition keys that it happened to."""


def _by(found: Iterable[tuple[tuple[str, str], str]]) -> Groups:
    groups: dict[tuple[str, str], list[str]] = {}
    for what, key in found:
        groups.setdefault(what, []).append(key)
    return groups


def _listed(title: str, groups: Groups) -> list[str]:
    lines = [f"- {what}: {_sessions(keys)} ({why})" for (what, why), keys in groups.items()]
    if len(lines) > GROUPS_SHOWN:
        lines[GROUPS_SHOWN:] = [f"- … {len(lines) - GROUPS_SHOWN} more"]
    return [f"{title}:", *lines] if lines else []


def _sessions(keys: Sequence[str]) -> str:
    if len(keys) == 1:
        return keys[0]
    return f"{len(keys)} sessions, {keys[0]} to {keys[-1]}"


def _facts(groups: Groups, names: tuple[str, str]) -> list[dict[str, Any]]:
    return [
        {
            names[0]: what,
            names[1]: why,
            "sessions": len(keys),
            "partitions": list(keys[:SESSIONS_SHOWN]),
        }
        for (what, why), keys in list(groups.items())[:GROUPS_SHOWN]
    ]


def _summary(run: RunResult, broken: Sequence[CheckOutcome], *, failed: bool) -> str:
    if failed and run.failed:
        keys = list(dict.fromkeys(one.partition_key for one in run.failed))
        datasets = list(dict.fromkeys(one.dataset for one in run.failed))
        where = keys[0] if len(keys) == 1 else f"{len(keys)} sessions"
        return f"{', '.join(datasets)} of {where} did not land"
    if broken:
        keys = list(dict.fromkeys(one.partition.key for one in broken))
        where = keys[0] if len(keys) == 1 else f"{len(keys)} sessions"
        return f"{len(broken)} check{'s'[: len(broken) > 1]} of {where} failed"
    return f"a run of {run.start.job} failed"


def _of_check(check: CheckOutcome) -> str:
    return (
        f"{check.partition.key} {check.dataset}: the check {check.check} failed "
        f"({_observed(check)}). Look at its evidence on the asset's Checks tab; materialize the "
        "partition again once upstream has mended it."
    )


def _observed(check: CheckOutcome) -> str:
    return (
        "; ".join(f"{rule['rule']}: {rule['observed']}" for rule in check.failed_rules)
        or "no rule is named"
    )


def _hours(stale: OverdueSession, now: datetime) -> int:
    return int((now - stale.ended_at).total_seconds() // 3600)
