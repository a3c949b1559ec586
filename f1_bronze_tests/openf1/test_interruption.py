"""A wait that is ended from outside: at once, and with the reserved call given back."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from f1_bronze.openf1.budget import Pace, parse_limits, unwinding_on_sigterm
from f1_bronze.openf1.budget_stores import FileStore

_WAITING = """
import sys
from pathlib import Path
from f1_bronze.openf1.pace import Pace, parse_limits, rate_store
pace = Pace(parse_limits("1/11.75s"), rate_store("file:" + sys.argv[1], "http://localhost"))
for _ in range(2):
    pace.wait("laps", lambda told: print(told, flush=True))
"""


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, 128 + signal.SIGTERM)]
)
def test_a_waiting_process_ends_at_once_and_gives_its_call_back(
    number: signal.Signals, status: int, tmp_path: Path
) -> None:
    """The wait of twelve seconds is told, cut short by either signal, and costs nobody a call."""
    path = tmp_path / "rate"
    process = subprocess.Popen(
        [sys.executable, "-c", _WAITING, str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    told = process.stdout.readline()
    time.sleep(0.1)  # told before, asleep after
    began = time.monotonic()
    process.send_signal(number)
    assert process.wait(10) == status
    assert time.monotonic() - began < 2.0
    assert told == "waiting 12 s for the API budget\n"
    ledger = FileStore(path).read()
    assert ledger is not None
    assert len(ledger.slots) == 1
    assert 10.0 < Pace(parse_limits("1/11.75s"), FileStore(path)).estimate(1) < 12.0


def test_who_handles_sigterm_already_keeps_it() -> None:
    """A handler of the program, such as Dagster's, is called; ours is gone after the wait."""
    called: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: called.append(number))
    try:
        with unwinding_on_sigterm():
            signal.raise_signal(signal.SIGTERM)
        assert called == [signal.SIGTERM]
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with pytest.raises(SystemExit) as raised, unwinding_on_sigterm():
            signal.raise_signal(signal.SIGTERM)
        assert raised.value.code == 143
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)
