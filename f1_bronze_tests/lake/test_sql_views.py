"""The views: what they hold, which files they read, and that nothing can be done but read."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.lake import paths
from f1_bronze.lake.errors import ForeignFile, LakeUnavailable
from f1_bronze.lake.landing import Revision
from f1_bronze.lake.sql import StoreFiles, Views, view_schema
from f1_bronze.lake.stores import StoredObject

from .candidates import put
from .examples import BAHRAIN, RACE_KEY, lap
from .fakes import MemoryStore, RecordingStore, TickingClock

REAL = pytest.mark.parametrize("dataset", DATASETS, ids=lambda dataset: dataset.name)
LAPS = DATASETS[3]
SESSIONS = {1: "2024/bahrain/race", 2: "2024/monaco/qualifying", 3: "2025/bahrain/race"}
BAHRAIN_FILE = paths.file_path("laps", BAHRAIN, RACE_KEY)


class Asked(RecordingStore):
    """A store that records which folders are listed, and fails to read one path on demand."""

    def __init__(self, inner: Any = None) -> None:
        super().__init__(inner or MemoryStore())
        self.listed: list[str] = []
        self.asked_for: list[str] = []
        self.unreadable: str | None = None

    def list(self, prefix: str) -> Iterator[StoredObject]:
        self.listed.append(prefix)
        return super().list(prefix)

    def read(self, path: str) -> bytes | None:
        if path == self.unreadable:
            raise LakeUnavailable(f"Could not read {path}. Log in again.")
        self.asked_for.append(path)
        return super().read(path)


def three_sessions(store: Any) -> None:
    """Two laps in each of three partitions."""
    for key, partition in SESSIONS.items():
        rows = [lap(number, session=key) for number in (1, 2)]
        place = SessionPartition.parse(partition)
        put(store, TickingClock(), rows, partition=place, session_key=key)


def ask(store: Any, sql: str, as_of: datetime | None = None) -> list[tuple[Any, ...]]:
    """All rows of the answer."""
    with Views(store, as_of=as_of).answer(sql) as relation:
        return relation.fetchall()


@pytest.mark.parametrize(
    ("condition", "sessions"),
    [
        ("true", {1, 2, 3}),
        ("year = 2025", {3}),
        ("year < 2025", {1, 2}),
        ("grand_prix = 'bahrain'", {1, 3}),
        ("session_type IN ('qualifying', 'sprint')", {2}),
        ("year = 2024 AND grand_prix = 'bahrain' AND session_type = 'race'", {1}),
        ("year = 2019", set()),
    ],
)
def test_only_the_partitions_asked_for_are_read(condition: str, sessions: set[int]) -> None:
    """A condition on year, grand_prix or session_type opens the files of those partitions alone."""
    store = MemoryStore()
    three_sessions(store)
    views = Views(store)
    with views.answer(f"SELECT DISTINCT session_key FROM laps WHERE {condition}") as relation:
        assert {row[0] for row in relation.fetchall()} == sessions
    expected = {
        paths.file_path("laps", SessionPartition.parse(SESSIONS[key]), key) for key in sessions
    }
    assert set(views.files_read) == expected


def test_conditions_and_columns_reach_the_files() -> None:
    """EXPLAIN shows that the scan itself gets the condition and the columns."""
    store = MemoryStore()
    three_sessions(store)
    [(_, plan)] = ask(
        store, "EXPLAIN SELECT st_speed FROM laps WHERE year = 2025 AND lap_number > 1"
    )
    assert 'Filters: "year" = 2025' in plan
    assert '"lap_number" > 1' in plan
    assert "Projections: st_speed" in plan


@REAL
def test_a_dataset_without_files_has_its_columns(dataset: Dataset) -> None:
    """A dataset that has not landed is a view without rows, with the declared columns."""
    views = Views(MemoryStore())
    with views.answer(f"SELECT * FROM {dataset.name}") as relation:
        assert relation.columns == view_schema(dataset).names
        assert relation.fetchall() == []
    assert views.without_files == [dataset.name]


def test_only_views_that_are_named_are_listed() -> None:
    """A query costs one listing for each view that it names, and none of the others."""
    store = Asked()
    ask(store, "SELECT count(*) FROM Laps JOIN stints USING (session_key)")
    assert sorted(store.listed) == ["bronze/laps/", "bronze/stints/"]


def test_all_views() -> None:
    """The names that queries rely on."""
    names = [row[0] for row in ask(MemoryStore(), "SHOW TABLES")]
    lineage = ("lineage", "lineage_events", "lineage_summaries")
    assert names == sorted([*(dataset.name for dataset in DATASETS), *lineage, "revisions"])


def test_other_files_are_no_rows(store: RecordingStore) -> None:
    """What lies in a dataset's folder under another name than a partition's is not read."""
    put(store, TickingClock(), [lap(1)])
    store.write("bronze/laps/year=2025/notes.parquet", b"mine", {})
    store.write("bronze/laps_old/year=2025/x.parquet", b"mine", {})
    assert ask(store, "SELECT count(*) FROM laps") == [(1,)]


def test_moments_are_in_utc(store: RecordingStore) -> None:
    """Times are the file's, in UTC, whatever the machine's time zone."""
    put(store, TickingClock(), [lap(1)])
    [(moment, text)] = ask(store, "SELECT date_start, date_start::VARCHAR FROM laps")
    assert moment == datetime(2025, 4, 13, 15, 1, 0, 123000, tzinfo=UTC)
    assert text == "2025-04-13 15:01:00.123+00"


def test_revisions(store: RecordingStore) -> None:
    """What was replaced and what was refused are distinguished, with rows, moment and path; the
    mark of an arrival is neither."""
    clock = TickingClock()
    assert put(store, clock, [lap(1), lap(2)]).revision is Revision.NEW
    assert put(store, clock, [lap(1), lap(2, st_speed=9)]).revision is Revision.CHANGED
    assert put(store, clock, [lap(1)]).revision is Revision.REFUSED
    assert put(store, clock, [lap(1, st_speed=8), lap(2), lap(3)]).revision is Revision.CHANGED
    rows = ask(store, "SELECT * EXCLUDE (sha256, size_bytes) FROM revisions ORDER BY path")
    where = ("laps", 2025, "bahrain", "race", RACE_KEY)
    assert [row[:5] for row in rows] == [where] * 3
    assert [row[5] for row in rows] == ["revision", "revision", "refused"]
    assert [row[7] for row in rows] == [2, 2, 1]
    assert rows[0][6] < rows[1][6]
    assert rows[2][6] is None
    for path, size in ask(store, "SELECT path, size_bytes FROM revisions"):
        assert len(store.read(path) or b"") == size


def test_the_lake_as_it_was(store: RecordingStore) -> None:
    """Between two corrections the earlier content is shown, and the later revision is not; before
    the first landing nothing is."""
    clock = TickingClock()
    began = clock.now
    put(store, clock, [lap(1, st_speed=100)])
    put(store, clock, [lap(1, st_speed=200)])
    put(store, clock, [lap(1, st_speed=300), lap(2)])
    first, second = ask(store, "SELECT replaced_at FROM revisions ORDER BY 1")
    speeds = "SELECT year, st_speed FROM laps WHERE grand_prix = 'bahrain' ORDER BY lap_number"
    assert ask(store, speeds, as_of=began - timedelta(seconds=1)) == []
    assert ask(store, speeds, as_of=began) == [(2025, 100)]
    assert ask(store, speeds, as_of=first[0]) == [(2025, 200)]
    assert ask(store, speeds, as_of=second[0]) == [(2025, 300), (2025, 301)]
    assert ask(store, "SELECT count(*) FROM revisions", as_of=first[0]) == [(1,)]


def event(moment: str, **more: Any) -> bytes:
    """An OpenLineage event of one written file."""
    body = {
        "eventTime": moment,
        "eventType": "COMPLETE",
        "run": {"runId": "r-1", "facets": {"host": {"name": "h"}}},
        "job": {"namespace": "f1", "name": "bronze_sessions"},
        "inputs": [],
        "outputs": [{"namespace": "s3://b", "name": BAHRAIN_FILE, "facets": {}}],
        "producer": "f1_bronze",
    }
    return json.dumps({**body, **more}).encode()


def test_lineage(store: RecordingStore) -> None:
    """Events are rows with OpenLineage's own names; what was written can be searched."""
    day = "lineage/events/year=2025/month=04/day=14/"
    store.write(f"{day}event_a.json", event("2025-04-14T06:00:00Z"), {})
    store.write(f"{day}event_b.json", event("2025-04-14T07:00:00+00:00", outputs=None), {})
    found = ask(
        store,
        "SELECT eventTime, eventType, run.runId, job.name, event->>'$.run.facets.host.name' "
        f"FROM lineage, unnest(outputs) AS o(file) WHERE file.name = '{BAHRAIN_FILE}'",
    )
    moment = datetime(2025, 4, 14, 6, tzinfo=UTC)
    assert found == [(moment, "COMPLETE", "r-1", "bronze_sessions", "h")]
    assert ask(store, "SELECT count(*) FROM lineage") == [(2,)]
    assert ask(store, "SELECT count(*) FROM lineage", as_of=moment) == [(1,)]


@pytest.mark.parametrize(
    "data", [b"{torn", b"[]", b"\xff", b'{"run": 3, "eventTime": 4, "outputs": [5]}']
)
def test_lineage_that_is_none(data: bytes) -> None:
    """A file that is no event is a row with its text and path, and hides no other."""
    store = MemoryStore()
    store.write("lineage/events/x.json", data, {})
    store.write("lineage/events/y.json", event("2025-04-14T06:00:00"), {})
    assert ask(store, "SELECT path, eventTime IS NULL FROM lineage ORDER BY 1") == [
        ("lineage/events/x.json", True),
        ("lineage/events/y.json", False),
    ]


def test_without_lineage() -> None:
    """No events is a view without rows and with its columns."""
    assert ask(MemoryStore(), "SELECT job.name, len(outputs), run.runId, event FROM lineage") == []


@pytest.mark.parametrize(
    "sql",
    [
        "COPY laps TO '{folder}/x.csv'",
        "ATTACH '{folder}/x.db'",
        "CREATE TABLE x AS SELECT 1",
        "DROP VIEW laps",
        "SET enable_external_access = true",
        "INSTALL httpfs",
        "SELECT * FROM read_text('{folder}/secret')",
        "SELECT * FROM '{folder}/secret.csv'",
        "SELECT * FROM glob('{folder}/*')",
        "EXPLAIN ANALYZE COPY laps TO '{folder}/x.csv'",
        "SELECT 1; COPY laps TO '{folder}/x.csv'",
        "",
    ],
)
def test_nothing_but_the_views_is_within_reach(sql: str, tmp_path: Any) -> None:
    """No statement writes a file, reads one that is not the lake's, or opens the way to it."""
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "secret.csv").write_text("a\nsecret")
    store = MemoryStore()
    put(store, TickingClock(), [lap(1)])
    with pytest.raises(duckdb.Error):
        ask(store, sql.format(folder=tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secret", "secret.csv"]


def test_variables_of_ours_are_no_tables() -> None:
    """DuckDB does not look for tables among the variables of the program that runs it."""
    with pytest.raises(duckdb.CatalogException):
        ask(MemoryStore(), "SELECT * FROM store")


@pytest.mark.parametrize("sql", ["SELEC 1", "SELECT nope FROM laps", "SELECT 'x'::INT FROM laps"])
def test_a_wrong_statement(sql: str) -> None:
    """What is wrong with a statement is DuckDB's to say, when it is read and when it is run."""
    store = MemoryStore()
    put(store, TickingClock(), [lap(1)])
    with pytest.raises(duckdb.Error):
        ask(store, sql)


def test_a_lake_that_cannot_be_read() -> None:
    """The store's own words reach the caller, not what Arrow made of them."""
    store = Asked()
    put(store, TickingClock(), [lap(1)])
    store.unreadable = BAHRAIN_FILE
    with pytest.raises(
        LakeUnavailable, match=r"^Could not read .*laps_10014.parquet. Log in again.$"
    ):
        ask(store, "SELECT * FROM laps")


@pytest.mark.parametrize("damage", ["torn", "overwritten", "altered"])
def test_a_file_that_is_damaged(damage: str) -> None:
    """A damaged file is reported as one, and not taken for a wrong statement."""
    store = MemoryStore()
    put(store, TickingClock(), [lap(1)])
    data = store.objects[BAHRAIN_FILE]
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    whole = r"laps_10014\.parquet is no whole Parquet file"
    store.objects[BAHRAIN_FILE], said = {
        "torn": (data[: len(data) // 2], whole),
        "overwritten": (data[:4] + bytes(len(data) - 12) + data[-8:], whole),
        "altered": (
            data[:4] + b"\xff" * (footer - 4) + data[footer:],
            r"laps_10014\.parquet is no",
        ),
    }[damage]
    with pytest.raises(ForeignFile, match=said):
        ask(store, "SELECT * FROM laps")


def test_a_statement_sees_one_content_of_a_file() -> None:
    """A statement that meets a file twice reads it once, whatever others write meanwhile."""
    store = Asked()
    put(store, TickingClock(), [lap(1)])
    store.asked_for.clear()
    views = Views(store)
    with views.answer("SELECT count(*) FROM laps AS a, laps AS b") as relation:
        assert relation.fetchall() == [(1,)]
    assert views.files_read == [BAHRAIN_FILE]
    assert store.asked_for == [BAHRAIN_FILE]


def test_a_failing_store_never_hangs() -> None:
    """Many failures in a row end each: no thread waits for another for ever."""
    store = Asked()
    three_sessions(store)
    store.unreadable = paths.file_path("laps", SessionPartition.parse(SESSIONS[2]), 2)
    for _ in range(30):
        with pytest.raises(LakeUnavailable):
            ask(store, "SELECT * FROM laps")


def test_files_are_in_memory_of_arrows_own() -> None:
    """Its threads may give files back while Python ends: memory of Python's would end the process
    with exit status 134, once in six times for the first row of 600 files."""
    store = MemoryStore()
    three_sessions(store)
    path = next(iter(store.list(paths.dataset_folder("laps")))).path
    given = store.read(path)

    class Same(RecordingStore):
        def read(self, path: str) -> bytes | None:
            return given

    [buffer] = StoreFiles(Same(store)).parquet([path])
    assert buffer.to_pybytes() == given
    assert buffer.address != pa.py_buffer(given).address
