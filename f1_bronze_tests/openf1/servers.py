"""A PostgreSQL server, where the machine has one: on a free loopback port, with a password."""

import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

PASSWORD = "hunter2/@:%"  # every character of it needs care in an address


class NoServer(Exception):
    """The machine has no such server, or it does not start; the text says which."""


@dataclass(kw_only=True)
class Server:
    """A server that runs, until `stop`; `start` again keeps address and data."""

    url: str
    socket_url: str
    port: int
    command: Sequence[str]
    user: str | None
    is_up: Callable[[], bool]
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Return when it answers."""
        self.process = subprocess.Popen(
            self.command,
            user=self.user,
            extra_groups=[] if self.user else None,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 20
        while not self.is_up():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise NoServer(f"{self.command[0]} does not start")
            time.sleep(0.02)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Meanwhile the server and all that serve its connections do nothing."""
        assert self.process is not None
        family = [self.process.pid, *_children(self.process.pid)]
        for process in family:
            os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            for process in reversed(family):
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGCONT)

    def stop(self) -> None:
        """End it, connections included."""
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)  # PostgreSQL: fast, not waiting for clients
            self.process.wait(20)
            self.process = None


@contextmanager
def postgresql() -> Iterator[Server]:
    """A cluster of its own; it refuses to run as root, so another user does."""
    found = glob.glob("/usr/lib/postgresql/*/bin") + glob.glob("/usr/pgsql-*/bin")
    path = os.pathsep.join([os.environ.get("PATH", ""), *sorted(found, reverse=True)])
    initdb, postgres = shutil.which("initdb", path=path), shutil.which("postgres", path=path)
    if initdb is None or postgres is None:
        raise NoServer("no PostgreSQL server on this machine")
    user = _other_user() if os.getuid() == 0 else None
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="f1pg-") as name:
        folder = Path(name)
        (folder / "password").write_text(PASSWORD)
        if user:
            for place in (folder, folder / "password"):
                shutil.chown(place, user)
        made = subprocess.run(
            [
                *(initdb, "-D", name + "/data", "-U", "f1", "-A", "scram-sha-256", "-E", "UTF8"),
                *("--no-sync", "--pwfile", name + "/password"),
            ],
            user=user,
            extra_groups=[] if user else None,
            capture_output=True,
            cwd=name,
            check=False,
        )
        if made.returncode:
            raise NoServer("initdb fails on this machine")
        port, login = _free_port(), f"f1:{quote(PASSWORD, safe='')}"
        server = Server(
            url=f"postgresql://{login}@127.0.0.1:{port}/postgres",
            socket_url=f"postgresql://{login}@/postgres?host={name}&port={port}",
            port=port,
            command=[
                *(postgres, "-D", name + "/data", "-p", str(port), "-k", name),
                *("-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"),
            ],
            user=user,
            is_up=lambda: _answers_postgresql(port),
        )
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _children(parent: int) -> list[int]:
    found = subprocess.run(
        ["pgrep", "-P", str(parent)], capture_output=True, text=True, check=False
    )
    return [int(process) for process in found.stdout.split()]


def _other_user() -> str:
    known = {entry.pw_name for entry in pwd.getpwall()}
    for name in ("postgres", "nobody"):
        if name in known:
            return name
    raise NoServer("PostgreSQL does not run as root, and there is no other user")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


def _answers_postgresql(port: int) -> bool:
    """Whether it takes logins: before that it answers that it is starting up."""
    import psycopg2

    try:
        psycopg2.connect(
            host="127.0.0.1", port=port, user="f1", password=PASSWORD, dbname="postgres"
        ).close()
    except psycopg2.OperationalError:
        return False
    return True
