"""The circuit breaker: after several failures in a row, an endpoint or the API is left alone."""

import threading
import time
from collections.abc import Callable

from f1_bronze.openf1.answers import CircuitOpen

_MANY = 3  # endpoints left alone, of five that hold data


class _Circuit:
    """Failures in a row of one endpoint, or of the API; not thread-safe by itself."""

    def __init__(self) -> None:
        self.in_a_row = 0
        self.reason = ""
        self.open_until: float | None = None
        self.trial_running = False

    def check(self, now: float) -> None:
        if self.open_until is None:
            return
        left = max(0.0, self.open_until - now)
        if left > 0 or self.trial_running:
            raise self.error(left)
        self.trial_running = True

    def error(self, left: float) -> CircuitOpen:
        return CircuitOpen(
            f"{self.reason} and is not asked for another {left:.0f} s; run this again after that.",
            seconds=left,
        )

    def is_open(self, now: float) -> bool:
        return self.open_until is not None and self.open_until > now

    def open(self, until: float, reason: str) -> None:
        self.open_until = until
        self.reason = reason
        self.trial_running = False

    def close(self) -> None:
        self.in_a_row = 0
        self.open_until = None
        self.trial_running = False


class Breaker:
    """Opens after `failures` failures in a row, and lets one trial call through after `pause` s.

    Each endpoint has a circuit of its own, since one may fail while the others are well. When one
    opens, the whole API is under suspicion until any endpoint answers: a request to another
    endpoint first finds out (`suspect`), and opens the circuit of the whole API if it does not
    answer at all (`open_all`). So do three endpoints that are left alone at the same time.

    Every `check()` that returns must be followed by exactly one of `succeeded()`, `failed()` and
    `inconclusive()`. Thread-safe. `clock` is any clock in seconds that does not go back.
    """

    def __init__(
        self,
        *,
        failures: int = 5,
        pause: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if failures < 1 or pause < 0:
            raise ValueError("A breaker opens after 1 or more failures and pauses 0 s or more.")
        self._limit = failures
        self._pause = pause
        self._clock = clock
        self._lock = threading.Lock()
        self._whole = _Circuit()
        self._endpoints: dict[str, _Circuit] = {}
        self._suspect: str | None = None

    def check(self, endpoint: str) -> None:
        """Return when a call may go; `CircuitOpen` when none may."""
        with self._lock:
            own, now = self._circuit(endpoint), self._clock()
            self._whole.check(now)
            try:
                own.check(now)
            except CircuitOpen:
                self._whole.trial_running = False  # the trial is left to another endpoint
                raise

    @property
    def suspect(self) -> str | None:
        """The endpoint whose circuit opened, if no endpoint has answered since."""
        with self._lock:
            return self._suspect

    def succeeded(self, endpoint: str) -> None:
        """It answered (a 4xx too is an answer): close its circuit, forget its failures."""
        with self._lock:
            self._circuit(endpoint).close()
            self._whole.close()
            self._suspect = None

    def failed(self, endpoint: str) -> None:
        """It could not answer: one more failure in a row."""
        with self._lock:
            own, until = self._circuit(endpoint), self._clock() + self._pause
            own.in_a_row += 1
            own.trial_running = False
            if own.in_a_row >= self._limit:
                times = f"{own.in_a_row} time{'s' if own.in_a_row > 1 else ''} in a row"
                own.open(until, f"OpenF1 failed {times} for {endpoint}")
                self._suspect = self._suspect or endpoint
                now = self._clock()
                alone = sorted(name for name, c in self._endpoints.items() if c.is_open(now))
                if len(alone) >= _MANY:
                    self._whole.open(until, f"OpenF1 failed over and over for {', '.join(alone)}")
            if self._whole.trial_running:
                self._whole.open(until, self._whole.reason)

    def open_all(self, reason: str) -> CircuitOpen:
        """The API as a whole does not answer: leave it alone at once; the error that says so.

        `reason` is a sentence without an end.
        """
        with self._lock:
            self._whole.open(self._clock() + self._pause, reason)
            return self._whole.error(self._pause)

    def inconclusive(self, endpoint: str) -> None:
        """The call says nothing about the API: it was interrupted, or failed as part of a split."""
        with self._lock:
            self._circuit(endpoint).trial_running = False
            self._whole.trial_running = False

    def _circuit(self, endpoint: str) -> _Circuit:
        return self._endpoints.setdefault(endpoint, _Circuit())
