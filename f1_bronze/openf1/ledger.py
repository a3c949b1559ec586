"""The ledger of the shared rate budget: which calls are reserved, and until when all must wait.

Belongs here: what is remembered between calls, and when it can be believed. Stays out: where it is
kept (the stores in pace.py) and how long a call has to wait (Pace in pace.py).
"""

import json
import math
from bisect import insort
from dataclasses import dataclass, replace
from itertools import pairwise

LONGEST_BLOCK = 3600.0
"""Seconds that a back-off lasts at most; a ledger that says more is not believed."""
_LONGEST_QUEUE = 86_400.0
_MOST_SLOTS = 100_000


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """What all processes know of the calls made; times in seconds since the epoch.

    Attributes:
        slots: moments reserved for calls, past and future, ascending.
        blocked_until: no call goes before it.
        written_at: when the ledger was last changed.
    """

    slots: tuple[float, ...] = ()
    blocked_until: float = 0.0
    written_at: float = 0.0

    def __post_init__(self) -> None:
        times = (*self.slots, self.blocked_until, self.written_at)
        if not all(math.isfinite(time) for time in times) or len(self.slots) > _MOST_SLOTS:
            raise ValueError("A ledger holds finite times; start a new one.")
        if any(later < earlier for earlier, later in pairwise(self.slots)):
            raise ValueError("The slots of a ledger ascend; start a new one.")
        if self.slots and self.slots[-1] > self.written_at + _LONGEST_QUEUE:
            raise ValueError("A ledger reserves at most a day ahead; start a new one.")
        if self.blocked_until > self.written_at + LONGEST_BLOCK + 1:
            raise ValueError("A ledger blocks for an hour at most; start a new one.")

    def seen_at(self, now: float) -> "Ledger":
        """The ledger as it reads at `now`.

        Where the clock has been set back since the last change, all times move back with it, as if
        no time had passed: waiting too long once is better than calls that are too close.
        """
        set_back = self.written_at - now
        if set_back <= 0:
            return self
        return Ledger(
            slots=tuple(slot - set_back for slot in self.slots),
            blocked_until=self.blocked_until - set_back,
            written_at=now,
        )

    def with_slot(self, slot: float, *, now: float, memory: float) -> "Ledger":
        """The ledger with one more reservation, without what is older than `memory` seconds."""
        slots = [old for old in self.slots if old > now - memory]
        insort(slots, slot)
        return replace(self, slots=tuple(slots), written_at=now)

    def without_slot(self, slot: float, *, now: float) -> "Ledger":
        """The ledger with one reservation of that moment given back."""
        slots = list(self.slots)
        if slot in slots:
            slots.remove(slot)
        return replace(self, slots=tuple(slots), written_at=now)

    def blocked(self, until: float, *, now: float) -> "Ledger":
        """The ledger in which nobody calls before `until`, or before an hour at most."""
        until = min(until, now + LONGEST_BLOCK)
        return replace(self, blocked_until=max(self.blocked_until, until), written_at=now)

    def to_json(self) -> bytes:
        """The ledger as it is written to a file or a row."""
        times = {
            "slots": self.slots,
            "blocked_until": self.blocked_until,
            "written_at": self.written_at,
        }
        return json.dumps(times).encode()

    @classmethod
    def from_json(cls, text: bytes) -> "Ledger":
        """The ledger that was written; ValueError when it is damaged or cannot be true."""
        try:
            times = json.loads(text)
            return cls(
                slots=tuple(float(slot) for slot in times["slots"]),
                blocked_until=float(times["blocked_until"]),
                written_at=float(times["written_at"]),
            )
        except (KeyError, TypeError, OverflowError, RecursionError) as fault:
            raise ValueError("This is no ledger; start a new one.") from fault
