"""Rules of `results`: positions, gaps and points as the sporting regulations have them."""

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from f1_bronze.datasets.dataset import QUALIFYING_TYPES, RACE_TYPES
from f1_bronze.datasets.partition import SessionPartition
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

WINNING_TIME = (1_200, 11_000)  # seconds

_FEW_ROWS = 2
_A_LAP = 1e6  # seconds that one lap down counts for, beyond any gap in time
_QUALIFYING_TIME = (40, 300)  # seconds
_GAP_TOLERANCE = 0.01 + 1e-6  # seconds; the little more is what binary floats round away


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
    """The gap of the winner to the leader is 0; that there is none is another rule's."""
    winner = rows[(rows["position"] == 1) & rows["gap_to_leader"].notna()]
    return Findings(
        failing=winner.loc[_behind(winner) != 0, [*DRIVER, "position", "gap_to_leader"]],
        checked=per_session(winner),
        things="drivers",
    )


def gaps_grow(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """Nobody is closer to the leader than the driver placed before; laps down count for most."""
    # A gap that is not the difference of the durations is another rule's.
    odd = set(gaps_as_durations(rows, sessions).failing.index)
    placed = rows[rows["position"].notna() & ~rows.index.isin(odd)]
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
    return seconds(results["gap_to_leader"]).fillna(_laps_down(results["gap_to_leader"]) * _A_LAP)


def points_by_the_table(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """Points by position, from the one table of that season that fits the session best."""
    import pandas as pd

    paid = rows[rows["points"].notna()]  # that points are null is another rule's
    by_gap = _place_by_gap(paid)
    wrong: list[pd.DataFrame] = []
    matches: dict[int, pd.Series[float]] = {}
    for place, table in enumerate(POINTS_TABLES):
        own = paid[
            paid["year"].between(table.first_year, table.last_year)
            & (paid["session_type"] == table.session_type)
        ]
        due = own["position"].map(dict(enumerate(table.points, start=1))).fillna(0.0)
        extra = own["points"] - due
        # Points that fit the place by the gap show a wrong position, which is another rule's.
        due_by_gap = by_gap[own.index].map(dict(enumerate(table.points, start=1))).fillna(0.0)
        moved = by_gap[own.index].notna() & (by_gap[own.index] != own["position"])
        misplaced = moved & (own["points"] - due_by_gap).between(0, 1) & (due_by_gap > 0)
        off = (extra != 0) & ~_has_fastest_lap_point(own, extra) & ~misplaced
        # A table fits where it explains points, not where it explains that there are none.
        fits = (~off & (due > 0)) if table.points else ~off & own["points"].eq(0)
        matches[place] = fits.astype("float64").groupby(own["session_key"]).sum()
        if not table.points:  # for a session in which nobody has any
            matches[place] *= own["points"].eq(0).groupby(own["session_key"]).all()
        wrong.append(own.assign(points_by_table=due, table=place)[off])
    best = pd.DataFrame(matches).idxmax(axis=1)
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


def _place_by_gap(rows: "pd.DataFrame") -> "pd.Series[float]":
    """The place that a driver has by the gaps; NaN without one."""
    placed = rows[rows["position"].notna()]
    placed = placed.assign(behind=_behind(placed)).dropna(subset="behind")
    rank = placed.groupby("session_key")["behind"].rank(method="first")
    return rank.reindex(rows.index)


def points_add_up(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """The points of a session are those of a whole table; what is off is counted in points.

    What one or two wrong rows explain is left to the rule about the table.
    """
    import pandas as pd

    by_table = points_by_the_table(rows, sessions).failing
    off_by_table = (by_table["points"] - by_table["points_by_table"]).groupby(
        by_table["session_key"]
    )
    explained = {
        int(str(key)): float(off.sum()) for key, off in off_by_table if len(off) <= _FEW_ROWS
    }
    unpaid = rows.loc[rows["points"].isna(), "session_key"]
    paid = rows[~rows["session_key"].isin(unpaid)]
    checked: dict[int, int] = {}
    failed: dict[int, int] = {}
    observed: dict[int, str] = {}
    failing: list[tuple[int, float, float]] = []
    for key, own in paid.groupby("session_key"):
        session, total = int(str(key)), float(own["points"].sum())
        partition = sessions.partitions[session]
        extras = (0, 1) if _gives_fastest_lap_point(partition) else (0,)
        tables = [
            table.points
            for table in POINTS_TABLES
            if table.points
            and table.session_type == partition.session_type
            and table.first_year <= partition.year <= table.last_year
        ]
        if not tables:
            continue
        # The winner's points show which table was used; where they show none, it is the usual one.
        most = float(own["points"].max())
        used = [points for points in tables if any(most == points[0] + more for more in extras)]
        sums = {sum(points) + more for points in used or tables[:1] for more in extras}
        expected = min(sums, key=lambda one: (abs(one - total), -one))
        difference = total - expected
        if difference and any(
            abs(explained.get(session, 0.0) - difference - extra) < 1e-6 for extra in (-1, 0, 1)
        ):
            continue
        checked[session] = round(expected)
        failed[session] = min(round(expected), math.ceil(abs(total - expected)))
        observed[session] = f"{total:g} points, expected {expected:g}"
        if total != expected:
            failing.append((session, total, expected))
    return Findings(
        failing=pd.DataFrame(failing, columns=["session_key", "points", "points_expected"]),
        checked=checked,
        things="points",
        failed=failed,
        not_checked=dict.fromkeys(unpaid.tolist(), "not everybody has points"),
        observed=observed,
    )


def winning_time_plausible(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """The winner drove as long as races and sprints last."""
    winner = rows[rows["position"] == 1]
    winner = winner.assign(seconds=seconds(winner["duration"])).dropna(subset="seconds")
    wrong = ~winner["seconds"].between(*WINNING_TIME)
    return Findings(
        failing=winner.loc[wrong, [*DRIVER, "position", "duration"]],
        checked=per_session(winner),
        things="winners",
    )


def gaps_as_durations(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """A gap in seconds is the difference of the durations."""
    timed = rows.assign(
        seconds=seconds(rows["duration"]), gap=seconds(rows["gap_to_leader"])
    ).dropna(subset=["seconds", "gap"])
    # The winner's time as most drivers have it, so that one wrong row fails alone.
    winning = (timed["seconds"] - timed["gap"]).groupby(timed["session_key"]).transform("median")
    timed = timed.assign(seconds_of_winner=winning)
    wrong = (timed["seconds"] - timed["gap"] - winning).abs() > _GAP_TOLERANCE
    names = [*DRIVER, "position", "duration", "gap_to_leader", "seconds_of_winner"]
    return Findings(failing=timed.loc[wrong, names], checked=per_session(timed), things="drivers")


def laps_down_as_laps(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """A gap in laps is the difference of the laps."""
    in_time = seconds(rows["gap_to_leader"]).notna()
    down = _laps_down(rows["gap_to_leader"]).mask(in_time, 0)
    placed = rows.assign(laps_down=down).dropna(subset=["laps_down", "number_of_laps"])
    # The winner's laps as most drivers have them, so that one wrong row fails alone.
    total = placed["number_of_laps"] + placed["laps_down"]
    winning = total.groupby(placed["session_key"]).transform("median")
    placed = placed.assign(laps_of_winner=winning)
    wrong = total != winning
    names = [*DRIVER, "position", "gap_to_leader", "number_of_laps", "laps_of_winner"]
    return Findings(failing=placed.loc[wrong, names], checked=per_session(placed), things="drivers")


def three_qualifying_times(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """duration is a list of three possible times, of which some may be null."""
    timed = rows[rows["duration"].notna()]
    wrong = ~timed["duration"].map(lambda text: _are_times(_times(text))).astype("bool")
    return Findings(
        failing=timed.loc[wrong, [*DRIVER, "position", "duration"]],
        checked=per_session(timed),
        things="drivers",
    )


def positions_follow_qualifying_times(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """Within Q3, then Q2, then Q1, positions follow the times."""
    timed = rows[rows["position"].notna() & rows["duration"].notna()]
    timed = timed.sort_values(["session_key", "position"])
    behind = timed["duration"].map(lambda text: _qualifying_order(_times(text)))
    timed = timed.assign(behind=behind.astype("float64")).dropna(subset="behind")
    before = timed.groupby("session_key")["behind"].shift()
    wrong = timed["behind"] < before
    return Findings(
        failing=timed.loc[wrong, [*DRIVER, "position", "duration"]],
        checked=per_session(timed),
        things="drivers",
    )


def flags_as_results(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """What the flags say is not contradicted by position, gap and laps."""
    flags = rows[["dnf", "dns", "dsq"]].astype("boolean").fillna(False).astype("bool")
    finished = seconds(rows["gap_to_leader"]).notna() & rows["position"].notna()
    contradicted = (
        (flags["dnf"] & finished)
        | (flags["dns"] & (rows["number_of_laps"].fillna(0) > 0))
        | (flags["dsq"] & rows["position"].notna())
    )
    names = [*DRIVER, "position", "gap_to_leader", "number_of_laps", "dnf", "dns", "dsq"]
    return Findings(
        failing=rows.loc[contradicted, names], checked=per_session(rows), things="drivers"
    )


def times_known(rows: "pd.DataFrame", sessions: CheckedSessions) -> Findings:
    """Who is placed and did not retire has a readable gap, and a duration unless laps down."""
    retired = rows["dnf"].astype("boolean").fillna(False).astype("bool")
    placed = rows[rows["position"].notna() & ~retired]
    lapped = _laps_down(placed["gap_to_leader"]).notna()
    unreadable = placed["session_type"].isin(RACE_TYPES) & _behind(placed).isna()
    wrong = placed["gap_to_leader"].isna() | unreadable | (placed["duration"].isna() & ~lapped)
    return Findings(
        failing=placed.loc[wrong, [*DRIVER, "position", "duration", "gap_to_leader"]],
        checked=per_session(placed),
        things="drivers",
    )


def _are_times(times: list[Any]) -> bool:
    """Whether these are the three times of a qualifying."""
    low, high = _QUALIFYING_TIME
    return len(times) == 3 and all(
        time is None or (isinstance(time, int | float) and low <= time <= high) for time in times
    )


def _times(text: str) -> list[float | None]:
    """The times of a JSON list; nothing for any other text."""
    times = json.loads(text)
    return times if isinstance(times, list) else []


def _qualifying_order(times: list[float | None]) -> float | None:
    """Seconds, a long time more for each part that was not reached; None without three times."""
    if len(times) != 3:
        return None
    for missed, time in enumerate(reversed(times)):
        if isinstance(time, int | float):
            return missed * _A_LAP + time
    return None


def seconds(column: "pd.Series[Any]") -> "pd.Series[float]":
    """The numbers among JSON texts; NaN for any other text."""
    import pandas as pd

    return pd.to_numeric(column, errors="coerce").astype("float64")


def best_times(results: "pd.DataFrame") -> "pd.Series[float]":
    """The best time of each row outside races; NaN where there is none.

    What is no time as that type of session has it is another rule's.
    """
    best = results["duration"].map(_best_time, na_action="ignore").astype("float64")
    in_three = results["duration"].fillna("").str.startswith("[")
    return best.where(in_three == results["session_type"].isin(QUALIFYING_TYPES))


def _best_time(text: str) -> float | None:
    value = json.loads(text)
    if not isinstance(value, list):
        return float(value) if isinstance(value, int | float) else None
    times = [time for time in value if time is not None]
    return min(times, default=None) if _are_times(value) else None


def _laps_down(gap: "pd.Series[Any]") -> "pd.Series[float]":
    """The laps of a gap such as "+1 LAP"; NaN for any other."""
    import pandas as pd

    laps = gap.astype("string").str.extract(r'^"\+(\d+) LAPS?"$', expand=False)
    return pd.to_numeric(laps).astype("Float64").astype("float64")


def _gives_fastest_lap_point(partition: SessionPartition) -> bool:
    first, last = FASTEST_LAP_SEASONS
    return partition.session_type == "race" and first <= partition.year <= last


def _has_fastest_lap_point(results: "pd.DataFrame", extra: "pd.Series[float]") -> "pd.Series[bool]":
    """Who has one point more for the fastest lap: one of the first ten, while it was given."""
    one_more = (
        extra.eq(1)
        & results["position"].le(10)
        & results["year"].between(*FASTEST_LAP_SEASONS)
        & results["session_type"].eq("race")
    )
    return one_more & ~results["session_key"].where(one_more).duplicated(keep=False)
