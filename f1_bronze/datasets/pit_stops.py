"""One row per pit-lane visit of a race or sprint: when and how long.

Under a red flag the whole field waits in the pit lane, so times of many minutes are real.
Some early races have no rows at all, and a few rows have no lap number.
"""

from f1_bronze.datasets.conditions import Between, NotNull, TypeIs
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
    double,
    error,
    integer,
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

_COLUMNS = (
    SESSION_KEY,
    DRIVER_NUMBER,
    integer("lap_number", "Lap on which the car came in; null in two rows of the 2024 Qatar race."),
    MEETING_KEY,
    timestamp("date", "Moment at which the car was in the pit lane."),
    double(
        "lane_duration",
        "Time from entering to leaving the pit lane; absent before January 2026.",
        unit="s",
    ),
    double("pit_duration", "The same time under its older name; gone after 2026.", unit="s"),
    double(
        "stop_duration",
        "Time at a standstill; null before the 2024 United States Grand Prix.",
        unit="s",
    ),
)

_LANE_TIMES = ("lane_duration", "pit_duration")

_RULES = (
    *shape_rules(
        ("session_key", "driver_number", "lap_number"),
        repeats=Severity.WARN,
        why_repeats="None in races and sprints so far, but 70 in practice and testing. Rows "
        "without a lap are not compared.",
        come_and_go=("lane_duration", "pit_duration", "stop_duration"),
        why_come_and_go="lane_duration and stop_duration came in January 2026, pit_duration goes "
        "after 2026; a rule of its own asks for one of the first two.",
    ),
    at_least_one_row(
        "In a dry race everyone must stop once. The first six races of 2023 and several "
        "sprints truly have no rows, so it is asked of races since 2024 and is no ERROR.",
        scope=Scope(RACE, first_year=2024),
        compared=True,
    ),
    rows_where_cars_drove(
        "There are rows where three drivers or more changed their tyres by their stints.",
        "The three sprints of 2024 without a row have no change of tyres, the other three and all "
        "24 races have both. Until 2023 upstream left rows out.",
        Scope(RACE_TYPES, first_year=2024),
    ),
    warn(
        "pit lane time known",
        usable_from=0.25,
        says="Every visit that has a lap has lane_duration or, in older answers, pit_duration.",
        promised="pit_duration not null",
        why="Both are the same time; pit_duration goes after 2026. 0.1 % of race rows have none, "
        "and no lap either: two cars that never left the grid in Qatar in 2024.",
    ),
    warn(
        "pit lane times agree",
        usable_from=0.5,
        says="lane_duration and pit_duration are the same time, where both are there.",
        why="They are two names of one value: equal in all 36 recorded rows with both.",
    ),
    warn(
        "date not null",
        NotNull("date"),
        mostly=0.9,
        usable_from=0.25,
        says="Nine visits in ten are dated.",
        why="True of every visit of 27 sessions.",
    ),
    warn(
        "lap_number not null in sprints",
        NotNull("lap_number"),
        mostly=0.8,
        usable_from=0.25,
        scope=Scope(SPRINT),
        says="Four visits in five have a lap.",
        why="In races 3 % without one was the most; there stints tell where a stop is missing.",
    ),
    *(
        error(
            f"{column} is a number",
            TypeIs(column),
            promised="pit_duration a float",
            why="A text would leave the column null for all its readers.",
        )
        for column in _LANE_TIMES
    ),
    *(
        error(
            f"{column} 1 s to 2 h",
            Between(column, 1.0, 7200.0),
            says=f"{column} is from 1 to 7,200 seconds.",
            promised="pit_duration 1.0–60.0",
            why="The purpose of the promise is to catch the impossible. Under a red flag the "
            "field waits in the pit lane: up to 2,486 s so far, and a race may be suspended "
            "for longer.",
        )
        for column in _LANE_TIMES
    ),
    *(
        warn(
            f"{column} 1 to 60 s",
            Between(column, 1.0, 60.0),
            mostly=0.2,
            usable_from=0.05,
            scope=Scope(RACE),
            says=f"At least one visit in five has a {column} from 1 to 60 seconds.",
            promised="pit_duration 1.0–60.0",
            why="4.7 % of race rows are longer, all of them in a few races with a red flag: 16 of "
            "23 in Monaco in 2024. A sprint has too few visits to tell.",
        )
        for column in _LANE_TIMES
    ),
    warn(
        "stop_duration 0 s to 2 h",
        Between("stop_duration", 0.0, 7200.0),
        usable_from=0.5,
        says="stop_duration is from 0 to 7,200 seconds.",
        why="A car stands for no longer than it is in the pit lane.",
    ),
    DRIVERS_KNOWN,
    MEETING_KNOWN,
    MEETING_AS_IN_SESSIONS,
    DATED_WITHIN_THE_SESSION,
    warn(
        "stints end with stops",
        usable_from=0.25,
        scope=Scope(RACE),
        says="Where a driver changes to another stint before the last lap there is a stop, give "
        "or take a lap.",
        why="True of every race of 2024. In 2 of 88 races and sprints more than a fifth of the "
        "stops are missing, and in truth.",
    ),
    warn(
        "stops end stints",
        mostly=0.9,
        usable_from=0.25,
        says="On the lap of a stop, give or take one, a stint of that driver ends.",
        why="True of 865 of 865 stops of 2024 that have a lap. A drive-through penalty keeps its "
        "tyres: one stop in ten may end none.",
    ),
    warn(
        "stops in their lap",
        usable_from=0.5,
        says="A stop is dated from 5 s before its lap begins to 60 s after it ends and the car has "
        "left the pit lane.",
        why="True of all 59 stops whose lap has a start: the car is in the lane at the end of the "
        "lap.",
    ),
    rows_as_usual("Weather makes the difference between twenty stops and sixty."),
)

PIT_STOPS = Dataset(
    name="pit_stops",
    endpoint="pit",
    description=__doc__,
    critical=False,
    session_types=RACE_TYPES,
    key=("session_key", "driver_number", "lap_number"),
    expected_rows={"": 100},
    columns=_COLUMNS,
    rules=_RULES,
)
