"""What each session has cost so far, its share of the questions that it was asked for in.

Belongs here: sharing out. Stays out: asking (batches.py), and the counts of a whole client
(counters.py).
"""

from collections import Counter
from collections.abc import Sequence


class Shares:
    """Calls, retries and seconds by session key; whole calls, that add up to those made."""

    def __init__(self) -> None:
        self.calls: Counter[int] = Counter()
        self.retries: Counter[int] = Counter()
        self._seconds: dict[int, float] = {}

    def charge(self, keys: Sequence[int], calls: int, retries: int, seconds: float) -> None:
        """Share out what one question cost: whole calls from the first session on, time evenly."""
        size = len(keys)
        for place, key in enumerate(keys):
            self.calls[key] += (calls + size - 1 - place) // size
            self.retries[key] += (retries + size - 1 - place) // size
            self._seconds[key] = self.seconds(key) + seconds / size

    def seconds(self, key: int) -> float:
        """The time that was spent for a session."""
        return self._seconds.get(key, 0.0)
