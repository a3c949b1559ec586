"""Rules of every dataset that compare rows with their session's entry in `sessions`."""

from datetime import timedelta
from typing import TYPE_CHECKING

from f1_bronze.datasets.sessions import SESSIONS
from f1_bronze.quality.racing.findings import DRIVER, CheckedSessions, Findings, per_session

if TYPE_CHECKING:
    import pandas as pd

_BEFORE, _AFTER = timedelta(hours=1), timedelta(hours=3)


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
        earliest=entries["date_start"] - _BEFORE, latest=entries["date_end"] + _AFTER
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
