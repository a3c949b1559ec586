"""One row per pit-lane visit of a race or sprint: when and how long.

Under a red flag the whole field waits in the pit lane, so times of many minutes are real.
Some early races have no rows at all, and a few rows have no lap number.
"""

from f1_bronze.datasets.dataset import (
    DRIVER_NUMBER,
    MEETING_KEY,
    RACE_TYPES,
    SESSION_KEY,
    Column,
    ColumnType,
    Dataset,
)

PIT_STOPS = Dataset(
    name="pit_stops",
    endpoint="pit",
    description=__doc__,
    critical=False,
    session_types=RACE_TYPES,
    key=("session_key", "driver_number", "lap_number"),
    expected_rows={"": 100},
    columns=(
        SESSION_KEY,
        DRIVER_NUMBER,
        Column(
            name="lap_number",
            type=ColumnType.INTEGER,
            meaning="Lap on which the car came in; null in two rows of the 2024 Qatar race.",
        ),
        MEETING_KEY,
        Column(
            name="date",
            type=ColumnType.TIMESTAMP,
            unit="UTC",
            meaning="Moment at which the car was in the pit lane.",
        ),
        Column(
            name="lane_duration",
            type=ColumnType.FLOAT,
            unit="s",
            meaning="Time from entering to leaving the pit lane; absent before January 2026.",
        ),
        Column(
            name="pit_duration",
            type=ColumnType.FLOAT,
            unit="s",
            meaning="The same time under its older name; gone after 2026.",
        ),
        Column(
            name="stop_duration",
            type=ColumnType.FLOAT,
            unit="s",
            meaning="Time at a standstill; null before the 2024 United States Grand Prix.",
        ),
    ),
)
