"""What goes wrong upstream in a demonstration: a defect, a correction, an API that is closed.

Everything is planted as faults of the simulator, so that what is served stays a function of the
seed and of the chapter.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from f1_bronze.simulator.control import Control
from f1_bronze.simulator.faults import InjectedFault
from f1_bronze.simulator.sources import Record, SeasonSource

IMPOSSIBLE_STOP = 0.4
"""Seconds; no car was ever changed tyres on so fast, let alone driven through the pit lane."""

_PENALTIES = (5.0, 10.0, 20.0, 30.0)
"""Seconds that stewards add to a race time."""

_RACE = "Race"


@dataclass(frozen=True, kw_only=True)
class Penalty:
    """Who is penalized after a race, by how many seconds, and who gains the position."""

    driver_number: int
    rival_number: int
    position: int
    seconds: float


class Story:
    """The plants of one season: a race with an impossible pit stop, another that is corrected.

    defective and corrected: the meeting names, without "Grand Prix".
    Raises LookupError where the season has no such race.
    """

    def __init__(self, source: SeasonSource, year: int, *, defective: str, corrected: str) -> None:
        self._source = source
        self._defective = _race_key(source, year, defective)
        self._corrected = _race_key(source, year, corrected)
        self.penalty = self._find_penalty()
        self._stop = source.rows("pit", self._defective)[5]

    def plant(self, control: Control, *, is_corrected: bool, is_closed: bool = False) -> None:
        """Let the simulator serve a chapter; the defect is always there.

        is_corrected: whether the penalty is in the result of the race.
        is_closed: whether the API is closed for a live session.
        """
        control.set_faults([self._defect(), *(self._correction() if is_corrected else ())])
        control.change_behaviour(live=is_closed)

    def _defect(self) -> InjectedFault:
        return InjectedFault(
            kind="edit",
            endpoint="pit",
            session_key=self._defective,
            match={name: self._stop[name] for name in ("driver_number", "lap_number")},
            patch={"pit_duration": IMPOSSIBLE_STOP},
        )

    def _correction(self) -> Sequence[InjectedFault]:
        """The penalized driver and the rival change places, points included."""
        penalty = self.penalty
        rows = {row["driver_number"]: row for row in self._results()}
        loser, winner = rows[penalty.driver_number], rows[penalty.rival_number]
        after = {
            penalty.driver_number: {
                "position": winner["position"],
                "points": winner["points"],
                "duration": round(loser["duration"] + penalty.seconds, 3),
                "gap_to_leader": round(loser["gap_to_leader"] + penalty.seconds, 3),
            },
            penalty.rival_number: {"position": loser["position"], "points": loser["points"]},
        }
        return [
            InjectedFault(
                kind="edit",
                endpoint="session_result",
                session_key=self._corrected,
                match={"driver_number": number},
                patch=patch,
            )
            for number, patch in after.items()
        ]

    def _find_penalty(self) -> Penalty:
        """The first driver behind the winner whom a usual penalty costs one position, not two."""
        rows = [row for row in self._results() if isinstance(row["gap_to_leader"], int | float)]
        for ahead, behind, next_one in zip(rows[1:], rows[2:], rows[3:], strict=False):
            for seconds in _PENALTIES:
                gap = ahead["gap_to_leader"] + seconds
                if behind["gap_to_leader"] < gap < next_one["gap_to_leader"]:
                    return Penalty(
                        driver_number=ahead["driver_number"],
                        rival_number=behind["driver_number"],
                        position=ahead["position"],
                        seconds=seconds,
                    )
        raise LookupError("nobody can lose exactly one position by a penalty")

    def _results(self) -> list[Record]:
        rows = self._source.rows("session_result", self._corrected)
        return sorted(
            (row for row in rows if row["position"] is not None), key=lambda row: row["position"]
        )


def _race_key(source: SeasonSource, year: int, name: str) -> int:
    meetings = {
        meeting["meeting_key"]
        for meeting in source.meetings()
        if meeting["year"] == year and meeting["meeting_name"] == f"{name} Grand Prix"
    }
    for session in source.sessions():
        if session["meeting_key"] in meetings and session["session_name"] == _RACE:
            return int(session["session_key"])
    raise LookupError(f"{year} has no race called {name}")
