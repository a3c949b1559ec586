"""The lake as SQL views: the six datasets, the revisions, lineage events and their summaries.

DuckDB gets the views, can read nothing else and write nowhere. Files are read through the lake's
own store, so that one way serves a folder and S3 alike, with the store's credentials and remedies,
and without an extension that DuckDB would have to download.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.dataset
import pyarrow.fs
import pyarrow.parquet as pq

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import PARTITION_COLUMNS, Dataset
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.datasets.schema import PARTITION_FIELDS, arrow_schema
from f1_bronze.lake import paths
from f1_bronze.lake.errors import LakeError
from f1_bronze.lake.history import paths_as_of
from f1_bronze.lake.parquet import read_table, torn_file
from f1_bronze.lake.paths import KeptAs
from f1_bronze.lake.stores import ObjectStore

if TYPE_CHECKING:
    import duckdb


# Reads at a time; on S3 each is a round trip.
_AT_ONCE = 16
_LINEAGE = "lineage/events/"
_SUMMARIES = "lineage/summaries/"
_PARQUET = pyarrow.dataset.ParquetFileFormat()
# Arrow wants a file system with every path; nothing is read from this one.
_UNUSED = pyarrow.fs.LocalFileSystem()
_NAMED = pa.list_(pa.struct([("namespace", pa.string()), ("name", pa.string())]))

# Columns of `lineage`, named as OpenLineage names them; `event` is the whole event as JSON.
LINEAGE_SCHEMA = pa.schema(
    [
        ("eventTime", pa.timestamp("us", tz="UTC")),
        ("eventType", pa.string()),
        ("run", pa.struct([("runId", pa.string())])),
        ("job", pa.struct([("namespace", pa.string()), ("name", pa.string())])),
        ("inputs", _NAMED),
        ("outputs", _NAMED),
        ("producer", pa.string()),
        ("event", pa.string()),
        ("path", pa.string()),
    ]
)

# Columns of `lineage_summaries`, as telemetry writes them.
_COUNTS = ("rows", "bytes", "files", "assertions", "failed_assertions", "events")
SUMMARY_SCHEMA = pa.schema(
    [
        ("day", pa.date32()),
        ("job", pa.string()),
        ("dataset", pa.string()),
        *((name, pa.int64()) for name in ("runs", "completed", "failures", "aborted", *_COUNTS)),
        ("first_event", pa.timestamp("us", tz="UTC")),
        ("last_event", pa.timestamp("us", tz="UTC")),
    ]
)

# Columns of `revisions`; `kept_as` is revision, refused or altered, `replaced_at` null for the
# last two, and `rows` null where the file cannot be read.
REVISIONS_SCHEMA = pa.schema(
    [
        ("dataset", pa.string()),
        *PARTITION_FIELDS,
        ("session_key", pa.int64()),
        ("kept_as", pa.string()),
        ("replaced_at", pa.timestamp("us", tz="UTC")),
        ("rows", pa.int64()),
        ("size_bytes", pa.int64()),
        ("sha256", pa.string()),
        ("path", pa.string()),
    ]
)


def view_schema(dataset: Dataset) -> pa.Schema:
    """The dataset's columns, then year (int64), grand_prix and session_type (string)."""
    return pa.schema([*arrow_schema(dataset), *PARTITION_FIELDS])


class StoreFiles:
    """Files of a store, each read once: a statement that meets a file twice sees one content.

    A partition's file is at most some 100 KB, so one request for all of it is faster than one
    for its footer and one for each column. `opened` lists the paths that were read.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._kept: dict[str, pa.Buffer] = {}
        self._failure: LakeError | None = None

    @property
    def opened(self) -> list[str]:
        """Paths that were read as datasets' files."""
        return list(self._kept)

    def dataset(
        self, schema: pa.Schema, placed: Sequence[tuple[str, SessionPartition]]
    ) -> "StoreDataset":
        """The files at these paths as one dataset with the columns of their partitions."""
        fragments = [
            _PARQUET.make_fragment(path, _UNUSED, partition_expression=_is(partition))
            for path, partition in placed
        ]
        found = StoreDataset(fragments, schema, _PARQUET, _UNUSED)
        found.files_of = self
        return found

    def parquet(self, paths: Sequence[str]) -> list[pa.Buffer]:
        """The bytes of Parquet files; `LakeError` when one cannot be had.

        In memory of Arrow's own: its threads give files back when they please, and if that is when
        Python ends, giving back Python's memory ends the process (exit status 134).
        """
        wanted = [path for path in paths if path not in self._kept]
        try:
            for path, data in zip(wanted, self.read(wanted), strict=True):
                self._kept[path] = self._whole(path, data)
        except LakeError as error:
            self._failure = self._failure or type(error)(*error.args)  # without its traceback
            raise
        return [self._kept[path] for path in paths]

    def read(self, paths: Sequence[str]) -> list[bytes | None]:
        """The bytes at these paths, several at a time; None where nothing is any more."""
        with ThreadPoolExecutor(_AT_ONCE) as readers:
            return list(readers.map(self._store.read, paths))

    def find_damaged(self) -> None:
        """`TornFile` for the first file whose rows cannot be read, though its footer can."""
        for path, data in self._kept.items():
            read_table(data.to_pybytes(), self._store.uri(path))

    def take_failure(self) -> LakeError | None:
        """The first error as the store raised it, before Arrow and DuckDB reword it.

        Once: to keep it after it was raised is to keep DuckDB's connection with its traceback.
        """
        failure, self._failure = self._failure, None
        return failure

    def _whole(self, path: str, data: bytes | None) -> pa.Buffer:
        if data is None:
            raise LakeError(f"{self._store.uri(path)} went away while it was read. Ask again.")
        try:
            pq.read_metadata(pa.BufferReader(data))
        except (pa.ArrowException, ValueError, OSError) as error:
            raise torn_file(self._store.uri(path)) from error
        copy = pa.BufferOutputStream()
        copy.write(data)
        return copy.getvalue()


class StoreDataset(pyarrow.dataset.FileSystemDataset):  # type: ignore[misc]  # pyarrow has no types
    """An Arrow dataset that fetches the files a condition needs when it is scanned."""

    files_of: StoreFiles

    def scanner(self, columns: Any = None, filter: Any = None, **options: Any) -> Any:
        """A scanner over the files that can hold rows of the condition, all in memory."""
        needed = list(self.get_fragments(filter=filter))  # by their partitions; nothing is read
        data = self.files_of.parquet([fragment.path for fragment in needed])
        fetched = [
            _PARQUET.make_fragment(
                pa.BufferReader(content), partition_expression=fragment.partition_expression
            )
            for fragment, content in zip(needed, data, strict=True)
        ]
        whole = pyarrow.dataset.FileSystemDataset(fetched, self.schema, _PARQUET)
        return whole.scanner(columns=columns, filter=filter, **options)


def _is(partition: SessionPartition) -> pyarrow.dataset.Expression:
    """What is true of every row of the partition."""
    values = (partition.year, partition.grand_prix, partition.session_type)
    year, grand_prix, session_type = (
        pyarrow.dataset.field(name) == value
        for name, value in zip(PARTITION_COLUMNS, values, strict=True)
    )
    return year & grand_prix & session_type


class Views:
    """The views over one lake, now or as it was.

    `without_files` names the datasets that a statement asked for and that have no file.
    """

    def __init__(self, store: ObjectStore, *, as_of: datetime | None = None) -> None:
        self._store = store
        self._as_of = as_of
        self._files = StoreFiles(store)
        self.without_files: list[str] = []

    @property
    def files_read(self) -> list[str]:
        """Paths of the datasets' files that queries have read, in no particular order."""
        return self._files.opened

    @contextmanager
    def answer(self, sql: str) -> "Iterator[duckdb.DuckDBPyRelation]":
        """The answer to one statement, to be taken while inside.

        `duckdb.Error` for a wrong statement, `LakeError` when the lake cannot be read.
        """
        import duckdb

        with duckdb.connect(config={"enable_external_access": "false"}) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute("SET python_enable_replacements = false")
            _check(connection, sql)  # before anything is listed for it
            for name, source in self._mentioned(sql):
                connection.register(name, source)
            connection.execute("SET lock_configuration = true")
            try:
                yield connection.sql(sql)
            except duckdb.Error as error:
                if failure := self._files.take_failure():
                    raise failure from None
                if "reading the stream" in str(error):  # a file, and not the statement
                    self._files.find_damaged()
                raise

    def _mentioned(self, sql: str) -> Iterator[tuple[str, Any]]:
        """Views whose name occurs in the statement, since each costs a listing; else all."""
        makers: dict[str, Callable[[], Any]] = {
            **{dataset.name: partial(self._dataset, dataset) for dataset in DATASETS},
            "revisions": self._revisions,
            "lineage": self._lineage,
            "lineage_events": self._lineage,
            "lineage_summaries": self._summaries,
        }
        named = [n for n in makers if re.search(rf"\b{n}\b", sql, flags=re.IGNORECASE)]
        for name in named or makers:
            yield name, makers[name]()
        if not named:
            self.without_files.clear()

    def _dataset(self, dataset: Dataset) -> pyarrow.dataset.Dataset:
        if self._as_of is None:
            listed = [e.path for e in self._store.list(paths.dataset_folder(dataset.name))]
        else:
            listed = paths_as_of(self._store, dataset, self._as_of)
        placed: list[tuple[str, SessionPartition]] = []
        for path in listed:
            if found := paths.parse_file_path(path):
                placed.append((path, found[1]))
            elif kept := paths.parse_kept_path(path):
                placed.append((path, kept.partition))
        if not placed:
            self.without_files.append(dataset.name)
        return self._files.dataset(view_schema(dataset), placed)

    def _revisions(self) -> pa.Table:
        kept = [
            found
            for entry in self._store.list(f"{paths.REVISIONS}/")
            if (found := paths.parse_kept_path(entry.path))
            and found.kept_as is not KeptAs.ARRIVED
            and not self._later(found.replaced_at)
        ]
        rows = [
            {
                "dataset": one.dataset,
                "year": one.partition.year,
                "grand_prix": one.partition.grand_prix,
                "session_type": one.partition.session_type,
                "session_key": one.session_key,
                "kept_as": one.kept_as.value,
                "replaced_at": one.replaced_at,
                "rows": _row_count(data or b""),
                "size_bytes": len(data or b""),
                "sha256": one.sha256,
                "path": one.path,
            }
            for one, data in zip(kept, self._files.read([k.path for k in kept]), strict=True)
        ]
        return pa.Table.from_pylist(rows, REVISIONS_SCHEMA)

    def _lineage(self) -> pa.Table:
        found = [e.path for e in self._store.list(_LINEAGE) if e.path.endswith(".json")]
        rows = [
            _event(path, line)
            for path, data in zip(found, self._files.read(found), strict=True)
            for line in (data or b"").splitlines(keepends=True)
        ]
        # An older release had a file for each event: written again it is a line of another file.
        unique = {_event_identity(row, place): row for place, row in enumerate(rows)}
        rows = [row for row in unique.values() if not self._later(row["eventTime"])]
        return pa.Table.from_pylist(rows, LINEAGE_SCHEMA)

    def _summaries(self) -> pa.Table:
        found = [e.path for e in self._store.list(_SUMMARIES) if e.path.endswith(".parquet")]
        if self._as_of is not None:  # a file is of a whole day
            last = self._as_of.strftime(f"{_SUMMARIES}year=%Y/month=%m/day=%d")
            found = [path for path in found if path.rpartition("/")[0] <= last]
        tables = [
            pq.read_table(pa.BufferReader(data or b"")).cast(SUMMARY_SCHEMA)
            for data in self._files.read(found)
        ]
        return pa.concat_tables([SUMMARY_SCHEMA.empty_table(), *tables])

    def _later(self, moment: datetime | None) -> bool:
        """Whether that moment is after the one that is asked for."""
        return self._as_of is not None and moment is not None and moment > self._as_of


def _check(connection: "duckdb.DuckDBPyConnection", sql: str) -> None:
    import duckdb

    kinds = duckdb.StatementType
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        raise duckdb.InvalidInputException("Give one statement, such as SELECT … FROM laps.")
    if statements[0].type not in (kinds.SELECT, kinds.EXPLAIN, kinds.MULTI):
        raise duckdb.InvalidInputException(
            f"{statements[0].type.name} is not possible: the views can only be read. Write a "
            "SELECT; the options --csv, --json and --parquet FILE keep its result."
        )


def _row_count(data: bytes) -> int | None:
    try:
        return int(pq.read_metadata(pa.BufferReader(data)).num_rows)
    except (pa.ArrowException, ValueError, OSError):  # altered, or not ours
        return None


def _event(path: str, data: bytes) -> dict[str, Any]:
    """One lineage event as a row; a file that is none is shown with its text and path."""
    text = data.decode("utf-8", "replace")
    try:
        event = json.loads(text)
    except ValueError:
        event = None
    event = event if isinstance(event, dict) else {}
    return {
        "eventTime": _moment(event.get("eventTime")),
        **{name: _text(event.get(name)) for name in ("eventType", "producer")},
        "run": {"runId": _part(event.get("run"), "runId")},
        "job": _named(event.get("job")),
        **{
            side: [_named(one) for one in event[side]] if isinstance(event.get(side), list) else []
            for side in ("inputs", "outputs")
        },
        "event": text,
        "path": path,
    }


def _event_identity(row: dict[str, Any], place: int) -> tuple[Any, ...]:
    """Run, type and time; the place of what is no event."""
    run_id = row["run"]["runId"]
    return (place,) if run_id is None else (run_id, row["eventType"], row["eventTime"])


def _named(value: Any) -> dict[str, str | None]:
    return {"namespace": _part(value, "namespace"), "name": _part(value, "name")}


def _part(value: Any, name: str) -> str | None:
    return _text(value.get(name)) if isinstance(value, dict) else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _moment(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
