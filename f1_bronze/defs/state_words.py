"""The states of a coverage in words and signs, the same in the terminal and on the page.

Belongs here: names, meanings and signs. Stays out: the states themselves (coverage.py).
"""

LATE = "late"
MEANINGS = {
    "empty": "OpenF1 has no rows for it",
    "stale": "landed before its session or its columns changed; ingest it again",
    "refused": "upstream's last answer had lost rows; the lake keeps its own",
    "failed": "the last attempt failed",
    "running": "a run is about to make it",
    "unrecorded": "in the lake, not in Dagster's record: f1-bronze verify SEASONS --repair",
    "missing": "not in the lake: f1-bronze ingest SEASONS --missing",
    LATE: "not in the lake a day after its session ended: f1-bronze ingest SEASONS --missing",
}
SIGNS = {
    "landed": "",
    "empty": "∅",
    "stale": "↻",
    "refused": "⊘",
    "failed": "✗",
    "running": "…",
    "unrecorded": "?",
    "missing": "–",
    LATE: "!!",
}
"""A state in one or two characters, where there is no room for its name."""
