"""f1-bronze ingest: sessions into the lake, through Dagster.

Belongs here: the options, and from the wish to the final table. Stays out: which runs are made
(defs/launch.py) and what they do (defs/ingestion.py).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from f1_bronze.cli.options import (
    CLOSED,
    FAILED,
    STOPPED,
    Seasons,
    Wish,
    as_json_option,
    datasets_named,
    nothing_to_do,
    plan_of,
    print_plan,
    told,
)
from f1_bronze.settings import Settings, session_type_selection

if TYPE_CHECKING:
    import dagster as dg
    from rich.console import Console

    from f1_bronze.defs.automation.launch import Plan
    from f1_bronze.defs.resources import Deployment, OpenF1
    from f1_bronze.defs.run.failures import IngestFailure
    from f1_bronze.defs.run.tally import RunTally
    from f1_bronze.openf1.answers import Counters
    from f1_bronze.openf1.calendar import Calendar
    from f1_bronze.quality.verdicts import CheckVerdict


_KINDS_SHOWN = 20

_FILES_SHOWN = 24

REVISIONS = ("new", "unchanged", "changed", "refused", "empty")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A finished ingest. `crashes` are failures that no partition was blamed for."""

    account: RunTally
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
                        "dataset": verdict.dataset,
                        "partition": verdict.partition.key,
                        "check": verdict.check,
                        "rules": {one.name: one.observed for one in verdict.failed},
                    }
                    for verdict in self.account.warnings
                ],
            },
            "crashes": list(self.crashes),
            "seconds": round(self.seconds, 2),
        }


def print_outcome(outcome: Outcome, *, as_json: bool) -> None:
    """Table and sentences on standard output, failures on standard error; or one JSON object."""
    from f1_bronze.cli.console import plain, print_json, print_rows, screen, seconds_text

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
            by_rule.setdefault(f"{verdict.dataset}.{one.name}", []).append(where)
    for rule, places in list(by_rule.items())[:_KINDS_SHOWN]:
        more = f" and {len(places) - 1} more" if len(places) > 1 else ""
        console.print(
            f"look at: {rule}: {places[0]}{more}", style="yellow", markup=False, soft_wrap=True
        )
    if len(by_rule) > _KINDS_SHOWN:
        console.print(f"… and {len(by_rule) - _KINDS_SHOWN} more rules; --json lists them all")


def _print_failures(console: Console, failures: list[IngestFailure]) -> None:
    """Each distinct error once, with the partitions and datasets that it concerns."""
    from f1_bronze.defs.run.failures import describe_failures

    causes = describe_failures(failures)
    for cause in causes[:_KINDS_SHOWN]:
        console.print(f"failed: {cause}", style="red", markup=False, soft_wrap=True)
    if len(causes) > _KINDS_SHOWN:
        rest = len(causes) - _KINDS_SHOWN
        console.print(f"… and {rest} more kinds of failure; --json lists them all", soft_wrap=True)


INTERRUPTED = "interrupted; what landed stays, and --missing goes on from here"


@click.command()
@click.argument("seasons", type=Seasons())
@click.option("--grand-prix", "grands_prix", multiple=True, help="Slug or name; repeatable.")
@click.option(
    "--session-type", "session_types", multiple=True, help="race, sprint, … or all; repeatable."
)
@click.option("--dataset", "datasets", multiple=True, help="laps, results, …; repeatable.")
@click.option("--missing", is_flag=True, help="Only what the lake does not hold yet.")
@click.option("--recent", type=click.IntRange(min=1), metavar="DAYS", help="Ended since then.")
@click.option("--all", "everything", is_flag=True, help="Every session again (the default).")
@click.option(
    "--accept-loss", is_flag=True, help="Let answers with fewer rows replace what the lake holds."
)
@click.option("--dry-run", is_flag=True, help="Print the plan; ask for the calendar only.")
@click.option("--offline", is_flag=True, help="Use the embedded simulator: invented data.")
@as_json_option
@told
def ingest(
    seasons: tuple[int, ...],
    grands_prix: tuple[str, ...],
    session_types: tuple[str, ...],
    datasets: tuple[str, ...],
    missing: bool,
    recent: int | None,
    everything: bool,
    accept_loss: bool,
    dry_run: bool,
    offline: bool,
    as_json: bool,
) -> None:
    """Land the sessions of SEASONS (2025, 2023-2025, 2023,2025) through Dagster.

    Exit status: 0 all landed, 1 something failed, 2 wrong use, 3 the API is closed for a live
    session.
    """
    if missing + (recent is not None) + everything > 1:
        raise click.UsageError("--missing, --recent and --all exclude each other; give one.")
    settings = Settings.read()
    wish = Wish(
        years=seasons,
        grands_prix=grands_prix,
        session_types=(
            session_type_selection(",".join(session_types))
            if session_types
            else settings.session_types
        ),
        datasets=datasets_named(datasets),
        only_missing=missing,
        recent_days=recent,
        accept_loss=accept_loss,
    )
    with _simulator_if(offline, settings) as settings:
        sys.exit(_ingest(wish, settings, dry_run=dry_run, as_json=as_json))


@contextmanager
def _simulator_if(offline: bool, settings: Settings) -> Iterator[Settings]:
    if not offline:
        yield settings
        return
    from f1_bronze.simulator.invented import InventedSeasons
    from f1_bronze.simulator.server import Simulator

    click.echo("Invented data from the embedded simulator.", err=True)
    with Simulator(InventedSeasons()) as simulator:
        # Free access to the simulator, with a budget of its own: the real one is not touched.
        yield replace(
            settings,
            openf1_url=simulator.url,
            openf1_username="",
            has_password=False,
            rate_store="memory",
        )


def _ingest(wish: Wish, settings: Settings, *, dry_run: bool, as_json: bool) -> int:
    """Read the calendar, make the runs, print what became of them; returns the exit status."""
    from f1_bronze.cli.console import ProgressBar, screen, warnings_on
    from f1_bronze.defs.resources import openf1_resource, resolved
    from f1_bronze.defs.run.tally import RunTally, open_deployment_logs
    from f1_bronze.lake.lake import Lake

    began = time.monotonic()
    open_deployment_logs(settings, by_command=True)
    lake = Lake.at(settings.lake_uri)
    lake.store.check()
    resource = resolved(openf1_resource(settings))
    console = screen()
    account = RunTally()
    bar = ProgressBar(console, account, estimate=resource.make_pace().estimate)
    openf1 = resource.make_openf1(observer=bar.tell)
    with warnings_on(console), closing(openf1):
        calendar, plan = plan_of(wish, openf1, lake)
        if dry_run:
            print_plan(plan, calendar, bar.estimate(plan.calls), as_json)
            return 0
        total = sum(len(refs) for refs in plan.wanted().values())
        if not total:
            console.print(nothing_to_do(wish, calendar), soft_wrap=True)
        with bar.shown(total=total, calls=plan.calls):
            runs, crashes = _run_all(plan, wish, settings, openf1, account)
        counters = openf1.counters
    crashes += _unplaceable(calendar)
    status = _status(account, crashes)
    outcome = Outcome(
        account=account,
        datasets=tuple(dataset.name for dataset in wish.datasets),
        lake_uri=lake.store.uri(""),
        runs=runs,
        crashes=crashes,
        counters=counters,
        seconds=time.monotonic() - began,
        status=status,
    )
    print_outcome(outcome, as_json=as_json)
    return status


def _run_all(
    plan: Plan,
    wish: Wish,
    settings: Settings,
    openf1: OpenF1,
    account: RunTally,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Register the partitions and make the runs; their ids, and what broke unexpectedly."""
    from f1_bronze.datasets.sessions import SESSIONS
    from f1_bronze.definitions import assemble
    from f1_bronze.defs.automation.instance import open_instance
    from f1_bronze.defs.automation.launch import crash_of, execute, interrupted
    from f1_bronze.defs.partitions import read_registered, register
    from f1_bronze.defs.record.tags import BY_COMMAND, TRIGGER_TAG
    from f1_bronze.defs.resources import Deployment

    definitions = assemble(settings, openf1=openf1, progress=account)
    runs, crashes = [], []
    with open_instance() as instance:
        register(instance, [session.partition for session in plan.sessions])
        openf1.expect({d: refs for d, refs in plan.wanted().items() if d is not SESSIONS})
        for run in plan.runs(read_registered(instance)):
            told = len(account.failures)
            result = execute(
                run,
                definitions=definitions,
                instance=instance,
                accept_loss=wish.accept_loss,
                tags={TRIGGER_TAG: BY_COMMAND, **run.historical_tags(datetime.now(UTC))},
            )
            runs.append(result.run_id)
            if interrupted(result):
                crashes.append(INTERRUPTED)
                break
            if not result.success and len(account.failures) == told:
                crashes.append(crash_of(result))
        _tell(instance, Deployment(settings), runs)
    return tuple(runs), tuple(crashes)


def _tell(instance: dg.DagsterInstance, deployment: Deployment, runs: list[str]) -> None:
    """Lineage and local metrics at once; should the lake fail, the sensors tell them later."""
    from f1_bronze.cli.console import screen
    from f1_bronze.defs.outbound.emit_now import emit_now
    from f1_bronze.lake.errors import LakeError

    try:
        emit_now(instance, deployment, runs)
    except LakeError as error:
        screen().print(f"lineage and metrics wait for `f1-bronze ui`: {error}", style="yellow")


def _unplaceable(calendar: Calendar) -> tuple[str, ...]:
    """Sessions that the calendar lists and that cannot be asked for: a gap that must be told."""
    from f1_bronze.openf1.calendar import Reason

    return tuple(
        f"session {left.session_key or 'without a key'} ({left.name}) of the calendar is listed in "
        "a way that cannot be read, and was left out; run this again later, and report it to "
        "OpenF1 if it stays"
        for left in calendar.left_out
        if left.reason is Reason.UNPLACEABLE
    )


def _status(account: RunTally, crashes: tuple[str, ...]) -> int:
    from f1_bronze.openf1.answers import ClosedForLiveSession

    if INTERRUPTED in crashes:
        return STOPPED
    if any(isinstance(failed.error, ClosedForLiveSession) for failed in account.failures):
        return CLOSED
    return FAILED if account.failures or crashes else 0
