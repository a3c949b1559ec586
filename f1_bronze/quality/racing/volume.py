"""The rule of how many: rows of a session beside those of earlier ones of its type.

Belongs here: the band and what is learnt for it. Stays out: where earlier counts come from
(`Surroundings.earlier_rows`).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from f1_bronze.quality.racing.findings import Around, Findings, per_session

if TYPE_CHECKING:
    import pandas as pd


ENOUGH_SEEN = 5

_LEAST, _MOST = 0.7, 1.4


def rows_are_as_many_as_usual(own: "pd.DataFrame", around: Around) -> Findings:
    """Within a band around what earlier sessions of that type had; an offence is a session."""
    import pandas as pd

    counts = dict.fromkeys(around.partitions, 0) | per_session(own)
    looked_at: dict[int, int] = {}
    not_judged: dict[int, str] = {}
    observed: dict[int, str] = {}
    offences: list[tuple[int, int, int, int]] = []
    for key, rows in counts.items():
        # Sessions without a row are told of elsewhere; to learn from them would hide the next.
        seen = [count for count in around.earlier_rows(key) if count]
        if len(seen) < ENOUGH_SEEN:
            not_judged[key] = f"{len(seen)} earlier sessions of that type, {ENOUGH_SEEN} needed"
            continue
        least, most = usual_band(seen)
        looked_at[key] = 1
        observed[key] = f"{rows} rows, expected {least} to {most}"
        if not least <= rows <= most:
            offences.append((key, rows, least, most))
    return Findings(
        offences=pd.DataFrame(offences, columns=["session_key", "rows", "least", "most"]),
        looked_at=looked_at,
        not_judged=not_judged,
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
    """
    least, most = min(seen), max(seen)
    return max(0, round(_LEAST * least - 2 * least**0.5)), round(_MOST * most + 2 * most**0.5)
