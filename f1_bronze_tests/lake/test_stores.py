"""Which store a lake's address opens, and what every store promises."""

from pathlib import Path

import pytest

from f1_bronze.lake.access import open_store
from f1_bronze.lake.errors import LakeAddressError
from f1_bronze.lake.local import LocalStore
from f1_bronze.lake.s3 import S3Store
from f1_bronze.lake.stores import StoredObject

from .fakes import MemoryStore, RecordingStore


@pytest.mark.parametrize(
    ("address", "root"),
    [
        ("/srv/lake", "/srv/lake"),
        ("file:///srv/lake", "/srv/lake"),
        ("file://localhost/srv/lake", "/srv/lake"),
        ("file:///srv/my%20lake", "/srv/my lake"),
        ("/srv/my%20lake", "/srv/my%20lake"),
        ("/srv/lake#1?", "/srv/lake#1?"),
    ],
)
def test_folder(address: str, root: str) -> None:
    """A path is taken as it is, a file address is decoded."""
    store = open_store(address)
    assert isinstance(store, LocalStore)
    assert store.root == Path(root)


def test_relative_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative folder is in the working directory of the moment at which it was opened."""
    monkeypatch.chdir(tmp_path)
    assert open_store("data/lake").uri("bronze/") == f"file://{tmp_path}/data/lake/bronze/"


def test_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """`~` is the user's home."""
    monkeypatch.setenv("HOME", "/home/someone")
    assert open_store("~/lake").uri("x") == "file:///home/someone/lake/x"


@pytest.mark.parametrize(
    ("address", "uri"),
    [
        ("s3://my-bucket", "s3://my-bucket/bronze/x"),
        ("s3://my-bucket/", "s3://my-bucket/bronze/x"),
        ("s3://my-bucket/f1", "s3://my-bucket/f1/bronze/x"),
        ("s3://my-bucket/f1/lake/", "s3://my-bucket/f1/lake/bronze/x"),
    ],
)
def test_bucket(address: str, uri: str) -> None:
    """A bucket, with or without a prefix, with or without a slash at its end."""
    store = open_store(address)
    assert isinstance(store, S3Store)
    assert store.uri("bronze/x") == uri


@pytest.mark.parametrize(
    ("address", "remedy"),
    [
        ("", "Set it to a folder or to s3://bucket/prefix"),
        ("file://", "Set it to a folder or to s3://bucket/prefix"),
        ("file://data/lake", "file:///data/lake"),
        ("s3://", "Write s3://bucket/prefix"),
        ("s3:///f1", "Write s3://bucket/prefix"),
        ("gs://bucket/f1", "Use a folder or s3://bucket/prefix"),
        ("https://bucket/f1", "Use a folder or s3://bucket/prefix"),
    ],
)
def test_address_that_is_none(address: str, remedy: str) -> None:
    """Any other address is refused with the way to write one; nothing is written elsewhere."""
    with pytest.raises(LakeAddressError) as raised:
        open_store(address)
    assert "F1_BRONZE_LAKE_URI" in str(raised.value)
    assert remedy in str(raised.value)


def test_address_of_a_local_store_opens_it_again(tmp_path: Path) -> None:
    """The uri of a folder with any characters leads back to that folder."""
    root = tmp_path / "São Paulo 100% #1?"
    LocalStore(root).write("a/b.json", b"{}", {})
    assert open_store(LocalStore(root).uri("")).read("a/b.json") == b"{}"


def test_read_and_write(store: RecordingStore) -> None:
    """What was written is read, byte for byte; a second write replaces it."""
    path = "bronze/laps/year=2025/grand_prix=são paulo/x y.parquet"
    assert store.read(path) is None
    store.write(path, bytes(range(256)), {})
    assert store.read(path) == bytes(range(256))
    store.write(path, b"", {})
    assert store.read(path) == b""


@pytest.mark.parametrize("fake", [True, False], ids=["fake", "real"])
def test_list(fake: bool, store: RecordingStore) -> None:
    """A prefix lists what begins with it, in order of paths, with sizes; the fake does the same."""
    tested = RecordingStore(MemoryStore()) if fake else store
    sizes = {"a/b/2": 2, "a/b/10": 10, "a/b-c": 3, "a/bc/1": 1, "b": 4, "A": 5}
    for path, size in sizes.items():
        tested.write(path, bytes(size), {})

    def listed(prefix: str) -> list[str]:
        return [entry.path for entry in tested.list(prefix)]

    assert list(tested.list("a/b/")) == [
        StoredObject(path="a/b/10", size=10),
        StoredObject(path="a/b/2", size=2),
    ]
    assert listed("a/b") == ["a/b-c", "a/b/10", "a/b/2", "a/bc/1"]
    assert listed("a/b/1") == ["a/b/10"]
    assert listed("") == ["A", "a/b-c", "a/b/10", "a/b/2", "a/bc/1", "b"]
    assert listed("nowhere/") == []
    assert listed("nowhere/at/all") == []


def test_new_lake(store: RecordingStore) -> None:
    """A lake that nothing was written to can be checked, listed and read."""
    store.check()
    assert list(store.list("")) == []
    assert store.read("bronze/x") is None
    assert store.contents() == {}
