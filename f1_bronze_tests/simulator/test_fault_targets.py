"""Whom a fault hits, from when and until when; and the faults that outlast a single answer."""

from collections.abc import Callable
from typing import Any

import pytest
import requests

from f1_bronze.simulator.behaviour import PaidLogin
from f1_bronze.simulator.faults import KINDS, MIX, ActiveFaults, FaultTarget, InjectedFault
from f1_bronze.simulator.queries import RequestQuery
from f1_bronze.simulator.server import Simulator

from .fakes import HandClock

Simulate = Callable[..., Simulator]
Get = Callable[..., requests.Response]
ONE, TWO, THREE = (
    "/laps?session_key=1",
    "/laps?session_key=1&session_key=2",
    "/laps?session_key=1&session_key=2&session_key=3",
)


@pytest.mark.parametrize(
    ("fault", "paths", "statuses"),
    [
        ({"kind": "too_much", "sessions_above": 1}, [ONE, TWO, THREE], [200, 422, 422]),
        ({"kind": "too_much", "rows_above": 4}, [ONE, TWO, "/sessions"], [200, 422, 200]),
        ({"kind": "status", "rows_above": 7, "times": 1}, [ONE, TWO, TWO], [200, 500, 200]),
        ({"kind": "live", "times": 2}, [ONE] * 3, [401, 401, 200]),
        ({"kind": "status", "after": 2, "times": 1}, [ONE] * 4, [200, 200, 500, 200]),
        ({"kind": "status", "after": 1, "endpoint": "laps"}, [ONE, "/pit", ONE], [200, 404, 500]),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)  # fmt: skip
def test_thresholds_and_counts(
    simulate: Simulate, get: Get, fault: dict[str, Any], paths: list[str], statuses: list[int]
) -> None:
    """Only requests beyond the threshold are concerned, and only they are spared or counted."""
    sim = simulate(faults=(InjectedFault.from_json(fault),))
    assert [get(sim.url + path).status_code for path in paths] == statuses
    assert sim.control.state()["faults"][0]["hits"] == sum(
        status not in (200, 404) for status in statuses
    )


@pytest.mark.parametrize("kind", ["live", "status"])
def test_a_fault_may_end_after_a_while(
    simulate: Simulate, get: Get, clock: HandClock, kind: str
) -> None:
    """`for_seconds` counts from the first hit, by the simulator's clock."""
    sim = simulate(faults=(InjectedFault(kind=kind, after=1, for_seconds=60),))
    statuses = []
    for seconds in (100, 100, 59, 1, 1000):
        clock.now += seconds
        statuses.append(get(sim.url + ONE).status_code)
    fault = 401 if kind == "live" else 500
    assert statuses == [200, fault, fault, 200, 200]


def test_a_retry_after_date_is_ahead(simulate: Simulate, get: Get, clock: HandClock) -> None:
    """`date+7` is sent as the HTTP date in seven seconds, never earlier."""
    clock.now += 0.4
    sim = simulate(faults=(InjectedFault(kind="rate_limited", retry_after="date+7"),))
    assert get(sim.url + ONE).headers["Retry-After"] == "Mon, 01 Jun 2026 12:00:08 GMT"


def test_tokens_expire_in_mid_season(simulate: Simulate, get: Get) -> None:
    """The call that is hit and all later ones with that token are refused; a new one is good."""
    sim = simulate(
        credentials=PaidLogin(username="ada", password="lovelace"),
        faults=(InjectedFault(kind="token_expiry", after=1, times=1), InjectedFault(kind="live")),
    )

    def login() -> dict[str, str]:
        form = {"username": "ada", "password": "lovelace"}
        token = requests.post(sim.token_url, data=form, timeout=5).json()["access_token"]
        return {"Authorization": f"Bearer {token}"}

    headers = login()
    statuses = [get(sim.url + ONE, headers=headers).status_code for _ in range(3)]
    assert statuses == [200, 401, 401]
    assert get(sim.url + ONE, headers=headers).json() == {"detail": "Invalid or expired token"}
    assert get(sim.url + ONE, headers=login()).status_code == 200
    assert "Live F1 session" in get(sim.url + ONE).text
    assert [fault["hits"] for fault in sim.control.state()["faults"]] == [1, 1]


def test_connections_are_refused_for_a_while(
    simulate: Simulate, get: Get, clock: HandClock
) -> None:
    """The port is closed and open connections end; after the seconds the same port answers."""
    sim = simulate(faults=(InjectedFault(kind="refused", after=1, times=1, seconds=30),))
    url = sim.url + ONE
    assert get(url).status_code == 200
    with pytest.raises(requests.ConnectionError, match=r"Remote end closed|reset by peer"):
        get(url)
    for _ in range(2):
        clock.sleep(10)
        with pytest.raises(requests.ConnectionError, match="Connection refused"):
            get(url)
    clock.sleep(10)
    assert get(url).status_code == 200
    assert sim.url + ONE == url
    assert [entry.status for entry in sim.control.requests()] == [200, None, 200]


def test_the_port_opens_when_everyone_said_so(simulate: Simulate, get: Get) -> None:
    """Two closures that overlap end with the later one; a simulator can stop while closed."""
    sim = simulate()
    sim.refuse()
    sim.refuse()
    sim.accept()
    with pytest.raises(requests.ConnectionError, match="Connection refused"):
        get(sim.url + ONE)
    sim.accept()
    assert get(sim.url + ONE).status_code == 200
    sim.refuse()
    sim.stop()
    sim.accept()
    assert get(sim.start().url + ONE).status_code == 200


def test_a_stall_may_last_until_the_client_hangs_up(simulate: Simulate) -> None:
    """The headers come, nothing follows, and no thread is left behind."""
    sim = simulate(faults=(InjectedFault(kind="stall", seconds=None, times=1),))
    with requests.get(sim.url + ONE, timeout=(5, 0.1), stream=True) as answer:
        assert answer.status_code == 200
        with pytest.raises(requests.ConnectionError, match="Read timed out"):
            answer.content  # noqa: B018 - reading is the point
    assert requests.get(sim.url + ONE, timeout=5).status_code == 200


@pytest.mark.parametrize("share", [0.05, 0.2, 0.4])
def test_a_mix_is_drawn_from_its_seed(share: float) -> None:
    """The declared share of calls is hit, by every kind in turn, and the same way every time."""
    laps = FaultTarget("laps", RequestQuery.parse("session_key=1"))

    def met(seed: int) -> list[InjectedFault | None]:
        board = ActiveFaults(
            [InjectedFault.from_json({"kind": "mix", "share": share, "seed": seed})]
        )
        hits = [board.next_hit(laps, 0) for _ in range(2000)]
        return [hit and hit[1] for hit in hits]

    first = met(7)
    assert first == met(7) != met(8)
    hits = [fault for fault in first if fault]
    assert len(hits) == pytest.approx(2000 * share, rel=0.15)
    assert {fault.kind for fault in hits} == {kind["kind"] for kind in MIX}


def test_a_mix_is_told_by_the_kinds_that_hit(simulate: Simulate, get: Get) -> None:
    """The journal names what a request met, the state counts the hits of the mix."""
    sim = simulate(faults=(InjectedFault(kind="mix", seed=3, times=1),))
    assert get(sim.url + ONE).status_code == 429
    assert get(sim.url + ONE).status_code == 200
    assert [entry.faults for entry in sim.control.requests()] == [("rate_limited",), ()]
    mix = {"kind": "mix", "seed": 3, "times": 1, "hits": 1}
    assert sim.control.state()["faults"] == [mix]


def test_the_mix_is_what_passes_by_itself() -> None:
    """Every kind is in it that ends without anybody's doing and changes no row; spelled out."""
    lasting = {"too_much", "live", "token_expiry", "unknown_path"}
    untrue = {"empty", "drop_rows", "edit"}
    assert {kind["kind"] for kind in MIX} == set(KINDS) - lasting - untrue - {"mix"}
    statuses = [kind["status"] for kind in MIX if kind["kind"] == "status"]
    headers = [kind["retry_after"] for kind in MIX if kind["kind"] == "rate_limited"]
    assert (statuses, headers) == ([500, 502, 503, 504], [None, "0", "2", "date+2"])
