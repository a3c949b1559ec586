"""Some processes at once: never above the budget, close to it, fair; and all of them back off.

Limits and time are scaled down; at full scale, eight processes over two minutes, the figures are
printed by `python -m f1_bronze_tests.openf1.crowd`. What is asserted are slots and their order,
which a busy machine does not change.
"""

from pathlib import Path

import pytest

from f1_bronze.openf1.budget import Limit, parse_limits

from .crowd import run_crowd
from .test_budget import exceeded

LIMITS = "3/0.2s,20/3.5s"
PROCESSES = 5
WITH_A_SERVER = 3
"""The server keeps the order, as it does in its own tests: fewer do to prove the link."""
CLOCKS = 0.05
"""Seconds by which a server's clock may be misjudged, half a round trip of a busy machine."""


@pytest.fixture(params=["file", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Each store in turn, as F1_BRONZE_RATE_STORE names it."""
    if request.param == "file":
        return f"file:{tmp_path}/rate"
    url: str = request.getfixturevalue("postgresql").url
    return url


@pytest.mark.slow
def test_processes_use_the_budget_and_never_more(store: str) -> None:
    """No rolling window is overfull, no call goes before its slot, no process is left behind."""
    processes = PROCESSES if store.startswith("file:") else WITH_A_SERVER
    crowd = run_crowd(store, limits=LIMITS, seconds=7.0, processes=processes)
    for limit in parse_limits(LIMITS):
        assert exceeded(list(crowd.all_slots), limit) == []
    for slots, arrivals in zip(crowd.slots, crowd.arrivals, strict=True):
        assert all(call >= slot - CLOCKS for slot, call in zip(slots, arrivals, strict=False))
    calls = [len(slots) for slots in crowd.slots]
    assert sum(calls) >= 20  # half of what 7 s allow: the rest may be the machine's
    assert min(calls) >= sum(calls) / processes / 2


@pytest.mark.slow
def test_a_429_backs_everybody_off(tmp_path: Path) -> None:
    """When one process is refused for two seconds, the others keep silent as well."""
    refusal = {"kind": "rate_limited", "retry_after": "2", "after": 9, "times": 1}
    limit = Limit(calls=4, seconds=0.4)
    crowd = run_crowd(
        f"file:{tmp_path}/rate", limits="4/0.4s", seconds=4.5, processes=PROCESSES, faults=[refusal]
    )
    (refused,) = crowd.refused
    silent = [[slot for slot in slots if refused < slot < refused + 2.0] for slots in crowd.slots]
    assert max(map(len, silent)) <= 1  # one that was on its way before the refusal was known
    assert any(slot >= refused + 2.0 for slot in crowd.all_slots)
    assert exceeded(list(crowd.all_slots), limit) == []
