"""How many rows a session has: whether it may have none, and how many it usually has."""

from collections.abc import Callable, Collection, Sequence
from statistics import median
from typing import TYPE_CHECKING

from f1_bronze.datasets.laps import LAPS
from f1_bronze.datasets.results import RESULTS
from f1_bronze.datasets.stints import STINTS
from f1_bronze.quality.racing.findings import CheckedSessions, Findings, per_session

if TYPE_CHECKING:
    import pandas as pd

ENOUGH_SEEN = 5
_TYRES_CHANGED = 3  # drivers; one or two may do it without a stop that upstream knows

_LEAST, _MOST = 0.7, 1.4
_ORDINARY = (0.6, 1.7)


def rows_where_cars_drove(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """There are rows where other datasets say that there must be some.

    Laps and stints where results count laps, pit stops where stints show that tyres were changed.
    """
    return _find_empty(rows, sessions, lambda drivers: drivers > 0)


def at_least_one_row(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """There are rows; an empty answer that cannot be right is left to `rows where cars drove`."""
    return _find_empty(rows, sessions, lambda drivers: drivers == 0)


def at_least_one_row_outside_races(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """The same for sessions that nobody may have driven."""
    return at_least_one_row(rows, sessions)


def at_least_one_row_in_sprints(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """The same for sprints."""
    return at_least_one_row(rows, sessions)


def _find_empty(
    rows: "pd.DataFrame", sessions: CheckedSessions, is_asked: Callable[[int], bool]
) -> Findings:
    """The sessions without rows for which `is_asked` holds; it gets how many drivers drove."""
    import pandas as pd

    empty = set(sessions.partitions) - set(rows["session_key"])
    drove = _count_drivers(sessions, empty) if empty else {}
    failing = [(key, drove[key]) for key in sorted(empty) if is_asked(drove[key])]
    return Findings(
        failing=pd.DataFrame(failing, columns=["session_key", "drivers_who_drove"]),
        checked=dict.fromkeys(sessions.partitions, 1),
        things="sessions",
        not_checked=dict.fromkeys(
            empty - {key for key, _ in failing}, "an empty answer is another rule's here"
        ),
        observed={key: f"0 rows; {drivers} drivers drove" for key, drivers in failing if drivers},
    )


def _count_drivers(sessions: CheckedSessions, keys: Collection[int]) -> dict[int, int]:
    """How many drivers must have rows in these sessions; 0 where an empty answer may be right."""
    if sessions.dataset.name == "pit_stops":
        stints = sessions.rows(STINTS)
        changed = stints[stints["stint_number"] > 1]
        counts = changed.groupby("session_key")["driver_number"].nunique()
        return {key: _at_least(counts.get(key, 0), _TYRES_CHANGED) for key in keys}
    results = sessions.rows(RESULTS)
    driven = results[results["number_of_laps"] > 0]
    counts = driven.groupby("session_key")["driver_number"].nunique()
    expected = {
        key
        for key in keys
        # Where no session of that type ever had laps, upstream or its copy has none of them.
        if sessions.dataset is not LAPS or any(sessions.earlier_rows(key))
    }
    return {key: int(counts.get(key, 0)) if key in expected else 0 for key in keys}


def _at_least(count: int, least: int) -> int:
    return int(count) if count >= least else 0


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
