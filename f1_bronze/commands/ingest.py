"""f1-bronze ingest: sessions into the lake, through Dagster.

Belongs here: the options, and from the wish to the final table. Stays out: which runs are made
(defs/launch.py) and what they do (defs/ingestion.py).
"""

import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from f1_bronze.commands.outcome import Outcome, print_outcome
from f1_bronze.commands.speaking import CLOSED, FAILED, STOPPED, Seasons, as_json_option, told
from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import Dataset
from f1_bronze.settings import Settings, session_type_selection

if TYPE_CHECKING:
    from f1_bronze.defs.launch import Plan
    from f1_bronze.defs.progress import Account
    from f1_bronze.defs.resources import OpenF1
    from f1_bronze.lake.lake import Lake
    from f1_bronze.openf1.calendar import Calendar

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
        datasets=_datasets(datasets),
        only_missing=missing,
        recent_days=recent,
        accept_loss=accept_loss,
    )
    with _simulator_if(offline, settings) as settings:
        sys.exit(_ingest(wish, settings, dry_run=dry_run, as_json=as_json))


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What was typed. `session_types` None means every type."""

    years: tuple[int, ...]
    grands_prix: tuple[str, ...]
    session_types: frozenset[str] | None
    datasets: tuple[Dataset, ...]
    only_missing: bool
    recent_days: int | None
    accept_loss: bool


def _datasets(names: tuple[str, ...]) -> tuple[Dataset, ...]:
    from f1_bronze.openf1.calendar import nearest

    known = [dataset.name for dataset in DATASETS]
    for name in names:
        if name not in known:
            near = nearest(name, known)
            meant = f"Did you mean {' or '.join(near)}? " if near else ""
            raise click.UsageError(
                f"There is no dataset {name!r}. {meant}Choose from {', '.join(known)}."
            )
    return tuple(dataset for dataset in DATASETS if not names or dataset.name in names)


@contextmanager
def _simulator_if(offline: bool, settings: Settings) -> Iterator[Settings]:
    if not offline:
        yield settings
        return
    from f1_bronze.simulator.generated import GeneratedSeasons
    from f1_bronze.simulator.server import Simulator

    click.echo("Invented data from the embedded simulator.", err=True)
    with Simulator(GeneratedSeasons()) as simulator:
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
    from f1_bronze.commands.console import ProgressBar, screen, warnings_on
    from f1_bronze.defs.progress import Account
    from f1_bronze.defs.resources import openf1_resource, resolved
    from f1_bronze.lake.lake import Lake

    began = time.monotonic()
    lake = Lake.at(settings.lake_uri)
    lake.store.check()
    resource = resolved(openf1_resource(settings))
    console = screen()
    account = Account()
    bar = ProgressBar(console, account, estimate=resource.make_pace().estimate)
    openf1 = resource.make_openf1(observer=bar.tell)
    with warnings_on(console), closing(openf1):
        calendar, plan = _plan(wish, openf1, lake)
        if dry_run:
            _print_plan(plan, calendar, bar.estimate(plan.calls), as_json)
            return 0
        total = sum(len(refs) for refs in plan.wanted().values())
        if not total:
            console.print(_nothing_to_do(wish, calendar), soft_wrap=True)
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


def _plan(wish: Wish, openf1: "OpenF1", lake: "Lake") -> "tuple[Calendar, Plan]":
    """The sessions wished for, and what to ask for; the calendar holds all types."""
    from f1_bronze.defs.launch import Plan, landed_in, recent
    from f1_bronze.openf1.calendar import select_grands_prix

    calendar = openf1.calendar(wish.years, lake.placed(wish.years))
    _check_session_types(wish, calendar)
    chosen = select_grands_prix(calendar, wish.grands_prix).sessions
    if wish.session_types is not None:
        chosen = tuple(s for s in chosen if s.partition.session_type in wish.session_types)
    if wish.recent_days is not None:
        chosen = recent(chosen, wish.recent_days, datetime.now(UTC))
    landed = landed_in(lake, wish.datasets, wish.years) if wish.only_missing else None
    return calendar, Plan(sessions=chosen, datasets=wish.datasets, landed=landed)


def _check_session_types(wish: Wish, calendar: "Calendar") -> None:
    from f1_bronze.openf1.calendar import nearest

    known = {session.partition.session_type for session in calendar.sessions}
    known |= {"practice_1", "qualifying", "sprint_qualifying", "sprint", "race"}
    for name in sorted((wish.session_types or set()) - known):
        near = nearest(name, known)
        meant = f"Did you mean {' or '.join(near)}? " if near else ""
        raise click.UsageError(
            f"No session of {_years(wish)} has the type {name!r}. {meant}"
            f"Choose from {', '.join(sorted(known))}, or all."
        )


def _run_all(
    plan: "Plan",
    wish: Wish,
    settings: Settings,
    openf1: "OpenF1",
    account: "Account",
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Register the partitions and make the runs; their ids, and what broke unexpectedly."""
    from f1_bronze.definitions import assemble
    from f1_bronze.defs.ingestion import SESSIONS
    from f1_bronze.defs.instance import open_instance
    from f1_bronze.defs.launch import crash_of, execute, interrupted
    from f1_bronze.defs.partitions import register, registered
    from f1_bronze.defs.tags import BY_COMMAND, TRIGGER_TAG

    definitions = assemble(settings, openf1=openf1, progress=account)
    runs, crashes = [], []
    with open_instance() as instance:
        register(instance, [session.partition for session in plan.sessions])
        openf1.expect({d: refs for d, refs in plan.wanted().items() if d is not SESSIONS})
        for run in plan.runs(registered(instance)):
            told = len(account.failures)
            result = execute(
                run,
                definitions=definitions,
                instance=instance,
                accept_loss=wish.accept_loss,
                tags={TRIGGER_TAG: BY_COMMAND},
            )
            runs.append(result.run_id)
            if interrupted(result):
                crashes.append(INTERRUPTED)
                break
            if not result.success and len(account.failures) == told:
                crashes.append(crash_of(result))
    return tuple(runs), tuple(crashes)


def _unplaceable(calendar: "Calendar") -> tuple[str, ...]:
    """Sessions that the calendar lists and that cannot be asked for: a gap that must be told."""
    from f1_bronze.openf1.calendar import Reason

    return tuple(
        f"session {left.session_key or 'without a key'} ({left.name}) of the calendar is listed in "
        "a way that cannot be read, and was left out; run this again later, and report it to "
        "OpenF1 if it stays"
        for left in calendar.left_out
        if left.reason is Reason.UNPLACEABLE
    )


def _status(account: "Account", crashes: tuple[str, ...]) -> int:
    from f1_bronze.openf1.outcomes import ClosedForLiveSession

    if INTERRUPTED in crashes:
        return STOPPED
    if any(isinstance(failed.error, ClosedForLiveSession) for failed in account.failures):
        return CLOSED
    return FAILED if account.failures or crashes else 0


def _print_plan(plan: "Plan", calendar: "Calendar", seconds: float, as_json: bool) -> None:
    from f1_bronze.commands.console import plain, print_json, print_rows, seconds_text

    batches, wanted = plan.batches(), plan.wanted()
    rows = [
        {
            "dataset": dataset.name,
            "sessions": len(wanted[dataset]),
            "api_calls": len(sizes),
            "batches": sizes if as_json else " + ".join(map(str, sizes)),
        }
        for dataset, sizes in batches.items()
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
    console = plain()
    for session in plan.sessions:
        console.print(f"{session.partition.key}  ended {session.date_end:%Y-%m-%d %H:%M} UTC")
    console.print()
    print_rows(console, rows, total=True)
    left = ", ".join(f"{count} {reason}" for reason, count in sorted(left_out.items()))
    console.print(
        f"\nPlan: {len(plan.sessions)} sessions in {plan.calls} API calls, at least "
        f"{seconds_text(seconds)} by the call budget. Left out by the calendar: {left or 'none'}.",
        soft_wrap=True,
    )


def _nothing_to_do(wish: Wish, calendar: "Calendar") -> str:
    types = "any type" if wish.session_types is None else " or ".join(sorted(wish.session_types))
    why = "that the lake does not hold yet" if wish.only_missing else "that has ended"
    return (
        f"Nothing to ingest: {_years(wish)} has no session of {types} {why}. "
        f"The calendar lists {len(calendar.sessions)} ended sessions in all."
    )


def _years(wish: Wish) -> str:
    return ", ".join(str(year) for year in wish.years)
