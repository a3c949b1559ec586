"""When sessions of a dataset are no longer asked for one by one, because none will be answered.

Belongs here: how many must have failed alike, and which ones are tried before the rest is given
up. Stays out: asking (batches.py), and outages, which are the circuit breaker's (breaker.py).
"""

from collections.abc import Sequence
from typing import TypeVar

from f1_bronze.openf1.outcomes import Malformed, OpenF1Error, TooMuchAsked

_Session = TypeVar("_Session")
_IN_A_ROW = 3
_SAMPLES = 3
_FEW = 10  # sessions that are soon asked for one by one


class Despair:
    """One dataset's asking, as long as not a single session has been answered.

    Cutting finds the few sessions that harm a batch; where every session fails, it costs two calls
    for each. So after three single sessions in a row that failed alike for what they hold (too
    much, malformed) the last, the middle and another one of the rest are tried, and if these fail
    alike too, that is what the rest gets. A single answer, also an earlier one, ends this for good.
    """

    def __init__(self) -> None:
        self._answered = False
        self._kind: type[OpenF1Error] | None = None
        self._alike = 0
        self._sampled = False

    @property
    def complete(self) -> bool:
        """Whether the rest is to be given up."""
        return self._sampled and not self._answered and self._alike >= _IN_A_ROW + _SAMPLES

    def answered(self) -> None:
        """Some session has rows, or truly none."""
        self._answered = True

    def failed(self, error: OpenF1Error) -> None:
        """A session that was asked for by itself has failed."""
        kind = type(error) if isinstance(error, TooMuchAsked | Malformed) else None
        if kind is None or kind is not self._kind:
            self._kind, self._alike, self._sampled = kind, 0, False
        self._alike += kind is not None

    def samples(self, left: Sequence[_Session]) -> list[_Session]:
        """Those of the sessions left that are to be tried next, out of turn; mostly none."""
        if self._answered or self._sampled or self._alike < _IN_A_ROW or len(left) < _FEW:
            return []
        self._sampled = True
        return [left[-1], left[len(left) // 2], left[len(left) // 4]]
