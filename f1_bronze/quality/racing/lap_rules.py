"""Rules of `laps`: numbers, times, speeds, and what results say of them.

Belongs here: what holds from lap to lap. Stays out: single values (their columns' rules).
"""

from typing import TYPE_CHECKING

from f1_bronze.datasets.results import RESULTS
from f1_bronze.quality.racing.classification import FASTEST_LAP_SEASONS, FULL_POINTS
from f1_bronze.quality.racing.findings import Around, Findings, per_session

if TYPE_CHECKING:
    import pandas as pd


_DRIVER = ["session_key", "driver_number"]

_LAP = [*_DRIVER, "lap_number"]

_SECTORS = ["duration_sector_1", "duration_sector_2", "duration_sector_3"]

_SPEEDS = ["i1_speed", "i2_speed", "st_speed"]

_SECTOR_TOLERANCE = 0.01

_ROUNDING = 1e-6

_SLOWEST, _FASTEST = 30, 400

_EXTRA_LAPS = 1

_ENOUGH_SEEN = 3

_ANY_CIRCUIT = (50.0, 240.0)

"""Seconds: from a short circuit in the dry to the longest one in heavy rain."""


def lap_numbers_are_contiguous(own: "pd.DataFrame", around: Around) -> Findings:
    """A driver's laps are 1, 2, 3, …; an offence is a lap that does not follow the one before."""
    laps = own[_LAP].drop_duplicates().sort_values(_LAP)
    before = laps.groupby(_DRIVER)["lap_number"].shift(fill_value=0)
    wrong = laps.assign(laps_missing=laps["lap_number"] - before - 1)[
        laps["lap_number"] - before > 1
    ]
    return Findings(offences=wrong, looked_at=per_session(laps))


def laps_are_as_in_results(own: "pd.DataFrame", around: Around) -> Findings:
    """Each driver's last lap is the number of laps in results; an offence is a driver."""
    mine, results, reasons = around.beside(own, RESULTS)
    counted = results.loc[results["number_of_laps"].notna(), [*_DRIVER, "number_of_laps"]]
    driven = mine.groupby(_DRIVER)["lap_number"].max().rename("last_lap").reset_index()
    merged = counted.drop_duplicates(_DRIVER).merge(driven, on=_DRIVER, how="left")
    # The lap on which a car stopped has a row and does not count.
    more = merged["last_lap"].fillna(0) - merged["number_of_laps"]
    return Findings(
        offences=merged[~more.between(0, _EXTRA_LAPS)],
        looked_at=per_session(merged),
        not_judged=reasons,
    )


def sectors_add_up(own: "pd.DataFrame", around: Around) -> Findings:
    """The three sectors make the lap, to a hundredth of a second."""
    timed = own[own["lap_duration"].notna() & own[_SECTORS].notna().all(axis=1)]
    off = timed[_SECTORS].sum(axis=1) - timed["lap_duration"]
    wrong = timed.assign(seconds_off=off.round(3))[off.abs() > _SECTOR_TOLERANCE + _ROUNDING]
    return Findings(
        offences=wrong[[*_LAP, *_SECTORS, "lap_duration", "seconds_off"]],
        looked_at=per_session(timed),
    )


def speeds_are_plausible(own: "pd.DataFrame", around: Around) -> Findings:
    """No car passes a speed trap at a walk or faster than any ever did."""
    measured = own[own[_SPEEDS].notna().any(axis=1)]
    wrong = ((measured[_SPEEDS] < _SLOWEST) | (measured[_SPEEDS] > _FASTEST)).any(axis=1)
    return Findings(
        offences=measured.loc[wrong, [*_LAP, *_SPEEDS]], looked_at=per_session(measured)
    )


def laps_start_in_order(own: "pd.DataFrame", around: Around) -> Findings:
    """A driver's next lap starts later than the one before."""
    dated = own.loc[own["date_start"].notna(), [*_LAP, "date_start"]].sort_values(_LAP)
    before = dated.groupby(_DRIVER)["date_start"].shift()
    wrong = dated.assign(start_before=before)[dated["date_start"] <= before]
    return Findings(offences=wrong, looked_at=per_session(dated))


def fastest_lap_is_plausible(own: "pd.DataFrame", around: Around) -> Findings:
    """Within what the circuit has seen; where little is known, within wider bounds."""
    import pandas as pd

    timed = own[own["lap_duration"].notna()]
    fastest = timed.loc[timed.groupby("session_key")["lap_duration"].idxmin()]
    bounds = {
        key: _bounds(sorted(around.fastest_laps(key))) for key in fastest["session_key"].tolist()
    }
    limits = pd.DataFrame(
        [(key, *bound) for key, bound in bounds.items()], columns=["session_key", "least", "most"]
    ).astype({"session_key": "int64"})
    merged = fastest[[*_LAP, "lap_duration"]].merge(limits, on="session_key")
    wrong = merged[~merged["lap_duration"].between(merged["least"], merged["most"])]
    untimed = set(own["session_key"]) - set(timed["session_key"])
    return Findings(
        offences=wrong,
        looked_at=per_session(fastest),
        not_judged=dict.fromkeys(untimed, "no lap has a time"),
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


def fastest_lap_has_its_point(own: "pd.DataFrame", around: Around) -> Findings:
    """While it was given: who of the first ten has one point more drove the fastest lap."""
    first, last = FASTEST_LAP_SEASONS
    races = own[own["session_type"].eq("race") & own["year"].between(first, last)]
    mine, results, reasons = around.beside(races[races["lap_duration"].notna()], RESULTS)
    first_ten = results.loc[results["position"].le(10), [*_DRIVER, "position", "points"]]
    extra = first_ten["points"] - first_ten["position"].map(dict(enumerate(FULL_POINTS, start=1)))
    # Other points than these are a shortened race, and the rule of points tells of the rest.
    usual = extra.isin([0, 1]).groupby(first_ten["session_key"]).transform("all")
    best = mine.groupby(_DRIVER)["lap_duration"].min().rename("best_lap").reset_index()
    merged = first_ten[usual].assign(has_point=extra.eq(1)).merge(best, on=_DRIVER)
    fastest = merged["session_key"].map(best.groupby("session_key")["best_lap"].min())
    wrong = merged[merged["has_point"] != merged["best_lap"].eq(fastest)]
    return Findings(offences=wrong, looked_at=per_session(merged), not_judged=reasons)
