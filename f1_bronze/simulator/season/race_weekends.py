"""From a calendar to meetings and sessions, as rows of the API.

Keys: meeting_key is 90000 or more and session_key 900000 or more. Real ones stood at about
1,300 and 11,700 in 2026 and grow by some 30 and 500 a year, so an invented key can never be
a real one: a lake filled from the simulator is never mistaken for a real one. As
upstream, session keys are unique over all years but not chronological.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, cached_property
from typing import Any, NamedTuple

from f1_bronze.simulator.season.rounds import CIRCUITS, FIRST_YEAR, Circuit, Round, calendar
from f1_bronze.simulator.sources import Record

FIRST_MEETING_KEY = 90_000
FIRST_SESSION_KEY = 900_000


@dataclass(frozen=True, kw_only=True)
class ScheduledSession:
    """A session: its row as the API lists it, and what the row does not say.

    race_number: place of its round among those that run, from 1; 0 for tests and cancelled rounds.
    """

    row: Record
    key: int
    meeting_key: int
    name: str
    year: int
    circuit: Circuit
    start: datetime
    end: datetime
    race_number: int
    cancelled: bool


@dataclass(frozen=True, kw_only=True)
class SeasonSchedule:
    """All meetings and sessions of a year, by date_start."""

    meetings: tuple[Record, ...]
    sessions: tuple[ScheduledSession, ...]

    @cached_property
    def by_key(self) -> dict[int, ScheduledSession]:
        """Its sessions by session_key."""
        return {session.key: session for session in self.sessions}


class _Slot(NamedTuple):
    """When a session runs: days and hours from the race's start, and how its key is offset."""

    name: str
    type: str
    days: int
    hours: float
    length_hours: float
    offset: int


_NORMAL = (
    _Slot("Practice 1", "Practice", -2, -1.5, 1, 0),
    _Slot("Practice 2", "Practice", -2, 2, 1, 1),
    _Slot("Practice 3", "Practice", -1, -2.5, 1, 2),
    _Slot("Qualifying", "Qualifying", -1, 1, 1, 3),
    _Slot("Race", "Race", 0, 0, 2, 7),
)
# The type is not the session: a Sprint is a "Race". The keys of qualifying and race come first.
_SPRINT = (
    _Slot("Practice 1", "Practice", -2, -3.5, 1, 0),
    _Slot("Sprint Qualifying", "Qualifying", -2, 0.5, 44 / 60, 5),
    _Slot("Sprint", "Race", -1, -4, 1, 8),
    _Slot("Qualifying", "Qualifying", -1, 0, 1, 1),
    _Slot("Race", "Race", 0, 0, 2, 9),
)


@cache
def season(year: int) -> SeasonSchedule:
    """The season of a year: meetings and sessions as the API lists them; made once."""
    plan = calendar(year)
    meetings: list[Record] = []
    sessions: list[ScheduledSession] = []
    for number, first_day in enumerate(plan.tests):
        row, found = _test(year, number, first_day)
        meetings.append(row)
        sessions.extend(found)
    race_number = 0
    for number, one in enumerate(plan.rounds, start=len(plan.tests)):
        race_number += not one.cancelled
        row, found = _weekend(year, number, one, 0 if one.cancelled else race_number)
        meetings.append(row)
        sessions.extend(found)
    sessions.sort(key=lambda s: (s.start, s.key))
    return SeasonSchedule(meetings=tuple(meetings), sessions=tuple(sessions))


def year_of(session_key: int) -> int:
    """The year that a key from here belongs to; meaningless for others."""
    return FIRST_YEAR + (session_key - FIRST_SESSION_KEY) // 1000


def _test(year: int, number: int, first_day: date) -> tuple[Record, list[ScheduledSession]]:
    name = "Practice" if year < 2025 else "Day"
    return _meeting(
        year,
        number,
        CIRCUITS["bahrain"],
        "Pre-Season Testing",
        f"FORMULA 1 PRE-SEASON TESTING {number + 1} {year}",
        [_Slot(f"{name} {n + 1}", "Practice", n, 0, 9, n) for n in range(3)],
        datetime.combine(first_day, time(7), UTC),
    )


def _weekend(
    year: int, number: int, one: Round, race_number: int
) -> tuple[Record, list[ScheduledSession]]:
    circuit = CIRCUITS[one.circuit]
    return _meeting(
        year,
        number,
        circuit,
        circuit.meeting_name,
        f"FORMULA 1 {circuit.meeting_name.upper()} {year}",
        _SPRINT if one.sprint else _NORMAL,
        datetime.combine(one.race_day, time(circuit.start_hour), UTC),
        # A replacement is entered late, so its keys lie behind those of the whole season.
        place=number + 30 if one.replacement else number,
        race_number=race_number,
        cancelled=one.cancelled,
    )


def _meeting(
    year: int,
    number: int,
    circuit: Circuit,
    name: str,
    title: str,
    slots: Sequence[_Slot],
    origin: datetime,
    *,
    place: int | None = None,
    race_number: int = 0,
    cancelled: bool = False,
) -> tuple[Record, list[ScheduledSession]]:
    """A meeting's row and its sessions, which run at their slots counted from `origin`."""
    place = number if place is None else place
    meeting_key = FIRST_MEETING_KEY + (year - FIRST_YEAR) * 100 + place
    # Every sixth meeting is entered late: its session keys follow all others.
    first_key = place * 10 + (500 if number % 6 == 5 else 0)
    first_key += FIRST_SESSION_KEY + (year - FIRST_YEAR) * 1000
    venue = _venue(circuit, year)
    sessions = []
    for slot in slots:
        start = origin + timedelta(days=slot.days, hours=slot.hours)
        end = start + timedelta(hours=slot.length_hours)
        row: dict[str, Any] = {
            "session_key": first_key + slot.offset,
            "session_type": slot.type,
            "session_name": slot.name,
            "date_start": start.isoformat(),
            "date_end": end.isoformat(),
            "meeting_key": meeting_key,
            **venue,
        }
        if year >= 2026:
            row["is_cancelled"] = cancelled
        sessions.append(
            ScheduledSession(
                row=row,
                key=row["session_key"],
                meeting_key=meeting_key,
                name=slot.name,
                year=year,
                circuit=circuit,
                start=start,
                end=end,
                race_number=race_number,
                cancelled=cancelled,
            )
        )
    meeting: dict[str, Any] = {
        "meeting_key": meeting_key,
        "meeting_name": name,
        "meeting_official_name": title,
        "date_start": sessions[0].start.isoformat(),
    }
    # The API changed the fields of a meeting for 2026.
    if year < 2026:
        return {**meeting, **venue, "meeting_code": circuit.country_code}, sessions
    site = "https://openf1.invalid"
    short = circuit.circuit_short_name.lower().replace(" ", "-")
    meeting |= {
        "is_cancelled": cancelled,
        **venue,
        "date_end": sessions[-1].end.isoformat(),
        "circuit_type": circuit.circuit_type,
        "circuit_image": f"{site}/circuits/{short}.png",
        "circuit_info_url": f"{site}/circuits/{circuit.circuit_key}/{year}",
        "country_flag": f"{site}/flags/{circuit.country_code}.png",
    }
    return meeting, sessions


def _venue(circuit: Circuit, year: int) -> dict[str, Any]:
    hours = circuit.gmt_hours
    location, country = circuit.location, circuit.country_name
    if year >= 2026:  # the API renamed these
        location = {"Miami": "Miami Gardens", "Monaco": "Monte Carlo"}.get(location, location)
        country = "United Kingdom" if circuit.country_code == "GBR" else country
    return {
        "location": location,
        "country_key": circuit.country_key,
        "country_code": circuit.country_code,
        "country_name": country,
        "circuit_key": circuit.circuit_key,
        "circuit_short_name": circuit.circuit_short_name,
        "gmt_offset": f"{'-' if hours < 0 else ''}{abs(hours):02d}:00:00",
        "year": year,
    }
