"""From a calendar to meetings and sessions, as rows of the API.

Belongs here: session names, times and keys. Stays out: what happens in a session.

Keys: meeting_key is 90000 or more and session_key 900000 or more. Real ones stood at about
1,300 and 11,700 in 2026 and grow by some 30 and 500 a year, so an invented key can never be
a real one: a lake filled from this stand-in can always be told from a real lake. As
upstream, session keys are unique over all years but not chronological.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from f1_bronze.simulator.season.rounds import CIRCUITS, FIRST_YEAR, Circuit, Round, calendar
from f1_bronze.simulator.sources import Record

FIRST_MEETING_KEY = 90_000

FIRST_SESSION_KEY = 900_000


@dataclass(frozen=True, kw_only=True)
class ScheduledSession:
    """A session with what its row does not say.

    row: as the API lists it. race_number: place of its round among those that run, from 1;
    0 for tests and cancelled rounds.
    """

    row: Record
    circuit: Circuit
    start: datetime
    end: datetime
    race_number: int
    cancelled: bool

    @property
    def key(self) -> int:
        """Its session_key."""
        return int(self.row["session_key"])

    @property
    def meeting_key(self) -> int:
        """The key of its meeting."""
        return int(self.row["meeting_key"])

    @property
    def name(self) -> str:
        """session_name: what tells sessions apart."""
        return str(self.row["session_name"])

    @property
    def year(self) -> int:
        """Its season."""
        return int(self.row["year"])


@dataclass(frozen=True, kw_only=True)
class SeasonSchedule:
    """All meetings and sessions of a year, by date_start."""

    meetings: tuple[Record, ...]
    sessions: tuple[ScheduledSession, ...]


@dataclass(frozen=True, kw_only=True)
class _Slot:
    """When a session runs: days and hours from the race's start, and how its key is offset."""

    name: str
    type: str
    days: int
    hours: float
    length_hours: float
    offset: int


_NORMAL = (
    _Slot(name="Practice 1", type="Practice", days=-2, hours=-1.5, length_hours=1, offset=0),
    _Slot(name="Practice 2", type="Practice", days=-2, hours=2, length_hours=1, offset=1),
    _Slot(name="Practice 3", type="Practice", days=-1, hours=-2.5, length_hours=1, offset=2),
    _Slot(name="Qualifying", type="Qualifying", days=-1, hours=1, length_hours=1, offset=3),
    _Slot(name="Race", type="Race", days=0, hours=0, length_hours=2, offset=7),
)
# The type is not the session: a Sprint is a "Race". The grown-up session's key comes first.
_SPRINT = (
    _Slot(name="Practice 1", type="Practice", days=-2, hours=-3.5, length_hours=1, offset=0),
    _Slot(
        name="Sprint Qualifying",
        type="Qualifying",
        days=-2,
        hours=0.5,
        length_hours=44 / 60,
        offset=5,
    ),
    _Slot(name="Sprint", type="Race", days=-1, hours=-4, length_hours=1, offset=8),
    _Slot(name="Qualifying", type="Qualifying", days=-1, hours=0, length_hours=1, offset=1),
    _Slot(name="Race", type="Race", days=0, hours=0, length_hours=2, offset=9),
)


def season(year: int) -> SeasonSchedule:
    """The season of a year: meetings and sessions as the API lists them."""
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
    circuit = CIRCUITS["bahrain"]
    name = "Practice" if year < 2025 else "Day"
    starts = [datetime.combine(first_day + timedelta(days=n), time(7), UTC) for n in range(3)]
    slots = [
        _Slot(name=f"{name} {n + 1}", type="Practice", days=n, hours=0, length_hours=9, offset=n)
        for n in range(3)
    ]
    title = f"FORMULA 1 PRE-SEASON TESTING {number + 1} {year}"
    row = _meeting(year, number, circuit, "Pre-Season Testing", title, starts[0], False, number)
    row["date_end"] = (starts[-1] + timedelta(hours=9)).isoformat()
    sessions = [
        _session(row, slot, start, circuit, race_number=0, cancelled=False)
        for slot, start in zip(slots, starts, strict=True)
    ]
    return _dressed(row), sessions


def _weekend(
    year: int, number: int, one: Round, race_number: int
) -> tuple[Record, list[ScheduledSession]]:
    circuit = CIRCUITS[one.circuit]
    race = datetime.combine(one.race_day, time(circuit.start_hour), UTC)
    slots = _SPRINT if one.sprint else _NORMAL
    starts = [race + timedelta(days=slot.days, hours=slot.hours) for slot in slots]
    title = f"FORMULA 1 {circuit.meeting_name.upper()} {year}"
    # A replacement is entered late, so its keys lie behind those of the whole season.
    place = number + 30 if one.replacement else number
    row = _meeting(
        year, place, circuit, circuit.meeting_name, title, starts[0], one.cancelled, number
    )
    row["date_end"] = (race + timedelta(hours=2)).isoformat()
    sessions = [
        _session(row, slot, start, circuit, race_number=race_number, cancelled=one.cancelled)
        for slot, start in zip(slots, starts, strict=True)
    ]
    return _dressed(row), sessions


def _venue(circuit: Circuit, year: int) -> dict[str, Any]:
    hours = circuit.gmt_hours
    later = year >= 2026
    return {
        "location": {"Miami": "Miami Gardens", "Monaco": "Monte Carlo"}.get(
            circuit.location, circuit.location
        )
        if later
        else circuit.location,
        "country_key": circuit.country_key,
        "country_code": circuit.country_code,
        "country_name": "United Kingdom"
        if later and circuit.country_code == "GBR"
        else circuit.country_name,
        "circuit_key": circuit.circuit_key,
        "circuit_short_name": circuit.circuit_short_name,
        "gmt_offset": f"{'-' if hours < 0 else ''}{abs(hours):02d}:00:00",
        "year": year,
    }


def _meeting(
    year: int,
    place: int,
    circuit: Circuit,
    name: str,
    title: str,
    start: datetime,
    cancelled: bool,
    number: int,
) -> dict[str, Any]:
    return {
        "meeting_key": FIRST_MEETING_KEY + (year - FIRST_YEAR) * 100 + place,
        "meeting_name": name,
        "meeting_official_name": title,
        "date_start": start.isoformat(),
        "is_cancelled": cancelled,
        # Every sixth meeting is entered late: its session keys follow all others.
        "_key_block": place * 10 + (500 if number % 6 == 5 else 0),
        **_venue(circuit, year),
    }


def _session(
    meeting: dict[str, Any],
    slot: _Slot,
    start: datetime,
    circuit: Circuit,
    *,
    race_number: int,
    cancelled: bool,
) -> ScheduledSession:
    year: int = meeting["year"]
    end = start + timedelta(hours=slot.length_hours)
    key = FIRST_SESSION_KEY + (year - FIRST_YEAR) * 1000 + meeting["_key_block"] + slot.offset
    row: dict[str, Any] = {
        "session_key": key,
        "session_type": slot.type,
        "session_name": slot.name,
        "date_start": start.isoformat(),
        "date_end": end.isoformat(),
        "meeting_key": meeting["meeting_key"],
        **_venue(circuit, year),
    }
    if year >= 2026:
        row["is_cancelled"] = cancelled
    return ScheduledSession(
        row=row,
        circuit=circuit,
        start=start,
        end=end,
        race_number=race_number,
        cancelled=cancelled,
    )


def _dressed(meeting: dict[str, Any]) -> Record:
    """A meeting's row with the fields of its year: the API changed them for 2026."""
    row = {key: value for key, value in meeting.items() if not key.startswith("_")}
    if row["year"] < 2026:
        for late in ("date_end", "is_cancelled"):
            del row[late]
        return {**row, "meeting_code": row["country_code"]}
    short = row["circuit_short_name"].lower().replace(" ", "-")
    types = {c.circuit_key: c.circuit_type for c in CIRCUITS.values()}
    return {
        **row,
        "circuit_type": types[row["circuit_key"]],
        "circuit_image": f"https://openf1.invalid/circuits/{short}.png",
        "circuit_info_url": f"https://openf1.invalid/circuits/{row['circuit_key']}/{row['year']}",
        "country_flag": f"https://openf1.invalid/flags/{row['country_code']}.png",
    }
