"""What happened in a session, before it is written as rows.

Belongs here: the shape of a session's outcome, shared by those who make it (`race`, `runs`)
and those who write it (`tyre_rows`, `result_rows`). Stays out: how either is done.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from f1_bronze.simulator.season.entrants import Driver
from f1_bronze.simulator.sources import Record


@dataclass(kw_only=True)
class Stint:
    """Laps first to last on one set of tyres; age is in laps when it was put on."""

    first: int
    last: int
    compound: str | None
    age: int


@dataclass(kw_only=True)
class Stop:
    """A visit to the pits: at epoch milliseconds, on a lap, for a time (None: not measured)."""

    at: int
    lap: int
    lane_milliseconds: int | None
    standing_milliseconds: int | None = None


@dataclass(kw_only=True)
class Drive:
    """One driver's session, built up lap by lap.

    bests are the best laps in milliseconds: one for a practice, three for a qualifying
    (None where no time was set). total is the race time in milliseconds.
    """

    driver: Driver
    laps: int = 0
    total: int = 0
    bests: list[int | None] = field(default_factory=list)
    stints: list[Stint] = field(default_factory=list)
    stops: list[Stop] = field(default_factory=list)
    retired: bool = False
    disqualified: bool = False
    did_not_start: bool = False


@dataclass(frozen=True, kw_only=True)
class SessionOutcome:
    """A whole session: the rows of its laps, and each driver's drive."""

    laps: Sequence[Record]
    drives: Sequence[Drive]
