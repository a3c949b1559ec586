"""The call budget in PostgreSQL: a real server and real processes, wherever it is installed."""

import contextlib
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

from f1_bronze.openf1 import postgresql_store
from f1_bronze.openf1.budget import CallBudget, parse_limits
from f1_bronze.openf1.budget_stores import BudgetSettingError, RateStoreError, open_rate_store
from f1_bronze.openf1.postgresql_store import ServerStore

from ..servers import PASSWORD, PostgresqlServer
from .fakes import read_ledger
from .test_file_store import processes

API = "https://api.openf1.org/v1"
OTHER_API = "http://127.0.0.1:9000/v1"


@pytest.fixture
def api(request: pytest.FixtureRequest) -> str:
    """An API that no other test has asked."""
    return f"https://{abs(hash(request.node.nodeid))}.{time.time_ns()}.example/v1"


def reserve_some(url: str, api: str, calls: int) -> None:
    budget = CallBudget(parse_limits("1000/10s"), open_rate_store(url, api))
    for _ in range(calls):
        budget.reserve()


def test_nothing_is_lost_under_concurrent_change(postgresql: PostgresqlServer, api: str) -> None:
    """Six processes and this one, all new to the server, make 25 reservations each: 175 remain."""
    workers = [
        processes.Process(target=reserve_some, args=(postgresql.url, api, 25)) for _ in range(6)
    ]
    for worker in workers:
        worker.start()
    reserve_some(postgresql.url, api, 25)
    for worker in workers:
        worker.join(30)
    assert [worker.exitcode for worker in workers] == [0] * 6
    assert len(read_ledger(open_rate_store(postgresql.url, api)).slots) == 7 * 25


def test_threads_may_share_a_store(postgresql: PostgresqlServer, api: str) -> None:
    """Four threads with one store reserve without losing one."""
    store = open_rate_store(postgresql.url, api)
    budget = CallBudget(parse_limits("1000/10s"), store)
    threads = [
        threading.Thread(target=lambda: [budget.reserve() for _ in range(10)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(read_ledger(store).slots) == 40


def test_apis_do_not_share(postgresql: PostgresqlServer, api: str) -> None:
    """A budget is for one host and port, and remembered by the process that comes next."""
    first = open_rate_store(postgresql.url, api)
    first.change(lambda text: b"mine")
    assert open_rate_store(postgresql.url, api).read() == b"mine"
    assert open_rate_store(postgresql.url, api.replace("https://", "http://")).read() is None
    assert (
        open_rate_store(postgresql.url, api.upper().replace("HTTPS", "https")).read()
        == first.read()
    )


def test_the_time_is_the_servers(
    postgresql: PostgresqlServer, api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine whose clock is an hour off reserves in the server's time."""
    true = time.time()
    monkeypatch.setattr(time, "time", lambda: true - 3600.0)
    store = open_rate_store(postgresql.url, api)
    assert store.now() == pytest.approx(true, abs=5.0)
    assert CallBudget(parse_limits("1/1s"), store).reserve() == pytest.approx(true, abs=5.0)


def test_sockets_of_this_machine_will_do(postgresql: PostgresqlServer, api: str) -> None:
    """Where the client takes a unix socket in an address, so do we."""
    store = open_rate_store(postgresql.socket_url, api)
    store.change(lambda text: b"mine")
    assert open_rate_store(postgresql.url, api).read() == b"mine"


def hold(url: str, api: str, ready: Path) -> None:
    def renew(text: bytes | None) -> bytes:
        ready.touch()
        time.sleep(60)
        raise AssertionError("ended before")

    open_rate_store(url, api).change(renew)


@pytest.fixture
def holder(
    postgresql: PostgresqlServer, api: str, tmp_path: Path
) -> Iterator[multiprocessing.process.BaseProcess]:
    """A process in the midst of a change."""
    open_rate_store(postgresql.url, api).change(lambda text: b"before")
    ready = tmp_path / "ready"
    process = processes.Process(target=hold, args=(postgresql.url, api, ready))
    process.start()
    deadline = time.monotonic() + 10
    while not ready.exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert ready.exists()
    yield process
    process.kill()
    process.join(10)


def test_a_holder_that_is_killed_frees_the_budget(
    postgresql: PostgresqlServer, api: str, holder: multiprocessing.process.BaseProcess
) -> None:
    """kill -9 of a process in the midst of a change neither blocks nor damages the budget."""
    holder.kill()
    began = time.monotonic()
    store = open_rate_store(postgresql.url, api)
    store.change(lambda text: (text or b"") + b" and after")
    assert store.read() == b"before and after"
    assert time.monotonic() - began < 2.0


@pytest.mark.slow
def test_a_holder_that_hangs_loses_the_budget(
    postgresql: PostgresqlServer, api: str, holder: multiprocessing.process.BaseProcess
) -> None:
    """A process that is frozen in the midst of a change holds others up for seconds at most."""
    assert holder.pid is not None
    os.kill(holder.pid, signal.SIGSTOP)
    began = time.monotonic()
    store = open_rate_store(postgresql.url, api)
    store.change(lambda text: (text or b"") + b" and after")
    assert store.read() == b"before and after"
    assert time.monotonic() - began < 8.0


def test_a_wrong_password_is_an_error_at_once_and_is_not_repeated(
    postgresql: PostgresqlServer, api: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The error names server, reason and remedy, and no password; no log line does either."""
    wrong = postgresql.url.replace("hunter2", "hunter3")
    store = open_rate_store(wrong, api)
    began = time.monotonic()
    with caplog.at_level(0), pytest.raises(RateStoreError) as raised:
        store.change(lambda text: b"mine")
    assert time.monotonic() - began < 3.0
    assert f"127.0.0.1:{postgresql.port}" in str(raised.value)
    assert "password" in str(raised.value)
    assert "set it to file" in str(raised.value)
    for text in (str(raised.value), repr(raised.value), repr(store), caplog.text):
        assert "hunter3" not in text


def test_a_server_that_is_not_there_is_an_error_at_once(unused_port: int) -> None:
    """Nobody listens: which server, and what to do."""
    pytest.importorskip("psycopg2")
    store = open_rate_store(f"postgresql://u:hunter2@127.0.0.1:{unused_port}/0", API)
    with pytest.raises(RateStoreError, match=r"refused.*check that the server runs") as raised:
        store.now()
    assert "hunter2" not in str(raised.value)


@pytest.fixture
def unused_port() -> Iterator[int]:
    """A port at which nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        yield one.getsockname()[1]


def test_a_server_that_hangs_is_given_up() -> None:
    """A server that takes the connection and says nothing is an error within seconds."""
    pytest.importorskip("psycopg2")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"postgresql://u:hunter2@127.0.0.1:{silent.getsockname()[1]}/0?connect_timeout=2"
        with pytest.raises(RateStoreError, match="timeout expired"):
            open_rate_store(address, API).now()


def test_an_exchange_that_freezes_is_ended(
    postgresql: PostgresqlServer, api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """libpq has no bound for an answer that does not come; ours ends the exchange."""
    monkeypatch.setattr(postgresql_store, "LONGEST_EXCHANGE", 0.3)
    row = postgresql_store.PostgresqlRow(postgresql.url, api)
    row.time()  # it is connected
    with postgresql.frozen(), pytest.raises(postgresql_store.ServerError):
        row.time()


def test_a_restart_of_the_server_is_survived(postgresql: PostgresqlServer, api: str) -> None:
    """The server goes and comes back between two calls, and during one."""
    store = open_rate_store(postgresql.url, api)
    budget = CallBudget(parse_limits("100/1s"), store)
    budget.reserve()
    postgresql.stop()
    postgresql.start()
    budget.reserve()
    postgresql.stop()
    comeback = threading.Timer(0.5, postgresql.start)
    comeback.start()
    budget.reserve()
    comeback.join()


def test_a_table_that_is_there_needs_no_right_to_make_one(
    postgresql: PostgresqlServer, api: str
) -> None:
    """An administrator may make the table; without it and without the right the error says so."""
    import psycopg2

    open_rate_store(postgresql.url, api).change(lambda text: b"mine")
    role = f"r{time.time_ns()}"

    def administer(*statements: str) -> None:
        with (
            contextlib.closing(psycopg2.connect(postgresql.url)) as admin,
            admin.cursor() as cursor,
        ):
            for statement in statements:
                cursor.execute(statement)
            admin.commit()

    administer(
        f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'",
        f"GRANT SELECT, INSERT, UPDATE ON {postgresql_store.TABLE} TO {role}",
    )
    url = postgresql.url.replace("//f1:", f"//{role}:")
    open_rate_store(url, api).change(lambda text: b"mine")
    administer(
        "CREATE SCHEMA IF NOT EXISTS elsewhere", f"ALTER ROLE {role} SET search_path = elsewhere"
    )
    with pytest.raises(RateStoreError, match=r"permission denied|no schema"):
        open_rate_store(url, api).change(lambda text: b"mine")


def test_a_client_that_is_missing_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the client the error says what to install."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "psycopg2"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    with pytest.raises(BudgetSettingError) as raised:
        open_rate_store("postgresql://u:hunter2@h/d", API)
    assert 'run pip install "f1_bronze[postgresql]"' in str(raised.value)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    "setting",
    [
        "postgresql://u:hunter2/x@h:5432/d",
        "postgresql://u:12/hunter2@h:5432/d",
        "postgresql://u:x@hunter2@h/d",
        "postgresql://u:hunter2@h/d?nonsense=1",
    ],
)
def test_an_address_that_is_none_is_refused_without_its_password(setting: str) -> None:
    """A typing error in an address is named without repeating it."""
    pytest.importorskip("psycopg2")
    with pytest.raises(BudgetSettingError, match="does not understand; write") as raised:
        open_rate_store(setting, API)
    assert "hunter2" not in str(raised.value)
    assert raised.value.__suppress_context__


@pytest.mark.parametrize(
    ("setting", "place"),
    [
        ("postgresql://u:p@db.example.org:6543/f1", "PostgreSQL at db.example.org:6543"),
        ("postgresql+psycopg2://db.example.org/f1", "PostgreSQL at db.example.org"),
        ("postgres://db.example.org/f1", "PostgreSQL at db.example.org"),
        ("postgresql://a:1,b:2/f1", "PostgreSQL at a,b:1,2"),
        ("postgresql:///f1?host=/run/postgresql", "PostgreSQL at /run/postgresql"),
        ("postgresql:///f1", "PostgreSQL at the local socket"),
    ],
)
def test_stores_by_address(setting: str, place: str) -> None:
    """What libpq takes as an address, and how it is shown; nothing is asked yet."""
    pytest.importorskip("psycopg2")
    store = open_rate_store(setting, API)
    assert isinstance(store, ServerStore)
    assert repr(store) == f"ServerStore({place})"
