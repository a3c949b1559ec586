"""Stints and pit stops as the API writes them, with their documented defects.

Belongs here: rows of the stints and pit endpoints. Stays out: who stopped when (`race`,
`runs`).

The defects and their shares are upstream's: lap_end before lap_start (10 of 28,021 rows),
lap_end null, stints that overlap by a lap (12 % of race rows before 2026), compounds
UNKNOWN or null (null: 4 % in 2026), pit rows without lap or time, rows of a driver who is
missing from drivers, no pit rows at all for the first six races of 2023 and some sprints.
"""

from random import Random
from typing import Any

from f1_bronze.simulator.season.lap_rows import moment
from f1_bronze.simulator.season.outcome import SessionOutcome, Stop
from f1_bronze.simulator.season.race_weekends import ScheduledSession
from f1_bronze.simulator.season.rng import dice
from f1_bronze.simulator.sources import Record


def stint_rows(seed: int, session: ScheduledSession, story: SessionOutcome) -> tuple[Record, ...]:
    """The rows of the stints endpoint, stint by stint."""
    chance = dice(seed, session.key, "stints")
    roll = chance.random
    racing = session.name in ("Race", "Sprint")
    overlapping = racing and session.year < 2026 and roll() < 0.25
    no_compound = 0.04 if session.year >= 2026 else 0.001
    rows: list[dict[str, Any]] = []
    for drive in story.drives:
        for number, stint in enumerate(drive.stints, start=1):
            start, end = stint.first, stint.last
            end_or_none: int | None = end
            defect = roll()
            if defect < 0.0004 and start > 1:
                end_or_none = start - 1
            elif defect < 0.001:
                end_or_none = None
            elif overlapping and number > 1 and roll() < 0.75:
                start -= 1
            tyre = roll()
            rows.append(
                {
                    "meeting_key": session.meeting_key,
                    "session_key": session.key,
                    "stint_number": number,
                    "driver_number": drive.driver.number,
                    "lap_start": start,
                    "lap_end": end_or_none,
                    "compound": None
                    if tyre < no_compound
                    else "UNKNOWN"
                    if tyre > 0.994
                    else stint.compound,
                    "tyre_age_at_start": None if roll() < 0.002 else stint.age,
                }
            )
    if roll() < 0.012 and rows:
        # All stints of one driver once more: what is odd is the number, not how they follow.
        somebody, nobody = rows[0]["driver_number"], _missing(story)
        rows += [
            {**row, "driver_number": nobody} for row in rows if row["driver_number"] == somebody
        ]
    rows.sort(key=lambda row: int(row["stint_number"]))
    return tuple(rows)


def pit_rows(seed: int, session: ScheduledSession, story: SessionOutcome) -> tuple[Record, ...]:
    """The rows of the pit endpoint, by date; a true empty where upstream has none."""
    chance = dice(seed, session.key, "pit")
    roll = chance.random
    racing = session.name in ("Race", "Sprint")
    silent_sprint = session.name == "Sprint" and roll() < 0.3
    if silent_sprint or (racing and session.year == 2023 and session.race_number <= 6):
        return ()
    stops = [(stop, drive.driver.number) for drive in story.drives for stop in drive.stops]
    stops.sort(key=lambda entry: (entry[0].at, entry[1]))
    rows = []
    for stop, number in stops:
        row = _pit_row(session, stop, number, chance)
        rows.append(row)
        if not racing and roll() < 0.004:
            rows.append(dict(row))
    if rows and roll() < 0.005:
        rows.append({**rows[0], "driver_number": _missing(story)})
    return tuple(rows)


def _pit_row(session: ScheduledSession, stop: Stop, number: int, chance: Random) -> dict[str, Any]:
    lane = None if stop.lane_milliseconds is None else stop.lane_milliseconds / 1000
    row: dict[str, Any] = {
        "date": moment(stop.at + int(chance.random() * 900)),
        "session_key": session.key,
        "meeting_key": session.meeting_key,
        "driver_number": number,
        "lap_number": None if chance.random() < 0.001 else stop.lap,
        "pit_duration": lane,
    }
    if session.year >= 2026:
        standing = stop.standing_milliseconds
        row["lane_duration"] = lane
        row["stop_duration"] = None if standing is None else standing / 1000
    return row


def _missing(story: SessionOutcome) -> int:
    """A number that nobody in the session has."""
    taken = {drive.driver.number for drive in story.drives}
    return max(set(range(1, 99)) - taken)
