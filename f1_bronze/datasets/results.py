"""One row per driver and session: the classification.

Two fields change their type from row to row and are JSON text: in qualifying they are lists of
three (Q1, Q2, Q3), in a race numbers or texts such as "+1 LAP". Stewards correct results days
after a race.
"""

from f1_bronze.datasets.conditions import Across, Between, NotNull, WholeNumber
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

_RULES = (
    *shape_rules(
        ("session_key", "driver_number"),
        come_and_go=("points",),
        why_come_and_go="points is there for race and sprint only, where a rule of its own asks "
        "for it.",
    ),
    at_least_one_row(
        "Every session that took place has a classification. One that was cancelled and is "
        "not marked as such has none, which nobody can mend: so it is a warning.",
    ),
    Rule(
        name="position not null",
        check=Check.VALUES,
        severity=Severity.WARN,
        condition=NotNull(column="position", unless=("dnf", "dns", "dsq")),
        mostly=0.85,
        scope=Scope(session_types=CLASSIFIED_TYPES),
        says="Whoever neither retired, nor failed to start, nor was disqualified has a position.",
        promised="position not null",
        why="Who is not classified has none: 11 % of race rows. In single rows upstream forgets "
        "the flag instead (George Russell's disqualification at Spa in 2024), so two or three "
        "of a field are forgiven. Practice is not classified.",
    ),
    Rule(
        name="position 1 to 20",
        check=Check.VALUES,
        severity=Severity.ERROR,
        condition=Between(column="position", low=1, high=20),
        scope=Scope(session_types=CLASSIFIED_TYPES, last_year=2025),
        says="position is from 1 to 20.",
        promised="position 1–20",
        why="Ten teams of two cars until 2025. Null is no position and no offence here.",
    ),
    Rule(
        name="position 1 to 22",
        check=Check.VALUES,
        severity=Severity.ERROR,
        condition=Between(column="position", low=1, high=22),
        scope=Scope(session_types=CLASSIFIED_TYPES, first_year=2026),
        says="position is from 1 to 22.",
        promised="position 1–20",
        why="Eleven teams from 2026.",
    ),
    Rule(
        name="position in practice",
        check=Check.VALUES,
        severity=Severity.WARN,
        condition=Between(column="position", low=1, high=44),
        scope=Scope(session_types=PRACTICE_TYPES),
        says="position is from 1 to 44.",
        promised="position 1–20",
        why="In practice and testing several drivers share a car, so there can be more of them "
        "than cars.",
    ),
    Rule(
        name="points not null",
        check=Check.VALUES,
        severity=Severity.WARN,
        condition=NotNull(column="points"),
        scope=Scope(session_types=RACE_TYPES),
        says="Every driver has points, if only 0.",
        why="Other sessions have none, races and sprints always had.",
    ),
    Rule(
        name="points whole, 0 to 26",
        check=Check.VALUES,
        severity=Severity.ERROR,
        condition=WholeNumber(column="points", low=0, high=26),
        scope=Scope(session_types=RACE_TYPES),
        says="points is a whole number from 0 to 26.",
        promised="points an integer 0–26",
        why="The API sends 25.0, so the column is a float and the value must be whole. 26 is a "
        "win with the fastest lap, until 2024.",
    ),
)

_RACING = (
    DRIVERS_KNOWN,
    Rule(
        name="every driver has a result",
        check=Check.RACING,
        severity=Severity.WARN,
        condition=Across(),
        scope=Scope(session_types=RACE_TYPES),
        says="Everyone in drivers has a row, also who did not finish or start.",
        why="True of every race and sprint of 2024; in qualifying who does not take part can be "
        "missing.",
    ),
    Rule(
        name="positions unique",
        check=Check.RACING,
        severity=Severity.ERROR,
        condition=Across(),
        scope=Scope(session_types=RACE_TYPES),
        says="No two drivers have the same position.",
        why="Two winners make every standing wrong. True of every race and sprint seen.",
    ),
    Rule(
        name="positions without gap",
        check=Check.RACING,
        severity=Severity.WARN,
        condition=Across(),
        scope=Scope(session_types=CLASSIFIED_TYPES),
        says="Positions are 1, 2, 3, … without a hole, and somebody is 1.",
        why="When a stewards' decision is entered by hand, those behind have to move up; a hole "
        "tells that they have not yet.",
    ),
    Rule(
        name="winner has no gap",
        check=Check.RACING,
        severity=Severity.WARN,
        condition=Across(),
        scope=Scope(session_types=RACE_TYPES),
        says="gap_to_leader of the driver in position 1 is 0.",
        why="The gaps of all others are counted from there.",
    ),
    Rule(
        name="gaps grow",
        check=Check.RACING,
        severity=Severity.WARN,
        condition=Across(),
        scope=Scope(session_types=RACE_TYPES),
        says="Nobody is closer to the leader than the driver placed before; a lap down is more "
        "than any time.",
        why="Penalties change the order and the times together; a gap that shrinks tells that "
        "one of both is not corrected yet.",
    ),
    Rule(
        name="points by the table",
        check=Check.RACING,
        severity=Severity.WARN,
        condition=Across(),
        scope=Scope(session_types=RACE_TYPES),
        says="Points are those of the sporting regulations for the position: "
        "25-18-15-12-10-8-6-4-2-1, in a sprint 8 to 1 (until 2021 3-2-1), less in a "
        "shortened race, and until 2024 one more for one of the first ten.",
        why="The table that fits best is taken: how much of the distance was driven is not known "
        "here. Until 2021 shortened races gave half points, since then 19, 13 or 6 for the "
        "winner. True of every race and sprint of 2024.",
    ),
    rows_as_usual("As many as drivers."),
)

RESULTS = Dataset(
    name="results",
    endpoint="session_result",
    description=__doc__,
    critical=True,
    key=("session_key", "driver_number"),
    expected_rows={"": 22},
    columns=(
        SESSION_KEY,
        DRIVER_NUMBER,
        MEETING_KEY,
        Column(
            name="position",
            type=ColumnType.INTEGER,
            meaning="Final position, 1 is the winner; null for most who are not classified.",
        ),
        Column(
            name="points",
            type=ColumnType.FLOAT,
            unit="championship points",
            meaning="Points won; only race and sprint have them.",
        ),
        Column(
            name="number_of_laps",
            type=ColumnType.INTEGER,
            unit="laps",
            meaning="Laps driven in the session.",
        ),
        Column(
            name="duration",
            type=ColumnType.JSON,
            unit="s",
            meaning="Race: total time. Practice: best lap. Qualifying: best laps of Q1, Q2, Q3.",
        ),
        Column(
            name="gap_to_leader",
            type=ColumnType.JSON,
            unit="s",
            meaning='Time behind the first, or "+1 LAP"; a list of three in qualifying.',
        ),
        Column(name="dnf", type=ColumnType.BOOLEAN, meaning="Did not finish."),
        Column(name="dns", type=ColumnType.BOOLEAN, meaning="Did not start."),
        Column(name="dsq", type=ColumnType.BOOLEAN, meaning="Disqualified."),
    ),
    rules=(*_RULES, *_RACING),
)
