"""Single defects to plant in real and invented sessions, and the rules that should notice each.

A plant is one cause: what is done to one session's answer of one dataset. It counts as noticed if
one of its rules fails as severely as it should and no rule fails that is not about it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any

from f1_bronze.datasets.dataset import (
    CLASSIFIED_TYPES,
    QUALIFYING_TYPES,
    RACE,
    RACE_TYPES,
    Severity,
)

from .fake_lake import Records

Record = dict[str, Any]
Change = Callable[[Records, Records, Random], Records | None]
"""The session's records, another session's of the same type, chance; None where it cannot be."""

ERROR, WARN = Severity.ERROR, Severity.WARN


@dataclass(frozen=True, kw_only=True)
class Plant:
    """One defect.

    Attributes:
        rules: those that should notice, of its own dataset unless written `dataset: rule`.
        related: those that may fail as well, since they are about the same rows.
        severity: that of the worst finding, at least.
        types: the session types in which it is planted.
        last_year: the last season in which it is a defect.
        dated: whether laps must have a start.
        swapped_with: the session type of the same meeting that `change` gets as the other session.
    """

    dataset: str
    what: str
    change: Change
    rules: tuple[str, ...]
    related: tuple[str, ...] = ()
    severity: Severity = WARN
    types: frozenset[str] = CLASSIFIED_TYPES
    last_year: int = 9999
    dated: bool = False
    swapped_with: str = ""

    @property
    def name(self) -> str:
        """What a test of it is called."""
        return f"{self.dataset}: {self.what}"

    def full_names(self, rules: tuple[str, ...]) -> frozenset[str]:
        """The rules with their datasets."""
        return frozenset(rule if ": " in rule else f"{self.dataset}: {rule}" for rule in rules)


def one(choose: Callable[[Record], bool] = lambda _: True, **values: Any) -> Change:
    """Other values in one row of those chosen; a function gets the row."""

    def change(records: Records, other: Records, rng: Random) -> Records | None:
        rows = [record for record in records if choose(record)]
        if not rows:
            return None
        _set(rng.choice(rows), values)
        return records

    return change


def every(**values: Any) -> Change:
    """Other values in all rows."""

    def change(records: Records, other: Records, rng: Random) -> Records | None:
        for record in records:
            _set(record, values)
        return records

    return change


def _set(record: Record, values: dict[str, Any]) -> None:
    record.update({n: v(record) if callable(v) else v for n, v in values.items()})


def _times(name: str, factor: float) -> Callable[[Record], Any]:
    return lambda record: None if record[name] is None else record[name] * factor


def _plus(name: str, more: float) -> Callable[[Record], Any]:
    return lambda record: None if record[name] is None else record[name] + more


def _moved(name: str, by: timedelta) -> Callable[[Record], Any]:
    def later(record: Record) -> Any:
        moment = record[name]
        return moment and (datetime.fromisoformat(moment) + by).isoformat()

    return later


def has(*names: str) -> Callable[[Record], bool]:
    """Rows that have these values."""
    return lambda record: all(record.get(name) is not None for name in names)


def without(choose: Callable[[Record], bool]) -> Change:
    """All but these rows."""
    return lambda records, other, rng: [r for r in records if not choose(r)]


def without_driver(records: Records, other: Records, rng: Random) -> Records | None:
    """All but one driver's rows."""
    number = rng.choice(records)["driver_number"]
    return [record for record in records if record["driver_number"] != number]


def without_one(choose: Callable[[Record], bool] = lambda _: True) -> Change:
    """All but one of these rows."""

    def change(records: Records, other: Records, rng: Random) -> Records | None:
        rows = [record for record in records if choose(record)]
        if not rows:
            return None
        records.remove(rng.choice(rows))
        return records

    return change


def half(records: Records, other: Records, rng: Random) -> Records:
    """Every second row."""
    return records[::2]


def nothing(records: Records, other: Records, rng: Random) -> Records:
    """No rows."""
    return []


def doubled(records: Records, other: Records, rng: Random) -> Records:
    """One row twice."""
    return [*records, dict(rng.choice(records))]


def all_doubled(records: Records, other: Records, rng: Random) -> Records:
    """Every row twice."""
    return [*records, *(dict(record) for record in records)]


def gone(name: str) -> Change:
    """A field that no row has any more."""
    return lambda records, other, rng: [{k: v for k, v in r.items() if k != name} for r in records]


def of_another_session(records: Records, other: Records, rng: Random) -> Records | None:
    """The rows of another session under this one's keys."""
    keys = {name: records[0][name] for name in ("session_key", "meeting_key")}
    return [{**record, **keys} for record in other] if other and records else None


def exchanged(*names: str, within: Callable[[Record], bool] = lambda _: True) -> Change:
    """The values of two neighbouring rows exchanged, by position where there is one."""

    def change(records: Records, other: Records, rng: Random) -> Records | None:
        rows = [record for record in records if within(record)]
        rows.sort(key=lambda record: record.get("position") or 0)
        pairs = [(a, b) for a, b in pairwise(rows) if all(a[name] != b[name] for name in names)]
        if not pairs:
            return None
        first, second = rng.choice(pairs)
        for name in names:
            first[name], second[name] = second[name], first[name]
        return records

    return change


def stints_of_one(change_rows: Callable[[Records], None]) -> Change:
    """A change of the stints of one driver who had at least two."""

    def change(records: Records, other: Records, rng: Random) -> Records | None:
        by_driver: dict[int, Records] = {}
        for record in sorted(records, key=lambda record: record["stint_number"]):
            if record["lap_start"] is not None and record["lap_end"] is not None:
                by_driver.setdefault(record["driver_number"], []).append(record)
        several = [rows for rows in by_driver.values() if len(rows) > 1]
        several = [rows for rows in several if all(r["lap_end"] - r["lap_start"] > 7 for r in rows)]
        if not several:
            return None
        change_rows(rng.choice(several))
        return records

    return change


def a_stint(place: int, **values: Any) -> Change:
    """Other values in the first (0), second (1) or last (-1) stint of a driver."""
    return stints_of_one(lambda rows: _set(rows[place], values))


def laps_of_one(choose: Callable[[Record, int], bool]) -> Change:
    """Without those laps of one driver who drove at least twenty; by row and last lap."""

    def change(records: Records, other: Records, rng: Random) -> Records | None:
        last: dict[int, int] = {}
        for record in records:
            number = record["driver_number"]
            last[number] = max(last.get(number, 0), record["lap_number"])
        long = [number for number, lap in last.items() if lap >= 20]
        if not long:
            return None
        chosen = rng.choice(long)
        return [
            record
            for record in records
            if record["driver_number"] != chosen or not choose(record, last[chosen])
        ]

    return change


def one_acronym_for_two(records: Records, other: Records, rng: Random) -> Records:
    """Two drivers with one acronym."""
    first, second = rng.sample(records, 2)
    first["name_acronym"] = second["name_acronym"]
    return records


def placed(record: Record) -> bool:
    """Whether a result has a position."""
    return record["position"] is not None


def scoring(record: Record) -> bool:
    """Whether a result has points."""
    return bool(record["points"])


def gap_in_seconds(record: Record) -> bool:
    """Whether a result has a gap in seconds and is not the winner's."""
    return isinstance(record["gap_to_leader"], int | float) and record["gap_to_leader"] > 0


def timed(record: Record) -> bool:
    """Whether a lap has all its times."""
    return has("lap_duration", "duration_sector_1", "duration_sector_2", "duration_sector_3")(
        record
    )


_POINTS = ("points by the table", "points add up", "laps: fastest lap has its point")
_PLACES = ("positions unique", "positions without gap", "gaps grow", "points by the table")
_DRIVERS_OF_ALL = (
    "results: drivers known",
    "results: every driver has a result",
    "laps: drivers known",
    "stints: drivers known",
    "pit_stops: drivers known",
    "two cars a team",
    "as many drivers as cars",
    "rows as many as usual",
)
_LAPS_OF_RACE = (
    "lap numbers contiguous",
    "as many laps as in results",
    "laps as in results",
    "drivers with results have laps",
    "rows as many as usual",
    "fastest lap has its point",
    "stints: last stint reaches the last lap",
)
_STINTS_AND_STOPS = (
    "stints follow each other",
    "stints do not overlap",
    "stints end after they start",
    "last stint reaches the last lap",
    "pit_stops: stints end with stops",
    "pit_stops: stops end stints",
)
_STOPS = ("stints end with stops", "stops end stints", "rows as many as usual")
_ANY_RESULTS = (
    *_PLACES,
    *_POINTS,
    "winner has no gap",
    "gaps as durations",
    "laps down as laps",
    "drivers known",
    "every driver has a result",
    "laps: lap times as race time",
    "laps: laps as in results",
    "laps: as many laps as in results",
    "laps: drivers with results have laps",
    "stints: drivers with results have stints",
    "stints: stints have laps",
)
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_SHAPE = ("numbers are numbers", "no types changed")

_SESSIONS = (
    *tuple(
        Plant(
            dataset="sessions",
            what=what,
            change=every(**values),
            rules=rules,
            severity=severity,
            types=RACE,
        )
        for what, values, rules, severity in (
            (
                "ends before it starts",
                {"date_end": _moved("date_start", -_HOUR)},
                ("ends after it starts",),
                ERROR,
            ),
            (
                "another year's start",
                {"date_start": _moved("date_start", -365 * _DAY)},
                ("starts in its season",),
                ERROR,
            ),
            (
                "lasts half a day",
                {"date_end": _moved("date_start", 12 * _HOUR)},
                ("takes its usual time",),
                WARN,
            ),
            (
                "a week later",
                {
                    "date_start": _moved("date_start", 7 * _DAY),
                    "date_end": _moved("date_end", 7 * _DAY),
                },
                ("laps: dated within the session", "pit_stops: dated within the session"),
                ERROR,
            ),
            ("year of another season", {"year": 2019}, ("season is the partition's",), ERROR),
            ("no name", {"session_name": None}, ("session_name not null",), ERROR),
            ("an unknown name", {"session_name": "Superpole"}, ("session_name known",), WARN),
            (
                "another session's name",
                {"session_name": "Practice 2"},
                ("named as its partition",),
                ERROR,
            ),
            ("another type", {"session_type": "Practice"}, ("type as its name",), WARN),
            ("cancelled", {"is_cancelled": True}, ("not cancelled",), WARN),
            ("offset in hours", {"gmt_offset": "3"}, ("gmt_offset readable",), WARN),
            ("offset of a day", {"gmt_offset": "25:00:00"}, ("gmt_offset readable",), WARN),
            ("no circuit", {"circuit_key": None}, ("circuit_key not null",), WARN),
            ("circuit as text", {"circuit_key": "63"}, ("numbers are numbers",), ERROR),
            ("no location", {"location": None}, ("place known",), WARN),
            ("empty country", {"country_name": ""}, ("no empty texts", "place known"), WARN),
            ("no meeting", {"meeting_key": None}, ("meeting known",), WARN),
            ("a new field", {"sponsor": "Acme"}, ("no new fields",), WARN),
        )
    ),
    Plant(
        dataset="sessions",
        what="a field is gone",
        change=gone("country_code"),
        rules=("no fields gone",),
    ),
    Plant(
        dataset="sessions",
        what="twice",
        change=doubled,
        rules=("one row", "keys unique"),
        severity=ERROR,
    ),
    Plant(dataset="sessions", what="empty", change=nothing, rules=("one row",), severity=ERROR),
)

_DRIVERS = (
    *tuple(
        Plant(
            dataset="drivers",
            what=what,
            change=change,
            rules=rules,
            related=_DRIVERS_OF_ALL,
            severity=severity,
        )
        for what, change, rules, severity in (
            ("one without a name", one(full_name=None), ("full_name not null",), WARN),
            (
                "one with an empty name",
                one(full_name=""),
                ("no empty texts", "full_name not null"),
                WARN,
            ),
            ("all without a name", every(full_name=None), ("full_name not null",), ERROR),
            ("one without an acronym", one(name_acronym=None), ("name_acronym not null",), WARN),
            (
                "one acronym in small letters",
                one(name_acronym=lambda r: r["name_acronym"].lower()),
                ("name_acronym three capitals",),
                WARN,
            ),
            (
                "all acronyms of four letters",
                every(name_acronym="ABCD"),
                ("name_acronym three capitals", "acronyms differ"),
                ERROR,
            ),
            (
                "two with one acronym",
                one_acronym_for_two,
                ("acronyms differ",),
                WARN,
            ),
            ("one without a team", one(team_name=None), ("team_name not null",), WARN),
            (
                "one with an empty team",
                one(team_name=" "),
                ("no empty texts", "team_name not null"),
                WARN,
            ),
            ("all without a team", every(team_name=None), ("team_name not null",), ERROR),
            ("one in another team", one(team_name="Acme"), ("two cars a team",), WARN),
            ("one colour with #", one(team_colour="#112233"), ("team_colour six digits",), WARN),
            ("all colours as names", every(team_colour="red"), ("team_colour six digits",), ERROR),
            ("number 0", one(driver_number=0), ("driver_number 1 to 99",), ERROR),
            ("number 100", one(driver_number=100), ("driver_number 1 to 99",), ERROR),
            ("negative number", one(driver_number=-4), ("driver_number 1 to 99",), ERROR),
            ("meeting as text", one(meeting_key="1229"), ("numbers are numbers",), ERROR),
            ("no meeting", one(meeting_key=None), ("meeting known",), WARN),
            ("another meeting", one(meeting_key=7), ("meeting as in sessions",), ERROR),
            ("one twice", doubled, ("keys unique",), WARN),
            ("half of them", half, ("as many drivers as cars", "rows as many as usual"), ERROR),
            ("empty", nothing, ("at least one row",), ERROR),
            ("a new field", every(helmet="red"), ("no new fields",), WARN),
            ("a field is gone", gone("last_name"), ("no fields gone",), WARN),
            ("a list for a text", one(first_name=["A"]), ("no types changed",), WARN),
        )
    ),
    Plant(
        dataset="drivers",
        what="one is missing",
        change=without_one(),
        rules=("results: drivers known",),
        related=_DRIVERS_OF_ALL,
    ),
)

_RACE_RESULTS = (
    *tuple(
        Plant(
            dataset="results",
            what=what,
            change=change,
            rules=rules,
            related=related,
            severity=severity,
            types=RACE_TYPES,
        )
        for what, change, rules, related, severity in (
            ("one wrong points", one(scoring, points=11.0), _POINTS, (), WARN),
            ("points of two exchanged", exchanged("points", within=scoring), _POINTS, (), WARN),
            (
                "one without points",
                one(points=None),
                ("points not null",),
                ("points by the table",),
                WARN,
            ),
            ("all without points", every(points=None), ("points not null",), (), ERROR),
            (
                "all points 0",
                every(points=0.0),
                ("points add up", "points by the table"),
                _POINTS,
                ERROR,
            ),
            (
                "only the winner has points",
                every(points=lambda r: r["points"] if r["position"] == 1 else 0.0),
                ("points add up",),
                _POINTS,
                ERROR,
            ),
            (
                "points as text",
                every(points=lambda r: str(r["points"])),
                ("numbers are numbers",),
                (),
                ERROR,
            ),
            (
                "one points as text",
                one(scoring, points="10"),
                ("numbers are numbers",),
                ("points not null", *_POINTS),
                ERROR,
            ),
            ("negative points", one(points=-1.0), ("points whole, 0 to 26",), _POINTS, ERROR),
            ("half points", one(scoring, points=12.5), ("points whole, 0 to 26",), _POINTS, ERROR),
            (
                "all points doubled",
                every(points=_times("points", 2)),
                ("points whole, 0 to 26", "points add up"),
                _POINTS,
                ERROR,
            ),
            ("positions of two exchanged", exchanged("position", within=placed), _PLACES, (), WARN),
            (
                "two in one position",
                one(lambda r: r["position"] == 5, position=4),
                ("positions unique",),
                _PLACES,
                ERROR,
            ),
            (
                "one placed has no position",
                one(lambda r: r["position"] in (3, 5, 8), position=None),
                ("positions without gap", "position not null"),
                ("points by the table",),
                WARN,
            ),
            (
                "nobody has a position",
                every(position=None),
                ("position not null", "positions without gap"),
                _POINTS,
                ERROR,
            ),
            (
                "position 0",
                one(lambda r: r["position"] == 1, position=0),
                ("position 1 to 20", "position 1 to 22"),
                (*_PLACES, *_POINTS),
                ERROR,
            ),
            (
                "position 45",
                one(lambda r: r["position"] == 9, position=45),
                ("position 1 to 20", "position 1 to 22"),
                (*_PLACES, *_POINTS),
                ERROR,
            ),
            (
                "positions from 2 on",
                every(position=_plus("position", 1)),
                ("positions without gap",),
                ("position 1 to 20", "position 1 to 22", *_POINTS, "winner has no gap"),
                WARN,
            ),
            (
                "one gap wrong",
                one(gap_in_seconds, gap_to_leader=_plus("gap_to_leader", 60.0)),
                ("gaps as durations",),
                (),
                WARN,
            ),
            (
                "one gap as text",
                one(gap_in_seconds, gap_to_leader="12.5 s"),
                ("times known",),
                (),
                WARN,
            ),
            (
                "one gap is gone",
                one(gap_in_seconds, gap_to_leader=None),
                ("times known",),
                (),
                WARN,
            ),
            ("all gaps are gone", every(gap_to_leader=None), ("times known",), (), ERROR),
            (
                "gaps in milliseconds",
                every(
                    gap_to_leader=lambda r: (
                        r["gap_to_leader"] * 1000
                        if isinstance(r["gap_to_leader"], int | float)
                        else r["gap_to_leader"]
                    )
                ),
                ("gaps as durations",),
                (),
                ERROR,
            ),
            (
                "the winner has a gap",
                one(lambda r: r["position"] == 1, gap_to_leader=0.5),
                ("winner has no gap", "gaps as durations"),
                (),
                WARN,
            ),
            (
                "one duration wrong",
                one(gap_in_seconds, duration=_plus("duration", 60.0)),
                ("gaps as durations",),
                ("laps: lap times as race time",),
                WARN,
            ),
            (
                "one duration is gone",
                one(gap_in_seconds, duration=None),
                ("times known",),
                (),
                WARN,
            ),
            ("durations are gone", every(duration=None), ("times known",), (), ERROR),
            (
                "durations in milliseconds",
                every(duration=_times("duration", 1000)),
                ("gaps as durations", "winning time plausible"),
                (),
                ERROR,
            ),
            (
                "the winner took a second",
                one(lambda r: r["position"] == 1, duration=0.526),
                ("winning time plausible",),
                ("gaps as durations",),
                WARN,
            ),
            (
                "a lap fewer than on the lead lap",
                one(gap_in_seconds, number_of_laps=_plus("number_of_laps", -5)),
                ("laps down as laps",),
                ("laps: laps as in results",),
                WARN,
            ),
            (
                "one without laps",
                one(number_of_laps=None),
                ("number_of_laps not null",),
                ("stints: stints have laps",),
                WARN,
            ),
            (
                "nobody has laps",
                every(number_of_laps=None),
                ("number_of_laps not null",),
                ("stints: stints have laps",),
                ERROR,
            ),
            (
                "laps as text",
                one(number_of_laps="57"),
                ("numbers are numbers",),
                ("number_of_laps not null",),
                ERROR,
            ),
            (
                "negative laps",
                one(gap_in_seconds, number_of_laps=-3),
                ("laps down as laps", "laps: laps as in results"),
                ("laps: laps as in results", "laps: lap times as race time"),
                WARN,
            ),
            ("a finisher retired", one(gap_in_seconds, dnf=True), ("flags as results",), (), WARN),
            ("everybody retired", every(dnf=True), ("flags as results",), (), WARN),
            (
                "a finisher did not start",
                one(gap_in_seconds, dns=True),
                ("flags as results",),
                (),
                WARN,
            ),
            ("one placed is disqualified", one(placed, dsq=True), ("flags as results",), (), WARN),
            ("a flag as text", one(dsq="no"), ("no types changed",), (), WARN),
            (
                "one driver is missing",
                without_one(placed),
                ("every driver has a result",),
                (*_PLACES, *_POINTS, "laps: drivers known"),
                WARN,
            ),
            (
                "half of them",
                half,
                ("every driver has a result", "rows as many as usual"),
                (*_ANY_RESULTS, "rows as many as usual"),
                WARN,
            ),
            ("empty", nothing, ("at least one row",), (), ERROR),
            (
                "one twice",
                doubled,
                ("keys unique",),
                (*_ANY_RESULTS, "rows as many as usual"),
                ERROR,
            ),
            (
                "all twice",
                all_doubled,
                ("keys unique",),
                (*_ANY_RESULTS, "rows as many as usual", "laps: fastest lap has its point"),
                ERROR,
            ),
            (
                "an unknown driver",
                one(driver_number=97),
                ("drivers known",),
                (
                    "every driver has a result",
                    "laps: drivers with results have laps",
                    "stints: drivers with results have stints",
                    "laps: fastest lap has its point",
                    "stints: stints have laps",
                ),
                WARN,
            ),
            ("another meeting", one(meeting_key=7), ("meeting as in sessions",), (), ERROR),
            ("no meeting", every(meeting_key=None), ("meeting known",), (), ERROR),
            ("points are gone", gone("points"), ("points not null",), ("no fields gone",), ERROR),
        )
    ),
    Plant(
        dataset="results",
        what="another race's",
        change=of_another_session,
        rules=("laps: lap times as race time", "laps: laps as in results"),
        related=_ANY_RESULTS,
        severity=ERROR,
        types=RACE,
    ),
)


def _times_of(record: Record) -> list[Any]:
    duration: list[Any] = record["duration"]
    return duration


_QUALIFYING_RESULTS = tuple(
    Plant(
        dataset="results",
        what=f"{what} in qualifying",
        change=change,
        rules=rules,
        related=related,
        severity=severity,
        types=QUALIFYING_TYPES,
    )
    for what, change, rules, related, severity in (
        (
            "positions of two exchanged",
            exchanged("position", within=placed),
            ("positions follow qualifying times",),
            (),
            WARN,
        ),
        (
            "times of two exchanged",
            exchanged("duration", within=placed),
            ("positions follow qualifying times",),
            (),
            WARN,
        ),
        ("one best time alone", one(placed, duration=90.1), ("three qualifying times",), (), WARN),
        ("best times alone", every(duration=90.1), ("three qualifying times",), (), ERROR),
        (
            "two times",
            one(placed, duration=lambda r: _times_of(r)[:2]),
            ("three qualifying times",),
            (),
            WARN,
        ),
        (
            "times in milliseconds",
            every(duration=lambda r: [t and t * 1000 for t in _times_of(r)]),
            ("three qualifying times",),
            (),
            ERROR,
        ),
        (
            "a time as text",
            one(placed, duration=lambda r: ["1:30.1", *_times_of(r)[1:]]),
            ("three qualifying times",),
            (),
            WARN,
        ),
        ("durations are gone", every(duration=None), ("times known",), (), ERROR),
        ("one duration is gone", one(placed, duration=None), ("times known",), (), WARN),
        ("one gap is gone", one(placed, gap_to_leader=None), ("times known",), (), WARN),
        (
            "one placed has no position",
            one(lambda r: r["position"] in (3, 8), position=None),
            ("positions without gap",),
            (),
            WARN,
        ),
        ("nobody has a position", every(position=None), ("position not null",), (), ERROR),
        (
            "position 50",
            one(placed, position=50),
            ("position 1 to 20", "position 1 to 22"),
            ("positions without gap", "positions follow qualifying times"),
            ERROR,
        ),
        ("empty", nothing, ("at least one row",), (), ERROR),
        ("one twice", doubled, ("keys unique",), ("rows as many as usual",), ERROR),
        (
            "laps as text",
            one(number_of_laps="17"),
            ("numbers are numbers",),
            ("number_of_laps not null",),
            ERROR,
        ),
        (
            "half of them",
            half,
            ("positions without gap", "rows as many as usual"),
            ("laps: drivers with laps have results", "rows as many as usual"),
            WARN,
        ),
    )
)

_LAPS = tuple(
    Plant(
        dataset="laps",
        what=what,
        change=change,
        rules=rules,
        related=related,
        severity=severity,
        types=RACE,
    )
    for what, change, rules, related, severity in (
        (
            "one ten times as long",
            one(timed, lap_duration=_times("lap_duration", 10)),
            ("sectors add up",),
            ("fastest lap has its point",),
            WARN,
        ),
        (
            "one in milliseconds",
            one(has("lap_duration"), lap_duration=_times("lap_duration", 1000)),
            ("lap_duration 50 s to 2 h",),
            ("fastest lap has its point",),
            WARN,
        ),
        (
            "all in milliseconds",
            every(lap_duration=_times("lap_duration", 1000)),
            ("lap_duration 50 s to 2 h",),
            (),
            ERROR,
        ),
        (
            "all in minutes",
            every(lap_duration=_times("lap_duration", 1 / 60)),
            ("lap_duration 50 s to 2 h",),
            (),
            ERROR,
        ),
        (
            "one negative",
            one(has("lap_duration"), lap_duration=_times("lap_duration", -1)),
            ("lap_duration 50 s to 2 h",),
            ("fastest lap has its point",),
            WARN,
        ),
        (
            "one of zero",
            one(has("lap_duration"), lap_duration=0.0),
            ("lap_duration 50 s to 2 h",),
            ("fastest lap has its point",),
            WARN,
        ),
        (
            "one as text",
            one(has("lap_duration"), lap_duration="1:33.250"),
            ("lap_duration is a number",),
            ("fastest lap has its point",),
            ERROR,
        ),
        (
            "all as text",
            every(lap_duration=lambda r: str(r["lap_duration"])),
            ("lap_duration is a number",),
            ("half of the laps timed", "lap_duration not null in races"),
            ERROR,
        ),
        (
            "all untimed",
            every(lap_duration=None),
            ("half of the laps timed",),
            ("lap_duration not null in races",),
            ERROR,
        ),
        (
            "a tenth untimed",
            lambda records, other, rng: [
                {**r, "lap_duration": None} if n % 10 == 0 else r for n, r in enumerate(records)
            ],
            ("lap_duration not null in races",),
            ("fastest lap has its point",),
            WARN,
        ),
        (
            "all half as long",
            every(lap_duration=_times("lap_duration", 0.5)),
            ("sectors add up", "lap_duration 50 s to 2 h"),
            ("fastest lap plausible", "lap_duration 50 s to 2 h"),
            ERROR,
        ),
        (
            "one sector a second longer",
            one(timed, duration_sector_2=_plus("duration_sector_2", 1.5)),
            ("sectors add up",),
            (),
            WARN,
        ),
        (
            "one sector negative",
            one(timed, duration_sector_2=_times("duration_sector_2", -1)),
            ("sectors add up",),
            (),
            WARN,
        ),
        (
            "a sector in milliseconds",
            every(duration_sector_1=_times("duration_sector_1", 1000)),
            ("sectors add up",),
            (),
            ERROR,
        ),
        (
            "a sector unknown",
            every(duration_sector_3=None),
            ("sectors and speeds known",),
            (),
            WARN,
        ),
        (
            "a sector as text",
            one(timed, duration_sector_1="30.1"),
            ("numbers are numbers",),
            (),
            ERROR,
        ),
        (
            "lap 0",
            one(lambda r: r["lap_number"] == 1, lap_number=0),
            ("lap_number 1 to 100",),
            (*_LAPS_OF_RACE, "laps start in order"),
            ERROR,
        ),
        (
            "lap 400",
            one(lap_number=400),
            ("lap_number 1 to 100",),
            (*_LAPS_OF_RACE, "laps start in order"),
            ERROR,
        ),
        (
            "negative lap",
            one(lap_number=-2),
            ("lap_number 1 to 100",),
            (*_LAPS_OF_RACE, "laps start in order"),
            ERROR,
        ),
        (
            "three of a driver's laps are missing",
            laps_of_one(lambda r, last: 8 <= r["lap_number"] <= 10),
            ("lap numbers contiguous",),
            ("fastest lap has its point",),
            WARN,
        ),
        (
            "a driver's last lap is missing",
            laps_of_one(lambda r, last: r["lap_number"] >= last - 1),
            ("laps as in results",),
            ("fastest lap has its point", "stints: last stint reaches the last lap"),
            WARN,
        ),
        (
            "a driver's first half is missing",
            laps_of_one(lambda r, last: r["lap_number"] <= last / 2),
            ("lap numbers contiguous",),
            ("fastest lap has its point",),
            WARN,
        ),
        (
            "every second is missing",
            without(lambda r: r["lap_number"] % 2 == 1),
            ("as many laps as in results",),
            _LAPS_OF_RACE,
            ERROR,
        ),
        (
            "the first half is missing",
            without(lambda r: r["lap_number"] < 30),
            ("as many laps as in results",),
            _LAPS_OF_RACE,
            ERROR,
        ),
        (
            "a driver is missing",
            laps_of_one(lambda r, last: True),
            ("drivers with results have laps",),
            ("fastest lap has its point",),
            WARN,
        ),
        ("empty", nothing, ("at least one row",), (), ERROR),
        ("one twice", doubled, ("keys unique",), (), ERROR),
        ("all twice", all_doubled, ("keys unique",), ("rows as many as usual",), ERROR),
        (
            "an unknown driver's lap",
            one(driver_number=97),
            ("drivers known",),
            (*_LAPS_OF_RACE,),
            WARN,
        ),
        ("one speed of 0", one(has("i2_speed"), i2_speed=0), ("speeds plausible",), (), WARN),
        (
            "one negative speed",
            one(has("i2_speed"), i2_speed=-280),
            ("speeds plausible",),
            (),
            WARN,
        ),
        ("one speed of 3,000", one(has("i2_speed"), i2_speed=3000), ("speeds possible",), (), WARN),
        (
            "speeds in miles",
            every(
                i1_speed=lambda r: r["i1_speed"] and round(r["i1_speed"] / 1.609),
                i2_speed=lambda r: r["i2_speed"] and round(r["i2_speed"] / 1.609),
                st_speed=lambda r: r["st_speed"] and round(r["st_speed"] / 1.609),
            ),
            ("top speed plausible",),
            (),
            ERROR,
        ),
        ("a speed unknown", every(i2_speed=None), ("sectors and speeds known",), (), WARN),
        (
            "a speed as text",
            one(has("st_speed"), st_speed="fast"),
            ("numbers are numbers",),
            (),
            ERROR,
        ),
        ("out-laps unknown", every(is_pit_out_lap=None), ("is_pit_out_lap not null",), (), ERROR),
        ("another meeting", one(meeting_key=7), ("meeting as in sessions",), (), ERROR),
        (
            "another race's",
            of_another_session,
            ("laps as in results", "lap times as race time", "dated within the session"),
            (
                *_LAPS_OF_RACE,
                "lap times as race time",
                "fastest lap plausible",
                "fastest lap has its point",
                "drivers known",
                "pit_stops: stops in their lap",
                "dated within the session",
            ),
            WARN,
        ),
        (
            "drivers of two exchanged",
            lambda records, other, rng: [
                {
                    **r,
                    "driver_number": {
                        records[0]["driver_number"]: records[-1]["driver_number"],
                        records[-1]["driver_number"]: records[0]["driver_number"],
                    }.get(r["driver_number"], r["driver_number"]),
                }
                for r in records
            ],
            ("lap times as race time", "laps as in results"),
            (
                "laps as in results",
                "lap times as race time",
                "fastest lap has its point",
                "stints: last stint reaches the last lap",
            ),
            WARN,
        ),
    )
) + tuple(
    Plant(
        dataset="laps",
        what=what,
        change=change,
        rules=rules,
        related=related,
        severity=severity,
        types=RACE,
        dated=True,
    )
    for what, change, rules, related, severity in (
        (
            "one starts a day later",
            one(has("date_start"), date_start=_moved("date_start", _DAY)),
            ("dated within the session",),
            ("laps start in order",),
            ERROR,
        ),
        (
            "one starts ten minutes later",
            one(has("date_start"), date_start=_moved("date_start", timedelta(minutes=10))),
            ("laps start in order",),
            ("pit_stops: stops in their lap",),
            WARN,
        ),
        (
            "all start a day later",
            every(date_start=_moved("date_start", _DAY)),
            ("dated within the session",),
            (),
            ERROR,
        ),
        (
            "all start five hours earlier",
            every(date_start=_moved("date_start", -5 * _HOUR)),
            ("dated within the session",),
            ("pit_stops: stops in their lap",),
            ERROR,
        ),
        (
            "one starts yesterday",
            one(has("date_start"), date_start="yesterday"),
            ("no types changed",),
            (),
            WARN,
        ),
        (
            "one lap is missing",
            laps_of_one(lambda r, last: r["lap_number"] == 9 and r["date_start"] is not None),
            ("lap numbers contiguous",),
            ("fastest lap has its point",),
            WARN,
        ),
    )
)

_STINTS = (
    *tuple(
        Plant(
            dataset="stints",
            what=what,
            change=change,
            rules=rules,
            related=related,
            severity=severity,
            types=RACE_TYPES,
        )
        for what, change, rules, related, severity in (
            (
                "one compound empty",
                one(compound=""),
                ("no empty texts",),
                ("compound not null",),
                WARN,
            ),
            (
                "one compound in small letters",
                one(compound=lambda r: (r["compound"] or "soft").lower()),
                ("compound a known word",),
                (),
                WARN,
            ),
            ("a new compound", one(compound="HYPERSOFT"), ("compound a known word",), (), WARN),
            (
                "all compounds unknown",
                every(compound="UNKNOWN"),
                ("compound a known tyre",),
                (),
                ERROR,
            ),
            (
                "no compounds",
                every(compound=None),
                ("compound not null", "compound not null from 2026"),
                (),
                ERROR,
            ),
            (
                "all compounds empty",
                every(compound=""),
                ("compound not null", "compound not null from 2026"),
                (),
                ERROR,
            ),
            (
                "stint 0",
                one(lambda r: r["stint_number"] == 1, stint_number=0),
                ("stint_number 1 to 10",),
                (),
                WARN,
            ),
            (
                "stint 40",
                one(lambda r: r["stint_number"] > 1, stint_number=40),
                ("stint_number 1 to 10",),
                _STINTS_AND_STOPS,
                WARN,
            ),
            (
                "one ends six laps early",
                a_stint(0, lap_end=_plus("lap_end", -6)),
                ("stints follow each other",),
                _STINTS_AND_STOPS,
                WARN,
            ),
            (
                "one six laps off",
                a_stint(1, lap_start=_plus("lap_start", 6), lap_end=_plus("lap_end", 6)),
                ("stints follow each other", "last stint reaches the last lap"),
                _STINTS_AND_STOPS,
                WARN,
            ),
            (
                "one begins three laps early",
                a_stint(1, lap_start=_plus("lap_start", -3)),
                ("stints do not overlap",),
                _STINTS_AND_STOPS,
                WARN,
            ),
            (
                "one ends before it starts",
                a_stint(-1, lap_end=lambda r: r["lap_start"] - 1),
                ("stints end after they start",),
                _STINTS_AND_STOPS,
                WARN,
            ),
            (
                "the last ends ten laps early",
                a_stint(-1, lap_end=_plus("lap_end", -5)),
                ("last stint reaches the last lap",),
                _STINTS_AND_STOPS,
                WARN,
            ),
            (
                "the first begins on lap 4",
                a_stint(0, lap_start=4),
                ("stints follow each other",),
                (),
                WARN,
            ),
            (
                "one without a start",
                a_stint(1, lap_start=None),
                ("stints have laps",),
                _STINTS_AND_STOPS,
                WARN,
            ),
            (
                "all without laps",
                every(lap_start=None, lap_end=None),
                ("stints have laps",),
                _STINTS_AND_STOPS,
                ERROR,
            ),
            ("negative age", one(tyre_age_at_start=-2), ("tyre age possible",), (), WARN),
            ("age 60", one(tyre_age_at_start=60), ("tyre age possible",), (), WARN),
            ("age as text", one(tyre_age_at_start="new"), ("numbers are numbers",), (), ERROR),
            ("ages unknown", every(tyre_age_at_start=None), ("tyre age not null",), (), ERROR),
            (
                "a lap as text",
                a_stint(0, lap_end="12"),
                ("numbers are numbers",),
                (*_STINTS_AND_STOPS, "stints have laps"),
                ERROR,
            ),
            (
                "a first is missing",
                lambda records, other, rng: a_missing_stint(records, rng, 0),
                ("stints follow each other",),
                _STINTS_AND_STOPS,
                WARN,
            ),
            (
                "a last is missing",
                lambda records, other, rng: a_missing_stint(records, rng, -1),
                ("last stint reaches the last lap",),
                _STINTS_AND_STOPS,
                WARN,
            ),
            (
                "a driver is missing",
                without_driver,
                ("drivers with results have stints",),
                ("pit_stops: stops end stints",),
                WARN,
            ),
            (
                "half are missing",
                half,
                ("stints follow each other", "drivers with results have stints"),
                (*_STINTS_AND_STOPS, "drivers with results have stints", "rows as many as usual"),
                WARN,
            ),
            ("one twice", doubled, ("keys unique",), _STINTS_AND_STOPS, ERROR),
            (
                "an unknown driver",
                one(driver_number=97),
                ("drivers known",),
                (*_STINTS_AND_STOPS, "drivers with results have stints"),
                WARN,
            ),
            (
                "another race's",
                of_another_session,
                ("last stint reaches the last lap", "pit_stops: stops end stints"),
                (
                    *_STINTS_AND_STOPS,
                    "drivers with results have stints",
                    "drivers known",
                    "stints have laps",
                ),
                WARN,
            ),
            ("another meeting", one(meeting_key=7), ("meeting as in sessions",), (), ERROR),
        )
    ),
    Plant(
        dataset="stints",
        what="one compound unknown until 2025",
        last_year=2025,
        change=one(compound=None),
        rules=("compound not null",),
    ),
    Plant(
        dataset="stints",
        what="empty",
        change=nothing,
        rules=("at least one row",),
        severity=ERROR,
        types=RACE,
    ),
    Plant(
        dataset="stints",
        what="empty in a sprint",
        change=nothing,
        rules=("rows where cars drove",),
        severity=ERROR,
        types=RACE_TYPES - RACE,
    ),
)


def a_missing_stint(records: Records, rng: Random, place: int) -> Records | None:
    """Without the first or last stint of a driver who had several."""
    gone_rows: Records = []
    if stints_of_one(lambda rows: gone_rows.append(rows[place]))(records, [], rng) is None:
        return None
    return [record for record in records if record is not gone_rows[0]]


_PIT_STOPS = tuple(
    Plant(
        dataset="pit_stops",
        what=what,
        change=change,
        rules=rules,
        related=related,
        severity=severity,
        types=RACE,
    )
    for what, change, rules, related, severity in (
        (
            "one without a time",
            one(has("lap_number"), pit_duration=None, lane_duration=None),
            ("pit lane time known",),
            ("no fields gone",),
            WARN,
        ),
        (
            "all without a time",
            every(pit_duration=None, lane_duration=None),
            ("pit lane time known",),
            (),
            ERROR,
        ),
        (
            "a negative time",
            one(has("pit_duration"), pit_duration=-22.0),
            ("pit_duration 1 s to 2 h",),
            (),
            ERROR,
        ),
        (
            "times in milliseconds",
            every(pit_duration=_times("pit_duration", 1000)),
            ("pit_duration 1 s to 2 h",),
            ("pit_duration 1 to 60 s",),
            ERROR,
        ),
        (
            "a time as text",
            one(has("pit_duration"), pit_duration="22.4"),
            ("pit_duration is a number",),
            (),
            ERROR,
        ),
        ("all times too long", every(pit_duration=300.0), ("pit_duration 1 to 60 s",), (), ERROR),
        (
            "one five laps off",
            one(lambda r: (r["lap_number"] or 0) > 10, lap_number=_plus("lap_number", -5)),
            ("stints end with stops",),
            (*_STOPS, "stops in their lap"),
            WARN,
        ),
        (
            "all five laps off",
            every(lap_number=_plus("lap_number", 5)),
            ("stops end stints",),
            (*_STOPS, "stops in their lap"),
            ERROR,
        ),
        (
            "one is missing",
            without_one(lambda r: (r["lap_number"] or 0) > 1),
            ("stints end with stops",),
            (),
            WARN,
        ),
        ("half are missing", half, ("stints end with stops",), _STOPS, WARN),
        ("empty", nothing, ("rows where cars drove",), (), ERROR),
        ("one twice", doubled, ("keys unique",), (), WARN),
        (
            "one a day later",
            one(date=_moved("date", _DAY)),
            ("dated within the session",),
            ("stops in their lap",),
            ERROR,
        ),
        (
            "all a day later",
            every(date=_moved("date", _DAY)),
            ("dated within the session",),
            ("stops in their lap",),
            ERROR,
        ),
        ("an unknown driver", one(driver_number=97), ("drivers known",), _STOPS, WARN),
        (
            "another race's",
            of_another_session,
            ("dated within the session",),
            (*_STOPS, "stops in their lap", "drivers known"),
            ERROR,
        ),
        ("another meeting", one(meeting_key=7), ("meeting as in sessions",), (), ERROR),
        (
            "a lap as text",
            one(has("lap_number"), lap_number="12"),
            ("numbers are numbers",),
            _STOPS,
            ERROR,
        ),
        (
            "negative standstill",
            one(stop_duration=-2.4),
            ("stop_duration 0 s to 2 h",),
            ("no fields gone",),
            WARN,
        ),
    )
)


def numbers_rotated(records: Records, other: Records, rng: Random) -> Records:
    """Each driver's rows under the number of the next one."""
    numbers = sorted({record["driver_number"] for record in records})
    following = dict(zip(numbers, [*numbers[1:], numbers[0]], strict=True))
    return [{**r, "driver_number": following[r["driver_number"]]} for r in records]


def second_half(records: Records, other: Records, rng: Random) -> Records:
    """Without the first half of the rows."""
    return records[len(records) // 2 :]


_PRACTICE = frozenset({"practice_1", "practice_2"})
_NOT_RACED = (
    (_PRACTICE, "in practice", "lap_duration not null in practice"),
    (
        frozenset({"sprint_qualifying"}),
        "in sprint qualifying",
        "lap_duration not null in qualifying",
    ),
    (frozenset({"qualifying"}), "in qualifying", "lap_duration not null in qualifying"),
)
_LAPS_AND_RESULTS = (
    "laps: best time among laps",
    "laps: laps near results",
    "laps: drivers with results have laps",
    "laps: drivers with laps have results",
)
_LAPS_LOST = (*_LAPS_AND_RESULTS, "lap numbers contiguous", "rows as many as usual")

_OUTSIDE_RACES = tuple(
    Plant(
        dataset=dataset,
        what=f"{what}, {where}",
        change=change,
        rules=rules if "{}" not in rules[0] else (untimed,),
        related=related,
        severity=severity,
        types=types,
    )
    for types, where, untimed in _NOT_RACED
    for dataset, what, change, rules, related, severity in (
        (
            *("laps", "all in milliseconds"),
            every(lap_duration=_times("lap_duration", 1000)),
            ("lap_duration 50 s to 2 h",),
            (),
            ERROR,
        ),
        ("laps", "all untimed", every(lap_duration=None), ("{}",), (), ERROR),
        (
            *("laps", "one as text"),
            one(has("lap_duration"), lap_duration="1:32.5"),
            ("lap_duration is a number",),
            ("best time among laps",),
            ERROR,
        ),
        ("laps", "every second", half, ("laps near results",), _LAPS_LOST, ERROR),
        ("laps", "the first half gone", second_half, ("laps near results",), _LAPS_LOST, ERROR),
        (
            *("laps", "a driver gone", without_driver),
            ("drivers with results have laps",),
            ("rows as many as usual",),
            WARN,
        ),
        ("laps", "empty", nothing, ("rows where cars drove",), (), ERROR),
        ("laps", "all twice", all_doubled, ("keys unique",), ("rows as many as usual",), ERROR),
        ("laps", "another meeting", one(meeting_key=7), ("meeting as in sessions",), (), ERROR),
        ("laps", "numbers rotated", numbers_rotated, ("best time among laps",), _LAPS_LOST, ERROR),
        ("laps", "no starts", every(date_start=None), ("laps dated",), (), ERROR),
        (
            *("laps", "another session's", of_another_session),
            ("dated within the session",),
            (*_LAPS_LOST, "drivers known", "fastest lap plausible", "laps start in order"),
            ERROR,
        ),
        (
            *("results", "another session's", of_another_session),
            ("laps: best time among laps",),
            (*_LAPS_AND_RESULTS, "drivers known"),
            ERROR,
        ),
        (
            *("results", "numbers rotated", numbers_rotated),
            ("laps: best time among laps",),
            (*_LAPS_AND_RESULTS, "positions follow qualifying times"),
            ERROR,
        ),
        (
            *("results", "the first half gone", second_half),
            ("laps: drivers with laps have results",),
            ("positions without gap",),
            ERROR,
        ),
        ("results", "all twice", all_doubled, ("keys unique",), ("rows as many as usual",), ERROR),
        (
            "results",
            "negative laps",
            one(has("number_of_laps"), number_of_laps=-7),
            ("number_of_laps 0 to 250",),
            ("laps: laps near results",),
            WARN,
        ),
        ("results", "no flags", every(dsq=None), ("dsq not null",), (), WARN),
        (
            "results",
            "a text in laps",
            one(number_of_laps="twelve"),
            ("numbers are numbers",),
            ("number_of_laps not null",),
            ERROR,
        ),
        ("drivers", "names rotated", numbers_rotated, ("numbers as in the season",), (), ERROR),
        ("drivers", "all twice", all_doubled, ("keys unique",), ("rows as many as usual",), ERROR),
        ("drivers", "no colours", every(team_colour=None), ("team_colour not null",), (), WARN),
        (
            "drivers",
            "another meeting",
            every(meeting_key=7),
            ("meeting as in sessions",),
            (),
            ERROR,
        ),
    )
) + tuple(
    Plant(
        dataset="results",
        what=f"{column} unknown in practice",
        change=every(**{column: None}),
        rules=(f"{column} not null in practice",),
        severity=ERROR,
        types=_PRACTICE,
    )
    for column in ("position", "number_of_laps", "duration")
)

_SWAPPED = tuple(
    Plant(
        dataset=dataset,
        what=f"those of {other} in {own}",
        change=of_another_session,
        rules=rules,
        related=related,
        severity=ERROR,
        types=frozenset({own}),
        swapped_with=other,
    )
    for dataset, own, other, rules, related in (
        ("results", "qualifying", "sprint_qualifying", _LAPS_AND_RESULTS[:1], _LAPS_AND_RESULTS),
        ("results", "sprint_qualifying", "qualifying", _LAPS_AND_RESULTS[:1], _LAPS_AND_RESULTS),
        (
            *("results", "practice_1", "practice_2"),
            _LAPS_AND_RESULTS[:1],
            (*_LAPS_AND_RESULTS, "drivers known"),
        ),
        (
            *("results", "sprint", "race"),
            ("points by the table",),
            (
                *("points add up", "laps: laps as in results", "laps: as many laps as in results"),
                *("laps: lap times as race time", "laps: drivers with results have laps"),
                "stints: drivers with results have stints",
            ),
        ),
        (
            *("stints", "sprint", "race"),
            ("last stint reaches the last lap",),
            (*_STINTS_AND_STOPS, "drivers with results have stints", "rows as many as usual"),
        ),
        (
            *("laps", "sprint_qualifying", "qualifying"),
            ("dated within the session",),
            (*_LAPS_LOST, "fastest lap plausible"),
        ),
    )
)

_IN_SPRINTS = (
    Plant(
        dataset="pit_stops",
        what="no dates in sprints",
        change=every(date=None),
        rules=("date not null",),
        severity=ERROR,
        types=RACE_TYPES - RACE,
    ),
    Plant(
        dataset="pit_stops",
        what="no laps in sprints",
        change=every(lap_number=None),
        rules=("lap_number not null in sprints",),
        related=("keys unique",),
        severity=ERROR,
        types=RACE_TYPES - RACE,
    ),
    Plant(
        dataset="stints",
        what="numbers doubled",
        change=every(stint_number=_times("stint_number", 2)),
        rules=("stint numbers contiguous",),
        severity=ERROR,
        types=RACE_TYPES,
    ),
    Plant(
        dataset="laps",
        what="all in milliseconds in sprints",
        change=every(lap_duration=_times("lap_duration", 1000)),
        rules=("lap_duration 50 s to 2 h",),
        severity=ERROR,
        types=RACE_TYPES - RACE,
    ),
    Plant(
        dataset="laps",
        what="every second in sprints",
        change=half,
        rules=("as many laps as in results",),
        related=("lap numbers contiguous", "laps as in results", "rows as many as usual"),
        severity=ERROR,
        types=RACE_TYPES - RACE,
    ),
    Plant(
        dataset="laps",
        what="empty in sprints",
        change=nothing,
        rules=("rows where cars drove",),
        severity=ERROR,
        types=RACE_TYPES - RACE,
    ),
)

PLANTS = (
    *_SESSIONS,
    *_DRIVERS,
    *_RACE_RESULTS,
    *_QUALIFYING_RESULTS,
    *_LAPS,
    *_STINTS,
    *_PIT_STOPS,
    *_OUTSIDE_RACES,
    *_SWAPPED,
    *_IN_SPRINTS,
)
