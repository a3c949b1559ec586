"""The event log that keeps its connections, beside Dagster's own class, threads and processes."""

import multiprocessing
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationPlanned,
)
from dagster._core.event_api import PartitionKeyFilter
from dagster._core.events import StepMaterializationData
from dagster._core.storage.event_log import SqliteEventLogStorage

from f1_bronze.defs.automation.instance import CONFIG, EARLIER_CONFIGS, open_instance, prepare_home
from f1_bronze.defs.record.sqlite_event_log import LOGS, MOST_FILES_OPEN, SqliteEventLog

KEY = dg.AssetKey(["bronze", "laps"])
CHECK = dg.AssetCheckKey(KEY, "rules")


def entry(run_id: str, kind: dg.DagsterEventType, data: Any) -> dg.EventLogEntry:
    """An event as a run stores it."""
    return dg.EventLogEntry(
        error_info=None,
        level="debug",
        user_message="",
        run_id=run_id,
        timestamp=time.time(),
        dagster_event=dg.DagsterEvent(kind.value, "job", event_specific_data=data),
    )


def materialization(run_id: str, partition: str, **metadata: Any) -> dg.EventLogEntry:
    """A partition that was stored."""
    event = dg.AssetMaterialization(asset_key=KEY, partition=partition, metadata=metadata)
    kind = dg.DagsterEventType.ASSET_MATERIALIZATION
    return entry(run_id, kind, StepMaterializationData(event))


def evaluation(run_id: str, partition: str, **metadata: Any) -> dg.EventLogEntry:
    """A check of it."""
    event = dg.AssetCheckEvaluation(
        asset_key=KEY, check_name="rules", passed=True, metadata=metadata, partition=partition
    )
    return entry(run_id, dg.DagsterEventType.ASSET_CHECK_EVALUATION, event)


def planned(run_id: str, *keys: str) -> dg.EventLogEntry:
    """A check that is planned for these partitions."""
    subset = dg.DynamicPartitionsDefinition(name="some").subset_with_partition_keys(keys)
    event = AssetCheckEvaluationPlanned(asset_key=KEY, check_name="rules", partitions_subset=subset)
    return entry(run_id, dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED, event)


def partitions(log: SqliteEventLogStorage) -> set[str]:
    """What the index has as materialized."""
    return log.get_materialized_partitions(KEY)


def checked(log: SqliteEventLogStorage, keys: list[str]) -> set[str | None]:
    """The partitions that have an evaluation."""
    found = (
        log.get_asset_check_execution_history(
            CHECK, limit=5, partition_filter=PartitionKeyFilter(key=key)
        )
        for key in keys
    )
    return {one[0].partition for one in found if one}


def open_files(folder: Path) -> list[str]:
    """The files below a folder that this process has open."""
    links = (Path(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd"))
    targets = (os.readlink(link) for link in links if os.path.lexists(link))
    return sorted(name for name in targets if name.startswith(str(folder)))


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqliteEventLog]:
    """An event log in a folder of its own."""
    log = SqliteEventLog(str(tmp_path / "log"))
    yield log
    log.dispose()


def folder_of(log: SqliteEventLogStorage) -> Path:
    """Where its files are."""
    return Path(log.path_for_shard("index")).parent


def test_dagsters_own_class_reads_and_continues_what_it_wrote(log: SqliteEventLog) -> None:
    """Both classes write to the same files, in turn and while the other has them open."""
    own = SqliteEventLogStorage(str(folder_of(log)))
    for number, storage in enumerate([log, own, log, own]):
        storage.store_event(materialization("run", f"2024/a/{number}"))
        storage.store_event(evaluation("run", f"2024/a/{number}"))
    keys = [f"2024/a/{number}" for number in range(4)]
    for storage in (log, own):
        assert partitions(storage) == set(keys)
        assert checked(storage, keys) == set(keys)
        records = storage.get_records_for_run("run").records
        assert [one.partition_key for one in records[::2]] == keys
    assert own.get_maximum_record_id() == log.get_maximum_record_id() == 8


def test_an_event_is_in_the_run_and_in_the_index(log: SqliteEventLog) -> None:
    """Run events, asset events and checks are where Dagster looks for them."""
    log.store_event(entry("run", dg.DagsterEventType.RUN_SUCCESS, None))
    log.store_event(materialization("run", "2024/a/race"))
    [change] = log.fetch_run_status_changes(dg.DagsterEventType.RUN_SUCCESS, limit=5).records
    assert change.run_id == "run"
    assert len(log.get_records_for_run("run").records) == 2
    [record] = log.fetch_materializations(dg.AssetRecordsFilter(KEY), limit=5).records
    assert record.partition_key == "2024/a/race"


def test_a_batch_is_stored_whole(log: SqliteEventLog) -> None:
    """Events of one run share their commits; those of several are stored one by one."""
    log.store_event_batch([materialization("run", f"2024/a/{n}") for n in range(5)])
    log.store_event_batch([materialization(f"run_{n}", f"2024/b/{n}") for n in range(2)])
    assert len(partitions(log)) == 7
    assert len(log.get_records_for_run("run").records) == 5
    assert len(log.get_records_for_run("run_1").records) == 1


def test_a_failed_event_leaves_nothing_open(
    log: SqliteEventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What broke is rolled back in the index, and the next event is stored."""

    def fail(*_: object) -> None:
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(log, "_store_asset_event", fail)
        with pytest.raises(RuntimeError, match="the disk is full"):
            log.store_event(materialization("run", "2024/a/race"))
    assert partitions(log) == set()
    log.store_event(materialization("run", "2024/a/sprint"))
    assert partitions(log) == {"2024/a/sprint"}


CHART = dg.MetadataValue.md("![a chart](data:image/svg+xml,…)" * 200)


def metadata_of(event: dg.EventLogEntry) -> Any:
    """The metadata of a materialization or an evaluation."""
    data = event.get_dagster_event().event_specific_data
    return data.materialization.metadata if hasattr(data, "materialization") else data.metadata


def test_charts_and_evidence_are_stored_once(log: SqliteEventLog) -> None:
    """The run's page, the asset's page and the check's page show them; one file has each."""
    for number in range(3):
        log.store_event(materialization("run", f"2024/a/{number}", picture=CHART, rows=number))
        log.store_event(evaluation("run", f"2024/a/{number}", evidence=CHART, rows=number))
    log.store_event(materialization("run", "2024/b/race", rows=7))
    records = log.get_records_for_run("run").records
    assert [metadata_of(one.event_log_entry)["rows"].value for one in records] == [
        *(0, 0, 1, 1, 2, 2, 7)
    ]
    assert metadata_of(records[2].event_log_entry)["picture"] == CHART
    assert metadata_of(records[3].event_log_entry)["evidence"] == CHART
    [latest] = log.get_records_for_run("run", limit=1, ascending=False).records
    assert metadata_of(latest.event_log_entry)["rows"].value == 7
    of_assets = log.fetch_materializations(dg.AssetRecordsFilter(KEY), limit=9).records
    assert [one.event_log_entry for one in of_assets[::-1]] == [
        one.event_log_entry for one in (*records[::2][:3], records[6])
    ]
    [checked] = log.get_asset_check_execution_history(
        CHECK, limit=1, partition_filter=PartitionKeyFilter(key="2024/a/1")
    )
    assert checked.event == records[3].event_log_entry
    assert rows_with_chart(log, "run", "event_logs", "event") == 0
    assert rows_with_chart(log, "index", "event_logs", "event") == 3
    assert rows_with_chart(log, "index", "asset_check_executions", "evaluation_event") == 3


def test_a_reader_waits_for_the_second_commit(log: SqliteEventLog) -> None:
    """Between that of the run's file and that of the index there is an event without metadata."""
    log.store_event(materialization("run", "2024/a/race", picture=CHART, rows=2))
    index = log.path_for_shard("index")
    with closing(sqlite3.connect(index)) as other, other:
        other.execute("CREATE TABLE kept AS SELECT * FROM event_logs")
        other.execute("DELETE FROM event_logs")

    def commit() -> None:
        with closing(sqlite3.connect(index)) as other, other:
            other.execute("INSERT INTO event_logs SELECT * FROM kept")

    later = threading.Timer(0.3, commit)
    later.start()
    [record] = log.get_records_for_run("run").records
    later.join()
    assert metadata_of(record.event_log_entry)["rows"].value == 2


def rows_with_chart(log: SqliteEventLog, shard: str, table: str, column: str) -> int:
    """How many rows of a table hold a chart."""
    with closing(sqlite3.connect(log.path_for_shard(shard))) as connection:
        query = f"select count(*) from {table} where {column} like '%a chart%'"
        [(count,)] = connection.execute(query)
    return int(count)


def test_dagsters_own_class_reads_an_event_without_its_charts(log: SqliteEventLog) -> None:
    """Without ours the page of the run says where the rest is; the asset's page has it all."""
    log.store_event(materialization("run", "2024/a/race", picture=CHART))
    own = SqliteEventLogStorage(str(folder_of(log)))
    [record] = own.get_records_for_run("run").records
    assert record.partition_key == "2024/a/race"
    [note] = metadata_of(record.event_log_entry).values()
    assert note.value.startswith("The metadata is kept with the asset")
    [whole] = own.fetch_materializations(dg.AssetRecordsFilter(KEY), limit=1).records
    assert metadata_of(whole.event_log_entry)["picture"] == CHART
    own.wipe_asset(KEY)
    [record] = log.get_records_for_run("run").records
    assert record.partition_key == "2024/a/race"


def test_what_is_written_our_way_reads_as_if_dagsters_class_had_written_it(
    log: SqliteEventLog, tmp_path: Path
) -> None:
    """The last materialization of an asset, planned and evaluated checks, in smaller files."""
    own = SqliteEventLogStorage(str(tmp_path / "own"))
    plan = planned("run", "2024/a/race", "2024/b/race", "2024/c/race")
    events = [
        plan,
        *(materialization("run", f"2024/{place}/race", picture=CHART) for place in "ab"),
        *(evaluation("run", f"2024/{place}/race", evidence=CHART) for place in "ab"),
        evaluation("run", "2024/d/race"),  # was not planned
    ]
    for event in events:
        log.store_event(event)
        own.store_event(event)
    for one in (log, own):
        [record] = one.get_asset_records([KEY])
        last = record.asset_entry.last_materialization
        assert last is not None
        assert last.asset_materialization is not None
        assert last.asset_materialization.partition == "2024/b/race"
        assert last.asset_materialization.metadata["picture"] == CHART
        info = one.get_asset_check_partition_info([CHECK])
        assert {found.partition_key: found.latest_execution_status.value for found in info} == {
            "2024/a/race": "SUCCEEDED",
            "2024/b/race": "SUCCEEDED",
            "2024/c/race": "PLANNED",
            "2024/d/race": "SUCCEEDED",
        }
        history = one.get_asset_check_execution_history(CHECK, limit=9)
        assert sorted(found.partition or "" for found in history) == sorted(
            f"2024/{place}/race" for place in "abcd"
        )
    log.dispose()
    own.dispose()
    ours, dagsters = (
        sum(file.stat().st_size for file in Path(folder).glob("*.db"))
        for folder in (folder_of(log), tmp_path / "own")
    )
    assert ours < dagsters / 2


def test_threads_take_turns(log: SqliteEventLog) -> None:
    """Eight threads write to their runs and read the index at once."""

    def work(number: int) -> int:
        for step in range(5):
            log.store_event(materialization(f"run_{number % 3}", f"2024/{number}/{step}"))
            log.store_event(evaluation(f"run_{number % 3}", f"2024/{number}/{step}"))
            assert f"2024/{number}/{step}" in partitions(log)
        return number

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == list(range(8))
    assert len(partitions(log)) == 40
    assert sum(len(log.get_records_for_run(f"run_{n}").records) for n in range(3)) == 80


@pytest.mark.parametrize(
    ("writers", "runs"), [(6, 2), *(pytest.param(32, n, marks=pytest.mark.slow) for n in (4, 32))]
)
def test_many_processes_at_once(log: SqliteEventLog, writers: int, runs: int) -> None:
    """Forked from one that has the files open, they write at once, and none meets a lock."""
    log.store_event(materialization("run", "2024/parent/race"))
    fork = multiprocessing.get_context("fork")
    errors = fork.SimpleQueue()
    start = fork.Event()

    def work(number: int) -> None:
        try:
            start.wait()
            for step in range(3):
                log.store_event(materialization(f"run_{number % runs}", f"2024/{number}/{step}"))
                log.store_event(evaluation(f"run_{number % runs}", f"2024/{number}/{step}"))
        except BaseException as error:
            errors.put(repr(error))
            raise

    processes = [fork.Process(target=work, args=(number,)) for number in range(writers)]
    for process in processes:
        process.start()
    start.set()
    for process in processes:
        process.join()
    assert errors.empty(), errors.get()
    assert {process.exitcode for process in processes} == {0}
    log.store_event(materialization("run", "2024/parent/sprint"))
    assert len(partitions(log)) == 2 + writers * 3
    assert len(log.get_records_for_run("run_1").records) == 6 * writers // runs
    own = SqliteEventLogStorage(str(folder_of(log)))
    assert len(partitions(own)) == 2 + writers * 3


def test_a_child_that_ends_leaves_the_parents_files_alone(log: SqliteEventLog) -> None:
    """A forked process that ends in the ordinary way closes nothing of its parent's."""
    log.store_event(materialization("run", "2024/a/race"))
    child = os.fork()
    if not child:
        del log
        os._exit(0 if not _garbage() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    log.store_event(materialization("run", "2024/a/sprint"))
    assert partitions(log) == {"2024/a/race", "2024/a/sprint"}


def _garbage() -> bool:
    import gc

    gc.collect()
    return False


def test_few_files_are_open_however_many_runs_there_are(log: SqliteEventLog) -> None:
    """The files of runs are closed again, and all of them at the end, without a -wal file left."""
    folder = folder_of(log)
    for number in range(MOST_FILES_OPEN + 5):
        log.store_event(materialization(f"run_{number}", f"2024/a/{number}"))
    assert len([name for name in open_files(folder) if name.endswith(".db")]) <= MOST_FILES_OPEN + 1
    log.dispose()
    assert open_files(folder) == []
    assert [file.name for file in folder.iterdir() if not file.name.endswith(".db")] == []
    assert len(log.get_records_for_run("run_0").records) == 1


def test_a_log_that_another_process_wiped(log: SqliteEventLog) -> None:
    """What is written after another one has deleted the files is in new files."""
    log.store_event(materialization("run", "2024/a/race"))
    own = SqliteEventLogStorage(str(folder_of(log)))
    own.wipe()
    assert log.get_records_for_run("run").records == []
    log.store_event(materialization("run", "2024/a/sprint"))
    assert len(own.get_records_for_run("run").records) == 1
    log.wipe()
    assert partitions(log) == set()
    assert log.get_records_for_run("run").records == []


def test_the_page_of_a_running_run_hears_of_each_event(log: SqliteEventLog) -> None:
    """A watcher in another process is called while the writer keeps its files open."""
    log.store_event(materialization("run", "2024/a/0"))
    page = SqliteEventLog(str(folder_of(log)))
    heard: list[str | None] = []
    arrived = threading.Event()

    def hear(event: dg.EventLogEntry, _: str) -> None:
        heard.append(event.get_dagster_event().partition)
        if len(heard) == 3:
            arrived.set()

    page.watch("run", None, hear)
    try:
        for number in (1, 2):
            log.store_event(materialization("run", f"2024/a/{number}"))
        assert arrived.wait(20), heard
    finally:
        page.end_watch("run", hear)
        page.dispose()
    assert heard == ["2024/a/0", "2024/a/1", "2024/a/2"]


def test_a_home_of_the_command_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """dagster.yaml names it, and its files are where Dagster's own class has them."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with open_instance() as instance:
        instance.report_runless_asset_event(
            dg.AssetMaterialization(asset_key=KEY, partition="2024/a/race")
        )
        assert instance.get_materialized_partitions(KEY) == {"2024/a/race"}
        [made] = [one for one in LOGS if folder_of(one) == tmp_path / "history" / "runs"]
        assert made.has_instance
    assert open_files(tmp_path / "history") == []


@pytest.mark.parametrize("home", [None, "another"])
def test_a_home_is_opened_by_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str | None
) -> None:
    """Its events are its own, whether DAGSTER_HOME is unset or names another home."""
    folder = tmp_path / "home"
    monkeypatch.setenv("DAGSTER_HOME", str(folder))
    prepare_home()
    monkeypatch.delenv("DAGSTER_HOME")
    if home:
        monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / home))
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        instance.report_runless_asset_event(
            dg.AssetMaterialization(asset_key=KEY, partition="2024/a/race")
        )
        assert instance.get_materialized_partitions(KEY) == {"2024/a/race"}
    assert (folder / "history" / "runs" / "index.db").exists()
    assert not (tmp_path / "another").exists()
    given = SqliteEventLog.from_config_value(None, {"base_dir": str(tmp_path / "log")})
    assert Path(given.path_for_shard("index")) == tmp_path / "log" / "index.db"


def test_homes_of_earlier_releases_get_it_unless_somebody_changed_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dagster.yaml as an earlier release wrote it is replaced, an edited one stays."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    lines = CONFIG.splitlines(keepends=True)
    [first] = [n for n, line in enumerate(lines) if line.startswith("# Dagster's own files")]
    earlier = "".join(lines[:first] + lines[first + 6 :]).partition("# Ticks of sensors")[0]
    assert "event_log_storage" not in earlier
    assert sha256(earlier.encode()).hexdigest() in EARLIER_CONFIGS
    config = tmp_path / "dagster.yaml"
    config.write_text(earlier)
    prepare_home()
    assert config.read_text() == CONFIG
    config.write_text(earlier + "# ours\n")
    prepare_home()
    assert config.read_text() == earlier + "# ours\n"
