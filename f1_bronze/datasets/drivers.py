"""One row per driver and session: who drove which car for which team.

Twenty rows a session, twenty-two from 2026. A cancelled session has rows as well, which is
why cancelled sessions are no partitions.
"""

from f1_bronze.datasets.conditions import Between, Matches, NotNull
from f1_bronze.datasets.dataset import (
    CLASSIFIED_TYPES,
    DRIVER_NUMBER,
    MEETING_KEY,
    PRACTICE_TYPES,
    SESSION_KEY,
    Dataset,
    Scope,
    Severity,
    error,
    text,
    warn,
)
from f1_bronze.datasets.shared_rules import (
    MEETING_AS_IN_SESSIONS,
    MEETING_KNOWN,
    NO_EMPTY_TEXTS,
    at_least_one_row,
    rows_as_usual,
    shape_rules,
)

_COLUMNS = (
    SESSION_KEY,
    DRIVER_NUMBER,
    MEETING_KEY,
    text(
        "broadcast_name",
        "Name as television shows it: initial and last name, for example L NORRIS.",
    ),
    text("full_name", "First name and LAST NAME."),
    text("name_acronym", "Three capitals, for example NOR."),
    text("first_name", "First name."),
    text("last_name", "Last name."),
    text("team_name", "Team in this session."),
    text("team_colour", "Colour of the team, six hexadecimal digits without #.", unit="RRGGBB"),
    text("headshot_url", "Address of a portrait."),
    text(
        "country_code",
        "Country of the driver in three letters; null from 2025, gone after 2026.",
    ),
)

_RULES = (
    *shape_rules(
        ("session_key", "driver_number"),
        repeats=Severity.WARN,
        why_repeats="Upstream may list a driver twice, which is no reason to do without the rest; "
        "but a join by driver_number then counts laps twice.",
        come_and_go=("country_code",),
        why_come_and_go="country_code is null from 2025 and announced to go after 2026.",
    ),
    at_least_one_row(
        "No session is driven by nobody.",
        severity=Severity.ERROR,
        scope=Scope(CLASSIFIED_TYPES),
    ),
    at_least_one_row(
        "Nothing can fix an answer that is truly empty, and a practice can be called off.",
        where="in practice",
        scope=Scope(PRACTICE_TYPES),
    ),
    error(
        "driver_number not null",
        NotNull("driver_number"),
        says="Every row has a driver_number.",
        promised="driver_number not null",
        why="It is what every other dataset names a driver by.",
    ),
    error(
        "driver_number 1 to 99",
        Between("driver_number", 1, 99),
        promised="driver_number 1–99",
        why="The regulations allow 1 to 99; 1 to 98 were seen.",
    ),
    warn(
        "full_name not null",
        NotNull("full_name"),
        usable_from=0.5,
        says="Every driver has a full name.",
        promised="full_name not null",
        why="True of every row; without it the row can still be joined, so it is no ERROR.",
    ),
    warn(
        "name_acronym not null",
        NotNull("name_acronym"),
        usable_from=0.5,
        says="Every driver has an acronym.",
        why="The pattern says nothing about a missing acronym.",
    ),
    warn(
        "name_acronym three capitals",
        Matches("name_acronym", r"^[A-Z]{3}$"),
        usable_from=0.5,
        says="name_acronym is three capital letters.",
        promised="name_acronym `^[A-Z]{3}$`",
        why="True of 7,125 of 7,125 rows.",
    ),
    warn(
        "team_name not null",
        NotNull("team_name"),
        usable_from=0.5,
        scope=Scope(CLASSIFIED_TYPES),
        says="Every driver has a team.",
        why="True of every recorded row.",
    ),
    warn(
        "team_name not null in practice",
        NotNull("team_name"),
        mostly=0.8,
        usable_from=0.5,
        scope=Scope(PRACTICE_TYPES),
        says="Nearly every driver has a team.",
        why="Reserves take seats in practice and testing; a few without a team are no reason to "
        "look, a grid's are.",
    ),
    *(
        warn(
            f"{column} not null",
            NotNull(column),
            mostly=0.5,
            says=f"At least half of the drivers have {column}.",
            why="True of every row of 61 sessions.",
        )
        for column in ("broadcast_name", "first_name", "last_name", "team_colour")
    ),
    warn(
        "team_colour six digits",
        Matches("team_colour", r"^[0-9A-Fa-f]{6}$"),
        usable_from=0.5,
        says="team_colour is six hexadecimal digits, in capitals or not.",
        why="Charts use it as it is; upstream changed from capitals to small letters and back.",
    ),
    warn(
        "acronyms differ",
        usable_from=0.5,
        says="No two drivers have the same acronym.",
        why="True of every recorded session; people tell drivers by it.",
    ),
    warn(
        "as many drivers as cars",
        usable_from=0.6,
        says="20 drivers, from 2026 on 22, or one fewer; in practice 2 fewer to 6 more, in "
        "testing half to twice as many.",
        why="A car that does not start is missing from drivers, as in the 2024 Australian "
        "qualifying and race; reserves take seats in practice and testing.",
    ),
    warn(
        "numbers as in the season",
        mostly=0.85,
        usable_from=0.5,
        says="A number belongs to the driver who has it in most sessions of the season that are "
        "checked together; of seven drivers one may differ.",
        why="True of every driver of 60 sessions of 2024. A reserve may take over a number, a "
        "field that changes its numbers is none.",
    ),
    warn(
        "two cars a team",
        mostly=0.9,
        usable_from=0.5,
        scope=Scope(CLASSIFIED_TYPES),
        says="Each team has two drivers.",
        why="Nine teams in ten: a car can be withdrawn, as in Australia in 2024.",
    ),
    NO_EMPTY_TEXTS,
    MEETING_KNOWN,
    MEETING_AS_IN_SESSIONS,
    rows_as_usual("The grid changes by a few cars at most."),
)

DRIVERS = Dataset(
    name="drivers",
    endpoint="drivers",
    description=__doc__,
    critical=True,
    key=("session_key", "driver_number"),
    expected_rows={"": 22},
    columns=_COLUMNS,
    rules=_RULES,
)
