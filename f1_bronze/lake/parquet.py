"""Write one partition as the bytes of one Parquet file, and read it back.

The bytes are a function of the rows, the schema and the identity of the partition: no clock,
no host and no run goes in.
"""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.lake.errors import ForeignFile, TornFile
from f1_bronze.lake.paths import BRONZE, parse_file_path
from f1_bronze.lake.records import Rows, to_records

ROW_GROUP_SIZE = 50_000
_PREFIX = "f1_bronze."


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """What a file says of itself in its key-value metadata.

    Attributes:
        source: endpoint and query for this one session, without host: `laps?session_key=9472`.
        absent_columns: declared columns that no record of the answer had.
    """

    dataset: str
    partition: str
    session_key: int
    schema_version: int
    source: str
    content_sha256: str
    absent_columns: tuple[str, ...] = ()

    def to_metadata(self) -> dict[str, str]:
        """The key-value pairs, all with the prefix `f1_bronze.`."""
        values = {
            "dataset": self.dataset,
            "partition": self.partition,
            "session_key": str(self.session_key),
            "schema_version": str(self.schema_version),
            "source": self.source,
            "content_sha256": self.content_sha256,
            "absent_columns": json.dumps(list(self.absent_columns)),
        }
        return {_PREFIX + name: value for name, value in values.items()}

    @classmethod
    def from_metadata(cls, metadata: Mapping[bytes, bytes] | None, path: str) -> "Provenance":
        """Read back; `ForeignFile` when the pairs are missing or broken."""
        try:
            pairs = {
                key.decode().removeprefix(_PREFIX): value.decode()
                for key, value in (metadata or {}).items()
                if key.startswith(_PREFIX.encode())
            }
            return cls(
                dataset=pairs["dataset"],
                partition=pairs["partition"],
                session_key=int(pairs["session_key"]),
                schema_version=int(pairs["schema_version"]),
                source=pairs["source"],
                content_sha256=pairs["content_sha256"],
                absent_columns=tuple(json.loads(pairs["absent_columns"])),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ForeignFile(
                f"{path} does not say which partition it holds, so it was not written by this "
                "project. Move it out of the lake's bronze folder, then run again."
            ) from error


def make_provenance(
    dataset: Dataset, partition: SessionPartition, session_key: int, source: str, rows: Rows
) -> Provenance:
    """What the file of these rows will say of itself."""
    return Provenance(
        dataset=dataset.name,
        partition=partition.key,
        session_key=session_key,
        schema_version=dataset.schema_version,
        source=source,
        content_sha256=rows.content_sha256,
        absent_columns=rows.absent,
    )


@dataclass(frozen=True, kw_only=True)
class StoredFile:
    """One file of the lake, read: its rows and what it says of itself."""

    table: pa.Table
    provenance: Provenance

    def records(self, dataset: Dataset) -> list[dict[str, Any]]:
        """The API's records, in the order of the rows."""
        return to_records(dataset, self.table, self.provenance.absent_columns)


def table_bytes(table: pa.Table, metadata: Mapping[str, str] | None = None) -> bytes:
    """A table as the bytes of a snappy Parquet file in row groups of 50,000."""
    sink = io.BytesIO()
    with pq.ParquetWriter(
        sink,
        table.schema,
        compression="snappy",
        version="2.6",
        # The Arrow schema in base64 would be a third of a small file, and adds nothing to the
        # Parquet types that other engines read.
        store_schema=False,
    ) as writer:
        writer.write_table(table, row_group_size=ROW_GROUP_SIZE)
        for key, value in (metadata or {}).items():
            # One at a time: the order of a whole mapping is up to the library's hash table.
            writer.add_key_value_metadata({key: value})
    return sink.getvalue()


def file_bytes(rows: Rows, provenance: Provenance) -> bytes:
    """The bytes of a partition's file."""
    return table_bytes(rows.table, provenance.to_metadata())


def read_table(data: bytes, path: str) -> pa.Table:
    """The table in these bytes, its key-value metadata on the schema.

    `TornFile` when they are no whole Parquet file.
    """
    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        return file.read().replace_schema_metadata(file.metadata.metadata)
    except (pa.ArrowException, ValueError, OSError) as error:  # ValueError: a name not in UTF-8
        raise torn_file(path) from error


def torn_file(path: str) -> TornFile:
    """The error of a damaged file, with the commands that replace one of a partition.

    >>> str(torn_file("lake/x.parquet"))[:41]
    'lake/x.parquet is no whole Parquet file. '
    """
    remedy = "Move it out of the lake, then materialize its partition again."
    if place := parse_file_path(path[max(0, path.rfind(f"{BRONZE}/")) :]):
        partition = place[1]
        remedy = (
            f"`f1-bronze verify {partition.year} --repair` moves it aside, then `f1-bronze ingest "
            f"{partition.year} --grand-prix {partition.grand_prix} --session-type "
            f"{partition.session_type} --missing` stores it again."
        )
    return TornFile(f"{path} is no whole Parquet file. {remedy}")


def read_file(data: bytes, path: str) -> StoredFile:
    """Rows and provenance of a partition's file; `ForeignFile` when it is none."""
    table = read_table(data, path)
    provenance = Provenance.from_metadata(table.schema.metadata, path)
    return StoredFile(table=table.replace_schema_metadata(None), provenance=provenance)
