"""Rules about who drives: the grid, and that every other dataset has the same drivers."""

from typing import TYPE_CHECKING

from f1_bronze.datasets.dataset import CLASSIFIED_TYPES, Dataset
from f1_bronze.datasets.drivers import DRIVERS
from f1_bronze.datasets.results import RESULTS
from f1_bronze.quality.racing.findings import DRIVER, CheckedSessions, Findings, per_session

if TYPE_CHECKING:
    import pandas as pd

_FIRST_YEAR_OF_22_CARS = 2026
_ENOUGH_SESSIONS = 3
_TESTING = "testing|day_"


def drivers_known(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """Every driver of these rows is among the session's drivers."""
    return _drivers_among(rows, DRIVERS, sessions)


def drivers_with_laps_have_results(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """Every driver of these rows has a result."""
    return _drivers_among(rows, RESULTS, sessions)


def _drivers_among(rows: "pd.DataFrame", dataset: Dataset, sessions: CheckedSessions) -> Findings:
    mine, theirs, reasons = sessions.compare(rows, dataset)
    seen = mine.groupby(DRIVER).size().rename("rows").reset_index()
    known = theirs[DRIVER].drop_duplicates().assign(known=True)
    merged = seen.merge(known, on=DRIVER, how="left")
    return Findings(
        failing=merged.loc[merged["known"].isna(), [*DRIVER, "rows"]],
        checked=per_session(seen),
        things="drivers",
        not_checked=reasons,
    )


def every_driver_has_a_result(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """Every driver of the session has a row, also one who did not finish or start."""
    mine, drivers, reasons = sessions.compare(rows, DRIVERS)
    entered = drivers.drop_duplicates(DRIVER)[[*DRIVER, "full_name", "team_name"]]
    listed = mine[DRIVER].drop_duplicates().assign(listed=True)
    merged = entered.merge(listed, on=DRIVER, how="left")
    return Findings(
        failing=merged.loc[merged["listed"].isna(), [*DRIVER, "full_name", "team_name"]],
        checked=per_session(entered),
        things="drivers",
        not_checked=reasons,
    )


def drivers_with_results_have_rows(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """Every driver with laps in results is among these rows."""
    mine, results, reasons = sessions.compare(rows, RESULTS)
    driven = results[results["number_of_laps"] > 0].drop_duplicates(DRIVER)
    listed = mine[DRIVER].drop_duplicates().assign(listed=True)
    merged = driven[[*DRIVER, "number_of_laps"]].merge(listed, on=DRIVER, how="left")
    return Findings(
        failing=merged.loc[merged["listed"].isna(), [*DRIVER, "number_of_laps"]],
        checked=per_session(merged),
        things="drivers",
        not_checked=reasons,
    )


def as_many_drivers_as_cars(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """As many drivers as the season has cars, one fewer at most where it counts."""
    session = ["year", "grand_prix", "session_type", "session_key"]
    grids = rows.groupby(session)["driver_number"].nunique().rename("drivers").reset_index()
    cars = grids["year"].ge(_FIRST_YEAR_OF_22_CARS).map({True: 22, False: 20})
    testing = (grids["grand_prix"] + "/" + grids["session_type"]).str.contains(_TESTING)
    classified = grids["session_type"].isin(CLASSIFIED_TYPES)
    # A reserve who takes a seat in practice may be listed beside its owner; in testing a day
    # may belong to one driver of a team alone.
    least = (cars - 1).where(classified, cars - 2).mask(testing, cars // 2)
    most = cars.where(classified, cars + 6).mask(testing, cars * 2)
    grids = grids.assign(least=least, most=most)
    off = (least - grids["drivers"]).clip(lower=0) + (grids["drivers"] - most).clip(lower=0)
    wrong = grids[off > 0]
    by_key = grids.assign(off=off).set_index("session_key")
    return Findings(
        failing=wrong[["session_key", "drivers", "least", "most"]],
        checked={int(str(key)): int(one) for key, one in by_key["least"].items()},
        failed={int(str(key)): int(one) for key, one in by_key["off"].items()},
        things="drivers",
        observed={
            int(str(key)): f"{one.drivers} drivers, expected {one.least} to {one.most}"
            for key, one in grids.set_index("session_key").iterrows()
        },
    )


def acronyms_differ(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """An acronym is one driver's; a driver who is listed twice is another rule's."""
    named = rows[rows["name_acronym"].notna()].drop_duplicates([*DRIVER, "name_acronym"])
    shared = named.duplicated(["session_key", "name_acronym"], keep=False)
    return Findings(
        failing=named.loc[shared, [*DRIVER, "name_acronym", "full_name"]],
        checked=per_session(named),
        things="drivers",
    )


def numbers_as_in_the_season(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """A number is the driver's who has it in most sessions of the season checked with this one."""
    # What is no acronym is another rule's.
    named = rows[rows["name_acronym"].fillna("").str.fullmatch("[A-Z]{3}")]
    named = named.drop_duplicates([*DRIVER, "name_acronym"])
    number = ["year", "driver_number"]
    usual = named.groupby(number)["name_acronym"].agg(lambda names: names.mode().iloc[0])
    count = named.groupby(number)["session_key"].nunique()
    known = named.merge(usual.rename("usual_acronym").reset_index(), on=number)
    known = known.merge(count.rename("sessions").reset_index(), on=number)
    known = known[known["sessions"] >= _ENOUGH_SESSIONS]
    wrong = known["name_acronym"] != known["usual_acronym"]
    few = set(rows["session_key"]) - set(known["session_key"])
    return Findings(
        failing=known.loc[wrong, [*DRIVER, "name_acronym", "usual_acronym"]],
        checked=per_session(known),
        things="drivers",
        not_checked=dict.fromkeys(few, f"fewer than {_ENOUGH_SESSIONS} sessions were checked"),
    )


def two_cars_a_team(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """Each team has two drivers."""
    named = rows[rows["team_name"].notna()]
    cars = named.groupby(["session_key", "team_name"])["driver_number"].nunique()
    teams = cars.rename("cars").reset_index()
    return Findings(failing=teams[teams["cars"] != 2], checked=per_session(teams), things="teams")
