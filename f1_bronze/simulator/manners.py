"""How the stand-in behaves: limits, clock, latency, credentials, live mode, faults.

Belongs here: the settings, checked when made. Stays out: acting on them (`api`) and
changing them while it runs (`control`).
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from f1_bronze.simulator.faults import Fault
from f1_bronze.simulator.limits import FREE_LIMITS, read_limits


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """The one account that has paid access."""

    username: str
    password: str = field(repr=False)


def _by_timer(seconds: float, action: Callable[[], None]) -> None:
    timer = threading.Timer(seconds, action)
    timer.daemon = True  # an unfinished wait keeps no process alive
    timer.start()


@dataclass(frozen=True, kw_only=True)
class Manners:
    """Everything about the stand-in that is not its data.

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
    credentials: Credentials | None = None
    token_seconds: int = 3600
    live: bool = False
    live_until: float | None = None
    retry_after: bool = False
    too_much_rows: int = 40_000
    too_much_rows_of: Mapping[str, int] = field(default_factory=dict)
    too_many_sessions: int = 500
    settle_seconds: float = 1800.0
    faults: tuple[Fault, ...] = ()
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
