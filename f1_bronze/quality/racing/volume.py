"""How many rows a session usually has: a band around earlier sessions of its type."""

from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING

from f1_bronze.quality.racing.findings import CheckedSessions, Findings, per_session

if TYPE_CHECKING:
    import pandas as pd

ENOUGH_SEEN = 5

_LEAST, _MOST = 0.7, 1.4
_ORDINARY = (0.6, 1.7)


def rows_as_many_as_usual(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """The number of rows is within the band of the earlier sessions of that type."""
    import pandas as pd

    counts = per_session(rows)  # a session without rows is for the rule about the least of them
    checked: dict[int, int] = {}
    not_checked: dict[int, str] = {}
    observed: dict[int, str] = {}
    failing: list[tuple[int, int, int, int]] = []
    for key, count in counts.items():
        # Sessions without a row are reported elsewhere; to learn from them would hide the next.
        seen = [earlier for earlier in sessions.earlier_rows(key) if earlier]
        if len(seen) < ENOUGH_SEEN:
            not_checked[key] = f"{len(seen)} earlier sessions of that type, {ENOUGH_SEEN} needed"
            continue
        least, most = usual_band(seen)
        checked[key] = 1
        observed[key] = f"{count} rows, expected {least} to {most}"
        if not least <= count <= most:
            failing.append((key, count, least, most))
    return Findings(
        failing=pd.DataFrame(failing, columns=["session_key", "rows", "least", "most"]),
        checked=checked,
        things="sessions",
        not_checked=not_checked,
        observed=observed,
    )


def usual_band(seen: Sequence[int]) -> tuple[int, int]:
    """The least and the most that is usual after these counts.

    Small counts, such as pit stops, vary by their square root on top of the share by which the
    distance of a race varies.

    >>> usual_band([1000, 1100, 900, 1200, 1050])
    (570, 1749)
    >>> usual_band([2, 1, 3, 1, 2])
    (0, 8)
    >>> usual_band([1000, 1100, 420, 1200, 1050])
    (637, 1749)
    """
    # A bad session before must not hide the next one: counts far from the middle do not count.
    middle = median(seen)
    spread = 2 * middle**0.5
    low, high = _ORDINARY[0] * middle - spread, _ORDINARY[1] * middle + spread
    ordinary = [count for count in seen if low <= count <= high]
    least, most = min(ordinary), max(ordinary)
    return max(0, round(_LEAST * least - 2 * least**0.5)), round(_MOST * most + 2 * most**0.5)
