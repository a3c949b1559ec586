"""The pace at which OpenF1 may be asked, shared by all who ask from here.

Belongs here: the limits, the reservation of calls, and which store shares them. Stays out:
retries (retries.py) and HTTP. A further store (a row in PostgreSQL, a key in Redis) is one more
class with the methods of `RateStore`, and one line in `rate_store`.
"""

import hashlib
import logging
import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from f1_bronze.openf1.file_store import FileStore, own_directory
from f1_bronze.openf1.ledger import Ledger

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
    """The store that a setting names: `""` or `file`, `file:/path`, `memory`.

    The default file is per user of the machine and per API (host and port), because the limit is
    per IP address and API. `PaceSettingError` for anything else.
    """
    if setting in ("", "file"):
        return FileStore(own_directory() / f"openf1-rate-{_api_id(api_url)}.json")
    if setting == "memory":
        return MemoryStore()
    if setting.startswith("file:") and setting != "file:":
        return FileStore(Path(setting.removeprefix("file:")).expanduser())
    raise PaceSettingError(
        f"{setting.split(':')[0]!r} names no place for the rate budget; set F1_BRONZE_RATE_STORE "
        "to file, file:/path or memory."
    )


def _api_id(api_url: str) -> str:
    parts = urlsplit(api_url)
    port = parts.port or (80 if parts.scheme == "http" else 443)
    return hashlib.sha256(f"{parts.hostname}:{port}".encode()).hexdigest()[:12]


class Pace:
    """Lets calls go so that no limit is exceeded in any rolling window.

    A call reserves the next free moment in the store and sleeps until then, outside the lock. The
    server counts arrivals, which jitter, so every window is kept `margin` seconds longer: half of
    it for the network, half for waking up late. A caller that is later still gives its moment back
    and reserves another.
    """

    def __init__(
        self,
        limits: Sequence[Limit],
        store: RateStore,
        clock: Callable[[], float] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        *,
        margin: float = 0.05,
        observer: Callable[[str], None] | None = None,
    ) -> None:
        if not limits:
            raise PaceSettingError("A pace needs a limit; write for example 3/1s,30/60s.")
        self._limits = tuple(limits)
        self._store = store
        self._clock = clock or store.now
        self._sleep = sleep
        self._margin = margin
        self._observer = observer
        self._memory = max(limit.seconds for limit in limits) + margin

    def now(self) -> float:
        """The time by which `back_off` is meant."""
        return self._clock()

    def wait(self, reason: str = "", observer: Callable[[str], None] | None = None) -> float:
        """Reserve one call and sleep until it may go; the seconds waited.

        `reason` tells the log who waits. Waits of more than a second are logged and told to the
        observer.
        """
        began = self._clock()
        for _ in range(_MOST_MISSED_SLOTS):
            slot = self.reserve()
            ahead = slot - self._clock()
            if ahead > 0:
                self._tell(ahead, reason, observer or self._observer)
                try:
                    self._sleep(ahead)
                except BaseException:
                    self.give_back(slot)
                    raise
            if self._clock() - slot <= self._margin / 2 and not (ahead > 0 and self._blocked()):
                break
            self.give_back(slot)
        return max(0.0, self._clock() - began)

    def reserve(self) -> float:
        """Take the next free moment for one call, which must not go before it."""
        taken = 0.0

        def step(ledger: Ledger | None) -> Ledger:
            nonlocal taken
            now = self._clock()
            ledger = self._as_of(ledger, now)
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
            slot = self._next_slot(ledger, now)
            ledger = ledger.with_slot(slot, now=slot, memory=self._memory)
        return max(0.0, slot - now)

    def remaining(self) -> int:
        """How many calls may go at once, without waiting."""
        now = self._clock()
        ledger = self._as_of(self._store.read(), now)
        for free in range(max(limit.calls for limit in self._limits) + 1):
            slot = self._next_slot(ledger, now)
            if slot > now:
                return free
            ledger = ledger.with_slot(slot, now=now, memory=self._memory)
        return free

    def _next_slot(self, ledger: Ledger, now: float) -> float:
        slots = ledger.slots
        slot = max(now, ledger.blocked_until, slots[-1] if slots else now)
        for limit in self._limits:
            if len(slots) >= limit.calls:
                slot = max(slot, slots[-limit.calls] + limit.seconds + self._margin)
        return slot

    def _as_of(self, ledger: Ledger | None, now: float) -> Ledger:
        if ledger is None:
            _log.warning("The shared rate budget was damaged; waiting as if it were used up.")
            return Ledger(slots=(now,) * max(limit.calls for limit in self._limits), written_at=now)
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
