"""Rules of who drives: the grid, and that every other dataset knows nobody else.

Belongs here: rules about drivers, of whichever dataset. Stays out: how they fared
(classification.py).
"""

from typing import TYPE_CHECKING

from f1_bronze.datasets.drivers import DRIVERS
from f1_bronze.quality.racing.findings import Around, Findings, per_session

if TYPE_CHECKING:
    import pandas as pd


_DRIVER = ["session_key", "driver_number"]

_FIRST_YEAR_OF_22_CARS = 2026

_TESTING = "testing|day_"

_CONTESTED = frozenset({"race", "sprint", "qualifying", "sprint_qualifying"})


def driver_is_known(own: "pd.DataFrame", around: Around) -> Findings:
    """Every driver of these rows is among the session's drivers; an offence is a driver."""
    mine, drivers, reasons = around.beside(own, DRIVERS)
    seen = mine.groupby(_DRIVER).size().rename("rows").reset_index()
    known = drivers[_DRIVER].drop_duplicates().assign(known=True)
    merged = seen.merge(known, on=_DRIVER, how="left")
    return Findings(
        offences=merged.loc[merged["known"].isna(), [*_DRIVER, "rows"]],
        looked_at=per_session(seen),
        not_judged=reasons,
    )


def every_driver_has_a_result(own: "pd.DataFrame", around: Around) -> Findings:
    """Who was entered is classified, retired, disqualified or did not start, but is listed."""
    mine, drivers, reasons = around.beside(own, DRIVERS)
    entered = drivers.drop_duplicates(_DRIVER)[[*_DRIVER, "full_name", "team_name"]]
    listed = mine[_DRIVER].drop_duplicates().assign(listed=True)
    merged = entered.merge(listed, on=_DRIVER, how="left")
    return Findings(
        offences=merged.loc[merged["listed"].isna(), [*_DRIVER, "full_name", "team_name"]],
        looked_at=per_session(entered),
        not_judged=reasons,
    )


def number_of_drivers(own: "pd.DataFrame", around: Around) -> Findings:
    """As many as the season has cars, one fewer at most where it counts."""
    session = ["year", "grand_prix", "session_type", "session_key"]
    grids = own.groupby(session)["driver_number"].nunique().rename("drivers").reset_index()
    cars = grids["year"].ge(_FIRST_YEAR_OF_22_CARS).map({True: 22, False: 20})
    testing = (grids["grand_prix"] + "/" + grids["session_type"]).str.contains(_TESTING)
    contested = grids["session_type"].isin(_CONTESTED)
    # A reserve who takes a seat in practice may be listed beside its owner; in testing a day
    # may belong to one driver of a team alone.
    least = (cars - 1).where(contested, cars - 2).mask(testing, cars // 2)
    most = cars.where(contested, cars + 6).mask(testing, cars * 2)
    grids = grids.assign(least=least, most=most)
    wrong = grids[(grids["drivers"] < least) | (grids["drivers"] > most)]
    seen = grids.set_index("session_key")["drivers"].to_dict()
    return Findings(
        offences=wrong[["session_key", "drivers", "least", "most"]],
        looked_at=per_session(grids),
        observed={int(str(key)): f"{drivers} drivers" for key, drivers in seen.items()},
    )


def two_cars_a_team(own: "pd.DataFrame", around: Around) -> Findings:
    """A team enters two cars; an offence is a team."""
    named = own[own["team_name"].notna()]
    cars = named.groupby(["session_key", "team_name"])["driver_number"].nunique()
    teams = cars.rename("cars").reset_index()
    return Findings(offences=teams[teams["cars"] != 2], looked_at=per_session(teams))
