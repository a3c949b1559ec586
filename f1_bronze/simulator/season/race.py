"""A race or a sprint, lap by lap."""

from collections.abc import Iterator
from random import Random

from f1_bronze.simulator.season.entrants import entrants
from f1_bronze.simulator.season.outcome import Drive, SessionOutcome, Stint, Stop, pick, seeded_rng
from f1_bronze.simulator.season.race_weekends import ScheduledSession
from f1_bronze.simulator.season.rows import LapWriter
from f1_bronze.simulator.sources import Record

_STOPS = ((1, 0.42), (2, 0.42), (3, 0.16))
_DRY = (("MEDIUM", 0.45), ("HARD", 0.4), ("SOFT", 0.15))
_WET = (("INTERMEDIATE", 0.8), ("WET", 0.2))
# Milliseconds: the longest lap and the longest time in the pit lane, and what an in-lap loses.
_LONGEST_LAP = 2_620_000
_LONGEST_LANE = 2_480_000
_IN_LAP = 3_500


class _Conditions:
    """What is the same for the whole field: start, distance, weather, neutralisations."""

    def __init__(self, seed: int, session: ScheduledSession) -> None:
        rng = seeded_rng(seed, session.key, "conditions")
        circuit = session.circuit
        # The lights go out some three minutes after the scheduled start.
        self.begin = int(session.start.timestamp() * 1000) + 180_000
        self.begin += int(seeded_rng(seed, session.key, "lights").random() * 30_000)
        self.first_lap_timed = session.year >= 2026
        self.is_sprint = session.name == "Sprint"
        self.distance = -(-circuit.laps // 3) if self.is_sprint else circuit.laps
        self.compounds = _WET if rng.random() < 0.06 else _DRY
        self.lap = int(circuit.lap_seconds * 1000 * (1.12 if self.compounds is _WET else 1.0))
        self.pit_lane = int(circuit.pit_lane_seconds * 1000)
        self.safety_car: set[int] = set()
        if rng.random() < 0.35:
            first = 2 + int(rng.random() * (self.distance - 8))
            self.safety_car = set(range(first, first + 3 + int(rng.random() * 3)))
        self.red_flag_lap: int | None = None
        self.red_flag = 0
        if not self.is_sprint and session.race_number in _red_flagged(seed, session.year):
            self.red_flag_lap = 2 + int(rng.random() * (self.distance - 12))
            self.red_flag = 900_000 + int(rng.random() * 1_600_000)


def _red_flagged(seed: int, year: int) -> set[int]:
    """Race numbers of the two or three races of a season that are stopped."""
    rng = seeded_rng(seed, year, "red flags")
    return {1 + int(rng.random() * 22) for _ in range(3)}


def race(seed: int, session: ScheduledSession) -> SessionOutcome:
    """The outcome of a Race or a Sprint. Laps come lap by lap, as upstream."""
    on = _Conditions(seed, session)
    drives = [Drive(driver=driver) for driver in entrants(seed, session)]
    plans = [
        (drive, _plan(drive, on, seeded_rng(seed, session.key, drive.driver.number)))
        for drive in drives
    ]
    # The race is over for everybody on the lap in which the first crosses the line.
    finish = min(sum(times) for drive, times in plans if times and not drive.retired)
    writer = LapWriter(session, seed)
    by_lap: list[list[Record]] = [[] for _ in range(on.distance)]
    for drive, times in plans:
        rng = seeded_rng(seed, session.key, "holes", drive.driver.number)
        for lap, row in enumerate(_run(drive, times, on, finish, writer, rng)):
            by_lap[lap].append(row)
    return SessionOutcome(laps=[row for rows in by_lap for row in rows], drives=drives)


def _plan(drive: Drive, on: _Conditions, rng: Random) -> list[int]:
    """Decide a driver's fate and stops; the times of all laps, in milliseconds."""
    fate = rng.random()
    drive.did_not_start = fate < 0.008
    drive.disqualified = 0.008 <= fate < 0.014
    drive.retired = 0.014 <= fate < (0.06 if on.is_sprint else 0.12)
    if drive.did_not_start:
        return []
    laps = on.distance
    if drive.retired:
        laps = 1 + int((laps - 1) * rng.random())
    _plan_stops(drive, on, laps, rng)
    stops = {stop.lap: stop for stop in drive.stops}
    form = on.lap * (1.0 + drive.driver.pace + abs(rng.gauss(0, 0.0025)))
    times = []
    for lap in range(1, laps + 1):
        fuel = 0.012 * (on.distance - lap) / on.distance
        time = int(form * (1 + fuel + abs(rng.gauss(0, 0.0022))))
        if lap == 1:
            time += 4500 + int(rng.random() * 5000)
        if lap in on.safety_car:
            time = int(time * 1.38)
        if lap in stops:
            time += _IN_LAP
        if lap == on.red_flag_lap:
            time = min(time + on.red_flag, _LONGEST_LAP)
        times.append(time + _lost_leaving(stops.get(lap - 1), on))
    return times


def _lost_leaving(stop: Stop | None, on: _Conditions) -> int:
    """Milliseconds of an out-lap spent in the pit lane; a red flag's wait is in its own lap."""
    if stop is None:
        return 0
    if stop.lap == on.red_flag_lap:
        return _IN_LAP
    return max(_IN_LAP, (stop.lane_milliseconds or on.pit_lane) - 2 * _IN_LAP)


def _plan_stops(drive: Drive, on: _Conditions, laps: int, rng: Random) -> None:
    draw = rng.random
    count = int(draw() < 0.03) if on.is_sprint else pick(rng, _STOPS)
    wanted = {
        int(on.distance * ((n + 1) / (count + 1) + (draw() - 0.5) * 0.14)) for n in range(count)
    }
    if on.red_flag_lap is not None:
        # Nobody stops close to a red flag: the new tyres are free.
        wanted = {lap for lap in wanted if abs(lap - on.red_flag_lap) > 4} | {on.red_flag_lap}
    first, compound = 1, pick(rng, on.compounds)
    for lap in sorted(lap for lap in wanted if 1 < lap < laps):
        lane = int(on.pit_lane + rng.gauss(0, 500))
        standing: int | None = int(2100 + draw() * 1300)
        if draw() < 0.05:
            slow = int(2_000 + draw() * 22_000)
            lane, standing = lane + slow, (standing or 0) + slow
        if lap == on.red_flag_lap:
            lane, standing = min(on.red_flag + lane, _LONGEST_LANE), None
        drive.stops.append(
            Stop(
                at=0,
                lap=lap,
                lane_milliseconds=None if draw() < 0.003 else lane // 100 * 100,
                standing_milliseconds=None if standing is None else standing // 100 * 100,
            )
        )
        drive.stints.append(Stint(first=first, last=lap, compound=compound, age=_age(rng)))
        others = [entry for entry in on.compounds if entry[0] != compound or draw() < 0.4]
        first, compound = lap + 1, pick(rng, others or on.compounds)
    drive.stints.append(Stint(first=first, last=laps, compound=compound, age=_age(rng)))


def _age(rng: Random) -> int:
    return 0 if rng.random() < 0.7 else 1 + int(rng.random() * 5)


def _run(
    drive: Drive, times: list[int], on: _Conditions, finish: int, writer: LapWriter, rng: Random
) -> Iterator[Record]:
    """Drive the planned laps until the race is over, and write them as rows."""
    draw = rng.random
    breaks_down = drive.retired and draw() < 0.45
    stops = {stop.lap: stop for stop in drive.stops}
    for lap, time in enumerate(times, start=1):
        if drive.total >= finish:
            break
        start = on.begin + drive.total
        drive.total += time
        drive.laps = lap
        leaving = stops.get(lap - 1)
        if lap in stops:
            stops[lap].at = on.begin + drive.total
        untimed = lap == 1 and not on.first_lap_timed and draw() < 0.9
        yield writer.write(
            drive.driver.number,
            lap,
            None if untimed and draw() < 0.06 else start,
            time,
            pit_out=leaving is not None,
            no_first_sector=untimed,
            no_time=untimed or draw() < 0.002,
            unfinished=breaks_down and lap == len(times),
            slow_sector=on.red_flag if lap == on.red_flag_lap else _lost_leaving(leaving, on),
        )
    drive.stops = [stop for stop in drive.stops if stop.lap <= drive.laps]
    drive.stints = [stint for stint in drive.stints if stint.first <= drive.laps]
    if drive.stints:
        drive.stints[-1].last = drive.laps
