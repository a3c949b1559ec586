"""`f1-bronze backfill` against a deployment of processes: code server, webserver and daemon."""

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
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
from .test_on_postgresql import ask, services, wait_until

pytestmark = pytest.mark.slow

WORDS = ("2025", "--grand-prix", "bahrain", "--grand-prix", "saudi_arabian")
LAPS = [
    ("laps", f"2025/{place}/{session_type}")
    for place in ("bahrain", "saudi_arabian")
    for session_type in ("qualifying", "race")
]
PATIENCE = 400.0
"""Seconds for a backfill: the daemon looks every 30 s, at each wave and at the end."""


NOTICED_WITHIN = 90.0
"""Seconds after which a killed run has failed."""


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
    settings, home, environ = _set_up(simulator, tmp_path)
    simulator.control.add_faults(InjectedFault(kind="unknown_path", endpoint="laps"))
    with services(home, environ) as url:
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


def test_a_killed_run(
    simulator: Simulator, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Noticed within 90 s; its retry asks only for what is missing, and the command ends with 0."""
    settings, home, environ = _set_up(simulator, tmp_path)
    simulator.control.add_faults(InjectedFault(kind="slow", endpoint="laps", seconds=60, times=1))
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with services(home, environ) as url:
        wait_until("daemon", lambda: _daemon_is_healthy(url))
        words = (sys.executable, "-m", "f1_bronze.cli", "backfill", *WORDS, "--deployment", url)
        command = subprocess.Popen(words, env=environ, cwd=tmp_path, stderr=subprocess.PIPE)
        with dg.DagsterInstance.get() as instance:
            results = dg.AssetKey(["bronze", "results"])
            wait_until("results", lambda: len(instance.get_materialized_partitions(results)) == 4)
            runs = instance.get_runs(filters=dg.RunsFilter(job_name="__ASSET_JOB"))
            [first] = [one for one in runs if "dagster/backfill" in one.tags]
            wait_until("a call for laps", lambda: simulator.control.state()["faults"][0]["hits"])
            killed = time.time()
            os.kill(_process_of(instance, first.run_id), signal.SIGKILL)
            wait_until("failure", lambda: _has_failed(instance, first.run_id))
            assert time.time() - killed < NOTICED_WITHIN
            said = command.communicate(timeout=PATIENCE)[1].decode()
            assert command.returncode == 0, said
            retries = [one for one in instance.get_runs() if one.parent_run_id == first.run_id]
            assert [one.status.name for one in retries] == ["SUCCESS"]
    # The killed run's call for laps may not have ended; what it had stored is not asked for again.
    asked = Counter(one.endpoint for one in simulator.control.requests() if not one.faults)
    assert [asked[name] for name in ("drivers", "session_result", "laps")] == [1, 1, 1]
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "single"))
    alone = run("ingest", *WORDS, **settings | {"LAKE_URI": str(tmp_path / "alone")})
    assert alone.status == 0
    assert content_of(tmp_path / "lake") == content_of(tmp_path / "alone")


def _set_up(simulator: Simulator, folder: Path) -> tuple[dict[str, str], Path, dict[str, str]]:
    """Settings, a Dagster home as the command makes it, and the environment of its services."""
    settings = {
        "OPENF1_URL": simulator.url,
        "LAKE_URI": str(folder / "lake"),
        "RATE_STORE": f"file:{folder / 'rate'}",
    }
    home = folder / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text(CONFIG)
    environ = {**os.environ, **{f"F1_BRONZE_{name}": v for name, v in settings.items()}}
    return settings, home, environ | {"DAGSTER_HOME": str(home), "HOME": str(home)}


def _process_of(instance: dg.DagsterInstance, run_id: str) -> int:
    """The process of a run, as it said when it started."""
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        if found := re.search(r"Started process for run \(pid: (\d+)\)", entry.message):
            return int(found[1])
    pytest.fail("the run has not said what its process is")


def _has_failed(instance: dg.DagsterInstance, run_id: str) -> bool:
    run = instance.get_run_by_id(run_id)
    return run is not None and run.status is dg.DagsterRunStatus.FAILURE


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
