"""Fakes at the port: a store in memory, one that records and fails, and a clock."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import md5, sha256

from f1_bronze.lake.errors import Conflict, LakeUnavailable
from f1_bronze.lake.stores import ABSENT, Fetched, ObjectStore, StoredObject, Unfinished


class MemoryStore:
    """Objects in a dictionary."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def uri(self, path: str) -> str:
        return f"memory:///{path}"

    def read(self, path: str) -> bytes | None:
        return self.objects.get(path)

    def fetch(self, path: str) -> Fetched | None:
        data = self.objects.get(path)
        return None if data is None else Fetched(data=data, version=sha256(data).hexdigest())

    def write(
        self,
        path: str,
        data: bytes,
        metadata: Mapping[str, str],
        *,
        expected: str | None = None,
    ) -> None:
        self._check(path, expected)
        self.objects[path] = data

    def delete(self, path: str, *, expected: str | None = None) -> None:
        self._check(path, expected)
        self.objects.pop(path, None)

    def unfinished(self) -> Iterator[Unfinished]:
        return iter(())

    def _check(self, path: str, expected: str | None) -> None:
        there = self.fetch(path)
        if expected is not None and (there.version if there else ABSENT) != expected:
            raise Conflict(path)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        for path in sorted(self.objects):
            if path.startswith(prefix):
                data = self.objects[path]
                yield StoredObject(path=path, size=len(data), md5=md5(data).hexdigest())

    def check(self) -> None:
        return None


class RecordingStore:
    """Any store, with its writes recorded; on demand one of the next writes fails."""

    def __init__(self, inner: ObjectStore) -> None:
        self.inner = inner
        self.written: list[str] = []
        self.notes: list[dict[str, str]] = []
        self._writes_left: int | None = None

    def fail_after(self, writes: int) -> None:
        """Let this many writes pass, then fail once."""
        self._writes_left = writes

    def clear(self) -> None:
        self.written.clear()
        self.notes.clear()

    def contents(self) -> dict[str, bytes]:
        """Every object by path."""
        return {entry.path: self.inner.read(entry.path) or b"" for entry in self.inner.list("")}

    def uri(self, path: str) -> str:
        return self.inner.uri(path)

    def read(self, path: str) -> bytes | None:
        return self.inner.read(path)

    def fetch(self, path: str) -> Fetched | None:
        return self.inner.fetch(path)

    def delete(self, path: str, *, expected: str | None = None) -> None:
        self.inner.delete(path, expected=expected)

    def unfinished(self) -> Iterator[Unfinished]:
        return self.inner.unfinished()

    def write(
        self,
        path: str,
        data: bytes,
        metadata: Mapping[str, str],
        *,
        expected: str | None = None,
    ) -> None:
        if self._writes_left == 0:
            self._writes_left = None
            raise LakeUnavailable("The fake store failed on demand. Try again.")
        if self._writes_left is not None:
            self._writes_left -= 1
        self.inner.write(path, data, metadata, expected=expected)
        self.written.append(path)
        self.notes.append(dict(metadata))

    def list(self, prefix: str) -> Iterator[StoredObject]:
        yield from self.inner.list(prefix)

    def check(self) -> None:
        self.inner.check()


class TickingClock:
    """A clock that is a minute later at each call."""

    def __init__(self, start: datetime = datetime(2025, 4, 14, 6, 0, tzinfo=UTC)) -> None:
        self.now = start

    def __call__(self) -> datetime:
        moment = self.now
        self.now += timedelta(minutes=1)
        return moment
