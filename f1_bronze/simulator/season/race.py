"""A race or a sprint, lap by lap.

Belongs here: pace, stops, safety cars, red flags, retirements. Stays out: rows other than
laps (`tyre_rows`, `result_rows`).
"""

from random import Random

from f1_bronze.simulator.season.entrants import entrants
from f1_bronze.simulator.season.lap_rows import LapWriter
from f1_bronze.simulator.season.outcome import Drive, SessionOutcome, Stint, Stop
from f1_bronze.simulator.season.race_weekends import ScheduledSession
from f1_bronze.simulator.season.rng import dice, pick
from f1_bronze.simulator.sources import Record

_STOPS = ((1, 0.42), (2, 0.42), (3, 0.16))

_DRY = (("MEDIUM", 0.45), ("HARD", 0.4), ("SOFT", 0.15))

_WET = (("INTERMEDIATE", 0.8), ("WET", 0.2))

_LONGEST_LAP = 2_620_000

_LONGEST_LANE = 2_480_000

_IN_LAP = 3_500


class _Conditions:
    """What is the same for the whole field: distance, weather, neutralisations."""

    def __init__(self, seed: int, session: ScheduledSession) -> None:
        chance = dice(seed, session.key, "conditions")
        circuit = session.circuit
        self.is_sprint = session.name == "Sprint"
        self.distance = -(-circuit.laps // 3) if self.is_sprint else circuit.laps
        self.compounds = _WET if chance.random() < 0.06 else _DRY
        self.lap = int(circuit.lap_seconds * 1000 * (1.12 if self.compounds is _WET else 1.0))
        self.pit_lane = int(circuit.pit_lane_seconds * 1000)
        self.safety_car: set[int] = set()
        if chance.random() < 0.35:
            first = 2 + int(chance.random() * (self.distance - 8))
            self.safety_car = set(range(first, first + 3 + int(chance.random() * 3)))
        self.red_flag_lap: int | None = None
        self.red_flag = 0
        if not self.is_sprint and session.race_number in _red_flagged(seed, session.year):
            self.red_flag_lap = 2 + int(chance.random() * (self.distance - 12))
            self.red_flag = 900_000 + int(chance.random() * 1_600_000)


def _red_flagged(seed: int, year: int) -> set[int]:
    """Race numbers of the two or three races of a season that are stopped."""
    chance = dice(seed, year, "red flags")
    return {1 + int(chance.random() * 22) for _ in range(3)}


def race(seed: int, session: ScheduledSession) -> SessionOutcome:
    """The story of a Race or a Sprint. Laps come lap by lap, as upstream."""
    on = _Conditions(seed, session)
    # The lights go out some three minutes after the scheduled start.
    begin = int(session.start.timestamp() * 1000) + 180_000
    begin += int(dice(seed, session.key, "lights").random() * 30_000)
    drives = [Drive(driver=driver) for driver in entrants(seed, session)]
    times = [_plan(drive, on, dice(seed, session.key, drive.driver.number)) for drive in drives]
    # The race is over for everybody on the lap in which the first crosses the line.
    finish = min(
        sum(laps) for drive, laps in zip(drives, times, strict=True) if laps and not drive.retired
    )
    writer = LapWriter(session, seed)
    by_lap: list[list[Record]] = [[] for _ in range(on.distance)]
    for drive, laps in zip(drives, times, strict=True):
        chance = dice(seed, session.key, "holes", drive.driver.number)
        _run(drive, laps, on, begin, finish, writer, by_lap, session.year >= 2026, chance)
    return SessionOutcome(laps=[row for rows in by_lap for row in rows], drives=drives)


def _plan(drive: Drive, on: _Conditions, chance: Random) -> list[int]:
    """Decide a driver's fate and stops; the times of all laps, in milliseconds."""
    fate = chance.random()
    drive.did_not_start = fate < 0.008
    drive.disqualified = 0.008 <= fate < 0.014
    drive.retired = 0.014 <= fate < (0.06 if on.is_sprint else 0.12)
    if drive.did_not_start:
        return []
    laps = on.distance
    if drive.retired:
        laps = 1 + int((laps - 1) * chance.random())
    _plan_stops(drive, on, laps, chance)
    stops = {stop.lap: stop for stop in drive.stops}
    form = on.lap * (1.0 + drive.driver.pace + abs(chance.gauss(0, 0.0025)))
    times = []
    for lap in range(1, laps + 1):
        fuel = 0.012 * (on.distance - lap) / on.distance
        time = int(form * (1 + fuel + abs(chance.gauss(0, 0.0022))))
        if lap == 1:
            time += 4500 + int(chance.random() * 5000)
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


def _plan_stops(drive: Drive, on: _Conditions, laps: int, chance: Random) -> None:
    roll = chance.random
    count = int(roll() < 0.03) if on.is_sprint else pick(chance, _STOPS)
    wanted = {
        int(on.distance * ((n + 1) / (count + 1) + (roll() - 0.5) * 0.14)) for n in range(count)
    }
    if on.red_flag_lap is not None:
        # Nobody stops close to a red flag: the new tyres are free.
        wanted = {lap for lap in wanted if abs(lap - on.red_flag_lap) > 4} | {on.red_flag_lap}
    first, compound = 1, pick(chance, on.compounds)
    for lap in sorted(lap for lap in wanted if 1 < lap < laps):
        lane = int(on.pit_lane + chance.gauss(0, 500))
        standing: int | None = int(2100 + roll() * 1300)
        if roll() < 0.05:
            slow = int(2_000 + roll() * 22_000)
            lane, standing = lane + slow, (standing or 0) + slow
        if lap == on.red_flag_lap:
            lane, standing = min(on.red_flag + lane, _LONGEST_LANE), None
        drive.stops.append(
            Stop(
                at=0,
                lap=lap,
                lane_milliseconds=None if roll() < 0.003 else lane // 100 * 100,
                standing_milliseconds=None if standing is None else standing // 100 * 100,
            )
        )
        drive.stints.append(Stint(first=first, last=lap, compound=compound, age=_age(chance)))
        others = [entry for entry in on.compounds if entry[0] != compound or roll() < 0.4]
        first, compound = lap + 1, pick(chance, others or on.compounds)
    drive.stints.append(Stint(first=first, last=laps, compound=compound, age=_age(chance)))


def _age(chance: Random) -> int:
    return 0 if chance.random() < 0.7 else 1 + int(chance.random() * 5)


def _run(
    drive: Drive,
    times: list[int],
    on: _Conditions,
    begin: int,
    finish: int,
    writer: LapWriter,
    by_lap: list[list[Record]],
    first_lap_timed: bool,
    chance: Random,
) -> None:
    """Drive the planned laps until the race is over, and write them down."""
    roll = chance.random
    breaks_down = drive.retired and roll() < 0.45
    stops = {stop.lap: stop for stop in drive.stops}
    number = drive.driver.number
    for lap, time in enumerate(times, start=1):
        if drive.total >= finish:
            break
        start = begin + drive.total
        drive.total += time
        drive.laps = lap
        leaving = stops.get(lap - 1)
        if lap in stops:
            stops[lap].at = begin + drive.total
        untimed = lap == 1 and not first_lap_timed and roll() < 0.9
        by_lap[lap - 1].append(
            writer.write(
                number,
                lap,
                None if untimed and roll() < 0.06 else start,
                time,
                pit_out=leaving is not None,
                no_first_sector=untimed,
                no_time=untimed or roll() < 0.002,
                unfinished=breaks_down and lap == len(times),
                slow_sector=on.red_flag if lap == on.red_flag_lap else _lost_leaving(leaving, on),
            )
        )
    drive.stops = [stop for stop in drive.stops if stop.lap <= drive.laps]
    drive.stints = [stint for stint in drive.stints if stint.first <= drive.laps]
    if drive.stints:
        drive.stints[-1].last = drive.laps
