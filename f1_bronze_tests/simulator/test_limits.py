"""Calls are counted in windows of the clock, as OpenF1 counts them."""

from collections.abc import Callable

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from f1_bronze.simulator.behaviour import WindowLimit, WindowLimiter, read_limits
from f1_bronze.simulator.server import Simulator

from .fakes import HandClock

Simulate = Callable[..., Simulator]
Get = Callable[..., requests.Response]


def test_limits_are_read_from_text() -> None:
    """The free tier's text gives its two limits; None gives none."""
    assert read_limits("3/1s, 30/60s") == (
        WindowLimit(calls=3, seconds=1),
        WindowLimit(calls=30, seconds=60),
    )
    assert read_limits(None) == ()


@pytest.mark.parametrize("text", ["3", "3/1", "0/1s", "x/1s", "3/1m"])
def test_unreadable_limits_are_refused(text: str) -> None:
    """A limit that is not written like 3/1s is an error, not unlimited."""
    with pytest.raises(ValueError, match="limit"):
        read_limits(text)


@given(st.lists(st.floats(0, 300), max_size=200).map(sorted))
def test_no_window_ever_admits_more_than_its_limit(times: list[float]) -> None:
    """Within each clock second at most 3 are admitted, within each clock minute 30."""
    limiter = WindowLimiter(read_limits("3/1s,30/60s"))
    admitted = [t for t in times if limiter.admit(t) is None]
    for seconds, calls in ((1, 3), (60, 30)):
        windows = [int(t // seconds) for t in admitted]
        assert all(windows.count(w) <= calls for w in windows)


def test_the_fourth_call_of_a_second_is_refused(
    simulate: Simulate, get: Get, clock: HandClock
) -> None:
    """The 429 says which limit; the next second is free again."""
    sim = simulate(limits="3/1s,30/60s")
    statuses = [get(f"{sim.url}/drivers?session_key=1").status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    answer = get(f"{sim.url}/drivers?session_key=1")
    assert answer.json() == {
        "detail": "Rate limit exceeded. Max 3 requests/second.",
        "error": "Too Many Requests",
    }
    assert "Retry-After" not in answer.headers
    clock.now += 1
    assert get(f"{sim.url}/drivers?session_key=1").status_code == 200


def test_the_minute_is_the_clocks_and_refusals_do_not_count(
    simulate: Simulate, get: Get, clock: HandClock
) -> None:
    """404s count, 429s do not, and at :00 the budget is whole whatever came before."""
    sim = simulate(limits="5/60s")
    clock.now += 58
    asked = [get(f"{sim.url}/pit?session_key=1").status_code for _ in range(8)]
    assert asked == [404] * 5 + [429] * 3
    refused = get(f"{sim.url}/pit?session_key=1")
    assert refused.json()["detail"] == "Rate limit exceeded. Max 5 requests/minute."
    clock.now += 2
    assert [get(f"{sim.url}/pit?session_key=1").status_code for _ in range(6)] == [404] * 5 + [429]


def test_retry_after_can_be_switched_on(simulate: Simulate, get: Get, clock: HandClock) -> None:
    """With it, a 429 says how many seconds are left of the window."""
    sim = simulate(limits="1/60s", retry_after=True)
    clock.now += 20
    get(f"{sim.url}/drivers?session_key=1")
    assert get(f"{sim.url}/drivers?session_key=1").headers["Retry-After"] == "41"
