"""The six datasets, spelled out: what is said here is promised to users."""

import pytest

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import PARTITION_COLUMNS, Column, Dataset

BY_NAME = {dataset.name: dataset for dataset in DATASETS}
RACES_ONLY = frozenset({"race", "sprint"})

FIELDS = {
    "sessions": (
        "session_key session_type session_name date_start date_end meeting_key circuit_key "
        "circuit_short_name country_key country_code country_name location gmt_offset year "
        "is_cancelled"
    ),
    "drivers": (
        "meeting_key session_key driver_number broadcast_name full_name name_acronym team_name "
        "team_colour first_name last_name headshot_url country_code"
    ),
    "results": (
        "session_key meeting_key driver_number position number_of_laps dnf dns dsq points "
        "duration gap_to_leader"
    ),
    "laps": (
        "meeting_key session_key driver_number lap_number date_start duration_sector_1 "
        "duration_sector_2 duration_sector_3 lap_duration i1_speed i2_speed st_speed "
        "is_pit_out_lap segments_sector_1 segments_sector_2 segments_sector_3"
    ),
    "stints": (
        "meeting_key session_key stint_number driver_number lap_start lap_end compound "
        "tyre_age_at_start"
    ),
    "pit_stops": (
        "date session_key meeting_key driver_number lap_number lane_duration pit_duration "
        "stop_duration"
    ),
}
"""Every field of OpenF1's answers by our name of the dataset (OPENF1.md, Endpoints and fields)."""

ALL_COLUMNS = [(dataset, column) for dataset in DATASETS for column in dataset.columns]


def test_roll_call() -> None:
    """The names are these, sessions first, because the others are asked by its session_key."""
    assert [dataset.name for dataset in DATASETS] == [
        "sessions",
        "drivers",
        "results",
        "laps",
        "stints",
        "pit_stops",
    ]


@pytest.mark.parametrize(
    ("name", "endpoint", "key", "critical", "session_types"),
    [
        ("sessions", "sessions", ("session_key",), True, None),
        ("drivers", "drivers", ("session_key", "driver_number"), True, None),
        ("results", "session_result", ("session_key", "driver_number"), True, None),
        ("laps", "laps", ("session_key", "driver_number", "lap_number"), False, None),
        ("stints", "stints", ("session_key", "driver_number", "stint_number"), False, RACES_ONLY),
        ("pit_stops", "pit", ("session_key", "driver_number", "lap_number"), False, RACES_ONLY),
    ],
)
def test_declaration(
    name: str,
    endpoint: str,
    key: tuple[str, ...],
    critical: bool,
    session_types: frozenset[str] | None,
) -> None:
    """Endpoint, key, criticality and session types of each dataset are as promised."""
    dataset = BY_NAME[name]
    assert dataset.endpoint == endpoint
    assert dataset.key == key
    assert dataset.critical is critical
    assert dataset.session_types == session_types


@pytest.mark.parametrize("name", FIELDS)
def test_columns_cover_the_endpoint(name: str) -> None:
    """Each field of the endpoint has exactly one column, and there is no other column."""
    fields = [column.field for column in BY_NAME[name].columns]
    assert sorted(fields) == sorted(FIELDS[name].split())


def test_only_two_columns_have_another_name_than_their_field() -> None:
    """sessions renames the two fields that are called like partition folders, and none else."""
    renamed = {(d.name, c.field, c.name) for d, c in ALL_COLUMNS if c.field != c.name}
    assert renamed == {
        ("sessions", "year", "openf1_year"),
        ("sessions", "session_type", "openf1_session_type"),
    }


def test_partition_columns() -> None:
    """The hive folders are these three, in this order."""
    assert PARTITION_COLUMNS == ("year", "grand_prix", "session_type")


@pytest.mark.parametrize(
    ("dataset", "column"), [pytest.param(d, c, id=f"{d.name}.{c.name}") for d, c in ALL_COLUMNS]
)
def test_column_has_a_meaning(dataset: Dataset, column: Column) -> None:
    """Each column explains itself in a sentence, which its description begins with."""
    assert column.meaning.endswith((".", "…"))
    assert len(column.meaning) >= len("A word.")
    assert column.description.startswith(column.meaning)
    assert dataset.column(column.name) is column


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda dataset: dataset.name)
def test_dataset_explains_itself(dataset: Dataset) -> None:
    """Each description says first what one row is."""
    assert dataset.description.startswith("One row per ")


def test_key_columns_are_never_null_except_the_lap_of_a_pit_stop() -> None:
    """Upstream knows pit stops without a lap; any other record without its key is unfit."""
    nullable = {(d.name, n) for d in DATASETS for n in d.key if d.column(n).nullable}
    assert nullable == {("pit_stops", "lap_number")}


@pytest.mark.parametrize(
    ("name", "session_type", "exists", "rows"),
    [
        ("laps", "race", True, 1300),
        ("laps", "practice_1", True, 600),
        ("stints", "race", True, 100),
        ("stints", "sprint", True, 100),
        ("stints", "qualifying", False, 100),
        ("pit_stops", "sprint_qualifying", False, 100),
        ("sessions", "day_1", True, 1),
    ],
)
def test_session_types(name: str, session_type: str, exists: bool, rows: int) -> None:
    """stints and pit_stops are of races and sprints; expected rows fall back to the usual."""
    assert BY_NAME[name].exists_for(session_type) is exists
    assert BY_NAME[name].expected_rows_for(session_type) == rows
