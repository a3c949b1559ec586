"""f1-bronze backfill: asks a running deployment for what `ingest` does here, and follows it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from f1_bronze.cli.ingest_outcome import (
    Outcome,
    describe_nothing_to_do,
    describe_unreadable,
    print_outcome,
    print_plan,
)
from f1_bronze.cli.options import (
    INTERRUPTED,
    Seasons,
    Selection,
    as_json_option,
    reports_errors,
    selection_options,
)
from f1_bronze.datasets import DATASETS
from f1_bronze.settings import Settings

if TYPE_CHECKING:
    from rich.console import Console

    from f1_bronze.cli.deployment import BackfillRun, BackfillState, RunEvent, RunningDeployment
    from f1_bronze.defs.automation.launch import Plan
    from f1_bronze.openf1.calendar import Calendar

_SECONDS_TO_START = 120.0
_SECONDS_BETWEEN_LOOKS = 2.0
_SECONDS_OF_SILENCE = 600.0
"""How long a deployment may be silent while it is followed: it is restarted or upgraded."""
_SECONDS_BETWEEN_LINES = 15.0
"""Where no terminal redraws a line."""

_CANCELED = "the backfill was cancelled; what is stored stays, and --missing resumes from here"


@click.command()
@click.argument("seasons", type=Seasons(), required=False)
@selection_options
@click.option("--dry-run", is_flag=True, help="Print the plan; ask for the calendar only.")
@click.option(
    "--deployment",
    metavar="URL",
    help="Address of the deployment's webserver; by default F1_BRONZE_DAGSTER_URL, or the "
    "instance of DAGSTER_HOME.",
)
@click.option("--follow", metavar="ID", help="Follow a backfill that is there; without SEASONS.")
@click.option("--cancel", metavar="ID", help="Cancel a backfill; without SEASONS.")
@as_json_option
@reports_errors
def backfill(
    seasons: tuple[int, ...] | None,
    deployment: str | None,
    follow: str | None,
    cancel: str | None,
    dry_run: bool,
    as_json: bool,
    **selected: Any,
) -> None:
    """Backfill the sessions of SEASONS (2025, 2023-2025, 2023,2025) on a deployment's workers.

    Takes the words of `ingest`. The calendar is read here (two API calls a season), everything else
    is done there. Ctrl-C leaves the backfill running.

    Exit status: 0 all stored, 1 something failed, 2 wrong use, 3 the API is closed for a live
    session, 130 interrupted.
    """
    if sum((seasons is not None, follow is not None, cancel is not None)) != 1:
        raise click.UsageError("Give SEASONS, or --follow ID, or --cancel ID.")
    settings = Settings.read()
    url = _check_url(deployment or settings.dagster_url)
    if seasons is None:
        with _open_deployment(url) as asked:
            if cancel is not None:
                asked.cancel(cancel)
                click.echo(f"The backfill {cancel} is being cancelled, within 30 s.", err=True)
                return
            sys.exit(_follow(asked, str(follow), url=url, as_json=as_json))
    selection = Selection.typed(settings, seasons=seasons, **selected)
    sys.exit(_backfill(selection, settings, url, dry_run=dry_run, as_json=as_json))


def _check_url(url: str) -> str:
    if url and not url.startswith(("http://", "https://")):
        raise click.UsageError(
            f"--deployment {url!r} is no address; give that of the webserver, such as "
            "http://127.0.0.1:3000."
        )
    return url


def _backfill(
    selection: Selection, settings: Settings, url: str, *, dry_run: bool, as_json: bool
) -> int:
    """Read the calendar, register the partitions, request the backfill and follow it."""
    from f1_bronze.cli.console import stderr, warnings_on
    from f1_bronze.defs.partitions import register
    from f1_bronze.defs.resources import openf1_resource, resolved
    from f1_bronze.lake.lake import Lake

    console = stderr()
    resource = resolved(openf1_resource(settings))
    budget, openf1 = resource.make_budget(), resource.make_openf1()
    lake = Lake.at(settings.lake_uri)
    # A plan alone needs the deployment only where that says what is missing.
    needed = not dry_run or (bool(url) and selection.only_missing)
    with (
        warnings_on(console),
        closing(openf1),
        _open_deployment(url) if needed else nullcontext() as asked,
    ):
        if url:
            calendar, plan = _plan_at(asked, selection, openf1, lake)
        else:
            calendar, plan = selection.plan(openf1, lake, dry_run=dry_run)
        if dry_run:
            print_plan(plan, calendar, budget.estimate(plan.calls), as_json=as_json)
            return 0
        assert asked is not None
        gaps = tuple(describe_unreadable(calendar))
        wanted = plan.wanted_keys()
        if not any(wanted.values()):
            console.print(describe_nothing_to_do(selection, calendar), soft_wrap=True)
            return _print_followed(_Followed({}), None, gaps, url=asked.place, as_json=as_json)
        register(asked, [session.partition for session in plan.sessions])
        backfill_id = asked.launch(wanted, title=f"f1-bronze backfill {selection.seasons}"[:100])
        size = f"{sum(map(len, wanted.values()))} datasets of sessions"
        said = f"Backfill {backfill_id}: {size} in at least {plan.calls} API calls."
        return _follow(asked, backfill_id, gaps, said=said, url=url, as_json=as_json)


def _plan_at(
    asked: RunningDeployment | None, selection: Selection, openf1: Any, lake: Any
) -> tuple[Calendar, Plan]:
    """The plan by what a remote deployment has on record, which is not read here."""
    from f1_bronze.datasets.partition import SessionPartition
    from f1_bronze.defs.automation.launch import Plan

    # The Dagster home of this machine, if it has one, is not the deployment's.
    calendar, sessions = selection.read_sessions(openf1, lake, with_record=False)
    held = None
    if selection.only_missing:
        assert asked is not None
        held = {
            dataset: {SessionPartition.parse(key) for key in keys}
            for dataset, keys in asked.complete_keys(selection.datasets).items()
        }
    return calendar, Plan(sessions=sessions, datasets=selection.datasets, held=held)


@contextmanager
def _open_deployment(url: str) -> Iterator[RunningDeployment]:
    """The deployment at an address, or that of `DAGSTER_HOME`; checked."""
    from f1_bronze.cli.deployment import RunningDeployment

    with nullcontext(RunningDeployment(url)) if url else _serve_instance() as asked:
        asked.check()
        yield asked


@contextmanager
def _serve_instance() -> Iterator[RunningDeployment]:
    """The deployment of `DAGSTER_HOME`, by a webserver of its own on loopback while inside.

    What executes backfills is the daemon that works for the same instance, here or elsewhere.
    """
    from f1_bronze.cli.deployment import RunningDeployment
    from f1_bronze.defs.automation.instance import WORKSPACE_FILE, open_instance, prepare_home

    home = prepare_home()
    with open_instance():  # the API's pool gets its limit
        pass
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    webserver = str(Path(sys.executable).with_name("dagster-webserver"))
    command = [webserver, "-h", "127.0.0.1", "-p", str(port), "-w", str(home / WORKSPACE_FILE)]
    with tempfile.TemporaryFile("w+") as log:
        # In a session of its own: Ctrl-C is for this command alone.
        process = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True, env=os.environ
        )
        try:
            _wait_until_listening(process, port, log)
            yield RunningDeployment(f"http://127.0.0.1:{port}", place=str(home))
        finally:
            process.terminate()
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_listening(process: subprocess.Popen[bytes], port: int, log: Any) -> None:
    from f1_bronze.cli.deployment import DeploymentError

    deadline = time.monotonic() + _SECONDS_TO_START
    while time.monotonic() < deadline and process.poll() is None:
        with closing(socket.socket()) as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    log.seek(0)
    lines = log.read().strip().splitlines() or ["it printed nothing"]
    raise DeploymentError(
        f"A webserver for the Dagster home did not start: {lines[-1]}. `f1-bronze doctor` checks "
        "the home; or name the webserver of the deployment with --deployment URL."
    )


def _follow(
    asked: RunningDeployment,
    backfill_id: str,
    gaps: tuple[str, ...] = (),
    *,
    said: str = "",
    url: str,
    as_json: bool,
) -> int:
    """Show progress until the backfill has ended, then what it did; Ctrl-C ends the looking."""
    from f1_bronze.cli.console import stderr
    from f1_bronze.cli.deployment import DeploymentError

    began = time.monotonic()
    console = stderr()
    at = f" --deployment {asked.place}" if url else ""
    page = f" Its page is {asked.place}/runs/b/{backfill_id}." if url else ""
    try:
        if said:
            console.print(said, soft_wrap=True)
        followed = _Followed(asked.targets(backfill_id))
        with _showing(console, followed) as show:
            answered = time.monotonic()
            while True:
                try:
                    state = asked.state(backfill_id)
                    followed.read(asked, state.runs)
                except DeploymentError as error:
                    silent_for = time.monotonic() - answered
                    if not error.is_silent or silent_for > _SECONDS_OF_SILENCE:
                        raise
                else:
                    answered = time.monotonic()
                    show()
                    if state.is_finished and all(run.is_finished for run in state.runs):
                        break
                time.sleep(_SECONDS_BETWEEN_LOOKS)
    except (KeyboardInterrupt, DeploymentError) as error:
        if isinstance(error, DeploymentError) and not error.is_silent:
            raise
        console.print(
            f"\nThe backfill {backfill_id} goes on.{page} Follow it with `f1-bronze backfill "
            f"--follow {backfill_id}{at}`, cancel it with `f1-bronze backfill --cancel "
            f"{backfill_id}{at}`.",
            soft_wrap=True,
            markup=False,
        )
        if isinstance(error, DeploymentError):
            raise
        return INTERRUPTED
    return _print_followed(
        followed,
        state,
        gaps,
        url=asked.place,
        as_json=as_json,
        seconds=time.monotonic() - began,
        backfill_id=backfill_id,
    )


@contextmanager
def _showing(console: Console, followed: _Followed) -> Iterator[Callable[[], None]]:
    """A bar on a terminal; elsewhere a line when something has changed, not too often."""
    if console.is_terminal:
        from rich.progress import BarColumn, Progress, TextColumn

        columns = (BarColumn(), TextColumn("{task.fields[note]}", style="dim"))
        with Progress(TextColumn("backfill"), *columns, console=console, transient=True) as bar:
            task = bar.add_task("backfill", total=followed.total, note=followed.note())
            yield lambda: bar.update(task, completed=followed.done, note=followed.note())
        return
    printed, at = "", -_SECONDS_BETWEEN_LINES

    def print_line() -> None:
        nonlocal printed, at
        if followed.note() != printed and time.monotonic() - at >= _SECONDS_BETWEEN_LINES:
            printed, at = followed.note(), time.monotonic()
            console.print(printed, style="dim", soft_wrap=True)

    yield print_line


class _Followed:
    """What the runs of a backfill have recorded so far, read event by event."""

    def __init__(self, targets: Mapping[str, tuple[str, ...]]) -> None:
        self._targets = {(name, key) for name, keys in targets.items() for key in keys}
        self._cursors: dict[str, str | None] = {}
        self._read_to_end: set[str] = set()
        self._runs: dict[str, BackfillRun] = {}
        self._stored: dict[tuple[str, str], RunEvent] = {}
        self._checks: dict[tuple[str, str, str], RunEvent] = {}
        self._failures: dict[tuple[str, str], tuple[str, str]] = {}
        self._broken: dict[str, str] = {}
        """By run: why it ended without listing what it could not store."""
        self._api: dict[str, Mapping[str, Any]] = {}

    @property
    def total(self) -> int:
        """Datasets of sessions that the backfill is to store."""
        return len(self._targets)

    @property
    def done(self) -> int:
        """How many of them are stored or failed."""
        return len(self._stored.keys() | self._failures.keys())

    def note(self) -> str:
        """Stored, failed, calls and runs in a line."""
        calls = sum(int(api.get("calls", 0)) for api in self._api.values())
        states = [run.status for run in self._runs.values()]
        running = sum(status in ("STARTED", "STARTING") for status in states)
        waiting = sum(status in ("QUEUED", "NOT_STARTED") for status in states)
        failed = f" · {len(self._failures)} failed" if self._failures else ""
        return (
            f"{len(self._stored)}/{self.total} stored{failed} · {calls} API calls · "
            f"{running} runs under way, {waiting} waiting"
        )

    def read(self, asked: RunningDeployment, runs: tuple[BackfillRun, ...]) -> None:
        """Read what is new in these runs."""
        for run in runs:
            self._runs[run.run_id] = run
            if run.run_id in self._read_to_end or run.status in ("QUEUED", "NOT_STARTED"):
                continue
            events, cursor = asked.events(run.run_id, self._cursors.get(run.run_id))
            self._cursors[run.run_id] = cursor
            for event in events:
                self._take(run.run_id, event)
            if run.is_finished:
                self._read_to_end.add(run.run_id)

    def _take(self, run_id: str, event: RunEvent) -> None:
        place = (event.dataset, event.partition)
        if event.kind == "MaterializationEvent":
            # A retry records again what the attempt before it stored: that one has the calls.
            self._stored.setdefault(place, event)
            self._failures.pop(place, None)
            self._api[run_id] = event.metadata.get("api_so_far") or self._api.get(run_id, {})
        elif event.kind == "AssetCheckEvaluationEvent":
            self._checks[*place, event.check] = event
        elif "failed" in event.metadata:
            causes = event.metadata.get("causes") or []
            for one in event.metadata["failed"]:
                why = causes[one["cause"]] if "cause" in one else ""
                self._failures[one["dataset"], one["partition"]] = (one["error"], why)
            self._api[run_id] = event.metadata.get("api") or self._api.get(run_id, {})
        else:
            self._broken.setdefault(run_id, event.message)

    def outcome(self, state: BackfillState | None, gaps: tuple[str, ...], **more: Any) -> Outcome:
        """Everything, as `ingest` reports it."""
        from f1_bronze.defs.run.tally import RunTally
        from f1_bronze.openf1.answers import Counters

        tally = RunTally()
        self._add_stored(tally)
        self._add_failures(tally)
        counters = sum((Counters(**api) for api in self._api.values()), Counters())
        return Outcome(
            tally=tally,
            datasets=tuple(
                ds.name for ds in DATASETS if any(ds.name == name for name, _ in self._targets)
            ),
            runs=list(self._runs),
            crashes=[*self._crashes(state), *gaps],
            counters=counters,
            lake_uri=self._lake_uri(),
            **more,
        )

    def _lake_uri(self) -> str:
        """The root of the deployment's lake, by where something was stored."""
        for (name, _), event in self._stored.items():
            uri = str(event.metadata.get("dagster/uri", ""))
            return uri.rpartition(f"bronze/{name}/year=")[0]
        return ""

    def _add_stored(self, tally: Any) -> None:
        from f1_bronze.datasets.partition import SessionPartition
        from f1_bronze.defs.metadata import COUNTED_REQUESTS
        from f1_bronze.lake.landing import Revision
        from f1_bronze.quality.verdicts import CheckVerdict, RuleVerdict, unpack_rules

        for (name, _), event in self._stored.items():
            one = tally.by_dataset[name]
            one.sessions += 1
            one.rows += int(event.metadata.get("dagster/row_count", 0))
            one.revisions[Revision(event.metadata["revision"])] += 1
            one.api_requests += int(
                event.metadata.get(COUNTED_REQUESTS, event.metadata.get("api_requests", 0))
            )
            one.seconds += float(event.metadata.get("extract_seconds", 0.0))
            if event.metadata["revision"] != Revision.UNCHANGED.value:
                tally.written.append(event.metadata["dagster/uri"])
        for (name, key, check), event in self._checks.items():
            rules = event.metadata.get("rules") or {}
            by_group = unpack_rules(rules if isinstance(rules, dict) else {check: rules})
            seconds = tally.by_dataset[name].seconds  # a check recorded elsewhere takes none here
            for group, listed in by_group.items():
                verdict = CheckVerdict(
                    dataset=name,
                    check=group,
                    partition=SessionPartition.parse(key),
                    rules=tuple(map(RuleVerdict.from_json, listed)),
                )
                tally.add_check(verdict)
            tally.by_dataset[name].seconds = seconds

    def _add_failures(self, tally: Any) -> None:
        from f1_bronze.cli.ingest_outcome import RecordedError
        from f1_bronze.defs.record.failure_causes import (
            NotChecked,
            RowsMissing,
            RulesBroken,
        )
        from f1_bronze.defs.run.failures import IngestFailure
        from f1_bronze.lake.landing import Revision

        known = {kind.__name__: kind for kind in (NotChecked, RowsMissing, RulesBroken)}
        by_name = {dataset.name: dataset for dataset in DATASETS}
        for (name, key), (kind, why) in self._failures.items():
            error = known[kind](why) if kind in known else RecordedError(why, kind=kind)
            tally.add_failure(IngestFailure(dataset=by_name[name], key=key, error=error))
            if kind == RowsMissing.__name__:
                tally.by_dataset[name].sessions += 1
                tally.by_dataset[name].revisions[Revision.REFUSED] += 1

    def _crashes(self, state: BackfillState | None) -> Iterator[str]:
        if state is None:
            return
        if state.error:
            yield f"Dagster could not go on with the backfill: {state.error}"
        if state.status == "CANCELED":
            yield _CANCELED
        repeated = {run.parent_run_id for run in self._runs.values()}
        for run in self._runs.values():
            if run.status == "FAILURE" and run.run_id in self._broken.keys() - repeated:
                yield (
                    f"run {run.run_id[:8]} broke: {self._broken[run.run_id]} (the deployment's UI "
                    "shows its log)"
                )
        left = self._targets - self._stored.keys() - self._failures.keys()
        if left and state.status != "CANCELED":
            name, key = min(left)
            more = f" and {len(left) - 1} more" if len(left) > 1 else ""
            yield (
                f"{key} {name}{more} were not reached, because what they follow failed; "
                "`f1-bronze backfill SEASONS --missing` asks for them"
            )


def _print_followed(
    followed: _Followed,
    state: BackfillState | None,
    gaps: tuple[str, ...],
    *,
    url: str,
    as_json: bool,
    seconds: float = 0.0,
    backfill_id: str = "",
) -> int:
    """Print what a backfill did as `ingest` prints it; the exit status."""
    outcome = followed.outcome(state, gaps, deployment=url, backfill=backfill_id, seconds=seconds)
    print_outcome(outcome, as_json=as_json)
    return outcome.status
