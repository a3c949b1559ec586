"""How the simulator behaves: limits, clock, latency, credentials, live mode, faults."""

import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from f1_bronze.simulator.faults import InjectedFault

FREE_LIMITS = "3/1s,30/60s"


@dataclass(frozen=True, kw_only=True)
class WindowLimit:
    """At most `calls` requests within each window of `seconds`."""

    calls: int
    seconds: float

    def __post_init__(self) -> None:
        if self.calls < 1 or self.seconds <= 0:
            raise ValueError(f"a limit needs calls >= 1 and seconds > 0, not {self}")

    def doubled(self) -> "WindowLimit":
        """The paid tier's limit: twice the calls in the same window."""
        return WindowLimit(calls=self.calls * 2, seconds=self.seconds)

    def sentence(self) -> str:
        """As the 429 body words it: `Max 30 requests/minute.`"""
        unit = {1.0: "second", 60.0: "minute", 3600.0: "hour"}.get(self.seconds)
        return f"Max {self.calls} requests/{unit or f'{self.seconds:g} seconds'}."


def read_limits(text: str | None) -> tuple[WindowLimit, ...]:
    """`"3/1s,30/60s"` as limits; None or empty text as none at all.

    Raises ValueError when a part is not `calls/seconds` followed by `s`.
    """
    limits = []
    for part in (text or "").split(","):
        if not part.strip():
            continue
        found = re.fullmatch(r"(\d+)/(\d+(?:\.\d+)?)s", part.strip())
        if found is None:
            raise ValueError(f"a limit is written like 3/1s, not {part.strip()!r}")
        limits.append(WindowLimit(calls=int(found[1]), seconds=float(found[2])))
    return tuple(limits)


class WindowLimiter:
    """Counts calls in windows fixed to the clock (the minute starts at :00, not at a call).

    A refused call neither counts nor prolongs the block: it leaves no trace here.
    """

    def __init__(self, limits: tuple[WindowLimit, ...]) -> None:
        self._limits = limits
        self._windows: dict[WindowLimit, tuple[int, int]] = {}
        self._lock = threading.Lock()

    def admit(self, now: float) -> WindowLimit | None:
        """Count a call at epoch second `now`, or name the limit that refuses it."""
        with self._lock:
            counts: dict[WindowLimit, tuple[int, int]] = {}
            for limit in self._limits:
                window = int(now // limit.seconds)
                seen_window, seen = self._windows.get(limit, (window, 0))
                count = seen if seen_window == window else 0
                if count >= limit.calls:
                    return limit
                counts[limit] = (window, count + 1)
            self._windows.update(counts)
            return None

    def forget_one(self) -> None:
        """Take the last counted call back: an injected 429 does not count either."""
        with self._lock:
            for limit, (window, count) in self._windows.items():
                self._windows[limit] = (window, max(0, count - 1))


@dataclass(frozen=True, kw_only=True)
class PaidLogin:
    """The one account that has paid access."""

    username: str
    password: str = field(repr=False)


def _by_timer(seconds: float, action: Callable[[], None]) -> None:
    timer = threading.Timer(seconds, action)
    timer.daemon = True  # an unfinished wait keeps no process alive
    timer.start()


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """Everything about the simulator that is not its data.

    limits: as `"3/1s,30/60s"`, None for unlimited; a valid token doubles them.
    clock: epoch seconds; decides windows, tokens and which sessions have ended.
    sleep: how latency and slow faults pass time; inject one to keep tests quick.
    later: how a port that was closed opens again: calls an action after so many seconds.
    latency_seconds: added before every answer.
    credentials: None means that no login succeeds and no token is valid.
    token_seconds: a token's life.
    live: while a session runs the API is closed to all without a token; with `live_until`
      (epoch seconds) it opens again by itself.
    retry_after: whether a true 429 carries the header (not established upstream: off).
    too_much_rows: an answer of more rows is a 422; `too_much_rows_of` sets it by endpoint.
    too_many_sessions: a query that would read more sessions is the server's 5 s limit: a 500.
    settle_seconds: how long after date_end a session still has no data.
    faults: in force from the start.
    journal_size: how many requests `control.state()` remembers.
    """

    limits: str | None = FREE_LIMITS
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    later: Callable[[float, Callable[[], None]], None] = _by_timer
    latency_seconds: float = 0.0
    credentials: PaidLogin | None = None
    token_seconds: int = 3600
    live: bool = False
    live_until: float | None = None
    retry_after: bool = False
    too_much_rows: int = 40_000
    too_much_rows_of: Mapping[str, int] = field(default_factory=dict)
    too_many_sessions: int = 500
    settle_seconds: float = 1800.0
    faults: tuple[InjectedFault, ...] = ()
    journal_size: int = 1000

    def __post_init__(self) -> None:
        read_limits(self.limits)
        if self.latency_seconds < 0 or self.settle_seconds < 0:
            raise ValueError("latency_seconds and settle_seconds cannot be negative")
        if self.too_much_rows < 1 or self.token_seconds < 1 or self.journal_size < 1:
            raise ValueError("too_much_rows, token_seconds and journal_size start at 1")

    def is_live(self, now: float) -> bool:
        """Whether the API is closed to free users at epoch second `now`."""
        return self.live and (self.live_until is None or now < self.live_until)

    def most_rows(self, endpoint: str) -> int:
        """The largest answer of an endpoint that is not too much."""
        return self.too_much_rows_of.get(endpoint, self.too_much_rows)
