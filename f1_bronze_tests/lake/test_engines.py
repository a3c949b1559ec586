"""A dataset's folder as others read it: Arrow datasets, pandas and DuckDB, without our code."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset
import pytest

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.datasets.schema import arrow_schema
from f1_bronze.lake.lake import Lake
from f1_bronze.lake.local import LocalStore

from .candidates import candidate
from .examples import lap, pit_stop, session

REAL = pytest.mark.parametrize("dataset", DATASETS, ids=lambda dataset: dataset.name)

_RECORDS: dict[str, list[dict[str, Any]]] = {
    "sessions": [session(0, 2024, "Race", "Race")],
    "laps": [lap(1), lap(2, st_speed="fast", tyre="SOFT")],
    "pit_stops": [pit_stop(10), pit_stop(None)],
    "results": [
        {"driver_number": 4, "position": 1, "points": 25, "duration": 5400.5, "gap_to_leader": 0},
        {"driver_number": 81, "position": None, "points": 0.0, "gap_to_leader": "+1 LAP"},
    ],
}
_BARE = {"driver_number": 4, "stint_number": 1, "lap_number": 1}
PARTITIONS = {
    9001: "2023/bahrain/race",
    9002: "2024/bahrain/race",
    9003: "2024/sao_paulo/sprint_qualifying",
    9004: "2025/70th_anniversary/qualifying",
}
EMPTY = "2023/bahrain/race"
"""This partition has landed without rows, before all others."""


def rows_of_session(dataset: Dataset, session_key: int) -> list[dict[str, Any]]:
    """Records of one session: none, all null but the key, or sound."""
    if PARTITIONS[session_key] == EMPTY:
        return []
    bare = {name: _BARE[name] for name in dataset.key if name != "session_key"}
    records = [bare] if session_key == 9004 else _RECORDS.get(dataset.name, [bare])
    return [{**record, "session_key": session_key} for record in records]


@pytest.fixture
def folder(tmp_path: Path, dataset: Dataset) -> str:
    """The folder of a dataset with four partitions, one of them empty and one nearly null."""
    lake = Lake(LocalStore(tmp_path))
    for session_key, partition in PARTITIONS.items():
        lake.land(
            candidate(
                rows_of_session(dataset, session_key),
                dataset=dataset,
                partition=SessionPartition.parse(partition),
                session_key=session_key,
            )
        )
    (tmp_path / "bronze" / dataset.name / "year=2023" / ".unfinished-x").write_bytes(b"torn")
    return str(tmp_path / "bronze" / dataset.name)


def expected(dataset: Dataset) -> list[tuple[int, str, str, int]]:
    """Year, Grand Prix, session type and session key of every row."""
    found = []
    for session_key, partition in PARTITIONS.items():
        year, grand_prix, session_type = partition.split("/")
        for _ in rows_of_session(dataset, session_key):
            found.append((int(year), grand_prix, session_type, session_key))
    return found


@REAL
def test_arrow_dataset(dataset: Dataset, folder: str) -> None:
    """An Arrow dataset finds our schema and the three partition columns, and every row."""
    found = pyarrow.dataset.dataset(folder, format="parquet", partitioning="hive")
    columns = arrow_schema(dataset)
    assert found.schema.names == [*columns.names, "year", "grand_prix", "session_type"]
    assert pa.schema(list(found.schema)[: len(columns)]).equals(columns)
    rows = found.to_table().select(["year", "grand_prix", "session_type", "session_key"])
    assert sorted(tuple(row.values()) for row in rows.to_pylist()) == expected(dataset)


@REAL
def test_pandas(dataset: Dataset, folder: str) -> None:
    """pandas reads the folder, partition columns included."""
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.read_parquet(folder)
    assert set(frame.columns) == {
        *arrow_schema(dataset).names,
        "year",
        "grand_prix",
        "session_type",
    }
    rows = zip(
        frame["year"].astype(int),
        frame["grand_prix"].astype(str),
        frame["session_type"].astype(str),
        frame["session_key"],
        strict=True,
    )
    assert sorted(rows) == expected(dataset)


@REAL
def test_duckdb(dataset: Dataset, folder: str) -> None:
    """DuckDB reads the folder without having to reconcile schemas by name."""
    duckdb = pytest.importorskip("duckdb", reason="DuckDB is not installed")
    source = (
        f"read_parquet('{folder}/**/*.parquet', hive_partitioning = true, union_by_name = false)"
    )
    with duckdb.connect() as connection:
        types = connection.sql(f"select column_name, column_type from (describe from {source})")
        named = dict(types.fetchall())
        rows = connection.sql(
            f"select year, grand_prix, session_type, session_key from {source} order by all"
        ).fetchall()
    names = {
        pa.int64(): "BIGINT",
        pa.float64(): "DOUBLE",
        pa.string(): "VARCHAR",
        pa.bool_(): "BOOLEAN",
        pa.timestamp("us", tz="UTC"): "TIMESTAMP WITH TIME ZONE",
        pa.list_(pa.field("element", pa.int64())): "BIGINT[]",
    }
    assert named == {
        **{field.name: names[field.type] for field in arrow_schema(dataset)},
        "year": "BIGINT",
        "grand_prix": "VARCHAR",
        "session_type": "VARCHAR",
    }
    assert rows == expected(dataset)


@pytest.mark.parametrize("dataset", [next(d for d in DATASETS if d.name == "laps")])
def test_duckdb_values(dataset: Dataset, folder: str) -> None:
    """Moments are moments, lists are lists, and extra_fields can be asked as JSON."""
    duckdb = pytest.importorskip("duckdb", reason="DuckDB is not installed")
    with duckdb.connect() as connection:
        rows = connection.sql(
            f"""
            select
                lap_number, epoch_us(date_start), segments_sector_1, st_speed, extra_fields
            from read_parquet('{folder}/**/*.parquet', hive_partitioning = true)
            where year = 2024 and grand_prix = 'bahrain'
            order by lap_number
            """
        ).fetchall()
    assert rows == [
        (1, 1744556460123000, [2048, 2049, None, 2051], 301, None),
        (
            2,
            1744556520123000,
            [2048, 2049, None, 2051],
            None,
            '{"st_speed":"fast","tyre":"SOFT"}',
        ),
    ]


@REAL
def test_our_own_table(dataset: Dataset, folder: str) -> None:
    """What `Lake.table` gives agrees with the engines, partition columns in front."""
    table = Lake(LocalStore(Path(folder).parents[1])).table(dataset)
    assert table.column_names == [
        "year",
        "grand_prix",
        "session_type",
        *arrow_schema(dataset).names,
    ]
    rows = table.select(["year", "grand_prix", "session_type", "session_key"]).to_pylist()
    assert [tuple(row.values()) for row in rows] == expected(dataset)
