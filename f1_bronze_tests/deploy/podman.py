"""The shipped image, built by podman from the shipped Dockerfile, and containers of it.

No registry is needed: base images are made of Debian packages by mmdebstrap and tagged as the ones
that the shipped files name, so that these are used unchanged. CONTAINER_CACHE may name a folder
that keeps them, and the layers of the build, from run to run.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON, POSTGRESQL = "docker.io/library/python:3.12-slim", "docker.io/library/postgres:17"
IMAGE = "localhost/f1-bronze:test"
NEEDED = ("podman", "runc", "mmdebstrap")
CONTAINERS_CONF = """\
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_config_dir = "{folder}/networks"
"""
STORAGE_CONF = """\
[storage]
driver = "overlay"
graphroot = "{cache}/store"
runroot = "{cache}/run"
"""
_PYTHON_PACKAGES = "python3,python3-pip,python3-venv,ca-certificates"
_PYTHON_HOOKS = (
    'ln -s python3 "$1/usr/bin/python"',
    'rm -f "$1"/usr/lib/python3*/EXTERNALLY-MANAGED',
)
_POSTGRESQL_BASE = "localhost/debian-postgresql:test"
_POSTGRESQL_HOOKS = (
    'ln -s $(cd "$1" && ls -d usr/lib/postgresql/*/bin | sed s,^,/,) "$1/opt/postgresql"',
)
_POSTGRESQL_FILE = f"""\
FROM {_POSTGRESQL_BASE}
COPY postgres-entrypoint.sh /usr/local/bin/
ENV PATH=/opt/postgresql:/usr/sbin:/usr/bin:/sbin:/bin
ENTRYPOINT ["/usr/local/bin/postgres-entrypoint.sh"]
"""


@dataclass(frozen=True, kw_only=True)
class Podman:
    """podman with images and containers below folders of its own.

    socket: where its docker-compatible service listens.
    """

    folder: Path
    cache: Path

    @property
    def socket(self) -> Path:
        return self.folder / "podman.sock"

    @property
    def environ(self) -> dict[str, str]:
        """What podman, or a program that speaks with its service, is started with."""
        return {
            **os.environ,
            "CONTAINERS_CONF": str(self.folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(self.folder / "storage.conf"),
            "DISABLE_HC_SYSTEMD": "true",  # its timers are systemd's, which CI has not
            "DOCKER_HOST": f"unix://{self.socket}",
        }

    def run(self, *words: str, timeout: float = 900) -> "subprocess.CompletedProcess[str]":
        """Run podman and return what it printed; it may fail."""
        return subprocess.run(
            ["podman", *words],
            env=self.environ,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def must(self, *words: str, timeout: float = 900) -> str:
        """The same; what it printed to standard output. A failure is the test's."""
        done = self.run(*words, timeout=timeout)
        assert done.returncode == 0, f"{words}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout

    def container(
        self, *words: str, environ: Mapping[str, str], timeout: float = 300
    ) -> "subprocess.CompletedProcess[str]":
        """A command in a container as a deployment starts it: an ordinary user, nothing to write
        to but a /tmp in memory, and no home."""
        variables = [f"--env={name}={value}" for name, value in environ.items()]
        return self.run(
            *("run", "--rm", "--network=host", "--read-only", "--tmpfs=/tmp", "--env=HOME="),
            *variables,
            IMAGE,
            *words,
            timeout=timeout,
        )

    @contextmanager
    def service(self) -> Iterator[str]:
        """Its docker-compatible service; the address."""
        served = subprocess.Popen(
            ["podman", "system", "service", "--time=0", f"unix://{self.socket}"],
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            deadline = time.monotonic() + 30
            while not self.socket.exists():
                assert time.monotonic() < deadline, "podman's service does not start"
                time.sleep(0.1)
            self.socket.chmod(0o660)  # as systemd makes it
            yield f"unix://{self.socket}"
        finally:
            self.run("rm", "--all", "--force", "--time=0")
            served.terminate()
            served.wait(30)


@pytest.fixture(scope="session")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Podman]:
    """podman with the shipped image; skipped where it cannot run."""
    missing = [program for program in NEEDED if shutil.which(program) is None]
    if os.getuid() != 0 or missing:
        pytest.skip(f"containers need root and {', '.join(NEEDED)} (apt-get install)")
    folder = tmp_path_factory.mktemp("podman")
    cache = Path(os.environ.get("CONTAINER_CACHE") or folder / "cache").absolute()
    (folder / "networks").mkdir()
    cache.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(cache / "run", ignore_errors=True)  # of containers that run; there are none
    made = Podman(folder=folder, cache=cache)
    for name, text in (("containers", CONTAINERS_CONF), ("storage", STORAGE_CONF)):
        (folder / f"{name}.conf").write_text(
            text.replace("{folder}", str(folder)).replace("{cache}", str(cache))
        )
    _make_image(made, PYTHON, _PYTHON_PACKAGES, _PYTHON_HOOKS)
    _try_container(made, "--network=host")
    made.must(
        *("build", "--pull=never", "--network=host", *_pip_of_this_machine(made.folder)),
        *(f"--build-arg=IMAGE={IMAGE}", "--tag", IMAGE),
        *("--file", "deploy/dagster/Dockerfile", "."),
        timeout=1800,
    )
    made.run("image", "prune", "--force")  # images of earlier runs; layers in use stay
    try:
        yield made
    finally:
        made.run("rm", "--all", "--force", "--time=0")
        if not os.environ.get("CONTAINER_CACHE"):
            made.run("rmi", "--all", "--force")


@pytest.fixture(scope="session")
def bridge(podman: Podman) -> None:
    """A network of containers that find each other by name; skipped where there can be none."""
    podman.run("network", "rm", "--force", "f1-probe")
    made = podman.run("network", "create", "f1-probe")
    if made.returncode:
        pytest.skip(f"podman makes no networks on this machine: {made.stderr[-300:]}")
    try:
        serve = ("python", "-c", "import time; time.sleep(60)")
        _try_container(podman, "--network=f1-probe", "--detach", "--name=f1-probe", words=serve)
        find = ("python", "-c", "import socket; socket.gethostbyname('f1-probe')")
        _try_container(podman, "--network=f1-probe", words=find)
    finally:
        podman.run("rm", "--force", "--time=0", "f1-probe")
        podman.run("network", "rm", "--force", "f1-probe")


def _try_container(podman: Podman, *options: str, words: Sequence[str] = ("true",)) -> None:
    """Run a command in a container of the base image; skip with the reason where that fails."""
    tried = podman.run("run", "--rm", *options, PYTHON, *words, timeout=120)
    if tried.returncode:
        pytest.skip(f"podman runs no such container here ({options[0]}): {tried.stderr[-300:]}")


@pytest.fixture(scope="session")
def postgresql_image(podman: Podman) -> str:
    """PostgreSQL of Debian under the name of the official image, with what we use of its entry."""
    _make_image(podman, _POSTGRESQL_BASE, "postgresql", _POSTGRESQL_HOOKS)
    file = podman.folder / "Containerfile"
    file.write_text(_POSTGRESQL_FILE)
    here = str(Path(__file__).parent)
    podman.must("build", "--pull=never", "--tag", POSTGRESQL, "--file", str(file), here)
    return POSTGRESQL


def _make_image(podman: Podman, name: str, packages: str, hooks: tuple[str, ...]) -> None:
    """A Debian with these packages as an image of that name, unless the cache has it."""
    if podman.run("image", "exists", name).returncode == 0:
        return
    tar = podman.folder / "base.tar"
    done = subprocess.run(
        [
            *("mmdebstrap", "--quiet", "--variant=minbase", f"--include={packages}"),
            *(f"--customize-hook={hook}" for hook in hooks),
            *("bookworm", str(tar)),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"no Debian packages for the image {name}: {done.stderr[-300:]}")
    imported = podman.run("import", str(tar), name)
    tar.unlink()
    if imported.returncode:
        pytest.skip(f"podman keeps no images on this machine: {imported.stderr[-300:]}")


def _pip_of_this_machine(folder: Path) -> list[str]:
    """Options that give the build this machine's package index and certificates."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    ).stdout
    settings = dict(line.split("=", 1) for line in listed.splitlines() if "=" in line)
    lines, volumes = ["[global]", "timeout = 120"], []
    for name in ("index-url", "extra-index-url", "trusted-host", "find-links"):
        value = settings.get(f":env:.{name}") or settings.get(f"global.{name}") or ""
        places = value.strip("'").split()
        if places:
            lines.append(f"{name} = {' '.join(places)}")
        # A local index has its pages in `simple` and its files beside it.
        folders = [place.removeprefix("file://").removesuffix("/simple") for place in places]
        volumes += [f"--volume={one}:{one}:ro" for one in folders if Path(one).is_dir()]
    certificates = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE")
    if certificates and Path(certificates).is_file():
        lines.append("cert = /run/certificates.pem")
        volumes.append(f"--volume={certificates}:/run/certificates.pem:ro")
    (folder / "pip.conf").write_text("\n".join(lines) + "\n")
    return [*volumes, f"--volume={folder / 'pip.conf'}:/etc/pip.conf:ro"]
