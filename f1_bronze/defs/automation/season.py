"""The running seasons as schedules and sensors see them: two API calls, within a tick's time."""

from collections.abc import Collection, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

import dagster as dg

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.defs.record.latest import recorded_sessions
from f1_bronze.defs.resources import Deployment
from f1_bronze.lake.errors import LakeError
from f1_bronze.openf1.answers import OpenF1Error
from f1_bronze.openf1.budget_stores import BudgetSettingError, RateStoreError
from f1_bronze.openf1.calendar import Calendar, CalendarSession, read_calendar

UNREADABLE = (OpenF1Error, LakeError, RateStoreError, BudgetSettingError)
"""Why a tick cannot see the running seasons; each message ends with the remedy."""


class NamesMissing(OpenF1Error):
    """Hardly a meeting is listed, and sessions are named after them: look again later."""

    def __init__(self, years: tuple[int, ...]) -> None:
        super().__init__(
            f"OpenF1 lists hardly a meeting of {', '.join(map(str, years))}; the calendar is read "
            "once more before places name the sessions, provisionally."
        )
        self.years = years


@dataclass(frozen=True, kw_only=True)
class RunningSeasons:
    """What OpenF1 lists of the running seasons, and what the lake holds of them.

    Attributes:
        calendar: all sessions, of every type.
        wanted: those that have ended and are of the types that are ingested.
        stored: the partitions in the lake, by name of the dataset.
    """

    calendar: Calendar
    wanted: tuple[CalendarSession, ...]
    stored: Mapping[str, Collection[SessionPartition]]


def read_running_seasons(
    instance: dg.DagsterInstance,
    deployment: Deployment,
    now: datetime,
    *,
    named_by_place: Collection[int] = (),
) -> RunningSeasons:
    """The running seasons as of `now`; nothing is remembered.

    Two calls at most, each tried once and each after at most ten seconds of waiting for the
    shared budget; with paid access a login precedes them. `named_by_place` are years known to
    lack meetings.

    Raises:
        NamesMissing: a year lacks meetings that did not before.
        UnknownSeason: a season that has begun is not listed, which is a slip of the API.
        OpenF1Error: the API did not answer, or not in time.
        LakeError: the lake cannot be listed.
    """
    years = running_years(now)
    placed = deployment.lake.session_partitions(years)
    placed |= recorded_sessions(instance, years, placed)
    with closing(deployment.openf1.make_hurried_client()) as client:
        calendar = read_calendar(
            client,
            years,
            now=now,
            session_types=None,
            placed=placed,
            looks=1,
            may_be_absent=not_listed_yet(now),
        )
    if not set(calendar.nameless) <= set(named_by_place):
        raise NamesMissing(calendar.nameless)
    types = deployment.settings.session_types
    return RunningSeasons(
        calendar=calendar,
        wanted=tuple(
            session
            for session in calendar.sessions
            if types is None or session.partition.session_type in types
        ),
        stored={ds.name: deployment.lake.stored_partitions(ds.name, years) for ds in DATASETS},
    )


def running_years(now: datetime) -> tuple[int, ...]:
    """The seasons that may have sessions about now: two of them in December and January.

    >>> running_years(datetime(2026, 1, 5)), running_years(datetime(2026, 11, 30))
    ((2025, 2026), (2026,))
    """
    others = {12: (now.year + 1,), 1: (now.year - 1,)}.get(now.month, ())
    return tuple(sorted({now.year, *others}))


def not_listed_yet(now: datetime) -> tuple[int, ...]:
    """The season that OpenF1 may not know about now: the coming one until the end of February.

    >>> [not_listed_yet(datetime(2026, month, 1)) for month in (1, 2, 3, 11, 12)]
    [(2026,), (2026,), (), (), (2027,)]
    """
    return {12: (now.year + 1,), 1: (now.year,), 2: (now.year,)}.get(now.month, ())
