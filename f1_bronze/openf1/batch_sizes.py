"""How large an answer each endpoint bears, as far as this process has found out.

Belongs here: what was learned from questions that had to be cut in two. Stays out: cutting and
planning (batches.py).
"""

import logging
import threading

_log = logging.getLogger("f1_bronze.openf1")


class BatchSizes:
    """The rows that may be expected of one answer, by endpoint; for all who share a client.

    Only what a split has cured is learned, and nothing is forgotten while the process lives: a
    batch too small costs one cheap call, a batch too large five slow ones. Thread-safe.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._most_rows: dict[str, int] = {}

    def most_rows(self, endpoint: str) -> int | None:
        """The rows to expect of an answer at most; None when nothing was learned."""
        with self._lock:
            return self._most_rows.get(endpoint)

    def learn(self, endpoint: str, rows: int) -> None:
        """Ask for so many rows at most: more failed, and its halves of that size did not."""
        with self._lock:
            known = self._most_rows.get(endpoint)
            if known is not None and known <= rows:
                return
            self._most_rows[endpoint] = rows
        _log.info(
            "%s: asking for about %d rows at once from now on, since more failed",
            *(endpoint, rows),
            extra={"endpoint": endpoint, "rows": rows},
        )


class Cure:
    """Two halves of a question that may have been too large: it was, if both are answered."""

    def __init__(self) -> None:
        self._rows: list[int] = []

    def answered(self, rows: int) -> int | None:
        """A half of so many expected rows was answered: what is borne then, if it was the last."""
        self._rows.append(rows)
        return max(self._rows) if len(self._rows) == 2 else None
