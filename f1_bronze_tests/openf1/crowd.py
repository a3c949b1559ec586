"""Eight processes that ask one stand-in at once, and what the stand-in saw of it.

Belongs here: starting them, ending them, the figures. Stays out: what the figures must be (the
tests). For a look at the real limits over two minutes:

    python -m f1_bronze_tests.openf1.crowd --store redis://127.0.0.1:6379/0 --seconds 120
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
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from f1_bronze.openf1.breaker import Breaker
from f1_bronze.openf1.budget import Pace, parse_limits, rate_store
from f1_bronze.openf1.client import OpenF1Client
from f1_bronze.simulator.invented import InventedSeasons
from f1_bronze.simulator.server import Simulator

FREE = "3/1s,30/60s"
_MODULE = "f1_bronze_tests.openf1.crowd"  # __name__ is another where this is run
_FIRST_YEAR = 1960  # each asks for a season of its own, which has no meetings: a small answer


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What arrived at the stand-in.

    Attributes:
        times: arrivals of accepted calls in epoch seconds, ascending.
        by_process: accepted calls of each process.
        refused: arrivals of calls that were answered 429.
        most: accepted calls in the fullest rolling window, by the limit as it is written.
        used: share of the budget used from the first call to `seconds` after it.
    """

    times: tuple[float, ...]
    by_process: tuple[int, ...]
    refused: tuple[float, ...]
    most: dict[str, int]
    used: float


def most_in(times: Sequence[float], seconds: float) -> int:
    """The most calls that any rolling window of that length holds."""
    return max((sum(t <= u < t + seconds for u in times) for t in times), default=0)


@contextlib.contextmanager
def stand_in(limits: str) -> Iterator[str]:
    """The address of a stand-in in a process of its own."""
    words = [sys.executable, "-m", _MODULE, "--serve", "--limits", limits]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def control(url: str, operation: str, body: object = None) -> dict[str, Any]:
    """What the stand-in says about itself, after it was told something."""
    request = urllib.request.Request(
        f"{url.removesuffix('/v1')}/_control/{operation}",
        data=None if body is None else json.dumps(body).encode(),
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        state: dict[str, Any] = json.load(answer)
    return state


def crowd(
    store: str,
    *,
    limits: str = FREE,
    seconds: float = 120.0,
    processes: int = 8,
    faults: Sequence[dict[str, Any]] = (),
) -> Seen:
    """Let processes ask as fast as they may for that long, and end them while they wait."""
    with stand_in(limits) as url:
        control(url, "faults", list(faults))
        words = [sys.executable, "-m", _MODULE, "--ask", url, "--store", store, "--limits", limits]
        askers = [
            subprocess.Popen(
                [*words, "--number", str(n)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            for n in range(processes)
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
            ended = [asker.wait(10) for asker in askers]
        finally:
            for asker in askers:
                asker.kill()
        assert ended == [128 + signal.SIGTERM] * processes
        return _seen(control(url, "state"), limits, seconds, processes)


def _seen(state: dict[str, Any], limits: str, seconds: float, processes: int) -> Seen:
    entries = state["requests"]
    accepted = [entry for entry in entries if entry["status"] in (200, 404)]
    times = _times(accepted)
    asked = Counter(int(parse_qs(entry["query"])["year"][0]) - _FIRST_YEAR for entry in accepted)
    known = parse_limits(limits)
    in_time = sum(t < times[0] + seconds for t in times)
    return Seen(
        times=times,
        by_process=tuple(asked[n] for n in range(processes)),
        refused=_times(entry for entry in entries if entry["status"] == 429),
        most={f"{n.calls}/{n.seconds:g}s": most_in(times, n.seconds) for n in known},
        used=in_time / min(n.calls / n.seconds * seconds for n in known),
    )


def _times(entries: Iterable[dict[str, Any]]) -> tuple[float, ...]:
    return tuple(sorted(datetime.fromisoformat(entry["time"]).timestamp() for entry in entries))


def _serve(limits: str) -> None:
    with Simulator(InventedSeasons(years=[2024]), limits=limits) as simulator:
        sys.stdout.write(f"{simulator.url}\n")
        sys.stdout.flush()
        signal.pause()


def _ask(url: str, store: str, limits: str, number: int) -> None:
    pace = Pace(parse_limits(limits), rate_store(store, url))
    with OpenF1Client(base_url=url, pace=pace, breaker=Breaker()) as client:
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
    parser.add_argument("--seconds", type=float, default=120.0)
    words = parser.parse_args()
    if words.serve:
        _serve(words.limits)
    elif words.ask:
        _ask(words.ask, words.store, words.limits, words.number)
    else:
        store = words.store or f"file:{tempfile.mkdtemp()}/rate"
        seen = crowd(store, limits=words.limits, seconds=words.seconds)
        sys.stdout.write(
            f"{len(seen.times)} accepted, {len(seen.refused)} refused, "
            f"fullest windows {seen.most}, {seen.used:.0%} of the budget used, "
            f"by process {seen.by_process}\n"
        )


if __name__ == "__main__":
    main()
