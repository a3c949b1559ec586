"""Dagster's event log on SQLite, with connections that stay open: half the time of an event.

Dagster's own class builds an engine and a connection for every statement, so that nothing that
SQLAlchemy compiles is used again, and commits an evaluation three times. This one keeps a
connection for each database file that is in use and commits what one event writes to the index at
once. Files and tables are those of Dagster's class, which can be used on them before, after and at
the same time; only the page of a run shows it large events without their metadata, which it finds
on the asset's pages. docs/adr/0020 has the figures.
"""

import ctypes
import os
import sqlite3
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import dagster as dg
import sqlalchemy as db
from dagster._config.config_schema import UserConfigSchema
from dagster._core.event_api import EventHandlerFn
from dagster._core.events import ASSET_CHECK_EVENTS, ASSET_EVENTS, StepMaterializationData
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log.base import EventLogConnection
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    AssetKeyTable,
    SqlEventLogStorageTable,
)
from dagster._core.storage.event_log.sqlite.sqlite_event_log import (
    INDEX_SHARD_NAME,
    SqliteEventLogStorage,
    SqliteEventLogStorageWatchdog,
)
from dagster._record import copy
from dagster._serdes import ConfigurableClassData, deserialize_value, serialize_value
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import NullPool, Pool, StaticPool
from watchdog.events import FileModifiedEvent, FileSystemEvent

SECONDS_FOR_A_LOCK = 30
"""How long a statement waits while other processes write; Dagster's own figure."""

SECONDS_OF_COMMITS = 10.0
"""How long a reader waits for the second of the two commits of an event."""

MOST_FILES_OPEN = 8
"""Runs whose files are kept open besides the index; the one that was used longest ago is closed."""

PAGE_SIZE = 1024
"""Bytes of a page of a new file: what is stored ends half a page before the page does."""

LARGE = 3_000
"""Characters of an event as it is stored, from which on its metadata is stored once."""

_ONCE = {dg.DagsterEventType.ASSET_MATERIALIZATION, dg.DagsterEventType.ASSET_CHECK_EVALUATION}
_KEPT = "kept_once"
_NOTE = "The metadata is kept with the asset."
_EVENTS, _CHECKS, _ASSETS = SqlEventLogStorageTable, AssetCheckExecutionsTable, AssetKeyTable

_RECORD = '{"__class__":"EventLogRecord","event_log_entry":%s,"storage_id":%d}'
"""An `EventLogRecord` of an event that is text already."""


class SqliteEventLog(SqliteEventLogStorage):
    """The event log of a `dagster.yaml` whose storage is SQLite.

    The metadata of a large materialization or evaluation (charts, evidence) is stored once, in the
    index, where Dagster reads it for the asset's pages. The run's file has the event without it,
    and reading the run's events here gives them whole.

    Safe with several threads, which take turns at a file, and with several processes, which wait
    for each other's commits. A forked process opens connections of its own.
    """

    def __init__(
        self, base_dir: str | None = None, inst_data: ConfigurableClassData | None = None
    ) -> None:
        self._files: OrderedDict[str, _File] = OrderedDict()
        self._files_lock = threading.Lock()
        self._mine = threading.local()
        """By the name of a file the connection that a thread is using."""
        self._last = threading.local()
        self._tables: set[str] = set()
        self._has_index_columns = False
        self._inst_data = inst_data
        self._has_folder = base_dir is not None
        if base_dir is not None:
            self._start(base_dir)
        # Without it Dagster hands over one by one what a run plans: an event a partition.
        os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", "1000")
        LOGS.add(self)

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """`base_dir`, which is `history/runs` in the instance's home unless it is given."""
        return {"base_dir": dg.Field(dg.StringSource, is_required=False)}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "SqliteEventLog":
        """As dagster.yaml names it."""
        return cls(config_value.get("base_dir"), inst_data)

    def register_instance(self, instance: dg.DagsterInstance) -> None:
        """Belong to this instance; without a base_dir the files lie in its home, wherever that is.

        DAGSTER_HOME does not decide it: an instance can be opened by its folder
        (`DagsterInstance.from_config`) while the variable is unset or names another home.
        """
        if not self._has_folder:
            self._start(os.path.join(instance.root_directory, "history", "runs"))
            self._has_folder = True
        super().register_instance(instance)

    def _start(self, folder: str) -> None:
        os.makedirs(folder, exist_ok=True)
        _create(os.path.join(folder, f"{INDEX_SHARD_NAME}.db"))  # or Dagster does, with its pages
        super().__init__(folder, self._inst_data)

    def store_event(self, event: EventLogEntry) -> None:
        """Store it in its run's file, and what concerns an asset in the index with one commit."""
        kind = event.dagster_event_type
        if kind in ASSET_EVENTS or kind in ASSET_CHECK_EVENTS:
            with self._connect(INDEX_SHARD_NAME) as index:
                if not (kind in _ONCE and event.run_id and self._store_once(event, index)):
                    super().store_event(event)
        else:
            super().store_event(event)

    def _store_once(self, event: EventLogEntry, index: Connection) -> bool:
        """Store a large event as Dagster does, but its metadata once; False where it is small."""
        whole = self._event_to_row(event)
        if len(whole["event"]) < LARGE:
            return False
        light = {**whole, "event": _serialize(_without_metadata(event))}
        is_check = event.dagster_event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION
        with self._connect(event.run_id) as run:
            run.execute(_EVENTS.insert().values(**light))
        number = index.execute(_EVENTS.insert().values(**(light if is_check else whole))).lastrowid
        if is_check:  # whole in the row of the check
            self.store_asset_check_event(event, number)
        else:
            self._store_asset_event_tags(index, [event], [number])
            self._store_asset_event(index, event, number)
        return True

    def _event_to_row(self, event: EventLogEntry) -> dict[str, Any]:
        inner = event.dagster_event
        asset_key = inner.asset_key if inner else None
        return {
            "run_id": event.run_id,
            "event": self._text(event),
            "dagster_event_type": inner.event_type_value if inner else None,
            "timestamp": self._time(event),
            "step_key": inner.step_key if inner else event.step_key,
            "asset_key": asset_key.to_string() if asset_key else None,
            "partition": (inner.partition or None) if inner else None,
        }

    def _text(self, event: EventLogEntry) -> str:
        """The event as it is stored; the last one of the thread is not written anew."""
        last = self._last.__dict__
        if last.get("event") is not event:
            last.update(event=event, text=_serialize(event))
        return str(last["text"])

    def _store_asset_event(self, conn: Connection, event: EventLogEntry, event_id: int) -> None:
        """Replace the row of the asset; Dagster tries to insert a second one first, every time."""
        if event.dagster_event_type is not dg.DagsterEventType.ASSET_MATERIALIZATION:
            super()._store_asset_event(conn, event, event_id)
            return
        has_columns = self._has_asset_key_index_cols_on_connection(conn)
        values = self._get_asset_entry_values(_without_metadata(event), event_id, has_columns)
        values["last_materialization"] = _RECORD % (self._text(event), event_id)
        key = event.get_dagster_event().asset_key
        assert key is not None  # it is a materialization
        row = _ASSETS.update().values(**values).where(_ASSETS.c.asset_key == key.to_string())
        if not conn.execute(row).rowcount:
            super()._store_asset_event(conn, event, event_id)

    def _store_asset_check_evaluation_planned(
        self, event: EventLogEntry, event_id: int | None
    ) -> None:
        """A row for each partition, without the names of all the others."""
        inner = event.get_dagster_event()
        planned: Any = inner.event_specific_data
        if planned.partitions_subset is None:
            super()._store_asset_check_evaluation_planned(event, event_id)
            return
        of_one = inner._replace(event_specific_data=copy(planned, partitions_subset=None))
        row = {
            "asset_key": planned.asset_key.to_string(),
            "check_name": planned.check_name,
            "run_id": event.run_id,
            "execution_status": AssetCheckExecutionRecordStatus.PLANNED.value,
            "evaluation_event": _serialize(event._replace(dagster_event=of_one)),
            "evaluation_event_timestamp": self._time(event),
            "evaluation_event_storage_id": event_id,
        }
        keys = planned.partitions_subset.get_partition_keys()
        with self.index_connection() as index:
            index.execute(_CHECKS.insert(), [{**row, "partition": key} for key in keys])

    def _update_asset_check_evaluation(self, event: EventLogEntry, event_id: int | None) -> None:
        found: Any = event.get_dagster_event().event_specific_data
        target = found.target_materialization_data
        status = AssetCheckExecutionRecordStatus
        planned = (
            _CHECKS.update()
            .where(
                _CHECKS.c.asset_key == found.asset_key.to_string(),
                _CHECKS.c.check_name == found.check_name,
                _CHECKS.c.run_id == event.run_id,
                _CHECKS.c.partition == found.partition,
            )
            .values(
                execution_status=(status.SUCCEEDED if found.passed else status.FAILED).value,
                evaluation_event=self._text(event),
                evaluation_event_timestamp=self._time(event),
                evaluation_event_storage_id=event_id,
                materialization_event_storage_id=target.storage_id if target else None,
            )
        )
        with self.index_connection() as index:
            if index.execute(planned).rowcount != 1:
                super()._update_asset_check_evaluation(event, event_id)

    def get_records_for_run(self, *args: Any, **kwargs: Any) -> EventLogConnection:
        """The events of a run, whole."""
        found = super().get_records_for_run(*args, **kwargs)
        return found._replace(records=self._complete(found.records))

    def _get_run_sharded_event_records(
        self, *args: Any, **kwargs: Any
    ) -> Sequence[dg.EventLogRecord]:
        return self._complete(super()._get_run_sharded_event_records(*args, **kwargs))

    def _complete(self, records: Sequence[dg.EventLogRecord]) -> list[dg.EventLogRecord]:
        """The records with the metadata that the index has of them."""
        light = [one.event_log_entry for one in records if _is_light(one.event_log_entry)]
        whole: dict[tuple[Any, ...], EventLogEntry] = {}
        for run_id in {event.run_id for event in light}:
            times = [self._time(event) for event in light if event.run_id == run_id]
            for table, column, moment in (
                (_EVENTS, _EVENTS.c.event, _EVENTS.c.timestamp),
                (_CHECKS, _CHECKS.c.evaluation_event, _CHECKS.c.evaluation_event_timestamp),
            ):
                query = db.select(column).where(
                    table.c.run_id == run_id, moment.between(min(times), max(times))
                )
                with self.index_connection() as index:
                    texts = [text for (text,) in index.execute(query) if len(text) >= LARGE]
                found = (deserialize_value(text, EventLogEntry) for text in texts)
                whole |= {_identity(event): event for event in found}
        now = time.time()
        if any(now - e.timestamp < SECONDS_OF_COMMITS for e in light if _identity(e) not in whole):
            time.sleep(0.1)  # its writer has committed the run's file, and not yet the index
            return self._complete(records)
        return [
            one._replace(event_log_entry=whole.get(_identity(entry), entry))
            if _is_light(entry := one.event_log_entry)
            else one
            for one in records
        ]

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store them with one commit for each file: first the run's, then the index's."""
        if len({event.run_id for event in events}) != 1:
            super().store_event_batch(events)
            return
        with self._connect(INDEX_SHARD_NAME), self._connect(events[0].run_id):
            super().store_event_batch(events)

    def _time(self, event: EventLogEntry) -> Any:
        return self._event_insert_timestamp(event)  # type: ignore[no-untyped-call]  # Dagster's

    def has_table(self, table_name: str) -> bool:
        """Whether the index has it; a table that was there once stays there."""
        if table_name not in self._tables:
            with self.index_connection() as connection:
                if not db.inspect(connection).has_table(table_name):
                    return False
            self._tables.add(table_name)
        return True

    def _has_asset_key_index_cols_on_connection(self, conn: Connection) -> bool:
        """As `has_table`; Dagster asks at every event of an asset."""
        if not self._has_index_columns:
            self._has_index_columns = super()._has_asset_key_index_cols_on_connection(conn)
        return self._has_index_columns

    def watch(self, run_id: str, cursor: str | None, callback: EventHandlerFn) -> None:
        """Call back for each event of a run from now on: the UI's page of a running run."""
        super().watch(run_id, cursor, callback)
        watchdog, watch = self._watchers[run_id][callback]
        own = _RunWatch(self, run_id, callback, cursor)
        assert self._obs is not None  # Dagster's class has just started it
        self._obs.add_handler_for_watch(own, watch)
        self._obs.remove_handler_for_watch(watchdog, watch)
        self._watchers[run_id][callback] = (own, watch)

    def wipe(self) -> None:
        """Delete every run's file and empty the index."""
        self._close_files()
        super().wipe()

    def dispose(self) -> None:
        """Close all files: SQLite then moves what is in a -wal file into the database."""
        super().dispose()
        self._close_files()

    @contextmanager
    def _connect(self, shard: str | None) -> Iterator[Connection]:
        """A transaction on a file; inside another one of the same thread it is part of that."""
        name = str(shard or "")
        mine: dict[str, Connection] = self._mine.__dict__
        if name in mine:
            yield mine[name]
            return
        with self._file(name).begin() as connection:
            mine[name] = connection
            try:
                yield connection
            finally:
                del mine[name]

    def _file(self, name: str) -> "_File":
        with self._files_lock:
            file = self._files.get(name)
            if file is None:
                file = self._files[name] = _File(
                    self.path_for_shard(name), self.conn_string_for_shard(name), self._initdb
                )
            self._files.move_to_end(name)
            runs = [name for name in self._files if name != INDEX_SHARD_NAME]
            leaving = [self._files.pop(name) for name in runs[:-MOST_FILES_OPEN]]
        for one in leaving:
            one.close()
        return file

    def _close_files(self) -> None:
        with self._files_lock:
            files = list(self._files.values())
            self._files.clear()
        for file in files:
            file.close()

    def _after_fork(self) -> None:
        """In the child: the parent's connections are neither used nor closed.

        SQLite's locks belong to a process. To close a file that was opened by another one can
        drop that one's locks and write an old -wal file into the database, so they are never
        freed either.
        """
        for file in self._files.values():
            file.abandon()
        self._files.clear()
        self._files_lock = threading.Lock()
        self._mine = threading.local()


def _serialize(event: EventLogEntry) -> str:
    """As Dagster stores it, without spaces and the tags for log lines, which nobody reads back."""
    if event.dagster_event is not None:
        event = event._replace(dagster_event=event.dagster_event._replace(logging_tags={}))
    return serialize_value(event, separators=(",", ":"))


def _data(event: EventLogEntry) -> Any:
    """What says the asset and has the metadata: the materialization, or the evaluation."""
    data = event.get_dagster_event().event_specific_data
    return data.materialization if isinstance(data, StepMaterializationData) else data


def _without_metadata(event: EventLogEntry) -> EventLogEntry:
    """The event without what only the other copy has to say."""
    inner, data = event.get_dagster_event(), _data(event)
    metadata = {_KEPT: dg.MetadataValue.text(_NOTE)}
    light: Any = inner.event_specific_data
    if isinstance(data, dg.AssetMaterialization):
        of_asset = dg.AssetMaterialization(
            data.asset_key, partition=data.partition, metadata=metadata
        )
        light = light._replace(materialization=of_asset)
    else:
        light = copy(light, metadata=metadata)
    inner = inner._replace(event_specific_data=light)
    return event._replace(dagster_event=inner, user_message="")


def _is_light(event: EventLogEntry) -> bool:
    return event.dagster_event_type in _ONCE and _KEPT in _data(event).metadata


def _identity(event: EventLogEntry) -> tuple[Any, ...]:
    data = _data(event)
    kind = event.dagster_event_type
    return kind, data.asset_key, data.partition, getattr(data, "check_name", ""), event.timestamp


class _File:
    """One database file: its connection, opened when it is needed, and whose turn it is."""

    def __init__(self, path: str, url: str, prepare: Callable[[Engine], None]) -> None:
        self._path, self._url, self._prepare = path, url, prepare
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._inode: int | None = None

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        with self._lock:
            if self._engine is not None and self._inode != _inode(self._path):
                self._close()  # another process has wiped the log
            if self._engine is None:
                self._engine = self._open()
            with self._engine.begin() as connection:
                yield connection

    def close(self) -> None:
        """Close the connection once nobody uses it; it is opened again when it is needed."""
        with self._lock:
            self._close()

    def abandon(self) -> None:
        if self._engine is not None:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._engine))

    def _close(self) -> None:
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def _open(self) -> Engine:
        _create(self._path)
        # Dagster's preparation opens a second connection while it holds the first.
        preparing = self._make_engine(NullPool)
        self._prepare(preparing)
        preparing.dispose()
        self._inode = _inode(self._path)
        return self._make_engine(StaticPool)

    def _make_engine(self, pool: type[Pool]) -> Engine:
        # Threads share the connection in turn.
        arguments = {"timeout": SECONDS_FOR_A_LOCK, "check_same_thread": False}
        return db.create_engine(self._url, poolclass=pool, connect_args=arguments)


def _create(path: str) -> None:
    """An empty database of small pages if there is none; another process may do the same.

    Most of the twenty tables and indexes of a run's file are empty, and each takes a page.
    """
    if os.path.exists(path):
        return
    connection = sqlite3.connect(path, timeout=SECONDS_FOR_A_LOCK)
    try:
        connection.execute(f"PRAGMA page_size={PAGE_SIZE}")
        connection.execute("PRAGMA journal_mode=WAL")
    finally:
        connection.close()


def _inode(path: str) -> int | None:
    try:
        return os.stat(path).st_ino
    except FileNotFoundError:
        return None


class _RunWatch(SqliteEventLogStorageWatchdog):
    """Looks for new events when a run's file has changed, or the -wal file beside it.

    While a connection is open SQLite writes to the latter alone.
    """

    def dispatch(self, event: FileSystemEvent) -> None:
        """Called for every change in the folder."""
        changed = (self._log_path, f"{self._log_path}-wal")
        if isinstance(event, FileModifiedEvent) and event.src_path in changed:
            self._process_log()


LOGS: "weakref.WeakSet[SqliteEventLog]" = weakref.WeakSet()


def _after_fork() -> None:
    for log in list(LOGS):
        log._after_fork()


os.register_at_fork(after_in_child=_after_fork)
