"""The calendar: which sessions exist, the partition of each, and which are left out and why."""

import difflib
import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.openf1.answers import AnswerLimits, OpenF1Error
from f1_bronze.openf1.partition_names import (
    ListedSession,
    assign_partitions,
    choose_records,
    is_meeting,
    name_slugs,
    parse_time,
)

if TYPE_CHECKING:
    from f1_bronze.openf1.client import OpenF1Client  # brings in requests


_log = logging.getLogger("f1_bronze.openf1")

SETTLING = timedelta(minutes=45)
"""How long after its scheduled end a session counts as live: until then its data is incomplete."""

_SECOND_LOOK = 2.0  # seconds
_SHOWN = 80  # characters of a name in messages
_LISTED = 8  # names in one message


class UnknownSeason(OpenF1Error):
    """OpenF1 lists no session of a year: ask for another one."""


class UnknownGrandPrix(OpenF1Error):
    """No Grand Prix of the calendar has that name: choose one of those that exist."""


class LeftOutReason(StrEnum):
    """Why a session of the calendar is no partition."""

    CANCELLED = "cancelled"
    FUTURE = "future"
    LIVE = "live"
    NOT_SELECTED = "not_selected"
    UNPLACEABLE = "unplaceable"


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A session that is no partition; what an unplaceable record lacks is None.

    `partition` is the one that it has or would have, and `problem` why an unplaceable one has none.
    """

    session_key: int | None
    year: int | None
    name: str
    reason: LeftOutReason
    grand_prix: str | None = None
    partition: SessionPartition | None = None
    date_start: datetime | None = None
    date_end: datetime | None = None
    problem: str = ""
    titles: frozenset[str] = frozenset()
    places: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class CalendarSession:
    """A session that has ended and can be asked for; times in UTC, `record` as it came.

    `titles` and `places` are slugs of the names by which its Grand Prix is known. `named` is the
    partition that the name of its meeting gives now: another one than `partition` where it was
    stored under another name, None where no meeting with a name is listed.
    """

    partition: SessionPartition
    session_key: int
    meeting_key: int | None
    session_name: str
    grand_prix_name: str
    date_start: datetime
    date_end: datetime
    record: dict[str, Any] = field(hash=False, repr=False)
    titles: frozenset[str] = frozenset()
    places: frozenset[str] = frozenset()
    named: SessionPartition | None = None


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """Sessions in the order of their start, and what was left out.

    `nameless` are years of which hardly any meeting was listed: places name their Grands Prix.
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
    records = _fetch_sessions(client, wanted, may_be_absent)
    listed, left_out = _read_sessions(records, wanted, client.answer_limits)
    meetings, nameless = _fetch_meetings(client, wanted, listed, looks)
    _report_gaps(listed, left_out, meetings, placed, wanted, now)
    sessions = []
    longest_name = client.answer_limits.name
    for session in assign_partitions(listed, meetings, placed, longest_name=longest_name):
        reason = _why_left_out(session, now, session_types, settling)
        if reason is None and session.partition is not None:
            sessions.append(_to_calendar_session(session, session.partition))
        else:
            left_out.append(_to_left_out(session, reason or LeftOutReason.UNPLACEABLE))
    _log_left_out(left_out)
    return Calendar(sessions=tuple(sessions), left_out=tuple(left_out), nameless=tuple(nameless))


def _fetch_sessions(
    client: "OpenF1Client", years: Sequence[int], may_be_absent: Collection[int]
) -> list[dict[str, Any]]:
    """The session records of these years; records that cannot be read prove no year unknown."""
    needed = set(years) - set(may_be_absent)

    def validate(records: list[dict[str, Any]]) -> str | None:
        read = [ListedSession.read(record) for record in records]
        known = {session.year for session in read if isinstance(session, ListedSession)}
        unread = any(isinstance(session, str) for session in read)
        strange = unread and not (known and known.issuperset(needed))
        return "records that are no sessions" if strange else None

    records = client.get("sessions", [("year", y) for y in years], validate=validate).records
    for year in years:
        listed = any(record.get("year") == year for record in records)
        if not listed and year not in may_be_absent:
            raise UnknownSeason(
                f"OpenF1 lists no sessions of {year}; ask for a season from 2023 on that has begun."
            )
    return records


def _fetch_meetings(
    client: "OpenF1Client", years: Sequence[int], sessions: Sequence[ListedSession], looks: int
) -> tuple[list[dict[str, Any]], list[int]]:
    """The meeting records of these years, and the years of which most are missing at every look.

    A place that names a session now is another partition later, so a slip is asked about again.
    """

    def validate(records: list[dict[str, Any]]) -> str | None:
        usable = sum(is_meeting(record) for record in records)
        return "records that are no meetings" if 2 * usable < len(records) else None

    asked = [("year", year) for year in years]
    records = client.get("meetings", asked, validate=validate).records
    for _ in range(looks - 1):
        if not (lacking := _years_without_meetings(records, sessions)):
            break
        _log.info("OpenF1 lists hardly any meeting of %s; asking once more.", lacking)
        client.pause(_SECOND_LOOK)
        records = [*records, *client.get("meetings", asked, validate=validate).records]
    if not records:
        _log.warning(
            "OpenF1 lists no meetings of %s, so places name the Grands Prix for now. Once it does, "
            "`f1-bronze verify %s --repair` moves these sessions to their Grand Prix's name.",
            ", ".join(map(str, years)),
            ",".join(map(str, years)),
        )
    return records, _years_without_meetings(records, sessions)


def _years_without_meetings(
    records: Iterable[Mapping[str, Any]], sessions: Iterable[ListedSession]
) -> list[int]:
    """Years in which most sessions name a meeting that is not listed."""
    listed = {record["meeting_key"] for record in records if is_meeting(record)}
    named, found = Counter[int](), Counter[int]()
    for session in sessions:
        if session.meeting_key is not None:
            named[session.year] += 1
            found[session.year] += session.meeting_key in listed
    return sorted(year for year in named if 2 * found[year] < named[year])


def select_grands_prix(calendar: Calendar, names: Collection[str]) -> Calendar:
    """The calendar of these Grands Prix only; all of them for no names.

    A name is the slug of a Grand Prix that took place, or any name that the calendar has for one:
    its own, the official one, location, circuit or country. Of two meetings with one name both are
    taken. `UnknownGrandPrix` for a name that no session has, whether it was left out or not.
    """
    if not names:
        return calendar
    wanted: set[CalendarSession | LeftOut] = set()
    for name in names:
        wanted |= _find_grand_prix(calendar, name)
    return replace(
        calendar,
        sessions=tuple(session for session in calendar.sessions if session in wanted),
        left_out=tuple(left for left in calendar.left_out if left in wanted),
    )


def _find_grand_prix(calendar: Calendar, name: str) -> set[CalendarSession | LeftOut]:
    """The sessions that a name means: the first kind of name that fits any of them counts."""
    typed, slugs = name.strip().lower(), name_slugs(name)
    everything: list[CalendarSession | LeftOut] = [*calendar.sessions, *calendar.left_out]
    placed = [one for one in everything if one.partition]
    found: set[CalendarSession | LeftOut] = (
        {one for one in calendar.sessions if one.partition.grand_prix == typed}
        or {one for one in everything if slugs & one.titles}
        or {one for one in placed if one.partition and one.partition.grand_prix in slugs}
        or {one for one in everything if slugs & one.places}
    )
    if found:
        return found
    known = {one.partition.grand_prix for one in placed if one.partition}
    near = nearest(min(slugs, key=len, default=name), known)
    meant = f"did you mean {' or '.join(near)}? " if near else ""
    raise UnknownGrandPrix(
        f"There is no Grand Prix {name!r}; {meant}choose from {', '.join(sorted(known))}."
    )


def nearest(name: str, choices: Iterable[str]) -> list[str]:
    """Up to three choices that look like the name, the nearest first."""
    return difflib.get_close_matches(name, sorted(choices), n=3)


def _read_sessions(
    records: Iterable[Mapping[str, Any]], years: Collection[int], limits: AnswerLimits
) -> tuple[list[ListedSession], list[LeftOut]]:
    """What can be read of the records, in the order of their start, and what cannot.

    Of a session that is listed twice with two times the later one is used: it has not ended before.
    """
    readable, left_out = [], []
    for record in records:
        excess = limits.find_excess(record)
        session = f"its record has {excess}" if excess else ListedSession.read(record)
        if isinstance(session, ListedSession) and session.year not in years:
            session = f"year is {session.year}, which was not asked for"
        if isinstance(session, ListedSession):
            readable.append(record)
        else:
            left_out.append(_unreadable(record, session))
    chosen = choose_records(
        readable,
        "session_key",
        lambda record: (parse_time(record["date_end"]), parse_time(record["date_start"])),
    )
    sessions = [ListedSession.read(record) for record in chosen.values()]
    read = [session for session in sessions if isinstance(session, ListedSession)]
    return sorted(read, key=lambda session: (session.date_start, session.session_key)), left_out


def _report_gaps(
    listed: Iterable[ListedSession],
    left_out: Iterable[LeftOut],
    meetings: Iterable[Mapping[str, Any]],
    placed: Mapping[int, SessionPartition],
    years: Collection[int],
    now: datetime,
) -> None:
    """Log what is known of these years and not listed: an answer may have been cut short."""
    sessions = list(listed)
    keys = {session.session_key for session in sessions} | {left.session_key for left in left_out}
    lost = sorted(
        f"{partition.key} (session {key})"
        for key, partition in placed.items()
        if partition.year in years and key not in keys
    )
    if lost:
        _log.warning(
            "OpenF1 does not list sessions that are known here: %s. They stay as they are. The "
            "list may have been cut short: run this again later.",
            _enumerate(lost),
        )
    of_meetings = {session.meeting_key for session in sessions}
    empty = sorted(
        {
            f"{meeting['year']} {str(meeting['meeting_name'])[:_SHOWN]}"
            for meeting in meetings
            if is_meeting(meeting)
            and meeting.get("year") in years
            and meeting.get("is_cancelled") is not True
            and meeting["meeting_key"] not in of_meetings
            and (parse_time(meeting.get("date_start")) or now) < now
        }
    )
    if empty:
        _log.warning(
            "OpenF1 lists no session of meetings that have begun: %s. The list may have been cut "
            "short: run this again later.",
            _enumerate(empty),
        )


def _enumerate(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def _unreadable(record: Mapping[str, Any], problem: str) -> LeftOut:
    key, year, name = (record.get(f) for f in ("session_key", "year", "session_name"))
    left = LeftOut(
        session_key=key if type(key) is int else None,
        year=year if type(year) is int else None,
        name=name[:_SHOWN] if isinstance(name, str) and name else "unnamed",
        reason=LeftOutReason.UNPLACEABLE,
        problem=problem,
    )
    _log.warning(
        "Session %s (%s, %s) cannot be placed and is left out: %s",
        *(left.session_key, left.name, left.year, problem),
    )
    return left


def _why_left_out(
    session: ListedSession,
    now: datetime,
    session_types: Collection[str] | None,
    settling: timedelta,
) -> LeftOutReason | None:
    """Why a session is no partition, if so; the selection comes first, which keeps logs short."""
    if session.partition is None:
        return LeftOutReason.UNPLACEABLE
    if session_types is not None and session.partition.session_type not in session_types:
        return LeftOutReason.NOT_SELECTED
    if session.cancelled:
        return LeftOutReason.CANCELLED
    if now < session.date_start:
        return LeftOutReason.FUTURE
    if now < session.date_end + settling:
        return LeftOutReason.LIVE
    return None


def _to_calendar_session(session: ListedSession, partition: SessionPartition) -> CalendarSession:
    return CalendarSession(
        partition=partition,
        session_key=session.session_key,
        meeting_key=session.meeting_key,
        session_name=session.session_name,
        grand_prix_name=session.grand_prix_name,
        date_start=session.date_start,
        date_end=session.date_end,
        record=session.record,
        titles=session.titles,
        places=session.places,
        named=session.named,
    )


def _to_left_out(session: ListedSession, reason: LeftOutReason) -> LeftOut:
    return LeftOut(
        session_key=session.session_key,
        year=session.year,
        name=f"{session.grand_prix_name[:_SHOWN]} {session.session_name[:_SHOWN]}",
        reason=reason,
        grand_prix=session.partition.grand_prix if session.partition else None,
        partition=session.partition,
        date_start=session.date_start,
        date_end=session.date_end,
        problem=session.problem,
        titles=session.titles,
        places=session.places,
    )


def _log_left_out(left_out: Iterable[LeftOut]) -> None:
    counts = Counter(left.reason for left in left_out)
    unselected = counts[LeftOutReason.NOT_SELECTED]
    for left in left_out:
        if left.reason is not LeftOutReason.NOT_SELECTED:
            _log.info(
                "%s: %s %s (session %s) is no partition",
                *(left.reason, left.year, left.name, left.session_key),
                extra={"session_key": left.session_key, "reason": str(left.reason)},
            )
    if unselected:
        _log.info(
            "%d sessions are of types that are not selected", counts[LeftOutReason.NOT_SELECTED]
        )
