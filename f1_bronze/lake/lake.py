"""The lake as one object: land, read and list partitions."""

import logging
import threading
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pyarrow as pa

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.datasets.schema import PARTITION_FIELDS, arrow_schema
from f1_bronze.lake import paths
from f1_bronze.lake.access import open_store
from f1_bronze.lake.errors import (
    LakeError,
    LakeUnavailable,
    NotInLake,
    PartitionOccupied,
    StoredElsewhere,
)
from f1_bronze.lake.history import History, read_history
from f1_bronze.lake.landing import Candidate, Landing, SeasonListing, land, list_season
from f1_bronze.lake.parquet import StoredFile, read_file, read_table, table_bytes
from f1_bronze.lake.s3 import S3Store, S3Writes
from f1_bronze.lake.stores import ObjectStore, StoredObject

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


_log = logging.getLogger(__name__)

_AT_ONCE = 10
"""Requests under way at a time: boto3 keeps as many connections."""


class _RecentFiles:
    """Contents that this process has stored, by their MD5: what a listing shows need not be read.

    Runs that follow each other in a process look at what the one before has stored. By content and
    not by path, so an entry is never wrong; the oldest go. Safe for many threads.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most, self._size, self._lock = most_bytes, 0, threading.Lock()
        self._contents: dict[str, bytes] = {}

    def keep(self, md5: str, data: bytes) -> None:
        with self._lock:
            self._size += len(data) - len(self._contents.pop(md5, b""))
            self._contents[md5] = data
            while self._size > self._most:
                self._size -= len(self._contents.pop(next(iter(self._contents))))

    def find(self, md5: str) -> bytes | None:
        with self._lock:
            return self._contents.get(md5)


_RECENT = _RecentFiles(32_000_000)
"""Ten seasons of qualifying and race."""


class Lake:
    """All files below one root, local or on S3."""

    def __init__(
        self,
        store: ObjectStore,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.store = store
        self._clock = clock
        # A folder lists no hashes, and is read as fast as memory.
        self._keep = _RECENT.keep if isinstance(store, S3Store) else None
        self._known: dict[int, set[tuple[int, SessionPartition]]] = {}

    @classmethod
    def at(
        cls,
        lake_uri: str,
        s3_writes: S3Writes | None = None,
        s3_client: "Callable[[], S3Client] | None" = None,
    ) -> "Lake":
        """The lake at a folder or `s3://bucket/prefix`; see `access.open_store`."""
        return cls(open_store(lake_uri, s3_writes, s3_client))

    def land(self, candidate: Candidate, *, accept_loss: bool = False) -> Landing:
        """Make the candidate the content of its partition, unless it would lose rows.

        With `accept_loss` also then: a person has seen that the rows are gone for good.
        Errors as of `landing.land`, and `StoredElsewhere` where another dataset or an earlier run
        has put the session into another partition.
        """
        self._check_identity(candidate)
        return land(
            self.store, candidate, clock=self._clock, accept_loss=accept_loss, keep=self._keep
        )

    def land_all(
        self, candidates: Sequence[Candidate], *, accept_loss: bool = False
    ) -> Generator[Landing | LakeError, None, None]:
        """The same for answers that came together: what became of each, in order.

        Each dataset's season is listed once and writes overlap, ten at most at a time. What follows
        an error of `LakeUnavailable` may be stored or not. Where the iterator is not read to its
        end, writes that have begun are finished, and no further ones begin.
        """
        places = {(one.dataset.name, one.partition) for one in candidates}
        sessions = {(one.dataset.name, one.session_key) for one in candidates}
        if len(candidates) < 2 or min(len(places), len(sessions)) < len(candidates):
            yield from (self._try_to_land(one, accept_loss, None) for one in candidates)
            return
        with self._threads() as writers:
            try:
                seasons = dict.fromkeys((c.dataset.name, c.partition.year) for c in candidates)
                listed = writers.map(
                    lambda season: list_season(self.store, *season, clock=self._clock), seasons
                )
                seen = dict(zip(seasons, listed, strict=True))
                checked = [self._find_contradiction(candidate) for candidate in candidates]
            except LakeUnavailable as error:
                yield from (error for _ in candidates)
                return
            try:
                landings = [
                    writers.submit(
                        self._try_to_land,
                        candidate,
                        accept_loss,
                        seen[candidate.dataset.name, candidate.partition.year],
                    )
                    if error is None
                    else error
                    for candidate, error in zip(candidates, checked, strict=True)
                ]
                for one in landings:
                    yield one.result() if isinstance(one, Future) else one
            finally:
                writers.shutdown(cancel_futures=True)

    def _threads(self) -> ThreadPoolExecutor:
        """For requests that overlap; a disk is no faster for ten threads, and each takes memory."""
        return ThreadPoolExecutor(2 if self.store.uri("").startswith("file:") else _AT_ONCE)

    def _find_contradiction(self, candidate: Candidate) -> LakeError | None:
        try:
            self._check_identity(candidate)
        except LakeUnavailable:
            raise
        except LakeError as error:
            return error
        return None

    def _try_to_land(
        self, candidate: Candidate, accept_loss: bool, seen: SeasonListing | None
    ) -> Landing | LakeError:
        try:
            if seen is None:
                return self.land(candidate, accept_loss=accept_loss)
            return land(
                self.store,
                candidate,
                clock=self._clock,
                accept_loss=accept_loss,
                seen=seen,
                keep=self._keep,
            )
        except LakeError as error:
            return error

    def _check_identity(self, candidate: Candidate) -> None:
        """One partition for each session and one session for each partition, over all datasets.

        The season is listed once; what seems to contradict is looked up again, since files may have
        been moved away meanwhile.
        """
        partition, session_key = candidate.partition, candidate.session_key
        known = self._known.get(partition.year)
        if known is not None and all(
            (key == session_key) == (other == partition) for key, other in known
        ):
            known.add((session_key, partition))
            return
        places = list(self.places([partition.year]))
        known = self._known[partition.year] = {(key, other) for _, other, key in places}
        home = paths.locate_sessions(places).get(session_key, partition)
        for place in places:
            uri = self.store.uri(paths.file_path(*place))
            if place[1:] == (home, session_key) and home != partition:
                raise StoredElsewhere(session_key, partition.key, home.key, uri)
            if place[1] == partition and place[2] != session_key:
                raise PartitionOccupied(partition.key, uri, session_key)
        known.add((session_key, partition))

    def session_partitions(self, years: Collection[int]) -> dict[int, SessionPartition]:
        """Stored sessions of these seasons: session key → partition.

        Read off the names of every dataset's files. A session keeps its partition for good,
        whatever upstream renames later. What is listed for this need not be listed once more when
        the first file of a season is written.
        """
        found: dict[int, SessionPartition] = {}
        for year in years:
            places = list(self.places([year]))
            self._known[year] = {(key, partition) for _, partition, key in places}
            found |= paths.locate_sessions(places)
        return found

    def find_contradictions(
        self, written: Mapping[SessionPartition, int]
    ) -> Iterator[tuple[SessionPartition, StoredElsewhere | PartitionOccupied]]:
        """Those of the sessions just written that are stored in another partition as well, or
        whose partition has another session: two writers did not see each other.

        A writer that looks here after it has written sees what the other wrote before, so at least
        one of two writers finds it.
        """
        places = list(self.places(sorted({partition.year for partition in written})))
        for partition, session_key in written.items():
            for place in places:
                uri = self.store.uri(paths.file_path(*place))
                if place[2] == session_key and place[1] != partition:
                    yield (
                        partition,
                        StoredElsewhere(session_key, partition.key, place[1].key, uri),
                    )
                    break
                if place[1] == partition and place[2] != session_key:
                    yield partition, PartitionOccupied(partition.key, uri, session_key)
                    break

    def stored_partitions(self, dataset: str, years: Collection[int]) -> set[SessionPartition]:
        """Partitions of the dataset that have a file."""
        return {partition for year in years for _, partition, _ in self._files(dataset, year)}

    def read(self, dataset: Dataset, partition: SessionPartition) -> StoredFile:
        """One partition's file; `NotInLake` when there is none."""
        folder = paths.partition_folder(dataset.name, partition)
        for entry in self.store.list(folder):
            data = self.store.read(entry.path)
            if paths.parse_file_path(entry.path) and data is not None:
                return read_file(data, self.store.uri(entry.path))
        raise NotInLake(
            f"{dataset.name} of {partition.key} is not in the lake ({self.store.uri(folder)}). "
            f"Materialize bronze/{dataset.name} for this partition first."
        )

    def read_all(
        self, dataset: Dataset, partitions: Collection[SessionPartition]
    ) -> dict[SessionPartition, StoredFile]:
        """The files of these partitions; what is not stored is left out.

        Each season is listed once, and reads overlap.
        """
        wanted = frozenset(partitions)
        found = {
            place[1]: entry
            for year in sorted({partition.year for partition in wanted})
            for entry in self.store.list(paths.dataset_folder(dataset.name, year))
            if (place := paths.parse_file_path(entry.path)) and place[1] in wanted
        }
        with self._threads() as readers:
            contents = list(readers.map(self._read_listed, found.values()))
        return {
            partition: read_file(data, self.store.uri(entry.path))
            for (partition, entry), data in zip(found.items(), contents, strict=True)
            if data is not None  # moved away since it was listed
        }

    def _read_listed(self, entry: StoredObject) -> bytes | None:
        return _RECENT.find(entry.md5) or self.store.read(entry.path)

    def table(
        self, dataset: Dataset, partitions: Collection[SessionPartition] | None = None
    ) -> pa.Table:
        """The rows of several partitions (None: of all), with the partition columns in front.

        `year` (int64), `grand_prix` and `session_type` (string) precede the dataset's columns.
        """
        if partitions is None:
            partitions = {partition for _, partition, _ in self._files(dataset.name, None)}
        none = pa.schema([*PARTITION_FIELDS, *arrow_schema(dataset)]).empty_table()
        files = self.read_all(dataset, partitions)
        tables = [
            _with_partition((files.get(one) or self.read(dataset, one)).table, one)
            for one in sorted(partitions)
        ]
        return pa.concat_tables(tables or [none], promote_options="default")

    def history(self, dataset: Dataset, partition: SessionPartition) -> History:
        """What a partition has held, the oldest first; `NotInLake` when never anything."""
        return read_history(self.store, dataset, partition)

    def write_table(self, path: str, table: pa.Table) -> tuple[str, int]:
        """Put a table at a path of the lake, for assets that are no bronze dataset.

        Returns its address and its size in bytes.
        """
        data = table_bytes(table)
        self.store.write(path, data, {})
        return self.store.uri(path), len(data)

    def read_table(self, path: str) -> pa.Table:
        """A table put there by `write_table`; `NotInLake` when there is none."""
        data = self.store.read(path)
        if data is None:
            raise NotInLake(
                f"{self.store.uri(path)} is not in the lake. Materialize that asset first."
            )
        return read_table(data, self.store.uri(path))

    def places(self, years: Collection[int]) -> Iterator[paths.Place]:
        """Every dataset's files of these seasons; the listings overlap."""
        seasons = [(dataset.name, year) for year in years for dataset in DATASETS]
        unreadable = ""
        with self._threads() as readers:
            for (name, year), found in zip(
                seasons, readers.map(self._list_or_error, seasons), strict=True
            ):
                if not isinstance(found, LakeUnavailable):
                    yield from found
                    continue
                # One dataset that cannot be listed does not hide the others; two are an outage.
                if unreadable not in ("", name):
                    raise found
                unreadable = name
                _log.warning(
                    "Which session is where is read from the other datasets, since %s of %d "
                    "cannot be listed: %s",
                    *(name, year, found),
                )

    def _list_or_error(self, season: tuple[str, int]) -> list[paths.Place] | LakeUnavailable:
        try:
            return list(self._files(*season))
        except LakeUnavailable as error:
            return error

    def _files(self, dataset: str, year: int | None) -> Iterator[paths.Place]:
        for entry in self.store.list(paths.dataset_folder(dataset, year)):
            if found := paths.parse_file_path(entry.path):
                yield found


def _with_partition(table: pa.Table, partition: SessionPartition) -> pa.Table:
    """The table with year, grand_prix and session_type in front."""
    for position, field in enumerate(PARTITION_FIELDS):
        value = getattr(partition, field.name)
        table = table.add_column(position, field, pa.array([value] * table.num_rows, field.type))
    return table
