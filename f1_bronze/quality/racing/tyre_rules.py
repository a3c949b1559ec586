"""Rules of `stints`: one set of tyres after the other, from the first lap to the last.

Belongs here: how stints follow each other and the laps. Stays out: pit stops (stopping.py).
"""

from typing import TYPE_CHECKING

from f1_bronze.datasets.laps import LAPS
from f1_bronze.datasets.stints import STINTS
from f1_bronze.quality.racing.findings import Around, Findings, per_session

if TYPE_CHECKING:
    import pandas as pd


_DRIVER = ["session_key", "driver_number"]

_STINT = [*_DRIVER, "stint_number"]

_OLDEST_TYRES = 50

_LAPS_OFF = 1


def stints_follow_each_other(own: "pd.DataFrame", around: Around) -> Findings:
    """The first begins on lap 1, each next one after the one before, or on its last lap."""
    stints = own[[*_STINT, "lap_start", "lap_end"]].sort_values(_STINT)
    first = ~stints.duplicated(_DRIVER)
    before = stints.groupby(_DRIVER)["lap_end"].shift().mask(first, 0)
    stints = stints.assign(lap_end_before=before)
    known = stints[stints["lap_start"].notna() & before.notna()]
    # Upstream counts the lap into the pits to both stints in one session of eight.
    least = known["lap_end_before"].where(known["lap_end_before"] > 0, 1)
    wrong = (known["lap_start"] < least) | (known["lap_start"] > known["lap_end_before"] + 1)
    shared = known["lap_start"].eq(known["lap_end_before"])
    return Findings(
        offences=known[wrong],
        looked_at=per_session(known),
        observed={
            int(str(key)): f"{count} stints begin on the last lap of the one before"
            for key, count in shared.groupby(known["session_key"]).sum().items()
            if count
        },
    )


def stints_end_after_they_start(own: "pd.DataFrame", around: Around) -> Findings:
    """No stint ends before the lap on which it began."""
    known = own[own["lap_start"].notna() & own["lap_end"].notna()]
    wrong = known["lap_end"] < known["lap_start"]
    return Findings(
        offences=known.loc[wrong, [*_STINT, "lap_start", "lap_end"]], looked_at=per_session(known)
    )


def last_stint_reaches_the_last_lap(own: "pd.DataFrame", around: Around) -> Findings:
    """Each driver's stints end where the laps end, give or take one; an offence is a driver."""
    mine, laps, reasons = around.beside(own, LAPS)
    driven = laps.groupby(_DRIVER)["lap_number"].max().rename("last_lap").reset_index()
    # A stint whose end is null may well reach it.
    open_ended = mine.loc[mine["lap_end"].isna(), _DRIVER].drop_duplicates().assign(open=True)
    ends = mine.groupby(_DRIVER)["lap_end"].max().rename("last_stint_ends").reset_index()
    merged = driven.merge(ends, on=_DRIVER, how="left").merge(open_ended, on=_DRIVER, how="left")
    merged = merged.loc[merged["open"].isna(), [*_DRIVER, "last_lap", "last_stint_ends"]]
    off = merged["last_stint_ends"].fillna(0) - merged["last_lap"]
    return Findings(
        offences=merged[off.abs() > _LAPS_OFF], looked_at=per_session(merged), not_judged=reasons
    )


def tyre_age_is_plausible(own: "pd.DataFrame", around: Around) -> Findings:
    """A set put on has not been driven further than sets last, and never less than nothing."""
    known = own[own["tyre_age_at_start"].notna()]
    wrong = ~known["tyre_age_at_start"].between(0, _OLDEST_TYRES)
    return Findings(
        offences=known.loc[wrong, [*_STINT, "compound", "tyre_age_at_start"]],
        looked_at=per_session(known),
    )


_DRIVER_stopping = ["session_key", "driver_number"]

_STOP = [*_DRIVER_stopping, "lap_number"]

_LAPS_OFF_stopping = 1


def pit_stops_end_stints(own: "pd.DataFrame", around: Around) -> Findings:
    """On the lap of a stop, give or take one, a stint of that driver ends."""
    mine, stints, reasons = around.beside(own[own["lap_number"].notna()], STINTS)
    stops = mine[[*_STOP, "date"]].reset_index(drop=True)
    ends = stints.loc[stints["lap_end"].notna(), [*_DRIVER_stopping, "lap_end"]]
    pairs = stops.reset_index(names="stop").merge(ends, on=_DRIVER_stopping)
    off = (pairs["lap_number"] - pairs["lap_end"]).abs()
    matched = set(pairs.loc[off <= _LAPS_OFF_stopping, "stop"])
    nearest = pairs.assign(off=off).sort_values("off").drop_duplicates("stop").set_index("stop")
    stops = stops.assign(nearest_stint_ends=nearest["lap_end"])
    return Findings(
        offences=stops[~stops.index.isin(matched)],
        looked_at=per_session(stops),
        not_judged=reasons,
    )
