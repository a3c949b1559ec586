"""Decide whether an answer becomes the content of its partition, and write it.

The order of writes keeps every content, whenever a writer is stopped or overtaken by another.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import md5
from typing import Any

import pyarrow as pa

from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.lake import paths
from f1_bronze.lake.changes import NO_CHANGES, Changes, LostRows, compare
from f1_bronze.lake.errors import Conflict, InvalidRecord, PartitionOccupied
from f1_bronze.lake.parquet import file_bytes, make_provenance, read_file
from f1_bronze.lake.records import to_records, to_rows
from f1_bronze.lake.stores import ABSENT, Fetched, ObjectStore, StoredObject

# Each means that another writer has finished; so many in a row are no coincidence. 25 were once:
# four writers of one partition on a machine that was busy.
_MOST_CONFLICTS = 100
_TICK = timedelta(microseconds=1)


class Revision(StrEnum):
    """What an answer did to its partition."""

    NEW = "new"
    UNCHANGED = "unchanged"
    CHANGED = "changed"
    REFUSED = "refused"
    EMPTY = "empty"


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An answer that is to become the content of a partition.

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

    `table`, `rows`, `size_bytes`, `content_sha256` and `absent_columns` describe the candidate;
    when it was refused, the lake still holds what it held.

    Attributes:
        absent_columns: declared columns, by their OpenF1 names, that no record of the answer had.
    """

    revision: Revision
    uri: str
    table: pa.Table
    size_bytes: int
    content_sha256: str
    absent_columns: tuple[str, ...]
    changes: Changes

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.table.num_rows)

    @property
    def lost(self) -> tuple[LostRows, ...]:
        """What the lake holds and a refused answer does not."""
        return self.changes.lost if self.revision is Revision.REFUSED else ()


@dataclass(frozen=True, kw_only=True)
class SeasonListing:
    """What the lake held of a dataset's season when the answers to be stored were there already.

    Whatever is stored by it is as if it had been stored at the moment of the listing: an equal file
    needs no look, and where there was none the write itself finds out whether there still is none.

    Attributes:
        moment: before the listing, by the lake's clock.
        by_folder: the Parquet files of each partition's folder.
    """

    moment: datetime
    by_folder: Mapping[str, Sequence[StoredObject]]


def list_season(
    store: ObjectStore, dataset: str, year: int, *, clock: Callable[[], datetime]
) -> SeasonListing:
    """List a dataset's season: one request, where each partition would be one."""
    moment = clock()
    by_folder: dict[str, list[StoredObject]] = {}
    for entry in store.list(paths.dataset_folder(dataset, year)):
        if entry.path.endswith(".parquet"):
            by_folder.setdefault(entry.path.rpartition("/")[0] + "/", []).append(entry)
    return SeasonListing(moment=moment, by_folder=by_folder)


def land(
    store: ObjectStore,
    candidate: Candidate,
    *,
    clock: Callable[[], datetime],
    accept_loss: bool = False,
    seen: SeasonListing | None = None,
    keep: Callable[[str, bytes], None] | None = None,
) -> Landing:
    """Write the candidate unless the partition already holds it or would lose rows.

    - nothing there yet: written (`new`, or `empty` when the answer had no rows), after a mark of
      its arrival;
    - same content and schema: nothing is written (`unchanged`);
    - rows added or changed, or the twin of an equal row gone: the old file is copied to
      `revisions/` first (`changed`);
    - rows missing: the current file stays, the candidate is kept aside (`refused`), unless the
      loss is accepted: then it replaces the file like any other (`changed`).

    A writer that was faster is no error: what it wrote is compared with the candidate. `seen` is a
    listing made after the answer had come; without it the partition is listed. `keep` gets MD5 and
    bytes of what the partition holds now.
    `InvalidRecord` and `PartitionOccupied` when it cannot be stored at all; `LakeUnavailable` when
    the store fails; `Conflict` when others write it without end. In each case the current file is
    whole.
    """
    for record in candidate.records:
        if record.get("session_key") != candidate.session_key:
            raise InvalidRecord(
                f"A record of {candidate.dataset.name} has the session_key "
                f"{record.get('session_key')!r} where {candidate.session_key} was asked for. "
                "Nothing of this partition was written. Materialize the partition again later."
            )
    attempt = _Attempt(store, candidate, clock)
    for turn in range(_MOST_CONFLICTS):
        try:
            landing = attempt.land(None if turn else seen, accept_loss=accept_loss)
        except Conflict as error:
            last = error
            continue
        if keep is not None and landing.revision is not Revision.REFUSED:
            keep(attempt.md5, attempt.data)
        return landing
    raise last


class _Attempt:
    """One candidate on its way into the store."""

    def __init__(
        self, store: ObjectStore, candidate: Candidate, clock: Callable[[], datetime]
    ) -> None:
        self._store, self._candidate, self._clock = store, candidate, clock
        place = candidate.dataset.name, candidate.partition, candidate.session_key
        self._path = paths.file_path(*place)
        self._aside = paths.revision_folder(*place)
        self._rows = to_rows(candidate.dataset, candidate.records)
        self.data = file_bytes(
            self._rows,
            make_provenance(
                candidate.dataset,
                candidate.partition,
                candidate.session_key,
                candidate.source,
                self._rows,
            ),
        )
        self.md5 = md5(self.data, usedforsecurity=False).hexdigest()
        self._notes = {**candidate.notes, "content-sha256": self._rows.content_sha256}

    def land(self, seen: SeasonListing | None, *, accept_loss: bool) -> Landing:
        """Compare with what is there and write; `Conflict` when others were faster."""
        dataset, rows = self._candidate.dataset, self._rows
        moment = self._clock() if seen is None else seen.moment
        listed = self._find_file(seen)
        if listed is not None and listed.md5 == self.md5:
            return self._landing(Revision.UNCHANGED)
        there = None if listed is None else self._store.fetch(self._path)
        if there is None:
            if listed is not None and seen is not None:
                raise Conflict(self._store.uri(self._path))  # moved away since
            # The mark comes first, under a moment before the place was seen empty: no content is
            # older than the last mark before it, and a mark that no file follows, because its
            # writer was stopped or overtaken, hides nothing (history.py). Written after the file
            # it could be missing for good.
            self._store.write(paths.arrival_path(self._aside, moment), b"", {})
            self._store.write(self._path, self.data, self._notes, expected=ABSENT)
            if not rows.table.num_rows:
                return self._landing(Revision.EMPTY)
            return self._landing(Revision.NEW, self._compare_with(()))
        current = read_file(there.data, self._store.uri(self._path))
        same_schema = current.provenance.schema_version == dataset.schema_version
        if current.provenance.content_sha256 == rows.content_sha256 and same_schema:
            return self._landing(Revision.UNCHANGED)
        changes = self._compare_with(current.records(dataset))
        if changes.lost and not accept_loss:
            aside = paths.refused_path(self._aside, rows.content_sha256)
            self._store.write(aside, self.data, self._notes)
            return self._landing(Revision.REFUSED, changes, aside)
        self._keep(there, current.provenance.content_sha256)
        self._store.write(self._path, self.data, self._notes, expected=there.version)
        return self._landing(Revision.CHANGED, changes)

    def _compare_with(self, before: Sequence[Mapping[str, Any]]) -> Changes:
        # Both sides are rebuilt from their stored form, so that 25 and 25.0 are no change.
        dataset, rows = self._candidate.dataset, self._rows
        return compare(dataset, before, to_records(dataset, rows.table, rows.absent))

    def _find_file(self, seen: SeasonListing | None) -> StoredObject | None:
        """The partition's file in the listing; `PartitionOccupied` when it has another's."""
        candidate, store = self._candidate, self._store
        folder = paths.partition_folder(candidate.dataset.name, candidate.partition)
        if seen is None:
            there = [entry for entry in store.list(folder) if entry.path.endswith(".parquet")]
        else:
            there = list(seen.by_folder.get(folder, ()))
        if others := [entry.path for entry in there if entry.path != self._path]:
            if seen is not None:
                raise Conflict(store.uri(others[0]))  # it may have been moved away since
            raise PartitionOccupied(
                candidate.partition.key, store.uri(others[0]), candidate.session_key
            )
        return there[0] if there else None

    def _keep(self, there: Fetched, sha256: str) -> None:
        """Copy the current content to `revisions/`, under the moment of its replacement.

        Each attempt makes a copy of its own and removes none. One that is stopped, or that
        another writer overtakes, leaves a copy too many, which history.py sees through and
        verify.py finds; a copy too few would be a content lost.

        Names are in the order of the replacements: the moment is behind every content that was
        replaced earlier, whatever the clocks of other machines say, and since what is there is
        looked at once more after it, before every content that will be.
        """
        now = self._clock().astimezone(UTC)
        kept = [paths.parse_kept_path(entry.path) for entry in self._store.list(self._aside)]
        earlier = [one.moment for one in kept if one is not None and one.moment]
        moment = max([now, *(other + _TICK for other in earlier)])
        again = self._store.fetch(self._path)
        if again is None or again.version != there.version:
            raise Conflict(self._store.uri(self._path))
        while True:
            path = paths.revision_path(self._aside, moment, sha256)
            try:
                self._store.write(path, there.data, {"content-sha256": sha256}, expected=ABSENT)
            except Conflict:
                moment += _TICK
            else:
                return

    def _landing(
        self, revision: Revision, changes: Changes = NO_CHANGES, at: str | None = None
    ) -> Landing:
        return Landing(
            revision=revision,
            uri=self._store.uri(at or self._path),
            table=self._rows.table,
            size_bytes=len(self.data),
            content_sha256=self._rows.content_sha256,
            absent_columns=self._rows.absent,
            changes=changes,
        )
