"""What was typed at `f1-bronze ingest`, and the plan that follows from it.

Belongs here: from words to sessions and datasets, and the plan for people. Stays out: carrying it
out (ingest.py), what a plan is (defs/launch.py).
"""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import Dataset

if TYPE_CHECKING:
    from f1_bronze.defs.launch import Plan
    from f1_bronze.defs.resources import OpenF1
    from f1_bronze.lake.lake import Lake
    from f1_bronze.openf1.calendar import Calendar


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


def datasets_named(names: tuple[str, ...]) -> tuple[Dataset, ...]:
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


def plan_of(wish: Wish, openf1: "OpenF1", lake: "Lake") -> "tuple[Calendar, Plan]":
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


def print_plan(plan: "Plan", calendar: "Calendar", seconds: float, as_json: bool) -> None:
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


def nothing_to_do(wish: Wish, calendar: "Calendar") -> str:
    types = "any type" if wish.session_types is None else " or ".join(sorted(wish.session_types))
    why = "that the lake does not hold yet" if wish.only_missing else "that has ended"
    return (
        f"Nothing to ingest: {_years(wish)} has no session of {types} {why}. "
        f"The calendar lists {len(calendar.sessions)} ended sessions in all."
    )


def _years(wish: Wish) -> str:
    return ", ".join(str(year) for year in wish.years)
