"""Rules of sessions: their times, whether the season is whole, and rows that belong to them.

The first are of the dataset `sessions`; the last are of every dataset and compare rows with their
session's entry there.
"""

from datetime import timedelta
from typing import TYPE_CHECKING

from f1_bronze.datasets.dataset import (
    CLASSIFIED_TYPES,
    PRACTICE_TYPES,
    QUALIFYING_TYPES,
    RACE_TYPES,
)
from f1_bronze.datasets.partition import SessionPartition, session_type_slug
from f1_bronze.datasets.sessions import SESSIONS
from f1_bronze.quality.racing.findings import DRIVER, CheckedSessions, Findings, per_session

if TYPE_CHECKING:
    import pandas as pd

# Least and most hours that a session is scheduled for.
_HOURS = {
    "race": (1.0, 4.0),
    "sprint": (0.4, 1.5),
    "qualifying": (0.7, 2.0),
    "sprint_qualifying": (0.5, 1.5),
}
_PLACE = ["location", "circuit_short_name", "country_name"]
_SESSION_TYPES = CLASSIFIED_TYPES | PRACTICE_TYPES
_KINDS = dict.fromkeys(RACE_TYPES, "Race") | dict.fromkeys(QUALIFYING_TYPES, "Qualifying")
_BEFORE_START, _AFTER_END = timedelta(hours=1), timedelta(hours=3)
_OTHER_HOURS = (0.5, 10.5)  # from a practice of an hour to a day of testing


def starts_in_its_season(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """The start lies in the partition's year."""
    dated = rows[rows["date_start"].notna()]
    wrong = dated["date_start"].dt.year != dated["year"]
    return Findings(
        failing=dated.loc[wrong, ["session_key", "year", "date_start"]],
        checked=per_session(dated),
    )


def named_as_its_partition(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """The name is that of the folder."""
    named = rows[rows["session_name"].notna()]
    own = named["session_name"].map(session_type_slug)
    # A name that makes no slug or none that is known is another rule's.
    wrong = own.isin(_SESSION_TYPES) & (own != named["session_type"])
    return Findings(
        failing=named.loc[wrong, ["session_key", "session_type", "session_name"]],
        checked=per_session(named),
    )


def type_as_its_name(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """OpenF1's session_type is that of a session of this name."""
    known = rows[rows["session_type"].isin(_SESSION_TYPES) & rows["openf1_session_type"].notna()]
    kind = known["session_type"].map(_KINDS).fillna("Practice")
    wrong = known["openf1_session_type"] != kind
    return Findings(
        failing=known.loc[wrong, ["session_key", "session_name", "openf1_session_type"]],
        checked=per_session(known),
    )


def place_known(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """Where it takes place has three names."""
    wrong = rows[_PLACE].isna().any(axis=1)
    return Findings(
        failing=rows.loc[wrong, ["session_key", *_PLACE]],
        checked=per_session(rows),
    )


def takes_its_usual_time(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """It is scheduled for as long as sessions of its type are."""
    # An end before the start and a start in another year are other rules'.
    dated = rows[
        (rows["date_end"] > rows["date_start"]) & rows["date_start"].dt.year.eq(rows["year"])
    ]
    hours = (dated["date_end"] - dated["date_start"]).dt.total_seconds() / 3600
    least, most = (
        dated["session_type"]
        .map({name: hours[bound] for name, hours in _HOURS.items()})
        .astype("float64")
        .fillna(_OTHER_HOURS[bound])
        for bound in (0, 1)
    )
    wrong = dated.assign(hours=hours, least=least, most=most)[(hours < least) | (hours > most)]
    return Findings(
        failing=wrong[["session_key", "session_name", "hours", "least", "most"]],
        checked=per_session(dated),
    )


def season_is_whole(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """Every ended session of the season is stored; reported once a season, on its latest one."""
    import pandas as pd

    missing: list[tuple[int, SessionPartition]] = []
    checked: dict[int, int] = {}
    observed: dict[int, str] = {}
    not_checked: dict[int, str] = {}
    here = set(sessions.partitions.values())
    for year, season in rows.sort_values("date_start").groupby("year"):
        *others, latest = (int(key) for key in season["session_key"])
        where = sessions.partitions[latest].key
        not_checked |= dict.fromkeys(others, f"reported once a season, this time on {where}")
        absent = [p for p in sessions.missing_sessions(SESSIONS, int(str(year))) if p not in here]
        missing += [(latest, partition) for partition in absent]
        checked[latest] = len(season) + len(absent)
        observed[latest] = (
            f"missing: {', '.join(partition.key for partition in absent[:3])}"
            + (", …" if len(absent) > 3 else "")
            if absent
            else f"every ended session of {year} is stored"
        )
    failing = pd.DataFrame(
        [(key, p.year, p.grand_prix, p.session_type) for key, p in missing],
        columns=["session_key", "year", "grand_prix", "session_type"],
    )
    return Findings(
        failing=failing,
        checked=checked,
        things="sessions",
        not_checked=not_checked,
        observed=observed,
    )


def meeting_known(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """meeting_key is there; one that is no number is another rule's."""
    unfit = rows["extra_fields"].fillna("").str.contains('"meeting_key"', regex=False)
    columns = [name for name in (*DRIVER, "lap_number") if name in rows.columns]
    return Findings(
        failing=rows.loc[rows["meeting_key"].isna() & ~unfit, columns],
        checked=per_session(rows),
    )


def meeting_as_in_sessions(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """meeting_key is that of the session."""
    mine, entries, reasons = sessions.compare(rows[rows["meeting_key"].notna()], SESSIONS)
    entry = entries.drop_duplicates("session_key").set_index("session_key")["meeting_key"]
    expected = mine["session_key"].map(entry)
    known = mine.assign(meeting_key_of_session=expected)[expected.notna()]
    wrong = known["meeting_key"] != known["meeting_key_of_session"]
    return Findings(
        failing=known.loc[wrong, [*_row_names(known), "meeting_key", "meeting_key_of_session"]],
        checked=per_session(known),
        not_checked=reasons,
    )


def dated_within_the_session(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """Rows are dated between an hour before the scheduled start and three after the end."""
    date = "date_start" if "date_start" in rows.columns else "date"
    mine, entries, reasons = sessions.compare(rows[rows[date].notna()], SESSIONS)
    # A session that ends before it starts is another rule's.
    entries = entries[entries["date_end"] > entries["date_start"]].drop_duplicates("session_key")
    window = entries[["session_key"]].assign(
        earliest=entries["date_start"] - _BEFORE_START, latest=entries["date_end"] + _AFTER_END
    )
    known = mine.merge(window, on="session_key")
    wrong = (known[date] < known["earliest"]) | (known[date] > known["latest"])
    return Findings(
        failing=known.loc[wrong, [*_row_names(known), date, "earliest", "latest"]],
        checked=per_session(known),
        not_checked=reasons,
    )


def _row_names(rows: "pd.DataFrame") -> list[str]:
    """The columns that say which row it is; not every dataset is about drivers, or laps."""
    return [name for name in (*DRIVER, "lap_number") if name in rows.columns]
