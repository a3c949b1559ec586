"""Runs a program as a process of its own and measures all of it, its start included."""

import os
import re
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


class ProgramFailed(Exception):
    """A program that was to be measured ended with an error."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a process took.

    Attributes:
        wall: seconds from its start to its end.
        cpu: seconds of CPU, user and system.
        memory: most megabytes that it held at once.
        out: what it printed.
    """

    wall: float
    cpu: float
    memory: float
    out: str


def measure(
    command: Sequence[str], env: Mapping[str, str], folder: Path, *, worst: int = 0
) -> Measured:
    """Run the command to its end; `ProgramFailed` when its exit status is worse than that."""
    folder.mkdir(parents=True, exist_ok=True)
    out, err = folder / "program.out", folder / "program.err"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        began = time.perf_counter()
        process = subprocess.Popen(command, env=dict(env), stdout=stdout, stderr=stderr)
        ended, most = threading.Event(), [0.0]
        watch = threading.Thread(target=_watch_memory, args=(process.pid, ended, most))
        watch.start()
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        ended.set()
        watch.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    if not 0 <= process.returncode <= worst:
        raise ProgramFailed(f"{' '.join(command)}: {err.read_text()[-2000:]}")
    return Measured(
        wall=wall,
        cpu=used.ru_utime + used.ru_stime,
        memory=most[0] or used.ru_maxrss / 1000,
        out=out.read_text(),
    )


def _watch_memory(pid: int, ended: threading.Event, most: list[float]) -> None:
    """Keep the most megabytes of a process so far, as Linux counts them since its program began.

    What `wait4` says includes what the process held before that, as a copy of this one.
    """
    while not ended.wait(0.02):
        try:
            found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
        except OSError:  # it has ended, or there is no such folder on this system
            return
        if found:
            most[0] = max(most[0], int(found[1]) / 1000)
