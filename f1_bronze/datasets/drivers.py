"""One row per driver and session: who drove which car for which team.

Twenty rows a session, twenty-two from 2026. A cancelled session has rows as well, which is
why cancelled sessions are no partitions.
"""

from f1_bronze.datasets.dataset import (
    DRIVER_NUMBER,
    MEETING_KEY,
    SESSION_KEY,
    Column,
    ColumnType,
    Dataset,
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
)
