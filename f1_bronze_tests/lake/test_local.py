"""A folder as a store: never half a file under its name, whatever happens to the writer."""

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from f1_bronze.lake.errors import LakeUnavailable
from f1_bronze.lake.local import LocalStore
from f1_bronze.lake.stores import StoredObject

from .tiny_disk import tiny_disk

__all__ = ["tiny_disk"]  # a fixture

REPOSITORY = Path(__file__).parents[2]
PATH = "bronze/laps/x.parquet"
VERBS: dict[str, Callable[[LocalStore], object]] = {
    "read": lambda store: store.read(PATH),
    "write": lambda store: store.write(PATH, b"new", {}),
    "list": lambda store: list(store.list("bronze/laps/")),
    "check": lambda store: store.check(),
}


def test_uri(tmp_path: Path) -> None:
    """The address is absolute; hive folders stay readable, odd characters are escaped."""
    store = LocalStore(tmp_path / "my lake")
    assert store.uri("bronze/laps/year=2025/x.parquet") == (
        f"file://{tmp_path}/my%20lake/bronze/laps/year=2025/x.parquet"
    )


def test_reader_never_sees_a_torn_file(tmp_path: Path) -> None:
    """While a writer replaces a file, readers see the old one or the new one, whole."""
    store = LocalStore(tmp_path)
    contents = (b"a" * 700_000, b"b" * 300_000)
    store.write(PATH, contents[0], {})
    seen: set[bytes | None] = set()
    listed: set[tuple[StoredObject, ...]] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add(store.read(PATH))
            listed.add(tuple(store.list("bronze/")))

    reader = threading.Thread(target=read)
    reader.start()
    for turn in range(60):
        store.write(PATH, contents[turn % 2], {})
    done.set()
    reader.join()
    assert seen <= set(contents)
    assert listed <= {(StoredObject(path=PATH, size=len(content)),) for content in contents}


_WRITER = """
import os, signal, sys
from pathlib import Path
from f1_bronze.lake.local import LocalStore

store = LocalStore(Path(sys.argv[1]))
if sys.argv[2] == "before the rename":
    os.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL)
print("writing", flush=True)
while True:
    for letter in (b"b", b"c"):
        store.write("bronze/laps/x.parquet", letter * 4_000_000, {})
"""


def killed_writer(root: Path, moment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(root), moment],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )


@pytest.mark.parametrize("milliseconds", [0, 3, 10, 30])
def test_killed_writer_leaves_a_whole_file(tmp_path: Path, milliseconds: int) -> None:
    """After kill -9 at any moment the file is one of those written, whole."""
    store = LocalStore(tmp_path)
    store.write(PATH, b"a" * 4_000_000, {})
    with killed_writer(tmp_path, "at any moment") as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "writing\n"
        time.sleep(milliseconds / 1000)
        writer.kill()
    data = store.read(PATH)
    assert data in [letter * 4_000_000 for letter in (b"a", b"b", b"c")]
    assert [entry.path for entry in store.list("")] == [PATH]


def test_writer_killed_before_the_rename(tmp_path: Path) -> None:
    """What a killed writer leaves behind is not listed, and the old file is as it was."""
    store = LocalStore(tmp_path)
    store.write(PATH, b"old", {})
    with killed_writer(tmp_path, "before the rename") as writer:
        writer.wait(timeout=20)
    assert writer.returncode == -signal.SIGKILL
    left = [file.name for file in (tmp_path / PATH).parent.iterdir()]
    assert sorted(name[:12] for name in left) == [".unfinished-", "x.parquet"]
    assert store.read(PATH) == b"old"
    assert list(store.list("")) == [StoredObject(path=PATH, size=3)]
    assert list(store.list("bronze/laps/.unf")) == []


def test_other_users_can_read(tmp_path: Path) -> None:
    """Files are readable for all: a query engine may run as another user."""
    LocalStore(tmp_path).write(PATH, b"x", {})
    assert stat.S_IMODE((tmp_path / PATH).stat().st_mode) == 0o644


def test_check_leaves_nothing(tmp_path: Path) -> None:
    """Checking makes the root, and no file in it."""
    store = LocalStore(tmp_path / "new" / "lake")
    store.check()
    assert list((tmp_path / "new" / "lake").iterdir()) == []


@pytest.mark.parametrize("verb", VERBS)
def test_root_below_a_file(tmp_path: Path, verb: str) -> None:
    """A root that cannot be a folder is said to be so, with what to do."""
    (tmp_path / "file").write_text("I am no folder.")
    store = LocalStore(tmp_path / "file" / "lake")
    with pytest.raises(LakeUnavailable) as raised:
        VERBS[verb](store)
    message = str(raised.value)
    assert message.startswith("The lake folder cannot be used: could not ")
    assert f"{tmp_path}/file/lake" in message
    assert "(Not a directory)" in message
    assert message.endswith("or set F1_BRONZE_LAKE_URI to another folder.")


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="this system has no /proc")
@pytest.mark.parametrize("verb", ["write", "check"])
def test_root_that_no_one_can_write_to(verb: str) -> None:
    """A root that not even root can write to is an unavailable lake."""
    with pytest.raises(LakeUnavailable, match="could not write /proc/f1-lake"):
        VERBS[verb](LocalStore(Path("/proc/f1-lake")))


def test_folder_in_the_place_of_a_file(tmp_path: Path) -> None:
    """A folder of the file's name cannot be read or replaced, and nothing unfinished stays."""
    store = LocalStore(tmp_path)
    (tmp_path / PATH).mkdir(parents=True)
    for verb in ("read", "write"):
        with pytest.raises(LakeUnavailable, match="Is a directory"):
            VERBS[verb](store)
    assert [file.name for file in (tmp_path / "bronze/laps").iterdir()] == ["x.parquet"]


def test_full_device(tiny_disk: Path) -> None:
    """When the disk is full the old file stays and nothing half is left to fill it more."""
    store = LocalStore(tiny_disk)
    store.write(PATH, b"old", {})
    with pytest.raises(LakeUnavailable, match=r"No space left on device.*free disk space"):
        store.write(PATH, bytes(1_000_000), {})
    assert store.read(PATH) == b"old"
    assert [file.name for file in (tiny_disk / PATH).parent.iterdir()] == ["x.parquet"]
