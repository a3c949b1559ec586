"""Several processes that ask one simulator at once, and which slots they used for it.

For a look at the real limits, eight processes over two minutes:

    python -m f1_bronze_tests.openf1.crowd --store postgresql://127.0.0.1/f1 --seconds 120
"""

import argparse
import contextlib
import json
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from f1_bronze.openf1.breaker import Breaker
from f1_bronze.openf1.budget import CallBudget, parse_limits
from f1_bronze.openf1.budget_stores import open_rate_store
from f1_bronze.openf1.client import OpenF1Client
from f1_bronze.simulator.invented import InventedSeasons
from f1_bronze.simulator.server import Simulator

FREE = "3/1s,30/60s"
_MODULE = "f1_bronze_tests.openf1.crowd"  # __name__ is another where this is run
_FIRST_YEAR = 1960  # each asks for a season of its own, which has no meetings: a small answer


@dataclass(frozen=True, kw_only=True)
class Crowd:
    """How a crowd fared; times in epoch seconds, ascending.

    Attributes:
        slots: by process, the moments that the budget gave it for the calls it made.
        arrivals: by process, when its calls reached the simulator.
        refused: arrivals of calls that were answered 429.
    """

    slots: tuple[tuple[float, ...], ...]
    arrivals: tuple[tuple[float, ...], ...]
    refused: tuple[float, ...]

    @property
    def all_slots(self) -> tuple[float, ...]:
        """The slots of all processes."""
        return tuple(sorted(slot for own in self.slots for slot in own))


def most_in(times: Sequence[float], seconds: float) -> int:
    """The most calls that any rolling window of that length holds."""
    return max((sum(t <= u < t + seconds for u in times) for t in times), default=0)


@contextlib.contextmanager
def simulator(limits: str | None) -> Iterator[str]:
    """The address of a simulator in a process of its own."""
    words = [sys.executable, "-m", _MODULE, "--serve", "--limits", limits or ""]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def control(url: str, operation: str, body: object = None) -> dict[str, Any]:
    """The simulator's own account of what happened, after it was given something."""
    request = urllib.request.Request(
        f"{url.removesuffix('/v1')}/_control/{operation}",
        data=None if body is None else json.dumps(body).encode(),
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        state: dict[str, Any] = json.load(answer)
    return state


def run_crowd(
    store: str,
    *,
    limits: str = FREE,
    enforced: str | None = None,
    seconds: float = 120.0,
    processes: int = 8,
    faults: Sequence[dict[str, Any]] = (),
) -> Crowd:
    """Let processes ask as fast as they may for that long, and end them while they wait.

    `enforced` are the limits of the simulator itself. On a busy machine a call may arrive long
    after its slot, so that a simulator with the same limits would refuse it for good reason.
    """
    with simulator(enforced) as url, tempfile.TemporaryDirectory() as folder:
        control(url, "faults", list(faults))
        words = [sys.executable, "-m", _MODULE, "--ask", url, "--store", store, "--limits", limits]
        reports = [Path(folder) / str(n) for n in range(processes)]
        askers = [
            subprocess.Popen(
                [*words, "--number", str(n), "--report", str(report)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            for n, report in enumerate(reports)
        ]
        try:
            for asker in askers:
                assert asker.stdout is not None
                asker.stdout.readline()  # it is ready
            for asker in askers:
                assert asker.stdin is not None
                asker.stdin.close()  # go
            time.sleep(seconds)
            for asker in askers:
                asker.terminate()
            ended = [asker.wait(60) for asker in askers]
        finally:
            for asker in askers:
                asker.kill()
        assert ended == [128 + signal.SIGTERM] * processes
        entries = control(url, "state")["requests"]
        slots = [tuple(map(float, report.read_text().split())) for report in reports]
    by_process: list[list[float]] = [[] for _ in range(processes)]
    for entry in entries:
        by_process[int(parse_qs(entry["query"])["year"][0]) - _FIRST_YEAR].append(_time(entry))
    return Crowd(
        slots=tuple(slots),
        arrivals=tuple(tuple(sorted(times)) for times in by_process),
        refused=tuple(sorted(_time(entry) for entry in entries if entry["status"] == 429)),
    )


def _time(entry: dict[str, Any]) -> float:
    return datetime.fromisoformat(entry["time"]).timestamp()


def _serve(limits: str) -> None:
    with Simulator(InventedSeasons(years=[2024]), limits=limits or None) as server:
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        signal.pause()


class _Reporting(CallBudget):
    """A budget that writes down the slot of each call that goes."""

    report: Path
    last = 0.0

    def reserve(self, *, instead_of: float | None = None) -> float:
        self.last = super().reserve(instead_of=instead_of)
        return self.last

    def wait(self, *args: Any, **more: Any) -> float:
        waited = super().wait(*args, **more)
        with self.report.open("a") as file:
            file.write(f"{self.last!r}\n")
        return waited


def _ask(url: str, store: str, limits: str, number: int, report: Path) -> None:
    report.touch()
    budget = _Reporting(parse_limits(limits), open_rate_store(store, url))
    budget.report = report
    with OpenF1Client(base_url=url, budget=budget, breaker=Breaker()) as client:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.read()
        while True:
            client.get("meetings", [("year", _FIRST_YEAR + number)])


def main() -> None:
    """Serve, ask, or print the figures of a crowd."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--ask")
    parser.add_argument("--store", default="")
    parser.add_argument("--limits", default=FREE)
    parser.add_argument("--number", type=int, default=0)
    parser.add_argument("--report", type=Path)
    parser.add_argument("--seconds", type=float, default=120.0)
    words = parser.parse_args()
    if words.serve:
        _serve(words.limits)
    elif words.ask:
        _ask(words.ask, words.store, words.limits, words.number, words.report)
    else:
        store = words.store or f"file:{tempfile.mkdtemp()}/rate"
        crowd = run_crowd(store, limits=words.limits, enforced=words.limits, seconds=words.seconds)
        times = sorted(time for own in crowd.arrivals for time in own)
        fullest = {limit: most_in(times, limit.seconds) for limit in parse_limits(words.limits)}
        sys.stdout.write(
            f"{len(times)} arrived, {len(crowd.refused)} refused, fullest windows {fullest}, "
            f"by process {[len(own) for own in crowd.arrivals]}\n"
        )


if __name__ == "__main__":
    main()
