"""How an answer becomes the content of a partition, or is refused.

Belongs here: the decision new / unchanged / changed / refused / empty, and the order of writes
that keeps every content. Stays out: bytes (parquet.py), comparing (changes.py), where (paths.py).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import pyarrow as pa

from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.lake import paths
from f1_bronze.lake.changes import NO_CHANGES, Changes, RowKey, compare
from f1_bronze.lake.errors import PartitionOccupied, RecordUnfit
from f1_bronze.lake.parquet import StoredFile, file_bytes, provenance_of, read_file
from f1_bronze.lake.records import Rows, records_of, rows_of
from f1_bronze.lake.stores import ObjectStore


class Revision(StrEnum):
    """What an answer did to its partition."""

    NEW = "new"
    UNCHANGED = "unchanged"
    CHANGED = "changed"
    REFUSED = "refused"
    EMPTY = "empty"


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An answer that wants to become the content of a partition.

    Attributes:
        source: endpoint and query of this one session, without host.
        notes: who fetched it, when and with what; kept beside the object on S3, never in it.
    """

    dataset: Dataset
    partition: SessionPartition
    session_key: int
    records: Sequence[Mapping[str, Any]]
    source: str
    notes: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Landing:
    """What became of a candidate.

    `table`, `rows`, `size_bytes` and `content_sha256` describe the candidate; when it was
    refused, the lake still holds what it held.
    """

    revision: Revision
    uri: str
    table: pa.Table
    size_bytes: int
    content_sha256: str
    changes: Changes

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.table.num_rows)

    @property
    def missing_keys(self) -> tuple[RowKey, ...]:
        """Keys that the lake holds and a refused answer does not."""
        return self.changes.removed if self.revision is Revision.REFUSED else ()


def land(store: ObjectStore, candidate: Candidate, *, clock: Callable[[], datetime]) -> Landing:
    """Write the candidate unless the partition already holds it or would lose rows.

    - nothing there yet: written (`new`, or `empty` when the answer had no rows);
    - same content and schema: nothing is written (`unchanged`);
    - rows added or changed: the old file is copied to `revisions/` first (`changed`);
    - rows missing: the current file stays, the candidate is kept aside (`refused`).

    `RecordUnfit` and `PartitionOccupied` when it cannot be stored at all; `LakeUnavailable` when
    the store fails. In each case the current file is untouched.
    """
    dataset, partition = candidate.dataset, candidate.partition
    _check_session(candidate)
    rows = rows_of(dataset, candidate.records)
    provenance = provenance_of(dataset, partition, candidate.session_key, candidate.source, rows)
    data = file_bytes(rows, provenance)
    path = paths.file_path(dataset.name, partition, candidate.session_key)
    notes = {**candidate.notes, "content-sha256": rows.content_sha256}

    def landing(revision: Revision, changes: Changes = NO_CHANGES, at: str = path) -> Landing:
        return Landing(
            revision=revision,
            uri=store.uri(at),
            table=rows.table,
            size_bytes=len(data),
            content_sha256=rows.content_sha256,
            changes=changes,
        )

    current_bytes = _current(store, candidate, path)
    if current_bytes is None:
        store.write(path, data, notes)
        if not rows.table.num_rows:
            return landing(Revision.EMPTY)
        return landing(Revision.NEW, _all_added(dataset, rows))

    current = read_file(current_bytes, store.uri(path))
    same_schema = current.provenance.schema_version == dataset.schema_version
    if current.provenance.content_sha256 == rows.content_sha256 and same_schema:
        return landing(Revision.UNCHANGED)
    changes = _changes(dataset, current, rows, provenance.absent_columns)
    folder = paths.revision_folder(dataset.name, partition, candidate.session_key)
    if changes.removed:
        aside = paths.refused_path(folder, rows.content_sha256)
        store.write(aside, data, notes)
        return landing(Revision.REFUSED, changes, aside)
    _keep(store, folder, current, current_bytes, clock())
    store.write(path, data, notes)
    return landing(Revision.CHANGED, changes)


def _check_session(candidate: Candidate) -> None:
    for record in candidate.records:
        if record.get("session_key") != candidate.session_key:
            raise RecordUnfit(
                f"A record of {candidate.dataset.name} has the session_key "
                f"{record.get('session_key')!r} where {candidate.session_key} was asked. Nothing "
                "of this partition was written. Materialize the partition again later."
            )


def _current(store: ObjectStore, candidate: Candidate, path: str) -> bytes | None:
    folder = paths.partition_folder(candidate.dataset.name, candidate.partition)
    there = [entry.path for entry in store.list(folder) if entry.path.endswith(".parquet")]
    if others := [other for other in there if other != path]:
        raise PartitionOccupied(
            f"{candidate.partition.key} already holds {store.uri(others[0])}, which is another "
            f"session than {candidate.session_key}. Simulated and real data, or two versions of "
            "a session, must not share a partition: use another F1_BRONZE_LAKE_URI, or move that "
            "file away."
        )
    return store.read(path) if there else None


def _changes(dataset: Dataset, current: StoredFile, rows: Rows, absent: Sequence[str]) -> Changes:
    # Both sides are rebuilt from their stored form, so that 25 and 25.0 are no change.

    return compare(dataset, current.records(dataset), records_of(dataset, rows.table, absent))


def _all_added(dataset: Dataset, rows: Rows) -> Changes:
    return compare(dataset, (), records_of(dataset, rows.table, rows.absent))


def _keep(store: ObjectStore, folder: str, current: StoredFile, data: bytes, now: datetime) -> None:
    """Copy the current content to `revisions/` unless its copy is already the latest there.

    It is, when an earlier attempt stopped between this copy and the new file. The bytes decide:
    after a change of the schema two files in a row have one content.
    """
    sha256 = current.provenance.content_sha256
    kept = [entry.path for entry in store.list(folder) if "/refused_" not in entry.path]
    if kept and kept[-1].endswith(f"_{sha256[:12]}.parquet") and store.read(kept[-1]) == data:
        return
    store.write(
        paths.revision_path(folder, now.astimezone(UTC), sha256), data, {"content-sha256": sha256}
    )
