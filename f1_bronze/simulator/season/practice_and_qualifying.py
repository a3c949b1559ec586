"""Practice, testing and qualifying: laps in runs, with stops in the garage between them.

A run is an out-lap, some quick laps and an in-lap. As upstream, the first out-lap has no
time; a later one often carries the whole stop in the garage in its time, while its
date_start is the moment it left the pits.
"""

from dataclasses import dataclass, field
from random import Random

from f1_bronze.simulator.season.entrants import entrants
from f1_bronze.simulator.season.outcome import Drive, SessionOutcome, Stint, Stop, pick, seeded_rng
from f1_bronze.simulator.season.race_weekends import ScheduledSession
from f1_bronze.simulator.season.rows import LapWriter
from f1_bronze.simulator.sources import Record

_PRACTICE_TYRES = (("SOFT", 0.5), ("MEDIUM", 0.32), ("HARD", 0.18))
_TEST_TYRES = (("SOFT", 0.3), ("MEDIUM", 0.3), ("HARD", 0.32), ("TEST_UNKNOWN", 0.08))


@dataclass(kw_only=True)
class _Outing:
    """A driver's session under way: `now` is in epoch milliseconds, `quick` a best lap."""

    drive: Drive
    rng: Random
    writer: LapWriter
    now: int
    quick: int
    rows: list[Record] = field(default_factory=list)
    times: list[int] = field(default_factory=list)

    def run(self, leave_at: int, quick_laps: int, spread: float, compound: str, age: int) -> None:
        """One run, leaving the pits at `leave_at`; its quick laps are added to `times`."""
        rng, drive = self.rng, self.drive
        draw = rng.random
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
        out = int(self.quick * (1.25 + draw() * 0.2))
        untimed = not drive.laps or draw() < 0.22
        self._lap(leave_at, out + garage, garage, untimed=untimed)
        self.now = leave_at + out
        for _ in range(quick_laps):
            time = int(self.quick * (1.0 + abs(rng.gauss(0, spread))))
            self._lap(self.now, time, None)
            self.times.append(time)
            self.now += time
        back = int(self.quick * (1.3 + draw() * 0.25))
        self._lap(self.now, back, None, untimed=draw() < 0.02)
        self.now += back
        drive.stints.append(Stint(first=first, last=drive.laps, compound=compound, age=age))

    def _lap(self, start: int, time: int, garage: int | None, *, untimed: bool = False) -> None:
        self.drive.laps += 1
        first = self.drive.laps == 1
        self.rows.append(
            self.writer.write(
                self.drive.driver.number,
                self.drive.laps,
                None if first and self.rng.random() < 0.05 else start,
                time,
                pit_out=garage is not None,
                no_first_sector=garage is not None and (untimed or self.rng.random() < 0.5),
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
            rng=seeded_rng(seed, session.key, driver.number),
            writer=writer,
            now=begin,
            quick=int(base * (1 + driver.pace)),
        )
        for driver in sorted(entrants(seed, session), key=lambda driver: driver.number)
    ]


def _outcome(outings: list[_Outing]) -> SessionOutcome:
    rows = [row for outing in outings for row in outing.rows]
    rows.sort(key=lambda row: (row["lap_number"], row["driver_number"]))
    return SessionOutcome(laps=rows, drives=[outing.drive for outing in outings])


def practice(seed: int, session: ScheduledSession) -> SessionOutcome:
    """The outcome of a practice or of a day of testing (a session of over four hours)."""
    begin = int(session.start.timestamp() * 1000)
    end = int(session.end.timestamp() * 1000)
    testing = end - begin > 4 * 3_600_000
    tyres = _TEST_TYRES if testing else _PRACTICE_TYRES
    outings = _outings(seed, session)
    for outing in outings:
        draw = outing.rng.random
        # Two drivers share a car in testing: some drive all day, some only half of it.
        most = 30 + int(draw() * 110) if testing else 16 + int(draw() * 10)
        leave = begin + int(draw() * (1_800_000 if testing else 300_000))
        while outing.drive.laps < most:
            longest = 14 if testing else 7
            laps = 1 + int(draw() * longest)
            laps = min(laps, most - outing.drive.laps)
            if leave + outing.quick * (laps + 1) > end:
                break
            age = 0 if draw() < 0.6 else int(draw() * 8)
            outing.run(leave, laps, 0.012, pick(outing.rng, tyres), age)
            stand = 1_200_000 if testing else 420_000
            leave = outing.now + int(90_000 + draw() * stand)
        outing.drive.bests = [min(outing.times, default=None)]
    return _outcome(outings)


def qualifying(seed: int, session: ScheduledSession) -> SessionOutcome:
    """The outcome of a qualifying in three parts; the slowest leave after each."""
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
    return _outcome(outings)


def _part_best(outing: _Outing, part: int) -> float:
    best = outing.drive.bests[part] if 0 <= part < len(outing.drive.bests) else None
    return float("inf") if best is None else best


def _part(outing: _Outing, part: int, begin: int, sprint: bool) -> None:
    rng, drive = outing.rng, outing.drive
    draw = rng.random
    if part == 0 and draw() < 0.015:
        drive.retired = True  # off the road on the out-lap: no time, no position
    runs = 0 if drive.retired else 1 + int(draw() < 0.35) if sprint else 2 + int(draw() < 0.12)
    outing.times = []
    outing.quick = int(outing.quick * (1.0, 0.996, 0.995)[part])
    tyre = "MEDIUM" if sprint and part < 2 else "SOFT"
    for number in range(runs):
        stand = 70_000 + draw() * 120_000 if draw() < 0.9 else 8_000 + draw() * 40_000
        leave = int(max(begin + 60_000 + number * 390_000, outing.now) + stand)
        quick_laps = 1 + int(draw() < 0.18) + int(sprint and draw() < 0.6)
        outing.run(leave, quick_laps, 0.004, tyre, 0 if draw() < 0.7 else 2)
    if drive.retired and part == 0:
        outing.run(begin + int(draw() * 90_000), 0, 0.004, tyre, 0)
    drive.bests.append(min(outing.times, default=None))
