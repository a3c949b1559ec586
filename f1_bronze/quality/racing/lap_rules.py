"""Rules of `laps`: numbers, times, speeds, and what results say about them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from f1_bronze.datasets.dataset import PRACTICE_TYPES, RACE_TYPES
from f1_bronze.datasets.laps import LAPS
from f1_bronze.datasets.results import RESULTS
from f1_bronze.quality.racing.classification import (
    FASTEST_LAP_SEASONS,
    FULL_POINTS,
    WINNING_TIME,
    best_times,
    seconds,
)
from f1_bronze.quality.racing.findings import DRIVER, CheckedSessions, Findings, per_session
from f1_bronze.quality.racing.grid import drivers_with_results_have_rows

if TYPE_CHECKING:
    import pandas as pd


POSSIBLE = (50.0, 7200.0)  # seconds of a lap
MOST_LAPS = 100  # of anybody where it counts

_LAP = [*DRIVER, "lap_number"]
_SECTORS = ["duration_sector_1", "duration_sector_2", "duration_sector_3"]
_SEGMENTS = ["segments_sector_1", "segments_sector_2", "segments_sector_3"]
_SPEEDS = ["i1_speed", "i2_speed", "st_speed"]

_SECTOR_TOLERANCE = 0.01 + 1e-6  # seconds; the little more is what binary floats round away
_SLOWEST, _FASTEST = 30, 400  # km/h
_EXTRA_LAPS = 1
_LONG_RUN = 3  # laps in a row
_FORGIVEN = 0.01  # share of the laps that may be missing
_FAR_OFF = 1.0  # seconds between a lap and its sectors
_A_LITTLE_OFF = 0.05  # share of the laps
_ADDED = (-5.0, 90.0)  # seconds by which a race time is longer than its laps
_ENOUGH_LAPS, _ANY_FASTEST = 100, 240  # km/h that some car reaches in so many laps
_MOSTLY_RAW = 0.4  # share of the laps without it
_MISSING_IN_PRACTICE = 0.95  # share of the laps
_ANY_FASTEST_AT = {"st_speed": 240, "i1_speed": 160, "i2_speed": 160}  # the same, place by place
_LAPS_APART = 3  # between the laps and their count in results, outside races
_SAME_TIME = 0.002  # seconds
_ENOUGH_TIMED = 0.65  # share of the laps
_LATE_START = 30.0  # seconds between the end of a lap and the start of the next
_ENOUGH_SEEN = 3
_ANY_CIRCUIT = (50.0, 240.0)  # seconds, from a short dry circuit to the longest in heavy rain


def lap_numbers_contiguous(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """A driver's laps are 1, 2, 3, …; what fails is a lap that is missing.

    Laps without a start are not as upstream answers, so a few missing ones are forgiven there.
    """
    gaps = _gaps(rows)
    missing = gaps.loc[gaps.index.repeat(gaps["laps_missing"].astype("int64"))]
    first = missing["lap_number"] - missing["laps_missing"]
    missing = missing.assign(lap_number=first + missing.groupby(level=0).cumcount())
    present = per_session(rows[_LAP].drop_duplicates())
    lost = per_session(missing)
    checked = {key: count + lost.get(key, 0) for key, count in present.items()}
    strict = set(rows.loc[rows["date_start"].notna() & ~_in_practice(rows), "session_key"])
    strict |= set(gaps.loc[~_in_practice(gaps) & gaps["laps_missing"].ge(_LONG_RUN), "session_key"])
    failed = {
        key: count if key in strict or count > _FORGIVEN * checked[key] else 0
        for key, count in lost.items()
    }
    return Findings(
        failing=missing[_LAP],
        checked=checked,
        things="laps",
        failed=failed,
        observed={key: f"{count} missing" for key, count in lost.items()},
    )


def _in_practice(rows: "pd.DataFrame") -> "pd.Series[bool]":
    return rows["session_type"].isin(PRACTICE_TYPES)


def _gaps(rows: "pd.DataFrame") -> "pd.DataFrame":
    """The laps that do not follow the one before, with `laps_missing` before them."""
    # A number out of its bounds is another rule's, not a hundred laps that are missing.
    most = rows["session_type"].isin(PRACTICE_TYPES).map({True: 250, False: MOST_LAPS})
    possible = rows.loc[rows["lap_number"].between(1, most), [*_LAP, "session_type"]]
    laps = possible.drop_duplicates(_LAP).sort_values(_LAP, ignore_index=True)
    before = laps.groupby(DRIVER)["lap_number"].shift(fill_value=0)
    laps = laps.assign(laps_missing=laps["lap_number"] - before - 1)
    return laps[laps["laps_missing"] > 0]


def as_many_laps_as_in_results(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """There are as many laps as results count, for all drivers together."""
    import pandas as pd

    mine, results, reasons = sessions.compare(rows, RESULTS)
    counted = results.drop_duplicates(DRIVER).groupby("session_key")["number_of_laps"].sum()
    present = per_session(mine)
    checked = {int(str(key)): int(laps) for key, laps in counted.items() if laps > 0}
    failed = {key: max(0, laps - present.get(key, 0)) for key, laps in checked.items()}
    failing = [(key, present.get(key, 0), checked[key]) for key, lost in failed.items() if lost]
    return Findings(
        failing=pd.DataFrame(failing, columns=["session_key", "laps", "laps_in_results"]),
        checked=checked,
        things="laps",
        failed=failed,
        not_checked=reasons,
        observed={key: f"{present.get(key, 0):,} laps" for key in checked},
    )


def drivers_with_results_have_laps(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """A driver with laps in results has laps."""
    return drivers_with_results_have_rows(rows, sessions)


def laps_as_in_results(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """The last lap of each driver with laps is their number in results, or one more."""
    mine, results, reasons = sessions.compare(rows, RESULTS)
    counted = results.loc[results["number_of_laps"].notna(), [*DRIVER, "number_of_laps"]]
    driven = (
        with_possible_laps(mine)
        .groupby(DRIVER)["lap_number"]
        .max()
        .rename("last_lap")
        .reset_index()
    )
    merged = counted.drop_duplicates(DRIVER).merge(driven, on=DRIVER)
    # The lap on which a car stopped has a row and does not count.
    more = merged["last_lap"] - merged["number_of_laps"]
    return Findings(
        failing=merged[~more.between(0, _EXTRA_LAPS)],
        checked=per_session(merged),
        things="drivers",
        not_checked=reasons,
    )


def with_possible_laps(laps: "pd.DataFrame") -> "pd.DataFrame":
    """The laps of drivers none of whose laps has an impossible number, which is another rule's."""
    odd = laps[~laps["lap_number"].between(1, MOST_LAPS)]
    return laps[~laps.set_index(DRIVER).index.isin(odd.set_index(DRIVER).index)]


def sectors_add_up(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """The three sectors make the lap, to a hundredth of a second."""
    negative = (rows[_SECTORS] < 0).any(axis=1)
    whole = rows["lap_duration"].between(*POSSIBLE) & rows[_SECTORS].notna().all(axis=1)
    timed = rows[whole | negative]
    off = timed[_SECTORS].sum(axis=1) - timed["lap_duration"]
    off = off.mask(negative & ~whole, -_FAR_OFF)  # of a lap without a time it is off all the same
    wrong = timed.assign(seconds_off=off.round(3))[off.abs() > _SECTOR_TOLERANCE]
    wrong = wrong[[*_LAP, *_SECTORS, "lap_duration", "seconds_off"]]
    checked, failed = per_session(timed), per_session(wrong)
    far_off = set(wrong.loc[wrong["seconds_off"].abs() >= _FAR_OFF, "session_key"])
    return Findings(
        failing=wrong,
        checked=checked,
        things="laps",
        failed={
            key: count if key in far_off or count > _A_LITTLE_OFF * checked[key] else 0
            for key, count in failed.items()
        },
    )


def lap_times_as_race_time(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """The sum of a driver's laps is the race time, less what penalties added to it."""
    mine, results, reasons = sessions.compare(rows, RESULTS)
    off = mine[_SECTORS].sum(axis=1) - mine["lap_duration"]
    # What rules about laps find is not found once more here.
    sound = mine["lap_duration"].between(*POSSIBLE) & (
        mine[_SECTORS].isna().any(axis=1) | (off.abs() < _FAR_OFF)
    )
    laps = mine.assign(sound=sound).drop_duplicates(_LAP).groupby(DRIVER)
    driven = laps.agg(
        lap_times=("lap_duration", "sum"), laps=("sound", "size"), sound=("sound", "sum")
    ).reset_index()
    timed = results.assign(race_time=seconds(results["duration"])).drop_duplicates(DRIVER)
    winner = timed.loc[timed["position"].eq(1), ["session_key", "race_time"]]
    plausible = winner.loc[winner["race_time"].between(*WINNING_TIME), "session_key"]
    timed = timed[timed["race_time"].notna() & timed["session_key"].isin(plausible)]
    merged = timed[[*DRIVER, "number_of_laps", "race_time"]].merge(driven, on=DRIVER)
    merged = merged[
        merged["laps"].eq(merged["sound"]) & merged["laps"].eq(merged["number_of_laps"])
    ]
    added = merged["race_time"] - merged["lap_times"]
    merged = merged.assign(seconds_added=added.round(3))
    columns = [*DRIVER, "number_of_laps", "race_time", "lap_times", "seconds_added"]
    return Findings(
        failing=merged.loc[~added.between(*_ADDED), columns],
        checked=per_session(merged),
        things="drivers",
        not_checked=reasons,
    )


def sectors_and_speeds_known(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """No column of times or speeds is missing in most laps."""
    import pandas as pd

    limits = dict.fromkeys(_SECTORS, 0.5) | dict.fromkeys(_SPEEDS, 0.7)
    practice = set(rows.loc[_in_practice(rows), "session_key"])
    missing = rows[list(limits)].isna().astype("float64").groupby(rows["session_key"]).mean()
    failing = [
        (int(str(key)), column, f"{100 * share:.0f} %")
        for column, limit in limits.items()
        for key, share in missing[column].items()
        if share >= (_MISSING_IN_PRACTICE if key in practice else limit)
    ]
    return Findings(
        failing=pd.DataFrame(failing, columns=["session_key", "column", "missing"]),
        checked=dict.fromkeys(per_session(rows), len(limits)),
        things="columns",
    )


def laps_dated(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """Where most laps have mini-sectors, most have a start: rebuilt laps have neither."""
    import pandas as pd

    # Lists are in the tables alone.
    raw = {
        key: table
        for key, table in sessions.tables(LAPS).items()
        if table.num_rows
        and any(table[name].null_count <= _MOSTLY_RAW * table.num_rows for name in _SEGMENTS)
    }
    checked = {key: table.num_rows for key, table in raw.items()}
    failed = {key: table["date_start"].null_count for key, table in raw.items()}
    failing = [(key, laps, checked[key]) for key, laps in failed.items()]
    failing = [one for one in failing if one[1] > (1 - _MOSTLY_RAW) * one[2]]
    return Findings(
        failing=pd.DataFrame(failing, columns=["session_key", "laps_without_start", "laps"]),
        checked=checked,
        failed={key: lost for key, lost, _ in failing},
        things="laps",
    )


def top_speed_plausible(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """Somewhere on a lap a car is faster than it ever is in miles per hour."""
    import pandas as pd

    measured = rows[rows[_SPEEDS].notna().any(axis=1)]
    fastest = measured[_SPEEDS].max(axis=1).groupby(measured["session_key"]).max()
    counts = per_session(measured)
    enough = [counts[int(str(key))] >= _ENOUGH_LAPS for key in fastest.index]
    known = fastest[enough].rename("fastest").reset_index()
    # A car that does not move is another rule's.
    slow = known["fastest"].between(_SLOWEST, _ANY_FASTEST, inclusive="neither")
    wrong = [known[slow], *_slow_traps(rows, set(known.loc[~slow, "session_key"]))]
    return Findings(
        failing=pd.concat(wrong, ignore_index=True),
        checked=dict.fromkeys(known["session_key"].tolist(), 1),
        things="sessions",
        observed={
            int(key): f"at most {speed:.0f} km/h"
            for key, speed in zip(known["session_key"], known["fastest"], strict=True)
        },
    )


def _slow_traps(rows: "pd.DataFrame", keys: set[int]) -> Iterator["pd.DataFrame"]:
    """The places at which nobody is fast in a session in which somebody is at another one."""
    for column, least in _ANY_FASTEST_AT.items():
        measured = rows[rows[column].notna() & rows["session_key"].isin(keys)]
        by_session = measured.groupby("session_key")[column]
        fastest = by_session.max()[by_session.size() >= _ENOUGH_LAPS].rename("fastest")
        slow = fastest[fastest.between(_SLOWEST, least, inclusive="neither")].reset_index()
        yield slow.assign(at=column)


def laps_near_results(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """Outside races a driver has about as many laps as results count."""
    mine, results, reasons = sessions.compare(rows, RESULTS)
    driven = mine.drop_duplicates(_LAP).groupby(DRIVER).size().rename("laps").reset_index()
    counted = results.loc[results["number_of_laps"].notna(), [*DRIVER, "number_of_laps"]]
    merged = counted.drop_duplicates(DRIVER).merge(driven, on=DRIVER)
    apart = (merged["laps"] - merged["number_of_laps"]).abs()
    return Findings(
        failing=merged[apart > _LAPS_APART],
        checked=per_session(merged),
        things="drivers",
        not_checked=reasons,
    )


def best_time_among_laps(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """Outside races a driver's best time in results is the time of one of the laps."""
    # Impossible times are another rule's.
    timed = rows[rows["lap_duration"].between(*POSSIBLE)]
    share = per_session(timed)
    few = {k for k, laps in per_session(rows).items() if share.get(k, 0) < _ENOUGH_TIMED * laps}
    timed = timed[~timed["session_key"].isin(few)]
    mine, results, reasons = sessions.compare(timed, RESULTS)
    best = results.assign(best_time=best_times(results)).drop_duplicates(DRIVER)
    best = best.loc[best["best_time"].notna(), [*DRIVER, "best_time"]]
    pairs = best.merge(mine[[*DRIVER, "lap_duration"]], on=DRIVER)
    pairs = pairs.assign(apart=(pairs["lap_duration"] - pairs["best_time"]).abs())
    nearest = pairs.sort_values("apart").drop_duplicates(DRIVER)
    return Findings(
        failing=nearest.loc[
            nearest["apart"] > _SAME_TIME, [*DRIVER, "best_time", "lap_duration"]
        ].rename(columns={"lap_duration": "nearest_lap"}),
        checked=per_session(nearest),
        things="drivers",
        not_checked=reasons | dict.fromkeys(few, "too many laps have no possible time"),
    )


def speeds_plausible(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """No car passes a speed trap at a walk."""
    measured = rows[rows[_SPEEDS].notna().any(axis=1)]
    wrong = (measured[_SPEEDS] < _SLOWEST).any(axis=1)
    return Findings(
        failing=measured.loc[wrong, [*_LAP, *_SPEEDS]],
        checked=per_session(measured),
        things="laps",
    )


def speeds_possible(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """No car is faster than any ever was."""
    measured = rows[rows[_SPEEDS].notna().any(axis=1)]
    wrong = (measured[_SPEEDS] > _FASTEST).any(axis=1)
    return Findings(
        failing=measured.loc[wrong, [*_LAP, *_SPEEDS]],
        checked=per_session(measured),
        things="laps",
    )


def laps_start_in_order(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """A driver's next lap starts later than the one before."""
    columns = [*_LAP, "date_start", "lap_duration", "session_type"]
    dated = rows.loc[rows["date_start"].notna(), columns].drop_duplicates(_LAP).sort_values(_LAP)
    ahead = dated.groupby(DRIVER).shift()
    dated = dated.assign(start_before=ahead["date_start"])
    seconds_off = (dated["date_start"] - dated["start_before"]).dt.total_seconds()
    seconds_off -= ahead["lap_duration"].where(ahead["lap_duration"].between(*POSSIBLE))
    follows = dated["lap_number"].eq(ahead["lap_number"] + 1)
    raced = dated["session_type"].isin(RACE_TYPES)
    late = raced & follows & (seconds_off.abs() > _LATE_START)
    # Where a lap does not last as long as its sectors, that is another rule's.
    timed = rows.drop_duplicates(_LAP).set_index(_LAP)
    off = (timed[_SECTORS].sum(axis=1, skipna=False) - timed["lap_duration"]).abs()
    odd = off[off >= _FAR_OFF].index
    before = dated.assign(lap_number=dated["lap_number"] - 1).set_index(_LAP).index
    late &= ~before.isin(odd)
    wrong = dated["date_start"] <= dated["start_before"]
    # A lap that starts at another time is off from the one before and from the one after.
    follows_a_wrong_one = (
        (wrong | late)
        .astype("int64")
        .groupby([dated[name] for name in DRIVER])
        .shift(fill_value=0)
        .eq(1)
    )
    wrong |= late & ~follows_a_wrong_one
    names = [*_LAP, "date_start", "start_before"]
    return Findings(failing=dated.loc[wrong, names], checked=per_session(dated), things="laps")


def fastest_lap_plausible(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """Within what the circuit has seen; where little is known, within wider bounds."""
    import pandas as pd

    # Impossible times are another rule's.
    timed = rows[rows["lap_duration"].between(*POSSIBLE)]
    fastest = timed.loc[timed.groupby("session_key")["lap_duration"].idxmin()]
    bounds = {
        key: _bounds(sorted(sessions.fastest_laps(key))) for key in fastest["session_key"].tolist()
    }
    limits = pd.DataFrame(
        [(key, *bound) for key, bound in bounds.items()], columns=["session_key", "least", "most"]
    ).astype({"session_key": "int64"})
    merged = fastest[[*_LAP, "lap_duration"]].merge(limits, on="session_key")
    wrong = merged[~merged["lap_duration"].between(merged["least"], merged["most"])]
    untimed = set(rows["session_key"]) - set(timed["session_key"])
    return Findings(
        failing=wrong,
        checked=per_session(fastest),
        things="laps",
        not_checked=dict.fromkeys(untimed, "no lap has a possible time"),
        observed={
            int(str(key)): f"{row.lap_duration:.3f} s, expected {row.least:.0f} to {row.most:.0f} s"
            for key, row in merged.set_index("session_key").iterrows()
        },
    )


def _bounds(known: list[float]) -> tuple[float, float]:
    # Another session with an absurd lap must not make this one look absurd.
    seen = [lap for lap in known if _ANY_CIRCUIT[0] <= lap <= _ANY_CIRCUIT[1]]
    if not seen:
        return _ANY_CIRCUIT
    # The few that are known may all have been driven in the rain.
    if len(seen) < _ENOUGH_SEEN:
        return 0.7 * seen[0], 1.5 * seen[0]
    return 0.88 * seen[0], 1.4 * seen[len(seen) // 2]


def fastest_lap_has_its_point(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """While it was given: the one of the first ten who has a point more drove the fastest lap."""
    races = rows[rows["session_type"].eq("race") & rows["year"].between(*FASTEST_LAP_SEASONS)]
    mine, results, reasons = sessions.compare(races[races["lap_duration"].notna()], RESULTS)
    first_ten = results.loc[results["position"].le(10), [*DRIVER, "position", "points"]]
    extra = first_ten["points"] - first_ten["position"].map(dict(enumerate(FULL_POINTS, start=1)))
    # Other points than these are a shortened race; the rest is for the rule about points.
    usual = extra.isin([0, 1]).groupby(first_ten["session_key"]).transform("all")
    best = mine.groupby(DRIVER)["lap_duration"].min().rename("best_lap").reset_index()
    merged = first_ten[usual].assign(has_point=extra.eq(1)).merge(best, on=DRIVER)
    fastest = merged["session_key"].map(best.groupby("session_key")["best_lap"].min())
    wrong = merged[merged["has_point"] != merged["best_lap"].eq(fastest)]
    return Findings(
        failing=wrong, checked=per_session(merged), things="drivers", not_checked=reasons
    )
