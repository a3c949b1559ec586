"""What is made once in a test run, however many workers it has."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest


def made_once(folders: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """The folder of this name that all workers of a run share, filled by the first that asks.

    `make` gets a folder that is not there yet; where it fails, the next that asks tries again.
    """
    root = folders.getbasetemp()
    if "PYTEST_XDIST_TESTRUNUID" in os.environ:
        root = root.parent  # a worker's own folder lies in that of the run
    folder = root / name
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            unfinished = folders.mktemp(name) / "unfinished"
            make(unfinished)
            unfinished.rename(folder)
    return folder
