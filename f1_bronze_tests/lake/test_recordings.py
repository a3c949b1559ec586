"""What OpenF1 really answered: every recorded record survives, and fits its columns."""

import json
from pathlib import Path

import pytest

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import EXTRA_FIELDS, Dataset
from f1_bronze.lake.parquet import file_bytes, make_provenance, read_file
from f1_bronze.lake.records import to_rows

from .examples import BAHRAIN, multiset

RECORDINGS = Path(__file__).parents[3] / "shared" / "openf1_recordings"

pytestmark = pytest.mark.skipif(
    not RECORDINGS.is_dir(), reason=f"no recordings beside the repository at {RECORDINGS}"
)


@pytest.mark.parametrize("dataset", DATASETS[1:], ids=lambda dataset: dataset.name)
def test_recorded_answers(dataset: Dataset) -> None:
    """Each answer comes back record for record from its file, and nothing is in extra_fields."""
    files = sorted((RECORDINGS / dataset.endpoint).glob("*.json"))
    assert files
    for file in files:
        records = json.loads(file.read_bytes())
        rows = to_rows(dataset, records)
        provenance = make_provenance(dataset, BAHRAIN, int(file.stem), "x", rows)
        stored = read_file(file_bytes(rows, provenance), file.name)
        assert multiset(stored.records(dataset)) == multiset(records), file.name
        extra = stored.table.column(EXTRA_FIELDS)
        assert extra.null_count == len(records), (file.name, extra.drop_null()[0])


@pytest.mark.parametrize("year", [2024, 2026])
def test_recorded_sessions(year: int) -> None:
    """Each session of the recorded calendars comes back alone, as it is stored."""
    sessions = DATASETS[0]
    records = json.loads((RECORDINGS / "sessions" / f"{year}.json").read_bytes())
    assert len(records) > 20
    for record in records:
        rows = to_rows(sessions, [record])
        provenance = make_provenance(sessions, BAHRAIN, record["session_key"], "x", rows)
        stored = read_file(file_bytes(rows, provenance), "x")
        assert multiset(stored.records(sessions)) == multiset([record])
        assert stored.table.column(EXTRA_FIELDS).null_count == 1
        assert stored.table.column("openf1_year").to_pylist() == [year]
