"""Rules of `stints` and `pit_stops`: sets of tyres from the first lap to the last."""

from typing import TYPE_CHECKING

from f1_bronze.datasets.laps import LAPS
from f1_bronze.datasets.results import RESULTS
from f1_bronze.datasets.stints import STINTS
from f1_bronze.quality.racing.findings import DRIVER, CheckedSessions, Findings, per_session
from f1_bronze.quality.racing.grid import drivers_with_results_have_rows
from f1_bronze.quality.racing.lap_rules import POSSIBLE, with_possible_laps

if TYPE_CHECKING:
    import pandas as pd

_STINT = [*DRIVER, "stint_number"]
_STOP = [*DRIVER, "lap_number"]
_LAPS_OFF = 1
_MOST_STINTS = 10
_SAME_TIME = 0.1 + 1e-6  # seconds
_EARLY, _LATE = 5, 60  # seconds between a stop and its lap
_ANOTHER_SESSION = 6 * 3600  # seconds


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


def stint_numbers_contiguous(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """The stints of a driver are 1, 2, 3, …; a stint that is missing altogether is another rule's.

    There the laps have a hole too.
    """
    stints = rows[[*_STINT, "lap_start", "lap_end"]].drop_duplicates(_STINT).sort_values(_STINT)
    place = stints.groupby(DRIVER).cumcount() + 1
    before = stints.groupby(DRIVER)["lap_end"].shift(fill_value=0)
    follows = (stints["lap_start"] - before).between(0, 1)
    whole = follows.groupby([stints[name] for name in DRIVER]).transform("all")
    # A number out of its bounds is another rule's.
    odd = ~stints["stint_number"].between(1, _MOST_STINTS)
    whole &= ~odd.groupby([stints[name] for name in DRIVER]).transform("any")
    wrong = stints.assign(stint_number_expected=place)[place.ne(stints["stint_number"]) & whole]
    return Findings(
        failing=wrong[[*_STINT, "stint_number_expected"]],
        checked=per_session(stints),
        things="stints",
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
    driven = (
        with_possible_laps(laps)
        .groupby(DRIVER)["lap_number"]
        .max()
        .rename("last_lap")
        .reset_index()
    )
    # A stint whose end is null may well reach it.
    open_ended = mine.loc[mine["lap_end"].isna(), DRIVER].drop_duplicates().assign(open=True)
    ends = mine.groupby(DRIVER)["lap_end"].max().rename("last_stint_ends").reset_index()
    # With results another rule finds who has no stint at all; a stint of no length is one's too.
    ended = mine[mine["lap_end"] < mine["lap_start"]]
    merged = driven.merge(ends, on=DRIVER, how="left").merge(open_ended, on=DRIVER, how="left")
    results = sessions.rows(RESULTS)
    counted = results[results["number_of_laps"] > 0].set_index(DRIVER).index
    found = merged.set_index(DRIVER).index
    without = ~found.isin(mine.set_index(DRIVER).index) & found.isin(counted)
    short = found.isin(ended.set_index(DRIVER).index)
    merged = merged[~without & ~short]
    merged = merged.loc[merged["open"].isna(), [*DRIVER, "last_lap", "last_stint_ends"]]
    off = merged["last_stint_ends"].fillna(0) - merged["last_lap"]
    return Findings(
        failing=merged[off.abs() > _LAPS_OFF],
        checked=per_session(merged),
        things="drivers",
        not_checked=reasons,
    )


def stints_have_laps(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """Every stint of a driver who drove has a first and a last lap."""
    results = sessions.rows(RESULTS)
    parked = results.loc[results["number_of_laps"].fillna(0).eq(0), DRIVER].drop_duplicates()
    stints = rows.merge(parked.assign(parked=True), on=DRIVER, how="left")
    none = stints["lap_start"].isna() & stints["lap_end"].isna()
    # Where results are not stored nobody knows who drove: a stint of no laps at all may be right.
    unknown = ~stints["session_key"].isin(set(results["session_key"]))
    driven = stints[~(none & (stints["parked"].notna() | unknown))]
    wrong = driven["lap_start"].isna() | driven["lap_end"].isna()
    # Upstream leaves out an end now and then: a single one is forgiven.
    open_ended = wrong & driven["lap_start"].notna()
    alone = open_ended.groupby(driven["session_key"]).transform("sum").eq(1) & open_ended
    return Findings(
        failing=driven.loc[wrong & ~alone, [*_STINT, "lap_start", "lap_end"]],
        checked=per_session(driven),
        things="stints",
    )


def stints_end_with_stops(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """Where a driver changes to another stint there is a stop, give or take a lap."""
    mine, stints, reasons = sessions.compare(rows, STINTS)
    ordered = stints[[*_STINT, "lap_start", "lap_end"]].sort_values(_STINT, ignore_index=True)
    changes = ordered[ordered.duplicated(DRIVER) & ordered["lap_start"].notna()]
    # Tyres that are put on after the flag are a stint from one lap behind the last.
    results = sessions.rows(RESULTS)[[*DRIVER, "number_of_laps"]].drop_duplicates(DRIVER)
    counted = changes[DRIVER].merge(results, on=DRIVER, how="left")["number_of_laps"]
    most = results.groupby("session_key")["number_of_laps"].max()
    counted = counted.fillna(changes["session_key"].map(most).set_axis(counted.index))
    changes = changes[~(changes["lap_start"] > counted.set_axis(changes.index))]
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


def stops_in_their_lap(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """A stop is dated within its lap; dates outside the session are another rule's."""
    mine, laps, reasons = sessions.compare(rows[rows["lap_number"].notna()], LAPS)
    # Impossible times of laps are another rule's.
    dated = laps.loc[laps["date_start"].notna() & laps["lap_duration"].between(*POSSIBLE)]
    dated = dated[[*_STOP, "date_start", "lap_duration"]].drop_duplicates(_STOP)
    lane = mine["lane_duration"].fillna(mine["pit_duration"]).fillna(0).clip(lower=0)
    stops = mine.assign(lane=lane)[mine["date"].notna()]
    stops = stops[[*_STOP, "date", "lane"]].merge(dated, on=_STOP)
    seconds = (stops["date"] - stops["date_start"]).dt.total_seconds()
    wrong = (seconds < -_EARLY) | (seconds > stops["lap_duration"] + stops["lane"] + _LATE)
    wrong &= seconds.abs() < _ANOTHER_SESSION
    return Findings(
        failing=stops[wrong],
        checked=per_session(stops),
        things="stops",
        not_checked=reasons,
    )


def pit_lane_times_agree(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """The two names of the time in the pit lane have one value."""
    # Times out of the ordinary are other rules'.
    usual = [rows[name].between(1, 60) for name in ("lane_duration", "pit_duration")]
    both = rows[usual[0] & usual[1]]
    apart = (both["lane_duration"] - both["pit_duration"]).abs()
    return Findings(
        failing=both.loc[apart > _SAME_TIME, [*_STOP, "lane_duration", "pit_duration"]],
        checked=per_session(both),
        things="visits",
    )


def pit_lane_time_known(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """A visit with a lap has a time, under one name or the other; a text is another rule's."""
    visits = rows[rows["lap_number"].notna()]
    unfit = visits["extra_fields"].fillna("").str.contains('_duration"', regex=False)
    wrong = visits["lane_duration"].isna() & visits["pit_duration"].isna() & ~unfit
    columns = [*_STOP, "date", "lane_duration", "pit_duration"]
    return Findings(
        failing=visits.loc[wrong, columns], checked=per_session(visits), things="visits"
    )
