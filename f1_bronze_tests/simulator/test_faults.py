"""Each kind of fault does what it says, to the right requests, as often as declared."""

from collections.abc import Callable
from threading import Event
from typing import Any

import pytest
import requests

from f1_bronze.simulator.faults import KINDS, InjectedFault, apply_fault
from f1_bronze.simulator.responses import SimulatedResponse
from f1_bronze.simulator.server import Simulator

from .fakes import HandClock

Simulate = Callable[..., Simulator]
Get = Callable[..., requests.Response]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "mix"])
def test_every_kind_does_something(kind: str) -> None:
    """Each kind that may be declared has an effect; a mix is always one of the others."""
    fault = InjectedFault(kind=kind, patch={"lap_number": 1})
    whole = SimulatedResponse(status=200, rows=[{"lap_number": 2}, {"lap_number": 3}])
    waits: list[object] = []
    response = apply_fault(
        fault,
        lambda: whole,
        number=1,
        now=0.0,
        sleep=waits.append,
        expire_tokens=lambda: waits.append("expired"),
    )
    assert response != whole or waits == [1.0]


@pytest.mark.parametrize(
    ("wanted", "status", "kind", "text"),
    [
        ({"kind": "status"}, 500, "text/html", "Traceback"),
        ({"kind": "status", "status": 502}, 502, "text/html", "Bad Gateway"),
        ({"kind": "status", "status": 503}, 503, "text/plain", "upstream request timeout"),
        ({"kind": "status", "status": 504}, 504, "text/plain", "upstream request timeout"),
        ({"kind": "status", "status": 418, "body": "tea"}, 418, "application/json", "tea"),
        (
            {"kind": "status", "body": "{}", "content_type": "application/json"},
            500,
            "application/json",
            "{}",
        ),
        ({"kind": "too_much"}, 422, "application/json", "too much data at once"),
        ({"kind": "rate_limited"}, 429, "application/json", "Max 30 requests/minute."),
        ({"kind": "live"}, 401, "application/json", "Live F1 session in progress."),
        ({"kind": "html_200"}, 200, "text/html", "<html>"),
        ({"kind": "wrong_json"}, 200, "application/json", '{"detail":'),
        ({"kind": "empty"}, 404, "application/json", '{"detail":"No results found."}'),
        ({"kind": "unknown_path"}, 404, "application/json", '{"detail":"Not Found"}'),
    ],
)
def test_faults_that_answer_something_else(
    simulate: Simulate, get: Get, wanted: dict[str, Any], status: int, kind: str, text: str
) -> None:
    """The hit request gets the fault's status, type and body; the next one its rows."""
    sim = simulate(faults=(InjectedFault(**wanted, times=1),))
    url = f"{sim.url}/laps?session_key=1"
    hit = get(url)
    assert (hit.status_code, hit.headers["Content-Type"].split(";")[0]) == (status, kind)
    assert text in hit.text
    assert len(get(url).json()) == 4


@pytest.mark.parametrize("header", ["7", "0", "Mon, 01 Jun 2026 12:01:00 GMT", None])
def test_a_rate_limit_may_carry_retry_after(
    simulate: Simulate, get: Get, header: str | None
) -> None:
    """Seconds, zero, a date or nothing, as declared; an injected 429 does not count."""
    sim = simulate(
        limits="2/60s", faults=(InjectedFault(kind="rate_limited", retry_after=header, times=2),)
    )
    url = f"{sim.url}/laps?session_key=1"
    assert [get(url).headers.get("Retry-After") for _ in range(2)] == [header] * 2
    assert [get(url).status_code for _ in range(3)] == [200, 200, 429]


@pytest.mark.parametrize("kind", ["reset_before", "reset_midway"])
def test_a_reset_breaks_the_connection(simulate: Simulate, get: Get, kind: str) -> None:
    """The client sees a broken transfer, and the next request works again."""
    sim = simulate(faults=(InjectedFault(kind=kind, times=1),))
    url = f"{sim.url}/laps?session_key=1"
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        get(url)
    assert len(get(url).json()) == 4
    statuses = [entry.status for entry in sim.control.requests()]
    assert statuses == [None if kind == "reset_before" else 200, 200]


@pytest.mark.parametrize("kind", ["reset_before", "reset_midway", "truncated_json"])
def test_an_answer_without_rows_is_broken_too(simulate: Simulate, get: Get, kind: str) -> None:
    """Where nothing matches, a broken answer is no good "No results" either."""
    sim = simulate(faults=(InjectedFault(kind=kind, times=1),))
    url = f"{sim.url}/pit?session_key=1"
    with pytest.raises(requests.RequestException):
        get(url).json()
    assert get(url).json() == {"detail": "No results found."}


def test_truncated_json_is_good_http_and_bad_json(simulate: Simulate, get: Get) -> None:
    """Content-Length is true, the body stops in the middle."""
    sim = simulate(faults=(InjectedFault(kind="truncated_json"),))
    answer = get(f"{sim.url}/laps?session_key=1")
    assert (answer.status_code, answer.text[0]) == (200, "[")
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    with pytest.raises(requests.exceptions.JSONDecodeError):
        answer.json()


@pytest.mark.parametrize("kind", ["slow", "stall"])
def test_slow_and_stall_take_their_time(
    simulate: Simulate, get: Get, clock: HandClock, kind: str
) -> None:
    """The rows come after the declared seconds."""
    sim = simulate(faults=(InjectedFault(kind=kind, seconds=9),))
    assert len(get(f"{sim.url}/laps?session_key=1").json()) == 4
    assert clock.slept == [9]


def test_a_stall_runs_into_a_read_timeout(simulate: Simulate) -> None:
    """Headers arrive, then nothing: the client's own timeout ends it."""
    released = Event()
    sim = simulate(faults=(InjectedFault(kind="stall"),), sleep=lambda _: released.wait(5))
    with pytest.raises(requests.ConnectionError, match="Read timed out"):
        requests.get(f"{sim.url}/laps?session_key=1", timeout=(5, 0.2))
    released.set()


def test_drop_rows_loses_the_same_rows_alone_and_in_a_batch(simulate: Simulate, get: Get) -> None:
    """Half of the rows of one session are missing; the other session is whole."""
    sim = simulate(faults=(InjectedFault(kind="drop_rows", session_key=2, rows_share=0.5),))
    alone = {r["driver_number"] for r in get(f"{sim.url}/laps?session_key=2").json()}
    batch = get(f"{sim.url}/laps?session_key=1&session_key=2").json()
    assert len(alone) == 2
    assert {r["driver_number"] for r in batch if r["session_key"] == 2} == alone
    assert len([r for r in batch if r["session_key"] == 1]) == 4


def test_an_edit_corrects_matching_rows(simulate: Simulate, get: Get) -> None:
    """A patch changes only rows that match; the source itself stays as it was."""
    patch = InjectedFault(
        kind="edit", endpoint="laps", match={"driver_number": 2}, patch={"lap_duration": 1.5}
    )
    sim = simulate(faults=(patch,))
    url = f"{sim.url}/laps?session_key=1"
    assert [r["lap_duration"] for r in get(url).json()] == [91.0, 1.5, 93.0, None]
    sim.control.set_faults([])
    assert [r["lap_duration"] for r in get(url).json()] == [91.0, 92.0, 93.0, None]


def test_an_edit_may_be_a_function(simulate: Simulate, get: Get) -> None:
    """In Python a row may be rewritten, or lost by answering None."""
    sim = simulate()
    sim.control.add_faults(
        InjectedFault(
            kind="edit",
            edit=lambda row: None if row["driver_number"] == 1 else {**row, "new_field": 7},
        )
    )
    rows = get(f"{sim.url}/drivers?session_key=1").json()
    assert [(r["driver_number"], r["new_field"]) for r in rows] == [(2, 7), (3, 7), (4, 7)]


def test_a_fault_hits_only_its_endpoint_and_session(simulate: Simulate, get: Get) -> None:
    """A request that does not name the session goes through untouched."""
    sim = simulate(faults=(InjectedFault(kind="too_much", endpoint="laps", session_key=2),))
    paths = {
        "/laps?session_key=1": 200,
        "/laps?session_key=2": 422,
        "/laps?session_key=1&session_key=2": 422,
        "/laps?session_key>=1&session_key<=3": 422,
        "/drivers?session_key=2": 200,
    }
    assert {path: get(sim.url + path).status_code for path in paths} == paths


def test_a_share_is_drawn_from_its_seed(simulate: Simulate, get: Get) -> None:
    """About a third of the calls fail, and the same ones every time."""

    def statuses() -> list[int]:
        sim = simulate(faults=(InjectedFault(kind="status", share=0.33, seed=4),))
        return [get(f"{sim.url}/laps?session_key=1").status_code for _ in range(60)]

    first = statuses()
    assert first == statuses()
    assert 10 <= first.count(500) <= 30


def test_faults_work_together_in_order(simulate: Simulate, get: Get, clock: HandClock) -> None:
    """A slow fault lets the next one have its say; hits are counted for both."""
    sim = simulate(
        faults=(InjectedFault(kind="slow", seconds=2), InjectedFault(kind="empty", times=1))
    )
    assert get(f"{sim.url}/laps?session_key=1").status_code == 404
    assert get(f"{sim.url}/laps?session_key=1").status_code == 200
    assert clock.slept == [2, 2]
    assert [f["hits"] for f in sim.control.state()["faults"]] == [2, 1]
    assert [e.faults for e in sim.control.requests()] == [("slow", "empty"), ("slow",)]


def test_the_token_endpoint_is_hit_only_by_name(simulate: Simulate) -> None:
    """A fault for all endpoints means the data; a login must be named."""
    sim = simulate(faults=(InjectedFault(kind="status", status=503),))
    assert requests.post(sim.token_url, timeout=5).status_code == 401
    sim.control.set_faults([InjectedFault(kind="status", status=503, endpoint="token")])
    assert requests.post(sim.token_url, timeout=5).status_code == 503


def test_a_call_over_the_limit_uses_up_no_fault(simulate: Simulate, get: Get) -> None:
    """The limit comes first."""
    sim = simulate(limits="1/60s", faults=(InjectedFault(kind="slow", times=5),))
    assert [get(f"{sim.url}/sessions").status_code for _ in range(3)] == [200, 429, 429]
    assert sim.control.state()["faults"][0]["hits"] == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "gremlin"},
        {"kind": "status", "status": 99},
        {"kind": "status", "times": 0},
        {"kind": "status", "share": 0},
        {"kind": "edit"},
        {"kind": "slow", "colour": "red"},
        {"kind": "slow", "seconds": None},
        {"kind": "slow", "seconds": -1},
        {"kind": "rate_limited", "retry_after": "date"},
        {"kind": "too_much", "rows_above": -1},
        {"kind": "status", "after": -1},
        {"kind": "status", "for_seconds": 0},
        {"kind": "status", "status": "many"},
        {},
        [],
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(wrong: object) -> None:
    """It is a ValueError when declared, not a surprise when it hits."""
    with pytest.raises(ValueError, match=r"\w"):
        InjectedFault.from_json(wrong)


def test_a_fault_survives_json() -> None:
    """to_json names what differs from the defaults, and from_json takes it back."""
    fault = InjectedFault(
        kind="edit", endpoint="pit", times=2, match={"lap_number": 3}, patch={"a": 1}
    )
    assert fault.to_json() == {
        "kind": "edit",
        "endpoint": "pit",
        "times": 2,
        "match": {"lap_number": 3},
        "patch": {"a": 1},
    }
    assert InjectedFault.from_json(fault.to_json()) == fault
