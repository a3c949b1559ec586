"""A deployment with one race weekend, a webserver on it, and a browser at its UI."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from f1_bronze.defs.monitoring.coverage_asset import coverage
from f1_bronze.defs.resources import Deployment
from f1_bronze.settings import Settings
from f1_bronze.simulator.faults import InjectedFault
from f1_bronze.simulator.invented import InventedSeasons
from f1_bronze.simulator.server import Simulator
from f1_bronze_tests.once import made_once

if TYPE_CHECKING:
    from .browsing import Browser

RACE, RACE_KEY = "2025/bahrain/race", 907047
SCREENSHOTS = "SCREENSHOTS_DIR"
"""Where screenshots are kept; without it they go with the other files of the test run."""
_START_SECONDS = 60
_LOCATIONS = "{repositoriesOrError {... on RepositoryConnection {nodes {id}}}}"


@dataclass(frozen=True, kw_only=True)
class Ui:
    """A running webserver."""

    url: str

    def ask(self, query: str, **variables: Any) -> Any:
        """What its GraphQL answers."""
        request = urllib.request.Request(
            f"{self.url}/graphql",
            data=json.dumps({"query": query, "variables": variables}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            return json.load(answer)["data"]


def deployment_environ(folder: Path, **more: str) -> Mapping[str, str]:
    """The environment of a deployment in a folder; nothing of the machine's own settings."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("F1_BRONZE_", "AWS_", "DAGSTER_"))
        and not name.lower().endswith("_proxy")
    }
    return kept | {
        "DAGSTER_HOME": str(folder / "home"),
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "F1_BRONZE_LAKE_URI": str(folder / "lake"),
        "F1_BRONZE_RATE_STORE": "memory",
        "F1_BRONZE_OPENF1_LIMITS": "1000/1s",
        **more,
    }


def land(folder: Path) -> None:
    """A weekend whose winner has 99 points, by the command; then its coverage."""
    folder.mkdir()
    wrong = InjectedFault(
        kind="edit",
        endpoint="session_result",
        session_key=RACE_KEY,
        match={"position": 1},
        patch={"points": 99.0},
    )
    with Simulator(InventedSeasons(), limits=None) as simulator:
        simulator.control.add_faults(wrong)
        done = subprocess.run(
            [sys.executable, "-m", "f1_bronze.cli", "ingest", "2025", "--grand-prix", "bahrain"],
            env=deployment_environ(folder, F1_BRONZE_OPENF1_URL=simulator.url),
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "points whole, 0 to 26" in done.stdout + done.stderr
    deployment = Deployment(Settings.read({"F1_BRONZE_LAKE_URI": str(folder / "lake")}))
    with dg.DagsterInstance.from_config(str(folder / "home")) as instance:
        dg.materialize([coverage], instance=instance, resources={"deployment": deployment})


@pytest.fixture(scope="session")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    """The webserver on the weekend, on a free port."""
    folder = made_once(tmp_path_factory, "weekend_for_the_ui", land)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    webserver = subprocess.Popen(
        [
            str(Path(sys.executable).with_name("dagster-webserver")),
            *("-h", "127.0.0.1", "-p", str(port)),
            *("-w", str(folder / "home" / "workspace.yaml")),
        ],
        env=deployment_environ(folder),
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    running = Ui(url=f"http://127.0.0.1:{port}")
    try:
        wait_for(running, webserver)
        yield running
    finally:
        webserver.terminate()
        webserver.wait(timeout=30)


def wait_for(ui: Ui, webserver: "subprocess.Popen[bytes]") -> None:
    """Until the webserver has the code location."""
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        assert webserver.poll() is None, f"the webserver ended with {webserver.returncode}"
        try:
            if ui.ask(_LOCATIONS)["repositoriesOrError"].get("nodes"):
                return
        except OSError:  # it does not listen yet
            time.sleep(0.2)
    pytest.fail(f"{ui.url} did not come up in {_START_SECONDS} s")


@pytest.fixture(scope="session")
def window(ui: Ui, tmp_path_factory: pytest.TempPathFactory) -> Iterator["Browser"]:
    """A browser at that UI."""
    pytest.importorskip("selenium", reason="selenium is not installed")
    from .browsing import Browser

    kept = os.environ.get(SCREENSHOTS)
    folder = Path(kept) if kept else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    browser = Browser(ui.url, folder, tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.close()


@pytest.fixture
def browser(window: "Browser") -> Iterator["Browser"]:
    """The browser; a test in which a page writes an error to the console fails."""
    yield window
    assert window.errors() == []
