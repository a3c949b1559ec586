"""The earliest moment for one more call among those that are reserved.

Belongs here: the arithmetic of rolling windows, pure. Stays out: where reservations are kept (the
stores), who waits for them (pace.py).
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

_LONGEST_MARGIN = 0.25
_LEAST_MARGIN = 0.05
_DEAREST_MARGIN = 0.05  # of a window


@dataclass(frozen=True, kw_only=True)
class Window:
    """At most `calls` moments within any `seconds` seconds, the end not among them."""

    calls: int
    seconds: float


def widened(windows: Sequence[Window]) -> tuple[Window, ...]:
    """The windows with a margin each, because a server counts arrivals and these jitter.

    A first call comes later than its moment by two handshakes, the next by half a round trip, so a
    quarter of a second is kept wherever it costs next to nothing: at 30 per 60 s it is 0.4 % of
    the budget, and at 3 per 1 s nothing at all, because 30 per 60 s is the tighter limit in the
    long run. A window that would lose more keeps a twentieth of its length, but 50 ms at least, or
    what the tighter limit leaves it.

    >>> [window.seconds for window in widened([Window(calls=3, seconds=1.0)])]
    [1.05]
    >>> [w.seconds for w in widened([Window(calls=3, seconds=1), Window(calls=30, seconds=60)])]
    [1.25, 60.25]
    """
    apart = max(window.seconds / window.calls for window in windows)  # seconds a call, in the end
    wide = []
    for window in windows:
        free = apart * window.calls - window.seconds
        margin = min(_LONGEST_MARGIN, max(_LEAST_MARGIN, window.seconds * _DEAREST_MARGIN, free))
        wide.append(Window(calls=window.calls, seconds=window.seconds + margin))
    return tuple(wide)


def earliest(slots: Sequence[float], start: float, windows: Sequence[Window]) -> float:
    """The first moment from `start` on that, among `slots`, fills no window beyond its calls.

    `slots` ascend. Without a gap that somebody gave back it is behind them all.

    >>> earliest([0.0, 0.0, 2.0], 0.5, [Window(calls=2, seconds=1.0)])
    1.0
    >>> earliest([0.0, 0.0, 1.0, 1.0], 0.5, [Window(calls=2, seconds=1.0)])
    2.0
    """
    slot = start
    while (later := max(_not_before(slots, slot, window) for window in windows)) > slot:
        slot = later
    return slot


def _not_before(slots: Sequence[float], slot: float, window: Window) -> float:
    """The moment itself where the window admits it, else the next that may do."""
    place = bisect_right(slots, slot)
    for first in range(max(0, place - window.calls), place):
        # The call would be one of calls + 1; the last of them is the call itself or a later one.
        last = first + window.calls - 1
        end = slot if last < place else (slots[last] if last < len(slots) else None)
        if end is not None and end < slots[first] + window.seconds:
            return slots[first] + window.seconds
    last = place + window.calls - 1
    if last < len(slots) and slots[last] < slot + window.seconds:
        return slots[place]
    return slot
