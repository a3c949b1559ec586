"""How the API writes what happened in a session: laps, results, stints, pit stops, their defects.

Times are whole milliseconds until they are written, so sectors add up exactly.

The defects and their shares are upstream's: lap_end before lap_start (10 of 28,021 rows),
lap_end null, stints that overlap by a lap (12 % of race rows before 2026), compounds
UNKNOWN or null (null: 4 % in 2026), pit rows without lap or time, rows of a driver who is
missing from drivers, no pit rows at all for the first six races of 2023 and some sprints.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from f1_bronze.simulator.season.outcome import Drive, SessionOutcome, seeded_rng
from f1_bronze.simulator.season.race_weekends import ScheduledSession
from f1_bronze.simulator.sources import Record

_POOL = 64
# Mini-sector colours: 2048 yellow, 2049 green, 2051 purple, 2064 pit lane.
_COLOURS = (2048, 2049, 2051)
_RACE_POINTS = (25, 18, 15, 12, 10, 8, 6, 4, 2, 1)
_SPRINT_POINTS = (8, 7, 6, 5, 4, 3, 2, 1)
_SPRINT_POINTS_UNTIL_2021 = (3, 2, 1)
_CLASSIFIED_SHARE = 0.9


def moment(milliseconds: int) -> str:
    """Epoch milliseconds as the API writes a time: microseconds only when not zero."""
    seconds, rest = divmod(milliseconds, 1000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest * 1000).isoformat()


class LapWriter:
    """Writes the laps of one session; its generator decides speeds and holes, never times."""

    def __init__(self, session: ScheduledSession, seed: int) -> None:
        self._session = session
        self._rng = seeded_rng(seed, session.key, "lap rows")
        # Shares of sectors 1 and 2, and mini-sectors by sector: the same in every session.
        layout = seeded_rng("layout", session.circuit.circuit_key).random
        self._split = (0.27 + layout() * 0.1, 0.3 + layout() * 0.1)
        counts = (6 + int(layout() * 4), 5 + int(layout() * 5), 5 + int(layout() * 5))
        self._pools = [self._pool(count) for count in counts]
        self._top_speed = 270 + session.circuit.circuit_key % 60

    def _pool(self, count: int) -> list[list[int | None]]:
        # Making each list anew would cost more than all the rest of a lap.
        draw = self._rng.random
        lists: list[list[int | None]] = []
        for _ in range(_POOL):
            one: list[int | None] = [
                _COLOURS[0 if r < 0.78 else 1 if r < 0.97 else 2]
                for r in (draw() for _ in range(count))
            ]
            if draw() < 0.35:
                one[0] = None
            lists.append(one)
        return lists

    def write(
        self,
        driver_number: int,
        lap_number: int,
        start: int | None,
        milliseconds: int,
        *,
        pit_out: bool = False,
        no_first_sector: bool = False,
        no_time: bool = False,
        unfinished: bool = False,
        slow_sector: int = 0,
    ) -> Record:
        """One row of laps.

        start is in epoch milliseconds, None for unknown. The holes: no_first_sector leaves
        sector 1 out, no_time the lap's time, unfinished sector 3 and the lap's time.
        `slow_sector` milliseconds of the lap were lost in sector 1 (a stand in the pits).
        """
        draw = self._rng.random
        quick = milliseconds - slow_sector
        sector_1 = int(quick * (self._split[0] + (draw() - 0.5) * 0.004)) + slow_sector
        sector_2 = int(quick * (self._split[1] + (draw() - 0.5) * 0.004))
        sector_3 = milliseconds - sector_1 - sector_2
        top = self._top_speed
        hole = draw()
        first, second, third = self._pools
        place = int(draw() * _POOL * _POOL * _POOL)
        return {
            "meeting_key": self._session.meeting_key,
            "session_key": self._session.key,
            "driver_number": driver_number,
            "lap_number": lap_number,
            "date_start": None if start is None else moment(start),
            "duration_sector_1": None if no_first_sector else sector_1 / 1000,
            "duration_sector_2": sector_2 / 1000,
            "duration_sector_3": None if unfinished else sector_3 / 1000,
            "i1_speed": None if draw() < 0.13 else int(top - 25 + draw() * 22),
            "i2_speed": None if draw() < 0.002 else int(top - 10 + draw() * 24),
            "is_pit_out_lap": pit_out,
            "lap_duration": None if no_time or unfinished else milliseconds / 1000,
            "segments_sector_1": None if hole < 0.004 else first[place % _POOL],
            "segments_sector_2": None if hole < 0.002 else second[place // _POOL % _POOL],
            "segments_sector_3": None if hole < 0.003 or unfinished else third[place // _POOL**2],
            "st_speed": None if draw() < 0.11 else int(top + 5 + draw() * 30),
        }


def result_rows(
    seed: int, session: ScheduledSession, outcome: SessionOutcome
) -> tuple[Record, ...]:
    """The rows of the session_result endpoint in order of classification."""
    if session.name in ("Race", "Sprint"):
        rows = _race_results(session, outcome)
    elif session.name in ("Qualifying", "Sprint Qualifying"):
        rows = _qualifying_results(session, outcome)
    else:
        rows = _practice_results(session, outcome)
    # Some rows say 0 laps where others say nothing at all.
    rng = seeded_rng(seed, session.key, "results")
    return tuple(
        {**row, "number_of_laps": None} if row["dns"] and rng.random() < 0.5 else row
        for row in rows
    )


def _result_row(session: ScheduledSession, drive: Drive, position: int | None) -> dict[str, Any]:
    return {
        "position": position,
        "driver_number": drive.driver.number,
        "number_of_laps": drive.laps,
        "dnf": drive.retired,
        "dns": drive.did_not_start,
        "dsq": drive.disqualified,
        "meeting_key": session.meeting_key,
        "session_key": session.key,
    }


def _race_results(session: ScheduledSession, outcome: SessionOutcome) -> list[dict[str, Any]]:
    out = [d for d in outcome.drives if d.did_not_start or d.disqualified]
    ranked = [d for d in outcome.drives if not (d.did_not_start or d.disqualified)]
    ranked.sort(key=lambda d: (-d.laps, d.retired, d.total))
    leader = next(d for d in ranked if not d.retired)
    needed = leader.laps * _CLASSIFIED_SHARE
    classified = [d for d in ranked if not d.retired or d.laps > needed]
    unclassified = [d for d in ranked if d.retired and d.laps <= needed]
    # Those who finished come before those who only got far enough.
    classified.sort(key=lambda d: (d.retired, -d.laps, d.total))
    scale: tuple[int, ...] = _RACE_POINTS
    if session.name == "Sprint":
        scale = _SPRINT_POINTS if session.year > 2021 else _SPRINT_POINTS_UNTIL_2021
    fastest = _fastest_lap_driver(session, outcome.laps)
    rows = []
    for place, drive in enumerate([*classified, *unclassified, *out], start=1):
        position = place if place <= len(classified) else None
        points = scale[place - 1] if position is not None and place <= len(scale) else 0
        if points and fastest == drive.driver.number:
            points += 1
        finished = position is not None and not drive.retired
        behind = leader.laps - drive.laps
        gap: object = None
        if drive is leader:
            gap = 0
        elif finished:
            gap = f"+{behind} LAP{'S' if behind > 1 else ''}"
            if not behind:
                gap = (drive.total - leader.total) / 1000
        rows.append(
            {
                **_result_row(session, drive, position),
                "points": float(points),
                "duration": drive.total / 1000 if finished and not behind else None,
                "gap_to_leader": gap,
            }
        )
    return rows


def _fastest_lap_driver(session: ScheduledSession, laps: Sequence[Record]) -> int | None:
    """Who gets the point for the fastest lap: nobody in a sprint, before 2019 or after 2024."""
    timed = [lap for lap in laps if lap["lap_duration"] is not None]
    if session.name == "Sprint" or not 2019 <= session.year <= 2024 or not timed:
        return None
    return int(min(timed, key=lambda lap: float(lap["lap_duration"]))["driver_number"])


def _qualifying_results(session: ScheduledSession, outcome: SessionOutcome) -> list[dict[str, Any]]:
    def rank(drive: Drive) -> tuple[float, float]:
        # Later parts rank first; without a time there, an earlier part decides.
        times = [(part, best) for part, best in enumerate(drive.bests) if best is not None]
        part, best = times[-1] if times else (-1, float("inf"))
        return -part, best

    times_by_part = [
        [best for d in outcome.drives if (best := d.bests[part]) is not None] for part in range(3)
    ]
    fastest = [min(times, default=None) for times in times_by_part]
    rows = []
    for place, drive in enumerate(sorted(outcome.drives, key=rank), start=1):
        timed = any(best is not None for best in drive.bests)
        rows.append(
            {
                **_result_row(session, drive, place if timed else None),
                "duration": [None if b is None else b / 1000 for b in drive.bests],
                "gap_to_leader": [
                    None if b is None or f is None else (b - f) / 1000
                    for b, f in zip(drive.bests, fastest, strict=True)
                ],
            }
        )
    return rows


def _practice_results(session: ScheduledSession, outcome: SessionOutcome) -> list[dict[str, Any]]:
    def best(drive: Drive) -> float:
        return float("inf") if drive.bests[0] is None else drive.bests[0]

    ranked = sorted(outcome.drives, key=best)
    leader = ranked[0].bests[0]
    rows = []
    for place, drive in enumerate(ranked, start=1):
        own = drive.bests[0]
        gap = None if own is None or leader is None else (own - leader) / 1000
        rows.append(
            {
                **_result_row(session, drive, place),
                "duration": None if own is None else own / 1000,
                "gap_to_leader": 0 if gap == 0 else gap,
            }
        )
    return rows


def stint_rows(seed: int, session: ScheduledSession, outcome: SessionOutcome) -> tuple[Record, ...]:
    """The rows of the stints endpoint, stint by stint."""
    draw = seeded_rng(seed, session.key, "stints").random
    racing = session.name in ("Race", "Sprint")
    overlapping = racing and session.year < 2026 and draw() < 0.25
    no_compound = 0.04 if session.year >= 2026 else 0.0
    rows: list[dict[str, Any]] = []
    for drive in outcome.drives:
        for number, stint in enumerate(drive.stints, start=1):
            start, compound = stint.first, stint.compound
            lap_end: int | None = stint.last
            defect = draw()
            if defect < 0.0004 and start > 1:
                lap_end = start - 1
            elif defect < 0.001:
                lap_end = None
            elif overlapping and number > 1 and draw() < 0.75:
                start -= 1
            tyre = draw()
            if tyre < no_compound:
                compound = None
            elif tyre > 0.994:
                compound = "UNKNOWN"
            rows.append(
                {
                    "meeting_key": session.meeting_key,
                    "session_key": session.key,
                    "stint_number": number,
                    "driver_number": drive.driver.number,
                    "lap_start": start,
                    "lap_end": lap_end,
                    "compound": compound,
                    "tyre_age_at_start": None if draw() < 0.002 else stint.age,
                }
            )
    if draw() < 0.012 and rows:
        # All stints of one driver once more: what is odd is the number, not how they follow.
        known, unknown = rows[0]["driver_number"], _unknown_driver(outcome)
        rows += [{**row, "driver_number": unknown} for row in rows if row["driver_number"] == known]
    rows.sort(key=lambda row: int(row["stint_number"]))
    return tuple(rows)


def pit_rows(seed: int, session: ScheduledSession, outcome: SessionOutcome) -> tuple[Record, ...]:
    """The rows of the pit endpoint, by date; a true empty where upstream has none."""
    draw = seeded_rng(seed, session.key, "pit").random
    racing = session.name in ("Race", "Sprint")
    silent_sprint = session.name == "Sprint" and draw() < 0.3
    if silent_sprint or (racing and session.year == 2023 and session.race_number <= 6):
        return ()
    stops = [(stop, drive.driver.number) for drive in outcome.drives for stop in drive.stops]
    stops.sort(key=lambda entry: (entry[0].at, entry[1]))
    rows: list[dict[str, Any]] = []
    for stop, number in stops:
        lane, standing = _seconds(stop.lane_milliseconds), _seconds(stop.standing_milliseconds)
        rows.append(
            {
                "date": moment(stop.at + int(draw() * 900)),
                "session_key": session.key,
                "meeting_key": session.meeting_key,
                "driver_number": number,
                "lap_number": None if draw() < 0.001 else stop.lap,
                "pit_duration": lane,
            }
        )
        if session.year >= 2026:
            rows[-1] |= {"lane_duration": lane, "stop_duration": standing}
        if not racing and draw() < 0.004:
            rows.append(dict(rows[-1]))
    if rows and draw() < 0.005:
        rows.append({**rows[0], "driver_number": _unknown_driver(outcome)})
    return tuple(rows)


def weather_rows(seed: int, session: ScheduledSession) -> tuple[Record, ...]:
    """The rows of the weather endpoint: a measurement a minute while the session runs."""
    rng = seeded_rng(seed, session.key, "weather")
    air, humidity, wind = rng.uniform(14, 32), rng.uniform(25, 80), rng.uniform(0.5, 5)
    rows: list[dict[str, Any]] = []
    begin, end = (int(time.timestamp() * 1000) for time in (session.start, session.end))
    for at in range(begin, end + 1, 60_000):
        air += rng.gauss(0, 0.05)
        rows.append(
            {
                "date": moment(at + rng.randrange(1000)),
                "session_key": session.key,
                "meeting_key": session.meeting_key,
                "air_temperature": round(air, 1),
                "track_temperature": round(air + 12 + rng.gauss(0, 0.4), 1),
                "humidity": round(humidity + rng.gauss(0, 1)),
                "pressure": round(1005 + rng.gauss(0, 0.2), 1),
                "rainfall": 0,
                "wind_direction": rng.randrange(360),
                "wind_speed": round(abs(rng.gauss(wind, 0.5)), 1),
            }
        )
    return tuple(rows)


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def _unknown_driver(outcome: SessionOutcome) -> int:
    """A number that nobody in the session has."""
    taken = {drive.driver.number for drive in outcome.drives}
    return max(set(range(1, 99)) - taken)
