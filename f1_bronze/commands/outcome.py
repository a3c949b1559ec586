"""What an ingest prints at its end: the table, the failures, where it landed.

Belongs here: the final report, for people and as JSON. Stays out: counting (defs/progress.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from f1_bronze.defs.failures import Failed
    from f1_bronze.defs.progress import Account
    from f1_bronze.openf1.counters import Counters
    from f1_bronze.quality.verdicts import CheckVerdict

_KINDS_SHOWN = 20
_FILES_SHOWN = 24
REVISIONS = ("new", "unchanged", "changed", "refused", "empty")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A finished ingest. `crashes` are failures that no partition was blamed for."""

    account: Account
    datasets: tuple[str, ...]
    lake_uri: str
    runs: tuple[str, ...]
    crashes: tuple[str, ...]
    counters: Counters
    seconds: float
    status: int

    def rows(self) -> list[dict[str, Any]]:
        """The table: a row per dataset."""
        rows = []
        for name in self.datasets:
            one = self.account.by_dataset[name]
            revisions = {revision.value: count for revision, count in one.revisions.items()}
            rows.append(
                {
                    "dataset": name,
                    "sessions": one.sessions,
                    "rows": one.rows,
                    **{revision: revisions.get(revision, 0) for revision in REVISIONS},
                    "failed": one.failed,
                    "checks": one.checks,
                    "api_calls": one.api_requests,
                    "seconds": round(one.seconds, 2),
                }
            )
        return rows

    def to_json(self) -> dict[str, Any]:
        """Everything, as plain data."""
        return {
            "status": self.status,
            "lake": self.lake_uri,
            "runs": list(self.runs),
            "datasets": self.rows(),
            "api": self.counters.to_json(),
            "failed": [
                {
                    "dataset": failed.dataset.name,
                    "partition": failed.key,
                    "error": type(failed.error).__name__,
                    "message": str(failed.error),
                }
                for failed in self.account.failures
            ],
            "checks": {
                "evaluated": sum(one.checks for one in self.account.by_dataset.values()),
                "failed": sum(one.checks_failed for one in self.account.by_dataset.values()),
                "warned": [
                    {
                        "dataset": verdict.dataset.name,
                        "partition": verdict.partition.key,
                        "check": verdict.check.value,
                        "rules": {one.rule.name: one.observed for one in verdict.failed},
                    }
                    for verdict in self.account.warnings
                ],
            },
            "crashes": list(self.crashes),
            "seconds": round(self.seconds, 2),
        }


def print_outcome(outcome: Outcome, *, as_json: bool) -> None:
    """Table and sentences on standard output, failures on standard error; or one JSON object."""
    from f1_bronze.commands.console import plain, print_json, print_rows, screen, seconds_text

    if as_json:
        print_json(outcome.to_json())
        return
    console = plain()
    if outcome.account.finished:
        print_rows(console, outcome.rows(), total=True)
    written = outcome.account.written
    if 0 < len(written) <= _FILES_SHOWN:
        console.print("\nWritten:")
        for uri in sorted(written):
            console.print(f"  {uri.removeprefix(outcome.lake_uri)}", soft_wrap=True)
    counters = outcome.counters
    console.print(
        f"\n{counters.calls} API calls for {counters.questions} batches "
        f"({counters.retries} retries, {counters.splits} splits, "
        f"{counters.wait_seconds:.0f} s waiting), {counters.bytes / 1e6:.1f} MB, "
        f"{seconds_text(outcome.seconds)}. Lake: {outcome.lake_uri}",
        soft_wrap=True,
    )
    _print_warnings(screen(), outcome.account.warnings)
    _print_failures(screen(), outcome.account.failures)
    for crash in outcome.crashes:
        screen().print(
            f"failed: {crash}",
            style="red",
            markup=False,
            soft_wrap=True,
        )


def _print_warnings(console: Console, warnings: list[CheckVerdict]) -> None:
    """Each rule that a person should look at, with the first partition that broke it."""
    by_rule: dict[str, list[str]] = {}
    for verdict in warnings:
        for one in verdict.failed:
            where = f"{verdict.partition.key} ({one.observed})"
            by_rule.setdefault(f"{verdict.dataset.name}.{one.rule.name}", []).append(where)
    for rule, places in list(by_rule.items())[:_KINDS_SHOWN]:
        more = f" and {len(places) - 1} more" if len(places) > 1 else ""
        console.print(
            f"look at: {rule}: {places[0]}{more}", style="yellow", markup=False, soft_wrap=True
        )
    if len(by_rule) > _KINDS_SHOWN:
        console.print(f"… and {len(by_rule) - _KINDS_SHOWN} more rules; --json lists them all")


def _print_failures(console: Console, failures: list[Failed]) -> None:
    """Each distinct error once, with the partitions and datasets that it concerns."""
    from f1_bronze.defs.failures import by_cause

    causes = by_cause(failures)
    for cause in causes[:_KINDS_SHOWN]:
        console.print(f"failed: {cause}", style="red", markup=False, soft_wrap=True)
    if len(causes) > _KINDS_SHOWN:
        rest = len(causes) - _KINDS_SHOWN
        console.print(f"… and {rest} more kinds of failure; --json lists them all", soft_wrap=True)
