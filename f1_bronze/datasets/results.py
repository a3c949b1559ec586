"""One row per driver and session: the classification.

Two fields change their type from row to row and are JSON text: in qualifying they are lists of
three (Q1, Q2, Q3), in a race numbers or texts such as "+1 LAP". Stewards correct results days
after a race.
"""

from f1_bronze.datasets.conditions import Between, NotNull, WholeNumber
from f1_bronze.datasets.dataset import (
    CLASSIFIED_TYPES,
    DRIVER_NUMBER,
    MEETING_KEY,
    PRACTICE_TYPES,
    QUALIFYING_TYPES,
    RACE_TYPES,
    SESSION_KEY,
    Dataset,
    Scope,
    Severity,
    boolean,
    double,
    error,
    integer,
    json_text,
    warn,
)
from f1_bronze.datasets.shared_rules import (
    DRIVERS_KNOWN,
    MEETING_AS_IN_SESSIONS,
    MEETING_KNOWN,
    at_least_one_row,
    rows_as_usual,
    shape_rules,
)

_COLUMNS = (
    SESSION_KEY,
    DRIVER_NUMBER,
    MEETING_KEY,
    integer("position", "Final position, 1 is the winner; null for most who are not classified."),
    double("points", "Points won; only race and sprint have them.", unit="championship points"),
    integer("number_of_laps", "Laps driven in the session.", unit="laps"),
    json_text(
        "duration",
        "Race: total time. Practice: best lap. Qualifying: best laps of Q1, Q2, Q3.",
        unit="s",
    ),
    json_text(
        "gap_to_leader",
        'Time behind the first, or "+1 LAP"; a list of three in qualifying.',
        unit="s",
    ),
    boolean("dnf", "Did not finish."),
    boolean("dns", "Did not start."),
    boolean("dsq", "Disqualified."),
)

_RACED = Scope(RACE_TYPES)

_RULES = (
    *shape_rules(
        ("session_key", "driver_number"),
        come_and_go=("points",),
        why_come_and_go="points is there for race and sprint only, where a rule of its own asks "
        "for it.",
    ),
    at_least_one_row(
        "Every session that took place has a classification.",
        severity=Severity.ERROR,
        scope=Scope(CLASSIFIED_TYPES),
    ),
    at_least_one_row(
        "A practice can be called off on the day: nobody drives, and nothing is wrong.",
        where="in practice",
        scope=Scope(PRACTICE_TYPES),
    ),
    warn(
        "position not null",
        NotNull("position", unless=("dnf", "dns", "dsq")),
        mostly=0.85,
        usable_from=0.5,
        scope=Scope(CLASSIFIED_TYPES),
        says="A driver who neither retired, nor failed to start, nor was disqualified has a "
        "position.",
        promised="position not null",
        why="A driver who is not classified has none: 11 % of race rows. In single rows upstream "
        "forgets the flag instead (George Russell's disqualification at Spa in 2024), so two or "
        "three of a field are forgiven. Practice is not classified.",
    ),
    error(
        "position 1 to 20",
        Between("position", 1, 20),
        scope=Scope(CLASSIFIED_TYPES, last_year=2025),
        promised="position 1–20",
        why="Ten teams of two cars until 2025. Null is no position and no offence here.",
    ),
    error(
        "position 1 to 22",
        Between("position", 1, 22),
        scope=Scope(CLASSIFIED_TYPES, first_year=2026),
        promised="position 1–20",
        why="Eleven teams from 2026.",
    ),
    warn(
        "position in practice",
        Between("position", 1, 44),
        scope=Scope(PRACTICE_TYPES),
        usable_from=0.5,
        promised="position 1–20",
        why="In practice and testing several drivers share a car, so there can be more of them "
        "than cars.",
    ),
    *(
        warn(
            f"{column} not null in practice",
            NotNull(column),
            mostly=0.5,
            usable_from=0.5,
            scope=Scope(PRACTICE_TYPES),
            says=f"At least half of the drivers of a practice have {column}.",
            why="Who sets no time has none; with fewer than half there is no order to read.",
        )
        for column in ("position", "number_of_laps", "duration", "gap_to_leader")
    ),
    warn(
        "number_of_laps 0 to 250",
        Between("number_of_laps", 0, 250),
        usable_from=0.5,
        scope=Scope(QUALIFYING_TYPES | PRACTICE_TYPES),
        why="143 laps were the most of a day of testing; races have stricter rules.",
    ),
    *(
        warn(
            f"{flag} not null",
            NotNull(flag),
            mostly=0.5,
            says=f"At least half of the drivers have the flag {flag}.",
            why="True of every row of 61 sessions; without the flags nobody can tell who retired.",
        )
        for flag in ("dnf", "dns", "dsq")
    ),
    warn(
        "points not null",
        NotNull("points"),
        scope=_RACED,
        usable_from=0.5,
        says="Every driver has points, if only 0.",
        why="Other sessions have none, races and sprints always had.",
    ),
    error(
        "points whole, 0 to 26",
        WholeNumber("points", 0, 26),
        scope=_RACED,
        says="points is a whole number from 0 to 26.",
        promised="points an integer 0–26",
        why="The API sends 25.0, so the column is a float and the value must be whole. 26 is a "
        "win with the fastest lap, until 2024.",
    ),
    DRIVERS_KNOWN,
    MEETING_KNOWN,
    MEETING_AS_IN_SESSIONS,
    warn(
        "every driver has a result",
        usable_from=0.6,
        scope=_RACED,
        says="Every driver of the session has a row, also one who did not finish or start.",
        why="True of every race and sprint of 2024. A driver who does not take part in qualifying "
        "is listed and has no result: one of 480 in 2024, who had no laps either.",
    ),
    error(
        "positions unique",
        scope=_RACED,
        says="No two drivers have the same position.",
        why="Two winners make every standing wrong. True of every race and sprint seen.",
    ),
    warn(
        "positions without gap",
        scope=Scope(CLASSIFIED_TYPES),
        usable_from=0.5,
        says="Positions are 1, 2, 3, … without a hole, and somebody is 1.",
        why="When a stewards' decision is entered by hand, those behind have to move up; a hole "
        "shows that they have not yet.",
    ),
    warn(
        "winner has no gap",
        scope=_RACED,
        says="gap_to_leader of the driver in position 1 is 0.",
        why="The gaps of all others are counted from there.",
    ),
    warn(
        "gaps grow",
        scope=_RACED,
        usable_from=0.5,
        says="Nobody is closer to the leader than the driver placed before; a lap down is more "
        "than any time.",
        why="Penalties change the order and the times together; a gap that shrinks shows that "
        "one of both is not corrected yet.",
    ),
    warn(
        "points by the table",
        scope=_RACED,
        usable_from=0.5,
        says="Points are those of the sporting regulations for the position: "
        "25-18-15-12-10-8-6-4-2-1, in a sprint 8 to 1 (until 2021 3-2-1), less in a "
        "shortened race, and until 2024 one more for one of the first ten.",
        why="The table that fits best is taken: how much of the distance was driven is not known "
        "here. Until 2021 shortened races gave half points, since then 19, 13 or 6 for the "
        "winner. True of every race and sprint of 2024.",
    ),
    warn(
        "points add up",
        usable_from=0.5,
        scope=_RACED,
        says="The points of a race are 101, or 102 with the fastest lap, those of a sprint 36 "
        "(until 2021 6), or those of a shortened race.",
        why="2 of 88 races and sprints are off, and both are wrong: in the 2023 United States "
        "Grand Prix the winner alone has points. What is missing is counted in points; what one "
        "or two wrong rows explain is left to points by the table.",
    ),
    warn(
        "number_of_laps not null",
        NotNull("number_of_laps", unless=("dns", "dsq")),
        usable_from=0.5,
        scope=Scope(CLASSIFIED_TYPES),
        says="Every driver who started and was not disqualified has number_of_laps, if only 0.",
        why="True of all 1,219 such rows of 61 sessions.",
    ),
    warn(
        "flags as results",
        usable_from=0.5,
        scope=_RACED,
        says="Nobody with dnf is placed with a gap in seconds, nobody with dns has laps, nobody "
        "with dsq has a position.",
        why="True of all 30 races and sprints of 2024. Who retires late may be placed, without a "
        "gap.",
    ),
    warn(
        "times known",
        usable_from=0.5,
        scope=Scope(CLASSIFIED_TYPES),
        says="Who is placed and did not retire has a gap_to_leader, in a race a number or "
        '"+n LAPS", and, unless laps down, a duration.',
        why="True of every row of 61 sessions.",
    ),
    warn(
        "winning time plausible",
        scope=_RACED,
        says="The winner's duration is from 1,200 to 11,000 s.",
        why="1 of 88 is off and wrong: 0.526 s in Belgium in 2024.",
    ),
    warn(
        "gaps as durations",
        usable_from=0.5,
        scope=_RACED,
        says="gap_to_leader is the difference of the durations, to 0.01 s.",
        why="True of all 88 races and sprints.",
    ),
    warn(
        "laps down as laps",
        usable_from=0.5,
        scope=_RACED,
        says='number_of_laps is that of the winner, less where the gap is "+n LAPS".',
        why="True of all 88 races and sprints.",
    ),
    warn(
        "three qualifying times",
        usable_from=0.5,
        scope=Scope(QUALIFYING_TYPES),
        says="duration is a list of three times, Q1, Q2, Q3, each null or from 40 to 300 s.",
        why="True of every qualifying; readers take them by their place.",
    ),
    warn(
        "positions follow qualifying times",
        usable_from=0.5,
        scope=Scope(QUALIFYING_TYPES),
        says="Nobody with a slower time in Q3, else Q2, else Q1 is placed before a faster one.",
        why="One qualifying of four seasons is off.",
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
    columns=_COLUMNS,
    rules=_RULES,
)
