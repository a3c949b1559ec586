"""The files of a dataset as one Arrow dataset, read through the lake's own store.

Belongs here: which files a condition needs, and their bytes. Stays out: what lies where (views.py).

The bytes are fetched before Arrow begins to scan, by Python's threads: Python code that Arrow's
own threads call back can wait for ever for the interpreter's lock when it raises (seen once in
four runs with a file system written in Python).
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa
import pyarrow.dataset
import pyarrow.fs
import pyarrow.parquet as pq

from f1_bronze.datasets.dataset import PARTITION_COLUMNS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.lake.errors import ForeignFile, LakeError
from f1_bronze.lake.stores import ObjectStore

_AT_ONCE = 16
"""Reads at a time; on S3 each is a round trip."""
_PARQUET = pyarrow.dataset.ParquetFileFormat()
_UNUSED = pyarrow.fs.LocalFileSystem()
"""Arrow wants a file system with every path; nothing is read from this one."""


class StoreFiles:
    """Files of a store, each read once: a statement that meets a file twice sees one content.

    A partition's file is at most some 100 KB, so one request for all of it is faster than one
    for its footer and one for each column. `opened` lists the paths that were read.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._kept: dict[str, bytes] = {}
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

    def parquet(self, paths: Sequence[str]) -> list[bytes]:
        """The bytes of Parquet files; `LakeError` when one cannot be had."""
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

    def take_failure(self) -> LakeError | None:
        """The first error as the store told it, before Arrow and DuckDB put it in their words.

        Once: who keeps it after it was raised keeps DuckDB's connection with its traceback.
        """
        failure, self._failure = self._failure, None
        return failure

    def _whole(self, path: str, data: bytes | None) -> bytes:
        if data is None:
            raise LakeError(f"{self._store.uri(path)} went away while it was read. Ask again.")
        try:
            pq.read_metadata(pa.BufferReader(data))
        except (pa.ArrowException, ValueError, OSError) as error:
            raise ForeignFile(
                f"{self._store.uri(path)} is no whole Parquet file. Move it out of the lake, then "
                "materialize its partition again."
            ) from error
        return data


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
