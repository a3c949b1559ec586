"""The budget in a file: real processes, real locks, real time scaled down."""

import multiprocessing
import os
import signal
import stat
import tempfile
import time
from pathlib import Path

import pytest

from f1_bronze.openf1.budget import Limit, MemoryStore, Pace, parse_limits, rate_store
from f1_bronze.openf1.budget_stores import FileStore, Ledger, RateStoreError

from .fakes import FakeTime
from .test_pace import exceeded

API = "https://api.openf1.org/v1"
processes = multiprocessing.get_context("fork")


def call_in_turn(path: Path, calls: int, report: Path) -> None:
    pace = Pace(parse_limits("4/0.1s"), FileStore(path))
    times = []
    for _ in range(calls):
        pace.wait()
        times.append(time.time())
    report.write_text("\n".join(map(repr, times)))


def hold_the_lock(path: Path, ready: Path) -> None:
    def step(ledger: Ledger | None) -> Ledger:
        ready.touch()
        time.sleep(60)
        raise AssertionError("killed before")

    FileStore(path).change(step)


def test_processes_share_one_budget(tmp_path: Path) -> None:
    """Three processes that call as fast as they may stay within the limit together."""
    reports = [tmp_path / f"report-{n}" for n in range(3)]
    workers = [
        processes.Process(target=call_in_turn, args=(tmp_path / "rate", 4, report))
        for report in reports
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(20)
    times = [float(line) for report in reports for line in report.read_text().splitlines()]
    assert len(times) == 12
    # 20 ms for what passes between waking up and looking at the clock on a busy machine.
    assert exceeded(times, Limit(calls=4, seconds=0.08)) == []
    assert max(times) - min(times) >= 0.29


def test_a_holder_that_is_killed_frees_the_lock(tmp_path: Path) -> None:
    """kill -9 of a process in the midst of a change neither blocks nor damages the budget."""
    path, ready = tmp_path / "rate", tmp_path / "ready"
    FileStore(path).change(lambda ledger: Ledger(slots=(5.0,), written_at=5.0))
    holder = processes.Process(target=hold_the_lock, args=(path, ready))
    holder.start()
    deadline = time.monotonic() + 10
    while not ready.exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert ready.exists()
    assert holder.pid is not None
    os.kill(holder.pid, signal.SIGKILL)
    holder.join(10)
    after = FileStore(path).change(lambda ledger: ledger or Ledger())
    assert after == Ledger(slots=(5.0,), written_at=5.0)


@pytest.mark.parametrize(
    "damage",
    [b"", b"{", b'{"slots": [1.0', b"[]", b'{"slots": ["x"], "blocked_until": 0}', b"\xff"],
)
def test_a_damaged_file_is_a_full_window_and_repaired(tmp_path: Path, damage: bytes) -> None:
    """A cut or garbled file makes the next call wait for the longest window, then all is well."""
    path = tmp_path / "rate"
    path.write_bytes(damage)
    fake = FakeTime()
    pace = Pace(parse_limits("3/1s,30/60s"), FileStore(path), fake.clock, fake.sleep)
    assert pace.remaining() == 0
    assert pace.wait() == pytest.approx(60.25, abs=1e-4)
    repaired = FileStore(path).read()
    assert repaired is not None
    assert repaired.slots[-1] == pytest.approx(fake.now)


def test_budgets_are_remembered_by_a_new_process(tmp_path: Path) -> None:
    """A pace made later on the same file knows the calls that went, and a back-off."""
    fake = FakeTime()
    limits = parse_limits("2/10s")
    first = Pace(limits, FileStore(tmp_path / "rate"), fake.clock, fake.sleep)
    first.wait()
    first.wait()
    later = Pace(limits, FileStore(tmp_path / "rate"), fake.clock, fake.sleep)
    assert later.estimate(1) == pytest.approx(10.25, abs=1e-4)
    first.back_off(fake.now + 20.0)
    assert later.wait() == pytest.approx(20.0, abs=1e-4)


def test_a_lock_file_that_was_cleaned_away_is_made_again(tmp_path: Path) -> None:
    """When a cleaner removes the lock file, the next change makes another and goes on."""
    store = FileStore(tmp_path / "deep" / "rate")
    store.change(lambda ledger: Ledger(slots=(1.0,), written_at=1.0))
    (tmp_path / "deep" / "rate.lock").unlink()
    assert store.change(lambda ledger: ledger or Ledger()).slots == (1.0,)


def test_a_place_that_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    """A file where a directory should be is an error that names the setting."""
    (tmp_path / "file").touch()
    pace = Pace(parse_limits("1/1s"), FileStore(tmp_path / "file" / "rate"))
    with pytest.raises(RateStoreError, match="set F1_BRONZE_RATE_STORE to file:/another/path"):
        pace.wait()


def test_the_default_is_a_private_file_for_each_api(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a setting the file is the user's own, one for each host and port."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    stores = [
        rate_store(setting, url)
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
    with pytest.raises(RateStoreError, match="belongs to somebody else"):
        rate_store("", API)


def test_stores_by_setting(tmp_path: Path) -> None:
    """A path is taken as it is, and memory is for one process."""
    store = rate_store(f"file:{tmp_path}/rate.json", API)
    assert isinstance(store, FileStore)
    assert store.path == tmp_path / "rate.json"
    assert isinstance(rate_store("memory", API), MemoryStore)
