"""deploy/compose as shipped, brought up by podman-compose: demo season and backup of the record.

The images are those of the files; PostgreSQL's is Debian's under the official name.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from f1_bronze.datasets import DATASETS
from f1_bronze.simulator.invented import InventedSeasons
from f1_bronze.simulator.server import Simulator

from ..behaviour.faults.bench import content_of
from ..behaviour.scale.test_on_postgresql import ask, wait_until
from ..commands import Run
from ..servers import free_port
from .podman import IMAGE, ROOT, Podman, bridge, podman, postgresql_image

__all__ = ["bridge", "podman", "postgresql_image"]  # fixtures

pytestmark = pytest.mark.slow

FILES = ("deploy/compose/compose.yaml", "deploy/compose/demo.yaml")
SEASON_WITHIN = 1200.0
"""Seconds for a season on a busy machine."""
_EVENTS = "SELECT count(*), max(id) FROM event_logs"


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """The project of the compose files."""

    podman: Podman
    environ: dict[str, str]
    url: str

    def compose(self, *words: str) -> None:
        """A command of the compose program, from which nothing is expected but success."""
        files = [word for file in FILES for word in ("--file", file)]
        done = subprocess.run(
            [sys.executable, "-m", "podman_compose", *files, *words],
            cwd=ROOT,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, f"{words}: {done.stdout[-2000:]}{done.stderr[-2000:]}"

    def container(self, service: str) -> str:
        """The container of a service, running or not."""
        label = f"label=com.docker.compose.service={service}"
        [found] = self.podman.must("ps", "--all", "--quiet", "--filter", label).split()
        return found

    def runs(self) -> list[dict[str, Any]]:
        """The containers of runs that run now, as podman describes them."""
        found = self.podman.must("ps", "--quiet", "--filter", "label=dagster/run_id").split()
        described = self.podman.run("inspect", *found).stdout if found else "[]"
        return list(json.loads(described or "[]"))

    def sql(self, statement: str) -> str:
        """What PostgreSQL answers."""
        words = ("psql", "--username=dagster", "--tuples-only", "--no-align", "--command")
        return self.podman.must("exec", self.container("postgres"), *words, statement, "dagster")

    def locations(self) -> Any:
        """The code location, once the webserver has it."""
        answer = ask(self.url, "{repositoriesOrError {... on RepositoryConnection {nodes {id}}}}")
        return (answer or {}).get("repositoriesOrError", {}).get("nodes")


@pytest.fixture
def deployment(podman: Podman, bridge: None, postgresql_image: str) -> Iterator[Deployment]:
    """The shipped files with the demo's, up; nothing is left of them afterwards."""
    pytest.importorskip("podman_compose", reason="podman-compose brings the compose file up")
    port = free_port()
    environ = {
        **podman.environ,
        "PATH": os.environ["PATH"],
        "DOCKER_SOCKET": str(podman.socket),
        "F1_BRONZE_IMAGE": IMAGE,
        "F1_BRONZE_PORT": str(port),
    }
    with podman.service():
        made = Deployment(podman=podman, environ=environ, url=f"http://127.0.0.1:{port}")
        try:
            made.compose("up", "--no-build", "--detach")
            yield made
        finally:
            podman.run("rm", "--all", "--force", "--time=0")
            podman.run("volume", "rm", "--all", "--force")
            podman.run("network", "rm", "--force", "f1-bronze-demo")


def test_the_demo_season(deployment: Deployment, run: Run, tmp_path: Path) -> None:
    """One command brings everything up and stores the season that the simulator invents, in
    containers that write nowhere else; the record survives a restore of its backup."""
    seen: dict[str, dict[str, Any]] = {}

    def ended() -> Any:
        seen.update({one["Id"]: one for one in deployment.runs()})
        [season] = json.loads(deployment.podman.must("inspect", deployment.container("season")))
        return season["State"]["Status"] == "exited" and season["State"]["ExitCode"] == 0

    wait_until("end of the demo season", ended, patience=SEASON_WITHIN)
    wait_until("end of the runs of sensors", lambda: not deployment.runs(), patience=SEASON_WITHIN)
    volume = deployment.podman.must(
        "volume", "inspect", "--format={{.Mountpoint}}", "f1-bronze-demo-data"
    ).strip()
    with Simulator(InventedSeasons(), limits=None) as simulator:
        alone = run("ingest", "2025", OPENF1_URL=simulator.url, OPENF1_LIMITS="1000/1s")
        assert alone.status == 0
    # Of the season: the calendar's sensor may have added the running one's last weekends.
    landed = {
        name: content
        for name, content in content_of(Path(volume, "lake")).items()
        if "year=2025/" in name
    }
    assert landed == content_of(tmp_path / "data/lake")

    # Every run was a container of the image, of an ordinary user, with a root that is read-only.
    assert len(seen) >= 2
    for one in seen.values():
        assert one["ImageName"] == IMAGE
        assert one["HostConfig"]["ReadonlyRootfs"] is True
    for service in ("code", "web", "daemon"):
        container = deployment.container(service)
        assert deployment.podman.must("exec", container, "id", "-u").strip() == "1000"
        assert deployment.podman.run("exec", container, "touch", "/opt/x").returncode == 1
    words = ("f1-bronze", "doctor", "--json")
    doctor = json.loads(
        deployment.podman.run("exec", deployment.container("daemon"), *words).stdout
    )
    assert [one for one in doctor["checks"] if one["state"] == "failed"] == []

    _restore_a_backup(deployment, tmp_path / "record.dump")


def _restore_a_backup(deployment: Deployment, dump: Path) -> None:
    """As the page says: stop what writes, dump, restore into an empty database, start again."""
    postgres = deployment.container("postgres")
    services = [deployment.container(name) for name in ("daemon", "web", "code")]
    deployment.podman.must("stop", "--time=20", *services)
    before = deployment.sql(_EVENTS)
    assert int(before.partition("|")[0]) > 48 * len(DATASETS)
    as_dagster = ("--username=dagster",)
    _piped(
        deployment,
        ("exec", postgres, "pg_dump", *as_dagster, "--format=custom", "dagster"),
        out=dump,
    )
    deployment.podman.must("exec", postgres, "dropdb", *as_dagster, "dagster")
    deployment.podman.must("exec", postgres, "createdb", *as_dagster, "dagster")
    restore = ("pg_restore", *as_dagster, "--dbname=dagster", "--exit-on-error")
    _piped(deployment, ("exec", "--interactive", postgres, *restore), given=dump)
    assert deployment.sql(_EVENTS) == before
    deployment.podman.must("start", *reversed(services))
    wait_until("code location after the restore", deployment.locations)
    answer = ask(deployment.url, "{runsOrError {... on Runs {count}}}")
    assert answer["runsOrError"]["count"] == int(deployment.sql("SELECT count(*) FROM runs"))


def _piped(
    deployment: Deployment,
    words: Sequence[str],
    *,
    out: Path | None = None,
    given: Path | None = None,
) -> None:
    """Run podman with a file as its output or input."""
    with open(out or os.devnull, "wb") as target, open(given or os.devnull, "rb") as source:
        subprocess.run(
            ["podman", *words],
            env=deployment.environ,
            stdin=source,
            stdout=target,
            check=True,
            timeout=300,
        )
