"""What the sensor openf1_calendar remembers between its ticks, and what has changed since."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import dagster as dg

from f1_bronze.defs.record.sensor_memory import MemoryLost, keep, recall
from f1_bronze.openf1.calendar import Calendar, LeftOutReason

CALENDAR_SENSOR = "openf1_calendar"

FORMAT = 1

CURSOR_FORMAT = 2
"""A cursor that refers to the sessions; one of format 1 holds them."""

CLOSED_AROUND = timedelta(minutes=30)
"""How long before and after a session the API is closed to free users."""

NEAR = timedelta(days=14)
"""Without a session so near, the calendar is read once a day."""

BETWEEN_SEASONS = timedelta(days=1)


class CursorError(ValueError):
    """A cursor that this sensor did not write."""


@dataclass(frozen=True, kw_only=True)
class SeenSession:
    """A session as the calendar listed it; `key` is the partition that it has or would have."""

    key: str
    name: str
    start: datetime
    end: datetime
    cancelled: bool = False

    def to_json(self) -> list[Any]:
        """As a short list: there are a hundred of them."""
        return [self.key, self.name, _text(self.start), _text(self.end), int(self.cancelled)]

    @classmethod
    def from_json(cls, written: list[Any]) -> "SeenSession":
        """What `to_json` wrote."""
        key, name, start, end, cancelled = written
        return cls(
            key=str(key),
            name=str(name),
            start=_moment(start),
            end=_moment(end),
            cancelled=bool(cancelled),
        )


@dataclass(frozen=True, kw_only=True)
class CalendarMemory:
    """What is known from earlier ticks.

    Attributes:
        looked_at: when the calendar was last read; None before the first time.
        closed_until: when to ask the API again, where it was closed.
        nameless: years of which hardly a meeting was listed.
        absent: registered keys for which the last calendar had no session.
        kept: those of them that stay, because something is stored of them.
        sessions: session key → what the calendar said of it.
    """

    looked_at: datetime | None = None
    closed_until: datetime | None = None
    nameless: tuple[int, ...] = ()
    absent: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()
    sessions: Mapping[int, SeenSession] = field(default_factory=dict)

    def to_json(self) -> str:
        """All of it, as text."""
        return json.dumps(
            {
                "format": FORMAT,
                "looked_at": _text(self.looked_at),
                "closed_until": _text(self.closed_until),
                "nameless": list(self.nameless),
                "absent": sorted(self.absent),
                "told": sorted(self.kept),
                "sessions": {str(key): seen.to_json() for key, seen in self.sessions.items()},
            },
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, cursor: str | None) -> "CalendarMemory":
        """What `to_json` wrote; `CursorError` when it is damaged or somebody else's."""
        if not cursor:
            return cls()
        try:
            written = json.loads(cursor)
            if written["format"] != FORMAT:
                raise CursorError(f"The cursor has format {written['format']}, not {FORMAT}.")
            return cls(
                looked_at=_moment(written["looked_at"]) if written["looked_at"] else None,
                closed_until=_moment(written["closed_until"]) if written["closed_until"] else None,
                nameless=tuple(int(year) for year in written["nameless"]),
                absent=frozenset(str(key) for key in written["absent"]),
                kept=frozenset(str(key) for key in written["told"]),
                sessions={
                    int(key): SeenSession.from_json(seen)
                    for key, seen in written["sessions"].items()
                },
            )
        except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as fault:
            if isinstance(fault, CursorError):
                raise
            raise CursorError("The cursor is damaged or not this sensor's.") from fault

    def to_cursor(self, instance: dg.DagsterInstance, *, before: str | None, now: datetime) -> str:
        """The cursor: what people ask for, and a reference to the sessions, which are kept aside.

        `before` is the cursor that the tick began with.
        """
        coming = [
            seen for seen in self.sessions.values() if seen.start > now and not seen.cancelled
        ]
        following = min(coming, key=lambda seen: seen.start, default=None)
        return json.dumps(
            {
                "format": CURSOR_FORMAT,
                "looked_at": _text(self.looked_at),
                "closed_until": _text(self.closed_until),
                "sessions": len(self.sessions),
                "next": [following.key, _text(following.start)] if following else None,
                "memory": keep(
                    instance, CALENDAR_SENSOR, self.to_json(), before=_reference(before)
                ),
            },
            ensure_ascii=False,
        )

    @classmethod
    def from_cursor(cls, instance: dg.DagsterInstance, cursor: str | None) -> "CalendarMemory":
        """What the cursor refers to, or holds itself, as earlier releases wrote it.

        `CursorError` when it is damaged, somebody else's, or refers to what is gone.
        """
        reference = _reference(cursor)
        if reference is None:
            return cls.from_json(cursor)
        try:
            return cls.from_json(recall(instance, CALENDAR_SENSOR, reference))
        except MemoryLost as lost:
            raise CursorError(str(lost)) from lost

    def live(self, now: datetime) -> SeenSession | None:
        """The session for which the API is closed now, by the calendar."""
        for seen in self.sessions.values():
            closed = seen.start - CLOSED_AROUND <= now <= seen.end + CLOSED_AROUND
            if closed and not seen.cancelled:
                return seen
        return None

    def next_look(self, now: datetime) -> datetime:
        """When the calendar is to be read again: at once, or a day later between seasons."""
        near = any(
            seen.start - NEAR <= now <= seen.end + NEAR
            for seen in self.sessions.values()
            if not seen.cancelled
        )
        if self.looked_at is None or near:
            return now
        return self.looked_at + BETWEEN_SEASONS


def seen_sessions(calendar: Calendar) -> dict[int, SeenSession]:
    """Every session of the calendar that has a name, those to come and cancelled ones too."""
    ended = {
        session.session_key: SeenSession(
            key=session.partition.key,
            name=f"{session.grand_prix_name} {session.session_name}",
            start=session.date_start,
            end=session.date_end,
        )
        for session in calendar.sessions
    }
    others = {
        left.session_key: SeenSession(
            key=left.partition.key,
            name=left.name,
            start=left.date_start,
            end=left.date_end,
            cancelled=left.reason is LeftOutReason.CANCELLED,
        )
        for left in calendar.left_out
        if left.session_key is not None
        and left.partition is not None
        and left.date_start is not None
        and left.date_end is not None
    }
    return ended | others


class ChangeKind(StrEnum):
    """What OpenF1 does to sessions that it has announced."""

    CANCELLED = "cancelled"
    REINSTATED = "reinstated"
    MOVED = "moved"
    RENAMED = "renamed"


@dataclass(frozen=True, kw_only=True)
class CalendarChange:
    """One thing that has changed about a session since the calendar was last read."""

    kind: ChangeKind
    session_key: int
    before: SeenSession
    after: SeenSession

    @property
    def text(self) -> str:
        """For people, in a sentence."""
        who = f"{self.after.key} (session {self.session_key})"
        match self.kind:
            case ChangeKind.CANCELLED:
                return f"{who} was cancelled."
            case ChangeKind.REINSTATED:
                return f"{who} was cancelled and takes place after all."
            case ChangeKind.MOVED:
                return f"{who} was moved from {_shown(self.before)} to {_shown(self.after)} UTC."
            case ChangeKind.RENAMED:
                stays = self.before.key == self.after.key
                where = "and stays where it is" if stays else f"and was {self.before.key}"
                return f"{who} is named {self.after.name} instead of {self.before.name} {where}."


def find_changes(
    before: Mapping[int, SeenSession], after: Mapping[int, SeenSession]
) -> list[CalendarChange]:
    """How the sessions differ that both looks know, in the order of their start."""
    found = []
    for session_key, now in after.items():
        was = before.get(session_key)
        if was is None:
            continue
        kinds = []
        if was.cancelled != now.cancelled:
            kinds.append(ChangeKind.CANCELLED if now.cancelled else ChangeKind.REINSTATED)
        if (was.start, was.end) != (now.start, now.end):
            kinds.append(ChangeKind.MOVED)
        if (was.name, was.key) != (now.name, now.key):
            kinds.append(ChangeKind.RENAMED)
        found += [
            CalendarChange(kind=k, session_key=session_key, before=was, after=now) for k in kinds
        ]
    return sorted(found, key=lambda change: (change.after.start, change.session_key))


def _shown(seen: SeenSession) -> str:
    return f"{seen.start:%Y-%m-%d %H:%M}-{seen.end:%H:%M}"


def _text(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat() if moment else None


def _moment(text: object) -> datetime:
    moment = datetime.fromisoformat(str(text))
    if moment.tzinfo is None:
        raise CursorError(f"{text} has no offset.")
    return moment


def _reference(cursor: str | None) -> str | None:
    try:
        written = json.loads(cursor or "null")
    except (ValueError, RecursionError):
        return None
    if not isinstance(written, dict) or written.get("format") != CURSOR_FORMAT:
        return None
    return str(written.get("memory"))


def remembered_ends(instance: dg.DagsterInstance) -> dict[str, datetime]:
    """Partition key → scheduled end of every session that was not cancelled, also those to come.

    Empty before the sensor's first tick, and where its cursor is not its own.
    """
    # Only daemons have it at hand; for the code location it is a twentieth of its loading.
    from dagster._core.scheduler.instigation import InstigatorType, SensorInstigatorData

    if instance.schedule_storage is None:  # in memory: it keeps no state of sensors
        return {}
    for state in instance.all_instigator_state(instigator_type=InstigatorType.SENSOR):
        data = state.instigator_data
        if state.instigator_name == CALENDAR_SENSOR and isinstance(data, SensorInstigatorData):
            try:
                memory = CalendarMemory.from_cursor(instance, data.cursor)
            except CursorError:  # the sensor itself says so at its next tick
                return {}
            return {seen.key: seen.end for seen in memory.sessions.values() if not seen.cancelled}
    return {}
