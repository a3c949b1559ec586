"""Running the command as its users do, in a folder of its own: in this process, or in another.

A process is for what only a process has: exit statuses, a clean start, the whole output. A start
costs more than most of what is done after it, so all else is asked of the command in this process.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from click.testing import CliRunner

from f1_bronze.cli import main

from .judges import NoRules


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

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
    """Runs `f1-bronze` here with these words; keyword arguments are settings, without prefix.

    The environment is as before when it ends, and what would be a traceback is raised. boto3
    remembers credentials for as long as a process lives; here for as long as a command runs. The
    checks are not evaluated, which costs more than the rest; processes evaluate them.
    """

    def here(*words: str, **settings: str) -> Ran:
        with (
            patch.dict(os.environ, environ(tmp_path, settings)),
            patch("boto3.DEFAULT_SESSION", None),
            patch("f1_bronze.definitions.ByRules", NoRules),
            contextlib.chdir(tmp_path),
        ):
            result = CliRunner().invoke(main, words)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ran(result.exit_code, result.stdout, result.stderr)

    return here


@pytest.fixture
def run_process(tmp_path: Path) -> Run:
    """The same as a process of its own."""

    def process(*words: str, timeout: float = 120, **settings: str) -> Ran:
        done = subprocess.run(
            [sys.executable, "-m", "f1_bronze.cli", *words],
            cwd=tmp_path,
            env=os.environ | environ(tmp_path, settings),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return process


def environ(folder: Path, settings: Mapping[str, str]) -> dict[str, str]:
    """The variables for these settings; the call budget is kept in the folder, tables are wide."""
    return {"F1_BRONZE_RATE_STORE": f"file:{folder / 'rate'}", "COLUMNS": "240"} | {
        name if name.startswith("AWS_") else f"F1_BRONZE_{name}": value
        for name, value in settings.items()
    }


@pytest.fixture
def fast(simulator: Any) -> dict[str, str]:
    """Settings for the simulator without limits."""
    return {"OPENF1_URL": simulator.url, "OPENF1_LIMITS": "1000/1s"}
