"""Conditional writes: what every store promises, and how each keeps it."""

import errno
import fcntl
import logging
import multiprocessing
import os
import shutil
import signal
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from f1_bronze.lake.errors import Conflict, LakeUnavailable
from f1_bronze.lake.local import LocalStore
from f1_bronze.lake.s3 import WRITE_ID, S3Store
from f1_bronze.lake.stores import ABSENT, ObjectStore

from .fakes import MemoryStore, RecordingStore
from .patched_s3 import client_error, not_implemented, patched_store

PATH = "bronze/laps/x.parquet"
EACH = pytest.mark.parametrize("fake", [True, False], ids=["fake", "real"])


def chosen(fake: bool, store: RecordingStore) -> ObjectStore:
    return MemoryStore() if fake else store.inner


def version(store: ObjectStore, path: str = PATH) -> str:
    """The version of what lies there."""
    found = store.fetch(path)
    return found.version if found else ABSENT


@EACH
def test_fetch(fake: bool, store: RecordingStore) -> None:
    """The bytes come with a version: the same for the same bytes, another for others."""
    there = chosen(fake, store)
    assert there.fetch(PATH) is None
    versions = []
    for data in (b"a", b"b", b"a"):
        there.write(PATH, data, {})
        found = there.fetch(PATH)
        assert found is not None
        assert found.data == data
        versions.append(found.version)
    assert versions[0] == versions[2] != versions[1]
    assert ABSENT not in versions


@EACH
def test_write_if_absent(fake: bool, store: RecordingStore) -> None:
    """Only the first of two writers that found nothing puts its bytes there."""
    there = chosen(fake, store)
    there.write(PATH, b"one", {}, expected=ABSENT)
    with pytest.raises(Conflict):
        there.write(PATH, b"two", {}, expected=ABSENT)
    assert there.read(PATH) == b"one"
    assert [entry.path for entry in there.list("")] == [PATH]


@EACH
def test_write_if_unchanged(fake: bool, store: RecordingStore) -> None:
    """A writer replaces what it has read, not what another has put there since."""
    there = chosen(fake, store)
    there.write(PATH, b"one", {})
    seen = version(there)
    there.write(PATH, b"two", {}, expected=seen)
    assert there.read(PATH) == b"two"
    with pytest.raises(Conflict):
        there.write(PATH, b"three", {}, expected=seen)
    assert there.read(PATH) == b"two"
    there.delete(PATH)
    with pytest.raises(Conflict):
        there.write(PATH, b"three", {}, expected=seen)
    assert there.read(PATH) is None
    assert list(there.list("")) == []


@EACH
def test_delete(fake: bool, store: RecordingStore) -> None:
    """What is removed is gone, once or twice; with a version only that is removed."""
    there = chosen(fake, store)
    there.delete("nowhere/at/all")
    there.write(PATH, b"one", {})
    seen = version(there)
    there.write(PATH, b"two", {})
    with pytest.raises(Conflict):
        there.delete(PATH, expected=seen)
    assert there.read(PATH) == b"two"
    there.delete(PATH, expected=version(there))
    there.delete(PATH)
    assert list(there.list("")) == []


def test_conflict_says_what_to_do(store: RecordingStore) -> None:
    """Should it ever reach a person, it names the object and the way on."""
    with pytest.raises(Conflict) as raised:
        store.write(PATH, b"", {}, expected="another")
    assert PATH in str(raised.value)
    assert str(raised.value).endswith("Run again: what it wrote is compared then.")


def test_unfinished(store: RecordingStore) -> None:
    """A store to which everything was written whole has nothing unfinished."""
    store.write(PATH, b"one", {})
    assert list(store.unfinished()) == []


# A folder


def test_unfinished_in_a_folder(tmp_path: Path) -> None:
    """What a killed writer left is listed with size and time, in any folder, and can be removed."""
    store = LocalStore(tmp_path)
    assert list(LocalStore(tmp_path / "new").unfinished()) == []
    store.write(PATH, b"one", {}, expected=ABSENT)
    left = tmp_path / "bronze/laps/.unfinished-abc"
    left.write_bytes(b"12345")
    os.utime(left, (1_700_000_000, 1_700_000_000))
    [found] = store.unfinished()
    assert (found.path, found.size) == ("bronze/laps/.unfinished-abc", 5)
    assert found.modified == datetime.fromtimestamp(1_700_000_000, UTC)
    store.delete(found.path)
    assert list(store.unfinished()) == []
    assert not left.exists()


def test_locks_are_not_listed(tmp_path: Path) -> None:
    """Locks lie beside the data, empty and few, and are no objects."""
    store = LocalStore(tmp_path)
    for number in range(400):
        store.write(f"bronze/laps/year={number}/x.parquet", b"x", {}, expected=ABSENT)
    locks = list((tmp_path / ".locks").iterdir())
    assert 100 < len(locks) <= 256
    assert {lock.stat().st_size for lock in locks} == {0}
    assert len(list(store.list(""))) == 400
    assert list(store.list(".locks/")) == []


def hold(root: Path, holds: Any) -> None:
    """Write, stop right before the rename, and keep the lock of the path until killed."""

    def stop(*_: object) -> None:
        holds.set()
        time.sleep(600)

    os.replace = stop  # this process is a fork
    LocalStore(root).write(PATH, b"one", {}, expected=ABSENT)


def test_lock_of_a_killed_writer(tmp_path: Path) -> None:
    """A writer waits for one that is writing, and goes on when that one is killed."""
    fork = multiprocessing.get_context("fork")
    holds, writes = fork.Event(), fork.Event()

    def write() -> None:
        LocalStore(tmp_path).write(PATH, b"two", {}, expected=ABSENT)
        writes.set()

    holder = fork.Process(target=hold, args=(tmp_path, holds), daemon=True)
    holder.start()
    assert holds.wait(10)
    writer = fork.Process(target=write, daemon=True)
    writer.start()
    assert not writes.wait(0.2)
    assert holder.pid is not None
    os.kill(holder.pid, signal.SIGKILL)
    assert writes.wait(10)
    holder.join()
    writer.join()
    assert LocalStore(tmp_path).read(PATH) == b"two"


def test_cleaned_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When somebody removes the locks while a writer waits, it takes the new one."""
    store, flock, turns = LocalStore(tmp_path), fcntl.flock, []

    def clean_once(handle: int, how: int) -> None:
        flock(handle, how)
        if not turns:
            shutil.rmtree(tmp_path / ".locks")
        turns.append(handle)

    monkeypatch.setattr(fcntl, "flock", clean_once)
    store.write(PATH, b"one", {}, expected=ABSENT)
    assert len(turns) == 2
    assert store.read(PATH) == b"one"


def test_file_system_without_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where there are no locks the lake works for one writer, and says so once."""

    def no_locks(handle: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    store = LocalStore(tmp_path)
    store.write(PATH, b"one", {}, expected=ABSENT)
    with pytest.raises(Conflict):
        store.write(PATH, b"two", {}, expected=ABSENT)
    assert [record.getMessage() for record in caplog.records] == [
        f"The file system of {tmp_path} has no locks: let one writer at a time use this lake."
    ]


def test_lock_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any other failure of a lock is an unavailable lake, and leaves nothing behind."""

    def broken(handle: int, how: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", broken)
    store = LocalStore(tmp_path)
    with pytest.raises(LakeUnavailable, match="Input/output error"):
        store.write(PATH, b"one", {}, expected=ABSENT)
    assert list(store.list("")) == []
    assert list(store.unfinished()) == []


# S3


def test_write_whose_answer_was_lost(bucket: str) -> None:
    """The client repeats a PUT whose answer was lost, and finds its own object: no conflict."""

    def twice(asked: Any, call: int, arguments: dict[str, Any]) -> Any:
        asked(**arguments)
        return asked(**arguments)

    store, client = patched_store(bucket, "put_object", twice)
    store.write(PATH, b"one", {"run-id": "abc"}, expected=ABSENT)
    store.write(PATH, b"two", {}, expected=version(store))
    assert store.read(PATH) == b"two"
    metadata = boto3.client("s3").head_object(Bucket=bucket, Key=PATH)["Metadata"]
    assert set(metadata) == {WRITE_ID}
    assert client.calls[0]["Metadata"]["run-id"] == "abc"


def test_write_that_others_overtook(bucket: str) -> None:
    """Another writer's object of the very same bytes is not taken for our own."""
    S3Store(bucket=bucket).write(PATH, b"one", {}, expected=ABSENT)
    with pytest.raises(Conflict):
        S3Store(bucket=bucket).write(PATH, b"one", {}, expected=ABSENT)


@pytest.mark.parametrize("code", ["ConditionalRequestConflict", "OperationAborted"])
def test_two_requests_at_once(bucket: str, code: str) -> None:
    """What S3 says when two conditional writes meet is a conflict like any other."""

    def refuse(asked: Any, call: int, arguments: dict[str, Any]) -> Any:
        raise client_error(code)

    store, _ = patched_store(bucket, "put_object", refuse)
    with pytest.raises(Conflict):
        store.write(PATH, b"one", {}, expected=ABSENT)


@pytest.mark.parametrize("verb", ["put_object", "delete_object"])
def test_store_without_conditions(bucket: str, caplog: pytest.LogCaptureFixture, verb: str) -> None:
    """A store that knows no conditions is asked without them, after a look; a warning, once."""
    store, client = patched_store(bucket, verb, not_implemented)
    with caplog.at_level(logging.WARNING, "f1_bronze"):
        for data in (b"one", b"two"):
            store.write(PATH, data, {}, expected=version(store))
        with pytest.raises(Conflict):
            store.write(PATH, b"three", {}, expected=ABSENT)
        with pytest.raises(Conflict):
            store.delete(PATH, expected='"another"')
        assert store.read(PATH) == b"two"
        store.delete(PATH, expected=version(store))
    assert store.read(PATH) is None
    warned = [record.getMessage() for record in caplog.records if record.name.startswith("f1_")]
    assert warned == [
        f"The store of s3://{bucket}/{PATH} does not support conditional requests: let one "
        "writer at a time use this lake."
    ]
    asked = ["IfMatch" in call or "IfNoneMatch" in call for call in client.calls]
    assert asked == [True, *[False] * (len(asked) - 1)]


def test_delete_whose_answer_was_lost(bucket: str) -> None:
    """An object that is gone when the client repeats its DELETE was removed."""

    def gone(asked: Any, call: int, arguments: dict[str, Any]) -> Any:
        asked(**arguments)
        raise client_error("NoSuchKey")

    store, _ = patched_store(bucket, "delete_object", gone)
    store.write(PATH, b"one", {})
    store.delete(PATH, expected=version(store))
    assert store.read(PATH) is None


def test_refusal_of_a_condition_that_is_none(bucket: str) -> None:
    """Other refusals stay what they are: no conflict, and nothing is sent again."""

    def forbidden(asked: Any, call: int, arguments: dict[str, Any]) -> Any:
        raise client_error("AccessDenied")

    store, client = patched_store(bucket, "put_object", forbidden)
    with pytest.raises(LakeUnavailable, match="S3 answered AccessDenied: could not write"):
        store.write(PATH, b"one", {}, expected=ABSENT)
    assert len(client.calls) == 1
