"""Running the command as its users do: as a process, in a folder of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Ran:
    """What a process left behind."""

    status: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """What it printed, as JSON."""
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs `f1-bronze` with these words; keyword arguments are settings, without prefix."""

    def process(*words: str, timeout: float = 120, **settings: str) -> Ran:
        environ = dict(os.environ)
        environ["F1_BRONZE_RATE_STORE"] = f"file:{tmp_path / 'rate'}"
        environ |= {
            name if name.startswith("AWS_") else f"F1_BRONZE_{name}": value
            for name, value in settings.items()
        }
        done = subprocess.run(
            [sys.executable, "-m", "f1_bronze.cli", *words],
            cwd=tmp_path,
            env=environ,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return process


@pytest.fixture
def fast(simulator: Any) -> dict[str, str]:
    """Settings for the stand-in without limits."""
    return {"OPENF1_URL": simulator.url, "OPENF1_LIMITS": "1000/1s"}
