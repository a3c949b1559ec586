"""One row per driver and session: the classification.

Two fields change their type from row to row and are JSON text: in qualifying they are lists of
three (Q1, Q2, Q3), in a race numbers or texts such as "+1 LAP". Stewards correct results days
after a race.
"""

from f1_bronze.datasets.dataset import (
    DRIVER_NUMBER,
    MEETING_KEY,
    SESSION_KEY,
    Column,
    ColumnType,
    Dataset,
)

RESULTS = Dataset(
    name="results",
    endpoint="session_result",
    description=__doc__,
    critical=True,
    key=("session_key", "driver_number"),
    expected_rows={"": 22},
    columns=(
        SESSION_KEY,
        DRIVER_NUMBER,
        MEETING_KEY,
        Column(
            name="position",
            type=ColumnType.INTEGER,
            meaning="Final position, 1 is the winner; null for most who are not classified.",
        ),
        Column(
            name="points",
            type=ColumnType.FLOAT,
            unit="championship points",
            meaning="Points won; only race and sprint have them.",
        ),
        Column(
            name="number_of_laps",
            type=ColumnType.INTEGER,
            unit="laps",
            meaning="Laps driven in the session.",
        ),
        Column(
            name="duration",
            type=ColumnType.JSON,
            unit="s",
            meaning="Race: total time. Practice: best lap. Qualifying: best laps of Q1, Q2, Q3.",
        ),
        Column(
            name="gap_to_leader",
            type=ColumnType.JSON,
            unit="s",
            meaning='Time behind the first, or "+1 LAP"; a list of three in qualifying.',
        ),
        Column(name="dnf", type=ColumnType.BOOLEAN, meaning="Did not finish."),
        Column(name="dns", type=ColumnType.BOOLEAN, meaning="Did not start."),
        Column(name="dsq", type=ColumnType.BOOLEAN, meaning="Disqualified."),
    ),
)
