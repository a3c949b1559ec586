"""Some processes at once: never above the budget, close to it, fair; and all of them back off.

Limits and time are scaled down; at full scale, eight over two minutes, they are printed by
`python -m f1_bronze_tests.openf1.crowd`.
"""

from pathlib import Path

import pytest

from .crowd import crowd

LIMITS = "3/0.2s,20/3.5s"
PROCESSES = 5
WITH_A_SERVER = 3
"""The server keeps the order, as it does in its own tests: fewer do to prove the link."""


@pytest.fixture(params=["file", "postgresql", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Each store in turn, as F1_BRONZE_RATE_STORE names it."""
    if request.param == "file":
        return f"file:{tmp_path}/rate"
    url: str = request.getfixturevalue(f"{request.param}_server").url
    return url


@pytest.mark.slow
def test_processes_use_the_budget_and_never_more(store: str) -> None:
    """No rolling window is overfull, nobody is refused, 90 % is used, nobody is left behind."""
    processes = PROCESSES if store.startswith("file:") else WITH_A_SERVER
    seen = crowd(store, limits=LIMITS, seconds=7.0, processes=processes)
    assert seen.refused == ()
    assert seen.most["3/0.2s"] <= 3
    assert seen.most["20/3.5s"] <= 20
    assert seen.used >= 0.9
    assert min(seen.by_process) >= len(seen.times) / processes / 2


@pytest.mark.slow
def test_a_429_backs_everybody_off(tmp_path: Path) -> None:
    """When one process is refused for two seconds, the four others keep silent as well."""
    refusal = {"kind": "rate_limited", "retry_after": "2", "after": 9, "times": 1}
    store = f"file:{tmp_path}/rate"
    limits = "4/0.4s"
    seen = crowd(store, limits=limits, seconds=4.5, processes=PROCESSES, faults=[refusal])
    (refused,) = seen.refused
    after = [t - refused for t in seen.times if t > refused + 0.2]  # 0.2 s for those on their way
    assert 2.0 <= min(after) <= 3.5
    assert len([t for t in seen.times if t < refused]) >= 8
    assert min(seen.by_process) >= 1
    assert seen.most["4/0.4s"] <= 4
