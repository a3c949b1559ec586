"""Writes alerts: failed runs, failed checks and overdue sessions, for people and as facts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from f1_bronze.telemetry.redaction import remove_secrets
from f1_bronze.telemetry.run_results import CheckOutcome, RunResult

GROUPS_SHOWN = 10

SESSIONS_SHOWN = 20

Groups = Mapping[tuple[str, str], Sequence[str]]
"""What failed and why → the partition keys that it happened to."""


class AlertKind(StrEnum):
    """What happened; the values are the message attribute `kind`."""

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
        return {
            "kind": str(self.kind),
            "subject": self.subject,
            "text": self.text,
            "facts": dict(self.facts),
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
    """A session that should be stored by now, and the names of the datasets that are not."""

    key: str
    ended_at: datetime
    missing: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Wording:
    """How this deployment words alerts. `ui_url` is the base of links into the UI; empty: none."""

    environment: str
    ui_url: str = ""

    def describe_run(
        self, run: RunResult, failed_checks: Sequence[CheckOutcome], *, is_failure: bool
    ) -> Alert:
        """One alert for all that is new about a run.

        Args:
            run: what it did.
            failed_checks: its checks that failed with ERROR and are news.
            is_failure: whether the run failed for something besides, and this is news.
        """
        start = run.start
        not_stored = _group(((one.dataset, one.error), one.partition_key) for one in run.failed)
        failing = _group(
            ((f"{one.dataset} {one.check}", _observed(one)), one.partition.key)
            for one in failed_checks
        )
        error = remove_secrets(run.error) if is_failure and run.error else None
        lines = [_describe_check(failed_checks[0]) if error is None and failed_checks else error]
        lines += _list_groups("Not stored", not_stored) if is_failure else []
        lines += _list_groups("Failed checks", failing)
        if is_failure:
            lines.append(
                "Once the cause is fixed, re-execute the run 'From failure': only what is missing "
                "is asked for again."
            )
        if failed_checks:
            lines.append("Rows of failed checks are in the lake; downstream must not use them.")
        lines.append(f"Run of {start.job}, {start.trigger}: {self._link('', start.run_id)}")
        if start.backfill_id:
            lines.append(
                "Other runs of the backfill that fail in the same way are not alerted: "
                f"{self._link('b/', start.backfill_id)}"
            )
        return Alert(
            kind=AlertKind.FAILED_RUN if is_failure else AlertKind.FAILED_CHECKS,
            subject=self._subject(_summarize(run, failed_checks, is_failure=is_failure)),
            text="\n".join(line or "" for line in lines),
            facts={
                "environment": self.environment,
                "run_id": start.run_id,
                "job": start.job,
                "trigger": str(start.trigger),
                "backfill_id": start.backfill_id,
                "ended_at": run.ended_at.isoformat(),
                "error": error,
                "not_landed": _to_facts(not_stored, ("dataset", "error")) if is_failure else [],
                "failed_checks": _to_facts(failing, ("check", "observed")),
                "url": self._link("", start.run_id) if self.ui_url else None,
            },
        )

    def describe_overdue(self, overdue: Sequence[OverdueSession], now: datetime) -> Alert:
        """One alert for the sessions that have become overdue."""
        years = ",".join(sorted({one.key.partition("/")[0] for one in overdue}))
        first, more = overdue[0], len(overdue) - 1
        hours = int((now - first.ended_at).total_seconds() // 3600)
        others = f", nor {more} more session{'s'[: more > 1]}" if more else ""
        lines = [
            f"{first.key} {', '.join(first.missing)}: not stored {hours} hours after the session's "
            f"end{others}. Check that the daemon, the schedule weekly_bronze and the sensor "
            f"openf1_calendar are on; `f1-bronze ingest {years} --missing` ingests what is missing."
        ]
        lines += [
            f"- {one.key}: {', '.join(one.missing)}; ended {one.ended_at:%Y-%m-%d %H:%M} UTC"
            for one in overdue[:SESSIONS_SHOWN]
        ]
        if len(overdue) > SESSIONS_SHOWN:
            lines.append(f"- … {len(overdue) - SESSIONS_SHOWN} more")
        if self.ui_url:
            lines.append(f"Runs: {self.ui_url}/runs")
        return Alert(
            kind=AlertKind.OVERDUE_SESSIONS,
            subject=self._subject(f"{_count_sessions([one.key for one in overdue])} overdue"),
            text="\n".join(lines),
            facts={
                "environment": self.environment,
                "sessions": [
                    {
                        "partition": one.key,
                        "ended_at": one.ended_at.isoformat(),
                        "missing": list(one.missing),
                    }
                    for one in overdue
                ],
            },
        )

    def _subject(self, what: str) -> str:
        return f"f1_bronze {self.environment}: {what}"

    def _link(self, kind: str, identity: str) -> str:
        return f"{self.ui_url}/runs/{kind}{identity}" if self.ui_url else identity


def _group(found: Iterable[tuple[tuple[str, str], str]]) -> Groups:
    groups: dict[tuple[str, str], list[str]] = {}
    for what, key in found:
        groups.setdefault(what, []).append(key)
    return groups


def _list_groups(title: str, groups: Groups) -> list[str]:
    lines = [
        f"- {what}: {keys[0]} ({why})"
        if len(keys) == 1
        else f"- {what}: {len(keys)} sessions, {keys[0]} to {keys[-1]} ({why})"
        for (what, why), keys in groups.items()
    ]
    if len(lines) > GROUPS_SHOWN:
        lines[GROUPS_SHOWN:] = [f"- … {len(lines) - GROUPS_SHOWN} more"]
    return [f"{title}:", *lines] if lines else []


def _to_facts(groups: Groups, names: tuple[str, str]) -> list[dict[str, Any]]:
    return [
        {
            names[0]: what,
            names[1]: why,
            "sessions": len(keys),
            "partitions": list(keys[:SESSIONS_SHOWN]),
        }
        for (what, why), keys in list(groups.items())[:GROUPS_SHOWN]
    ]


def _summarize(run: RunResult, failed_checks: Sequence[CheckOutcome], *, is_failure: bool) -> str:
    if is_failure and run.failed:
        datasets = ", ".join(dict.fromkeys(one.dataset for one in run.failed))
        return f"{datasets} of {_count_sessions([o.partition_key for o in run.failed])} not stored"
    if failed_checks:
        count = len(failed_checks)
        where = _count_sessions([one.partition.key for one in failed_checks])
        return f"{count} check{'s'[: count > 1]} of {where} failed"
    return f"a run of {run.start.job} failed"


def _count_sessions(keys: Sequence[str]) -> str:
    """The one key, or how many there are."""
    different = set(keys)
    return keys[0] if len(different) == 1 else f"{len(different)} sessions"


def _describe_check(check: CheckOutcome) -> str:
    return (
        f"{check.partition.key} {check.dataset}: the check {check.check} failed "
        f"({_observed(check)}). Look at its rows on the asset's Checks tab; materialize the "
        "partition again once upstream has corrected them."
    )


def _observed(check: CheckOutcome) -> str:
    rules = [f"{rule['rule']}: {rule['observed']}" for rule in check.failed_rules]
    return "; ".join(rules) or "no rule is named"
