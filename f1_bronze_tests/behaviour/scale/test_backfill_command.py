"""`f1-bronze backfill` against a deployment of processes: code server, webserver and daemon."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from f1_bronze.defs.automation.instance import CONFIG
from f1_bronze.simulator.faults import InjectedFault
from f1_bronze.simulator.invented import InventedSeasons
from f1_bronze.simulator.server import Simulator

from ...commands import Run
from ..faults.bench import content_of
from .test_on_postgresql import _LOCATIONS, ask, services, wait_until

pytestmark = pytest.mark.slow

WORDS = ("2025", "--grand-prix", "bahrain", "--grand-prix", "saudi_arabian")
LAPS = [
    ("laps", f"2025/{place}/{session_type}")
    for place in ("bahrain", "saudi_arabian")
    for session_type in ("qualifying", "race")
]
PATIENCE = 400.0
"""Seconds for a backfill: the daemon looks every 30 s, at each wave and at the end."""


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """The simulator with the limits of the API."""
    with Simulator(InventedSeasons()) as running:
        yield running


def test_a_backfill_by_command(
    simulator: Simulator,
    run: Run,
    run_process: Run,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """It ends as `ingest` would: what failed is named, --missing asks for that alone, same files.

    From another home by address, and from the deployment's own home without one; interrupted, the
    backfill stays and can be cancelled and followed by its id.
    """
    settings = {
        "OPENF1_URL": simulator.url,
        "LAKE_URI": str(tmp_path / "lake"),
        "RATE_STORE": f"file:{tmp_path / 'rate'}",
    }
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text(CONFIG)
    simulator.control.add_faults(InjectedFault(kind="unknown_path", endpoint="laps"))
    environ = {**os.environ, **{f"F1_BRONZE_{name}": v for name, v in settings.items()}}
    environ |= {"DAGSTER_HOME": str(home), "HOME": str(home)}
    with services(home, environ) as url:
        wait_until(
            "code location",
            lambda: (ask(url, _LOCATIONS) or {}).get("repositoriesOrError", {}).get("nodes"),
        )
        wait_until("daemon", lambda: _daemon_is_healthy(url))
        monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "elsewhere"))
        there = ("--deployment", url, "--json")
        first = run_process("backfill", *WORDS, *there, timeout=PATIENCE, **settings)
        assert first.status == 1, first.err
        assert sorted((one["dataset"], one["partition"]) for one in first.data["failed"]) == LAPS
        assert {row["dataset"]: row["new"] for row in first.data["datasets"]} == {
            **dict.fromkeys(("sessions", "drivers", "results"), 4),
            "laps": 0,
            "stints": 2,
            "pit_stops": 2,
        }

        simulator.control.set_faults([])
        before = simulator.control.state()["calls"]
        second = run_process("backfill", *WORDS, "--missing", *there, timeout=PATIENCE, **settings)
        assert second.status == 0, second.err
        assert {row["dataset"]: row["sessions"] for row in second.data["datasets"]} == {"laps": 4}
        assert second.data["api"]["calls"] == 1
        assert simulator.control.state()["calls"] - before == 3  # the calendar's two are read here

        monkeypatch.setenv("DAGSTER_HOME", str(home))
        nothing = run_process("backfill", *WORDS, "--missing", **settings)
        assert (nothing.status, "Nothing to ingest" in nothing.err) == (0, True), nothing.err

        backfill = _interrupted(environ, url, tmp_path)
        cancelled = run_process("backfill", "--cancel", backfill, "--deployment", url)
        assert cancelled.status == 0, cancelled.err
        followed = run_process("backfill", "--follow", backfill, *there, timeout=PATIENCE)
        assert followed.status == 1
        assert any("was cancelled" in line for line in followed.data["crashes"])
    assert set(simulator.control.state()["by_status"]) <= {"200", "404"}
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "single"))
    alone = run("ingest", *WORDS, **settings | {"LAKE_URI": str(tmp_path / "alone")})
    assert alone.status == 0
    assert content_of(tmp_path / "lake") == content_of(tmp_path / "alone")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with dg.DagsterInstance.get() as instance:
        titles = [found.title for found in instance.get_backfills()]
        assert titles == ["f1-bronze backfill 2025"] * 3


def _interrupted(environ: dict[str, str], url: str, folder: Path) -> str:
    """The id of a backfill whose command got Ctrl-C as soon as it had asked for it."""
    words = (sys.executable, "-m", "f1_bronze.cli", "backfill", *WORDS, "--deployment", url)
    command = subprocess.Popen(words, env=environ, cwd=folder, stderr=subprocess.PIPE, text=True)
    assert command.stderr is not None
    first = command.stderr.readline()
    assert first.startswith("Backfill "), first
    command.send_signal(signal.SIGINT)
    said = command.communicate(timeout=60)[1]
    assert command.returncode == 130, said
    backfill = first.split()[1].rstrip(":")
    assert f"--cancel {backfill} --deployment {url}" in said
    return backfill


def _daemon_is_healthy(url: str) -> bool:
    query = "{instance {daemonHealth {allDaemonStatuses {daemonType healthy}}}}"
    found = (ask(url, query) or {}).get("instance", {}).get("daemonHealth", {})
    healthy = {one["daemonType"] for one in found.get("allDaemonStatuses", ()) if one["healthy"]}
    return {"BACKFILL", "QUEUED_RUN_COORDINATOR"} <= healthy
