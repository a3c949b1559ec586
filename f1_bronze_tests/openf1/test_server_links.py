"""PostgreSQL and Redis as they are: real servers, real processes, wherever they are installed."""

import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from f1_bronze.openf1 import budget_stores as postgresql_link
from f1_bronze.openf1.budget import Limit, Pace, PaceSettingError, parse_limits, rate_store
from f1_bronze.openf1.budget_stores import Ledger, RateStoreError, ServerStore

from .servers import PASSWORD, Server
from .test_file_store import processes
from .test_pace import exceeded

API = "https://api.openf1.org/v1"
OTHER_API = "http://127.0.0.1:9000/v1"


@pytest.fixture
def api(request: pytest.FixtureRequest) -> str:
    """An API that no other test has asked."""
    return f"https://{abs(hash(request.node.nodeid))}.{time.time_ns()}.example/v1"


def reserve_some(url: str, api: str, calls: int) -> None:
    pace = Pace(parse_limits("1000/10s"), rate_store(url, api))
    for _ in range(calls):
        pace.reserve()


def test_nothing_is_lost_under_concurrent_change(server: Server, api: str) -> None:
    """Six processes and this one, all new to the server, make 25 reservations each: 175 remain."""
    workers = [processes.Process(target=reserve_some, args=(server.url, api, 25)) for _ in range(6)]
    for worker in workers:
        worker.start()
    reserve_some(server.url, api, 25)
    for worker in workers:
        worker.join(30)
    assert [worker.exitcode for worker in workers] == [0] * 6
    ledger = rate_store(server.url, api).read()
    assert ledger is not None
    assert len(ledger.slots) == 7 * 25


def test_threads_may_share_a_store(server: Server, api: str) -> None:
    """Four threads with one store reserve without losing one."""
    store = rate_store(server.url, api)
    pace = Pace(parse_limits("1000/10s"), store)
    threads = [
        threading.Thread(target=lambda: [pace.reserve() for _ in range(10)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    ledger = store.read()
    assert ledger is not None
    assert len(ledger.slots) == 40


def test_apis_do_not_share(server: Server, api: str) -> None:
    """A budget is for one host and port, and remembered by whoever comes next."""
    first = rate_store(server.url, api)
    first.change(lambda ledger: Ledger(slots=(7.0,), written_at=7.0))
    assert rate_store(server.url, api).read() == Ledger(slots=(7.0,), written_at=7.0)
    assert rate_store(server.url, api.replace("https://", "http://")).read() == Ledger()
    assert rate_store(server.url, api.upper().replace("HTTPS", "https")).read() == first.read()


def test_the_time_is_the_servers(server: Server, api: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose clock is an hour off reserves in the server's time."""
    true = time.time()
    monkeypatch.setattr(time, "time", lambda: true - 3600.0)
    store = rate_store(server.url, api)
    assert store.now() == pytest.approx(true, abs=5.0)
    assert Pace(parse_limits("1/1s"), store).reserve() == pytest.approx(true, abs=5.0)


def test_sockets_of_this_machine_will_do(server: Server, api: str) -> None:
    """Where the client takes a unix socket in an address, so do we."""
    store = rate_store(server.socket_url, api)
    store.change(lambda ledger: Ledger(slots=(1.0,), written_at=1.0))
    assert rate_store(server.url, api).read() == Ledger(slots=(1.0,), written_at=1.0)


def hold(url: str, api: str, ready: Path) -> None:
    def step(ledger: Ledger | None) -> Ledger:
        ready.touch()
        time.sleep(60)
        raise AssertionError("ended before")

    rate_store(url, api).change(step)


@pytest.fixture
def holder(
    server: Server, api: str, tmp_path: Path
) -> Iterator[multiprocessing.process.BaseProcess]:
    """A process in the midst of a change."""
    rate_store(server.url, api).change(lambda ledger: Ledger(slots=(5.0,), written_at=5.0))
    ready = tmp_path / "ready"
    process = processes.Process(target=hold, args=(server.url, api, ready))
    process.start()
    deadline = time.monotonic() + 10
    while not ready.exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert ready.exists()
    yield process
    process.kill()
    process.join(10)


def test_a_holder_that_is_killed_frees_the_budget(
    server: Server, api: str, holder: multiprocessing.process.BaseProcess
) -> None:
    """kill -9 of a process in the midst of a change neither blocks nor damages the budget."""
    holder.kill()
    began = time.monotonic()
    after = rate_store(server.url, api).change(lambda ledger: ledger or Ledger())
    assert after == Ledger(slots=(5.0,), written_at=5.0)
    assert time.monotonic() - began < 2.0


@pytest.mark.slow
def test_a_holder_that_hangs_loses_the_budget(
    server: Server, api: str, holder: multiprocessing.process.BaseProcess
) -> None:
    """A process that is frozen in the midst of a change holds others up for seconds at most."""
    assert holder.pid is not None
    os.kill(holder.pid, signal.SIGSTOP)
    began = time.monotonic()
    after = rate_store(server.url, api).change(lambda ledger: ledger or Ledger())
    assert after == Ledger(slots=(5.0,), written_at=5.0)
    assert time.monotonic() - began < 8.0


def test_a_wrong_password_is_said_at_once_and_not_repeated_aloud(
    server: Server, api: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The error names server, reason and remedy, and no password; no log line does either."""
    wrong = server.url.replace("hunter2", "hunter3")
    store = rate_store(wrong, api)
    began = time.monotonic()
    with caplog.at_level(0), pytest.raises(RateStoreError) as raised:
        store.change(lambda ledger: Ledger())
    assert time.monotonic() - began < 3.0
    assert f"127.0.0.1:{server.port}" in str(raised.value)
    assert "password" in str(raised.value)
    assert "set it to file" in str(raised.value)
    for told in (str(raised.value), repr(raised.value), repr(store), caplog.text):
        assert "hunter3" not in told


def test_a_server_that_is_not_there_is_said_at_once(unused_port: int) -> None:
    """Nobody listens: which server, and what to do."""
    for scheme in ("postgresql", "redis"):
        pytest.importorskip({"postgresql": "psycopg"}.get(scheme, scheme))
        store = rate_store(f"{scheme}://u:hunter2@127.0.0.1:{unused_port}/0", API)
        with pytest.raises(RateStoreError, match=r"refused.*check that the server runs") as raised:
            store.now()
        assert "hunter2" not in str(raised.value)


@pytest.fixture
def unused_port() -> Iterator[int]:
    """A port at which nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        yield one.getsockname()[1]


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["postgresql", "redis"])
def test_a_server_that_hangs_is_given_up(scheme: str) -> None:
    """A server that takes the connection and says nothing is an error within seconds."""
    pytest.importorskip({"postgresql": "psycopg"}.get(scheme, scheme))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        store = rate_store(f"{scheme}://u:p@127.0.0.1:{silent.getsockname()[1]}/0", API)
        began = time.monotonic()
        with pytest.raises(RateStoreError):
            store.now()
        assert time.monotonic() - began < 11.0


def test_postgresql_that_freezes_is_hung_up_on(
    postgresql_server: Server, api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """libpq has no bound for an answer that does not come; ours ends the exchange."""
    monkeypatch.setattr(postgresql_link, "LONGEST_EXCHANGE", 0.3)
    monkeypatch.setattr(postgresql_link, "_TIME", "SELECT 0.0 FROM pg_sleep(30)")
    store = rate_store(postgresql_server.url, api)
    began = time.monotonic()
    with pytest.raises(RateStoreError):
        store.now()
    assert 0.3 <= time.monotonic() - began < 5.0


def test_a_restart_of_the_server_is_survived(server: Server, api: str) -> None:
    """The server goes and comes back between two calls, and during one."""
    store = rate_store(server.url, api)
    pace = Pace(parse_limits("100/1s"), store)
    pace.reserve()
    server.stop()
    server.start()
    pace.reserve()
    server.stop()
    comeback = threading.Timer(0.5, server.start)
    comeback.start()
    pace.reserve()
    comeback.join()


def test_a_table_that_is_there_needs_no_right_to_make_one(
    postgresql_server: Server, api: str
) -> None:
    """An administrator may make the table; without it and without the right the error says so."""
    import psycopg

    rate_store(postgresql_server.url, api).change(lambda ledger: Ledger())
    role = f"r{time.time_ns()}"
    with psycopg.connect(postgresql_server.url, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")
        admin.execute(f"GRANT SELECT, INSERT, UPDATE ON {postgresql_link.TABLE} TO {role}")
    url = postgresql_server.url.replace("//f1:", f"//{role}:")
    rate_store(url, api).change(lambda ledger: Ledger())
    with psycopg.connect(postgresql_server.url, autocommit=True) as admin:
        admin.execute("CREATE SCHEMA IF NOT EXISTS elsewhere")
        admin.execute(f"ALTER ROLE {role} SET search_path = elsewhere")
    with pytest.raises(RateStoreError, match=r"permission denied|no schema"):
        rate_store(url, api).change(lambda ledger: Ledger())


@pytest.mark.parametrize(
    ("setting", "client", "extra"),
    [
        ("postgresql://u:hunter2@h/d", "psycopg", "postgresql"),
        ("redis://:hunter2@h/0", "redis", "redis"),
        ("unix:///run/redis.sock", "redis", "redis"),
    ],
)
def test_a_client_that_is_missing_is_named_with_its_extra(
    setting: str, client: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the client the error says what to install."""
    for name in [name for name in sys.modules if name.partition(".")[0] == client]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, client, None)
    with pytest.raises(PaceSettingError) as raised:
        rate_store(setting, API)
    assert f'run pip install "f1_bronze[{extra}]"' in str(raised.value)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    "setting",
    [
        "postgresql://u:hunter2/x@h:5432/d",
        "postgresql://u:12/hunter2@h:5432/d",
        "postgresql://u:x@hunter2@h/d",
        "redis://:hunter2/x@h:6379/0",
        "redis://:12/hunter2@h:6379/0",
        "postgresql://u:hunter2@h/d?nonsense=1",
        "redis://:hunter2@h:port/0",
        "redis://:hunter2@h/0?socket_timeout=soon",
    ],
)
def test_an_address_that_is_none_is_refused_without_its_password(setting: str) -> None:
    """A typing error in an address is said without repeating it."""
    pytest.importorskip("psycopg" if setting.startswith("postgresql") else "redis")
    with pytest.raises(PaceSettingError, match="does not understand; write") as raised:
        rate_store(setting, API)
    assert "hunter2" not in str(raised.value)
    assert raised.value.__suppress_context__


@pytest.mark.parametrize(
    ("setting", "place"),
    [
        ("postgresql://u:p@db.example.org:6543/f1", "PostgreSQL at db.example.org:6543"),
        ("postgres://db.example.org/f1", "PostgreSQL at db.example.org"),
        ("postgresql:///f1?host=/run/postgresql", "PostgreSQL at /run/postgresql"),
        ("postgresql:///f1", "PostgreSQL at the local socket"),
        ("redis://:p@cache.example.org", "Redis at cache.example.org:6379"),
        ("rediss://u:p@cache.example.org:6380/3", "Redis at cache.example.org:6380"),
        ("unix:///run/redis.sock?db=2", "Redis at /run/redis.sock"),
    ],
)
def test_stores_by_address(setting: str, place: str) -> None:
    """What the clients take as an address, and how it is called; nothing is asked yet."""
    pytest.importorskip("psycopg" if setting.startswith("postgres") else "redis")
    store = rate_store(setting, API)
    assert isinstance(store, ServerStore)
    assert repr(store) == f"ServerStore({place})"


def test_processes_share_one_budget(server: Server, api: str, tmp_path: Path) -> None:
    """Three processes that call as fast as they may stay within the limit together."""
    reports = [tmp_path / f"report-{n}" for n in range(3)]
    workers = [
        processes.Process(target=call_in_turn, args=(server.url, api, 4, report))
        for report in reports
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(20)
    times = [float(line) for report in reports for line in report.read_text().splitlines()]
    assert len(times) == 12
    assert exceeded(times, Limit(calls=4, seconds=0.1)) == []
    assert max(times) - min(times) >= 0.29


def call_in_turn(url: str, api: str, calls: int, report: Path) -> None:
    pace = Pace(parse_limits("4/0.1s"), rate_store(url, api))
    times = []
    for _ in range(calls):
        pace.wait()
        times.append(time.time())
    report.write_text("\n".join(map(repr, times)))
