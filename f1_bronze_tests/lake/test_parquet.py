"""One partition as bytes: the same rows are the same bytes, on any machine."""

import hashlib
import io
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import EXTRA_FIELDS, Dataset
from f1_bronze.datasets.laps import LAPS
from f1_bronze.datasets.pit_stops import PIT_STOPS
from f1_bronze.datasets.schema import arrow_schema
from f1_bronze.lake.errors import ForeignFile
from f1_bronze.lake.parquet import (
    Provenance,
    file_bytes,
    make_provenance,
    read_file,
    read_table,
    table_bytes,
)
from f1_bronze.lake.records import to_rows
from f1_bronze_tests.conftest import RECORDINGS, needs_recordings

from .examples import BAHRAIN, MOTLEY, RACE_KEY, lap, multiset, pit_stop, records_for

REPOSITORY = Path(__file__).parents[2]
REAL = pytest.mark.parametrize("dataset", DATASETS, ids=lambda dataset: dataset.name)
LAP_RECORDS = [lap(n, driver=driver) for driver in (1, 4, 81) for n in range(1, 6)]


def as_file(dataset: Dataset, records: list[dict[str, Any]], source: str = "laps?x=1") -> bytes:
    rows = to_rows(dataset, records)
    return file_bytes(rows, make_provenance(dataset, BAHRAIN, RACE_KEY, source, rows))


@given(records=records_for(MOTLEY))
@settings(max_examples=100, deadline=None)
def test_records_come_back_from_the_file(records: list[dict[str, Any]]) -> None:
    """The law of the records holds through the bytes of a file."""
    stored = read_file(as_file(MOTLEY, records), "x")
    assert multiset(stored.records(MOTLEY)) == multiset(records)
    assert stored.table.schema == arrow_schema(MOTLEY)
    assert stored.provenance.content_sha256 == to_rows(MOTLEY, records).content_sha256


@given(records=records_for(MOTLEY), data=st.data())
@settings(max_examples=50, deadline=None)
def test_same_rows_same_bytes(records: list[dict[str, Any]], data: st.DataObject) -> None:
    """The order in which the API answered leaves no trace in the file."""
    shuffled = data.draw(st.permutations(records))
    assert as_file(MOTLEY, shuffled) == as_file(MOTLEY, records)


_ELSEWHERE = """
import hashlib, json, sys
from f1_bronze.datasets.laps import LAPS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.lake.parquet import file_bytes, make_provenance
from f1_bronze.lake.records import to_rows

rows = to_rows(LAPS, json.load(sys.stdin))
partition = SessionPartition.parse("2025/bahrain/race")
data = file_bytes(rows, make_provenance(LAPS, partition, 10014, "laps?x=1", rows))
print(hashlib.sha256(data).hexdigest(), hash("a name"))
"""


def test_same_bytes_in_another_process(tmp_path: Path) -> None:
    """Another process, hash seed, working directory and order of records: the same bytes."""
    outputs = []
    for seed in ("1", "2"):
        shuffled = LAP_RECORDS.copy()
        random.Random(seed).shuffle(shuffled)
        folder = tmp_path / seed
        folder.mkdir()
        done = subprocess.run(
            [sys.executable, "-c", _ELSEWHERE],
            input=json.dumps(shuffled),
            capture_output=True,
            text=True,
            check=True,
            cwd=folder,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(REPOSITORY)},
        )
        outputs.append(done.stdout.split())
    here = hashlib.sha256(as_file(LAPS, LAP_RECORDS)).hexdigest()
    assert [sha256 for sha256, _ in outputs] == [here, here]
    assert outputs[0][1] != outputs[1][1], "the hash seeds made no difference: nothing was proven"


def test_other_identity_other_bytes() -> None:
    """The source is part of the file: another query gives another file with the same content."""
    one, other = as_file(LAPS, LAP_RECORDS), as_file(LAPS, LAP_RECORDS, source="laps?x=2")
    assert one != other
    assert read_file(one, "x").table.equals(read_file(other, "x").table)


def test_metadata() -> None:
    """The key-value metadata says which partition the file holds, and nothing of who wrote it."""
    rows = to_rows(PIT_STOPS, [pit_stop(10)])
    provenance = make_provenance(PIT_STOPS, BAHRAIN, RACE_KEY, "pit?session_key=10014", rows)
    metadata = pq.read_metadata(io.BytesIO(file_bytes(rows, provenance))).metadata
    assert metadata == {
        b"f1_bronze.dataset": b"pit_stops",
        b"f1_bronze.partition": b"2025/bahrain/race",
        b"f1_bronze.session_key": b"10014",
        b"f1_bronze.schema_version": b"1",
        b"f1_bronze.source": b"pit?session_key=10014",
        b"f1_bronze.content_sha256": rows.content_sha256.encode(),
        b"f1_bronze.absent_columns": b'["lane_duration", "stop_duration"]',
    }


def test_provenance_reads_back() -> None:
    """What a file says of itself is read as it was written."""
    rows = to_rows(PIT_STOPS, [pit_stop(10)])
    provenance = make_provenance(PIT_STOPS, BAHRAIN, RACE_KEY, "pit?session_key=10014", rows)
    assert read_file(file_bytes(rows, provenance), "x").provenance == provenance
    assert provenance == Provenance(
        dataset="pit_stops",
        partition="2025/bahrain/race",
        session_key=RACE_KEY,
        schema_version=1,
        source="pit?session_key=10014",
        content_sha256=rows.content_sha256,
        absent_columns=("lane_duration", "stop_duration"),
    )


def test_snappy() -> None:
    """Every column is compressed with snappy, in the version of the format that all can read."""
    metadata = pq.read_metadata(io.BytesIO(as_file(LAPS, LAP_RECORDS)))
    group = metadata.row_group(0)
    assert {group.column(n).compression for n in range(group.num_columns)} == {"SNAPPY"}
    assert metadata.format_version == "2.6"


def test_row_groups() -> None:
    """Above 50,000 rows there are several row groups, none larger."""
    one = to_rows(LAPS, [lap(1)]).table
    table = one.take(pa.array([0] * 120_000))
    metadata = pq.read_metadata(io.BytesIO(table_bytes(table)))
    sizes = [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)]
    assert sizes == [50_000, 50_000, 20_000]


@REAL
def test_schema_is_the_same_whatever_the_rows(dataset: Dataset) -> None:
    """Empty, all null, or full: every file of a dataset has one Parquet schema, all typed."""
    bare = dict.fromkeys(dataset.key, 1)
    nulls = {column.field: bare.get(column.name) for column in dataset.columns}
    files = [as_file(dataset, records) for records in ([], [bare], [nulls], [{**nulls, "new": 1}])]
    schemas = [pq.ParquetFile(io.BytesIO(data)) for data in files]
    assert all(file.schema.equals(schemas[0].schema) for file in schemas)
    assert all(file.schema_arrow.equals(arrow_schema(dataset)) for file in schemas)
    columns = schemas[0].schema
    assert all(columns.column(n).logical_type.type != "NULL" for n in range(len(columns)))


def test_parquet_types() -> None:
    """The types that other engines see: moments are adjusted to UTC, lists have an `element`."""
    schema = pq.ParquetFile(io.BytesIO(as_file(LAPS, []))).schema
    found = {
        column.path: f"{column.physical_type} {column.logical_type}"
        for column in (schema.column(n) for n in range(len(schema)))
    }
    assert found["lap_number"] == "INT64 None"
    assert found["lap_duration"] == "DOUBLE None"
    assert found["is_pit_out_lap"] == "BOOLEAN None"
    assert found["extra_fields"] == "BYTE_ARRAY String"
    assert "isAdjustedToUTC=true, timeUnit=microseconds" in found["date_start"]
    assert found["segments_sector_1.list.element"] == "INT64 None"


def test_no_pandas_index() -> None:
    """The file is no pickled frame: no index column and no pandas metadata."""
    schema = pq.read_schema(io.BytesIO(as_file(LAPS, LAP_RECORDS)))
    assert "__index_level_0__" not in schema.names
    assert b"pandas" not in (schema.metadata or {})
    assert b"ARROW:schema" not in (schema.metadata or {})


# Files that are not ours


GOOD = {key.encode(): value.encode() for key, value in Provenance(
    dataset="laps", partition="2025/bahrain/race", session_key=1, schema_version=1,
    source="laps?session_key=1", content_sha256="ab",
).to_metadata().items()}  # fmt: skip


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"PAR1", id="magic only"),
        pytest.param(b"PAR1PAR1PAR1", id="magic thrice"),
        pytest.param(b'[{"session_key": 1}]', id="JSON"),
        pytest.param(bytes(1000), id="zeros"),
        pytest.param(as_file(LAPS, LAP_RECORDS)[:-1], id="last byte missing"),
        pytest.param(as_file(LAPS, LAP_RECORDS)[:2000], id="half"),
        pytest.param(as_file(LAPS, LAP_RECORDS)[100:], id="head missing"),
        pytest.param(as_file(LAPS, LAP_RECORDS)[:-8] + b"\xff\xff\xff\x7fPAR1", id="footer length"),
    ],
)
def test_no_whole_parquet_file(data: bytes) -> None:
    """Garbage and cut files are refused by name, with what to do."""
    with pytest.raises(ForeignFile, match=r"^file:///lake/x\.parquet is no whole Parquet file\. "):
        read_file(data, "file:///lake/x.parquet")
    with pytest.raises(ForeignFile, match="Move it out of the lake"):
        read_table(data, "file:///lake/x.parquet")


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param(None, id="none"),
        pytest.param({b"writer": b"spark"}, id="of another writer"),
        pytest.param({b"thumbnail": b"\xff\xd8\xff\xe0"}, id="bytes that are no text"),
        pytest.param({**GOOD, b"f1_bronze.partition": b"\xff"}, id="value that is no text"),
        pytest.param({**GOOD, b"f1_bronze.session_key": b"x"}, id="session_key is no number"),
        pytest.param({**GOOD, b"f1_bronze.absent_columns": b"["}, id="absent_columns is no JSON"),
        pytest.param({**GOOD, b"f1_bronze.absent_columns": b"1"}, id="absent_columns is no list"),
        *(
            pytest.param(
                {k: v for k, v in GOOD.items() if k != gone}, id=f"without {gone.decode()}"
            )
            for gone in GOOD
        ),
    ],
)
def test_parquet_of_someone_else(metadata: dict[bytes, bytes] | None) -> None:
    """A Parquet file that does not say which partition it holds is refused by name."""
    data = io.BytesIO()
    with pq.ParquetWriter(data, pa.schema({"a": pa.int64()}), store_schema=False) as writer:
        writer.write_table(pa.table({"a": [1]}))
        writer.add_key_value_metadata(metadata or {})
    with pytest.raises(ForeignFile, match=r"^file:///x does not say") as raised:
        read_file(data.getvalue(), "file:///x")
    assert "was not written by this project" in str(raised.value)
    assert "Move it out" in str(raised.value)


WHOLE = as_file(LAPS, LAP_RECORDS)


@given(
    position=st.integers(0, len(WHOLE) - 1),
    byte=st.integers(0, 255),
)
@settings(max_examples=400, deadline=None)
def test_flipped_byte_never_surprises(position: int, byte: int) -> None:
    """One wrong byte anywhere gives a file or a ForeignFile, never another error."""
    data = bytearray(WHOLE)
    data[position] = byte
    try:
        stored = read_file(bytes(data), "x")
    except ForeignFile:
        return
    assert stored.provenance.session_key >= 0


def test_other_metadata_does_no_harm() -> None:
    """Pairs that another tool added, texts or not, are passed over."""
    metadata = {**GOOD, b"thumbnail": b"\xff\xd8\xff\xe0", b"writer.model.name": b"example"}
    assert Provenance.from_metadata(metadata, "x").session_key == 1


def test_table_bytes_without_metadata() -> None:
    """A table that is no dataset is stored as it is."""
    table = pa.table({"driver": ["NOR"], "points": [25.0]})
    assert read_table(table_bytes(table), "x").equals(table)


@needs_recordings
@pytest.mark.parametrize("dataset", DATASETS[1:], ids=lambda dataset: dataset.name)
def test_recorded_answers(dataset: Dataset) -> None:
    """Each answer comes back record for record from its file, and nothing is in extra_fields."""
    files = sorted((RECORDINGS / dataset.endpoint).glob("*.json"))
    assert files
    for file in files:
        records = json.loads(file.read_bytes())
        stored = read_file(as_file(dataset, records), file.name)
        assert multiset(stored.records(dataset)) == multiset(records), file.name
        extra = stored.table.column(EXTRA_FIELDS)
        assert extra.null_count == len(records), (file.name, extra.drop_null()[0])


@needs_recordings
@pytest.mark.parametrize("year", [2024, 2026])
def test_recorded_sessions(year: int) -> None:
    """Each session of the recorded calendars comes back alone, as it is stored."""
    sessions = DATASETS[0]
    records = json.loads((RECORDINGS / "sessions" / f"{year}.json").read_bytes())
    assert len(records) > 20
    for record in records:
        stored = read_file(as_file(sessions, [record]), "x")
        assert multiset(stored.records(sessions)) == multiset([record])
        assert stored.table.column(EXTRA_FIELDS).null_count == 1
        assert stored.table.column("openf1_year").to_pylist() == [year]
