"""The call budget: when OpenF1 may be called, shared by all who ask from one address.

A call reserves a moment in a ledger that all processes share, and sleeps until then outside of any
lock (docs/adr/0007). Where the ledger is kept is in budget_stores.py.
"""

import json
import logging
import math
import re
import signal
import sys
import threading
import time
from bisect import bisect_right, insort
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from types import FrameType

from f1_bronze.openf1.answers import BudgetTaken
from f1_bronze.openf1.budget_stores import BudgetSettingError, RateStore, RateStoreError

_log = logging.getLogger("f1_bronze.openf1")

LONGEST_BLOCK = 3600.0
"""Seconds that a back-off lasts at most; a ledger that says more is not believed."""

_LONGEST_QUEUE = 86_400.0
_MOST_SLOTS = 100_000
_LONGEST_MARGIN = 0.25
_LEAST_MARGIN = 0.05
_LARGEST_SHARE = 0.05  # of a window that its margin may take
_WORTH_REPORTING = 1.0
_MOST_MISSED_SLOTS = 20
_LIMIT = re.compile(r"\s*([0-9]{1,6})\s*/\s*([0-9]{1,6}(?:\.[0-9]+)?)\s*s\s*")


@dataclass(frozen=True, kw_only=True)
class Limit:
    """At most `calls` calls within any `seconds` seconds, the end not among them."""

    calls: int
    seconds: float


def parse_limits(text: str) -> tuple[Limit, ...]:
    """The limits of a setting; `BudgetSettingError` where it is not one.

    >>> parse_limits("3/1s,30/60s")
    (Limit(calls=3, seconds=1.0), Limit(calls=30, seconds=60.0))
    """
    limits = []
    for part in text.split(","):
        match = _LIMIT.fullmatch(part)
        if match is None or int(match[1]) < 1 or not 0 < float(match[2]) <= 3600:
            raise BudgetSettingError(
                f"{part.strip()!r} in {text!r} is not a limit; write calls/seconds, at least 1 "
                "call and at most 3600 s, several separated by commas, for example 3/1s,30/60s."
            )
        limits.append(Limit(calls=int(match[1]), seconds=float(match[2])))
    return tuple(limits)


def add_margins(limits: Sequence[Limit]) -> tuple[Limit, ...]:
    """The limits with longer windows, because a server counts arrivals and these jitter.

    A first call comes later than its moment by two handshakes, the next by half a round trip, so a
    quarter of a second is kept wherever it costs next to nothing: at 30 per 60 s it is 0.4 % of
    the budget, and at 3 per 1 s nothing at all, because 30 per 60 s is the tighter limit in the
    long run. A window that would lose more keeps a twentieth of its length, but 50 ms at least, or
    what the tighter limit leaves it.

    >>> [limit.seconds for limit in add_margins([Limit(calls=3, seconds=1.0)])]
    [1.05]
    >>> [limit.seconds for limit in add_margins(parse_limits("3/1s,30/60s"))]
    [1.25, 60.25]
    """
    apart = max(limit.seconds / limit.calls for limit in limits)  # seconds a call, in the end
    wide = []
    for limit in limits:
        free = apart * limit.calls - limit.seconds
        margin = min(_LONGEST_MARGIN, max(_LEAST_MARGIN, limit.seconds * _LARGEST_SHARE, free))
        wide.append(Limit(calls=limit.calls, seconds=limit.seconds + margin))
    return tuple(wide)


def earliest(slots: Sequence[float], start: float, limits: Sequence[Limit]) -> float:
    """The first moment from `start` on that, among `slots`, keeps all limits.

    `slots` ascend. It is behind them all, unless a slot was given back.

    >>> earliest([0.0, 0.0, 2.0], 0.5, [Limit(calls=2, seconds=1.0)])
    1.0
    >>> earliest([0.0, 0.0, 1.0, 1.0], 0.5, [Limit(calls=2, seconds=1.0)])
    2.0
    """
    slot = start
    while (later := max(_not_before(slots, slot, limit) for limit in limits)) > slot:
        slot = later
    return slot


def _not_before(slots: Sequence[float], slot: float, limit: Limit) -> float:
    """The moment itself where the limit admits it, else the next that may do."""
    place = bisect_right(slots, slot)
    for first in range(max(0, place - limit.calls), place):
        # The call would be one of calls + 1; the last of them is the call itself or a later one.
        last = first + limit.calls - 1
        end = slot if last < place else (slots[last] if last < len(slots) else None)
        if end is not None and end < slots[first] + limit.seconds:
            return slots[first] + limit.seconds
    last = place + limit.calls - 1
    if last < len(slots) and slots[last] < slot + limit.seconds:
        return slots[place]
    return slot


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
        except (KeyError, TypeError, OverflowError, RecursionError) as error:
            raise ValueError("This is not a ledger; start a new one.") from error


class CallBudget:
    """Lets calls go so that no limit is exceeded in any rolling window.

    A call reserves the next free moment in the store and sleeps until then; calls go in the order
    of their reservations. The windows are kept longer than the limits by a margin: half of it is
    for the network, half for waking up late. A caller that is later still, or wakes up into a
    back-off, exchanges its moment for another. Nobody waits longer than `longest_wait` seconds.
    """

    def __init__(
        self,
        limits: Sequence[Limit],
        store: RateStore,
        clock: Callable[[], float] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        *,
        longest_wait: float = math.inf,
        observer: Callable[[str], None] | None = None,
    ) -> None:
        if not limits:
            raise BudgetSettingError("A call budget needs a limit; write for example 3/1s,30/60s.")
        self._store = store
        self._clock = clock or store.now
        self._sleep = sleep
        self._longest_wait = longest_wait
        self._observer = observer
        self._most_at_once = max(limit.calls for limit in limits)
        self._limits = add_margins(limits)
        self._memory = max(limit.seconds for limit in self._limits)
        margins = [wide.seconds - n.seconds for wide, n in zip(self._limits, limits, strict=True)]
        self._latest = min(margins) / 2
        self._written = False

    def now(self) -> float:
        """The time by which `back_off` is meant."""
        return self._clock()

    def wait(self, reason: str = "", observer: Callable[[str], None] | None = None) -> float:
        """Reserve one call and sleep until it may go; the seconds waited.

        `reason` says in the log who waits. Waits of more than a second are logged and reported to
        the observer. Interrupted (Ctrl-C, and SIGTERM in the main thread), it gives its moment
        back and ends at once. `BudgetTaken` when the wait would be longer than `longest_wait`.
        """
        began = self._clock()
        with exit_on_sigterm():
            slot = self.reserve()
            for _ in range(_MOST_MISSED_SLOTS):
                try:
                    if slot - began > self._longest_wait:
                        raise BudgetTaken(
                            f"The call budget is reserved by others for the next {slot - began:.0f}"
                            f" s, and at most {self._longest_wait:.0f} s can be waited here; come "
                            "back when fewer ask at once.",
                            seconds=slot - began,
                        )
                    if self._sleep_until(slot, reason, observer or self._observer):
                        break
                    slot = self.reserve(instead_of=slot)
                except BaseException:
                    with suppress(RateStoreError):  # the interruption matters more
                        self.give_back(slot)
                    raise
        return max(0.0, self._clock() - began)

    def _sleep_until(
        self, slot: float, reason: str, observer: Callable[[str], None] | None
    ) -> bool:
        """Sleep until the moment; whether it can be used."""
        ahead = slot - self._clock()
        if ahead > 0:
            if ahead > _WORTH_REPORTING:
                message = f"waiting {ahead:.0f} s for the API budget"
                who = f" ({reason})" if reason else ""
                _log.info("%s%s", message, who, extra={"seconds": ahead})
                if observer is not None:
                    observer(message)
            self._sleep(ahead)
        now = self._clock()
        return now - slot <= self._latest and not (
            ahead > 0 and self._read(now).blocked_until > now
        )

    def reserve(self, *, instead_of: float | None = None) -> float:
        """Take the next free moment for one call, which must not go before it.

        `instead_of` is a moment taken earlier, which is given back in the same step.
        """
        taken = 0.0

        def step(ledger: Ledger, now: float) -> Ledger:
            nonlocal taken
            if instead_of is not None:
                ledger = ledger.without_slot(instead_of, now=now)
            taken = self._next_slot(ledger, now)
            return ledger.with_slot(taken, now=now, memory=self._memory)

        self._change(step)
        return taken

    def give_back(self, slot: float) -> None:
        """Free a reserved moment that no call will use."""
        self._change(lambda ledger, now: ledger.without_slot(slot, now=now))

    def back_off(self, until: float) -> None:
        """Let nobody who shares the store call before `until` (as of `now()`; an hour at most)."""
        self._change(lambda ledger, now: ledger.blocked(until, now=now))

    def estimate(self, calls: int) -> float:
        """Seconds from now until the last of that many further calls may go; reserves nothing."""
        now = slot = self._clock()
        ledger = self._read(now)
        for _ in range(calls):
            slot = self._next_slot(ledger, slot)
            ledger = ledger.with_slot(slot, now=slot, memory=self._memory)
        return max(0.0, slot - now)

    def remaining(self) -> int:
        """How many calls may go at once, without waiting."""
        now = self._clock()
        ledger = self._read(now)
        for free in range(self._most_at_once + 1):
            slot = self._next_slot(ledger, now)
            if slot > now:
                return free
            ledger = ledger.with_slot(slot, now=now, memory=self._memory)
        return free

    def _next_slot(self, ledger: Ledger, now: float) -> float:
        return earliest(ledger.slots, max(now, ledger.blocked_until), self._limits)

    def _read(self, now: float) -> Ledger:
        return self._to_ledger(self._store.read(), now)

    def _change(self, step: Callable[[Ledger, float], Ledger]) -> None:
        def renew(text: bytes | None) -> bytes:
            now = self._clock()
            return step(self._to_ledger(text, now), now).to_json()

        self._store.change(renew)
        self._written = True

    def _to_ledger(self, text: bytes | None, now: float) -> Ledger:
        """The ledger as it reads at `now`; a full window where it is damaged or has vanished."""
        if text is None and not self._written:
            return Ledger()
        try:
            ledger = Ledger.from_json(text or b"")
        except ValueError:
            _log.warning("The call budget's ledger was damaged; waiting as if it were used up.")
            return Ledger(slots=(now,) * self._most_at_once, written_at=now)
        self._written = True
        return ledger.seen_at(now)


@contextmanager
def exit_on_sigterm() -> Iterator[None]:
    """Meanwhile a SIGTERM that would end the process on the spot raises `SystemExit` (143).

    A handler that is there already, such as Dagster's in its runs, stays. Only the main thread
    can do this; a wait in another one dies with the process, and its reserved call is lost.
    """
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    ):
        yield
        return

    def leave(number: int, frame: FrameType | None) -> None:
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
