"""The same with real processes and real time: exit statuses, --json, and a second run."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from f1_bronze.simulator.faults import InjectedFault
from f1_bronze.simulator.invented import InventedSeasons
from f1_bronze.simulator.server import Simulator

from ...commands import Run
from .bench import Bench, content_of
from .laws import Content, assert_nothing_untrue, place_of

pytestmark = pytest.mark.slow
WEEKEND = ("ingest", "2025", "--grand-prix", "bahrain")
RACE = "2025/bahrain/race"


@pytest.fixture(scope="module")
def weekend(tmp_path_factory: pytest.TempPathFactory) -> Content:
    """The lake of one weekend without faults."""
    with Bench.over(InventedSeasons(), tmp_path_factory.mktemp("clean")) as bench:
        assert bench.ingest(WEEKEND).calls == 7
        return bench.content()


@contextmanager
def simulating(faults: Sequence[dict[str, Any]]) -> Iterator[str]:
    """`f1-bronze simulate --fault …` as a process; its address."""
    words = [word for fault in faults for word in ("--fault", json.dumps(fault))]
    process = subprocess.Popen(
        [sys.executable, "-m", "f1_bronze.cli", "simulate", "--port", "0", "--json", *words],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 0
        process.stdout.close()


def test_faults_that_pass(run_process: Run, weekend: Content, tmp_path: Path) -> None:
    """A fault at nearly every call, the port closed among them: status 0 and the same bytes."""
    faults = [
        {"kind": "html_200", "endpoint": "sessions", "times": 1},
        {"kind": "truncated_json", "endpoint": "drivers", "times": 1},
        {"kind": "refused", "endpoint": "session_result", "times": 1, "seconds": 1.5},
        {"kind": "reset_midway", "endpoint": "laps", "times": 1},
        {"kind": "rate_limited", "endpoint": "stints", "times": 1, "retry_after": "1"},
        {"kind": "status", "status": 503, "endpoint": "pit", "times": 1},
    ]
    with simulating(faults) as url:
        ran = run_process(*WEEKEND, "--json", OPENF1_URL=url)
    assert (ran.status, ran.data["failed"], ran.data["crashes"]) == (0, [], [])
    assert 13 <= ran.data["api"]["calls"] <= 16
    assert content_of(tmp_path / "data/lake") == weekend


def test_what_is_missing_is_told_and_lands_later(
    run_process: Run, run: Run, weekend: Content, tmp_path: Path
) -> None:
    """Status 1 and the list of what is missing, 3 while closed; then status 0 and every byte."""
    with Simulator(InventedSeasons(), limits=None) as simulator:
        where = {"OPENF1_URL": simulator.url, "OPENF1_LIMITS": "1000/1s"}
        too_much = InjectedFault(kind="too_much", endpoint="stints")
        simulator.control.set_faults([too_much, InjectedFault(kind="live", endpoint="pit")])
        closed = run_process(*WEEKEND, "--json", **where)
        assert closed.status == closed.data["status"] == 3
        failed = {(one["dataset"], one["partition"]): one["error"] for one in closed.data["failed"]}
        assert failed == {
            ("stints", RACE): "TooMuchAsked",
            ("pit_stops", RACE): "ClosedForLiveSession",
        }
        simulator.control.set_faults([too_much])
        partly = run_process(*WEEKEND, "--missing", "--json", **where)
        assert partly.status == partly.data["status"] == 1
        assert [one["dataset"] for one in partly.data["failed"]] == ["stints"]
        assert_nothing_untrue(content_of(tmp_path / "data/lake"), weekend)
        missing = {
            place_of(file) for file in set(weekend) - set(content_of(tmp_path / "data/lake"))
        }
        assert missing == {("stints", RACE)}
        simulator.control.reset()
        repaired = run(*WEEKEND, "--missing", "--json", **where)
        assert (repaired.status, repaired.data["failed"]) == (0, [])
        assert simulator.control.state()["calls"] == 3
    assert content_of(tmp_path / "data/lake") == weekend
