"""Servers for tests, each on a free loopback port: PostgreSQL, moto, ministack, Swift.

A test that needs one is skipped, with the reason, where the machine has none. ministack and Swift
live in an environment of their own beside the tests' (`.venv/servers`, made by `make test-marked`),
because ministack wants one exact botocore; one that the tests' own Python has is used as well.
"""

import glob
import importlib.util
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import pytest

SWIFT = Path(__file__).with_name("swift_server.py")
ROOT = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
"""The login of ministack's root, which may do everything."""
MOTO_KEYS = {
    "AWS_ACCESS_KEY_ID": "dummy-id",
    "AWS_SECRET_ACCESS_KEY": "dummy-secret",
    "AWS_DEFAULT_REGION": "us-east-1",
}
"""What the AWS chain needs to ask moto, which takes any login."""
PASSWORD = "hunter2/@:%"  # every character of it needs care in an address


@dataclass(kw_only=True)
class PostgresqlServer:
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
                pytest.skip(f"{self.command[0]} does not start")
            time.sleep(0.02)

    def new_database(self) -> str:
        """The address of an empty database, which no other test of the server uses."""
        import psycopg2

        name = f"test_{uuid4().hex}"
        with closing(psycopg2.connect(self.url)) as connection:
            connection.autocommit = True
            connection.cursor().execute(f"CREATE DATABASE {name}")
        return f"{self.url.rpartition('/')[0]}/{name}"

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


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    """A PostgreSQL server, shared by the tests of a process; skipped where there is none."""
    pytest.importorskip("psycopg2")
    with serve_postgresql() as server:
        yield server


@contextmanager
def serve_postgresql() -> Iterator[PostgresqlServer]:
    """A cluster of its own; it refuses to run as root, so another user does."""
    found = glob.glob("/usr/lib/postgresql/*/bin") + glob.glob("/usr/pgsql-*/bin")
    path = os.pathsep.join([os.environ.get("PATH", ""), *sorted(found, reverse=True)])
    initdb, postgres = shutil.which("initdb", path=path), shutil.which("postgres", path=path)
    if initdb is None or postgres is None:
        pytest.skip("no PostgreSQL server on this machine (apt-get install postgresql)")
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
            pytest.skip(f"initdb fails on this machine: {made.stderr.decode()}")
        port, login = free_port(), f"f1:{quote(PASSWORD, safe='')}"
        server = PostgresqlServer(
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
    pytest.skip("PostgreSQL does not run as root, and there is no other user")


def free_port() -> int:
    """A port of loopback that nothing listens on now."""
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


def python_with(module: str) -> str:
    """A Python that can import the module; skips the test where there is none."""
    if importlib.util.find_spec(module) is not None:
        return sys.executable
    other = Path(sys.prefix, "servers", "bin", "python")
    looked = [str(other), "-c", f"import {module}"]
    if other.exists() and subprocess.run(looked, capture_output=True, check=False).returncode == 0:
        return str(other)
    pytest.skip(f"{module} is not installed here: make test-marked installs it")


@contextmanager
def serve_moto(bucket: str = "") -> Iterator[str]:
    """The address of moto's server, a thread of this process; with a bucket if one is named."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        address = "http://{}:{}".format(*server.get_host_and_port())
        if bucket:
            import boto3

            boto3.client(
                "s3",
                endpoint_url=address,
                region_name=MOTO_KEYS["AWS_DEFAULT_REGION"],
                aws_access_key_id=MOTO_KEYS["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=MOTO_KEYS["AWS_SECRET_ACCESS_KEY"],
            ).create_bucket(Bucket=bucket)
        yield address
    finally:
        server.stop()


@contextmanager
def serve_ministack(folder: Path, *program: str, **changes: str) -> Iterator[str]:
    """The address of ministack, which checks signatures and evaluates IAM with its conditions.

    program: what its Python is to run instead of it; changes: other variables for it.
    """
    environ = {
        "AUTH": "true",
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": "0",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": "unix:///nowhere",
        **changes,
    }
    command = [python_with("ministack"), *(program or ("-m", "ministack"))]
    with _serving(command, environ, folder, r"Running on http://127\.0\.0\.1:(\d+)") as port:
        yield f"http://127.0.0.1:{port}"


@contextmanager
def serve_swift(folder: Path) -> Iterator[str]:
    """The address of OpenStack Swift with s3api; its logins are in swift_server.py."""
    command = [python_with("swift"), "-W", "ignore", str(SWIFT), str(folder)]
    with _serving(command, {}, folder, r'"port": (\d+)') as port:
        yield f"http://127.0.0.1:{port}"


@contextmanager
def _serving(
    command: list[str], environ: Mapping[str, str], folder: Path, port_in: str
) -> Iterator[int]:
    """Start a process, wait until its log has a port, end it afterwards."""
    log = folder / "server.log"
    plain = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    plain |= {"TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"}
    with log.open("w") as out:
        process = subprocess.Popen(
            command, env=plain | environ, cwd=folder, stdout=out, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + 30
        while not (found := re.search(port_in, log.read_text())):
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{command[1:]} did not start:\n{log.read_text()}")
            time.sleep(0.05)
        yield int(found[1])
    finally:
        process.terminate()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
