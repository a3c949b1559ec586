"""What was asked and answered: counters and the last requests.

Belongs here: remembering. Stays out: deciding; control calls are never noted.
"""

import threading
from collections import Counter, deque
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One request as it was answered.

    number counts from 1; status is None when the connection was cut before an answer;
    time is the arrival in epoch seconds; rows and body_bytes describe the answer; faults
    are the kinds that hit it. `query` is as sent; a login's form is never kept.
    """

    number: int
    method: str
    path: str
    query: str
    endpoint: str
    status: int | None
    time: float
    rows: int = 0
    body_bytes: int = 0
    faults: tuple[str, ...] = ()


class Journal:
    """Counts every request and keeps the last `size` of them. Safe for many threads."""

    def __init__(self, size: int) -> None:
        self._lock = threading.Lock()
        self._entries: deque[Entry] = deque(maxlen=size)
        self._by_endpoint: Counter[str] = Counter()
        self._by_status: Counter[str] = Counter()
        self._recent = {1.0: deque[float](), 60.0: deque[float]()}
        self._most = {1.0: 0, 60.0: 0}

    def arrived(self, now: float) -> None:
        """Note a call to a data endpoint the moment it arrives, for the rolling maxima."""
        with self._lock:
            for seconds, times in self._recent.items():
                times.append(now)
                while now - times[0] >= seconds:
                    times.popleft()
                self._most[seconds] = max(self._most[seconds], len(times))

    def note(self, entry: Entry) -> None:
        """Remember an answered request."""
        with self._lock:
            self._entries.append(entry)
            self._by_endpoint[entry.endpoint] += 1
            self._by_status["none" if entry.status is None else str(entry.status)] += 1

    def entries(self) -> tuple[Entry, ...]:
        """The requests still remembered, oldest first."""
        with self._lock:
            return tuple(self._entries)

    def to_json(self) -> dict[str, Any]:
        """The counters and the remembered requests; times as ISO 8601."""
        with self._lock:
            return {
                "calls": sum(self._by_endpoint.values()),
                "by_endpoint": dict(sorted(self._by_endpoint.items())),
                "by_status": dict(sorted(self._by_status.items())),
                "max_in_second": self._most[1.0],
                "max_in_minute": self._most[60.0],
                "requests": [
                    {
                        **asdict(e),
                        "faults": list(e.faults),
                        "time": datetime.fromtimestamp(e.time, UTC).isoformat(),
                    }
                    for e in self._entries
                ],
            }
