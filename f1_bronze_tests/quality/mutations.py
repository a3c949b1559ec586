"""One way to break each rule, and who else may notice.

Belongs here: the changes, by dataset and rule. Stays out: judging and assertions (test_mutations),
rules across rows and datasets, whose changes stand beside their own tests (test_racing).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from f1_bronze.datasets.dataset import Severity

from .fake_lake import Records

Change = Callable[[Records], Records]


@dataclass(frozen=True, kw_only=True)
class Mutation:
    """What is done to one session's answer, or to its stored table, of a dataset.

    Attributes:
        companions: `dataset: rule` of the others that rightly notice.
        severity: that of the finding, where it is not the one that the rule is declared with.
        case: what tells two mutations of one rule apart.
        of: the session that is broken.
    """

    dataset: str
    rule: str
    records: Change | None = None
    table: Callable[[pa.Table], pa.Table] | None = None
    of: str = "2025/belgian/race"
    companions: frozenset[str] = frozenset()
    severity: Severity | None = None
    case: str = ""

    @property
    def name(self) -> str:
        """What a test of it is called."""
        return f"{self.dataset}: {self.rule} ({self.case or self.of})"


def _set(share: float = 0.0, **values: Any) -> Change:
    """Other values in the first row, or in a share of all rows."""

    def change(records: Records) -> Records:
        for record in records[: max(1, round(share * len(records)))]:
            record.update(values)
        return records

    return change


def _last(**values: Any) -> Change:
    """Other values in the last row."""

    def change(records: Records) -> Records:
        records[-1].update(values)
        return records

    return change


def _without(name: str) -> Change:
    """A field that no record has any more."""
    return lambda records: [{k: v for k, v in r.items() if k != name} for r in records]


def _doubled(records: Records) -> Records:
    return [*records, dict(records[-1])]


def _none(records: Records) -> Records:
    return []


def _null(column: str, *, row: int = 0) -> Callable[[pa.Table], pa.Table]:
    """A null that no answer can bring into the lake; the rule is the last line of defence."""

    def change(table: pa.Table) -> pa.Table:
        return _with(table, column, lambda values: values.__setitem__(row, None))

    return change


def _foreign_row(table: pa.Table) -> pa.Table:
    return _with(table, "session_key", lambda values: values.__setitem__(-1, 1))


def _with(table: pa.Table, column: str, edit: Callable[[list[Any]], None]) -> pa.Table:
    place = table.column_names.index(column)
    values = table.column(column).to_pylist()
    edit(values)
    field = table.schema.field(column)
    return table.set_column(place, field, pa.array(values, type=field.type))


def _renamed(column: str) -> Callable[[pa.Table], pa.Table]:
    return lambda table: table.rename_columns(
        [f"{name}_" if name == column else name for name in table.column_names]
    )


def _swapped(table: pa.Table) -> pa.Table:
    names = table.column_names
    return table.select([names[1], names[0], *names[2:]])


def _both(*notices: str) -> frozenset[str]:
    return frozenset(notices)


_GONE = {
    "sessions": "country_code",
    "drivers": "headshot_url",
    "results": "dsq",
    "laps": "segments_sector_3",
    "stints": "tyre_age_at_start",
    "pit_stops": "date",
}
"""A field of each dataset that no other rule needs."""

_GONE_TOO = {
    "stints": frozenset({"stints: tyre age not null"}),
    "results": frozenset({"results: dsq not null"}),
    "pit_stops": frozenset({"pit_stops: date not null"}),
}
"""What else notices that the field is gone."""

_RETYPED = {
    "sessions": {"country_code": 7},
    "drivers": {"headshot_url": ["a"]},
    "results": {"dsq": "no"},
    "laps": {"i2_speed": 280.5},
    "stints": {"tyre_age_at_start": 1.5},
    "pit_stops": {"date": "yesterday"},
}

_TEXTS = {
    "sessions": {"country_key": "36"},
    "drivers": {"meeting_key": "1262"},
    "results": {"number_of_laps": "44"},
    "laps": {"i2_speed": "fast"},
    "stints": {"tyre_age_at_start": "new"},
    "pit_stops": {"stop_duration": "2.4"},
}

_SHAPE = tuple(
    mutation
    for dataset in _GONE
    for mutation in (
        Mutation(dataset=dataset, rule="columns as declared", table=_swapped),
        Mutation(
            dataset=dataset,
            rule="columns as declared",
            table=_renamed(_GONE[dataset]),
            companions=_GONE_TOO.get(dataset, frozenset()),
        ),
        Mutation(dataset=dataset, rule="session_key not null", table=_null("session_key", row=-1)),
        Mutation(dataset=dataset, rule="no new fields", records=_set(sponsor="Acme")),
        Mutation(
            dataset=dataset,
            rule="no fields gone",
            records=_without(_GONE[dataset]),
            companions=_GONE_TOO.get(dataset, frozenset()),
        ),
        Mutation(dataset=dataset, rule="no types changed", records=_set(**_RETYPED[dataset])),
        Mutation(dataset=dataset, rule="numbers are numbers", records=_set(**_TEXTS[dataset])),
    )
) + tuple(
    Mutation(dataset=dataset, rule="one session", table=_foreign_row)
    for dataset in _GONE
    if dataset != "sessions"
)

_SESSIONS = (
    Mutation(dataset="sessions", rule="one row", records=_none),
    Mutation(
        dataset="sessions",
        rule="one session",
        records=lambda records: [*records, {**records[0], "session_key": 1}],
        companions=_both("sessions: one row"),
    ),
    Mutation(
        dataset="sessions",
        rule="keys unique",
        records=_doubled,
        companions=_both("sessions: one row"),
    ),
    Mutation(dataset="sessions", rule="session_name not null", records=_set(session_name=None)),
    Mutation(dataset="sessions", rule="session_name known", records=_set(session_name="Superpole")),
    Mutation(dataset="sessions", rule="season is the partition's", records=_set(year=2024)),
    Mutation(
        dataset="sessions",
        rule="ends after it starts",
        records=_set(date_end="2025-01-01T00:00:00+00:00"),
    ),
    Mutation(
        dataset="sessions",
        rule="not cancelled",
        of="2026/australian/race",
        records=_set(is_cancelled=True),
    ),
    Mutation(dataset="sessions", rule="gmt_offset readable", records=_set(gmt_offset="+3h")),
    Mutation(dataset="sessions", rule="no empty texts", records=_set(country_code="")),
    Mutation(dataset="sessions", rule="circuit_key not null", records=_set(circuit_key=None)),
)

_NOBODY_KNOWS_HIM = _both(
    "results: every driver has a result",
    "results: drivers known",
    "laps: drivers known",
    "stints: drivers known",
    "pit_stops: drivers known",
)

_DRIVERS = (
    Mutation(dataset="drivers", rule="keys unique", records=_doubled),
    Mutation(
        dataset="drivers",
        rule="at least one row",
        records=_none,
    ),
    Mutation(
        dataset="drivers",
        rule="at least one row in practice",
        of="2025/hungarian/practice_1",
        records=_none,
    ),
    Mutation(
        dataset="drivers",
        rule="driver_number not null",
        table=_null("driver_number"),
        companions=_NOBODY_KNOWS_HIM,
    ),
    Mutation(
        dataset="drivers",
        rule="driver_number 1 to 99",
        records=_set(driver_number=0),
        companions=_NOBODY_KNOWS_HIM,
    ),
    Mutation(dataset="drivers", rule="full_name not null", records=_set(full_name=None)),
    Mutation(dataset="drivers", rule="no empty texts", records=_set(first_name="")),
    Mutation(
        dataset="drivers",
        rule="team_name not null in practice",
        of="2025/hungarian/practice_1",
        records=_set(0.3, team_name=None),
    ),
    Mutation(dataset="drivers", rule="name_acronym not null", records=_set(name_acronym=None)),
    Mutation(
        dataset="drivers", rule="name_acronym three capitals", records=_set(name_acronym="Nor")
    ),
    Mutation(
        dataset="drivers",
        rule="team_name not null",
        records=_set(0.3, team_name=None),
        companions=_both("drivers: two cars a team"),
    ),
    Mutation(
        dataset="drivers", rule="team_colour six digits", records=_set(0.3, team_colour="#1F5FA8")
    ),
)

_RESULTS = (
    Mutation(dataset="results", rule="keys unique", records=_doubled),
    Mutation(
        dataset="results",
        rule="at least one row",
        records=_none,
    ),
    Mutation(
        dataset="results",
        rule="at least one row in practice",
        of="2025/hungarian/practice_1",
        records=_none,
    ),
    Mutation(
        dataset="results",
        rule="position not null",
        records=_set(0.3, position=None),
        companions=_both("results: positions without gap", "results: points by the table"),
    ),
    Mutation(
        dataset="results",
        rule="position 1 to 20",
        records=_set(position=21),
        companions=_both("results: gaps grow", "results: positions without gap"),
    ),
    Mutation(
        dataset="results",
        rule="position 1 to 22",
        of="2026/australian/race",
        records=_set(position=23),
        companions=_both("results: gaps grow", "results: positions without gap"),
    ),
    Mutation(
        dataset="results",
        rule="number_of_laps 0 to 250",
        of="2025/hungarian/practice_1",
        records=_last(number_of_laps=-1),
    ),
    Mutation(
        dataset="results",
        rule="position in practice",
        of="2025/hungarian/practice_1",
        records=_set(position=0),
    ),
    Mutation(dataset="results", rule="points not null", records=_last(points=None)),
    Mutation(dataset="results", rule="number_of_laps not null", records=_set(number_of_laps=None)),
    Mutation(
        dataset="results",
        rule="points whole, 0 to 26",
        records=_set(points=12.5),
        companions=_both("results: points by the table"),
    ),
)

_MOSTLY_NULL = tuple(
    Mutation(dataset=dataset, rule=rule, of=of, records=_set(0.6, **{column: None}), severity=worst)
    for dataset, column, rule, of, worst in (
        *(
            ("drivers", column, f"{column} not null", "2025/belgian/race", None)
            for column in ("broadcast_name", "first_name", "last_name", "team_colour")
        ),
        *(
            ("results", column, f"{column} not null", "2025/belgian/race", None)
            for column in ("dnf", "dns", "dsq")
        ),
        *(
            (
                *("results", column, f"{column} not null in practice"),
                *("2025/hungarian/practice_1", Severity.ERROR),
            )
            for column in ("position", "number_of_laps", "duration", "gap_to_leader")
        ),
        ("pit_stops", "date", "date not null", "2025/belgian/race", None),
        (
            *("pit_stops", "lap_number", "lap_number not null in sprints"),
            *("2025/miami/sprint", Severity.ERROR),
        ),
    )
)

_LAPS = (
    Mutation(dataset="laps", rule="keys unique", records=_doubled),
    Mutation(
        dataset="laps",
        rule="at least one row",
        records=_none,
    ),
    Mutation(
        dataset="laps",
        rule="rows where cars drove",
        of="2025/hungarian/qualifying",
        records=_none,
    ),
    Mutation(dataset="laps", rule="is_pit_out_lap not null", records=_set(is_pit_out_lap=None)),
    Mutation(dataset="laps", rule="lap_number 1 to 100", records=_last(lap_number=101)),
    Mutation(
        dataset="laps",
        rule="lap_number 1 to 250",
        of="2025/hungarian/practice_1",
        records=_last(lap_number=251),
    ),
    Mutation(
        dataset="laps",
        rule="lap_duration is a number",
        records=_last(lap_duration="1:33.250"),
    ),
    Mutation(
        dataset="laps",
        rule="lap_duration not null in races",
        records=_set(0.1, lap_duration=None),
    ),
    Mutation(
        dataset="laps",
        rule="lap_duration not null in sprints",
        of="2025/chinese/sprint",
        records=_set(0.2, lap_duration=None),
    ),
    Mutation(
        dataset="laps",
        rule="lap_duration not null in qualifying",
        of="2025/hungarian/qualifying",
        records=_set(0.5, lap_duration=None),
    ),
    Mutation(
        dataset="laps",
        rule="lap_duration not null in practice",
        of="2025/hungarian/practice_1",
        records=_set(0.5, lap_duration=None),
    ),
    Mutation(
        dataset="laps",
        rule="half of the laps timed",
        records=_set(0.6, lap_duration=None),
        companions=_both("laps: lap_duration not null in races"),
    ),
    Mutation(dataset="laps", rule="lap_duration 50 s to 2 h", records=_last(lap_duration=7201.0)),
)

_STINTS = (
    Mutation(dataset="stints", rule="keys unique", records=_doubled),
    Mutation(
        dataset="stints",
        rule="at least one row",
        records=_none,
    ),
    Mutation(
        dataset="stints",
        rule="rows where cars drove",
        of="2025/chinese/sprint",
        records=_none,
    ),
    Mutation(dataset="stints", rule="stint_number 1 to 10", records=_last(stint_number=11)),
    Mutation(dataset="stints", rule="tyre age possible", records=_set(tyre_age_at_start=-1)),
    Mutation(dataset="stints", rule="compound not null", records=_set(compound=None)),
    Mutation(
        dataset="stints",
        rule="compound not null from 2026",
        of="2026/australian/race",
        records=_set(0.4, compound=None),
    ),
    Mutation(
        dataset="stints",
        rule="no empty texts",
        of="2026/australian/race",
        records=_set(compound=" "),
    ),
    Mutation(dataset="stints", rule="tyre age not null", records=_set(0.4, tyre_age_at_start=None)),
    Mutation(dataset="stints", rule="compound a known tyre", records=_set(0.3, compound="UNKNOWN")),
    Mutation(dataset="stints", rule="compound a known word", records=_set(compound="HYPERSOFT")),
)

_PIT_STOPS = (
    Mutation(dataset="pit_stops", rule="keys unique", records=_doubled),
    Mutation(
        dataset="pit_stops",
        rule="rows where cars drove",
        records=_none,
    ),
    Mutation(
        dataset="pit_stops",
        rule="pit lane time known",
        of="2026/australian/race",
        records=_set(0.3, pit_duration=None, lane_duration=None),
    ),
    Mutation(
        dataset="pit_stops",
        rule="stop_duration 0 s to 2 h",
        of="2026/australian/race",
        records=_set(stop_duration=-2.4),
    ),
    *(
        mutation
        for column, of in (
            ("pit_duration", "2025/belgian/race"),
            ("lane_duration", "2026/australian/race"),
        )
        for mutation in (
            Mutation(
                dataset="pit_stops",
                rule=f"{column} is a number",
                of=of,
                records=_set(**{column: "22.4"}),
            ),
            Mutation(
                dataset="pit_stops",
                rule=f"{column} 1 s to 2 h",
                of=of,
                records=_set(**{column: -22.4}),
            ),
            Mutation(
                dataset="pit_stops",
                rule=f"{column} 1 to 60 s",
                of=of,
                records=_set(0.9, **{column: 61.0}),
            ),
        )
    ),
)


def _unusable(
    dataset: str,
    rule: str,
    case: str,
    records: Change,
    *companions: str,
    of: str = "2025/belgian/race",
) -> Mutation:
    """A defect of so many rows that the partition must not be used."""
    return Mutation(
        dataset=dataset,
        rule=rule,
        case=case,
        records=records,
        of=of,
        companions=frozenset(companions),
        severity=Severity.ERROR,
    )


def _each(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Change:
    """The change of every row."""
    return lambda records: [{**record, **change(record)} for record in records]


def _a_day_later(name: str) -> Change:
    def later(record: dict[str, Any]) -> dict[str, Any]:
        moment = record[name]
        if moment is None:
            return {}
        return {name: (datetime.fromisoformat(moment) + timedelta(days=1)).isoformat()}

    return _each(later)


def _only_the_winner_has_points(records: Records) -> Records:
    return [{**r, "points": r["points"] if r["position"] == 1 else 0.0} for r in records]


_OF_QUALIFYING = "2025/hungarian/qualifying"

_UNUSABLE = (
    _unusable("drivers", "full_name not null", "all null", _set(1.0, full_name=None)),
    _unusable("drivers", "full_name not null", "all empty", _set(1.0, full_name="")),
    _unusable("drivers", "name_acronym not null", "all null", _set(1.0, name_acronym=None)),
    _unusable(
        "drivers",
        "name_acronym three capitals",
        "all small",
        _set(1.0, name_acronym="nor"),
        "drivers: acronyms differ",
    ),
    _unusable("drivers", "team_name not null", "all null", _set(1.0, team_name=None)),
    _unusable("drivers", "team_colour six digits", "all with #", _set(1.0, team_colour="#1F5FA8")),
    _unusable("results", "points not null", "all null", _set(1.0, points=None)),
    _unusable(
        "results",
        "position not null",
        "all null",
        _set(1.0, position=None, dnf=False, dns=False, dsq=False),
        "results: points by the table",
    ),
    _unusable(
        "results",
        "points add up",
        "the winner's alone",
        _only_the_winner_has_points,
        "results: points by the table",
    ),
    _unusable(
        "results",
        "numbers are numbers",
        "points as text",
        _each(lambda record: {"points": str(record["points"])}),
    ),
    _unusable(
        "results",
        "three qualifying times",
        "best time alone",
        _each(lambda record: {"duration": 90.5}),
        of=_OF_QUALIFYING,
    ),
    _unusable(
        "laps",
        "lap_duration 50 s to 2 h",
        "milliseconds",
        _each(lambda r: {"lap_duration": r["lap_duration"] and 1000 * r["lap_duration"]}),
    ),
    _unusable("laps", "speeds plausible", "all 0", _set(1.0, i1_speed=0, i2_speed=0, st_speed=0)),
    _unusable(
        "laps",
        "sectors add up",
        "one sector in milliseconds",
        _each(lambda r: {"duration_sector_2": r["duration_sector_2"] and 30_000.0}),
    ),
    _unusable("laps", "dated within the session", "a day later", _a_day_later("date_start")),
    _unusable(
        "laps",
        "as many laps as in results",
        "every second lap is gone",
        lambda records: [r for r in records if r["lap_number"] % 2 == 0],
        "laps: lap numbers contiguous",
        "laps: laps as in results",
        "laps: rows as many as usual",
    ),
    _unusable(
        "laps",
        "as many laps as in results",
        "the first half is gone",
        lambda records: [r for r in records if r["lap_number"] > 24],
        "laps: lap numbers contiguous",
        "laps: drivers with results have laps",
        "laps: rows as many as usual",
    ),
    _unusable(
        "laps",
        "drivers known",
        "others",
        _each(lambda record: {"driver_number": (record["driver_number"] + 50) % 100}),
        "laps: drivers with results have laps",
        "laps: laps as in results",
        "stints: last stint reaches the last lap",
    ),
    _unusable("stints", "compound not null", "all null", _set(1.0, compound=None)),
    _unusable("stints", "compound a known tyre", "all unknown", _set(1.0, compound="UNKNOWN")),
    _unusable("stints", "stints have laps", "all null", _set(1.0, lap_start=None)),
    _unusable("stints", "tyre age possible", "all negative", _set(1.0, tyre_age_at_start=-3)),
    _unusable("pit_stops", "pit lane time known", "all null", _set(1.0, pit_duration=None)),
    _unusable("pit_stops", "dated within the session", "a day later", _a_day_later("date")),
    _unusable(
        "pit_stops",
        "stops end stints",
        "five laps later",
        _each(lambda r: {"lap_number": r["lap_number"] and r["lap_number"] + 5}),
        "pit_stops: stints end with stops",
        "pit_stops: stops in their lap",
    ),
)
"""Defects of the kind that was only a warning once: all or most of the rows are wrong."""

MUTATIONS = (
    *_UNUSABLE,
    *_SHAPE,
    *_MOSTLY_NULL,
    *_SESSIONS,
    *_DRIVERS,
    *_RESULTS,
    *_LAPS,
    *_STINTS,
    *_PIT_STOPS,
)
