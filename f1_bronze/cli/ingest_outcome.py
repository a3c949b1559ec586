"""The plan and the outcome of an ingest as people and programs read them, wherever it was made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from f1_bronze.cli.options import CLOSED, FAILED, INTERRUPTED, Selection

if TYPE_CHECKING:
    from f1_bronze.defs.automation.launch import Plan
    from f1_bronze.defs.run.tally import RunTally
    from f1_bronze.openf1.answers import Counters
    from f1_bronze.openf1.calendar import Calendar

_MOST_KINDS_SHOWN = 20
_MOST_FILES_SHOWN = 24
_SPARE = ("unchanged", "changed", "refused", "empty", "failed", "new", "checks", "seconds")
"""Columns that a narrow terminal leaves out, in this order; those of zeros first."""
_REVISIONS = ("new", "unchanged", "changed", "refused", "empty")
INGEST_INTERRUPTED = "interrupted; what is stored stays, and --missing resumes from here"


def describe_unreadable(calendar: Calendar) -> Iterator[str]:
    """Sessions that the calendar lists in a way that cannot be asked for: a gap to report."""
    from f1_bronze.openf1.calendar import LeftOutReason

    for left in calendar.left_out:
        if left.reason is LeftOutReason.UNPLACEABLE:
            yield (
                f"session {left.session_key or 'without a key'} ({left.name}) of the calendar "
                f"cannot be read and was left out, because {left.problem}; run this again later, "
                "and report it to OpenF1 if it stays"
            )


class RecordedError(Exception):
    """An error of a run elsewhere, as Dagster's record has it: `kind` is the name of its class."""

    def __init__(self, message: str, *, kind: str) -> None:
        super().__init__(message)
        self.kind = kind


def _kind(error: Exception) -> str:
    return error.kind if isinstance(error, RecordedError) else type(error).__name__


def print_plan(plan: Plan, calendar: Calendar, seconds: float, *, as_json: bool) -> None:
    """What a dry run prints: partitions, calls by dataset, and the time that the budget takes."""
    from f1_bronze.cli.console import duration, print_json, print_rows, stdout

    wanted = plan.wanted()
    rows = [
        {
            "dataset": dataset.name,
            "sessions": len(wanted[dataset]),
            "api_calls": len(sizes),
            "batches": sizes if as_json else " + ".join(map(str, sizes)),
        }
        for dataset, sizes in plan.batches().items()
    ]
    left_out = Counter(left.reason.value for left in calendar.left_out)
    if as_json:
        print_json(
            {
                "partitions": [session.partition.key for session in plan.sessions],
                "datasets": rows,
                "api_calls": plan.calls,
                "eta_seconds": round(seconds, 1),
                "left_out": dict(left_out),
            }
        )
        return
    console = stdout()
    for session in plan.sessions:
        console.print(f"{session.partition.key}  ended {session.date_end:%Y-%m-%d %H:%M} UTC")
    console.print()
    print_rows(console, rows, total=True)
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(left_out.items()))
    console.print(
        f"\nPlan: {len(plan.sessions)} sessions in {plan.calls} API calls, at least "
        f"{duration(seconds)} by the call budget. Sessions left out: {reasons or 'none'}.",
        soft_wrap=True,
    )


def describe_nothing_to_do(selection: Selection, calendar: Calendar) -> str:
    """Why nothing is asked for: what the calendar leaves out of the selection."""
    from f1_bronze.openf1.calendar import select_grands_prix

    types = selection.session_types
    kind = "session" if types is None else f"{' or '.join(sorted(types))} session"
    of = f" of {' or '.join(selection.grands_prix)}" if selection.grands_prix else ""
    why = "that is not in the lake yet" if selection.only_missing else "that has ended"
    left_out = Counter(
        left.reason.value
        for left in select_grands_prix(calendar, selection.grands_prix).left_out
        if left.partition and (types is None or left.partition.session_type in types)
    )
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(left_out.items()))
    others = f" Sessions left out: {reasons}." if reasons else ""
    return (
        f"Nothing to ingest: {selection.seasons} has no {kind}{of} {why}.{others} "
        f"The calendar lists {len(calendar.sessions)} ended sessions of all types."
    )


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A finished ingest or backfill.

    Attributes:
        crashes: errors that concern no particular partition.
        deployment, backfill: where a deployment did it, its address and the backfill's id.
    """

    tally: RunTally
    datasets: tuple[str, ...]
    lake_uri: str
    runs: list[str]
    crashes: list[str]
    counters: Counters
    seconds: float
    deployment: str = ""
    backfill: str = ""

    @property
    def status(self) -> int:
        """The exit status."""
        if INGEST_INTERRUPTED in self.crashes:
            return INTERRUPTED
        if any(_kind(one.error) == "ClosedForLiveSession" for one in self.tally.failures):
            return CLOSED
        return FAILED if self.tally.failures or self.crashes else 0

    def rows(self) -> list[dict[str, Any]]:
        """The table: a row per dataset."""
        rows = []
        for name in self.datasets:
            one = self.tally.by_dataset[name]
            revisions = {revision.value: count for revision, count in one.revisions.items()}
            rows.append(
                {
                    "dataset": name,
                    "sessions": one.sessions,
                    "rows": one.rows,
                    **{revision: revisions.get(revision, 0) for revision in _REVISIONS},
                    "failed": one.failed,
                    "checks": one.checks,
                    "api_calls": one.api_requests,
                    "seconds": round(one.seconds, 2),
                }
            )
        return rows

    def to_json(self) -> dict[str, Any]:
        """Everything, as plain data."""
        datasets = self.tally.by_dataset.values()
        return {
            "status": self.status,
            "lake": self.lake_uri,
            **({"deployment": self.deployment} if self.deployment else {}),
            **({"backfill": self.backfill} if self.backfill else {}),
            "runs": self.runs,
            "datasets": self.rows(),
            "api": self.counters.to_json(),
            "failed": [
                {
                    "dataset": failed.dataset.name,
                    "partition": failed.key,
                    "error": _kind(failed.error),
                    "message": str(failed.error),
                }
                for failed in self.tally.failures
            ],
            "checks": {
                "evaluated": sum(one.checks for one in datasets),
                "failed": sum(one.checks_failed for one in datasets),
                "warned": [
                    {
                        "dataset": verdict.dataset,
                        "partition": verdict.partition.key,
                        "check": verdict.check,
                        "rules": {one.name: one.observed for one in verdict.failed},
                    }
                    for verdict in self.tally.warnings
                ],
            },
            "crashes": self.crashes,
            "seconds": round(self.seconds, 2),
        }


def print_outcome(outcome: Outcome, *, as_json: bool) -> None:
    """Table and sentences on standard output, failures on standard error; or one JSON object."""
    from f1_bronze.cli.console import duration, print_json, print_rows, stdout

    if as_json:
        print_json(outcome.to_json())
        return
    console = stdout()
    if outcome.tally.finished:
        print_rows(console, outcome.rows(), total=True, spare=_SPARE)
    written = outcome.tally.written
    if 0 < len(written) <= _MOST_FILES_SHOWN:
        console.print("\nWritten:")
        for uri in sorted(written):
            console.print(f"  {uri.removeprefix(outcome.lake_uri)}", soft_wrap=True)
    counters, lake = outcome.counters, outcome.lake_uri or "unknown, for nothing was stored"
    console.print(
        f"\n{counters.calls} API calls for {counters.questions} batches "
        f"({counters.retries} retries, {counters.splits} splits, "
        f"{counters.wait_seconds:.0f} s waiting), {counters.bytes / 1e6:.1f} MB, "
        f"{duration(outcome.seconds)}. Lake: {lake}",
        soft_wrap=True,
    )
    _print_problems(outcome)


def _print_problems(outcome: Outcome) -> None:
    """Each failed WARN rule and each distinct error once, with where it happened."""
    from f1_bronze.cli.console import first_and_more, stderr
    from f1_bronze.defs.run.failures import describe_failures

    console = stderr()
    by_rule: dict[str, list[str]] = {}
    for verdict in outcome.tally.warnings:
        for one in verdict.failed:
            place = f"{verdict.partition.key} ({one.observed})"
            by_rule.setdefault(f"{verdict.dataset}: {one.name}", []).append(place)
    warnings = [f"{rule}: {first_and_more(places)}" for rule, places in by_rule.items()]
    causes = describe_failures(outcome.tally.failures)
    for kind, style, lines in (
        ("warning", "yellow", warnings),
        ("failed", "red", causes),
        ("failed", "red", outcome.crashes),
    ):
        for line in lines[:_MOST_KINDS_SHOWN]:
            console.print(f"{kind}: {line}", style=style, markup=False, soft_wrap=True)
        if len(lines) > _MOST_KINDS_SHOWN:
            more = f"… and {len(lines) - _MOST_KINDS_SHOWN} more of kind {kind!r}; --json lists all"
            console.print(more, soft_wrap=True)
