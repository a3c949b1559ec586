"""Rules of `sessions`: a calendar that can be true.

Belongs here: times of a session, and whether the season is whole. Stays out: what a session is
asked for (openf1/calendar.py).
"""

from typing import TYPE_CHECKING

from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.datasets.sessions import SESSIONS
from f1_bronze.quality.racing.findings import Around, Findings, per_session

if TYPE_CHECKING:
    import pandas as pd


_HOURS = {
    "race": (1.0, 4.0),
    "sprint": (0.4, 1.5),
    "qualifying": (0.7, 2.0),
    "sprint_qualifying": (0.5, 1.5),
}

_OTHER_HOURS = (0.5, 10.5)

"""From a practice of an hour to a day of testing."""


def starts_in_its_season(own: "pd.DataFrame", around: Around) -> Findings:
    """The start lies in the partition's year."""
    dated = own[own["date_start"].notna()]
    wrong = dated["date_start"].dt.year != dated["year"]
    return Findings(
        offences=dated.loc[wrong, ["session_key", "year", "date_start"]],
        looked_at=per_session(dated),
    )


def takes_its_usual_time(own: "pd.DataFrame", around: Around) -> Findings:
    """Scheduled for as long as sessions of that type are."""
    dated = own[own["date_start"].notna() & own["date_end"].notna()]
    hours = (dated["date_end"] - dated["date_start"]).dt.total_seconds() / 3600
    types = dated["session_type"]
    least = types.map({name: bounds[0] for name, bounds in _HOURS.items()})
    most = types.map({name: bounds[1] for name, bounds in _HOURS.items()})
    least = least.astype("float64").fillna(_OTHER_HOURS[0])
    most = most.astype("float64").fillna(_OTHER_HOURS[1])
    wrong = dated.assign(hours=hours, least=least, most=most)[(hours < least) | (hours > most)]
    return Findings(
        offences=wrong[["session_key", "session_name", "hours", "least", "most"]],
        looked_at=per_session(dated),
    )


def season_is_whole(own: "pd.DataFrame", around: Around) -> Findings:
    """Every ended session of the season has landed; told once a season, on its latest session."""
    import pandas as pd

    missing: list[tuple[int, SessionPartition]] = []
    looked_at: dict[int, int] = {}
    observed: dict[int, str] = {}
    not_judged: dict[int, str] = {}
    judged = set(around.partitions.values())
    for year, season in own.sort_values("date_start").groupby("year"):
        *others, teller = (int(key) for key in season["session_key"])
        told_on = around.partitions[teller].key
        not_judged |= dict.fromkeys(others, f"told once a season, this time on {told_on}")
        absent = [p for p in around.not_landed(SESSIONS, int(str(year))) if p not in judged]
        missing += [(teller, partition) for partition in absent]
        looked_at[teller] = len(season) + len(absent)
        observed[teller] = (
            f"{len(absent)} ended sessions of {year} have not landed"
            if absent
            else f"every ended session of {year} has landed"
        )
    offences = pd.DataFrame(
        [(key, p.year, p.grand_prix, p.session_type) for key, p in missing],
        columns=["session_key", "year", "grand_prix", "session_type"],
    )
    return Findings(
        offences=offences, looked_at=looked_at, not_judged=not_judged, observed=observed
    )
