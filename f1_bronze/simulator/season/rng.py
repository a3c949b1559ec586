"""The only randomness of the generator: dice named by what they decide.

Belongs here: making dice and rolling them. Stays out: what a roll means.

A die is a `random.Random` seeded with text, which Python hashes with SHA-512: the same
text gives the same rolls in every process, whatever PYTHONHASHSEED, clock or dict order.
"""

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def dice(*names: object) -> random.Random:
    """A die for one decision: `dice(seed, 2025, "race", session_key)`."""
    return random.Random("/".join(map(str, names)))


def pick(chance: random.Random, weighted: Sequence[tuple[T, float]]) -> T:
    """One of the values, as likely as its weight among all weights."""
    left = chance.random() * sum(weight for _, weight in weighted)
    for value, weight in weighted:
        left -= weight
        if left < 0:
            return value
    return weighted[-1][0]
