"""Other servers that speak S3, as processes on free loopback ports.

They live in an
environment of their own beside the tests' (`.venv/servers`), because ministack wants one exact
botocore; a server that the tests' own Python has is used as well.
"""

import importlib.util
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

SWIFT = Path(__file__).parents[1] / "lake" / "swift_server.py"
ROOT = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
"""The login of ministack's root, who may do everything."""


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
def ministack(folder: Path) -> Iterator[str]:
    """The address of ministack, which checks signatures and evaluates IAM with its conditions."""
    environ = {
        "AUTH": "true",
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": "0",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": "unix:///nowhere",
    }
    command = [python_with("ministack"), "-m", "ministack"]
    with _serving(command, environ, folder, r"Running on http://127\.0\.0\.1:(\d+)") as port:
        yield f"http://127.0.0.1:{port}"


@contextmanager
def swift(folder: Path) -> Iterator[str]:
    """The address of OpenStack Swift with s3api; its logins are in lake/swift_server.py."""
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
