"""One row per driver and stint of a race or sprint: which tyres, from lap to lap.

A stint is the running on one set of tyres. Upstream's stints sometimes overlap or end before
they start; they are stored as they came.
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

STINTS = Dataset(
    name="stints",
    endpoint="stints",
    description=__doc__,
    critical=False,
    session_types=RACE_TYPES,
    key=("session_key", "driver_number", "stint_number"),
    expected_rows={"": 100},
    columns=(
        SESSION_KEY,
        DRIVER_NUMBER,
        Column(
            name="stint_number",
            type=ColumnType.INTEGER,
            nullable=False,
            meaning="Number of the stint in this session for this driver, from 1.",
        ),
        MEETING_KEY,
        Column(
            name="lap_start", type=ColumnType.INTEGER, unit="lap", meaning="First lap of the stint."
        ),
        Column(
            name="lap_end", type=ColumnType.INTEGER, unit="lap", meaning="Last lap of the stint."
        ),
        Column(
            name="compound",
            type=ColumnType.TEXT,
            meaning="SOFT, MEDIUM, HARD, INTERMEDIATE or WET; also UNKNOWN, TEST_UNKNOWN, null.",
        ),
        Column(
            name="tyre_age_at_start",
            type=ColumnType.INTEGER,
            unit="laps",
            meaning="Laps already driven on the set when the stint began.",
        ),
    ),
)
