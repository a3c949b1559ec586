"""Rules of `results`: positions, gaps and points as the sporting regulations have them.

Belongs here: what follows from a classification alone. Stays out: what follows from laps
(lapping.py) and who must be in it (grid.py).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from f1_bronze.quality.racing.findings import Around, Findings, per_session

if TYPE_CHECKING:
    import pandas as pd


FASTEST_LAP_SEASONS = (2019, 2024)

"""First and last season with a point for the fastest lap of a race, in the first ten only."""


@dataclass(frozen=True, kw_only=True)
class PointsTable:
    """Points from the first position on, and where they were given."""

    name: str
    session_type: str
    points: tuple[float, ...]
    first_year: int = 2010
    last_year: int = 9999


FULL_POINTS = (25.0, 18.0, 15.0, 12.0, 10.0, 8.0, 6.0, 4.0, 2.0, 1.0)

POINTS_TABLES = (
    PointsTable(name="full points", session_type="race", points=FULL_POINTS),
    PointsTable(
        name="half points",
        session_type="race",
        points=tuple(points / 2 for points in FULL_POINTS),
        last_year=2021,
    ),
    PointsTable(
        name="points for 50 to 75 % of the distance",
        session_type="race",
        points=(19.0, 14.0, 12.0, 10.0, 8.0, 6.0, 4.0, 3.0, 2.0, 1.0),
        first_year=2022,
    ),
    PointsTable(
        name="points for 25 to 50 % of the distance",
        session_type="race",
        points=(13.0, 10.0, 8.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0),
        first_year=2022,
    ),
    PointsTable(
        name="points for less than 25 % of the distance",
        session_type="race",
        points=(6.0, 4.0, 3.0, 2.0, 1.0),
        first_year=2022,
    ),
    PointsTable(name="no points", session_type="race", points=()),
    PointsTable(
        name="sprint points",
        session_type="sprint",
        points=(8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0),
        first_year=2022,
    ),
    PointsTable(
        name="sprint points", session_type="sprint", points=(3.0, 2.0, 1.0), last_year=2021
    ),
    PointsTable(name="no points", session_type="sprint", points=()),
)

"""The usual table comes first: where two fit equally well, the first is taken."""


_DRIVER = ["session_key", "driver_number"]

_A_LAP = 1e6

"""Seconds that one lap down counts for, beyond any gap in time."""


def positions_are_unique(own: "pd.DataFrame", around: Around) -> Findings:
    """No two drivers in one position."""
    placed = own[own["position"].notna()]
    shared = placed.duplicated(["session_key", "position"], keep=False)
    return Findings(
        offences=placed.loc[shared, [*_DRIVER, "position"]], looked_at=per_session(placed)
    )


def positions_have_no_gap(own: "pd.DataFrame", around: Around) -> Findings:
    """From 1, the winner, to the last who is classified; an offence follows a gap."""
    placed = own[own["position"].notna()].sort_values(["session_key", "position"])
    before = placed.groupby("session_key")["position"].shift(fill_value=0)
    wrong = placed.assign(position_before=before)[placed["position"] - before > 1]
    unplaced = set(own["session_key"]) - set(placed["session_key"])
    return Findings(
        offences=wrong[[*_DRIVER, "position", "position_before"]],
        looked_at=per_session(placed),
        not_judged=dict.fromkeys(unplaced, "nobody has a position"),
    )


def winner_has_no_gap(own: "pd.DataFrame", around: Around) -> Findings:
    """The gap of the winner to the leader is 0."""
    winner = own[own["position"] == 1]
    return Findings(
        offences=winner.loc[_behind(winner) != 0, [*_DRIVER, "position", "gap_to_leader"]],
        looked_at=per_session(winner),
    )


def gaps_grow(own: "pd.DataFrame", around: Around) -> Findings:
    """Nobody is closer to the leader than who is placed before; laps down count for most."""
    placed = own[own["position"].notna()]
    placed = placed.assign(behind=_behind(placed)).dropna(subset="behind")
    placed = placed.sort_values(["session_key", "position", "behind"])
    before = placed.groupby("session_key")["behind"].shift()
    wrong = placed[placed["behind"] < before]
    return Findings(
        offences=wrong[[*_DRIVER, "position", "gap_to_leader"]], looked_at=per_session(placed)
    )


def _behind(results: "pd.DataFrame") -> "pd.Series[float]":
    """Seconds behind the leader, `_A_LAP` for each lap; NaN where the gap is neither."""
    import pandas as pd

    text = results["gap_to_leader"].astype("string")
    laps = text.str.extract(r'^"\+(\d+) LAPS?"$', expand=False)
    seconds = pd.to_numeric(text, errors="coerce").astype("Float64")
    behind = seconds.fillna(pd.to_numeric(laps).astype("Float64") * _A_LAP)
    return behind.astype("float64")


def points_follow_the_table(own: "pd.DataFrame", around: Around) -> Findings:
    """Points by position, from the one table of that season that fits the session best."""
    import pandas as pd

    paid = own[own.groupby("session_key")["points"].transform("count") > 0]
    wrong: list[pd.DataFrame] = []
    counts: dict[int, pd.Series[float]] = {}
    for place, table in enumerate(POINTS_TABLES):
        rows = paid[
            paid["year"].between(table.first_year, table.last_year)
            & (paid["session_type"] == table.session_type)
        ]
        due = rows["position"].map(dict(enumerate(table.points, start=1))).fillna(0.0)
        extra = rows["points"].fillna(0.0) - due
        off = (extra != 0) & ~has_fastest_lap_point(rows, extra)
        counts[place] = off.astype("float64").groupby(rows["session_key"]).sum()
        wrong.append(rows.assign(points_by_table=due, table=place)[off])
    best = pd.DataFrame(counts).idxmin(axis=1)
    offences = pd.concat(wrong)
    offences = offences[offences["table"] == offences["session_key"].map(best)]
    unpaid = set(own["session_key"]) - set(paid["session_key"])
    return Findings(
        offences=offences[[*_DRIVER, "position", "points", "points_by_table"]],
        looked_at=per_session(paid),
        not_judged=dict.fromkeys(unpaid, "nobody has points"),
        observed={int(str(key)): POINTS_TABLES[place].name for key, place in best.items()},
    )


def has_fastest_lap_point(results: "pd.DataFrame", extra: "pd.Series[float]") -> "pd.Series[bool]":
    """Who has one point more for the fastest lap: one of the first ten, while it was given."""
    first, last = FASTEST_LAP_SEASONS
    one_more = (
        extra.eq(1)
        & results["position"].le(10)
        & results["year"].between(first, last)
        & results["session_type"].eq("race")
    )
    return one_more & ~results["session_key"].where(one_more).duplicated(keep=False)
