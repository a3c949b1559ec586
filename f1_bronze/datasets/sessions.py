"""One row per session: when and where it takes place.

The calendar entry of the partition itself, as OpenF1 lists it. It is upstream of the other
datasets because it knows the `session_key` by which they are asked.
"""

from f1_bronze.datasets.dataset import MEETING_KEY, SESSION_KEY, Column, ColumnType, Dataset

SESSIONS = Dataset(
    name="sessions",
    endpoint="sessions",
    description=__doc__,
    critical=True,
    key=("session_key",),
    expected_rows={"": 1},
    columns=(
        SESSION_KEY,
        MEETING_KEY,
        Column(
            name="session_name",
            type=ColumnType.TEXT,
            nullable=False,
            meaning="What tells sessions apart: Practice 1, Qualifying, Sprint, Race, Day 1…",
        ),
        Column(
            name="openf1_session_type",
            openf1_name="session_type",
            type=ColumnType.TEXT,
            meaning="OpenF1's coarse type; a Sprint has the type Race. Use session_name.",
        ),
        Column(
            name="date_start",
            type=ColumnType.TIMESTAMP,
            nullable=False,
            unit="UTC",
            meaning="Scheduled start.",
        ),
        Column(
            name="date_end",
            type=ColumnType.TIMESTAMP,
            nullable=False,
            unit="UTC",
            meaning="Scheduled end; the real one can be later.",
        ),
        Column(
            name="gmt_offset",
            type=ColumnType.TEXT,
            unit="±HH:MM:SS",
            meaning="Local time at the circuit minus UTC.",
        ),
        Column(
            name="openf1_year",
            openf1_name="year",
            type=ColumnType.INTEGER,
            nullable=False,
            meaning="Season of the session, as OpenF1 says it.",
        ),
        Column(name="location", type=ColumnType.TEXT, meaning="City or area of the circuit."),
        Column(
            name="country_key",
            type=ColumnType.INTEGER,
            meaning="OpenF1's identifier of the country.",
        ),
        Column(
            name="country_code",
            type=ColumnType.TEXT,
            meaning="Country in three letters, as Formula 1 writes it.",
        ),
        Column(name="country_name", type=ColumnType.TEXT, meaning="Country in English."),
        Column(
            name="circuit_key",
            type=ColumnType.INTEGER,
            meaning="OpenF1's identifier of the circuit.",
        ),
        Column(
            name="circuit_short_name", type=ColumnType.TEXT, meaning="Common name of the circuit."
        ),
        Column(
            name="is_cancelled",
            type=ColumnType.BOOLEAN,
            meaning="Whether the session was called off; absent before April 2026.",
        ),
    ),
)
