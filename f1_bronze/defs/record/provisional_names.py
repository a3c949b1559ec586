"""Partitions that a place names until the calendar has the name of their Grand Prix.

Dagster's record alone knows of them: the materialization of such a partition has `named_by_place`,
one that a meeting named has `grand_prix`, and an observation says under which name the calendar has
come to list it. The lake has none of it, since a file's bytes follow from its rows.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import dagster as dg

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.datasets.sessions import SESSIONS
from f1_bronze.defs.partitions import asset_key, parse_key
from f1_bronze.defs.record.latest import RecordedMaterialization, read_latest
from f1_bronze.openf1.calendar import CalendarSession
from f1_bronze.openf1.partition_names import is_place_name

GRAND_PRIX = "grand_prix"
"""Metadata of sessions: the name of the Grand Prix, where a meeting gave it.

Of other datasets too where that is the name of the place."""

NAMED_BY_PLACE = "named_by_place"
"""Metadata of every dataset of a session that its place names, with what to do; absent else."""

MOVES_TO = "moves_to"
"""Metadata of an observation: the partition by the name that the calendar has come to list."""

_OBSERVATIONS_READ = 1000

Recorded = Mapping[Dataset, Mapping[str, RecordedMaterialization]]
"""The latest materializations by dataset and partition key."""


@dataclass(frozen=True, kw_only=True)
class ProvisionalName:
    """A stored session that has the name of its place.

    Attributes:
        moves_to: the partition of its Grand Prix's name; None where the calendar has none yet.
    """

    partition: SessionPartition
    moves_to: SessionPartition | None = None

    @property
    def text(self) -> str:
        """What that means and what to do, in the same words for the sessions of a season."""
        year = self.partition.year
        if self.moves_to is None:
            return (
                "Provisionally named by its place, since OpenF1 lists no meeting with a name for "
                f"it. It is stored here meanwhile; once OpenF1 lists one, `f1-bronze verify {year} "
                "--repair` moves it to its Grand Prix's name."
            )
        return (
            "Provisionally named by its place, and OpenF1 lists its Grand Prix now. "
            f"`f1-bronze verify {year} --repair` moves it there with all its revisions; until then "
            "it is stored here."
        )


def describe_naming(
    instance: dg.DagsterInstance,
    dataset: Dataset,
    listed: Mapping[SessionPartition, CalendarSession | None],
) -> dict[SessionPartition, dict[str, str]]:
    """The metadata that says by what each partition is named, for its next materialization.

    Datasets other than `sessions` have it only where the partition has the name of its place.

    Args:
        instance: whose record may know better than the calendar of today.
        dataset: that is being stored.
        listed: the sessions as the calendar lists them; None where it was not read.
    """
    doubtful = {p.key for p, one in listed.items() if one and is_place_name(p, one.record)}
    unread = {p.key for p, one in listed.items() if one is None}
    recorded = read_latest(instance, SESSIONS, unread)
    if doubtful:
        for events in read_all_latest(instance, doubtful).values():
            for key, event in events.items():
                if key not in recorded or event.value(GRAND_PRIX) is not None:
                    recorded[key] = event
    noted = _read_noted(instance, _marked(recorded))
    naming = {
        p: _describe_one(one, p, recorded.get(p.key), is_settled=noted.get(p.key) == p)
        for p, one in listed.items()
    }
    if dataset is SESSIONS:
        return naming
    return {
        p: words if NAMED_BY_PLACE in words or p.key in doubtful else {}
        for p, words in naming.items()
    }


def _describe_one(
    session: CalendarSession | None,
    partition: SessionPartition,
    recorded: RecordedMaterialization | None,
    *,
    is_settled: bool,
) -> dict[str, str]:
    name = recorded.value(GRAND_PRIX) if recorded else None
    mark = recorded.value(NAMED_BY_PLACE) if recorded else None
    if session is not None:
        is_firm = name is not None or is_settled
        if not is_firm and _is_provisional(session, was_marked=mark is not None):
            mark = ProvisionalName(partition=partition, moves_to=session.named).text
        elif session.named is not None or is_settled:
            name = session.grand_prix_name
    if name is not None:
        return {GRAND_PRIX: str(name)}
    return {} if mark is None else {NAMED_BY_PLACE: str(mark)}


def _is_provisional(session: CalendarSession, *, was_marked: bool) -> bool:
    """Whether its place names a session's partition, where no meeting is known to have done so.

    An event of an earlier release says neither; there the name itself must do.
    """
    if session.named == session.partition:
        return False
    return was_marked or is_place_name(session.partition, session.record)


def read_provisional(
    instance: dg.DagsterInstance, recorded: Recorded
) -> dict[str, ProvisionalName]:
    """Partition key → provisional name, of the partitions of these materializations.

    One query more, unless meetings named all of them.
    """
    named: set[str] = set()
    marked: set[str] = set()
    for events in recorded.values():
        for key, one in events.items():
            if one.value(GRAND_PRIX) is not None:
                named.add(key)
            elif one.value(NAMED_BY_PLACE) is not None:
                marked.add(key)
    sessions = recorded.get(SESSIONS, {})
    asked = (marked | sessions.keys()) - named
    noted = _read_noted(instance, asked)
    found = {}
    for key in sorted(asked):
        partition, moves_to = parse_key(key), noted.get(key)
        if partition is not None and moves_to != partition and (key in marked or moves_to):
            found[key] = ProvisionalName(partition=partition, moves_to=moves_to)
    return found


def read_all_latest(
    instance: dg.DagsterInstance, keys: Collection[str]
) -> dict[Dataset, Mapping[str, RecordedMaterialization]]:
    """The latest materializations of these partitions, of every dataset."""
    return {dataset: read_latest(instance, dataset, keys) for dataset in DATASETS}


def _marked(recorded: Mapping[str, RecordedMaterialization]) -> list[str]:
    return [key for key, one in recorded.items() if one.value(NAMED_BY_PLACE) is not None]


def _read_noted(instance: dg.DagsterInstance, keys: Collection[str]) -> dict[str, SessionPartition]:
    """The latest name that the calendar was seen to give to each of these partitions."""
    if not keys:
        return {}
    wanted = dg.AssetRecordsFilter(asset_key=asset_key(SESSIONS), asset_partitions=sorted(keys))
    found: dict[str, SessionPartition] = {}
    for record in instance.fetch_observations(wanted, limit=_OBSERVATIONS_READ).records:
        event = record.asset_observation
        if event is None or event.partition is None or event.partition in found:
            continue
        noted = event.metadata.get(MOVES_TO)
        if noted is not None and (named := parse_key(str(noted.value))):
            found[event.partition] = named
    return found


def note_names(
    instance: dg.DagsterInstance, sessions: Iterable[CalendarSession]
) -> list[ProvisionalName]:
    """Record which provisional partitions the calendar names now; those that are new are returned.

    The reader of the calendar records it: what is stored may not be stored again for weeks.
    Nothing is asked of the record where no partition has the name of its place.
    """
    listed = {
        one.partition.key: one
        for one in sessions
        if one.named is not None and is_place_name(one.partition, one.record)
    }
    recorded = read_all_latest(instance, listed)
    known = set().union(*recorded.values())
    named = {
        key
        for events in recorded.values()
        for key, event in events.items()
        if event.value(GRAND_PRIX) is not None
    }
    candidates = {key: one for key, one in listed.items() if key in known - named}
    before = _read_noted(instance, candidates)
    new = []
    for key, one in candidates.items():
        if one.named is None or before.get(key) in (one.named, one.partition):
            continue
        name = ProvisionalName(partition=one.partition, moves_to=one.named)
        moves = one.named != one.partition
        instance.report_runless_asset_event(
            dg.AssetObservation(
                asset_key=asset_key(SESSIONS),
                partition=key,
                description=name.text if moves else f"The name of {one.grand_prix_name}.",
                metadata={MOVES_TO: one.named.key, GRAND_PRIX: one.grand_prix_name},
            )
        )
        if moves:
            new.append(name)
    return new
