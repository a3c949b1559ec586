"""The access check: every step is tried, what a store cannot do is reported, nothing is left."""

import errno
import fcntl
from pathlib import Path

import pytest

from f1_bronze.lake.access import AccessCheck, check_access
from f1_bronze.lake.local import LocalStore
from f1_bronze.lake.stores import ObjectStore

from .fakes import RecordingStore
from .patched_s3 import ignoring_conditions, not_implemented, patched_store

STEPS = ["write", "read", "list", "conditions", "delete"]
ONE_WRITER = (
    "Let one writer at a time use this lake: no ingest beside a schedule or a backfill. Or use "
    "another store."
)


def checks_by_step(store: ObjectStore) -> dict[str, AccessCheck]:
    """The checks by step, without those that only a folder or only a bucket has."""
    return {p.step: p for p in check_access(store) if p.step not in ("space", "region")}


def test_sound_store(store: RecordingStore) -> None:
    """Each step works, two writers are kept apart, and the store is left as it was."""
    store.write("bronze/x", b"x", {})
    found = checks_by_step(store.inner)
    assert [(step, check.worked) for step, check in found.items()] == [(s, True) for s in STEPS]
    assert found["conditions"].detail == "two writers cannot undo each other's work"
    assert store.contents() == {"bronze/x": b"x"}


def test_folder_is_left_as_it_was(tmp_path: Path) -> None:
    """Neither the scratch folder nor a lock stays behind."""
    checks_by_step(LocalStore(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_s3_that_knows_no_conditions(bucket: str) -> None:
    """A store that refuses conditional writes works for one writer: a warning says so."""
    store, _ = patched_store(bucket, "put_object", not_implemented)
    found = checks_by_step(store)
    assert [(step, check.worked) for step, check in found.items() if not check.worked] == [
        ("conditions", None)
    ]
    assert found["conditions"].detail == (
        "The store does not support conditional writes: we look before each write, and another "
        "writer can come between."
    )
    assert found["conditions"].remedy == ONE_WRITER
    assert list(store.list("")) == []


def test_s3_that_passes_over_conditions(bucket: str) -> None:
    """A store that takes every write is found out, though it never says a word."""
    store, _ = patched_store(bucket, "put_object", ignoring_conditions)
    check = checks_by_step(store)["conditions"]
    assert check.worked is None
    assert check.detail == (
        "The store writes whatever the condition: of two writers one can undo the other."
    )
    assert check.remedy == ONE_WRITER


def test_folder_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So is a file system without locks."""

    def no_locks(handle: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    check = checks_by_step(LocalStore(tmp_path))["conditions"]
    assert (check.worked, check.remedy) == (None, ONE_WRITER)
    assert check.detail == (
        "The store does not support file locks: we look before each write, and another writer "
        "can come between."
    )
    assert list(tmp_path.iterdir()) == []
