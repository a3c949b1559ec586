"""Which sessions exist, and the partition of each.

Belongs here: reading sessions and meetings, what is left out and why, the choice of Grands Prix.
Stays out: how names become slugs (grand_prix.py), how partitions stay apart (placement.py) and
registering them with Dagster (defs/).
"""

import difflib
import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from f1_bronze.datasets.partition import SessionPartition, slug
from f1_bronze.openf1.answers import OpenF1Error
from f1_bronze.openf1.partition_names import Entry, is_meeting, moment, place, without_grand_prix

if TYPE_CHECKING:
    from f1_bronze.openf1.client import OpenF1Client  # brings in requests


_log = logging.getLogger("f1_bronze.openf1")

SETTLING = timedelta(minutes=45)

"""How long after its scheduled end a session counts as live: until then its data is incomplete."""

_SECOND_LOOK = 2.0  # seconds


class UnknownSeason(OpenF1Error):
    """OpenF1 lists no session of a year: ask for another one."""


class UnknownGrandPrix(OpenF1Error):
    """No Grand Prix of the calendar has that name: choose one of those that exist."""


class Reason(StrEnum):
    """Why a session of the calendar is no partition."""

    CANCELLED = "cancelled"
    FUTURE = "future"
    LIVE = "live"
    NOT_SELECTED = "not_selected"
    UNPLACEABLE = "unplaceable"


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A session that is no partition; what an unplaceable record lacks is None.

    `partition` is the one that it has or would have.
    """

    session_key: int | None
    year: int | None
    name: str
    reason: Reason
    grand_prix: str | None = None
    partition: SessionPartition | None = None
    date_start: datetime | None = None
    date_end: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class CalendarSession:
    """A session that has ended and can be asked for; times in UTC, `record` as it came."""

    partition: SessionPartition
    session_key: int
    meeting_key: int | None
    session_name: str
    grand_prix_name: str
    date_start: datetime
    date_end: datetime
    record: dict[str, Any] = field(hash=False, repr=False)


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """Sessions in the order of their start, and what was left out.

    `nameless` are years of which hardly a meeting was listed: places name their Grands Prix.
    """

    sessions: tuple[CalendarSession, ...]
    left_out: tuple[LeftOut, ...] = ()
    nameless: tuple[int, ...] = ()


def read_calendar(
    client: "OpenF1Client",
    years: Sequence[int],
    *,
    now: datetime,
    session_types: Collection[str] | None,
    placed: Mapping[int, SessionPartition] = MappingProxyType({}),
    settling: timedelta = SETTLING,
    looks: int = 2,
    may_be_absent: Collection[int] = (),
) -> Calendar:
    """The calendar of these years, in two calls; three where meetings are missing.

    Args:
        now: aware; what has not ended `settling` before it is left out.
        session_types: slugs to be taken, None for all.
        placed: partitions that session keys already have; they keep them.
        looks: how often missing meetings are asked for.
        may_be_absent: years without sessions that are no error.

    Raises:
        UnknownSeason: one of the years has no sessions at all.
        OpenF1Error: the API did not answer.
    """
    if not years:
        return Calendar(sessions=())
    if now.tzinfo is None:
        raise ValueError("`now` must say its offset; use datetime.now(UTC).")
    wanted = sorted(set(years))
    records = _sessions(client, wanted, may_be_absent)
    entries, left_out = _entries(records, wanted)
    meetings, nameless = _meetings(client, wanted, entries, looks)
    sessions = []
    for entry in place(entries, meetings, placed):
        reason = _reason(entry, now, session_types, settling)
        if reason is None and entry.partition is not None:
            sessions.append(_session(entry, entry.partition))
        else:
            left_out.append(_left_out(entry, reason or Reason.UNPLACEABLE))
    _log_left_out(left_out)
    return Calendar(sessions=tuple(sessions), left_out=tuple(left_out), nameless=tuple(nameless))


def _sessions(
    client: "OpenF1Client", years: Sequence[int], may_be_absent: Collection[int]
) -> list[dict[str, Any]]:
    """The session records of these years; records that cannot be read prove no year unknown."""

    needed = set(years) - set(may_be_absent)

    def validate(records: list[dict[str, Any]]) -> str | None:
        read = [Entry.read(record) for record in records]
        known = {entry.year for entry in read if entry is not None}
        strange = None in read and not (known and known.issuperset(needed))
        return "records that are no sessions" if strange else None

    records = client.get("sessions", [("year", y) for y in years], validate=validate).records
    for year in years:
        listed = any(record.get("year") == year for record in records)
        if not listed and year not in may_be_absent:
            raise UnknownSeason(
                f"OpenF1 lists no sessions of {year}; ask for a season from 2023 on that has begun."
            )
    return records


def _meetings(
    client: "OpenF1Client", years: Sequence[int], entries: Sequence[Entry], looks: int
) -> tuple[list[dict[str, Any]], list[int]]:
    """The meeting records of these years, and the years of which most are missing at every look.

    What sessions are named now they are named for good, so a slip of the API must not name them.
    """

    def validate(records: list[dict[str, Any]]) -> str | None:
        usable = sum(is_meeting(record) for record in records)
        return "records that are no meetings" if 2 * usable < len(records) else None

    asked = [("year", year) for year in years]
    records = client.get("meetings", asked, validate=validate).records
    for _ in range(looks - 1):
        if not (lacking := _years_without_meetings(records, entries)):
            break
        _log.info("OpenF1 lists hardly a meeting of %s; asking once more.", lacking)
        client.pause(_SECOND_LOOK)
        records = [*records, *client.get("meetings", asked, validate=validate).records]
    if not records:
        _log.warning("OpenF1 lists no meetings of %s; places name the Grands Prix.", list(years))
    return records, _years_without_meetings(records, entries)


def _years_without_meetings(
    records: Iterable[Mapping[str, Any]], entries: Iterable[Entry]
) -> list[int]:
    """Years in which most sessions name a meeting that is not listed."""
    listed = {record["meeting_key"] for record in records if is_meeting(record)}
    named, found = Counter[int](), Counter[int]()
    for entry in entries:
        if entry.meeting_key is not None:
            named[entry.year] += 1
            found[entry.year] += entry.meeting_key in listed
    return sorted(year for year in named if 2 * found[year] < named[year])


def select_grands_prix(calendar: Calendar, names: Collection[str]) -> Calendar:
    """The calendar of these Grands Prix only, by slug or by name; all of them for no names.

    `UnknownGrandPrix` for a name that no session has, whether it was left out or not.
    """
    if not names:
        return calendar
    wanted = {_wanted(name) for name in names}
    existing = {session.partition.grand_prix for session in calendar.sessions}
    known = existing | {left.grand_prix for left in calendar.left_out if left.grand_prix}
    for name in sorted(wanted - known):
        near = nearest(name, known)
        meant = f"did you mean {' or '.join(near)}? " if near else ""
        raise UnknownGrandPrix(
            f"No Grand Prix is named {name!r}; {meant}choose from {', '.join(sorted(known))}."
        )
    return replace(
        calendar,
        sessions=tuple(s for s in calendar.sessions if s.partition.grand_prix in wanted),
        left_out=tuple(left for left in calendar.left_out if left.grand_prix in wanted),
    )


def nearest(name: str, choices: Iterable[str]) -> list[str]:
    """Up to three choices that look like the name, the nearest first."""
    return difflib.get_close_matches(name, sorted(choices), n=3)


def _wanted(name: str) -> str:
    return slug(without_grand_prix(name.replace("_", " "))) or name


def _entries(
    records: Iterable[Mapping[str, Any]], years: Collection[int]
) -> tuple[list[Entry], list[LeftOut]]:
    """What can be read of the records, in the order of their start, and what cannot."""
    entries: dict[int, Entry] = {}
    left_out = []
    for record in records:
        entry = Entry.read(record)
        if entry is None or entry.year not in years:
            left_out.append(_unreadable(record))
        elif entry.session_key not in entries:
            entries[entry.session_key] = entry
    return sorted(entries.values(), key=lambda e: (e.date_start, e.session_key)), left_out


def _unreadable(record: Mapping[str, Any]) -> LeftOut:
    key, year = record.get("session_key"), record.get("year")
    lacking = [name for name in ("date_start", "date_end") if moment(record.get(name)) is None]
    _log.warning(
        "Session %s (%s, %s) cannot be placed and is left out: session_key, session_name, year or "
        "a date is missing or makes no sense%s.",
        *(key, record.get("session_name"), year, f" ({', '.join(lacking)})" if lacking else ""),
    )
    return LeftOut(
        session_key=key if type(key) is int else None,
        year=year if type(year) is int else None,
        name=str(record.get("session_name") or "unnamed"),
        reason=Reason.UNPLACEABLE,
    )


def _reason(
    entry: Entry, now: datetime, session_types: Collection[str] | None, settling: timedelta
) -> Reason | None:
    """Why an entry is no partition, None when it is one; the wish comes first: short logs."""
    if entry.partition is None:
        return Reason.UNPLACEABLE
    if session_types is not None and entry.partition.session_type not in session_types:
        return Reason.NOT_SELECTED
    if entry.cancelled:
        return Reason.CANCELLED
    if now < entry.date_start:
        return Reason.FUTURE
    if now < entry.date_end + settling:
        return Reason.LIVE
    return None


def _session(entry: Entry, partition: SessionPartition) -> CalendarSession:
    return CalendarSession(
        partition=partition,
        session_key=entry.session_key,
        meeting_key=entry.meeting_key,
        session_name=entry.session_name,
        grand_prix_name=entry.grand_prix_name,
        date_start=entry.date_start,
        date_end=entry.date_end,
        record=entry.record,
    )


def _left_out(entry: Entry, reason: Reason) -> LeftOut:
    return LeftOut(
        session_key=entry.session_key,
        year=entry.year,
        name=f"{entry.grand_prix_name} {entry.session_name}",
        reason=reason,
        grand_prix=entry.partition.grand_prix if entry.partition else None,
        partition=entry.partition,
        date_start=entry.date_start,
        date_end=entry.date_end,
    )


def _log_left_out(left_out: Iterable[LeftOut]) -> None:
    counts = Counter(left.reason for left in left_out)
    for left in left_out:
        if left.reason is not Reason.NOT_SELECTED:
            _log.info(
                "%s: %s %s (session %s) is no partition",
                *(left.reason, left.year, left.name, left.session_key),
                extra={"session_key": left.session_key, "reason": str(left.reason)},
            )
    if counts[Reason.NOT_SELECTED]:
        _log.info("%d sessions are of types that are not selected", counts[Reason.NOT_SELECTED])
