"""The budget in a file: real processes, real locks, real time scaled down."""

import errno
import multiprocessing
import os
import signal
import stat
import tempfile
import time
from pathlib import Path

import filelock
import pytest

from f1_bronze.openf1.budget import CallBudget, Limit, parse_limits
from f1_bronze.openf1.budget_stores import FileStore, MemoryStore, RateStoreError, open_rate_store

from .fakes import FakeTime, read_ledger
from .test_budget import exceeded

API = "https://api.openf1.org/v1"
processes = multiprocessing.get_context("fork")


def reserve_in_turn(path: Path, calls: int, report: Path) -> None:
    budget = CallBudget(parse_limits("4/0.1s"), FileStore(path))
    report.write_text("\n".join(repr(budget.reserve()) for _ in range(calls)))


def hold_the_lock(path: Path, ready: Path) -> None:
    def renew(text: bytes | None) -> bytes:
        ready.touch()
        time.sleep(60)
        raise AssertionError("killed before")

    FileStore(path).change(renew)


def test_processes_share_one_budget(tmp_path: Path) -> None:
    """Three processes that reserve as fast as they can keep the limit together."""
    reports = [tmp_path / f"report-{n}" for n in range(3)]
    workers = [
        processes.Process(target=reserve_in_turn, args=(tmp_path / "rate", 20, report))
        for report in reports
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    slots = [float(line) for report in reports for line in report.read_text().splitlines()]
    assert len(slots) == 60
    assert exceeded(slots, Limit(calls=4, seconds=0.1)) == []


def test_a_holder_that_is_killed_frees_the_lock(tmp_path: Path) -> None:
    """kill -9 of a process in the midst of a change neither blocks nor damages the budget."""
    path, ready = tmp_path / "rate", tmp_path / "ready"
    FileStore(path).change(lambda text: b"before")
    holder = processes.Process(target=hold_the_lock, args=(path, ready))
    holder.start()
    deadline = time.monotonic() + 10
    while not ready.exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert ready.exists()
    assert holder.pid is not None
    os.kill(holder.pid, signal.SIGKILL)
    holder.join(10)
    FileStore(path).change(lambda text: (text or b"") + b" and after")
    assert FileStore(path).read() == b"before and after"


@pytest.mark.parametrize(
    "damage",
    [b"", b"{", b'{"slots": [1.0', b"[]", b'{"slots": ["x"], "blocked_until": 0}', b"\xff"],
)
def test_a_damaged_file_is_a_full_window_and_repaired(tmp_path: Path, damage: bytes) -> None:
    """A cut or garbled file makes the next call wait for the longest window, then all is well."""
    path = tmp_path / "rate"
    path.write_bytes(damage)
    fake = FakeTime()
    budget = CallBudget(parse_limits("3/1s,30/60s"), FileStore(path), fake.clock, fake.sleep)
    assert budget.remaining() == 0
    assert budget.wait() == pytest.approx(60.25, abs=1e-4)
    assert read_ledger(FileStore(path)).slots[-1] == pytest.approx(fake.now)


def test_budgets_are_remembered_by_a_new_process(tmp_path: Path) -> None:
    """A budget made later on the same file knows the calls that went, and a back-off."""
    fake = FakeTime()
    limits = parse_limits("2/10s")
    first = CallBudget(limits, FileStore(tmp_path / "rate"), fake.clock, fake.sleep)
    first.wait()
    first.wait()
    later = CallBudget(limits, FileStore(tmp_path / "rate"), fake.clock, fake.sleep)
    assert later.estimate(1) == pytest.approx(10.25, abs=1e-4)
    first.back_off(fake.now + 20.0)
    assert later.wait() == pytest.approx(20.0, abs=1e-4)


def test_a_lock_file_that_was_cleaned_away_is_made_again(tmp_path: Path) -> None:
    """When a cleaner removes the lock file, the next change makes another and goes on."""
    store = FileStore(tmp_path / "deep" / "rate")
    store.change(lambda text: b"1")
    (tmp_path / "deep" / "rate.lock").unlink()
    store.change(lambda text: (text or b"") + b"2")
    assert store.read() == b"12"


def test_a_place_that_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    """A file where a directory should be is an error that names the setting."""
    (tmp_path / "file").touch()
    budget = CallBudget(parse_limits("1/1s"), FileStore(tmp_path / "file" / "rate"))
    with pytest.raises(RateStoreError, match="set F1_BRONZE_RATE_STORE to file:/another/path"):
        budget.wait()


def test_the_default_is_a_private_file_for_each_api(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a setting the file is the user's own, one for each host and port."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    stores = [
        open_rate_store(setting, url)
        for setting, url in [
            ("", API),
            ("file", "https://API.openf1.org:443/v2"),
            ("", "http://localhost:9000/v1"),
        ]
    ]
    assert all(isinstance(store, FileStore) for store in stores)
    paths = [store.path for store in stores if isinstance(store, FileStore)]
    assert paths[0] == paths[1] != paths[2]
    assert paths[0].parent == tmp_path / f"f1_bronze-{os.getuid()}"
    assert stat.S_IMODE(paths[0].parent.stat().st_mode) == 0o700


def test_a_directory_that_was_planted_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link in the shared temporary directory under our name is refused."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f"f1_bronze-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RateStoreError, match="belongs to another user"):
        open_rate_store("", API)


def test_stores_by_setting(tmp_path: Path) -> None:
    """A path is taken as it is, and memory is for one process."""
    store = open_rate_store(f"file:{tmp_path}/rate.json", API)
    assert isinstance(store, FileStore)
    assert store.path == tmp_path / "rate.json"
    assert isinstance(open_rate_store("memory", API), MemoryStore)


def test_two_users_share_a_file(tmp_path: Path) -> None:
    """What one user made with a strict umask another one changes, in whatever folder it is."""
    before = os.umask(0o077)
    try:
        for folder in ("made", "sticky"):
            path = tmp_path / folder / "rate"
            if folder == "sticky":
                path.parent.mkdir()
                path.parent.chmod(0o1777)
            FileStore(path).change(lambda text: b"one")
            modes = {
                entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in path.parent.iterdir()
            }
            assert modes == {"rate": 0o666, "rate.lock": 0o666}
            assert stat.S_IMODE(path.parent.stat().st_mode) & 0o777 == 0o777
    finally:
        os.umask(before)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("mode", [0o777, 0o1777])
def test_another_user_changes_the_file(mode: int) -> None:
    """As in a folder for all, and as in /tmp, where nobody may replace another's file."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="f1-budget-") as name:
        path = Path(name) / "rate"
        path.parent.chmod(mode)
        FileStore(path).change(lambda text: b"a longer one")

        def as_another() -> None:
            os.setuid(65534)
            FileStore(path).change(lambda text: (text or b"")[:8] + b" and two")
            assert FileStore(path).read() == b"a longer and two"

        other = processes.Process(target=as_another)
        other.start()
        other.join(20)
        assert other.exitcode == 0
        FileStore(path).change(lambda text: (text or b"") + b" and three")
        assert FileStore(path).read() == b"a longer and two and three"


def test_a_file_system_without_locks_is_named_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the file system refuses a lock the error says where else the budget can be kept."""

    def refuse(fd: int, **options: object) -> bool:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(filelock, "lock_descriptor", refuse)
    with pytest.raises(RateStoreError, match=r"No locks available.*set F1_BRONZE_RATE_STORE to"):
        CallBudget(parse_limits("1/1s"), FileStore(tmp_path / "rate")).wait()
