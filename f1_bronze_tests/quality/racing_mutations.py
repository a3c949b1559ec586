"""How to break each racing rule: a change of one session's answer, and who must be named.

Belongs here: the table of mutations. Stays out: assertions (test_racing_mutations.py).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from f1_bronze.datasets.partition import SessionPartition

from .fake_lake import FakeLake, Records
from .racing_fixtures import QUALIFYING, RACE, RACE_2026, SPRINT, RacingSessions

Identity = tuple[object, ...]
IMOLA = SessionPartition.parse("2024/emilia_romagna/race")
NOBODY = 97


@dataclass(frozen=True, kw_only=True)
class Mutation:
    """One way to break one rule.

    Attributes:
        change: breaks the records in place (the lake is there to look things up) and returns who
            must be named, by the columns of `identity`.
        companions: other racing rules of the dataset that notice as well, and rightly.
        arrange: changes what was seen before.
    """

    identity: tuple[str, ...]
    change: Callable[[Records, FakeLake], list[Identity]]
    companions: frozenset[str] = frozenset()
    arrange: Callable[[RacingSessions], RacingSessions] = lambda racing: racing
    partition: SessionPartition = RACE

    def applied_to(
        self, racing: RacingSessions, dataset: str
    ) -> tuple[RacingSessions, list[Identity]]:
        """The broken sessions, and who must be named."""
        named: list[Identity] = []

        def change(records: Records) -> Records:
            named.extend(self.change(records, racing.lake))
            return records

        broken = self.arrange(racing).but_with(dataset, self.partition, change)
        return broken, sorted(named, key=str)


def _emptied(partition: SessionPartition, other: str = "", **values: Any) -> Mutation:
    """No rows, where another dataset's rows all have these values; how many drove is shown."""

    def change(records: Records, lake: FakeLake) -> list[Identity]:
        records.clear()
        if values:
            return [(0,)]
        dataset = "stints" if partition is RACE else "results"
        rows = lake.records[dataset][partition]
        drove = [r for r in rows if r.get("stint_number", 0) > 1 or r.get("number_of_laps")]
        return [(len({r["driver_number"] for r in drove}),)]

    def arrange(racing: RacingSessions) -> RacingSessions:
        if not values:
            return racing
        return racing.but_with(other, partition, lambda rows: [{**r, **values} for r in rows])

    return Mutation(
        identity=("drivers_who_drove",), change=change, arrange=arrange, partition=partition
    )


def _others_names(records: Records, lake: FakeLake) -> list[Identity]:
    acronyms = [record["name_acronym"] for record in records]
    for record, acronym in zip(records, [*acronyms[1:], acronyms[0]], strict=True):
        record["name_acronym"] = acronym
    return [(record["driver_number"],) for record in records]


def _other_results(**changes: Callable[[Any], Any]) -> Mutation:
    """Other values in the results of a qualifying; who has both is named."""

    def alter(rows: Records) -> Records:
        return [{**row, **{name: f(row[name]) for name, f in changes.items()}} for row in rows]

    def change(records: Records, lake: FakeLake) -> list[Identity]:
        timed = {r["driver_number"] for r in records if r["lap_duration"] is not None}
        results = lake.records["results"][QUALIFYING]
        return [(r["driver_number"],) for r in results if r["driver_number"] in timed]

    return Mutation(
        identity=_DRIVER,
        change=change,
        arrange=lambda racing: racing.but_with("results", QUALIFYING, alter),
        partition=QUALIFYING,
    )


def _later(times: list[float | None]) -> list[float | None]:
    return [time and time + 0.05 for time in times]


def _no_starts(records: Records, lake: FakeLake) -> list[Identity]:
    for record in records:
        record["date_start"] = None
    return [(len(records),)]


def _even_stints(records: Records, lake: FakeLake) -> list[Identity]:
    for record in records:
        record["stint_number"] *= 2
    return [(record["driver_number"], record["stint_number"]) for record in records]


def _two_times_in_the_lane(records: Records, lake: FakeLake) -> list[Identity]:
    visit = next(r for r in records if r.get("lane_duration") and r.get("pit_duration"))
    visit["pit_duration"] += 1
    return [(visit["driver_number"], visit["lap_number"])]


def _added_for_nobody(records: Records, lake: FakeLake) -> list[Identity]:
    records.append({**records[-1], "driver_number": NOBODY} | _unclassified(records[-1]))
    return [(NOBODY,)]


def _unclassified(record: dict[str, Any]) -> dict[str, Any]:
    if "position" in record:
        return {"position": None, "points": 0.0, "dnf": True, "gap_to_leader": None}
    return {"lap_number": 1} if "lap_duration" in record else {}


def _only_a_few_before(racing: RacingSessions) -> RacingSessions:
    return replace(racing, earlier={RACE: [1, 3, 2, 1, 2]})


def _a_hole_in_the_season(racing: RacingSessions) -> RacingSessions:
    return replace(racing, missing=[IMOLA])


def _a_year_earlier(records: Records, lake: FakeLake) -> list[Identity]:
    for name in ("date_start", "date_end"):
        records[0][name] = records[0][name].replace("2024-", "2023-")
    return [(2024,)]


def _nine_hours(records: Records, lake: FakeLake) -> list[Identity]:
    start = datetime.fromisoformat(records[0]["date_start"])
    records[0]["date_end"] = (start + timedelta(hours=9)).isoformat()
    return [(9.0,)]


def _a_team_stays_away(records: Records, lake: FakeLake) -> list[Identity]:
    team = records[0]["team_name"]
    records[:] = [record for record in records if record["team_name"] != team]
    return [(18,)]


def _a_driver_changes_teams(records: Records, lake: FakeLake) -> list[Identity]:
    old, new = records[0]["team_name"], records[1]["team_name"]
    assert old != new
    records[0]["team_name"] = new
    return [(old,), (new,)]


def _the_last_result_is_lost(records: Records, lake: FakeLake) -> list[Identity]:
    return [(records.pop()["driver_number"],)]


def _placed(records: Records) -> Records:
    return sorted(
        (record for record in records if record["position"] is not None),
        key=lambda record: int(record["position"]),
    )


def _two_in_fourth_position(records: Records, lake: FakeLake) -> list[Identity]:
    fourth, fifth = _placed(records)[3:5]
    fifth["position"] = 4
    return [(fourth["driver_number"],), (fifth["driver_number"],)]


def _the_last_falls_back(records: Records, lake: FakeLake) -> list[Identity]:
    last = _placed(records)[-1]
    last["position"] += 1
    return [(last["driver_number"],)]


def _the_winner_is_late(records: Records, lake: FakeLake) -> list[Identity]:
    winner = _placed(records)[0]
    winner["gap_to_leader"] = 0.001
    return [(winner["driver_number"],)]


def _two_gaps_change_places(records: Records, lake: FakeLake) -> list[Identity]:
    second, third = _placed(records)[1:3]
    for name in ("gap_to_leader", "duration"):
        second[name], third[name] = third[name], second[name]
    return [(third["driver_number"],)]


def _three_points_too_few(records: Records, lake: FakeLake) -> list[Identity]:
    second = _placed(records)[1]
    second["points"] -= 3
    return [(second["driver_number"],)]


def _by_driver(records: Records, number: str) -> list[Records]:
    ordered = sorted(records, key=lambda record: (record["driver_number"], record[number]))
    return [list(rows) for _, rows in groupby(ordered, key=lambda record: record["driver_number"])]


def _tenth_laps_are_lost(records: Records, lake: FakeLake) -> list[Identity]:
    going_on = {record["driver_number"] for record in records if record["lap_number"] == 11}
    records[:] = [record for record in records if record["lap_number"] != 10]
    return [(driver, 10) for driver in going_on]


def _last_tenths_are_lost(records: Records, lake: FakeLake) -> list[Identity]:
    counted = sum(r["number_of_laps"] or 0 for r in lake.records["results"][RACE])
    lost = {(r["driver_number"], r["lap_number"]) for r in records if r["lap_number"] % 8 == 4}
    records[:] = [r for r in records if (r["driver_number"], r["lap_number"]) not in lost]
    return [(len(records), counted)]


def _a_driver_is_lost(records: Records, lake: FakeLake) -> list[Identity]:
    lost = records[-1]["driver_number"]
    records[:] = [record for record in records if record["driver_number"] != lost]
    return [(lost,)]


def _a_driver_without_a_result(records: Records, lake: FakeLake) -> list[Identity]:
    records.append({**records[-1], "driver_number": NOBODY, "lap_number": 1})
    return [(NOBODY,)]


def _another_meeting(records: Records, lake: FakeLake) -> list[Identity]:
    records[0]["meeting_key"] = 1
    return [(records[0]["driver_number"],)]


def _dated_the_day_before(records: Records, lake: FakeLake) -> list[Identity]:
    name = "date_start" if "date_start" in records[0] else "date"
    # A driver's first lap, so that the laps stay in order.
    first = next(r for r in records if r[name] is not None)
    first[name] = (datetime.fromisoformat(first[name]) - timedelta(days=1)).isoformat()
    return [(first["driver_number"], first["lap_number"])]


def _only_the_winner_has_points(records: Records, lake: FakeLake) -> list[Identity]:
    for record in _placed(records)[1:]:
        record["points"] = 0.0
    return [(_placed(records)[0]["points"],)]


def _the_winner_took_a_second(records: Records, lake: FakeLake) -> list[Identity]:
    winner = _placed(records)[0]
    winner["duration"] = 0.526
    return [(winner["driver_number"],)]


def _a_duration_grows(records: Records, lake: FakeLake) -> list[Identity]:
    second = _placed(records)[1]
    second["duration"] += 5.0
    return [(second["driver_number"],)]


def _a_lap_down_more(records: Records, lake: FakeLake) -> list[Identity]:
    winner = _placed(records)[0]
    last = _placed(records)[-1]
    down = winner["number_of_laps"] - last["number_of_laps"] + 1
    last["gap_to_leader"] = f"+{down} LAP{'S' if down > 1 else ''}"
    return [(last["driver_number"],)]


def _two_times(records: Records, lake: FakeLake) -> list[Identity]:
    records[0]["duration"] = records[0]["duration"][:2]
    return [(records[0]["driver_number"],)]


def _the_last_was_fastest(records: Records, lake: FakeLake) -> list[Identity]:
    last = _placed(records)[-1]
    last["duration"] = [60.0, *last["duration"][1:]]
    return [(last["driver_number"],)]


def _a_stint_overlaps(records: Records, lake: FakeLake) -> list[Identity]:
    second = next(record for record in records if record["stint_number"] == 2)
    second["lap_start"] -= 3
    return [(second["driver_number"], 2)]


def _half_of_the_stops_are_lost(records: Records, lake: FakeLake) -> list[Identity]:
    lost = records[::2]
    records[:] = records[1::2]
    kept = {(r["driver_number"], r["lap_number"]) for r in records}
    stints = sorted(
        lake.records["stints"][RACE], key=lambda r: (r["driver_number"], r["stint_number"])
    )
    assert lost
    return [
        (r["driver_number"], r["stint_number"])
        for r in stints
        if r["stint_number"] > 1
        and not any((r["driver_number"], r["lap_start"] - 1 + off) in kept for off in (-1, 0, 1))
    ]


def _two_drivers_lose_their_last_laps(records: Records, lake: FakeLake) -> list[Identity]:
    losers = {
        rows[0]["driver_number"]: len(rows) - 5 for rows in _by_driver(records, "lap_number")[:2]
    }
    records[:] = [
        record
        for record in records
        if record["lap_number"] <= losers.get(record["driver_number"], 100)
    ]
    return [(driver,) for driver in losers]


def _sectors_grow(records: Records, lake: FakeLake) -> list[Identity]:
    grown = [
        record
        for record in records
        if record["lap_number"] in range(5, 15)
        and record["lap_duration"] is not None
        and record["duration_sector_3"] is not None
    ]
    for record in grown:
        record["duration_sector_2"] += 0.02
    return [(record["driver_number"], record["lap_number"]) for record in grown]


def _early_laps_at_a_walk(records: Records, lake: FakeLake) -> list[Identity]:
    early = [record for record in records if record["lap_number"] <= 3]
    for record in early:
        record["st_speed"] = 9
    return [(record["driver_number"], record["lap_number"]) for record in early]


def _a_lap_at_3000(records: Records, lake: FakeLake) -> list[Identity]:
    records[5]["st_speed"] = 3000
    return [(records[5]["driver_number"], records[5]["lap_number"])]


def _tenth_laps_start_with_the_ninth(records: Records, lake: FakeLake) -> list[Identity]:
    starts = {r["driver_number"]: r["date_start"] for r in records if r["lap_number"] == 9}
    tenth = [record for record in records if record["lap_number"] == 10]
    for record in tenth:
        record["date_start"] = starts[record["driver_number"]]
    return [(record["driver_number"], 10) for record in tenth]


def _fastest(records: Records) -> dict[str, Any]:
    timed = [record for record in records if record["lap_duration"] is not None]
    return min(timed, key=lambda record: float(record["lap_duration"]))


def _the_fastest_lap_takes_fifty_five_seconds(records: Records, lake: FakeLake) -> list[Identity]:
    fastest = _fastest(records)
    fastest |= {"lap_duration": 55.0, "duration_sector_1": None}
    return [(fastest["driver_number"], fastest["lap_number"])]


def _another_of_the_first_ten_was_faster(records: Records, lake: FakeLake) -> list[Identity]:
    fastest = _fastest(records)
    first_ten = {r["driver_number"] for r in _placed(lake.records["results"][RACE])[:10]}
    assert fastest["driver_number"] in first_ten
    other = next(
        record
        for record in records
        if record["driver_number"] in first_ten - {fastest["driver_number"]}
        and record["lap_number"] == 20
    )
    other |= {"lap_duration": fastest["lap_duration"] - 0.1, "duration_sector_1": None}
    return [(fastest["driver_number"],), (other["driver_number"],)]


def _second_stints_begin_late(records: Records, lake: FakeLake) -> list[Identity]:
    second = [record for record in records if record["stint_number"] == 2]
    for record in second:
        record["lap_start"] += 2
    return [(record["driver_number"], 2) for record in second]


def _a_last_stint_ends_before_it_starts(records: Records, lake: FakeLake) -> list[Identity]:
    last = next(rows[-1] for rows in _by_driver(records, "stint_number") if len(rows) > 1)
    last["lap_end"] = last["lap_start"] - 1
    return [(last["driver_number"], last["stint_number"])]


def _two_last_stints_end_early(records: Records, lake: FakeLake) -> list[Identity]:
    last = [rows[-1] for rows in _by_driver(records, "stint_number") if len(rows) > 1][:2]
    for record in last:
        record["lap_end"] -= 2
    return [(record["driver_number"],) for record in last]


def _stops_on_the_third_lap(records: Records, lake: FakeLake) -> list[Identity]:
    first = {record["driver_number"]: record for record in reversed(records)}.values()
    for record in first:
        record["lap_number"] = 3
    return [(record["driver_number"], 3) for record in first]


def _set_first(*identity: str, **values: Any) -> Callable[[Records, FakeLake], list[Identity]]:
    """Other values in the first row, which is named by its own columns."""

    def change(records: Records, lake: FakeLake) -> list[Identity]:
        named = tuple(records[0][name] for name in identity)
        records[0].update(values)
        return [tuple(values.get(n, v) for n, v in zip(identity, named, strict=True))]

    return change


def _two_have_one_acronym(records: Records, lake: FakeLake) -> list[Identity]:
    records[0]["name_acronym"] = records[1]["name_acronym"]
    return [(record["driver_number"],) for record in records[:2]]


def _the_second_retired(records: Records, lake: FakeLake) -> list[Identity]:
    second = _placed(records)[1]
    second["dnf"] = True
    return [(second["driver_number"],)]


def _the_second_has_no_gap(records: Records, lake: FakeLake) -> list[Identity]:
    second = _placed(records)[1]
    second["gap_to_leader"] = None
    return [(second["driver_number"],)]


def _a_second_faster_each(records: Records, lake: FakeLake) -> list[Identity]:
    """Every lap of the winner, whose sectors still add up."""
    [winner] = [r for r in lake.records["results"][RACE] if r["position"] == 1]
    own = [r for r in records if r["driver_number"] == winner["driver_number"]]
    for record in own:
        record["lap_duration"] = (record["lap_duration"] or 100.0) + 2.0
        record["duration_sector_1"] = None
    return [(winner["driver_number"],)]


def _no_speed_of_the_first_trap(records: Records, lake: FakeLake) -> list[Identity]:
    for record in records:
        record["i1_speed"] = None
    return [("i1_speed",)]


def _miles(records: Records, lake: FakeLake) -> list[Identity]:
    names = ("i1_speed", "i2_speed", "st_speed")
    for record in records:
        record.update({n: record[n] and round(record[n] / 1.609) for n in names})
    return [(float(max(r[n] or 0 for r in records for n in names)),)]


def _a_stint_without_laps(records: Records, lake: FakeLake) -> list[Identity]:
    second = next(record for record in records if record["stint_number"] == 2)
    second["lap_start"] = None
    return [(second["driver_number"], 2)]


def _a_stop_ten_minutes_later(records: Records, lake: FakeLake) -> list[Identity]:
    first = next(record for record in records if record["lap_number"] is not None)
    later = datetime.fromisoformat(first["date"]) + timedelta(minutes=10)
    first["date"] = later.isoformat()
    return [(first["driver_number"], first["lap_number"])]


_MEETING_KNOWN = Mutation(
    identity=("driver_number",), change=_set_first("driver_number", meeting_key=None)
)
_MEETING = Mutation(identity=("driver_number",), change=_another_meeting)
_DATED = Mutation(
    identity=("driver_number", "lap_number"),
    change=_dated_the_day_before,
)
_KNOWN = Mutation(identity=("driver_number",), change=_added_for_nobody)
_AS_USUAL = Mutation(
    identity=("session_key",),
    change=lambda records, lake: [(records[0]["session_key"],)],
    arrange=_only_a_few_before,
)
_DRIVER = ("driver_number",)
_LAP = ("driver_number", "lap_number")
_STINT = ("driver_number", "stint_number")

RACING_MUTATIONS: Mapping[tuple[str, str], Mutation] = {
    ("sessions", "named as its partition"): Mutation(
        identity=("session_name",), change=_set_first("session_name", session_name="Sprint")
    ),
    ("sessions", "type as its name"): Mutation(
        identity=("openf1_session_type",),
        change=lambda records, lake: [
            ("Practice",) for _ in [records[0].update(session_type="Practice")]
        ],
    ),
    ("sessions", "place known"): Mutation(
        identity=("session_key",), change=_set_first("session_key", country_name=None)
    ),
    ("sessions", "meeting known"): Mutation(
        identity=("session_key",), change=_set_first("session_key", meeting_key=None)
    ),
    ("sessions", "starts in its season"): Mutation(identity=("year",), change=_a_year_earlier),
    ("sessions", "takes its usual time"): Mutation(identity=("hours",), change=_nine_hours),
    ("sessions", "season is whole"): Mutation(
        identity=("year", "grand_prix", "session_type"),
        change=lambda records, lake: [(IMOLA.year, IMOLA.grand_prix, IMOLA.session_type)],
        arrange=_a_hole_in_the_season,
        partition=QUALIFYING,  # the latest of its season, which tells of it
    ),
    ("drivers", "as many drivers as cars"): Mutation(
        identity=("drivers",), change=_a_team_stays_away
    ),
    ("drivers", "acronyms differ"): Mutation(identity=_DRIVER, change=_two_have_one_acronym),
    ("drivers", "two cars a team"): Mutation(
        identity=("team_name",), change=_a_driver_changes_teams
    ),
    ("drivers", "meeting as in sessions"): _MEETING,
    ("drivers", "meeting known"): _MEETING_KNOWN,
    ("drivers", "rows as many as usual"): _AS_USUAL,
    ("drivers", "numbers as in the season"): Mutation(identity=_DRIVER, change=_others_names),
    ("results", "drivers known"): _KNOWN,
    ("results", "every driver has a result"): Mutation(
        identity=_DRIVER, change=_the_last_result_is_lost
    ),
    ("results", "positions unique"): Mutation(
        identity=_DRIVER,
        change=_two_in_fourth_position,
        companions=frozenset({"positions without gap"}),
    ),
    ("results", "positions without gap"): Mutation(identity=_DRIVER, change=_the_last_falls_back),
    ("results", "winner has no gap"): Mutation(identity=_DRIVER, change=_the_winner_is_late),
    ("results", "gaps grow"): Mutation(
        identity=_DRIVER,
        change=_two_gaps_change_places,
    ),
    ("results", "points by the table"): Mutation(
        identity=_DRIVER,
        change=_three_points_too_few,
    ),
    ("results", "meeting as in sessions"): _MEETING,
    ("results", "meeting known"): _MEETING_KNOWN,
    ("results", "points add up"): Mutation(
        identity=("points",),
        change=_only_the_winner_has_points,
        companions=frozenset({"points by the table"}),
    ),
    ("results", "flags as results"): Mutation(identity=_DRIVER, change=_the_second_retired),
    ("results", "times known"): Mutation(identity=_DRIVER, change=_the_second_has_no_gap),
    ("results", "winning time plausible"): Mutation(
        identity=_DRIVER,
        change=_the_winner_took_a_second,
        companions=frozenset({"gaps as durations"}),
    ),
    ("results", "gaps as durations"): Mutation(identity=_DRIVER, change=_a_duration_grows),
    ("results", "laps down as laps"): Mutation(identity=_DRIVER, change=_a_lap_down_more),
    ("results", "three qualifying times"): Mutation(
        identity=_DRIVER, change=_two_times, partition=QUALIFYING
    ),
    ("results", "positions follow qualifying times"): Mutation(
        identity=_DRIVER, change=_the_last_was_fastest, partition=QUALIFYING
    ),
    ("results", "rows as many as usual"): _AS_USUAL,
    ("laps", "drivers known"): _KNOWN,
    ("laps", "laps near results"): _other_results(number_of_laps=lambda laps: laps + 10),
    ("laps", "best time among laps"): _other_results(duration=_later),
    ("laps", "laps dated"): Mutation(identity=("laps_without_start",), change=_no_starts),
    ("laps", "at least one row outside races"): _emptied(QUALIFYING, "results", number_of_laps=0),
    ("laps", "rows where cars drove"): _emptied(QUALIFYING),
    ("laps", "lap numbers contiguous"): Mutation(identity=_LAP, change=_tenth_laps_are_lost),
    ("laps", "meeting as in sessions"): _MEETING,
    ("laps", "meeting known"): _MEETING_KNOWN,
    ("laps", "dated within the session"): _DATED,
    ("laps", "as many laps as in results"): Mutation(
        identity=("laps", "laps_in_results"),
        change=_last_tenths_are_lost,
        companions=frozenset({"lap numbers contiguous"}),
    ),
    ("laps", "drivers with results have laps"): Mutation(
        identity=_DRIVER, change=_a_driver_is_lost
    ),
    ("laps", "drivers with laps have results"): Mutation(
        identity=_DRIVER,
        change=_a_driver_without_a_result,
        partition=QUALIFYING,
        companions=frozenset({"drivers known"}),
    ),
    ("laps", "laps as in results"): Mutation(
        identity=_DRIVER, change=_two_drivers_lose_their_last_laps
    ),
    ("laps", "lap times as race time"): Mutation(identity=_DRIVER, change=_a_second_faster_each),
    ("laps", "sectors and speeds known"): Mutation(
        identity=("column",), change=_no_speed_of_the_first_trap
    ),
    ("laps", "top speed plausible"): Mutation(identity=("fastest",), change=_miles),
    ("laps", "sectors add up"): Mutation(identity=_LAP, change=_sectors_grow),
    ("laps", "speeds plausible"): Mutation(identity=_LAP, change=_early_laps_at_a_walk),
    ("laps", "speeds possible"): Mutation(identity=_LAP, change=_a_lap_at_3000),
    ("laps", "laps start in order"): Mutation(
        identity=_LAP, change=_tenth_laps_start_with_the_ninth
    ),
    ("laps", "fastest lap plausible"): Mutation(
        identity=_LAP,
        change=_the_fastest_lap_takes_fifty_five_seconds,
        companions=frozenset({"laps start in order"}),
    ),
    ("laps", "fastest lap has its point"): Mutation(
        identity=_DRIVER, change=_another_of_the_first_ten_was_faster
    ),
    ("laps", "rows as many as usual"): _AS_USUAL,
    ("stints", "at least one row in sprints"): _emptied(SPRINT, "results", number_of_laps=0),
    ("stints", "rows where cars drove"): _emptied(SPRINT),
    ("stints", "drivers known"): replace(
        _KNOWN, companions=frozenset({"stints follow each other"})
    ),
    ("stints", "meeting as in sessions"): _MEETING,
    ("stints", "meeting known"): _MEETING_KNOWN,
    ("stints", "drivers with results have stints"): Mutation(
        identity=_DRIVER, change=_a_driver_is_lost
    ),
    ("stints", "stint numbers contiguous"): Mutation(identity=_STINT, change=_even_stints),
    ("stints", "stints have laps"): Mutation(identity=_STINT, change=_a_stint_without_laps),
    ("stints", "stints do not overlap"): Mutation(identity=_STINT, change=_a_stint_overlaps),
    ("stints", "stints follow each other"): Mutation(
        identity=_STINT, change=_second_stints_begin_late
    ),
    ("stints", "stints end after they start"): Mutation(
        identity=_STINT, change=_a_last_stint_ends_before_it_starts
    ),
    ("stints", "last stint reaches the last lap"): Mutation(
        identity=_DRIVER, change=_two_last_stints_end_early
    ),
    ("stints", "rows as many as usual"): _AS_USUAL,
    ("pit_stops", "drivers known"): _KNOWN,
    ("pit_stops", "pit lane times agree"): Mutation(
        identity=_LAP, change=_two_times_in_the_lane, partition=RACE_2026
    ),
    ("pit_stops", "at least one row"): _emptied(RACE, "stints", stint_number=1),
    ("pit_stops", "rows where cars drove"): _emptied(RACE),
    ("pit_stops", "stops end stints"): Mutation(
        identity=_LAP,
        change=_stops_on_the_third_lap,
        companions=frozenset({"stints end with stops", "stops in their lap"}),
    ),
    ("pit_stops", "meeting as in sessions"): _MEETING,
    ("pit_stops", "meeting known"): _MEETING_KNOWN,
    ("pit_stops", "dated within the session"): _DATED,
    ("pit_stops", "stops in their lap"): Mutation(identity=_LAP, change=_a_stop_ten_minutes_later),
    ("pit_stops", "pit lane time known"): Mutation(
        identity=_DRIVER, change=_set_first("driver_number", pit_duration=None)
    ),
    ("pit_stops", "stints end with stops"): Mutation(
        identity=_STINT, change=_half_of_the_stops_are_lost
    ),
    ("pit_stops", "rows as many as usual"): _AS_USUAL,
}
"""A mutation for each racing rule, most of them of the simulated Bahrain race of 2024."""
