"""The lake as one object: which partitions are stored, what they hold, what is not there."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.laps import LAPS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.datasets.pit_stops import PIT_STOPS
from f1_bronze.datasets.results import RESULTS
from f1_bronze.datasets.schema import arrow_schema
from f1_bronze.datasets.sessions import SESSIONS
from f1_bronze.lake.errors import ForeignFile, NotInLake, PartitionOccupied, StoredElsewhere
from f1_bronze.lake.history import paths_as_of
from f1_bronze.lake.lake import Lake
from f1_bronze.lake.landing import Landing, Revision, land
from f1_bronze.lake.stores import StoredObject

from .candidates import candidate
from .examples import BAHRAIN, RACE_KEY, lap, pit_stop, session
from .fakes import MemoryStore, TickingClock

MONACO = SessionPartition.parse("2024/monaco/race")
MONACO_2025 = SessionPartition.parse("2025/monaco/race")
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
    """Stored sessions keep their partition, known from any dataset; of these seasons only."""
    put(lake, SESSIONS, [session(RACE_KEY, 2025, "Race", "Race")])
    put(lake, SESSIONS, [session(9523, 2024, "Race", "Race")], MONACO, 9523)
    put(lake, LAPS, [lap(1, session=7)], MONACO_2025, 7)
    assert lake.session_partitions([2024, 2025]) == {
        9523: MONACO,
        RACE_KEY: BAHRAIN,
        7: MONACO_2025,
    }
    assert lake.session_partitions([2024]) == {9523: MONACO}
    assert lake.session_partitions([2026]) == {}
    assert lake.session_partitions([]) == {}


def test_session_in_another_partition(lake: Lake, store: MemoryStore) -> None:
    """A session that any dataset has in one partition is not written to another one."""
    put(lake, LAPS, [lap(1)])
    before = dict(store.objects)
    for again in (lake, Lake(store, clock=TickingClock())):
        with pytest.raises(StoredElsewhere) as raised:
            put(again, RESULTS, [{"session_key": RACE_KEY, "driver_number": 4}], MONACO_2025)
        assert str(raised.value) == (
            f"Session {RACE_KEY} is stored in 2025/bahrain/race (memory:///{FOLDER}/"
            "laps_10014.parquet) and was to be written to 2025/monaco/race as well. A session "
            "keeps its partition, whatever its Grand Prix is called later: materialize "
            "2025/bahrain/race instead. If that is the wrong one, move its files away first."
        )
    assert store.objects == before


def test_partition_of_another_datasets_session(lake: Lake, store: MemoryStore) -> None:
    """A partition in which any dataset has a session takes no other session."""
    put(lake, LAPS, [lap(1)])
    before = dict(store.objects)
    with pytest.raises(PartitionOccupied, match=r"laps_10014\.parquet.* another session than 7"):
        put(lake, RESULTS, [{"session_key": 7, "driver_number": 4}], session_key=7)
    assert store.objects == before


def test_session_that_was_moved_away(lake: Lake, store: MemoryStore) -> None:
    """Once somebody has moved the files away, the same lake object writes to the other place."""
    put(lake, LAPS, [lap(1)])
    store.delete(f"{FOLDER}/laps_10014.parquet")
    assert put(lake, LAPS, [lap(1)], MONACO_2025).revision is Revision.NEW


def test_session_that_lies_in_two_partitions(store: MemoryStore) -> None:
    """Where an older version has left a session in two places, one of them counts: that with the
    file of sessions, else that with most files."""
    for dataset, records, partition in (
        (LAPS, [lap(1)], BAHRAIN),
        (RESULTS, [{"session_key": RACE_KEY, "driver_number": 4}], BAHRAIN),
        (PIT_STOPS, [pit_stop(10)], MONACO_2025),
    ):
        land(
            store,
            candidate(records, dataset=dataset, partition=partition),
            clock=TickingClock(),
        )
    lake = Lake(store, clock=TickingClock())
    assert lake.session_partitions([2025]) == {RACE_KEY: BAHRAIN}
    assert put(lake, LAPS, [lap(1)]).revision is Revision.UNCHANGED
    with pytest.raises(StoredElsewhere):
        put(lake, PIT_STOPS, [pit_stop(10)], MONACO_2025)
    race = candidate(
        [session(RACE_KEY, 2025, "Race", "Race")], dataset=SESSIONS, partition=MONACO_2025
    )
    land(store, race, clock=TickingClock())
    assert lake.session_partitions([2025]) == {RACE_KEY: MONACO_2025}


def test_a_season_is_listed_once(store: MemoryStore) -> None:
    """However many partitions are landed, the other datasets are listed once."""
    counting = CountingStore(store)
    lake = Lake(counting, clock=TickingClock())
    for key in range(1, 21):
        put(lake, LAPS, [lap(1, session=key)], SessionPartition.parse(f"2025/gp_{key}/race"), key)
    assert counting.listed == len(DATASETS) + 20


class CountingStore(MemoryStore):
    """Counts its listings."""

    def __init__(self, inner: MemoryStore) -> None:
        super().__init__()
        self.objects = inner.objects
        self.listed = 0

    def list(self, prefix: str) -> Iterator[StoredObject]:
        self.listed += 1
        return super().list(prefix)


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
