"""What more workers gain: a backfill with one run at a time, and with several.

`python -m benchmarks.workers`. A deployment of processes (webserver, code server, daemon) asks the
simulator under real limits; the backfill is that of `f1-bronze backfill`. Each number of workers
has a lake and a home of its own and takes minutes; the ratio is of times in one call, taken in turn
on one machine.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg

from f1_bronze.defs.assets import API_POOL
from f1_bronze.defs.automation.instance import CONFIG
from f1_bronze.simulator.invented import InventedSeasons
from f1_bronze.simulator.server import Simulator

COMMAND = [sys.executable, "-m", "f1_bronze.cli"]
_PATIENCE = 180.0


@contextmanager
def deployment(home: Path, environ: dict[str, str], workers: int) -> Iterator[str]:
    """The UI with its daemon, which lets so many runs ask at once; its address."""
    home.mkdir(parents=True)
    os.environ["DAGSTER_HOME"] = str(home)  # where the event log lies, says its configuration
    (home / "dagster.yaml").write_text(
        CONFIG.replace("max_concurrent_runs: 4", f"max_concurrent_runs: {workers}")
    )
    with dg.DagsterInstance.from_config(str(home)) as instance:
        instance.event_log_storage.set_concurrency_slots(API_POOL, workers)
    port = free_port()
    with (home / "ui.log").open("w") as log:
        served = subprocess.Popen(
            [*COMMAND, "ui", "--port", str(port)],
            env=environ,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{url}/server_info")
        yield url
    finally:
        served.send_signal(signal.SIGINT)
        try:
            served.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(served.pid, signal.SIGKILL)  # its session: nothing else is in it
            served.wait()


def measure(folder: Path, workers: int, seasons: str, limits: str, *words: str) -> dict[str, Any]:
    """Seconds from the first run's start to the last one's end, and what was asked."""
    with Simulator(InventedSeasons(), limits=limits) as simulator:
        environ = os.environ | {
            "DAGSTER_HOME": str(folder / "home"),
            "F1_BRONZE_OPENF1_URL": simulator.url,
            "F1_BRONZE_OPENF1_LIMITS": limits,
            "F1_BRONZE_LAKE_URI": str(folder / "lake"),
            "F1_BRONZE_RATE_STORE": f"file:{folder / 'rate'}",
        }
        with deployment(folder / "home", environ, workers) as url:
            done = subprocess.run(
                [*COMMAND, "backfill", seasons, *words, "--deployment", url, "--json"],
                env=environ,
                stdout=subprocess.PIPE,
                text=True,
                check=False,
            )
        asked = simulator.control.state()
    outcome = json.loads(done.stdout)
    with dg.DagsterInstance.from_config(str(folder / "home")) as instance:
        records = instance.get_run_records()
    starts = [record.start_time for record in records if record.start_time]
    ends = [record.end_time for record in records if record.end_time]
    return {
        "workers": workers,
        "status": outcome["status"],
        "stored": sum(row["sessions"] for row in outcome["datasets"]),
        "runs": len(records),
        "calls": asked["calls"],
        "refused": asked["by_status"].get("429", 0),
        "seconds": round(max(ends) - min(starts), 1),
        "seconds_of_runs": round(sum(ends) - sum(starts), 1),
        "seconds_in_all": outcome["seconds"],
    }


def wait_for(address: str) -> None:
    """Return when it answers."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        try:
            opener.open(address, timeout=5).close()
        except OSError:
            time.sleep(0.5)
        else:
            return
    raise TimeoutError(f"{address} does not answer")


def free_port() -> int:
    """A port of loopback that nothing listens on now."""
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def main() -> None:
    """Measure and print a line for each number of workers, then the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 3])
    parser.add_argument("--seasons", default="2022-2025")
    parser.add_argument("--session-type", default="all")
    parser.add_argument("--limits", default="6/1s,60/60s")
    asked = parser.parse_args()
    measured = []
    for workers in asked.workers:
        with tempfile.TemporaryDirectory() as folder:
            words = ("--session-type", asked.session_type)
            measured.append(measure(Path(folder), workers, asked.seasons, asked.limits, *words))
        sys.stdout.write(f"{json.dumps(measured[-1])}\n")
        sys.stdout.flush()
    first = measured[0]
    for one in measured[1:]:
        ratio = first["seconds"] / one["seconds"]
        sys.stdout.write(f"{one['workers']} workers: {ratio:.2f} times as fast\n")


if __name__ == "__main__":
    main()
