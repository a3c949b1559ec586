"""What the client has done so far, in numbers.

Belongs here: counting, and the difference of two counts. Stays out: metrics (telemetry/).
"""

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Counters:
    """A moment's counts; `after - before` is what happened in between.

    Attributes:
        questions: batches and listings asked for, each in one call when nothing fails; what is
            left of a split is a question of its own.
        calls: HTTP requests sent; retries, redirects and logins are among them.
        retries: calls that repeated an earlier one.
        by_status: calls by HTTP status, as text, or by `failed`, `unreached` and `timed out`
            without one.
        wait_seconds: time waited for the shared budget and between attempts.
        bytes: size of the answers, decompressed.
        splits: questions that were cut in two.
    """

    questions: int = 0
    calls: int = 0
    retries: int = 0
    by_status: Mapping[str, int] = field(default_factory=dict)
    wait_seconds: float = 0.0
    bytes: int = 0
    splits: int = 0

    def to_json(self) -> dict[str, Any]:
        """The counts as plain data, seconds to the hundredth."""
        data = {each.name: getattr(self, each.name) for each in fields(self)}
        by_status = dict(self.by_status)
        return {**data, "by_status": by_status, "wait_seconds": round(self.wait_seconds, 2)}

    def __sub__(self, before: "Counters") -> "Counters":
        statuses = {
            status: calls - before.by_status.get(status, 0)
            for status, calls in self.by_status.items()
        }
        return Counters(
            questions=self.questions - before.questions,
            calls=self.calls - before.calls,
            retries=self.retries - before.retries,
            by_status={status: calls for status, calls in statuses.items() if calls},
            wait_seconds=self.wait_seconds - before.wait_seconds,
            bytes=self.bytes - before.bytes,
            splits=self.splits - before.splits,
        )


class Tally:
    """The running counts of one client; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers: Counter[str] = Counter()
        self._by_status: Counter[str] = Counter()
        self._wait_seconds = 0.0

    def add(
        self,
        *,
        questions: int = 0,
        calls: int = 0,
        retries: int = 0,
        status: str | None = None,
        wait_seconds: float = 0.0,
        size: int = 0,
        splits: int = 0,
    ) -> None:
        """Count what happened."""
        with self._lock:
            self._numbers.update(
                questions=questions, calls=calls, retries=retries, bytes=size, splits=splits
            )
            self._wait_seconds += wait_seconds
            if status is not None:
                self._by_status[status] += 1

    def snapshot(self) -> Counters:
        """The counts now."""
        with self._lock:
            return Counters(
                questions=self._numbers["questions"],
                calls=self._numbers["calls"],
                retries=self._numbers["retries"],
                by_status=dict(self._by_status),
                wait_seconds=self._wait_seconds,
                bytes=self._numbers["bytes"],
                splits=self._numbers["splits"],
            )
