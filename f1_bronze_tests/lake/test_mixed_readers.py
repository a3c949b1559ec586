"""Arrow, pandas and DuckDB over a mixed lake (docs/guides/reading.md), and how schemas evolve."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.dataset
import pytest

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import Column, ColumnType, Dataset
from f1_bronze.lake.catalog import dataset_table
from f1_bronze.lake.landing import Revision
from f1_bronze.lake.local import LocalStore
from f1_bronze.lake.parquet import read_file
from f1_bronze.lake.sql import Views, view_schema

from . import mixed_lake

REAL = pytest.mark.parametrize("dataset", DATASETS, ids=lambda dataset: dataset.name)
BY_NAME = {dataset.name: dataset for dataset in DATASETS}
DUCKDB_TYPES = {
    "bigint": "BIGINT",
    "double": "DOUBLE",
    "string": "VARCHAR",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "array<bigint>": "BIGINT[]",
}


@pytest.fixture
def folder(tmp_path: Path, dataset: Dataset) -> str:
    """The dataset's folder in a mixed lake."""
    return mixed_lake.fill(tmp_path, dataset)


def from_views(root: Path, dataset: Dataset) -> list[tuple[Any, ...]]:
    """All rows as `f1-bronze sql` sees them."""
    with Views(LocalStore(root)).answer(f"SELECT * FROM {dataset.name}") as relation:
        return mixed_lake.comparable(relation.fetchall())


def from_arrow(folder: str, dataset: Dataset) -> pa.Table:
    """All rows by pyarrow.dataset with the declared schema."""
    return pyarrow.dataset.dataset(
        folder, schema=view_schema(dataset), partitioning="hive"
    ).to_table()


@REAL
def test_every_row_is_there(dataset: Dataset, folder: str, tmp_path: Path) -> None:
    """The views give each landed row once, with the columns of its partition."""
    columns = ", ".join(mixed_lake.columns_of_expected(dataset))
    with Views(LocalStore(tmp_path)).answer(f"SELECT {columns} FROM {dataset.name}") as relation:
        assert mixed_lake.comparable(relation.fetchall()) == mixed_lake.expected(dataset)


@REAL
def test_arrow(dataset: Dataset, folder: str, tmp_path: Path) -> None:
    """pyarrow.dataset with the declared schema: its columns and types, and the same rows."""
    table = from_arrow(folder, dataset)
    assert table.schema.equals(view_schema(dataset))
    rows = mixed_lake.comparable(tuple(row.values()) for row in table.to_pylist())
    assert rows == from_views(tmp_path, dataset)


@REAL
def test_pandas(dataset: Dataset, folder: str, tmp_path: Path) -> None:
    """pandas with the declared schema and Arrow's types: nothing becomes a float or an object."""
    import pandas as pd

    frame = pd.read_parquet(folder, schema=view_schema(dataset), dtype_backend="pyarrow")
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    assert table.schema.equals(view_schema(dataset))
    rows = mixed_lake.comparable(tuple(row.values()) for row in table.to_pylist())
    assert rows == from_views(tmp_path, dataset)


@REAL
def test_duckdb(dataset: Dataset, folder: str, tmp_path: Path) -> None:
    """DuckDB alone with union_by_name: the table's columns in its own types, and the same rows."""
    source = f"read_parquet('{folder}/**/*.parquet', hive_partitioning=true, union_by_name=true)"
    table = dataset_table(dataset)
    names = [column.name for column in (*table.columns, *table.partition_keys)]
    with duckdb.connect() as connection:
        relation = connection.sql(f"SELECT {', '.join(names)} FROM {source}")
        types = dict(zip(relation.columns, map(str, relation.types), strict=True))
        assert types == {
            column.name: DUCKDB_TYPES[column.type]
            for column in (*table.columns, *table.partition_keys)
        }
        assert mixed_lake.comparable(relation.fetchall()) == from_views(tmp_path, dataset)


@REAL
def test_without_the_schema_a_column_is_missed(
    dataset: Dataset, folder: str, tmp_path: Path
) -> None:
    """Readers that look at one file only miss the new column, until that file is written again."""
    found = pyarrow.dataset.dataset(folder, partitioning="hive")
    assert set(view_schema(dataset).names) - set(found.schema.names) == mixed_lake.unseen(dataset)
    mixed_lake.put(tmp_path, mixed_lake.after(dataset), 9000)
    found = pyarrow.dataset.dataset(folder, partitioning="hive")
    assert set(found.schema.names) == set(view_schema(dataset).names)


def test_a_column_is_added(tmp_path: Path) -> None:
    """A value that no column could hold moves from extra_fields into the new one when written."""
    laps = BY_NAME["laps"]
    mixed_lake.fill(tmp_path, laps)
    query = (
        "SELECT lap_number, segments_sector_3, extra_fields->>'segments_sector_3' FROM laps "
        "WHERE year = 2022 ORDER BY lap_number LIMIT 1"
    )
    with Views(LocalStore(tmp_path)).answer(query) as relation:
        assert relation.fetchall() == [(1, None, "[2049,null]")]
    assert mixed_lake.put(tmp_path, mixed_lake.after(laps), 9000).revision is Revision.CHANGED
    with Views(LocalStore(tmp_path)).answer(query) as relation:
        assert relation.fetchall() == [(1, [2049, None], None)]


@pytest.mark.parametrize(
    ("name", "field"), [("pit_stops", "pit_duration"), ("drivers", "country_code")]
)
def test_a_field_vanishes_upstream(tmp_path: Path, name: str, field: str) -> None:
    """The column stays, null where the field is gone, and rebuilt records do not have the field."""
    dataset = BY_NAME[name]
    gone = [
        {key: value for key, value in record.items() if key != field}
        for record in mixed_lake.records(dataset, 9003)
    ]
    mixed_lake.put(tmp_path, dataset, 9002)
    mixed_lake.put(tmp_path, dataset, 9003, gone)
    with Views(LocalStore(tmp_path)).answer(
        f"SELECT session_key, count({field}), count(*) FROM {name} GROUP BY 1 ORDER BY 1"
    ) as relation:
        there = sum(field in record for record in mixed_lake.records(dataset, 9002))
        assert relation.fetchall() == [(9002, there, 2), (9003, 0, 2)]
    [file] = (tmp_path / "bronze" / name).rglob(f"{name}_9003.parquet")
    stored = read_file(file.read_bytes(), file.name)
    assert field in stored.provenance.absent_columns
    assert [record for record in stored.records(dataset) if field in record] == []


def test_a_type_changes(tmp_path: Path) -> None:
    """A new type is a new column over the same field: old rows null until they land again."""
    laps = BY_NAME["laps"]
    mixed_lake.put(tmp_path, laps, 9002)
    changed = replace(
        laps,
        schema_version=laps.schema_version + 1,
        columns=tuple(
            Column(
                name="i1_speed_kmh",
                openf1_name="i1_speed",
                type=ColumnType.FLOAT,
                meaning="Speed at the first intermediate point.",
            )
            if column.name == "i1_speed"
            else column
            for column in laps.columns
        ),
    )
    mixed_lake.put(
        tmp_path, changed, 9003, [{**r, "i1_speed": 230.5} for r in mixed_lake.records(laps, 9003)]
    )
    folder = str(tmp_path / "bronze/laps")
    assert from_arrow(folder, changed)["i1_speed_kmh"].to_pylist() == [None, None, 230.5, 230.5]
    assert mixed_lake.put(tmp_path, changed, 9002).revision is Revision.CHANGED
    assert from_arrow(folder, changed)["i1_speed_kmh"].to_pylist() == [230.0, 230.0, 230.5, 230.5]
    [file] = Path(folder).rglob("laps_9002.parquet")
    rebuilt = read_file(file.read_bytes(), file.name).records(changed)
    assert [record["i1_speed"] for record in rebuilt] == [230.0, 230.0]
