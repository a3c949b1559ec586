"""How small the files are, and that readers can leave out what they do not ask for."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.dataset
import pyarrow.fs
import pyarrow.parquet as pq
import pytest

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.schema import arrow_schema
from f1_bronze.lake.parquet import file_bytes, make_provenance, table_bytes
from f1_bronze.lake.records import to_rows
from f1_bronze_tests.conftest import RECORDINGS, needs_recordings

from .examples import BAHRAIN, RACE_KEY

SMALLER = 0.7
"""The share of the JSON's bytes that Parquet must save, over all datasets."""

Answer = tuple[Dataset, int, list[dict[str, Any]], int]


def stored_bytes(dataset: Dataset, session_key: int, records: list[dict[str, Any]]) -> bytes:
    """The file of one session's records."""
    rows = to_rows(dataset, records)
    source = f"{dataset.endpoint}?session_key={session_key}"
    return file_bytes(rows, make_provenance(dataset, BAHRAIN, session_key, source, rows))


def saved(answers: Iterable[Answer]) -> tuple[float, int]:
    """The share of JSON's bytes that the files save, and the number of files."""
    sizes = Counter[str]()
    for dataset, session_key, records, size in answers:
        sizes["json"] += size
        sizes["parquet"] += len(stored_bytes(dataset, session_key, records))
        sizes["files"] += 1
    return 1 - sizes["parquet"] / sizes["json"], sizes["files"]


def season_of(seasons: Any) -> list[tuple[Dataset, Mapping[str, Any]]]:
    """What is ingested of 2025 by default: datasets and their sessions."""
    return [
        (dataset, session)
        for session in seasons.sessions()
        if session["year"] == 2025 and session["session_name"] in ("Race", "Qualifying")
        for dataset in DATASETS
        if dataset.exists_for(session["session_name"].lower())
    ]


def simulated(seasons: Any, files: Iterable[tuple[Dataset, Mapping[str, Any]]]) -> Iterator[Answer]:
    """Answers, their size as the tightest JSON."""
    for dataset, session in files:
        key = session["session_key"]
        alone = dataset.name == "sessions"
        records = [session] if alone else list(seasons.rows(dataset.endpoint, key))
        text = json.dumps(records, separators=(",", ":"), ensure_ascii=False)
        yield dataset, key, records, len(text.encode())


def recorded() -> Iterator[Answer]:
    """Every recorded answer at the size in which it came; sessions one by one, as stored."""
    for dataset in DATASETS[1:]:
        for file in sorted((RECORDINGS / dataset.endpoint).glob("*.json")):
            data = file.read_bytes()
            yield dataset, int(file.stem), json.loads(data), len(data)
    for session in json.loads((RECORDINGS / "sessions/2024.json").read_bytes()):
        yield DATASETS[0], session["session_key"], [session], len(json.dumps([session]))


def test_a_season_is_smaller_than_its_json(seasons: Any) -> None:
    """A simulated season is 240 files; six of its weekends save 70 percent of the JSON, footers
    included, and the others are alike."""
    season = season_of(seasons)
    assert len(season) == 240
    share, files = saved(simulated(seasons, season[:60]))
    assert files == 60
    assert share >= SMALLER


@needs_recordings
def test_recorded_answers_are_smaller_as_files() -> None:
    """So are the recorded answers, although their many small sessions are mostly footers."""
    share, files = saved(recorded())
    assert files > 300
    assert share >= SMALLER


@pytest.fixture(scope="module")
def large_file() -> bytes:
    """A file of 120,000 laps in three row groups, in the order of the dataset's key."""
    schema = arrow_schema(DATASETS[3])
    drivers, laps = range(100), range(1, 1201)
    values = {
        "session_key": [RACE_KEY] * 120_000,
        "driver_number": [driver for driver in drivers for _ in laps],
        "lap_number": [lap for _ in drivers for lap in laps],
        "lap_duration": [90.5] * 120_000,
    }
    columns = [
        pa.array(values[field.name], field.type)
        if field.name in values
        else pa.nulls(120_000, field.type)
        for field in schema
    ]
    return table_bytes(pa.Table.from_arrays(columns, schema=schema))


def test_each_row_group_has_statistics(large_file: bytes) -> None:
    """Every row group of 50,000 says least, greatest and nulls of each plain column."""
    metadata = pq.read_metadata(pa.BufferReader(large_file))
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    assert [group.num_rows for group in groups] == [50_000, 50_000, 20_000]
    for group in groups:
        for number in range(group.num_columns):
            column = group.column(number)
            assert column.is_stats_set, column.path_in_schema
            full = column.statistics.null_count < group.num_rows
            assert not full or column.statistics.has_min_max, column.path_in_schema
            assert column.compression == "SNAPPY"


def test_sorted_keys_part_the_row_groups(large_file: bytes) -> None:
    """Drivers of one row group are not in the next but for the one on the border."""
    metadata = pq.read_metadata(pa.BufferReader(large_file))
    place = metadata.schema.names.index("driver_number")
    found = [metadata.row_group(n).column(place).statistics for n in range(3)]
    assert [(one.min, one.max) for one in found] == [(0, 41), (41, 83), (83, 99)]


def test_a_reader_skips_row_groups(large_file: bytes, tmp_path: Any) -> None:
    """One driver's laps are read from one row group of three, by statistics alone."""
    (tmp_path / "laps.parquet").write_bytes(large_file)
    [fragment] = pyarrow.dataset.dataset(tmp_path / "laps.parquet").get_fragments()
    field = pyarrow.dataset.field("driver_number")
    assert [group.id for group in fragment.subset(field == 60).row_groups] == [1]
    assert fragment.subset(field == 1000).row_groups == []
    assert fragment.count_rows(filter=field == 60) == 1200
