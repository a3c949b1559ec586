"""One lap as the API writes it.

Belongs here: sectors, speeds, mini-sectors and the holes in them. Stays out: how long a lap
takes and why (`race`, `runs`).

Times are whole milliseconds until they are written, so sectors add up exactly.
"""

import random
from datetime import UTC, datetime

from f1_bronze.simulator.season.race_weekends import ScheduledSession
from f1_bronze.simulator.season.rng import dice
from f1_bronze.simulator.season.rounds import Circuit
from f1_bronze.simulator.sources import Record

_POOL = 64
# Mini-sector colours: 2048 yellow, 2049 green, 2051 purple, 2064 pit lane.
_COLOURS = (2048, 2049, 2051)


def moment(milliseconds: int) -> str:
    """Epoch milliseconds as the API writes a time: microseconds only when not zero."""
    seconds, rest = divmod(milliseconds, 1000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest * 1000).isoformat()


class LapWriter:
    """Writes the laps of one session; its die decides speeds and holes, never times."""

    def __init__(self, session: ScheduledSession, seed: int) -> None:
        self._session = session
        self._chance = dice(seed, session.key, "lap rows")
        self._split, self._counts = _layout(session.circuit)
        self._pools = [self._pool(count) for count in self._counts]
        self._top_speed = 270 + session.circuit.circuit_key % 60

    def _pool(self, count: int) -> list[list[int | None]]:
        # Making each list anew would cost more than all the rest of a lap.
        roll = self._chance.random
        lists: list[list[int | None]] = []
        for _ in range(_POOL):
            one: list[int | None] = [
                _COLOURS[0 if r < 0.78 else 1 if r < 0.97 else 2]
                for r in (roll() for _ in range(count))
            ]
            if roll() < 0.35:
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
        roll = self._chance.random
        quick = milliseconds - slow_sector
        sector_1 = int(quick * (self._split[0] + (roll() - 0.5) * 0.004)) + slow_sector
        sector_2 = int(quick * (self._split[1] + (roll() - 0.5) * 0.004))
        sector_3 = milliseconds - sector_1 - sector_2
        top = self._top_speed
        hole = roll()
        first, second, third = self._pools
        place = int(roll() * _POOL * _POOL * _POOL)
        return {
            "meeting_key": self._session.meeting_key,
            "session_key": self._session.key,
            "driver_number": driver_number,
            "lap_number": lap_number,
            "date_start": None if start is None else moment(start),
            "duration_sector_1": None if no_first_sector else sector_1 / 1000,
            "duration_sector_2": sector_2 / 1000,
            "duration_sector_3": None if unfinished else sector_3 / 1000,
            "i1_speed": None if roll() < 0.13 else int(top - 25 + roll() * 22),
            "i2_speed": None if roll() < 0.002 else int(top - 10 + roll() * 24),
            "is_pit_out_lap": pit_out,
            "lap_duration": None if no_time or unfinished else milliseconds / 1000,
            "segments_sector_1": None if hole < 0.004 else first[place % _POOL],
            "segments_sector_2": None if hole < 0.002 else second[place // _POOL % _POOL],
            "segments_sector_3": None if hole < 0.003 or unfinished else third[place // _POOL**2],
            "st_speed": None if roll() < 0.11 else int(top + 5 + roll() * 30),
        }


def _layout(circuit: Circuit) -> tuple[tuple[float, float], tuple[int, int, int]]:
    """Shares of sectors 1 and 2, and mini-sectors by sector: the same in every session."""
    chance: random.Random = dice("layout", circuit.circuit_key)
    shares = (0.27 + chance.random() * 0.1, 0.3 + chance.random() * 0.1)
    counts = (6 + int(chance.random() * 4), 5 + int(chance.random() * 5))
    return shares, (counts[0], counts[1], 5 + int(chance.random() * 5))
