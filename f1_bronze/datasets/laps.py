"""One row per driver and lap: times, speeds and mini-sectors.

A lap without a time is common in practice and qualifying (in and out laps), and under a red
flag a lap can last most of an hour: neither is an error.
"""

from f1_bronze.datasets.conditions import Between, NotNull, TypeIs
from f1_bronze.datasets.dataset import (
    CLASSIFIED_TYPES,
    DRIVER_NUMBER,
    MEETING_KEY,
    PRACTICE_TYPES,
    QUALIFYING_TYPES,
    RACE,
    RACE_TYPES,
    SESSION_KEY,
    SPRINT,
    Dataset,
    Scope,
    Severity,
    boolean,
    double,
    error,
    integer,
    integers,
    timestamp,
    warn,
)
from f1_bronze.datasets.shared_rules import (
    DATED_WITHIN_THE_SESSION,
    DRIVERS_KNOWN,
    MEETING_AS_IN_SESSIONS,
    MEETING_KNOWN,
    at_least_one_row,
    rows_as_usual,
    rows_where_cars_drove,
    shape_rules,
)

_NOT_RACED = Scope(QUALIFYING_TYPES | PRACTICE_TYPES)

_COLUMNS = (
    SESSION_KEY,
    DRIVER_NUMBER,
    integer(
        "lap_number",
        "Number of the lap in this session for this driver, from 1.",
        nullable=False,
    ),
    MEETING_KEY,
    timestamp("date_start", "Approximate moment at which the lap began."),
    *(double(f"duration_sector_{n}", f"Time through sector {n}.", unit="s") for n in (1, 2, 3)),
    double("lap_duration", "Time of the whole lap.", unit="s"),
    integer("i1_speed", "Speed at the first intermediate point.", unit="km/h"),
    integer("i2_speed", "Speed at the second intermediate point.", unit="km/h"),
    integer("st_speed", "Speed at the speed trap.", unit="km/h"),
    boolean("is_pit_out_lap", "Whether the lap began in the pit lane."),
    *(
        integers(
            f"segments_sector_{n}",
            f"Mini-sectors of sector {n}: 2048 yellow, 2049 green, 2051 purple, 2064 pit lane; "
            "0 and null are not available.",
            unit="code",
        )
        for n in (1, 2, 3)
    ),
)

_RULES = (
    *shape_rules(("session_key", "driver_number", "lap_number")),
    at_least_one_row(
        "No race without laps, unless it was cancelled and is not marked as such.",
        severity=Severity.ERROR,
        scope=Scope(RACE),
    ),
    at_least_one_row(
        "A practice can be called off on the day: nobody drives, and nothing is wrong.",
        where="outside races",
        scope=Scope((CLASSIFIED_TYPES | PRACTICE_TYPES) - RACE),
        compared=True,
    ),
    rows_where_cars_drove(
        "There are rows where results count laps and an earlier session of that type had rows.",
        "A driver with laps in results has laps, in 74 of 74 sessions that have any. The recorded "
        "sprints and qualifyings of 2024 have none at all, so one session with laps comes first.",
        Scope((CLASSIFIED_TYPES | PRACTICE_TYPES) - RACE),
    ),
    error(
        "lap_number 1 to 100",
        Between("lap_number", 1, 100),
        scope=Scope(CLASSIFIED_TYPES),
        promised="lap_number 1–100",
        why="The longest race has 78 laps.",
    ),
    error(
        "lap_number 1 to 250",
        Between("lap_number", 1, 250),
        scope=Scope(PRACTICE_TYPES),
        promised="lap_number 1–100",
        why="A day of testing lasts nine hours: 143 laps were driven, and more are possible.",
    ),
    error(
        "lap_duration is a number",
        TypeIs("lap_duration"),
        promised="lap_time a float, numeric",
        why="The API calls it lap_duration. A text such as 1:33.2 would leave the column null "
        "for all its readers.",
    ),
    warn(
        "lap_duration not null in races",
        NotNull("lap_duration"),
        mostly=0.95,
        scope=Scope(RACE),
        says="At least 95 of 100 laps of a race have a time.",
        promised="lap_time not null",
        why="0.4 % have none, 1.7 % before January 2026, when lap 1 was not timed.",
    ),
    warn(
        "lap_duration not null in sprints",
        NotNull("lap_duration"),
        mostly=0.88,
        scope=Scope(SPRINT),
        says="At least 88 of 100 laps of a sprint have a time.",
        promised="lap_time not null",
        why="An untimed lap 1 is a twentieth of a sprint.",
    ),
    warn(
        "lap_duration not null in qualifying",
        NotNull("lap_duration"),
        mostly=0.65,
        usable_from=0.25,
        scope=Scope(QUALIFYING_TYPES),
        says="At least 65 of 100 laps of a qualifying have a time.",
        promised="lap_time not null",
        why="Out-laps often have none: 10 to 16 % of all laps.",
    ),
    warn(
        "lap_duration not null in practice",
        NotNull("lap_duration"),
        mostly=0.7,
        usable_from=0.25,
        scope=Scope(PRACTICE_TYPES),
        says="At least 70 of 100 laps of a practice or test have a time.",
        promised="lap_time not null",
        why="4 to 10 % have none; a short rainy practice has more out-laps than others.",
    ),
    error(
        "half of the laps timed",
        NotNull("lap_duration"),
        mostly=0.5,
        scope=Scope(RACE_TYPES),
        says="At least half of the laps of a race or sprint have a time.",
        why="With fewer, best laps and averages mislead.",
    ),
    warn(
        "lap_duration 50 s to 2 h",
        Between("lap_duration", 50, 7200),
        usable_from=0.5,
        says="lap_duration is from 50 to 7,200 seconds.",
        why="67 s is the shortest lap of a race; a lap under a red flag lasts as long as the flag, "
        "up to 2,625 s in a race and 3,011 s in practice.",
    ),
    DRIVERS_KNOWN,
    MEETING_KNOWN,
    MEETING_AS_IN_SESSIONS,
    DATED_WITHIN_THE_SESSION,
    warn(
        "lap numbers contiguous",
        usable_from=0.6,
        says="The laps of a driver are 1, 2, 3, … with none missing. Where laps have no start, or "
        "in practice, one in a hundred may be missing, but no three in a row.",
        why="Upstream loses laps for a while: of the 2024 Singapore race it has nobody's first "
        "lap, the 2025 Miami race came without laps 1 to 25. No other was missing in the three "
        "sessions that were recorded as upstream answers; rebuilt ones have no starts.",
    ),
    warn(
        "as many laps as in results",
        mostly=0.9,
        usable_from=0.6,
        scope=Scope(RACE_TYPES),
        says="There are at least nine tenths of the laps that results count.",
        why="1 of 74 sessions has fewer, and in truth: the 2025 Miami race came with 537 of about "
        "1,002.",
    ),
    warn(
        "drivers with results have laps",
        usable_from=0.6,
        says="A driver with number_of_laps in results has laps.",
        why="True of every driver of 74 sessions.",
    ),
    warn(
        "drivers with laps have results",
        usable_from=0.6,
        scope=_NOT_RACED,
        says="A driver with laps has a row in results.",
        why="In races and sprints every driver must have one, with laps or without.",
    ),
    warn(
        "laps near results",
        mostly=0.9,
        usable_from=0.5,
        scope=_NOT_RACED,
        says="A driver has as many laps as number_of_laps in results, give or take three; one "
        "driver in ten may have others.",
        why="Exact for all 22 drivers of the one qualifying that was recorded with laps. Laps of "
        "another session, or half of them, have other numbers.",
    ),
    warn(
        "best time among laps",
        mostly=0.8,
        usable_from=0.5,
        scope=_NOT_RACED,
        says="The best time of a driver in results is the time of one of the laps; of one driver "
        "in five it may be another.",
        why="Exact for all 22 drivers of the one qualifying that was recorded with laps. A lap "
        "that the stewards delete is none in results, but another one is.",
    ),
    warn(
        "laps as in results",
        usable_from=0.5,
        scope=Scope(RACE_TYPES),
        says="The last lap of each driver is number_of_laps in results, or one more.",
        why="The lap on which a car stopped has a row and does not count: 5 of 39 drivers in two "
        "races as upstream answers them. True of every driver of the 24 races of 2024.",
    ),
    warn(
        "lap times as race time",
        usable_from=0.5,
        scope=Scope(RACE_TYPES),
        says="The lap times of a driver who has all of them make the duration in results, from 5 s "
        "more to 90 s less.",
        why="Penalties are added to the duration: up to 30 s in 2024. True of 243 of 243 drivers "
        "of that season whose laps are all timed; the results of another race fail it.",
    ),
    warn(
        "sectors add up",
        usable_from=0.5,
        says="The three sectors make the lap, to 0.01 s; one lap in twenty may be off by less than "
        "a second.",
        why="Exact in 99.94 % of 26,543 laps; in the 2024 Las Vegas race 17 laps are off by 0.5 s.",
    ),
    warn(
        "sectors and speeds known",
        says="Less than half of each sector's times and less than seven tenths of each speed are "
        "missing, in practice less than 95 of 100.",
        why="In races and qualifying up to 36 % of the times of a sector and 29 % of the speeds of "
        "a trap have been missing.",
    ),
    warn(
        "laps dated",
        mostly=0.4,
        usable_from=0.1,
        says="Where six laps in ten have mini-sectors, four in ten have a start.",
        why="True of the three sessions that were recorded as upstream answers them; rebuilt ones "
        "have neither.",
    ),
    warn(
        "is_pit_out_lap not null",
        NotNull("is_pit_out_lap"),
        usable_from=0.5,
        says="Every lap says whether it began in the pit lane.",
        why="True of all 26,757 laps.",
    ),
    warn(
        "speeds plausible",
        usable_from=0.5,
        says="Speeds are at least 30 km/h.",
        why="53 km/h was the least in 26,757 laps.",
    ),
    error(
        "top speed plausible",
        says="Where 100 laps have a speed, one is above 240 km/h, at the speed trap itself, and at "
        "each intermediate above 160 km/h.",
        why="289 km/h was the least that was the most of a session, in Monaco; in miles per hour "
        "no car reaches 240. At an intermediate it was 186 km/h, in Las Vegas.",
    ),
    warn(
        "speeds possible",
        usable_from=0.5,
        says="No speed is above 400 km/h.",
        why="362 km/h was the most in 26,757 laps.",
    ),
    warn(
        "laps start in order",
        usable_from=0.5,
        says="Each lap of a driver starts later than the one before, in races and sprints when "
        "that one ends, give or take 30 s.",
        why="True of all 2,410 recorded laps that have a start; in two races to 0.7 s.",
    ),
    warn(
        "fastest lap plausible",
        says="The fastest lap is from 0.88 times the fastest to 1.4 times the usual fastest lap "
        "of other sessions on that circuit; with one or two of these known 0.7 to 1.5 times, "
        "with none 50 to 240 s.",
        why="True of all 25 recorded sessions with laps. Rules of thumb: a race is a twentieth "
        "slower than a qualifying, rain a quarter, and new cars gain less than a tenth.",
    ),
    warn(
        "fastest lap has its point",
        scope=Scope(RACE, first_year=2019, last_year=2024),
        says="The driver of the fastest lap, if in the first ten, has the one point more.",
        why="Given from 2019 to 2024. True of all 24 races of 2024; a lap that is missing here "
        "or a point that went to another shows.",
    ),
    rows_as_usual(
        "A race has 44 laps at Spa and 78 at Monaco, and the field thins out. Rain can empty a "
        "practice, so these are left out.",
        Scope(CLASSIFIED_TYPES),
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
    columns=_COLUMNS,
    rules=_RULES,
)
