"""The lake as one object: which partitions are stored, what they hold, what is not there."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.laps import LAPS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.datasets.schema import arrow_schema
from f1_bronze.datasets.sessions import SESSIONS
from f1_bronze.lake.errors import ForeignFile, NotInLake
from f1_bronze.lake.history import paths_as_of
from f1_bronze.lake.lake import Lake
from f1_bronze.lake.landing import Landing, Revision

from .candidates import candidate
from .examples import BAHRAIN, RACE_KEY, lap, session
from .fakes import MemoryStore, TickingClock

MONACO = SessionPartition.parse("2024/monaco/race")
FOLDER = "bronze/laps/year=2025/grand_prix=bahrain/session_type=race"


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def lake(store: MemoryStore) -> Lake:
    return Lake(store, clock=TickingClock())


def put(
    lake: Lake,
    dataset: Dataset,
    records: list[dict[str, Any]],
    partition: SessionPartition = BAHRAIN,
    session_key: int = RACE_KEY,
) -> Landing:
    return lake.land(
        candidate(records, dataset=dataset, partition=partition, session_key=session_key)
    )


def test_session_partitions(lake: Lake) -> None:
    """Sessions that have landed keep their partition; only those of the seasons are listed."""
    put(lake, SESSIONS, [session(RACE_KEY, 2025, "Race", "Race")])
    put(lake, SESSIONS, [session(9523, 2024, "Race", "Race")], MONACO, 9523)
    put(lake, LAPS, [lap(1, session=7)], SessionPartition.parse("2025/monaco/race"), 7)
    assert lake.session_partitions([2024, 2025]) == {9523: MONACO, RACE_KEY: BAHRAIN}
    assert lake.session_partitions([2024]) == {9523: MONACO}
    assert lake.session_partitions([2026]) == {}
    assert lake.session_partitions([]) == {}


def test_stored_partitions(lake: Lake) -> None:
    """Partitions with a file, an empty one too, by dataset and season."""
    put(lake, LAPS, [lap(1)])
    put(lake, LAPS, [], MONACO, 9523)
    assert lake.stored_partitions("laps", [2024, 2025]) == {MONACO, BAHRAIN}
    assert lake.stored_partitions("laps", [2025]) == {BAHRAIN}
    assert lake.stored_partitions("stints", [2024, 2025]) == set()


def test_foreign_files_are_passed_over(lake: Lake, store: MemoryStore) -> None:
    """What others put beside our files neither counts as landed nor breaks the listing."""
    put(lake, LAPS, [lap(1)])
    store.write(f"{FOLDER}/_SUCCESS", b"", {})
    store.write("bronze/laps/year=2025/notes.txt", b"x", {})
    store.write(
        "bronze/laps/year=2025/grand_prix=Monaco GP/session_type=race/laps_7.parquet", b"x", {}
    )
    assert lake.stored_partitions("laps", [2025]) == {BAHRAIN}
    assert lake.read(LAPS, BAHRAIN).records(LAPS) == [lap(1)]
    assert lake.table(LAPS).num_rows == 1


def test_read(lake: Lake) -> None:
    """A partition's file is its rows and what it says of itself."""
    put(lake, LAPS, [lap(2), lap(1)])
    stored = lake.read(LAPS, BAHRAIN)
    assert stored.records(LAPS) == [lap(1), lap(2)]
    assert stored.provenance.partition == "2025/bahrain/race"
    assert stored.provenance.session_key == RACE_KEY


def test_read_what_is_not_there(lake: Lake) -> None:
    """A partition that has not landed is named, with how to land it."""
    with pytest.raises(NotInLake) as raised:
        lake.read(LAPS, BAHRAIN)
    message = str(raised.value)
    assert message.startswith("laps of 2025/bahrain/race is not in the lake")
    assert f"memory:///{FOLDER}/" in message
    assert message.endswith("Materialize bronze/laps for this partition first.")


def test_read_a_broken_file(lake: Lake, store: MemoryStore) -> None:
    """A file that was cut is named, never read in part."""
    put(lake, LAPS, [lap(1)])
    path = f"{FOLDER}/laps_10014.parquet"
    store.objects[path] = store.objects[path][:-100]
    with pytest.raises(ForeignFile, match=f"memory:///{path}"):
        lake.read(LAPS, BAHRAIN)


def test_table(lake: Lake) -> None:
    """Partitions together, in order, each row with its partition in front."""
    put(lake, LAPS, [lap(1), lap(2)])
    put(lake, LAPS, [lap(7, session=9523)], MONACO, 9523)
    table = lake.table(LAPS)
    assert table.select(["year", "grand_prix", "session_type", "lap_number"]).to_pylist() == [
        {"year": 2024, "grand_prix": "monaco", "session_type": "race", "lap_number": 7},
        {"year": 2025, "grand_prix": "bahrain", "session_type": "race", "lap_number": 1},
        {"year": 2025, "grand_prix": "bahrain", "session_type": "race", "lap_number": 2},
    ]
    assert lake.table(LAPS, [MONACO]).num_rows == 1


def test_table_of_nothing(lake: Lake) -> None:
    """No partition gives no rows in the same schema as any."""
    put(lake, LAPS, [lap(1)])
    nothing = lake.table(LAPS, [])
    assert nothing.num_rows == 0
    assert nothing.schema.equals(lake.table(LAPS).schema)
    assert nothing.schema.names[3:] == arrow_schema(LAPS).names


def test_other_tables(lake: Lake) -> None:
    """Assets that are no bronze dataset keep their tables in the lake as well."""
    table = pa.table({"driver": ["NOR"], "points": [25.0]})
    uri, size = lake.write_table("gold/standings.parquet", table)
    assert uri == "memory:///gold/standings.parquet"
    assert size == len(lake.store.read("gold/standings.parquet") or b"")
    assert lake.read_table("gold/standings.parquet").equals(table)
    with pytest.raises(NotInLake, match=r"memory:///gold/none\.parquet is not in the lake"):
        lake.read_table("gold/none.parquet")


def test_history(lake: Lake, store: MemoryStore) -> None:
    """What a partition has held, a loss that was accepted included, and the files of a moment."""
    put(lake, LAPS, [lap(1), lap(2)])
    smaller = candidate([lap(1)])
    assert lake.land(smaller).revision is Revision.REFUSED
    assert lake.land(smaller, accept_loss=True).revision is Revision.CHANGED
    first, second = lake.history(LAPS, BAHRAIN).contents
    assert first.replaced_at is not None
    assert [content.file and content.file.table.num_rows for content in (first, second)] == [2, 1]
    assert paths_as_of(lake.store, LAPS, first.replaced_at) == [f"{FOLDER}/laps_10014.parquet"]
    assert paths_as_of(lake.store, LAPS, first.replaced_at - timedelta(seconds=1)) == [first.path]


def test_lake_at_a_folder(tmp_path: Path) -> None:
    """A lake opened by its address keeps what is landed, and takes the time in UTC by itself."""
    lake = Lake.at(str(tmp_path))
    put(lake, LAPS, [lap(1)])
    before = datetime.now(UTC)
    put(lake, LAPS, [lap(1), lap(2)])
    first, second = lake.history(LAPS, BAHRAIN).contents
    assert first.since is not None
    assert second.since is not None
    assert first.since < before <= second.since <= datetime.now(UTC)
    assert Lake.at(f"file://{tmp_path}").stored_partitions("laps", [2025]) == {BAHRAIN}
