"""Rules of `stints` and `pit_stops`: sets of tyres from the first lap to the last."""

from typing import TYPE_CHECKING

from f1_bronze.datasets.laps import LAPS
from f1_bronze.datasets.stints import STINTS
from f1_bronze.quality.racing.findings import DRIVER, CheckedSessions, Findings, per_session
from f1_bronze.quality.racing.grid import drivers_with_results_have_rows

if TYPE_CHECKING:
    import pandas as pd

_STINT = [*DRIVER, "stint_number"]
_STOP = [*DRIVER, "lap_number"]
_OLDEST_TYRES = 50  # laps
_LAPS_OFF = 1
_LONG_GAP = 3  # laps


def stints_follow_each_other(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """The first begins on lap 1, each next one after the one before, or on its last lap."""
    stints = rows[[*_STINT, "lap_start", "lap_end"]].sort_values(_STINT)
    first = ~stints.duplicated(DRIVER)
    before = stints.groupby(DRIVER)["lap_end"].shift().mask(first, 0)
    stints = stints.assign(lap_end_before=before)
    known = stints[stints["lap_start"].notna() & before.notna()]
    # Upstream counts the lap into the pits to both stints in one session of eight.
    least = known["lap_end_before"].where(known["lap_end_before"] > 0, 1)
    # A stint that begins before the last lap of the one before is another rule's.
    wrong = (known["lap_start"] > known["lap_end_before"] + 1) | (
        (known["lap_start"] < least) & known["lap_end_before"].le(0)
    )
    shared = known["lap_start"].eq(known["lap_end_before"])
    return Findings(
        failing=known[wrong],
        checked=per_session(known),
        things="stints",
        observed={
            int(str(key)): f"{count} stints begin on the last lap of the one before"
            for key, count in shared.groupby(known["session_key"]).sum().items()
            if count
        },
    )


def stints_do_not_overlap(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """No stint begins before the last lap of the one before."""
    stints = rows[[*_STINT, "lap_start", "lap_end"]].drop_duplicates(_STINT).sort_values(_STINT)
    before = stints.groupby(DRIVER)["lap_end"].shift()
    known = stints.assign(lap_end_before=before)[stints["lap_start"].notna() & before.notna()]
    return Findings(
        failing=known[known["lap_start"] < known["lap_end_before"]],
        checked=per_session(known),
        things="stints",
    )


def no_laps_between_stints(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """Between two stints of a driver fewer than three laps are missing."""
    stints = rows[[*_STINT, "lap_start", "lap_end"]].drop_duplicates(_STINT).sort_values(_STINT)
    before = stints.groupby(DRIVER)["lap_end"].shift()
    known = stints.assign(lap_end_before=before)[stints["lap_start"].notna() & before.notna()]
    return Findings(
        failing=known[known["lap_start"] - known["lap_end_before"] - 1 >= _LONG_GAP],
        checked=per_session(known),
        things="stints",
    )


def drivers_with_results_have_stints(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """A driver with laps in results has a stint."""
    return drivers_with_results_have_rows(rows, sessions)


def stints_end_after_they_start(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """No stint ends before the lap on which it began."""
    known = rows[rows["lap_start"].notna() & rows["lap_end"].notna()]
    wrong = known["lap_end"] < known["lap_start"]
    return Findings(
        failing=known.loc[wrong, [*_STINT, "lap_start", "lap_end"]],
        checked=per_session(known),
        things="stints",
    )


def last_stint_reaches_the_last_lap(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """Each driver's stints end where the laps end, give or take one."""
    mine, laps, reasons = sessions.compare(rows, LAPS)
    driven = laps.groupby(DRIVER)["lap_number"].max().rename("last_lap").reset_index()
    # A stint whose end is null may well reach it.
    open_ended = mine.loc[mine["lap_end"].isna(), DRIVER].drop_duplicates().assign(open=True)
    ends = mine.groupby(DRIVER)["lap_end"].max().rename("last_stint_ends").reset_index()
    merged = driven.merge(ends, on=DRIVER, how="left").merge(open_ended, on=DRIVER, how="left")
    merged = merged.loc[merged["open"].isna(), [*DRIVER, "last_lap", "last_stint_ends"]]
    off = merged["last_stint_ends"].fillna(0) - merged["last_lap"]
    return Findings(
        failing=merged[off.abs() > _LAPS_OFF],
        checked=per_session(merged),
        things="drivers",
        not_checked=reasons,
    )


def tyre_age_plausible(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """A set that is put on has at most 50 laps on it; below 0 is another rule's."""
    known = rows[rows["tyre_age_at_start"].notna()]
    wrong = known["tyre_age_at_start"] > _OLDEST_TYRES
    return Findings(
        failing=known.loc[wrong, [*_STINT, "compound", "tyre_age_at_start"]],
        checked=per_session(known),
        things="stints",
    )


def stints_end_with_stops(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """Where a driver changes to another stint there is a stop, give or take a lap."""
    mine, stints, reasons = sessions.compare(rows, STINTS)
    ordered = stints[[*_STINT, "lap_start", "lap_end"]].sort_values(_STINT, ignore_index=True)
    changes = ordered[ordered.duplicated(DRIVER) & ordered["lap_start"].notna()]
    stops = mine.loc[mine["lap_number"].notna(), _STOP]
    pairs = changes.reset_index(names="change").merge(stops, on=DRIVER)
    off = pairs["lap_start"] - 1 - pairs["lap_number"]
    matched = set(pairs.loc[off.abs() <= _LAPS_OFF, "change"])
    return Findings(
        failing=changes[~changes.index.isin(matched)],
        checked=per_session(changes),
        things="stint changes",
        not_checked=reasons,
    )


def stops_end_stints(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """On the lap of a stop, give or take one, a stint of that driver ends."""
    mine, stints, reasons = sessions.compare(rows[rows["lap_number"].notna()], STINTS)
    stops = mine[[*_STOP, "date"]].reset_index(drop=True)
    ends = stints.loc[stints["lap_end"].notna(), [*DRIVER, "lap_end"]]
    pairs = stops.reset_index(names="stop").merge(ends, on=DRIVER)
    off = (pairs["lap_number"] - pairs["lap_end"]).abs()
    matched = set(pairs.loc[off <= _LAPS_OFF, "stop"])
    nearest = pairs.assign(off=off).sort_values("off").drop_duplicates("stop").set_index("stop")
    stops = stops.assign(nearest_stint_ends=nearest["lap_end"])
    return Findings(
        failing=stops[~stops.index.isin(matched)],
        checked=per_session(stops),
        things="stops",
        not_checked=reasons,
    )
