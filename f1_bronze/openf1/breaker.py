"""The circuit breaker: after several failures in a row, stop asking for a while.

Belongs here: when the circuit opens, and when one trial call may go. Stays out: what counts as a
failure of a call (client.py) and which calls are evidence of an outage (batches.py).
"""

import threading
import time
from collections.abc import Callable

from f1_bronze.openf1.outcomes import CircuitOpen


class Breaker:
    """Opens after `failures` failures in a row, and lets one trial call through after `pause` s.

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
        self._in_a_row = 0
        self._open_until: float | None = None
        self._trial_under_way = False

    def check(self) -> None:
        """Return when a call may go; `CircuitOpen` when none may."""
        with self._lock:
            if self._open_until is None:
                return
            left = max(0.0, self._open_until - self._clock())
            if left > 0 or self._trial_under_way:
                raise CircuitOpen(
                    f"OpenF1 failed {self._in_a_row} times in a row and is not asked for another "
                    f"{left:.0f} s; run this again after that.",
                    seconds=left,
                )
            self._trial_under_way = True

    def succeeded(self) -> None:
        """The API answered (a 4xx too is an answer): close the circuit, forget the failures."""
        with self._lock:
            self._in_a_row = 0
            self._open_until = None
            self._trial_under_way = False

    def failed(self) -> None:
        """The API could not answer: one more failure in a row."""
        with self._lock:
            self._in_a_row += 1
            self._trial_under_way = False
            if self._in_a_row >= self._limit:
                self._open_until = self._clock() + self._pause

    def inconclusive(self) -> None:
        """The call says nothing about the API: it was interrupted, or failed as part of a split."""
        with self._lock:
            self._trial_under_way = False
