"""Sessions that a place names: which of them OpenF1 names by now, and their way to that name."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg

from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.datasets.sessions import SESSIONS
from f1_bronze.defs.partitions import (
    F1_RACE_SESSIONS,
    F1_SESSIONS,
    UNFINISHED,
    asset_key,
    parse_key,
    read_registered,
)
from f1_bronze.defs.record.provisional_names import (
    NAMED_BY_PLACE,
    ProvisionalName,
    read_all_latest,
    read_provisional,
)
from f1_bronze.lake.errors import LakeError, LakeUnavailable
from f1_bronze.lake.moving import move_session
from f1_bronze.openf1.answers import OpenF1Error
from f1_bronze.openf1.budget_stores import BudgetSettingError, RateStoreError
from f1_bronze.openf1.calendar import CalendarSession, read_calendar

if TYPE_CHECKING:
    from f1_bronze.defs.resources import Deployment
    from f1_bronze.lake.lake import Lake


@dataclass(frozen=True, kw_only=True)
class ProvisionalSession:
    """A session that is stored under the name of its place.

    Attributes:
        name: with the partition that it is to move to, if OpenF1 or the record knows one.
        grand_prix: the name of its Grand Prix; empty where OpenF1 was not asked or has none.
        detail: why OpenF1 could not be asked; empty where it was.
    """

    session_key: int
    name: ProvisionalName
    grand_prix: str = ""
    detail: str = ""


def find_provisional(
    instance: dg.DagsterInstance, deployment: "Deployment", years: Collection[int]
) -> list[ProvisionalSession]:
    """The sessions in the lake that their place names, and the names that OpenF1 has for them now.

    OpenF1 is asked, in two calls, only where there are any; each call is tried once.
    """
    lake = deployment.lake
    keys = {partition: session_key for _, partition, session_key in lake.places(years)}
    recorded = read_all_latest(instance, {partition.key for partition in keys})
    names = read_provisional(instance, recorded)
    if not names:
        return []
    listed: Mapping[int, CalendarSession] = {}
    detail = ""
    try:
        listed = _read_listed(deployment, {name.partition.year for name in names.values()})
    except (OpenF1Error, RateStoreError, BudgetSettingError) as error:
        detail = f" OpenF1 could not be asked for its name: {error}"
    found = []
    for name in names.values():
        one = listed.get(keys[name.partition])
        moves_to = one.named if one is not None and one.named else name.moves_to
        if moves_to == name.partition:
            continue
        found.append(
            ProvisionalSession(
                session_key=keys[name.partition],
                name=ProvisionalName(partition=name.partition, moves_to=moves_to),
                grand_prix=one.grand_prix_name if one is not None and one.named else "",
                detail=detail,
            )
        )
    return found


def _read_listed(deployment: "Deployment", years: Collection[int]) -> dict[int, CalendarSession]:
    with closing(deployment.openf1.make_hurried_client()) as client:
        calendar = read_calendar(
            client,
            sorted(years),
            now=deployment.now(),
            session_types=None,
            placed=deployment.lake.session_partitions(years),
            looks=1,
        )
    return {session.session_key: session for session in calendar.sessions}


def move(lake: "Lake", session: ProvisionalSession) -> str:
    """Move its files and revisions to its Grand Prix's name; why it stays, empty where it moved."""
    assert session.name.moves_to is not None
    try:
        move_session(lake.store, session.session_key, session.name.partition, session.name.moves_to)
    except LakeUnavailable:
        raise
    except LakeError as error:
        return f" It was not moved: {error}"
    return ""


def find_given_up(
    instance: dg.DagsterInstance, lake: "Lake", years: Collection[int]
) -> Iterator[tuple[SessionPartition, SessionPartition]]:
    """Registered provisional partitions without a file, whose session is in the second one now."""
    stored = {partition for _, partition, _ in lake.places(years)}
    empty = {
        partition.key
        for partition in read_registered(instance).sessions
        if partition.year in years and partition not in stored
    }
    homes = lake.session_partitions(years) if empty else {}
    found: dict[str, SessionPartition] = {}
    for events in read_all_latest(instance, empty).values():
        for key, event in events.items():
            home = homes.get(event.value("session_key"))
            if home is not None and event.value(NAMED_BY_PLACE) is not None:
                found[key] = home
    for key, home in sorted(found.items()):
        if partition := parse_key(key):
            yield partition, home


def give_up(instance: dg.DagsterInstance, moved: SessionPartition, home: SessionPartition) -> bool:
    """Take a partition that is empty now off Dagster's list; not while runs are under way."""
    if instance.get_runs_count(dg.RunsFilter(statuses=UNFINISHED)):
        return False
    instance.report_runless_asset_event(
        dg.AssetObservation(
            asset_key=asset_key(SESSIONS),
            partition=moved.key,
            description=f"Moved to {home.key} by f1-bronze verify --repair, with its revisions.",
        )
    )
    for definition in (F1_RACE_SESSIONS, F1_SESSIONS):
        if instance.has_dynamic_partition(str(definition.name), moved.key):
            instance.delete_dynamic_partition(str(definition.name), moved.key)
    return True
