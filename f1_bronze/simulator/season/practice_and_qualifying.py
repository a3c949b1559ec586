"""Practice, testing and qualifying: laps in runs, with stands in the garage between them.

Belongs here: how many runs, how fast. Stays out: rows other than laps (`tyre_rows`,
`result_rows`).

A run is an out-lap, some quick laps and an in-lap. As upstream, the first out-lap has no
time; a later one often carries the whole stand in the garage in its time, while its
date_start is the moment it left the pits.
"""

from dataclasses import dataclass
from random import Random

from f1_bronze.simulator.season.entrants import Driver, entrants
from f1_bronze.simulator.season.lap_rows import LapWriter
from f1_bronze.simulator.season.outcome import Drive, SessionOutcome, Stint, Stop
from f1_bronze.simulator.season.race_weekends import ScheduledSession
from f1_bronze.simulator.season.rng import dice, pick
from f1_bronze.simulator.sources import Record

_PRACTICE_TYRES = (("SOFT", 0.5), ("MEDIUM", 0.32), ("HARD", 0.18))

_TEST_TYRES = (("SOFT", 0.3), ("MEDIUM", 0.3), ("HARD", 0.32), ("TEST_UNKNOWN", 0.08))


@dataclass(kw_only=True)
class _Outing:
    """A driver's session under way: `now` is in epoch milliseconds, `quick` a best lap."""

    drive: Drive
    chance: Random
    writer: LapWriter
    now: int
    quick: int
    rows: list[Record]
    times: list[int]

    def run(self, leave_at: int, quick_laps: int, spread: float, compound: str, age: int) -> None:
        """One run, leaving the pits at `leave_at`; its quick laps are added to `times`."""
        chance, drive = self.chance, self.drive
        roll = chance.random
        first = drive.laps + 1
        leave_at = max(leave_at, self.now)
        garage = leave_at - self.now
        drive.stops.append(
            Stop(
                at=leave_at,
                lap=first,
                lane_milliseconds=garage // 100 * 100 if drive.laps else None,
            )
        )
        out = int(self.quick * (1.25 + roll() * 0.2))
        untimed = not drive.laps or roll() < 0.22
        self._lap(leave_at, out + garage, garage, untimed=untimed)
        self.now = leave_at + out
        for _ in range(quick_laps):
            time = int(self.quick * (1.0 + abs(chance.gauss(0, spread))))
            self._lap(self.now, time, None)
            self.times.append(time)
            self.now += time
        back = int(self.quick * (1.3 + roll() * 0.25))
        self._lap(self.now, back, None, untimed=roll() < 0.02)
        self.now += back
        drive.stints.append(Stint(first=first, last=drive.laps, compound=compound, age=age))

    def _lap(self, start: int, time: int, garage: int | None, *, untimed: bool = False) -> None:
        self.drive.laps += 1
        first = self.drive.laps == 1
        self.rows.append(
            self.writer.write(
                self.drive.driver.number,
                self.drive.laps,
                None if first and self.chance.random() < 0.05 else start,
                time,
                pit_out=garage is not None,
                no_first_sector=garage is not None and (untimed or self.chance.random() < 0.5),
                no_time=untimed,
                slow_sector=garage or 0,
            )
        )


def _outings(seed: int, session: ScheduledSession) -> list[_Outing]:
    writer = LapWriter(session, seed)
    begin = int(session.start.timestamp() * 1000)
    base = session.circuit.lap_seconds * 1000 * (0.955 if "Quali" in session.name else 0.97)
    return [
        _Outing(
            drive=Drive(driver=driver),
            chance=dice(seed, session.key, driver.number),
            writer=writer,
            now=begin,
            quick=int(base * (1 + driver.pace)),
            rows=[],
            times=[],
        )
        for driver in _by_number(entrants(seed, session))
    ]


def _by_number(drivers: tuple[Driver, ...]) -> list[Driver]:
    return sorted(drivers, key=lambda driver: driver.number)


def _story(outings: list[_Outing]) -> SessionOutcome:
    rows = [row for outing in outings for row in outing.rows]
    rows.sort(key=lambda row: (row["lap_number"], row["driver_number"]))
    return SessionOutcome(laps=rows, drives=[outing.drive for outing in outings])


def practice(seed: int, session: ScheduledSession) -> SessionOutcome:
    """The story of a practice or of a day of testing (told by its length)."""
    begin = int(session.start.timestamp() * 1000)
    end = int(session.end.timestamp() * 1000)
    testing = end - begin > 4 * 3_600_000
    tyres = _TEST_TYRES if testing else _PRACTICE_TYRES
    outings = _outings(seed, session)
    for outing in outings:
        roll = outing.chance.random
        # Two drivers share a car in testing: some drive all day, some only half of it.
        most = 30 + int(roll() * 110) if testing else 16 + int(roll() * 10)
        leave = begin + int(roll() * (1_800_000 if testing else 300_000))
        while outing.drive.laps < most:
            longest = 14 if testing else 7
            laps = 1 + int(roll() * longest)
            laps = min(laps, most - outing.drive.laps)
            if leave + outing.quick * (laps + 1) > end:
                break
            age = 0 if roll() < 0.6 else int(roll() * 8)
            outing.run(leave, laps, 0.012, pick(outing.chance, tyres), age)
            stand = 1_200_000 if testing else 420_000
            leave = outing.now + int(90_000 + roll() * stand)
        outing.drive.bests = [min(outing.times, default=None)]
    return _story(outings)


def qualifying(seed: int, session: ScheduledSession) -> SessionOutcome:
    """The story of a qualifying in three parts; the slowest leave after each."""
    outings = _outings(seed, session)
    begin = int(session.start.timestamp() * 1000)
    sprint = session.name == "Sprint Qualifying"
    seats = (len(outings), 16 if len(outings) > 20 else 15, 10)
    lengths = (12, 10, 8) if sprint else (18, 15, 12)
    running = outings
    for part, (count, minutes) in enumerate(zip(seats, lengths, strict=True)):
        running = sorted(running, key=lambda o: _part_best(o, part - 1))[:count]
        for outing in running:
            _part(outing, part, begin, sprint)
        begin += (minutes + 7) * 60_000
    for outing in outings:
        outing.drive.bests += [None] * (3 - len(outing.drive.bests))
    return _story(outings)


def _part_best(outing: _Outing, part: int) -> float:
    best = outing.drive.bests[part] if 0 <= part < len(outing.drive.bests) else None
    return float("inf") if best is None else best


def _part(outing: _Outing, part: int, begin: int, sprint: bool) -> None:
    chance, drive = outing.chance, outing.drive
    roll = chance.random
    if part == 0 and roll() < 0.015:
        drive.retired = True  # off the road on the out-lap: no time, no position
    runs = 0 if drive.retired else 1 + int(roll() < 0.35) if sprint else 2 + int(roll() < 0.12)
    outing.times = []
    outing.quick = int(outing.quick * (1.0, 0.996, 0.995)[part])
    tyre = "MEDIUM" if sprint and part < 2 else "SOFT"
    for number in range(runs):
        stand = 70_000 + roll() * 120_000 if roll() < 0.9 else 8_000 + roll() * 40_000
        leave = int(max(begin + 60_000 + number * 390_000, outing.now) + stand)
        quick_laps = 1 + int(roll() < 0.18) + int(sprint and roll() < 0.6)
        outing.run(leave, quick_laps, 0.004, tyre, 0 if roll() < 0.7 else 2)
    if drive.retired and part == 0:
        outing.run(begin + int(roll() * 90_000), 0, 0.004, tyre, 0)
    drive.bests.append(min(outing.times, default=None))
