"""Rules of `laps`: numbers, times, speeds, and what results say about them."""

from typing import TYPE_CHECKING

from f1_bronze.datasets.dataset import PRACTICE_TYPES
from f1_bronze.datasets.results import RESULTS
from f1_bronze.quality.racing.classification import FASTEST_LAP_SEASONS, FULL_POINTS
from f1_bronze.quality.racing.findings import DRIVER, CheckedSessions, Findings, per_session
from f1_bronze.quality.racing.grid import drivers_with_results_have_rows

if TYPE_CHECKING:
    import pandas as pd


_LAP = [*DRIVER, "lap_number"]
_SECTORS = ["duration_sector_1", "duration_sector_2", "duration_sector_3"]
_SPEEDS = ["i1_speed", "i2_speed", "st_speed"]

_SECTOR_TOLERANCE = 0.01 + 1e-6  # seconds; the little more is what binary floats round away
_SLOWEST, _FASTEST = 30, 400  # km/h
_EXTRA_LAPS = 1
_LONG_RUN = 3  # laps in a row
_POSSIBLE = (50.0, 7200.0)  # seconds of a lap
_ENOUGH_SEEN = 3
_ANY_CIRCUIT = (50.0, 240.0)  # seconds, from a short dry circuit to the longest in heavy rain


def lap_numbers_contiguous(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """A driver's laps are 1, 2, 3, …; what fails is a lap that is missing."""
    gaps = _gaps(rows)
    missing = gaps.loc[gaps.index.repeat(gaps["laps_missing"].astype("int64"))]
    first = missing["lap_number"] - missing["laps_missing"]
    missing = missing.assign(lap_number=first + missing.groupby(level=0).cumcount())
    present = per_session(rows[_LAP].drop_duplicates())
    lost = per_session(missing)
    return Findings(
        failing=missing[_LAP],
        checked={key: count + lost.get(key, 0) for key, count in present.items()},
        things="laps",
        observed={key: f"{count} missing" for key, count in lost.items()},
    )


def no_run_of_laps_missing(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """No driver misses three laps in a row."""
    gaps = _gaps(rows)
    longest = gaps.sort_values("laps_missing").drop_duplicates(DRIVER, keep="last")
    return Findings(
        failing=longest[longest["laps_missing"] >= _LONG_RUN],
        checked=per_session(rows[DRIVER].drop_duplicates()),
        things="drivers",
    )


def _gaps(rows: "pd.DataFrame") -> "pd.DataFrame":
    """The laps that do not follow the one before, with `laps_missing` before them."""
    # A number out of its bounds is another rule's, not a hundred laps that are missing.
    most = rows["session_type"].isin(PRACTICE_TYPES).map({True: 250, False: 100})
    possible = rows.loc[rows["lap_number"].between(1, most), _LAP]
    laps = possible.drop_duplicates().sort_values(_LAP, ignore_index=True)
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
    driven = mine.groupby(DRIVER)["lap_number"].max().rename("last_lap").reset_index()
    merged = counted.drop_duplicates(DRIVER).merge(driven, on=DRIVER)
    # The lap on which a car stopped has a row and does not count.
    more = merged["last_lap"] - merged["number_of_laps"]
    return Findings(
        failing=merged[~more.between(0, _EXTRA_LAPS)],
        checked=per_session(merged),
        things="drivers",
        not_checked=reasons,
    )


def sectors_add_up(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """The three sectors make the lap, to a hundredth of a second."""
    timed = rows[rows["lap_duration"].between(*_POSSIBLE) & rows[_SECTORS].notna().all(axis=1)]
    off = timed[_SECTORS].sum(axis=1) - timed["lap_duration"]
    wrong = timed.assign(seconds_off=off.round(3))[off.abs() > _SECTOR_TOLERANCE]
    return Findings(
        failing=wrong[[*_LAP, *_SECTORS, "lap_duration", "seconds_off"]],
        checked=per_session(timed),
        things="laps",
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
    dated = rows.loc[rows["date_start"].notna(), [*_LAP, "date_start"]].sort_values(_LAP)
    before = dated.groupby(DRIVER)["date_start"].shift()
    wrong = dated.assign(start_before=before)[dated["date_start"] <= before]
    return Findings(failing=wrong, checked=per_session(dated), things="laps")


def fastest_lap_plausible(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """Within what the circuit has seen; where little is known, within wider bounds."""
    import pandas as pd

    # Impossible times are another rule's.
    timed = rows[rows["lap_duration"].between(*_POSSIBLE)]
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
