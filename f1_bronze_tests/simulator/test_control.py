"""The control interface, in Python and over HTTP, changes and shows the same things."""

from collections.abc import Callable
from typing import Any

import pytest
import requests

from f1_bronze.simulator.behaviour import PaidLogin
from f1_bronze.simulator.server import Simulator

from .fakes import HandClock

Simulate = Callable[..., Simulator]
Get = Callable[..., requests.Response]


def control(sim: Simulator, operation: str, value: object = None) -> requests.Response:
    return requests.post(f"{sim.root_url}/_control/{operation}", json=value, timeout=5)


def state(sim: Simulator) -> dict[str, Any]:
    answer = requests.get(f"{sim.root_url}/_control/state", timeout=5)
    assert answer.status_code == 200
    return dict(answer.json())


def test_the_state_counts_calls(simulate: Simulate, get: Get, clock: HandClock) -> None:
    """By endpoint, by status, the last requests, and the most in a rolling second and minute."""
    sim = simulate()
    for seconds in (0, 0.5, 0.5, 30):
        clock.now += seconds
        get(f"{sim.url}/laps?session_key=1")
    clock.now += 31
    get(f"{sim.url}/pit?session_key=1")
    seen = state(sim)
    assert seen["calls"] == 5
    assert seen["by_endpoint"] == {"laps": 4, "pit": 1}
    assert seen["by_status"] == {"200": 4, "404": 1}
    assert (seen["max_in_second"], seen["max_in_minute"]) == (2, 4)
    assert seen["requests"][-1] == {
        "number": 5,
        "method": "GET",
        "path": "/v1/pit",
        "query": "session_key=1",
        "endpoint": "pit",
        "status": 404,
        "time": "2026-06-01T12:01:02+00:00",
        "rows": 0,
        "body_bytes": 30,
        "faults": [],
    }
    assert seen == sim.control.state()


def test_control_calls_are_free_and_never_delayed(simulate: Simulate, clock: HandClock) -> None:
    """They count against no limit, wait for no latency and meet no live mode."""
    sim = simulate(limits="1/60s", latency_seconds=5, live=True)
    assert [state(sim)["calls"] for _ in range(5)] == [0] * 5
    assert clock.slept == []


def test_the_journal_keeps_the_last_requests(simulate: Simulate, get: Get) -> None:
    """Older ones are forgotten, the counters are not."""
    sim = simulate(journal_size=2)
    for _ in range(5):
        get(f"{sim.url}/sessions")
    seen = state(sim)
    assert ([r["number"] for r in seen["requests"]], seen["calls"]) == ([4, 5], 5)


def test_live_mode_may_end_by_itself(simulate: Simulate, get: Get, clock: HandClock) -> None:
    """`for_seconds` closes the API for that long by the clock; `live: false` opens it."""
    sim = simulate()
    assert control(sim, "manners", {"live": True, "for_seconds": 60}).json()["manners"]["live"]
    assert get(f"{sim.url}/sessions").status_code == 401
    clock.now += 60
    assert get(f"{sim.url}/sessions").status_code == 200
    control(sim, "manners", {"live": True})
    clock.now += 86_400
    assert get(f"{sim.url}/sessions").status_code == 401
    control(sim, "manners", {"live": False})
    assert get(f"{sim.url}/sessions").status_code == 200


def test_behaviour_changes_one_by_one(simulate: Simulate, get: Get, clock: HandClock) -> None:
    """Latency, limits and credentials change while it runs; what is not named stays."""
    sim = simulate()
    control(sim, "manners", {"latency_seconds": 0.25})
    get(f"{sim.url}/sessions")
    assert clock.slept == [0.25]
    control(sim, "manners", {"limits": "1/60s", "latency_seconds": 0})
    assert [get(f"{sim.url}/sessions").status_code for _ in range(2)] == [200, 429]
    control(sim, "manners", {"limits": None, "credentials": {"username": "a", "password": "b"}})
    login = requests.post(sim.token_url, data={"username": "a", "password": "b"}, timeout=5)
    assert login.status_code == 200
    headers = {"Authorization": f"Bearer {login.json()['access_token']}"}
    assert get(f"{sim.url}/sessions", headers=headers).status_code == 200
    sim.control.expire_tokens()
    assert get(f"{sim.url}/sessions", headers=headers).status_code == 401


def test_no_secret_is_ever_shown(simulate: Simulate) -> None:
    """Neither password nor token is in the state or the journal."""
    sim = simulate(credentials=PaidLogin(username="ada", password="hunter2"))
    form = {"username": "ada", "password": "hunter2"}
    token = requests.post(sim.token_url, data=form, timeout=5).json()["access_token"]
    requests.get(sim.url, headers={"Authorization": f"Bearer {token}"}, timeout=5)
    shown = str(state(sim)) + repr(sim.control.behaviour)
    assert "hunter2" not in shown
    assert token not in shown
    assert state(sim)["manners"]["credentials"] is True


def test_faults_are_set_over_http(simulate: Simulate, get: Get) -> None:
    """A list replaces all others; an empty list clears them."""
    sim = simulate()
    control(sim, "faults", [{"kind": "status", "endpoint": "laps", "status": 502, "times": 1}])
    assert get(f"{sim.url}/laps?session_key=1").status_code == 502
    assert state(sim)["faults"] == [
        {"kind": "status", "endpoint": "laps", "status": 502, "times": 1, "hits": 1}
    ]
    patch = {"kind": "edit", "match": {"driver_number": 1}, "patch": {"lap_duration": 1}}
    control(sim, "faults", [patch])
    assert get(f"{sim.url}/laps?session_key=1").json()[0]["lap_duration"] == 1
    assert control(sim, "faults", []).json()["faults"] == []


def test_reset_goes_back_to_the_start(simulate: Simulate, get: Get) -> None:
    """Journal, limits, faults, behaviour and request numbers are as at the beginning."""
    sim = simulate(limits="2/60s")
    first = get(f"{sim.url}/laps?session_key=1&session_key=2").content
    control(sim, "manners", {"live": True})
    control(sim, "faults", [{"kind": "empty"}])
    assert control(sim, "reset").json()["calls"] == 0
    again = get(f"{sim.url}/laps?session_key=1&session_key=2")
    assert (again.status_code, again.content) == (200, first)
    assert get(f"{sim.url}/sessions").status_code == 200
    assert get(f"{sim.url}/sessions").status_code == 429


@pytest.mark.parametrize(
    ("operation", "value", "detail"),
    [
        ("manners", {"mood": "bad"}, "mood"),
        ("manners", {"limits": "lots"}, "3/1s"),
        ("manners", {"limits": 5}, "wrong type"),
        ("manners", {"latency_seconds": "much"}, "wrong type"),
        ("manners", {"latency_seconds": -1}, "negative"),
        ("manners", {"for_seconds": 5}, "live"),
        ("manners", [], "object"),
        ("faults", {"kind": "slow"}, "array"),
        ("faults", [{"kind": "gremlin"}], "gremlin"),
    ],
)
def test_wrong_control_calls_say_what_is_wrong(
    simulate: Simulate, operation: str, value: object, detail: str
) -> None:
    """They answer 400 and change nothing."""
    sim = simulate()
    before = sim.control.state()
    answer = control(sim, operation, value)
    assert answer.status_code == 400
    assert detail in answer.json()["detail"]
    assert sim.control.state() == before


def test_unknown_control_calls(simulate: Simulate) -> None:
    """An unknown operation is 404, the wrong method 405."""
    sim = simulate()
    assert control(sim, "explode").status_code == 404
    assert control(sim, "state").status_code == 405
    assert requests.get(f"{sim.root_url}/_control/reset", timeout=5).status_code == 405
