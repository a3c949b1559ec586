"""The pace at which OpenF1 may be asked, shared by all who ask from here.

Belongs here: the limits, the reservation of calls, and which store shares them. Stays out:
the arithmetic of windows (timetable.py), the stores (file_store.py, server_store.py), retries
(retries.py) and HTTP.
"""

import hashlib
import logging
import math
import re
import signal
import sys
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Protocol
from urllib.parse import urlsplit

from f1_bronze.openf1.answers import BudgetTaken
from f1_bronze.openf1.budget_stores import (
    FileStore,
    Ledger,
    RateStoreError,
    ServerStore,
    own_directory,
)

_LONGEST_MARGIN = 0.25

_LEAST_MARGIN = 0.05

_DEAREST_MARGIN = 0.05  # of a window


@dataclass(frozen=True, kw_only=True)
class Window:
    """At most `calls` moments within any `seconds` seconds, the end not among them."""

    calls: int
    seconds: float


def widened(windows: Sequence[Window]) -> tuple[Window, ...]:
    """The windows with a margin each, because a server counts arrivals and these jitter.

    A first call comes later than its moment by two handshakes, the next by half a round trip, so a
    quarter of a second is kept wherever it costs next to nothing: at 30 per 60 s it is 0.4 % of
    the budget, and at 3 per 1 s nothing at all, because 30 per 60 s is the tighter limit in the
    long run. A window that would lose more keeps a twentieth of its length, but 50 ms at least, or
    what the tighter limit leaves it.

    >>> [window.seconds for window in widened([Window(calls=3, seconds=1.0)])]
    [1.05]
    >>> [w.seconds for w in widened([Window(calls=3, seconds=1), Window(calls=30, seconds=60)])]
    [1.25, 60.25]
    """
    apart = max(window.seconds / window.calls for window in windows)  # seconds a call, in the end
    wide = []
    for window in windows:
        free = apart * window.calls - window.seconds
        margin = min(_LONGEST_MARGIN, max(_LEAST_MARGIN, window.seconds * _DEAREST_MARGIN, free))
        wide.append(Window(calls=window.calls, seconds=window.seconds + margin))
    return tuple(wide)


def earliest(slots: Sequence[float], start: float, windows: Sequence[Window]) -> float:
    """The first moment from `start` on that, among `slots`, fills no window beyond its calls.

    `slots` ascend. Without a gap that somebody gave back it is behind them all.

    >>> earliest([0.0, 0.0, 2.0], 0.5, [Window(calls=2, seconds=1.0)])
    1.0
    >>> earliest([0.0, 0.0, 1.0, 1.0], 0.5, [Window(calls=2, seconds=1.0)])
    2.0
    """
    slot = start
    while (later := max(_not_before(slots, slot, window) for window in windows)) > slot:
        slot = later
    return slot


def _not_before(slots: Sequence[float], slot: float, window: Window) -> float:
    """The moment itself where the window admits it, else the next that may do."""
    place = bisect_right(slots, slot)
    for first in range(max(0, place - window.calls), place):
        # The call would be one of calls + 1; the last of them is the call itself or a later one.
        last = first + window.calls - 1
        end = slot if last < place else (slots[last] if last < len(slots) else None)
        if end is not None and end < slots[first] + window.seconds:
            return slots[first] + window.seconds
    last = place + window.calls - 1
    if last < len(slots) and slots[last] < slot + window.seconds:
        return slots[place]
    return slot


@contextmanager
def unwinding_on_sigterm() -> Iterator[None]:
    """Meanwhile a SIGTERM that would end the process on the spot raises `SystemExit` (143).

    Who handles SIGTERM already, as Dagster does in its runs, is left to it. Only the main thread
    can do this; a wait in another one dies with the process, and its reserved call is lost.
    """
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    ):
        yield
        return
    signal.signal(signal.SIGTERM, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _end(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


_log = logging.getLogger("f1_bronze.openf1")

_LIMIT = re.compile(r"\s*([0-9]{1,6})\s*/\s*([0-9]{1,6}(?:\.[0-9]+)?)\s*s\s*")

_WORTH_TELLING = 1.0

_MOST_MISSED_SLOTS = 20


class PaceSettingError(ValueError):
    """A setting of the pace that means nothing: mend the setting."""


@dataclass(frozen=True, kw_only=True)
class Limit:
    """At most `calls` calls in any `seconds` seconds."""

    calls: int
    seconds: float

    def __post_init__(self) -> None:
        if self.calls < 1 or not 0 < self.seconds <= 3600:
            raise PaceSettingError(
                f"{self.calls}/{self.seconds:g}s is no limit; write at least 1 call per window of "
                "up to 3600 s, for example 3/1s."
            )


def parse_limits(text: str) -> tuple[Limit, ...]:
    """The limits that a setting names; `PaceSettingError` when it names none.

    >>> parse_limits("3/1s,30/60s")
    (Limit(calls=3, seconds=1.0), Limit(calls=30, seconds=60.0))
    """
    limits = []
    for part in text.split(","):
        match = _LIMIT.fullmatch(part)
        if match is None:
            raise PaceSettingError(
                f"{part.strip()!r} in {text!r} is no limit; write calls/seconds, several separated "
                "by commas, for example 3/1s,30/60s."
            )
        limits.append(Limit(calls=int(match[1]), seconds=float(match[2])))
    return tuple(limits)


class RateStore(Protocol):
    """Where the ledger is kept for all who share one budget.

    None in place of a ledger means: there was one and it cannot be read. A store that several
    machines share answers `now` from its own clock.
    """

    def now(self) -> float:
        """Seconds since the epoch, by the clock of those who share this store."""
        ...

    def read(self) -> Ledger | None:
        """The ledger as it is; an empty one where none was written yet."""
        ...

    def change(self, step: Callable[[Ledger | None], Ledger]) -> Ledger:
        """Replace the ledger by what `step` makes of it, alone; `step` may be called again."""
        ...


class MemoryStore:
    """A ledger for the threads of this process alone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ledger = Ledger()

    def now(self) -> float:
        """Wall-clock time."""
        return time.time()

    def read(self) -> Ledger:
        """The ledger as it is."""
        return self._ledger

    def change(self, step: Callable[[Ledger | None], Ledger]) -> Ledger:
        """Replace the ledger by what `step` makes of it."""
        with self._lock:
            self._ledger = step(self._ledger)
            return self._ledger


def rate_store(setting: str, api_url: str) -> RateStore:
    """The store that a setting names; nothing is asked of a server yet.

    `""` or `file`, `file:/path`, `memory`, `postgresql://…` and `redis://…` with what their
    clients take (`rediss://`, `unix:///redis.sock`, `postgresql:///database?host=/directory`).
    The default file is per user of the machine and per API (host and port), because the limit is
    per IP address and API; so are the row and the key of a server. Else a `PaceSettingError`.
    """
    if setting in ("", "file"):
        digest = hashlib.sha256(_api_id(api_url).encode()).hexdigest()[:12]
        return FileStore(own_directory() / f"openf1-rate-{digest}.json")
    if setting == "memory":
        return MemoryStore()
    if setting.startswith("file:") and setting != "file:":
        return FileStore(Path(setting.removeprefix("file:")).expanduser())
    try:
        if setting.startswith(("postgresql://", "postgres://")):
            from f1_bronze.openf1.budget_stores import PostgresqlLink

            return ServerStore(PostgresqlLink(setting, _api_id(api_url)))
        if setting.startswith(("redis://", "rediss://", "unix://")):
            from f1_bronze.openf1.budget_stores import RedisLink

            return ServerStore(RedisLink(setting, _api_id(api_url)))
    except ModuleNotFoundError as missing:
        extra = "postgresql" if setting.startswith("postgres") else "redis"
        raise PaceSettingError(
            f"F1_BRONZE_RATE_STORE names a server whose client {missing.name!r} is not installed; "
            f'run pip install "f1_bronze[{extra}]", or set it to file.'
        ) from None
    except ValueError:  # its text may repeat the address
        raise PaceSettingError(
            f"F1_BRONZE_RATE_STORE holds a {setting.partition(':')[0]} address that its client "
            f"does not understand; write {setting.partition(':')[0]}://user:password@host:port/"
            "database, with special characters of the password as %XX."
        ) from None
    raise PaceSettingError(
        f"{setting.split(':')[0]!r} names no place for the rate budget; set F1_BRONZE_RATE_STORE "
        "to file, file:/path or memory, to postgresql://… or redis://…."
    )


def _api_id(api_url: str) -> str:
    parts = urlsplit(api_url)
    port = parts.port or (80 if parts.scheme == "http" else 443)
    return f"{parts.hostname}:{port}"


class Pace:
    """Lets calls go so that no limit is exceeded in any rolling window.

    A call reserves the next free moment in the store and sleeps until then, outside the lock; who
    reserves first goes first. The windows are kept longer than the limits by a margin: half of it
    is for the network, half for waking up late. A caller that is later still, or wakes up into a
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
            raise PaceSettingError("A pace needs a limit; write for example 3/1s,30/60s.")
        self._store = store
        self._clock = clock or store.now
        self._sleep = sleep
        self._longest_wait = longest_wait
        self._observer = observer
        self._most_at_once = max(limit.calls for limit in limits)
        self._windows = widened([Window(calls=n.calls, seconds=n.seconds) for n in limits])
        self._memory = max(window.seconds for window in self._windows)
        margins = [w.seconds - n.seconds for w, n in zip(self._windows, limits, strict=True)]
        self._latest = min(margins) / 2

    def now(self) -> float:
        """The time by which `back_off` is meant."""
        return self._clock()

    def wait(self, reason: str = "", observer: Callable[[str], None] | None = None) -> float:
        """Reserve one call and sleep until it may go; the seconds waited.

        `reason` tells the log who waits. Waits of more than a second are logged and told to the
        observer. Interrupted (Ctrl-C, and SIGTERM in the main thread), it gives its moment back
        and ends at once. `BudgetTaken` when the wait would be longer than this pace bears.
        """
        began = self._clock()
        with unwinding_on_sigterm():
            slot = self.reserve()
            for _ in range(_MOST_MISSED_SLOTS):
                try:
                    if slot - began > self._longest_wait:
                        raise self._taken(slot - began)
                    if self._in_time(slot, reason, observer or self._observer):
                        break
                    slot = self.reserve(instead_of=slot)
                except BaseException:
                    with suppress(RateStoreError):  # the interruption matters more
                        self.give_back(slot)
                    raise
        return max(0.0, self._clock() - began)

    def _taken(self, seconds: float) -> BudgetTaken:
        return BudgetTaken(
            f"The API budget is reserved by others for the next {seconds:.0f} s, and "
            f"{self._longest_wait:.0f} s were to spare; come back when fewer ask at once.",
            seconds=seconds,
        )

    def _in_time(self, slot: float, reason: str, observer: Callable[[str], None] | None) -> bool:
        """Sleep until the moment; whether it can be used."""
        ahead = slot - self._clock()
        if ahead > 0:
            self._tell(ahead, reason, observer)
            self._sleep(ahead)
        return self._clock() - slot <= self._latest and not (ahead > 0 and self._blocked())

    def reserve(self, *, instead_of: float | None = None) -> float:
        """Take the next free moment for one call, which must not go before it.

        `instead_of` is a moment taken earlier, which is given back in the same step.
        """
        taken = 0.0

        def step(ledger: Ledger | None) -> Ledger:
            nonlocal taken
            now = self._clock()
            ledger = self._as_of(ledger, now)
            if instead_of is not None:
                ledger = ledger.without_slot(instead_of, now=now)
            taken = self._next_slot(ledger, now)
            return ledger.with_slot(taken, now=now, memory=self._memory)

        self._store.change(step)
        return taken

    def give_back(self, slot: float) -> None:
        """Free a reserved moment that no call will use."""

        def step(ledger: Ledger | None) -> Ledger:
            now = self._clock()
            return self._as_of(ledger, now).without_slot(slot, now=now)

        self._store.change(step)

    def back_off(self, until: float) -> None:
        """Let nobody who shares the store call before `until` (as of `now()`; an hour at most)."""

        def step(ledger: Ledger | None) -> Ledger:
            now = self._clock()
            return self._as_of(ledger, now).blocked(until, now=now)

        self._store.change(step)

    def estimate(self, calls: int) -> float:
        """Seconds from now until the last of that many further calls may go; reserves nothing."""
        now = self._clock()
        ledger = self._as_of(self._store.read(), now)
        slot = now
        for _ in range(calls):
            slot = self._next_slot(ledger, slot)
            ledger = ledger.with_slot(slot, now=slot, memory=self._memory)
        return max(0.0, slot - now)

    def remaining(self) -> int:
        """How many calls may go at once, without waiting."""
        now = self._clock()
        ledger = self._as_of(self._store.read(), now)
        for free in range(self._most_at_once + 1):
            slot = self._next_slot(ledger, now)
            if slot > now:
                return free
            ledger = ledger.with_slot(slot, now=now, memory=self._memory)
        return free

    def _next_slot(self, ledger: Ledger, now: float) -> float:
        return earliest(ledger.slots, max(now, ledger.blocked_until), self._windows)

    def _as_of(self, ledger: Ledger | None, now: float) -> Ledger:
        if ledger is None:
            _log.warning("The shared rate budget was damaged; waiting as if it were used up.")
            return Ledger(slots=(now,) * self._most_at_once, written_at=now)
        return ledger.seen_at(now)

    def _blocked(self) -> bool:
        now = self._clock()
        return self._as_of(self._store.read(), now).blocked_until > now

    def _tell(self, seconds: float, reason: str, observer: Callable[[str], None] | None) -> None:
        if seconds <= _WORTH_TELLING:
            return
        message = f"waiting {seconds:.0f} s for the API budget"
        _log.info("%s", f"{message} ({reason})" if reason else message, extra={"seconds": seconds})
        if observer is not None:
            observer(message)
