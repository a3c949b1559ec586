"""Rules of `results`: positions, gaps and points as the sporting regulations have them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from f1_bronze.quality.racing.findings import DRIVER, CheckedSessions, Findings, per_session

if TYPE_CHECKING:
    import pandas as pd


# First and last season with a point for the fastest lap of a race, in the first ten only.
FASTEST_LAP_SEASONS = (2019, 2024)

FULL_POINTS = (25.0, 18.0, 15.0, 12.0, 10.0, 8.0, 6.0, 4.0, 2.0, 1.0)


@dataclass(frozen=True)
class PointsTable:
    """Points from the first position on, and in which sessions they were given."""

    name: str
    session_type: str
    points: tuple[float, ...]
    first_year: int = 2010
    last_year: int = 9999


_SHORT = "points for {} % of the distance"

# The usual table comes first: where two fit equally well, the first is taken.
POINTS_TABLES = (
    PointsTable("full points", "race", FULL_POINTS),
    PointsTable("half points", "race", tuple(p / 2 for p in FULL_POINTS), last_year=2021),
    PointsTable(_SHORT.format("50 to 75"), "race", (19, 14, 12, 10, 8, 6, 4, 3, 2, 1), 2022),
    PointsTable(_SHORT.format("25 to 50"), "race", (13, 10, 8, 6, 5, 4, 3, 2, 1), 2022),
    PointsTable(_SHORT.format("less than 25"), "race", (6, 4, 3, 2, 1), 2022),
    PointsTable("no points", "race", ()),
    PointsTable("sprint points", "sprint", (8, 7, 6, 5, 4, 3, 2, 1), 2022),
    PointsTable("sprint points", "sprint", (3, 2, 1), last_year=2021),
    PointsTable("no points", "sprint", ()),
)

_A_LAP = 1e6  # seconds that one lap down counts for, beyond any gap in time


def positions_unique(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """No two drivers in one position."""
    placed = rows[rows["position"].notna()]
    shared = placed.duplicated(["session_key", "position"], keep=False)
    return Findings(
        failing=placed.loc[shared, [*DRIVER, "position"]],
        checked=per_session(placed),
        things="drivers",
    )


def positions_without_gap(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """From 1, the winner, to the last who is classified; a row fails that follows a gap."""
    placed = rows[rows["position"].notna()].sort_values(["session_key", "position"])
    before = placed.groupby("session_key")["position"].shift(fill_value=0)
    wrong = placed.assign(position_before=before)[placed["position"] - before > 1]
    unplaced = set(rows["session_key"]) - set(placed["session_key"])
    return Findings(
        failing=wrong[[*DRIVER, "position", "position_before"]],
        checked=per_session(placed),
        things="drivers",
        not_checked=dict.fromkeys(unplaced, "nobody has a position"),
    )


def winner_has_no_gap(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """The gap of the winner to the leader is 0."""
    winner = rows[rows["position"] == 1]
    return Findings(
        failing=winner.loc[_behind(winner) != 0, [*DRIVER, "position", "gap_to_leader"]],
        checked=per_session(winner),
        things="drivers",
    )


def gaps_grow(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """Nobody is closer to the leader than the driver placed before; laps down count for most."""
    placed = rows[rows["position"].notna()]
    placed = placed.assign(behind=_behind(placed)).dropna(subset="behind")
    placed = placed.sort_values(["session_key", "position", "behind"])
    before = placed.groupby("session_key")["behind"].shift()
    wrong = placed[placed["behind"] < before]
    return Findings(
        failing=wrong[[*DRIVER, "position", "gap_to_leader"]],
        checked=per_session(placed),
        things="drivers",
    )


def _behind(results: "pd.DataFrame") -> "pd.Series[float]":
    """Seconds behind the leader, `_A_LAP` for each lap; NaN where the gap is neither."""
    import pandas as pd

    text = results["gap_to_leader"].astype("string")
    laps = text.str.extract(r'^"\+(\d+) LAPS?"$', expand=False)
    seconds = pd.to_numeric(text, errors="coerce").astype("Float64")
    behind = seconds.fillna(pd.to_numeric(laps).astype("Float64") * _A_LAP)
    return behind.astype("float64")


def points_by_the_table(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """Points by position, from the one table of that season that fits the session best."""
    import pandas as pd

    paid = rows[rows.groupby("session_key")["points"].transform("count") > 0]
    wrong: list[pd.DataFrame] = []
    counts: dict[int, pd.Series[float]] = {}
    for place, table in enumerate(POINTS_TABLES):
        own = paid[
            paid["year"].between(table.first_year, table.last_year)
            & (paid["session_type"] == table.session_type)
        ]
        due = own["position"].map(dict(enumerate(table.points, start=1))).fillna(0.0)
        extra = own["points"].fillna(0.0) - due
        off = (extra != 0) & ~_has_fastest_lap_point(own, extra)
        counts[place] = off.astype("float64").groupby(own["session_key"]).sum()
        wrong.append(own.assign(points_by_table=due, table=place)[off])
    best = pd.DataFrame(counts).idxmin(axis=1)
    failing = pd.concat(wrong)
    failing = failing[failing["table"] == failing["session_key"].map(best)]
    unpaid = set(rows["session_key"]) - set(paid["session_key"])
    return Findings(
        failing=failing[[*DRIVER, "position", "points", "points_by_table"]],
        checked=per_session(paid),
        things="drivers",
        not_checked=dict.fromkeys(unpaid, "nobody has points"),
        observed={int(str(key)): POINTS_TABLES[place].name for key, place in best.items()},
    )


def _has_fastest_lap_point(results: "pd.DataFrame", extra: "pd.Series[float]") -> "pd.Series[bool]":
    """Who has one point more for the fastest lap: one of the first ten, while it was given."""
    one_more = (
        extra.eq(1)
        & results["position"].le(10)
        & results["year"].between(*FASTEST_LAP_SEASONS)
        & results["session_type"].eq("race")
    )
    return one_more & ~results["session_key"].where(one_more).duplicated(keep=False)
