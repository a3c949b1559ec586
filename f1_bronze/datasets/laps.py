"""One row per driver and lap: times, speeds and mini-sectors.

A lap without a time is common in practice and qualifying (in and out laps), and under a red
flag a lap can last most of an hour: neither is an error.
"""

from f1_bronze.datasets.conditions import Across, Between, NotNull, TypeIs
from f1_bronze.datasets.dataset import (
    CLASSIFIED_TYPES,
    DRIVER_NUMBER,
    MEETING_KEY,
    PRACTICE_TYPES,
    RACE_TYPES,
    SESSION_KEY,
    Check,
    Column,
    ColumnType,
    Dataset,
    Rule,
    Scope,
    Severity,
)
from f1_bronze.datasets.shared_rules import (
    DRIVERS_KNOWN,
    at_least_one_row,
    rows_as_usual,
    shape_rules,
)

_SECTORS = tuple(
    Column(
        name=f"duration_sector_{n}",
        type=ColumnType.FLOAT,
        unit="s",
        meaning=f"Time through sector {n}.",
    )
    for n in (1, 2, 3)
)

_SEGMENTS = tuple(
    Column(
        name=f"segments_sector_{n}",
        type=ColumnType.INTEGERS,
        unit="code",
        meaning=(
            f"Mini-sectors of sector {n}: 2048 yellow, 2049 green, 2051 purple, 2064 pit lane; "
            "0 and null are not available."
        ),
    )
    for n in (1, 2, 3)
)

_RULES = (
    *shape_rules(("session_key", "driver_number", "lap_number")),
    at_least_one_row(
        "No race without laps, unless it was cancelled and is not marked as such.",
        scope=Scope(session_types=frozenset({"race"})),
    ),
    at_least_one_row(
        "A practice can be called off on the day: nobody drives, and nothing is wrong.",
        where="outside races",
        scope=Scope(session_types=(CLASSIFIED_TYPES | PRACTICE_TYPES) - {"race"}),
    ),
    Rule(
        name="lap_number 1 to 100",
        check=Check.VALUES,
        severity=Severity.ERROR,
        condition=Between(column="lap_number", low=1, high=100),
        scope=Scope(session_types=CLASSIFIED_TYPES),
        says="lap_number is from 1 to 100.",
        promised="lap_number 1–100",
        why="The longest race has 78 laps.",
    ),
    Rule(
        name="lap_number 1 to 250",
        check=Check.VALUES,
        severity=Severity.ERROR,
        condition=Between(column="lap_number", low=1, high=250),
        scope=Scope(session_types=PRACTICE_TYPES),
        says="lap_number is from 1 to 250.",
        promised="lap_number 1–100",
        why="A day of testing lasts nine hours: 143 laps were driven, and more are possible.",
    ),
    Rule(
        name="lap_duration is a number",
        check=Check.SCHEMA,
        severity=Severity.ERROR,
        condition=TypeIs(column="lap_duration"),
        says="lap_duration is a number.",
        promised="lap_time a float, numeric",
        why="The API calls it lap_duration. A text such as 1:33.2 would leave the column null "
        "for all its readers.",
    ),
    Rule(
        name="lap_duration not null in races",
        check=Check.VALUES,
        severity=Severity.WARN,
        condition=NotNull(column="lap_duration"),
        mostly=0.95,
        scope=Scope(session_types=frozenset({"race"})),
        says="At least 95 of 100 laps of a race have a time.",
        promised="lap_time not null",
        why="0.4 % have none, 1.7 % before January 2026, when lap 1 was not timed.",
    ),
    Rule(
        name="lap_duration not null in sprints",
        check=Check.VALUES,
        severity=Severity.WARN,
        condition=NotNull(column="lap_duration"),
        mostly=0.88,
        scope=Scope(session_types=frozenset({"sprint"})),
        says="At least 88 of 100 laps of a sprint have a time.",
        promised="lap_time not null",
        why="An untimed lap 1 is a twentieth of a sprint.",
    ),
    Rule(
        name="lap_duration not null in qualifying",
        check=Check.VALUES,
        severity=Severity.WARN,
        condition=NotNull(column="lap_duration"),
        mostly=0.65,
        scope=Scope(session_types=frozenset({"qualifying", "sprint_qualifying"})),
        says="At least 65 of 100 laps of a qualifying have a time.",
        promised="lap_time not null",
        why="Out-laps often have none: 10 to 16 % of all laps.",
    ),
    Rule(
        name="lap_duration not null in practice",
        check=Check.VALUES,
        severity=Severity.WARN,
        condition=NotNull(column="lap_duration"),
        mostly=0.7,
        scope=Scope(session_types=PRACTICE_TYPES),
        says="At least 70 of 100 laps of a practice or test have a time.",
        promised="lap_time not null",
        why="4 to 10 % have none; a short rainy practice has more out-laps than others.",
    ),
    Rule(
        name="half of the laps timed",
        check=Check.VALUES,
        severity=Severity.ERROR,
        condition=NotNull(column="lap_duration"),
        mostly=0.5,
        scope=Scope(session_types=RACE_TYPES),
        says="At least half of the laps of a race or sprint have a time.",
        why="With fewer, best laps and averages mislead.",
    ),
    Rule(
        name="lap_duration 50 s to 2 h",
        check=Check.VALUES,
        severity=Severity.WARN,
        condition=Between(column="lap_duration", low=50, high=7200),
        says="lap_duration is from 50 to 7,200 seconds.",
        why="67 s is the shortest lap of a race; a lap under a red flag lasts as long as the flag, "
        "up to 2,625 s in a race and 3,011 s in practice.",
    ),
)

_RACING = (
    DRIVERS_KNOWN,
    Rule(
        name="lap numbers contiguous",
        check=Check.RACING,
        severity=Severity.WARN,
        condition=Across(),
        mostly=0.99,
        says="The laps of a driver are 1, 2, 3, … without a hole.",
        why="Upstream loses laps for a while: of the 2024 Singapore race it has nobody's first "
        "lap. One in a hundred may be missing.",
    ),
    Rule(
        name="laps as in results",
        check=Check.RACING,
        severity=Severity.WARN,
        condition=Across(),
        mostly=0.95,
        scope=Scope(session_types=RACE_TYPES),
        says="The last lap of each driver is number_of_laps in results, or one more.",
        why="The lap on which a car stopped has a row and does not count: 5 of 39 drivers in two "
        "races as upstream answers them. One driver in twenty may be off.",
    ),
    Rule(
        name="sectors add up",
        check=Check.RACING,
        severity=Severity.WARN,
        condition=Across(),
        mostly=0.95,
        says="The three sectors make the lap, to 0.01 s.",
        why="Exact in 99.94 % of 26,543 laps; in the 2024 Las Vegas race 17 laps are off by 0.5 s.",
    ),
    Rule(
        name="speeds plausible",
        check=Check.RACING,
        severity=Severity.WARN,
        condition=Across(),
        mostly=0.98,
        says="Speeds are from 30 to 400 km/h.",
        why="53 to 362 km/h were seen in 26,757 laps; slower is a car that rolls out.",
    ),
    Rule(
        name="laps start in order",
        check=Check.RACING,
        severity=Severity.WARN,
        condition=Across(),
        mostly=0.99,
        says="Each lap of a driver starts later than the one before.",
        why="True of all 2,410 recorded laps that have a start.",
    ),
    Rule(
        name="fastest lap plausible",
        check=Check.RACING,
        severity=Severity.WARN,
        condition=Across(),
        says="The fastest lap is from 0.88 times the fastest to 1.4 times the usual fastest lap "
        "of other sessions on that circuit; with one or two of these known 0.7 to 1.5 times, "
        "with none 50 to 240 s.",
        why="True of all 25 recorded sessions with laps. Rules of thumb: a race is a twentieth "
        "slower than a qualifying, rain a quarter, and new cars gain less than a tenth.",
    ),
    Rule(
        name="fastest lap has its point",
        check=Check.RACING,
        severity=Severity.WARN,
        condition=Across(),
        scope=Scope(session_types=frozenset({"race"}), first_year=2019, last_year=2024),
        says="The driver of the fastest lap, if in the first ten, has the one point more.",
        why="Given from 2019 to 2024. True of all 24 races of 2024; a lap that is missing here "
        "or a point that went to another shows.",
    ),
    rows_as_usual(
        "A race has 44 laps at Spa and 78 at Monaco, and the field thins out. Rain can empty a "
        "practice, so these are left out.",
        Scope(session_types=CLASSIFIED_TYPES),
    ),
)

LAPS = Dataset(
    name="laps",
    endpoint="laps",
    description=__doc__,
    critical=False,
    key=("session_key", "driver_number", "lap_number"),
    expected_rows={
        "race": 1300,
        "sprint": 450,
        "qualifying": 350,
        "sprint_qualifying": 300,
        "": 600,
    },
    columns=(
        SESSION_KEY,
        DRIVER_NUMBER,
        Column(
            name="lap_number",
            type=ColumnType.INTEGER,
            nullable=False,
            meaning="Number of the lap in this session for this driver, from 1.",
        ),
        MEETING_KEY,
        Column(
            name="date_start",
            type=ColumnType.TIMESTAMP,
            unit="UTC",
            meaning="Approximate moment at which the lap began.",
        ),
        *_SECTORS,
        Column(
            name="lap_duration",
            type=ColumnType.FLOAT,
            unit="s",
            meaning="Time of the whole lap.",
        ),
        Column(
            name="i1_speed",
            type=ColumnType.INTEGER,
            unit="km/h",
            meaning="Speed at the first intermediate point.",
        ),
        Column(
            name="i2_speed",
            type=ColumnType.INTEGER,
            unit="km/h",
            meaning="Speed at the second intermediate point.",
        ),
        Column(
            name="st_speed",
            type=ColumnType.INTEGER,
            unit="km/h",
            meaning="Speed at the speed trap.",
        ),
        Column(
            name="is_pit_out_lap",
            type=ColumnType.BOOLEAN,
            meaning="Whether the lap began in the pit lane.",
        ),
        *_SEGMENTS,
    ),
    rules=(*_RULES, *_RACING),
)
