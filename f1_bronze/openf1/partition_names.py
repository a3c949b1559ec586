"""A partition for each session, no two alike and none that ever moves.

Belongs here: joining sessions to meetings, and keeping partitions apart. Stays out: what is left
out of the calendar (calendar.py) and how names become slugs (grand_prix.py).
"""

import logging
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from f1_bronze.datasets.partition import PartitionKeyError, SessionPartition, slug

_GRAND_PRIX = re.compile(r"\bgrand\s+prix\b", re.IGNORECASE)

_RENAMED_TYPES = {"sprint_shootout": "sprint_qualifying"}  # renamed upstream in January 2026

_UNKNOWN_START = datetime.max.replace(tzinfo=UTC)


def session_type_slug(session_name: str) -> str:
    """The slug of a session name; a Sprint Shootout is a sprint qualifying.

    >>> session_type_slug("Sprint Shootout")
    'sprint_qualifying'
    """
    type_slug = slug(session_name)
    return _RENAMED_TYPES.get(type_slug, type_slug)


def grand_prix_slugs(meetings: Iterable[Mapping[str, Any]]) -> dict[int, str]:
    """Slug by meeting_key, for the meetings of one year, cancelled ones included.

    The name without "Grand Prix"; without a Latin letter in it the location, then the country,
    then `meeting_<key>`. Of several meetings with one slug the earliest (date_start, then
    meeting_key) keeps it and the others get `_<meeting_key>`. Records without an integer
    meeting_key are passed over; of several with the same key the first counts.
    """
    by_key: dict[int, Mapping[str, Any]] = {}
    for meeting in meetings:
        key = meeting.get("meeting_key")
        if type(key) is int:
            by_key.setdefault(key, meeting)
    in_order = sorted(by_key, key=lambda key: (_start(by_key[key]), key))
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


def is_meeting(record: Mapping[str, Any]) -> bool:
    """Whether a record has what sessions are joined and named by.

    >>> is_meeting({"meeting_key": 1229, "meeting_name": "Bahrain Grand Prix"}), is_meeting({})
    (True, False)
    """
    name = record.get("meeting_name")
    return type(record.get("meeting_key")) is int and isinstance(name, str) and bool(name.strip())


def without_grand_prix(name: str) -> str:
    """The name without the words "Grand Prix".

    >>> without_grand_prix("São Paulo Grand Prix")
    'São Paulo'
    """
    return " ".join(_GRAND_PRIX.sub(" ", name).split())


def moment(value: object) -> datetime | None:
    """A timestamp of OpenF1 in UTC; None when it is none or does not say its offset."""
    if not isinstance(value, str):
        return None
    try:
        parsed = datetime.fromisoformat(value)
        return parsed.astimezone(UTC) if parsed.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _plain_slug(key: int, meeting: Mapping[str, Any]) -> str:
    names = (meeting.get(field) for field in ("meeting_name", "location", "country_name"))
    slugs = (slug(without_grand_prix(name)) for name in names if isinstance(name, str))
    return next(filter(None, slugs), f"meeting_{abs(key)}")


def _start(meeting: Mapping[str, Any]) -> datetime:
    return moment(meeting.get("date_start")) or _UNKNOWN_START


_log = logging.getLogger("f1_bronze.openf1")

_PLACES = ("location", "circuit_short_name", "country_name")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A session record that can be read, on its way into the calendar.

    `home` is the meeting_key, or a negative stand-in shared by sessions of one place that have
    none. `partition` is None until placed, and stays so where no key can be formed.
    """

    session_key: int
    meeting_key: int | None
    home: int
    year: int
    session_name: str
    date_start: datetime
    date_end: datetime
    cancelled: bool
    record: dict[str, Any]
    grand_prix_name: str = ""
    partition: SessionPartition | None = None

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> "Entry | None":
        """The entry of a raw record; None when it lacks what a partition is made of."""
        key, year, name = (record.get(f) for f in ("session_key", "year", "session_name"))
        start, end = moment(record.get("date_start")), moment(record.get("date_end"))
        if type(key) is not int or type(year) is not int or not isinstance(name, str):
            return None
        if not name.strip() or start is None or end is None:
            return None
        meeting = record.get("meeting_key")
        meeting_key = meeting if type(meeting) is int else None
        return cls(
            session_key=key,
            meeting_key=meeting_key,
            home=-key if meeting_key is None else meeting_key,
            year=year,
            session_name=name,
            date_start=start,
            date_end=end,
            cancelled=record.get("is_cancelled") is True,
            record=dict(record),
        )


def place(
    entries: Sequence[Entry],
    meetings: Iterable[Mapping[str, Any]],
    placed: Mapping[int, SessionPartition],
) -> list[Entry]:
    """The entries (in the order of their start) with name and partition.

    Every session takes part, also one that is cancelled or yet to come, so that neither the time
    of reading nor a cancellation moves a name. Sessions in `placed` stay where they are; a new
    one whose place is taken gets its meeting's key as a suffix, or its own where the meeting is
    the same. A place held by a session that is not listed here at all (invented data in the same
    lake, or a session that upstream lost) is no reason to give another a name that it would keep:
    landing there is refused, aloud.
    """
    named = _with_homes(entries, {m["meeting_key"]: m for m in _readable(meetings)})
    owner: dict[SessionPartition, int | None] = {
        placed[entry.session_key]: entry.home for entry, _ in named if entry.session_key in placed
    }
    result = []
    for entry, grand_prix in named:
        partition = _partition(entry, grand_prix)
        if stays := placed.get(entry.session_key):
            if partition != stays:
                _log.warning(
                    "Session %d is named %s upstream now and stays in partition %s",
                    *(entry.session_key, partition.key if partition else "nothing", stays.key),
                )
            partition = stays
        elif partition is not None:
            partition = _free(entry, partition, owner)
            owner[partition] = entry.home
        result.append(replace(entry, partition=partition))
    return result


def _with_homes(
    entries: Sequence[Entry], meetings: Mapping[int, Mapping[str, Any]]
) -> list[tuple[Entry, str]]:
    """Each entry with the name and the slug of its Grand Prix."""
    homes: dict[int, dict[int, Mapping[str, Any]]] = defaultdict(dict)
    for meeting in meetings.values():
        if type(meeting.get("year")) is int:
            homes[meeting["year"]][meeting["meeting_key"]] = meeting
    strays: dict[tuple[int, str], int] = {}
    settled = []
    for entry in entries:
        home = entry.home
        if entry.meeting_key is None:
            home = strays.setdefault((entry.year, slug(_own_place(entry.record))), home)
        elif home in meetings:
            # Also where the meeting itself names no year, or another one.
            homes[entry.year].setdefault(home, meetings[home])
        if home not in homes[entry.year]:
            homes[entry.year][home] = _own_meeting(entry, home)
            if meetings:
                _log.warning(
                    "Meeting %s of session %d is not listed; its place names the Grand Prix",
                    *(entry.meeting_key, entry.session_key),
                )
        settled.append(replace(entry, home=home))
    slugs = {year: grand_prix_slugs(of_year.values()) for year, of_year in homes.items()}
    named = []
    for entry in settled:
        meeting = homes[entry.year][entry.home]
        name = meeting.get("meeting_name") or meeting.get("location") or ""
        cancelled = entry.cancelled or meeting.get("is_cancelled") is True
        named.append(
            (
                replace(entry, grand_prix_name=str(name), cancelled=cancelled),
                slugs[entry.year][entry.home],
            )
        )
    return named


def _readable(meetings: Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    for meeting in meetings:
        if type(meeting.get("meeting_key")) is int:
            yield meeting
        else:
            _log.warning("A meeting without meeting_key is passed over: %s", meeting.get("year"))


def _own_place(record: Mapping[str, Any]) -> str:
    names = (record.get(field) for field in _PLACES)
    return next((name for name in names if isinstance(name, str) and slug(name)), "")


def _own_meeting(entry: Entry, key: int) -> dict[str, Any]:
    """A stand-in for a meeting that is not listed, made of the session's own fields."""
    return {
        "meeting_key": key,
        "location": _own_place(entry.record),
        "date_start": entry.date_start.isoformat(),
    }


def _partition(entry: Entry, grand_prix: str) -> SessionPartition | None:
    try:
        return SessionPartition(
            year=entry.year,
            grand_prix=grand_prix,
            session_type=session_type_slug(entry.session_name),
        )
    except PartitionKeyError:
        _log.warning(
            "Session %d (%s, %d) has no name that makes a partition key and is left out",
            *(entry.session_key, entry.session_name, entry.year),
        )
        return None


def _free(
    entry: Entry, partition: SessionPartition, owner: Mapping[SessionPartition, int | None]
) -> SessionPartition:
    """The partition, with a suffix where another session has it."""
    if partition not in owner:
        return partition
    if owner[partition] != entry.home:
        moved = replace(partition, grand_prix=f"{partition.grand_prix}_{abs(entry.home)}")
        if moved not in owner:
            return moved
    moved = partition
    while moved in owner:
        moved = replace(moved, grand_prix=f"{moved.grand_prix}_{entry.session_key}")
    return moved
