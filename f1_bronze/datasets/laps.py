"""One row per driver and lap: times, speeds and mini-sectors.

A lap without a time is common in practice and qualifying (in and out laps), and under a red
flag a lap can last most of an hour: neither is an error.
"""

from f1_bronze.datasets.dataset import (
    DRIVER_NUMBER,
    MEETING_KEY,
    SESSION_KEY,
    Column,
    ColumnType,
    Dataset,
)

_SECTORS = tuple(
    Column(
        name=f"duration_sector_{n}",
        type=ColumnType.FLOAT,
        unit="s",
        meaning=f"Time through sector {n}.",
    )
    for n in (1, 2, 3)
)
_SEGMENTS = tuple(
    Column(
        name=f"segments_sector_{n}",
        type=ColumnType.INTEGERS,
        unit="code",
        meaning=(
            f"Mini-sectors of sector {n}: 2048 yellow, 2049 green, 2051 purple, 2064 pit lane; "
            "0 and null are not available."
        ),
    )
    for n in (1, 2, 3)
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
    columns=(
        SESSION_KEY,
        DRIVER_NUMBER,
        Column(
            name="lap_number",
            type=ColumnType.INTEGER,
            nullable=False,
            meaning="Number of the lap in this session for this driver, from 1.",
        ),
        MEETING_KEY,
        Column(
            name="date_start",
            type=ColumnType.TIMESTAMP,
            unit="UTC",
            meaning="Approximate moment at which the lap began.",
        ),
        *_SECTORS,
        Column(
            name="lap_duration",
            type=ColumnType.FLOAT,
            unit="s",
            meaning="Time of the whole lap.",
        ),
        Column(
            name="i1_speed",
            type=ColumnType.INTEGER,
            unit="km/h",
            meaning="Speed at the first intermediate point.",
        ),
        Column(
            name="i2_speed",
            type=ColumnType.INTEGER,
            unit="km/h",
            meaning="Speed at the second intermediate point.",
        ),
        Column(
            name="st_speed",
            type=ColumnType.INTEGER,
            unit="km/h",
            meaning="Speed at the speed trap.",
        ),
        Column(
            name="is_pit_out_lap",
            type=ColumnType.BOOLEAN,
            meaning="Whether the lap began in the pit lane.",
        ),
        *_SEGMENTS,
    ),
)
