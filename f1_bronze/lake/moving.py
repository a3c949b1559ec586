"""Move a session to another partition: its files, and every revision of them.

A file says in which partition it lies, so each one is written anew with the same rows. Nothing is
removed before it lies in the new place, and the old place is given up by the file that is removed
last: whenever a mover is stopped, what is left in the old place says that the move is not finished,
and moving again finishes it. `sessions` comes last, since it decides where a session is at home.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.datasets.sessions import SESSIONS
from f1_bronze.lake import paths
from f1_bronze.lake.errors import Conflict, LakeError, PartitionOccupied
from f1_bronze.lake.parquet import read_file, table_bytes
from f1_bronze.lake.paths import KeptAs, KeptPath, locate_sessions
from f1_bronze.lake.stores import ABSENT, Fetched, ObjectStore

_MOST_CONFLICTS = 100
_TICK = timedelta(microseconds=1)


def move_session(
    store: ObjectStore,
    session_key: int,
    source: SessionPartition,
    target: SessionPartition,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> int:
    """Move all that the lake has of a session; returns how many current files were moved.

    A correction that is stored in the old place meanwhile moves too. Where both places have a file,
    the one in which the session is at home (`locate_sessions`) is the newer; the other one becomes
    a revision of it.

    Raises:
        PartitionOccupied: the target holds another session; nothing was moved.
        ForeignFile: a file cannot be read; it and what comes after it stays.
        LakeUnavailable: the store failed; move again.
    """
    folders = {ds.name: paths.partition_folder(ds.name, target) for ds in DATASETS}
    for name, folder in folders.items():
        expected = paths.file_path(name, target, session_key)
        for entry in store.list(folder):
            if entry.path.endswith(".parquet") and entry.path != expected:
                raise PartitionOccupied(target.key, store.uri(entry.path), session_key)
    places = [
        place
        for ds in DATASETS
        for partition in (source, target)
        for entry in store.list(paths.partition_folder(ds.name, partition))
        if (place := paths.parse_file_path(entry.path))
    ]
    is_newer = locate_sessions(places).get(session_key) == source
    stored = {place[0] for place in places if place[1:] == (source, session_key)}
    names = [ds.name for ds in DATASETS if ds is not SESSIONS] + [SESSIONS.name]
    for name in sorted(names, key=lambda name: name in stored):
        _Move(store, name, session_key, source, target, is_newer, clock).run()
    return len(stored)


class _Move:
    """One dataset of a session on its way."""

    def __init__(
        self,
        store: ObjectStore,
        dataset: str,
        session_key: int,
        source: SessionPartition,
        target: SessionPartition,
        is_newer: bool,
        clock: Callable[[], datetime],
    ) -> None:
        self._store, self._target, self._clock = store, target, clock
        self._is_newer = is_newer
        self._notes = {"moved-from": source.key}
        self._old = paths.file_path(dataset, source, session_key)
        self._new = paths.file_path(dataset, target, session_key)
        self._old_kept = paths.revision_folder(dataset, source, session_key)
        self._new_kept = paths.revision_folder(dataset, target, session_key)

    def run(self) -> None:
        """Copy what is kept, then the file, and remove both; again where another writer came."""
        for _ in range(_MOST_CONFLICTS):
            try:
                self._run_once()
            except Conflict as error:
                last = error
            else:
                return
        raise last

    def _run_once(self) -> None:
        there = self._store.fetch(self._old)
        copied = [self._copy_kept(entry.path) for entry in self._store.list(self._old_kept)]
        if there is not None:
            self._copy_current(there)
        for path in copied:
            self._store.delete(path)
        if there is not None:
            self._store.delete(self._old, expected=there.version)

    def _copy_kept(self, path: str) -> str:
        """Copy an earlier content, or a mark; its name says what it holds, and stays."""
        kept = paths.parse_kept_path(path)
        data = self._store.read(path)
        if kept is not None and data is not None:
            if kept.kept_as in (KeptAs.REVISION, KeptAs.REFUSED):
                data = self._readdress(data, path)[0]
            self._write_once(self._new_kept + path.removeprefix(self._old_kept), data)
        return path

    def _copy_current(self, there: Fetched) -> None:
        data, sha256 = self._readdress(there.data, self._old)
        present = self._store.fetch(self._new)
        if present is None:
            self._write(data, sha256, expected=ABSENT)
            return
        present_sha256 = read_file(
            present.data, self._store.uri(self._new)
        ).provenance.content_sha256
        if present_sha256 == sha256:
            return
        if self._is_newer:
            self._keep(present.data, present_sha256)
            self._write(data, sha256, expected=present.version)
        else:
            self._keep(data, sha256)

    def _write(self, data: bytes, sha256: str, *, expected: str) -> None:
        notes = self._notes | {"content-sha256": sha256}
        self._store.write(self._new, data, notes, expected=expected)

    def _keep(self, data: bytes, sha256: str) -> None:
        """Keep a content as the latest revision in the new place, unless it is one already."""
        kept = [paths.parse_kept_path(entry.path) for entry in self._store.list(self._new_kept)]
        revisions = [one for one in kept if one is not None and _is_revision(one, sha256)]
        if revisions:
            return
        moments = [one.moment for one in kept if one is not None and one.moment]
        now = self._clock().astimezone(UTC)
        moment = max([now, *(earlier + _TICK for earlier in moments)])
        self._write_once(paths.revision_path(self._new_kept, moment, sha256), data)

    def _readdress(self, data: bytes, path: str) -> tuple[bytes, str]:
        """The bytes of a file with the same rows in the new place, and its content's hash."""
        file = read_file(data, self._store.uri(path))
        moved = replace(file.provenance, partition=self._target.key)
        return table_bytes(file.table, moved.to_metadata()), moved.content_sha256

    def _write_once(self, path: str, data: bytes) -> None:
        """Write what is the same whoever writes it."""
        try:
            self._store.write(path, data, self._notes, expected=ABSENT)
        except Conflict as error:
            if self._store.read(path) != data:
                raise LakeError(
                    f"{self._store.uri(path)} holds something else than what is to be moved "
                    "there. Move it away, then run again."
                ) from error


def _is_revision(one: KeptPath, sha256: str) -> bool:
    return one.kept_as is KeptAs.REVISION and sha256.startswith(one.sha256)
