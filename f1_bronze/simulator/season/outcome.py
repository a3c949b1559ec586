"""What happened in a session, before it is written as rows, and the randomness that decides it."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from f1_bronze.simulator.sources import Record

T = TypeVar("T")


def seeded_rng(*names: object) -> random.Random:
    """The generator for one decision: `seeded_rng(seed, 2025, "race", session_key)`.

    Python hashes a text seed with SHA-512, so the same names give the same numbers in every
    process, whatever PYTHONHASHSEED, clock or dict order.
    """
    return random.Random("/".join(map(str, names)))


def pick(rng: random.Random, weighted: Sequence[tuple[T, float]]) -> T:
    """One of the values, as likely as its weight among all weights."""
    left = rng.random() * sum(weight for _, weight in weighted)
    for value, weight in weighted:
        left -= weight
        if left < 0:
            return value
    return weighted[-1][0]


@dataclass(frozen=True, kw_only=True)
class Driver:
    """A seat in a season. pace: share of a lap lost to the best, 0 to about 0.02."""

    number: int
    first_name: str
    last_name: str
    acronym: str
    country: str
    team: str
    colour: str
    pace: float


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
