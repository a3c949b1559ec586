"""The command itself killed with kill -9: the next one completes lake and record."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest

from f1_bronze.cli.verify_command import verify
from f1_bronze.lake.local import LocalStore
from f1_bronze.lake.verify import check_lake
from f1_bronze.simulator.server import Simulator

from ...weekend import Weekend
from .season import HARMLESS, YEAR, bronze

FILES = 10
"""How many a weekend has."""


class Command:
    """`f1-bronze` on a lake and a record of its own."""

    def __init__(self, folder: Path, simulator: Simulator) -> None:
        self.store = LocalStore(folder / "lake")
        self._folder = folder
        self._environ = os.environ | {
            "F1_BRONZE_OPENF1_URL": simulator.url,
            "F1_BRONZE_OPENF1_LIMITS": "1000/1s",
            "F1_BRONZE_RATE_STORE": f"file:{folder / 'rate'}",
            "F1_BRONZE_LAKE_URI": str(folder / "lake"),
            "DAGSTER_HOME": str(folder / "home"),
        }
        folder.mkdir()

    def ingest(self) -> subprocess.Popen[str]:
        """Started, not waited for."""
        return self._start("ingest", "2025", "--grand-prix", "bahrain", "--json")

    def verify(self) -> dict[str, Any]:
        """What `f1-bronze verify` says."""
        ran: dict[str, Any] = Weekend(self._folder).run(verify, "2025", "--json").data
        return ran

    def _start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "f1_bronze.cli", *words],
            env=self._environ,
            cwd=self._folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )


def kill_after(command: Command, files: int, seconds: float) -> int:
    """Kill an ingest so many seconds after so many files are stored; its exit status."""
    with command.ingest() as process:
        while process.poll() is None and sum(1 for _ in command.store.list("bronze/")) < files:
            time.sleep(0.005)
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    return process.returncode


@pytest.mark.slow
def test_killed_in_the_middle(
    ingested_weekend: Weekend, simulator: Simulator, tmp_path: Path
) -> None:
    """Killed among its landings it leaves whole files; what was not recorded or checked is
    reported; an ingest that is not killed completes all, byte for byte."""
    rng, disturbed = Random(44), Command(tmp_path / "disturbed", simulator)
    assert kill_after(disturbed, 4, rng.uniform(0, 0.03)) == -signal.SIGKILL
    checked = check_lake(disturbed.store, [YEAR])
    assert 4 <= len(checked.sound) <= FILES
    assert {finding.defect for finding in checked.findings} <= HARMLESS
    defects = {finding["trouble"] for finding in disturbed.verify()["findings"]}
    assert defects <= {"unrecorded", "unchecked", *(defect.value for defect in HARMLESS)}
    with disturbed.ingest() as last:
        last.communicate()
    assert last.returncode == 0
    assert len(bronze(disturbed.store)) == FILES
    assert bronze(disturbed.store) == bronze(ingested_weekend.lake.store)
    verified = disturbed.verify()
    assert verified["status"] == 0, verified
