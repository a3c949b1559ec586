"""f1-bronze ingest: brings sessions into the lake, through Dagster."""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
from pydantic import SecretStr

from f1_bronze.cli.ingest_outcome import (
    INGEST_INTERRUPTED,
    Outcome,
    describe_nothing_to_do,
    describe_unreadable,
    print_outcome,
    print_plan,
)
from f1_bronze.cli.options import (
    Selection,
    as_json_option,
    reports_errors,
    seasons_argument,
    selection_options,
)
from f1_bronze.settings import PREFIX, Settings

if TYPE_CHECKING:
    from f1_bronze.defs.automation.launch import Plan
    from f1_bronze.defs.run.tally import RunTally
    from f1_bronze.openf1.shared_requests import OpenF1


@click.command()
@seasons_argument
@selection_options
@click.option(
    "--accept-loss", is_flag=True, help="Let an answer with fewer rows replace the stored one."
)
@click.option("--offline", is_flag=True, help="Simulated data, in the demo's lake if none is set.")
@click.option("--dry-run", is_flag=True, help="Print the plan; ask for the calendar only.")
@as_json_option
@reports_errors
def ingest(accept_loss: bool, dry_run: bool, offline: bool, as_json: bool, **selected: Any) -> None:
    """Ingest the sessions of SEASONS (2025, 2023-2025, 2023,2025) through Dagster.

    Exit status: 0 all stored, 1 something failed, 2 wrong use, 3 the API is closed for a live
    session, 130 interrupted.
    """
    if offline and not os.environ.get(f"{PREFIX}LAKE_URI"):
        from f1_bronze.cli.demo_command import use_demo_folder

        use_demo_folder()
    settings = Settings.read()
    selection = Selection.typed(settings, **selected)
    with embedded_simulator(settings) if offline else nullcontext(settings) as settings:
        outcome = execute_selection(
            selection,
            settings,
            accept_loss=accept_loss,
            dry_run=dry_run,
            as_json=as_json,
            simulated=offline,
        )
    if outcome is not None:
        print_outcome(outcome, as_json=as_json)
        sys.exit(outcome.status)


@contextmanager
def embedded_simulator(settings: Settings) -> Iterator[Settings]:
    """The settings with the embedded simulator in place of the API."""
    from f1_bronze.simulator.invented import InventedSeasons
    from f1_bronze.simulator.server import Simulator

    click.echo("Simulated data from the embedded simulator.", err=True)
    with Simulator(InventedSeasons()) as simulator:
        yield aim_at(simulator.url, settings)


def aim_at(simulator_url: str, settings: Settings) -> Settings:
    """The settings with a simulator in place of the API: free access, a call budget of its own."""
    return settings.model_copy(
        update={
            "openf1_url": simulator_url,
            "openf1_username": "",
            "openf1_password": SecretStr(""),
            "rate_store": "memory",
        }
    )


def execute_selection(
    selection: Selection,
    settings: Settings,
    *,
    accept_loss: bool = False,
    dry_run: bool = False,
    as_json: bool = False,
    simulated: bool = False,
) -> Outcome | None:
    """Read the calendar and execute the runs; a dry run prints the plan and has no outcome."""
    from f1_bronze.cli.console import ProgressBar, stderr, warnings_on
    from f1_bronze.defs.record.tags import BY_COMMAND, SIMULATED_TAG, TRIGGER_TAG
    from f1_bronze.defs.resources import openf1_resource, resolved
    from f1_bronze.defs.run.tally import RunTally, open_deployment_logs
    from f1_bronze.lake.lake import Lake

    began = time.monotonic()
    open_deployment_logs(settings, by_command=True)
    lake = Lake.at(settings.lake_uri)
    if not dry_run:  # it makes the folder of a lake
        lake.store.check()
    resource = resolved(openf1_resource(settings))
    console = stderr()
    tally = RunTally()
    bar = ProgressBar(console, tally, estimate=resource.make_budget().estimate)
    openf1 = resource.make_openf1(observer=bar.report)
    with warnings_on(console), closing(openf1):
        calendar, plan = selection.plan(openf1, lake, dry_run=dry_run)
        if dry_run:
            print_plan(plan, calendar, bar.estimate(plan.calls), as_json=as_json)
            return None
        total = sum(len(refs) for refs in plan.wanted().values())
        if not total:
            console.print(describe_nothing_to_do(selection, calendar), soft_wrap=True)
        tags = {TRIGGER_TAG: BY_COMMAND} | ({SIMULATED_TAG: "true"} if simulated else {})
        with bar.running(total=total, calls=plan.calls):
            runs, crashes = _execute_runs(
                plan, settings, openf1, tally, tags=tags, accept_loss=accept_loss
            )
        counters = openf1.counters
    return Outcome(
        tally=tally,
        datasets=tuple(dataset.name for dataset in selection.datasets),
        lake_uri=lake.store.uri(""),
        runs=runs,
        crashes=[*crashes, *describe_unreadable(calendar)],
        counters=counters,
        seconds=time.monotonic() - began,
    )


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
    from f1_bronze.defs.record.provisional_names import note_names
    from f1_bronze.defs.resources import Deployment
    from f1_bronze.lake.errors import LakeError
    from f1_bronze.telemetry.outbound import SinkUnavailable

    definitions = assemble(settings, openf1=openf1, progress=tally)
    runs: list[str] = []
    crashes: list[str] = []
    with open_instance() as instance:
        register(instance, [session.partition for session in plan.sessions])
        for name in note_names(instance, plan.sessions):
            where = f"{name.partition.key}: {name.text}"
            stderr().print(where, style="yellow", markup=False, soft_wrap=True)
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
                crashes.append(INGEST_INTERRUPTED)
                break
            if not result.success and len(tally.failures) == failures_before:
                crashes.append(describe_crash(result))
            # What it has read hangs in circles of few objects, which Python would not come to soon.
            del result
            gc.collect()
        try:
            emit_now(instance, Deployment(settings), runs)
        except (LakeError, SinkUnavailable) as error:
            waiting = f"lineage and metrics are sent by `f1-bronze ui` later: {error}"
            stderr().print(waiting, style="yellow", markup=False, soft_wrap=True)
    return runs, crashes
