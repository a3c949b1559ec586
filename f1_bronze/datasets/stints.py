"""One row per driver and stint of a race or sprint: which tyres, from lap to lap.

A stint is the running on one set of tyres. Upstream's stints sometimes overlap or end before
they start; they are stored as they came.
"""

from f1_bronze.datasets.conditions import Between, NotNull, OneOf
from f1_bronze.datasets.dataset import (
    DRIVER_NUMBER,
    MEETING_KEY,
    RACE,
    RACE_TYPES,
    SESSION_KEY,
    SPRINT,
    Dataset,
    Scope,
    Severity,
    integer,
    text,
    warn,
)
from f1_bronze.datasets.shared_rules import (
    DRIVERS_KNOWN,
    MEETING_AS_IN_SESSIONS,
    MEETING_KNOWN,
    NO_EMPTY_TEXTS,
    at_least_one_row,
    rows_as_usual,
    rows_where_cars_drove,
    shape_rules,
)

_COMPOUNDS = ("SOFT", "MEDIUM", "HARD", "INTERMEDIATE", "WET")

_COLUMNS = (
    SESSION_KEY,
    DRIVER_NUMBER,
    integer(
        "stint_number",
        "Number of the stint in this session for this driver, from 1.",
        nullable=False,
    ),
    MEETING_KEY,
    integer("lap_start", "First lap of the stint.", unit="lap"),
    integer("lap_end", "Last lap of the stint.", unit="lap"),
    text("compound", "SOFT, MEDIUM, HARD, INTERMEDIATE or WET; also UNKNOWN, TEST_UNKNOWN, null."),
    integer(
        "tyre_age_at_start", "Laps already driven on the set when the stint began.", unit="laps"
    ),
)

_RULES = (
    *shape_rules(("session_key", "driver_number", "stint_number")),
    at_least_one_row(
        "Every car that starts has a stint, unless the race was cancelled and is not marked "
        "as such.",
        severity=Severity.ERROR,
        scope=Scope(RACE),
    ),
    at_least_one_row(
        "Nobody may have driven, or results are not stored: nothing says that it is wrong.",
        where="in sprints",
        scope=Scope(SPRINT),
        compared=True,
    ),
    rows_where_cars_drove(
        "There are rows where results count laps.",
        "A driver with laps in results has a stint: true of 88 of 88 races and sprints.",
        Scope(SPRINT),
    ),
    warn(
        "stint_number 1 to 10",
        Between("stint_number", 1, 10),
        usable_from=0.5,
        promised="stint_number 1–10",
        why="5 was the most in 2024; a race of rain and red flags could have more than 10 and be "
        "right, so it is no ERROR.",
    ),
    warn(
        "compound not null",
        NotNull("compound"),
        usable_from=0.25,
        scope=Scope(RACE_TYPES, last_year=2025),
        says="Every stint has a compound.",
        promised="compound not null",
        why="True of all 1,469 stints of 2024.",
    ),
    warn(
        "compound not null from 2026",
        NotNull("compound"),
        mostly=0.75,
        usable_from=0.25,
        scope=Scope(RACE_TYPES, first_year=2026),
        says="At least three stints in four have a compound.",
        promised="compound not null",
        why="4 % have none in 2026; in a sprint of some twenty stints that can be four.",
    ),
    warn(
        "compound a known tyre",
        OneOf("compound", _COMPOUNDS),
        mostly=0.85,
        usable_from=0.25,
        says=f"compound is {', '.join(_COMPOUNDS[:-1])} or {_COMPOUNDS[-1]}.",
        promised="compound one of SOFT, MEDIUM, HARD, INTERMEDIATE, WET",
        why="Of 100 stints one or two are UNKNOWN or TEST_UNKNOWN.",
    ),
    warn(
        "compound a known word",
        OneOf("compound", (*_COMPOUNDS, "UNKNOWN", "TEST_UNKNOWN")),
        usable_from=0.5,
        says="compound is one of the words that upstream was seen to use.",
        why="A new word is a new tyre or a new spelling: someone must map it.",
    ),
    warn(
        "stints have laps",
        usable_from=0.5,
        says="Every stint has lap_start and lap_end, unless its driver drove no lap; one lap_end "
        "may be missing.",
        why="Cars that did not start or retired at once have stints without laps: 4 of 43 in "
        "Monaco in 2024, and no others in all of that season.",
    ),
    warn(
        "tyre age possible",
        Between("tyre_age_at_start", 0, 50),
        usable_from=0.5,
        says="tyre_age_at_start is from 0 to 50 laps.",
        why="0 to 28 were seen in 1,469 stints of 2024, negative ages in none of 28,021 rows.",
    ),
    warn(
        "tyre age not null",
        NotNull("tyre_age_at_start"),
        mostly=0.75,
        usable_from=0.25,
        says="At least three stints in four have a tyre age.",
        why="True of all 1,469 stints of 2024; upstream loses it together with the compound.",
    ),
    DRIVERS_KNOWN,
    NO_EMPTY_TEXTS,
    MEETING_KNOWN,
    MEETING_AS_IN_SESSIONS,
    warn(
        "drivers with results have stints",
        usable_from=0.6,
        says="A driver with number_of_laps in results has a stint.",
        why="True of every driver of 88 races and sprints.",
    ),
    warn(
        "stint numbers contiguous",
        usable_from=0.5,
        says="The stints of a driver are 1, 2, 3, … where their laps follow each other.",
        why="True of all 598 drivers of 30 races and sprints.",
    ),
    warn(
        "stints do not overlap",
        usable_from=0.5,
        says="No stint begins before the last lap of the one before.",
        why="True of 88 races and sprints; sharing one lap is another rule's.",
    ),
    warn(
        "stints follow each other",
        usable_from=0.5,
        says="A driver's first stint begins on lap 1, each next one after the one before or on "
        "its last lap.",
        why="In some older races the lap into the pits counts to both stints: 12 % of rows, all "
        "of them in three of thirty sessions of 2024. A gap is a stint that is missing or off.",
    ),
    warn(
        "stints end after they start",
        usable_from=0.5,
        says="lap_end is not before lap_start.",
        why="10 of 28,021 rows break it; such a stint has no length, and laps counted by tyre "
        "mislead.",
    ),
    warn(
        "last stint reaches the last lap",
        usable_from=0.5,
        says="The stints of each driver end on the last lap in laps, give or take one.",
        why="Exact for 455 of 465 drivers, one lap off for the rest. Upstream loses stints for a "
        "while, 43 of 70 in one session.",
    ),
    rows_as_usual("One stint more than stops for each driver."),
)

STINTS = Dataset(
    name="stints",
    endpoint="stints",
    description=__doc__,
    critical=False,
    session_types=RACE_TYPES,
    key=("session_key", "driver_number", "stint_number"),
    expected_rows={"": 100},
    columns=_COLUMNS,
    rules=_RULES,
)
