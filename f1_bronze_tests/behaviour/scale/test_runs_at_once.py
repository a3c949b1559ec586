"""Runs that write at once to the storage that a deployment has where nobody has set one up."""

import json
import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from f1_bronze.defs.automation.instance import open_instance
from f1_bronze.defs.partitions import F1_SESSIONS
from f1_bronze.simulator.server import Simulator

from ...commands import Run

PROCESSES, RUNS = 3, 12


@pytest.mark.slow
def test_no_run_finds_the_storage_locked(
    simulator: Simulator,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Twelve runs of three processes at once succeed on SQLite, each on record."""
    settings = {
        "OPENF1_URL": simulator.url,
        "OPENF1_LIMITS": "1000/1s",
        "LAKE_URI": str(tmp_path / "lake"),
        "RATE_STORE": "memory",
    }
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    assert run("partitions", "2025", **settings).status == 0
    with open_instance() as instance:
        keys = instance.get_dynamic_partitions(str(F1_SESSIONS.name))[:RUNS]
    environ = os.environ | {f"F1_BRONZE_{name}": value for name, value in settings.items()}
    command = [sys.executable, "-m", "f1_bronze_tests.behaviour.scale.waiting_runs"]
    processes = [
        subprocess.Popen(
            [*command, *keys[number::PROCESSES]],
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
    ]
    for one in processes:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    printed = [one.communicate("begin\n", timeout=100) for one in processes]
    assert [json.loads(out) for out, _ in printed] == [{"SUCCESS": RUNS // PROCESSES}] * PROCESSES
    assert [err for _, err in printed if "locked" in err] == []
    with open_instance() as instance:
        assert instance.get_runs_count() == RUNS
        drivers = dg.AssetKey(["bronze", "drivers"])
        assert instance.get_materialized_partitions(drivers) == set(keys)
