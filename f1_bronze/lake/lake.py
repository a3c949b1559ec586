"""The lake as one object: land, read and list partitions."""

from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pyarrow as pa

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.datasets.schema import PARTITION_FIELDS, arrow_schema
from f1_bronze.lake import paths
from f1_bronze.lake.access import open_store
from f1_bronze.lake.errors import NotInLake, PartitionOccupied, StoredElsewhere
from f1_bronze.lake.history import History, read_history
from f1_bronze.lake.landing import Candidate, Landing, land
from f1_bronze.lake.parquet import StoredFile, read_file, read_table, table_bytes
from f1_bronze.lake.s3 import S3Writes
from f1_bronze.lake.stores import ObjectStore

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


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
        return land(self.store, candidate, clock=self._clock, accept_loss=accept_loss)

    def _check_identity(self, candidate: Candidate) -> None:
        """One partition for each session and one session for each partition, over all datasets.

        The season is listed once; what seems to contradict is looked up again, since files may have
        been moved away meanwhile.
        """
        partition, session_key = candidate.partition, candidate.session_key
        known = self._known.setdefault(partition.year, set())
        if known and all((key == session_key) == (other == partition) for key, other in known):
            known.add((session_key, partition))
            return
        places = list(self._places([partition.year]))
        known.clear()
        known.update((key, other) for _, other, key in places)
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
        whatever upstream renames later.
        """
        return paths.locate_sessions(self._places(years))

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

    def table(
        self, dataset: Dataset, partitions: Collection[SessionPartition] | None = None
    ) -> pa.Table:
        """The rows of several partitions (None: of all), with the partition columns in front.

        `year` (int64), `grand_prix` and `session_type` (string) precede the dataset's columns.
        """
        if partitions is None:
            partitions = {partition for _, partition, _ in self._files(dataset.name, None)}
        none = pa.schema([*PARTITION_FIELDS, *arrow_schema(dataset)]).empty_table()
        tables = [
            _with_partition(self.read(dataset, partition).table, partition)
            for partition in sorted(partitions)
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

    def _places(self, years: Collection[int]) -> Iterator[paths.Place]:
        for year in years:
            for dataset in DATASETS:
                yield from self._files(dataset.name, year)

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
