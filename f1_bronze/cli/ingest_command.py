"""f1-bronze ingest: brings sessions into the lake, through Dagster."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
from pydantic import SecretStr

from f1_bronze.cli.options import (
    CLOSED,
    FAILED,
    INTERRUPTED,
    Selection,
    as_json_option,
    find_dataset,
    reports_errors,
    seasons_argument,
    select_session_types,
    session_type_option,
)
from f1_bronze.datasets import DATASETS
from f1_bronze.settings import PREFIX, Settings

if TYPE_CHECKING:
    from f1_bronze.defs.automation.launch import Plan
    from f1_bronze.defs.run.tally import RunTally
    from f1_bronze.openf1.answers import Counters
    from f1_bronze.openf1.calendar import Calendar
    from f1_bronze.openf1.shared_requests import OpenF1

_MOST_KINDS_SHOWN = 20
_MOST_FILES_SHOWN = 24
_SPARE = ("unchanged", "changed", "refused", "empty", "failed", "new", "checks", "seconds")
"""Columns that a narrow terminal leaves out, in this order; those of zeros first."""
_REVISIONS = ("new", "unchanged", "changed", "refused", "empty")
_INTERRUPTED = "interrupted; what is stored stays, and --missing resumes from here"


@click.command()
@seasons_argument
@click.option("--grand-prix", "grands_prix", multiple=True, help="Slug or name; repeatable.")
@session_type_option
@click.option("--dataset", "datasets", multiple=True, help="laps, results, …; repeatable.")
@click.option("--missing", is_flag=True, help="Only what is not stored, recorded and checked yet.")
@click.option(
    "--recent", type=click.IntRange(min=1), metavar="DAYS", help="Only sessions of the last DAYS."
)
@click.option("--all", "everything", is_flag=True, help="Every session again (the default).")
@click.option(
    "--accept-loss", is_flag=True, help="Let an answer with fewer rows replace the stored one."
)
@click.option("--dry-run", is_flag=True, help="Print the plan; ask for the calendar only.")
@click.option("--offline", is_flag=True, help="Simulated data, in the demo's lake if none is set.")
@as_json_option
@reports_errors
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
    """Ingest the sessions of SEASONS (2025, 2023-2025, 2023,2025) through Dagster.

    Exit status: 0 all stored, 1 something failed, 2 wrong use, 3 the API is closed for a live
    session, 130 interrupted.
    """
    if missing + (recent is not None) + everything > 1:
        raise click.UsageError("--missing, --recent and --all exclude each other; give one.")
    if offline and not os.environ.get(f"{PREFIX}LAKE_URI"):
        from f1_bronze.cli.demo_command import use_demo_folder

        use_demo_folder()
    settings = Settings.read()
    chosen = [find_dataset(name) for name in datasets]
    selection = Selection(
        years=seasons,
        grands_prix=grands_prix,
        session_types=select_session_types(session_types, settings),
        datasets=tuple(dataset for dataset in DATASETS if dataset in chosen or not chosen),
        only_missing=missing,
        recent_days=recent,
    )
    with embedded_simulator(settings) if offline else nullcontext(settings) as settings:
        status = ingest_selection(
            selection,
            settings,
            accept_loss=accept_loss,
            dry_run=dry_run,
            as_json=as_json,
            simulated=offline,
        )
    sys.exit(status)


@contextmanager
def embedded_simulator(settings: Settings) -> Iterator[Settings]:
    """The settings with the embedded simulator in place of the API."""
    from f1_bronze.simulator.invented import InventedSeasons
    from f1_bronze.simulator.server import Simulator

    click.echo("Simulated data from the embedded simulator.", err=True)
    with Simulator(InventedSeasons()) as simulator:
        # Free access, with a call budget of its own: the real one is not touched.
        yield settings.model_copy(
            update={
                "openf1_url": simulator.url,
                "openf1_username": "",
                "openf1_password": SecretStr(""),
                "rate_store": "memory",
            }
        )


def ingest_selection(
    selection: Selection,
    settings: Settings,
    *,
    accept_loss: bool = False,
    dry_run: bool = False,
    as_json: bool = False,
    simulated: bool = False,
) -> int:
    """Read the calendar, execute the runs and print the outcome; returns the exit status."""
    from f1_bronze.cli.console import ProgressBar, stderr, warnings_on
    from f1_bronze.defs.record.tags import BY_COMMAND, SIMULATED_TAG, TRIGGER_TAG
    from f1_bronze.defs.resources import openf1_resource, resolved
    from f1_bronze.defs.run.tally import RunTally, open_deployment_logs
    from f1_bronze.lake.lake import Lake

    began = time.monotonic()
    open_deployment_logs(settings, by_command=True)
    lake = Lake.at(settings.lake_uri)
    lake.store.check()
    resource = resolved(openf1_resource(settings))
    console = stderr()
    tally = RunTally()
    bar = ProgressBar(console, tally, estimate=resource.make_budget().estimate)
    openf1 = resource.make_openf1(observer=bar.report)
    with warnings_on(console), closing(openf1):
        calendar, plan = selection.plan(openf1, lake, dry_run=dry_run)
        if dry_run:
            _print_plan(plan, calendar, bar.estimate(plan.calls), as_json=as_json)
            return 0
        total = sum(len(refs) for refs in plan.wanted().values())
        if not total:
            console.print(_nothing_to_do(selection, calendar), soft_wrap=True)
        tags = {TRIGGER_TAG: BY_COMMAND} | ({SIMULATED_TAG: "true"} if simulated else {})
        with bar.running(total=total, calls=plan.calls):
            runs, crashes = _execute_runs(
                plan, settings, openf1, tally, tags=tags, accept_loss=accept_loss
            )
        counters = openf1.counters
    outcome = _Outcome(
        tally=tally,
        datasets=tuple(dataset.name for dataset in selection.datasets),
        lake_uri=lake.store.uri(""),
        runs=runs,
        crashes=[*crashes, *_unreadable_sessions(calendar)],
        counters=counters,
        seconds=time.monotonic() - began,
    )
    _print_outcome(outcome, as_json=as_json)
    return outcome.status


def _execute_runs(
    plan: Plan,
    settings: Settings,
    openf1: OpenF1,
    tally: RunTally,
    *,
    tags: dict[str, str],
    accept_loss: bool,
) -> tuple[list[str], list[str]]:
    """Register the partitions and execute the runs; their ids, and unexpected errors."""
    from f1_bronze.cli.console import stderr
    from f1_bronze.datasets.sessions import SESSIONS
    from f1_bronze.definitions import assemble
    from f1_bronze.defs.automation.instance import open_instance
    from f1_bronze.defs.automation.launch import describe_crash, execute, was_interrupted
    from f1_bronze.defs.outbound.emit_now import emit_now
    from f1_bronze.defs.partitions import read_registered, register
    from f1_bronze.defs.resources import Deployment
    from f1_bronze.lake.errors import LakeError
    from f1_bronze.telemetry.outbound import SinkUnavailable

    definitions = assemble(settings, openf1=openf1, progress=tally)
    runs: list[str] = []
    crashes: list[str] = []
    with open_instance() as instance:
        register(instance, [session.partition for session in plan.sessions])
        openf1.expect({d: refs for d, refs in plan.wanted().items() if d is not SESSIONS})
        for run in plan.runs(read_registered(instance)):
            failures_before = len(tally.failures)
            result = execute(
                run,
                definitions=definitions,
                instance=instance,
                accept_loss=accept_loss,
                tags={**tags, **run.historical_tags(datetime.now(UTC))},
            )
            runs.append(result.run_id)
            if was_interrupted(result):
                crashes.append(_INTERRUPTED)
                break
            if not result.success and len(tally.failures) == failures_before:
                crashes.append(describe_crash(result))
        try:
            emit_now(instance, Deployment(settings), runs)
        except (LakeError, SinkUnavailable) as error:
            waiting = f"lineage and metrics are sent by `f1-bronze ui` later: {error}"
            stderr().print(waiting, style="yellow", markup=False, soft_wrap=True)
    return runs, crashes


def _unreadable_sessions(calendar: Calendar) -> Iterator[str]:
    """Sessions that the calendar lists in a way that cannot be asked for: a gap to report."""
    from f1_bronze.openf1.calendar import LeftOutReason

    for left in calendar.left_out:
        if left.reason is LeftOutReason.UNPLACEABLE:
            yield (
                f"session {left.session_key or 'without a key'} ({left.name}) of the calendar "
                f"cannot be read and was left out, because {left.problem}; run this again later, "
                "and report it to OpenF1 if it stays"
            )


def _print_plan(plan: Plan, calendar: Calendar, seconds: float, *, as_json: bool) -> None:
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


def _nothing_to_do(selection: Selection, calendar: Calendar) -> str:
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
class _Outcome:
    """A finished ingest. `crashes` are errors that concern no particular partition."""

    tally: RunTally
    datasets: tuple[str, ...]
    lake_uri: str
    runs: list[str]
    crashes: list[str]
    counters: Counters
    seconds: float

    @property
    def status(self) -> int:
        """The exit status."""
        from f1_bronze.openf1.answers import ClosedForLiveSession

        if _INTERRUPTED in self.crashes:
            return INTERRUPTED
        if any(isinstance(failed.error, ClosedForLiveSession) for failed in self.tally.failures):
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
            "runs": self.runs,
            "datasets": self.rows(),
            "api": self.counters.to_json(),
            "failed": [
                {
                    "dataset": failed.dataset.name,
                    "partition": failed.key,
                    "error": type(failed.error).__name__,
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


def _print_outcome(outcome: _Outcome, *, as_json: bool) -> None:
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
    counters = outcome.counters
    console.print(
        f"\n{counters.calls} API calls for {counters.questions} batches "
        f"({counters.retries} retries, {counters.splits} splits, "
        f"{counters.wait_seconds:.0f} s waiting), {counters.bytes / 1e6:.1f} MB, "
        f"{duration(outcome.seconds)}. Lake: {outcome.lake_uri}",
        soft_wrap=True,
    )
    _print_problems(outcome)


def _print_problems(outcome: _Outcome) -> None:
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
