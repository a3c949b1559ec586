"""One row per session: when and where it takes place.

The calendar entry of the partition itself, as OpenF1 lists it. It is upstream of the other
datasets because it knows the `session_key` by which they are asked.
"""

from f1_bronze.datasets.conditions import AsPartition, Later, Matches, NotNull, OneOf, RowCount
from f1_bronze.datasets.dataset import (
    MEETING_KEY,
    SESSION_KEY,
    Dataset,
    boolean,
    error,
    integer,
    text,
    timestamp,
    warn,
)
from f1_bronze.datasets.shared_rules import MEETING_KNOWN, NO_EMPTY_TEXTS, shape_rules

FIRST_SIMULATED_KEY = 900_000
"""The simulator's session keys begin here; those of OpenF1 stood at about 11,500 in 2026."""
_NAMES = (
    *(f"{kind} {number}" for kind in ("Practice", "Day") for number in (1, 2, 3)),
    *("Qualifying", "Sprint Qualifying", "Sprint Shootout", "Sprint", "Race"),
)


def is_simulated(session_key: int) -> bool:
    """Whether a session is invented by the simulator."""
    return session_key >= FIRST_SIMULATED_KEY


_COLUMNS = (
    SESSION_KEY,
    MEETING_KEY,
    text(
        "session_name",
        "What tells sessions apart: Practice 1, Qualifying, Sprint, Race, Day 1…",
        nullable=False,
    ),
    text(
        "openf1_session_type",
        "OpenF1's coarse type; a Sprint has the type Race. Use session_name.",
        openf1_name="session_type",
    ),
    timestamp("date_start", "Scheduled start.", nullable=False),
    timestamp("date_end", "Scheduled end; the real one can be later.", nullable=False),
    text("gmt_offset", "Local time at the circuit minus UTC.", unit="±HH:MM:SS"),
    integer(
        "openf1_year",
        "Season of the session, as OpenF1 says it.",
        openf1_name="year",
        nullable=False,
    ),
    text("location", "City or area of the circuit."),
    integer("country_key", "OpenF1's identifier of the country."),
    text("country_code", "Country in three letters, as Formula 1 writes it."),
    text("country_name", "Country in English."),
    integer("circuit_key", "OpenF1's identifier of the circuit."),
    text("circuit_short_name", "Common name of the circuit."),
    boolean("is_cancelled", "Whether the session was called off; absent before April 2026."),
)

_RULES = (
    *shape_rules(
        ("session_key",),
        why_repeats="Two partitions with the key of one session would hold the same rows.",
        come_and_go=("is_cancelled",),
        why_come_and_go="is_cancelled came in April 2026; every other field was always there.",
    ),
    error(
        "one row",
        RowCount(at_least=1, at_most=1),
        says="There is exactly one row.",
        promised="at least one row",
        why="A session has one entry in the calendar; a second one would be of another session.",
    ),
    error(
        "session_name not null",
        NotNull("session_name"),
        says="The session has a name.",
        why="The name alone tells a sprint from a race.",
    ),
    warn(
        "session_name known",
        OneOf("session_name", _NAMES),
        says="session_name is one of those that OpenF1 was seen to use.",
        why="A new name is a new kind of session, or one more name for an old kind: someone must "
        "decide which session type it is.",
    ),
    error(
        "season is the partition's",
        AsPartition("openf1_year", "year"),
        says="OpenF1's year is that of the partition.",
        why="Readers prune by the folder; a row of another season would never be found.",
    ),
    error(
        "ends after it starts",
        Later("date_end", "date_start"),
        says="date_end is later than date_start.",
        why="When a session is over, and so when it may be ingested, follows from date_end.",
    ),
    warn(
        "not cancelled",
        OneOf("is_cancelled", (False,)),
        says="is_cancelled is false or absent.",
        why="A cancelled session is no partition; this one was called off after it was stored.",
    ),
    warn(
        "gmt_offset readable",
        Matches("gmt_offset", r"^[+-]?(0\d|1[0-4]):[0-5]\d:[0-5]\d$"),
        says="gmt_offset is written HH:MM:SS, with a sign where it is negative, 14 h at most.",
        why="Local times are computed from it.",
    ),
    warn(
        "circuit_key not null",
        NotNull("circuit_key"),
        says="The circuit is known.",
        why="Fastest laps are compared with others on the same circuit.",
    ),
    error(
        "named as its partition",
        says="session_name is that of the partition's session_type.",
        why="Readers choose by the folder. A session keeps its partition whatever it is called "
        "later, so a calendar that mixes up two sessions shows here.",
    ),
    warn(
        "type as its name",
        says="session_type is Race for a race or sprint, Qualifying for a qualifying of either, "
        "Practice for any other.",
        why="True of every session that was recorded.",
    ),
    warn(
        "place known",
        says="The session has location, circuit_short_name and country_name.",
        why="True of every session that was recorded.",
    ),
    MEETING_KNOWN,
    NO_EMPTY_TEXTS,
    error(
        "starts in its season",
        says="date_start lies in the partition's year.",
        why="Readers prune by the folder. A season, its tests included, has always begun and "
        "ended in one calendar year.",
    ),
    warn(
        "takes its usual time",
        says="It is scheduled for as long as sessions of that type are: a race 1 to 4 h, a sprint "
        "0.4 to 1.5 h, a qualifying 0.7 to 2 h, a sprint qualifying 0.5 to 1.5 h, any other "
        "0.5 to 10.5 h.",
        why="Races are scheduled for 2 h, sprints for 0.5 or 1 h, qualifying for 1 h or 44 min, "
        "a day of testing for up to 9 h.",
    ),
    warn(
        "season is whole",
        says="Every session of the season that has ended by now is stored.",
        why="A hole in a season is seen nowhere else. Reported once a season and run, on its "
        "latest session; the others are not checked.",
    ),
)

SESSIONS = Dataset(
    name="sessions",
    endpoint="sessions",
    description=__doc__,
    critical=True,
    key=("session_key",),
    expected_rows={"": 1},
    fixed=("meeting_key",),
    columns=_COLUMNS,
    rules=_RULES,
)
