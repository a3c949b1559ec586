"""One row per session: when and where it takes place.

The calendar entry of the partition itself, as OpenF1 lists it. It is upstream of the other
datasets because it knows the `session_key` by which they are asked.
"""

from f1_bronze.datasets.conditions import (
    Across,
    AsPartition,
    Later,
    Matches,
    NotNull,
    OneOf,
    RowCount,
)
from f1_bronze.datasets.dataset import (
    MEETING_KEY,
    SESSION_KEY,
    Check,
    Column,
    ColumnType,
    Dataset,
    Rule,
    Severity,
)
from f1_bronze.datasets.shared_rules import shape_rules

_RULES = (
    *shape_rules(
        ("session_key",),
        why_repeats="Two partitions with the key of one session would hold the same rows.",
        come_and_go=("is_cancelled",),
        why_come_and_go="is_cancelled came in April 2026; every other field was always there.",
    ),
    Rule(
        name="one row",
        check=Check.SCHEMA,
        severity=Severity.ERROR,
        condition=RowCount(at_least=1, at_most=1),
        says="There is exactly one row.",
        promised="at least one row",
        why="A session has one entry in the calendar; a second one would be of another session.",
    ),
    Rule(
        name="session_name not null",
        check=Check.VALUES,
        severity=Severity.ERROR,
        condition=NotNull(column="session_name"),
        says="The session has a name.",
        why="The name alone tells a sprint from a race.",
    ),
    Rule(
        name="season is the partition's",
        check=Check.VALUES,
        severity=Severity.ERROR,
        condition=AsPartition(column="openf1_year", folder="year"),
        says="OpenF1's year is that of the partition.",
        why="Readers prune by the folder; a row of another season would never be found.",
    ),
    Rule(
        name="ends after it starts",
        check=Check.VALUES,
        severity=Severity.ERROR,
        condition=Later(column="date_end", than="date_start"),
        says="date_end is later than date_start.",
        why="When a session is over, and so when it may be ingested, follows from date_end.",
    ),
    Rule(
        name="not cancelled",
        check=Check.VALUES,
        severity=Severity.WARN,
        condition=OneOf(column="is_cancelled", values=(False,)),
        says="is_cancelled is false or absent.",
        why="A cancelled session is no partition; this one was called off after it had landed.",
    ),
    Rule(
        name="gmt_offset readable",
        check=Check.VALUES,
        severity=Severity.WARN,
        condition=Matches(column="gmt_offset", pattern=r"^[+-]?\d{2}:\d{2}:\d{2}$"),
        says="gmt_offset is written HH:MM:SS, with a sign where it is negative.",
        why="Local times are computed from it.",
    ),
    Rule(
        name="circuit_key not null",
        check=Check.VALUES,
        severity=Severity.WARN,
        condition=NotNull(column="circuit_key"),
        says="The circuit is known.",
        why="Fastest laps are held against others on the same circuit.",
    ),
)

_RACING = (
    Rule(
        name="starts in its season",
        check=Check.RACING,
        severity=Severity.ERROR,
        condition=Across(),
        says="date_start lies in the partition's year.",
        why="Readers prune by the folder. A season, its tests included, has always begun and "
        "ended in one calendar year.",
    ),
    Rule(
        name="takes its usual time",
        check=Check.RACING,
        severity=Severity.WARN,
        condition=Across(),
        says="It is scheduled for as long as sessions of that type are: a race 1 to 4 h, a sprint "
        "0.4 to 1.5 h, a qualifying 0.7 to 2 h, a sprint qualifying 0.5 to 1.5 h, any other "
        "0.5 to 10.5 h.",
        why="Races are scheduled for 2 h, sprints for 0.5 or 1 h, qualifying for 1 h or 44 min, "
        "a day of testing for up to 9 h.",
    ),
    Rule(
        name="season is whole",
        check=Check.RACING,
        severity=Severity.WARN,
        condition=Across(),
        says="Every session of the season that has ended by now has landed.",
        why="A hole in a season is seen nowhere else. Told once a season and run, on its latest "
        "session; the others are not judged.",
    ),
)

SESSIONS = Dataset(
    name="sessions",
    endpoint="sessions",
    description=__doc__,
    critical=True,
    key=("session_key",),
    expected_rows={"": 1},
    columns=(
        SESSION_KEY,
        MEETING_KEY,
        Column(
            name="session_name",
            type=ColumnType.TEXT,
            nullable=False,
            meaning="What tells sessions apart: Practice 1, Qualifying, Sprint, Race, Day 1…",
        ),
        Column(
            name="openf1_session_type",
            openf1_name="session_type",
            type=ColumnType.TEXT,
            meaning="OpenF1's coarse type; a Sprint has the type Race. Use session_name.",
        ),
        Column(
            name="date_start",
            type=ColumnType.TIMESTAMP,
            nullable=False,
            unit="UTC",
            meaning="Scheduled start.",
        ),
        Column(
            name="date_end",
            type=ColumnType.TIMESTAMP,
            nullable=False,
            unit="UTC",
            meaning="Scheduled end; the real one can be later.",
        ),
        Column(
            name="gmt_offset",
            type=ColumnType.TEXT,
            unit="±HH:MM:SS",
            meaning="Local time at the circuit minus UTC.",
        ),
        Column(
            name="openf1_year",
            openf1_name="year",
            type=ColumnType.INTEGER,
            nullable=False,
            meaning="Season of the session, as OpenF1 says it.",
        ),
        Column(name="location", type=ColumnType.TEXT, meaning="City or area of the circuit."),
        Column(
            name="country_key",
            type=ColumnType.INTEGER,
            meaning="OpenF1's identifier of the country.",
        ),
        Column(
            name="country_code",
            type=ColumnType.TEXT,
            meaning="Country in three letters, as Formula 1 writes it.",
        ),
        Column(name="country_name", type=ColumnType.TEXT, meaning="Country in English."),
        Column(
            name="circuit_key",
            type=ColumnType.INTEGER,
            meaning="OpenF1's identifier of the circuit.",
        ),
        Column(
            name="circuit_short_name", type=ColumnType.TEXT, meaning="Common name of the circuit."
        ),
        Column(
            name="is_cancelled",
            type=ColumnType.BOOLEAN,
            meaning="Whether the session was called off; absent before April 2026.",
        ),
    ),
    rules=(*_RULES, *_RACING),
)
