"""How commands speak: exit statuses, errors as sentences, the --json option, seasons.

Belongs here: what every subcommand shares. Stays out: tables and progress (console.py).
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import Dataset
from f1_bronze.settings import HomeUnusable, SettingError

if TYPE_CHECKING:
    from f1_bronze.defs.automation.launch import Plan
    from f1_bronze.defs.resources import OpenF1
    from f1_bronze.lake.lake import Lake
    from f1_bronze.openf1.calendar import Calendar


FAILED, WRONG_USE, CLOSED, STOPPED = 1, 2, 3, 130

_T = TypeVar("_T")

as_json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON for other programs."
)


class Seasons(click.ParamType[tuple[int, ...]]):
    """`2025`, `2023-2025` or `2023,2025` as ascending years."""

    name = "seasons"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, ...]:
        """The years; a usage error for anything else."""
        years: set[int] = set()
        for part in str(value).split(","):
            match = re.fullmatch(r"\s*(\d{4})\s*(?:-\s*(\d{4})\s*)?", part)
            first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
            if not 1950 <= first <= last <= 2100:
                self.fail(f"{value!r} names no seasons; write 2025, 2023-2025 or 2023,2025.")
            years |= set(range(first, last + 1))
        return tuple(sorted(years))


class Moment(click.ParamType[datetime]):
    """`2025-04-14` or `2025-04-14T06:00:00+02:00`; UTC unless it says otherwise."""

    name = "time"

    def convert(self, value: Any, param: Any, ctx: Any) -> datetime:
        """The moment in UTC; a usage error for anything else."""
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no time; write 2025-04-14 or 2025-04-14T06:00:00, in UTC.")
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def told(command: Callable[..., _T]) -> Callable[..., _T]:
    """Errors that a person can mend are a sentence and an exit status, never a traceback."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> _T:
        from f1_bronze.lake.errors import LakeAddressError, LakeError
        from f1_bronze.openf1.answers import ClosedForLiveSession, OpenF1Error
        from f1_bronze.openf1.budget import PaceSettingError
        from f1_bronze.openf1.budget_stores import RateStoreError
        from f1_bronze.openf1.calendar import UnknownGrandPrix, UnknownSeason

        try:
            return command(*args, **kwargs)
        except (
            SettingError,
            PaceSettingError,
            LakeAddressError,
            UnknownGrandPrix,
            UnknownSeason,
        ) as error:
            _end(error, WRONG_USE, kwargs)
        except ClosedForLiveSession as error:
            _end(error, CLOSED, kwargs)
        except (OpenF1Error, LakeError, RateStoreError, HomeUnusable) as error:
            _end(error, FAILED, kwargs)

    return run


def _end(error: Exception, status: int, options: Mapping[str, Any]) -> NoReturn:
    if options.get("as_json"):
        told = {"status": status, "error": type(error).__name__, "message": str(error)}
        click.echo(json.dumps(told, ensure_ascii=False))
    click.echo(f"f1-bronze: {error}", err=True)
    sys.exit(status)


def dataset_named(name: str) -> Dataset:
    """The dataset of that name; a usage error that names the nearest when there is none."""
    from f1_bronze.openf1.calendar import nearest

    by_name = {dataset.name: dataset for dataset in DATASETS}
    if name not in by_name:
        near = nearest(name, by_name)
        meant = f"Did you mean {' or '.join(near)}? " if near else ""
        raise click.UsageError(
            f"There is no dataset {name!r}. {meant}Choose from {', '.join(by_name)}."
        )
    return by_name[name]


def nearest_in(lake: "Lake", dataset: Dataset, key: str) -> str:
    """A sentence with the nearest partitions that the lake holds or has held; empty if none is."""
    from f1_bronze.lake.paths import (
        KeptAs,
        dataset_folder,
        dataset_revisions,
        parse_file_path,
        parse_kept_path,
    )
    from f1_bronze.openf1.calendar import nearest

    known = {
        found[1].key
        for entry in lake.store.list(dataset_folder(dataset.name))
        if (found := parse_file_path(entry.path))
    } | {
        kept.partition.key
        for entry in lake.store.list(dataset_revisions(dataset.name))
        if (kept := parse_kept_path(entry.path)) and kept.kept_as is not KeptAs.ARRIVED
    }
    near = nearest(key, known)
    return f" In the lake are {', '.join(near)}, …" if near else ""


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
    from f1_bronze.defs.automation.launch import Plan, landed_in, recent
    from f1_bronze.openf1.calendar import select_grands_prix

    calendar = openf1.calendar(wish.years, lake.session_partitions(wish.years))
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
    from f1_bronze.cli.console import plain, print_json, print_rows, seconds_text

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
