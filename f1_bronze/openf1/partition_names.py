"""The partition of each session: its names from the calendar, no two alike, and none that moves."""

import json
import logging
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from f1_bronze.datasets.partition import (
    PartitionKeyError,
    SessionPartition,
    session_type_slug,
    slug,
    text_slug,
)

_log = logging.getLogger("f1_bronze.openf1")

_GRAND_PRIX = re.compile(r"\bgrand\s+prix\b", re.IGNORECASE)
_PLACES = ("location", "circuit_short_name", "country_name")
_UNKNOWN_START = datetime.max.replace(tzinfo=UTC)


def without_grand_prix(name: str) -> str:
    """The name without the words "Grand Prix".

    >>> without_grand_prix("São Paulo Grand Prix")
    'São Paulo'
    """
    return " ".join(_GRAND_PRIX.sub(" ", name).split())


def parse_time(value: object) -> datetime | None:
    """A timestamp of OpenF1 in UTC; None when it is not one, or has no offset."""
    if not isinstance(value, str):
        return None
    try:
        parsed = datetime.fromisoformat(value)
        return parsed.astimezone(UTC) if parsed.tzinfo else None
    except (ValueError, OverflowError):
        return None


def is_meeting(record: Mapping[str, Any]) -> bool:
    """Whether a record has what sessions are joined and named by.

    >>> is_meeting({"meeting_key": 1229, "meeting_name": "Bahrain Grand Prix"}), is_meeting({})
    (True, False)
    """
    name = record.get("meeting_name")
    return type(record.get("meeting_key")) is int and isinstance(name, str) and bool(name.strip())


def grand_prix_slugs(meetings: Iterable[Mapping[str, Any]]) -> dict[int, str]:
    """Slug by meeting_key, for the meetings of one year, cancelled ones included.

    The name without "Grand Prix"; without a Latin letter in it the location, then the country,
    then `meeting_<key>`. Of several meetings with one slug the earliest (date_start, then
    meeting_key) keeps it and the others get `_<meeting_key>`. Records without an integer
    meeting_key are passed over.
    """
    by_key = choose_records(meetings, "meeting_key", is_meeting)
    in_order = sorted(
        by_key, key=lambda key: (parse_time(by_key[key].get("date_start")) or _UNKNOWN_START, key)
    )
    plain = {key: _plain_slug(key, by_key[key]) for key in in_order}
    slugs: dict[int, str] = {}
    taken: set[str] = set()
    for key in in_order:
        name = plain[key]
        if name in taken:
            reserved = taken | set(plain.values())
            while name in reserved:
                name = f"{name}_{key}"
        taken.add(name)
        slugs[key] = name
    return slugs


def _plain_slug(key: int, meeting: Mapping[str, Any]) -> str:
    names = (meeting.get(field) for field in ("meeting_name", "location", "country_name"))
    words = (without_grand_prix(name) for name in names if isinstance(name, str))
    slugs = (text_slug(name, "grand_prix") for name in words)
    return next(filter(None, slugs), f"meeting_{abs(key)}")


@dataclass(frozen=True, kw_only=True)
class ListedSession:
    """A readable session record, on its way into the calendar.

    `weekend` is the meeting_key, or a negative stand-in shared by sessions of one place that have
    none. `titles` are slugs of the names of its Grand Prix, official ones too, and `places` those
    of location, circuit and country. `partition` is None until assigned, and stays so where no key
    can be formed; `problem` then says why. `named` is the partition that the name of its meeting
    gives, which is another one where a session is stored already; None where no meeting with a
    name is listed, and a place stands for it.
    """

    session_key: int
    meeting_key: int | None
    weekend: int
    year: int
    session_name: str
    date_start: datetime
    date_end: datetime
    cancelled: bool
    record: dict[str, Any]
    grand_prix_name: str = ""
    titles: frozenset[str] = frozenset()
    places: frozenset[str] = frozenset()
    partition: SessionPartition | None = None
    named: SessionPartition | None = None
    problem: str = ""

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> "ListedSession | str":
        """The session of a raw record, or what is wrong with what a partition is made of.

        >>> ListedSession.read({"session_key": "9", "session_name": "Race", "year": 2025})
        "session_key is '9', date_start is None, date_end is None"
        """
        key, year, name = (record.get(f) for f in ("session_key", "year", "session_name"))
        start, end = parse_time(record.get("date_start")), parse_time(record.get("date_end"))
        named = isinstance(name, str) and bool(name.strip())
        if type(key) is int and type(year) is int and named and start and end:
            meeting = record.get("meeting_key")
            meeting_key = meeting if type(meeting) is int else None
            return cls(
                session_key=key,
                meeting_key=meeting_key,
                weekend=-key if meeting_key is None else meeting_key,
                year=year,
                session_name=str(name),
                date_start=start,
                date_end=end,
                cancelled=record.get("is_cancelled") is True,
                record=dict(record),
            )
        wrong = {
            "session_key": type(key) is not int,
            "session_name": not named,
            "year": type(year) is not int,
            "date_start": start is None,
            "date_end": end is None,
        }
        return ", ".join(
            f"{field} is {repr(record.get(field))[:40]}" for field, bad in wrong.items() if bad
        )


def assign_partitions(
    sessions: Sequence[ListedSession],
    meetings: Iterable[Mapping[str, Any]],
    placed: Mapping[int, SessionPartition],
    *,
    longest_name: int,
) -> list[ListedSession]:
    """The sessions (in the order of their start) with name and partition.

    Every session takes part, also one that is cancelled or yet to come, so that neither the time
    of reading nor a cancellation moves a name. Sessions in `placed` keep their partition; a new
    one whose partition is taken gets its meeting's key as a suffix, or its own where the meeting
    is the same. A partition of a session that is not listed here at all (invented data in the same
    lake, or a session that upstream lost) is no reason to give another a name that it would keep:
    storing it there is refused, with an error. A name of more than `longest_name` characters makes
    no partition.
    """
    known = choose_records(meetings, "meeting_key", is_meeting)
    with_names = {key for key, meeting in known.items() if is_meeting(meeting)}
    named = _add_names(sessions, known)
    owners = {placed[one.session_key]: one.weekend for one, _ in named if one.session_key in placed}
    result = []
    for session, grand_prix in named:
        partition, problem = _to_partition(session, grand_prix, longest_name)
        by_name = partition
        if kept := placed.get(session.session_key):
            if partition != kept:
                _log.warning(
                    "Session %d is named %s upstream now and stays in partition %s",
                    *(session.session_key, partition.key if partition else "nothing", kept.key),
                )
            if partition is not None and partition != kept:
                by_name = _make_unique(session, partition, owners)
            partition, problem = kept, ""
        elif partition is not None:
            by_name = partition = _make_unique(session, partition, owners)
            owners[partition] = session.weekend
        elif problem:
            _log.warning(
                "Session %d (%d) is left out, because %s",
                session.session_key,
                session.year,
                problem,
            )
        named_by_meeting = by_name if session.weekend in with_names else None
        result.append(
            replace(session, partition=partition, named=named_by_meeting, problem=problem)
        )
    return result


def is_place_name(partition: SessionPartition, record: Mapping[str, Any]) -> bool:
    """Whether a partition has the name of the place in its session's record, or of a key alone.

    As it does where no meeting named it, but also where a Grand Prix is called after its city.

    >>> by_place = SessionPartition.parse("2026/sakhir_1282/race")
    >>> is_place_name(by_place, {"location": "Sakhir", "country_name": "Bahrain"})
    True
    >>> is_place_name(by_place, {"location": "Imola"})
    False
    """
    name, place = partition.grand_prix, text_slug(_place(record), "grand_prix")
    suffix = name.removeprefix(f"{place}_" if place else "meeting_")
    return name == place or (suffix != name and suffix.replace("_", "").isdigit())


def choose_records(
    records: Iterable[Mapping[str, Any]], key: str, rank: Callable[[Mapping[str, Any]], Any]
) -> dict[int, Mapping[str, Any]]:
    """One record for each value of a key field, whatever their order; contradictions are logged.

    Of several with one key the one of the highest rank is taken, of equal rank one by its content.
    Records whose key is not an integer are passed over.
    """
    by_key: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for record in records:
        value = record.get(key)
        if type(value) is int:
            if record not in by_key[value]:
                by_key[value].append(record)
        else:
            _log.warning("A record without %s is passed over (year %s).", key, record.get("year"))
    chosen = {}
    for value, several in by_key.items():
        text = {id(record): json.dumps(record, sort_keys=True, default=str) for record in several}
        ordered = sorted(several, key=lambda record: (rank(record), text[id(record)]))
        chosen[value] = ordered[-1]
        rivals = [record for record in ordered[:-1] if rank(record)]
        if rivals:
            fields = sorted(
                {
                    f
                    for record in rivals
                    for f in {**record, **chosen[value]}
                    if record.get(f) != chosen[value].get(f)
                }
            )
            _log.warning(
                "OpenF1 lists %s %d in %d records with different %s; that with %s is used.",
                *(key, value, len(several), ", ".join(fields)),
                ", ".join(f"{field} {str(chosen[value].get(field))[:40]}" for field in fields),
            )
    return chosen


def _add_names(
    sessions: Sequence[ListedSession], meetings: Mapping[int, Mapping[str, Any]]
) -> list[tuple[ListedSession, str]]:
    """Each session with the name and the slug of its Grand Prix."""
    by_year: dict[int, dict[int, Mapping[str, Any]]] = defaultdict(dict)
    for key, meeting in meetings.items():
        if type(meeting.get("year")) is int:
            by_year[meeting["year"]][key] = meeting
    stand_ins: dict[tuple[int, str], int] = {}
    joined = []
    for session in sessions:
        weekend, place = session.weekend, _place(session.record)
        if session.meeting_key is None:
            weekend = stand_ins.setdefault((session.year, slug(place)), weekend)
        elif weekend in meetings:
            # Also where the meeting itself has no year, or another one.
            by_year[session.year].setdefault(weekend, meetings[weekend])
        if weekend not in by_year[session.year]:
            by_year[session.year][weekend] = {
                "meeting_key": weekend,
                "location": place,
                "date_start": session.date_start.isoformat(),
            }
            if meetings:
                _log.warning(
                    "Meeting %s of session %d is not listed, so its place names the Grand Prix for "
                    "now; `f1-bronze verify` lists such sessions",
                    *(session.meeting_key, session.session_key),
                )
        joined.append(replace(session, weekend=weekend))
    slugs = {year: grand_prix_slugs(of_year.values()) for year, of_year in by_year.items()}
    named = []
    for session in joined:
        meeting = by_year[session.year][session.weekend]
        name = meeting.get("meeting_name") or meeting.get("location") or ""
        cancelled = session.cancelled or meeting.get("is_cancelled") is True
        both = (meeting, session.record)
        session = replace(
            session,
            grand_prix_name=str(name),
            cancelled=cancelled,
            titles=_slugs(both, ("meeting_name", "meeting_official_name")),
            places=_slugs(both, _PLACES),
        )
        named.append((session, slugs[session.year][session.weekend]))
    return named


def name_slugs(name: str) -> frozenset[str]:
    """The slugs by which a name can be meant: as it is, and without the words "Grand Prix".

    >>> sorted(name_slugs("São Paulo Grand Prix"))
    ['sao_paulo', 'sao_paulo_grand_prix']
    """
    return frozenset({slug(name), slug(without_grand_prix(name.replace("_", " ")))} - {""})


def _slugs(records: Iterable[Mapping[str, Any]], fields: Sequence[str]) -> frozenset[str]:
    names = (record.get(field) for record in records for field in fields)
    return frozenset().union(*(name_slugs(name) for name in names if isinstance(name, str)))


def _place(record: Mapping[str, Any]) -> str:
    names = (record.get(field) for field in _PLACES)
    return next((name for name in names if isinstance(name, str) and slug(name)), "")


def _to_partition(
    session: ListedSession, grand_prix: str, longest_name: int
) -> tuple[SessionPartition | None, str]:
    """The partition, or why there is none."""
    session_type = session_type_slug(session.session_name)
    longest = max(len(grand_prix), len(session_type))
    if longest > longest_name:
        return None, (
            f"its name has {longest} characters, more than the {longest_name} of "
            "F1_BRONZE_OPENF1_MAX_NAME"
        )
    try:
        partition = SessionPartition(
            year=session.year, grand_prix=grand_prix, session_type=session_type
        )
    except PartitionKeyError:
        return None, f"its name {session.session_name[:40]!r} makes no partition key"
    return partition, ""


def _make_unique(
    session: ListedSession, partition: SessionPartition, owners: Mapping[SessionPartition, int]
) -> SessionPartition:
    """The partition, with a suffix where another session has it."""
    if partition not in owners:
        return partition
    if owners[partition] != session.weekend:
        suffixed = f"{partition.grand_prix}_{abs(session.weekend)}"
        moved = replace(partition, grand_prix=suffixed)
        if moved not in owners:
            return moved
    moved = partition
    while moved in owners:
        moved = replace(moved, grand_prix=f"{moved.grand_prix}_{session.session_key}")
    return moved
