"""Rules of `pit_stops`: a stop parts two stints.

Belongs here: where stops lie. Stays out: how long they take (the columns' rules).
"""

from typing import TYPE_CHECKING

from f1_bronze.datasets.stints import STINTS
from f1_bronze.quality.racing.findings import Around, Findings, per_session

if TYPE_CHECKING:
    import pandas as pd

_DRIVER = ["session_key", "driver_number"]
_STOP = [*_DRIVER, "lap_number"]
_LAPS_OFF = 1


def pit_stops_end_stints(own: "pd.DataFrame", around: Around) -> Findings:
    """On the lap of a stop, give or take one, a stint of that driver ends."""
    mine, stints, reasons = around.beside(own[own["lap_number"].notna()], STINTS)
    stops = mine[[*_STOP, "date"]].reset_index(drop=True)
    ends = stints.loc[stints["lap_end"].notna(), [*_DRIVER, "lap_end"]]
    pairs = stops.reset_index(names="stop").merge(ends, on=_DRIVER)
    off = (pairs["lap_number"] - pairs["lap_end"]).abs()
    matched = set(pairs.loc[off <= _LAPS_OFF, "stop"])
    nearest = pairs.assign(off=off).sort_values("off").drop_duplicates("stop").set_index("stop")
    stops = stops.assign(nearest_stint_ends=nearest["lap_end"])
    return Findings(
        offences=stops[~stops.index.isin(matched)],
        looked_at=per_session(stops),
        not_judged=reasons,
    )
