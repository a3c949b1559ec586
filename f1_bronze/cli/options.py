"""What commands share: argument types, selections of sessions, errors as exit statuses."""

import json
import re
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar

import click

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.partition import PartitionKeyError, SessionPartition
from f1_bronze.settings import (
    HomeUnusable,
    SettingError,
    Settings,
    dagster_home,
    parse_session_types,
)

if TYPE_CHECKING:
    from f1_bronze.defs.automation.launch import Plan
    from f1_bronze.lake.lake import Lake
    from f1_bronze.openf1.calendar import Calendar, CalendarSession
    from f1_bronze.openf1.shared_requests import OpenF1

FAILED, WRONG_USE, CLOSED, INTERRUPTED = 1, 2, 3, 130
"""Exit statuses. CLOSED: the API is closed for a live session, come back later."""

_T = TypeVar("_T")


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
                self.fail(f"{value!r} is not a season; write 2025, 2023-2025 or 2023,2025.")
            years |= set(range(first, last + 1))
        return tuple(sorted(years))


class Time(click.ParamType[datetime]):
    """`2025-04-14` or `2025-04-14T06:00:00+02:00`; UTC where no offset is given."""

    name = "time"

    def convert(self, value: Any, param: Any, ctx: Any) -> datetime:
        """The time in UTC; a usage error for anything else."""
        try:
            time = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is not a time; write 2025-04-14 or 2025-04-14T06:00:00 (UTC).")
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


seasons_argument = click.argument("seasons", type=Seasons())
session_type_option = click.option(
    "--session-type", "session_types", multiple=True, help="race, sprint, … or all; repeatable."
)
as_json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON for other programs."
)


def selection_options(command: Callable[..., _T]) -> Callable[..., _T]:
    """The options by which `ingest` and `backfill` select sessions; `Selection.typed` reads them.

    SEASONS come first, from the command: `backfill` can do without.
    """
    for option in reversed(
        (
            click.option(
                "--grand-prix", "grands_prix", multiple=True, help="Slug or name; repeatable."
            ),
            session_type_option,
            click.option(
                "--dataset", "datasets", multiple=True, help="laps, results, …; repeatable."
            ),
            click.option(
                "--missing", is_flag=True, help="Only what is not stored, recorded and checked yet."
            ),
            click.option(
                "--recent",
                type=click.IntRange(min=1),
                metavar="DAYS",
                help="Only sessions of the last DAYS.",
            ),
            click.option(
                "--all", "everything", is_flag=True, help="Every session again (the default)."
            ),
        )
    ):
        command = option(command)
    return command


def reports_errors(command: Callable[..., _T]) -> Callable[..., _T]:
    """Errors that the user can fix end the command with a sentence, not with a traceback."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> _T:
        try:
            return command(*args, **kwargs)
        except Exception as error:
            status = _exit_status(error)
            if status is None:
                raise
            exit_with(error, status, as_json=kwargs.get("as_json", False))

    return run


def exit_with(error: Exception, status: int, *, as_json: bool) -> NoReturn:
    """Print the error on standard error, as JSON on standard output too, and exit."""
    if as_json:
        printed = {"status": status, "error": type(error).__name__, "message": str(error)}
        click.echo(json.dumps(printed, ensure_ascii=False))
    click.echo(f"f1-bronze: {error}", err=True)
    sys.exit(status)


def _exit_status(error: Exception) -> int | None:
    """The exit status for an error; None for one that the user can do nothing about."""
    from f1_bronze.cli.deployment import DeploymentError
    from f1_bronze.lake.errors import LakeAddressError, LakeError
    from f1_bronze.openf1.answers import ClosedForLiveSession, OpenF1Error
    from f1_bronze.openf1.budget_stores import BudgetSettingError, RateStoreError
    from f1_bronze.openf1.calendar import UnknownGrandPrix, UnknownSeason

    settings = (SettingError, BudgetSettingError, LakeAddressError)
    if isinstance(error, (*settings, UnknownGrandPrix, UnknownSeason)):
        return WRONG_USE
    if isinstance(error, ClosedForLiveSession):
        return CLOSED
    if isinstance(error, (OpenF1Error, LakeError, RateStoreError, HomeUnusable, DeploymentError)):
        return FAILED
    return None


def unknown(what: str, name: str, known: Collection[str]) -> click.UsageError:
    """The usage error for a name that does not exist: it suggests those that do.

    `what` is the sentence before the suggestions.
    """
    from f1_bronze.openf1.calendar import nearest

    near = nearest(name, known)
    meant = f" Did you mean {' or '.join(near)}?" if near else ""
    return click.UsageError(f"{what}{meant} Choose from {', '.join(known)}.")


def find_dataset(name: str) -> Dataset:
    """The dataset of that name; a usage error if there is none."""
    by_name = {dataset.name: dataset for dataset in DATASETS}
    if name not in by_name:
        raise unknown(f"There is no dataset {name!r}.", name, by_name)
    return by_name[name]


@contextmanager
def suggesting_partitions(lake: "Lake", dataset: Dataset, key: str) -> Iterator[None]:
    """A partition that does not exist is a usage error that names similar ones in the lake."""
    from f1_bronze.lake import paths
    from f1_bronze.lake.errors import NotInLake
    from f1_bronze.openf1.calendar import nearest

    try:
        yield
    except (PartitionKeyError, NotInLake) as error:
        known = {
            found[1].key
            for entry in lake.store.list(paths.dataset_folder(dataset.name))
            if (found := paths.parse_file_path(entry.path))
        } | {
            kept.partition.key
            for entry in lake.store.list(paths.dataset_revisions(dataset.name))
            if (kept := paths.parse_kept_path(entry.path))
            and kept.kept_as is not paths.KeptAs.ARRIVED
        }
        near = nearest(key, known)
        similar = f" The lake has {', '.join(near)}, …" if near else ""
        raise click.UsageError(f"{error}{similar}") from error


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The sessions and datasets that a command is to work on.

    Attributes:
        grands_prix: names or slugs as typed; empty for all.
        session_types: slugs; None for every type.
        only_missing: leave out what is stored, recorded and checked.
        recent_days: leave out what ended longer ago; None for no limit.
    """

    years: tuple[int, ...]
    session_types: frozenset[str] | None
    grands_prix: tuple[str, ...] = ()
    datasets: tuple[Dataset, ...] = DATASETS
    only_missing: bool = False
    recent_days: int | None = None

    @classmethod
    def typed(
        cls,
        settings: Settings,
        *,
        seasons: tuple[int, ...],
        grands_prix: tuple[str, ...],
        session_types: tuple[str, ...],
        datasets: tuple[str, ...],
        missing: bool,
        recent: int | None,
        everything: bool,
    ) -> Self:
        """From the words of `selection_options`; a usage error for those that make no sense."""
        if missing + (recent is not None) + everything > 1:
            raise click.UsageError("--missing, --recent and --all exclude each other; give one.")
        chosen = [find_dataset(name) for name in datasets]
        return cls(
            years=seasons,
            grands_prix=grands_prix,
            session_types=select_session_types(session_types, settings),
            datasets=tuple(dataset for dataset in DATASETS if dataset in chosen or not chosen),
            only_missing=missing,
            recent_days=recent,
        )

    @property
    def seasons(self) -> str:
        """The years as text."""
        return ", ".join(map(str, self.years))

    def plan(
        self, openf1: "OpenF1", lake: "Lake", *, dry_run: bool = False
    ) -> "tuple[Calendar, Plan]":
        """Read the calendar, which has sessions of all types, and plan what is selected.

        A dry run makes no home for Dagster: where there is none, nothing is complete.
        """
        from f1_bronze.defs.automation.launch import Plan

        calendar, sessions = self.read_sessions(openf1, lake)
        held: dict[str, set[SessionPartition]] | None = None
        if self.only_missing:
            stored = {ds.name: lake.stored_partitions(ds.name, self.years) for ds in self.datasets}
            if dry_run and not dagster_home().exists():
                held = {name: set() for name in stored}
            else:
                held = _find_complete(stored)
        return calendar, Plan(sessions=sessions, datasets=self.datasets, held=held)

    def read_sessions(
        self, openf1: "OpenF1", lake: "Lake", *, with_record: bool = True
    ) -> "tuple[Calendar, tuple[CalendarSession, ...]]":
        """Read the calendar, and the sessions in it that are selected.

        A session keeps the partition that the lake has of it, or `with_record` the Dagster home.
        """
        from f1_bronze.defs.automation.launch import recent
        from f1_bronze.openf1.calendar import select_grands_prix

        placed = lake.session_partitions(self.years)
        if with_record and dagster_home().exists():
            placed |= _read_recorded_sessions(self.years, placed)
        calendar = openf1.calendar(self.years, placed)
        self._check_session_types(calendar)
        sessions = select_grands_prix(calendar, self.grands_prix).sessions
        if self.session_types is not None:
            sessions = tuple(s for s in sessions if s.partition.session_type in self.session_types)
        if self.recent_days is not None:
            sessions = recent(sessions, self.recent_days, datetime.now(UTC))
        return calendar, sessions

    def _check_session_types(self, calendar: "Calendar") -> None:
        known = {session.partition.session_type for session in calendar.sessions}
        known |= {"practice_1", "qualifying", "sprint_qualifying", "sprint", "race"}
        for name in sorted((self.session_types or set()) - known):
            what = f"{self.seasons} has no session of type {name!r}."
            raise unknown(what, name, [*sorted(known), "all"])


def _read_recorded_sessions(
    years: tuple[int, ...], stored: dict[int, SessionPartition]
) -> dict[int, SessionPartition]:
    """The partitions of sessions that Dagster has on record and the lake has not."""
    from f1_bronze.defs.automation.instance import open_instance
    from f1_bronze.defs.record.latest import recorded_sessions

    with open_instance() as instance:
        return recorded_sessions(instance, years, stored)


def _find_complete(stored: dict[str, set[SessionPartition]]) -> dict[str, set[SessionPartition]]:
    """What is stored, recorded and checked."""
    from f1_bronze.defs.automation.instance import open_instance
    from f1_bronze.defs.record.completeness import find_complete

    with open_instance() as instance:
        return find_complete(instance, stored)


def select_session_types(typed: tuple[str, ...], settings: Settings) -> frozenset[str] | None:
    """The session types that were typed, else those of the settings; None for every type."""
    return parse_session_types(",".join(typed)) if typed else settings.session_types
