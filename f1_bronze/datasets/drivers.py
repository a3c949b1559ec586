"""One row per driver and session: who drove which car for which team.

Twenty rows a session, twenty-two from 2026. A cancelled session has rows as well, which is
why cancelled sessions are no partitions.
"""

from f1_bronze.datasets.conditions import Across, Between, Matches, NotNull
from f1_bronze.datasets.dataset import (
    CLASSIFIED_TYPES,
    DRIVER_NUMBER,
    MEETING_KEY,
    SESSION_KEY,
    Check,
    Column,
    ColumnType,
    Dataset,
    Rule,
    Scope,
    Severity,
)
from f1_bronze.datasets.shared_rules import at_least_one_row, rows_as_usual, shape_rules

_RULES = (
    *shape_rules(
        ("session_key", "driver_number"),
        repeats=Severity.WARN,
        why_repeats="Upstream may list a driver twice, which is no reason to do without the rest; "
        "but who joins by driver_number then counts laps twice.",
        come_and_go=("country_code",),
        why_come_and_go="country_code is null from 2025 and announced to go after 2026.",
    ),
    at_least_one_row(
        "No session is driven by nobody; but an answer that is truly empty can be mended by no "
        "one, and its partition is shown as empty.",
    ),
    Rule(
        name="driver_number not null",
        check=Check.VALUES,
        severity=Severity.ERROR,
        condition=NotNull(column="driver_number"),
        says="Every row has a driver_number.",
        promised="driver_number not null",
        why="It is what every other dataset names a driver by.",
    ),
    Rule(
        name="driver_number 1 to 99",
        check=Check.VALUES,
        severity=Severity.ERROR,
        condition=Between(column="driver_number", low=1, high=99),
        says="driver_number is from 1 to 99.",
        promised="driver_number 1–99",
        why="The regulations allow 1 to 99; 1 to 98 were seen.",
    ),
    Rule(
        name="full_name not null",
        check=Check.VALUES,
        severity=Severity.WARN,
        condition=NotNull(column="full_name"),
        says="Every driver has a full name.",
        promised="full_name not null",
        why="True of every row; without it the row can still be joined, so it is no ERROR.",
    ),
    Rule(
        name="name_acronym not null",
        check=Check.VALUES,
        severity=Severity.WARN,
        condition=NotNull(column="name_acronym"),
        says="Every driver has an acronym.",
        why="The pattern says nothing of a missing acronym.",
    ),
    Rule(
        name="name_acronym three capitals",
        check=Check.VALUES,
        severity=Severity.WARN,
        condition=Matches(column="name_acronym", pattern=r"^[A-Z]{3}$"),
        says="name_acronym is three capital letters.",
        promised="name_acronym `^[A-Z]{3}$`",
        why="True of 7,125 of 7,125 rows.",
    ),
    Rule(
        name="team_name not null",
        check=Check.VALUES,
        severity=Severity.WARN,
        condition=NotNull(column="team_name"),
        mostly=0.8,
        says="Nearly every driver has a team.",
        why="True of every recorded row; a few that miss are no reason to look, a grid's are.",
    ),
    Rule(
        name="team_colour six digits",
        check=Check.VALUES,
        severity=Severity.WARN,
        condition=Matches(column="team_colour", pattern=r"^[0-9A-Fa-f]{6}$"),
        mostly=0.8,
        says="team_colour is six hexadecimal digits, in capitals or not.",
        why="Charts use it as it is; upstream changed from capitals to small letters and back.",
    ),
)

_RACING = (
    Rule(
        name="as many drivers as cars",
        check=Check.RACING,
        severity=Severity.WARN,
        condition=Across(),
        says="20 drivers, from 2026 on 22, or one fewer; in practice 2 fewer to 6 more, in "
        "testing half to twice as many.",
        why="A car that does not start is missing from drivers, as in the 2024 Australian "
        "qualifying and race; reserves take seats in practice and testing.",
    ),
    Rule(
        name="two cars a team",
        check=Check.RACING,
        severity=Severity.WARN,
        condition=Across(),
        mostly=0.9,
        scope=Scope(session_types=CLASSIFIED_TYPES),
        says="Each team has two drivers.",
        why="Nine teams in ten: a car can be withdrawn, as in Australia in 2024.",
    ),
    rows_as_usual("The grid changes by a few cars at most."),
)

DRIVERS = Dataset(
    name="drivers",
    endpoint="drivers",
    description=__doc__,
    critical=True,
    key=("session_key", "driver_number"),
    expected_rows={"": 22},
    columns=(
        SESSION_KEY,
        DRIVER_NUMBER,
        MEETING_KEY,
        Column(
            name="broadcast_name",
            type=ColumnType.TEXT,
            meaning="Name as television shows it: initial and last name, for example L NORRIS.",
        ),
        Column(name="full_name", type=ColumnType.TEXT, meaning="First name and LAST NAME."),
        Column(
            name="name_acronym", type=ColumnType.TEXT, meaning="Three capitals, for example NOR."
        ),
        Column(name="first_name", type=ColumnType.TEXT, meaning="First name."),
        Column(name="last_name", type=ColumnType.TEXT, meaning="Last name."),
        Column(name="team_name", type=ColumnType.TEXT, meaning="Team in this session."),
        Column(
            name="team_colour",
            type=ColumnType.TEXT,
            unit="RRGGBB",
            meaning="Colour of the team, six hexadecimal digits without #.",
        ),
        Column(name="headshot_url", type=ColumnType.TEXT, meaning="Address of a portrait."),
        Column(
            name="country_code",
            type=ColumnType.TEXT,
            meaning="Country of the driver in three letters; null from 2025, gone after 2026.",
        ),
    ),
    rules=(*_RULES, *_RACING),
)
