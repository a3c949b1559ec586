"""How many calls are allowed, counted the way the API counts them.

Belongs here: reading a limit's text and the counting windows. Stays out: the 429's body
(`answers`) and what a call is (`api`).
"""

import re
import threading
from dataclasses import dataclass

FREE_LIMITS = "3/1s,30/60s"


@dataclass(frozen=True, kw_only=True)
class Limit:
    """At most `calls` requests within each window of `seconds`."""

    calls: int
    seconds: float

    def __post_init__(self) -> None:
        if self.calls < 1 or self.seconds <= 0:
            raise ValueError(f"a limit needs calls >= 1 and seconds > 0, not {self}")

    def doubled(self) -> "Limit":
        """The paid tier's limit: twice the calls in the same window."""
        return Limit(calls=self.calls * 2, seconds=self.seconds)

    def sentence(self) -> str:
        """As the 429 body words it: `Max 30 requests/minute.`"""
        unit = {1.0: "second", 60.0: "minute", 3600.0: "hour"}.get(self.seconds)
        return f"Max {self.calls} requests/{unit or f'{self.seconds:g} seconds'}."


def read_limits(text: str | None) -> tuple[Limit, ...]:
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
        limits.append(Limit(calls=int(found[1]), seconds=float(found[2])))
    return tuple(limits)


class Limiter:
    """Counts calls in windows fixed to the clock (the minute starts at :00, not at a call).

    A refused call neither counts nor prolongs the block: it leaves no trace here.
    """

    def __init__(self, limits: tuple[Limit, ...]) -> None:
        self._limits = limits
        self._windows: dict[Limit, tuple[int, int]] = {}
        self._lock = threading.Lock()

    def admit(self, now: float) -> Limit | None:
        """Count a call at epoch second `now`, or name the limit that refuses it."""
        with self._lock:
            counts: dict[Limit, tuple[int, int]] = {}
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
