"""The clock of a server, as well as it can be known from here.

Belongs here: what an exchange tells about the difference between two clocks. Stays out: the
exchange itself (server_store.py).
"""

import threading
from collections.abc import Callable

_DRIFT = 1e-4  # two quartz clocks differ by less, a tenth of a millisecond per second


class ServerClock:
    """A server's time between exchanges, by a clock of ours that does not go back.

    Each exchange bounds the difference of the clocks, by half its round trip either way; what
    all of them allow is narrower than any. Bounds that contradict each other mean that a clock
    was set or that another server answers: then the latest holds. Thread-safe.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._bounds: tuple[float, float, float] | None = None

    @property
    def known(self) -> bool:
        """Whether there was an exchange."""
        return self._bounds is not None

    def heard(self, time: float, *, sent: float, received: float) -> None:
        """Take in that the server said `time` at some moment between our `sent` and `received`."""
        least, most = time - received, time - sent
        with self._lock:
            if self._bounds is not None:
                old_least, old_most, at = self._bounds
                slack = _DRIFT * max(0.0, received - at)
                narrow = max(least, old_least - slack), min(most, old_most + slack)
                if narrow[0] <= narrow[1]:
                    least, most = narrow
            self._bounds = (least, most, received)

    def now(self) -> float:
        """The server's time, in the middle of what is possible; ValueError before any exchange."""
        if self._bounds is None:
            raise ValueError("The server's time is not known yet; ask it first.")
        least, most, _ = self._bounds
        return self._clock() + (least + most) / 2
