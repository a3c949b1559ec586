"""Each answer is the one OpenF1 gives, to the letter."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import requests

from f1_bronze.simulator.behaviour import PaidLogin
from f1_bronze.simulator.invented import InventedSeasons
from f1_bronze.simulator.server import Simulator

from .fakes import HandClock

Simulate = Callable[..., Simulator]
Get = Callable[..., requests.Response]

LIVE = (
    "Live F1 session in progress. Global API access (including past sessions) is "
    "restricted to authenticated users until the session ends."
)
TOO_MUCH = "Failed to retrieve information. You're likely asking for too much data at once."


def test_rows_are_a_json_array(simulate: Simulate, get: Get) -> None:
    """A plain question answers 200 and all rows of the session."""
    answer = get(f"{simulate().url}/laps", params={"session_key": 1})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    assert [row["driver_number"] for row in answer.json()] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/v1/pit?session_key=1", 404, {"detail": "No results found."}),
        ("/v1/laps?session_key=99", 404, {"detail": "No results found."}),
        ("/v1/laps?session_key=1&colour=red", 404, {"detail": "No results found."}),
        ("/v1/laps?session_key=1&limit=5", 404, {"detail": "No results found."}),
        ("/v1/drivers?session_key=1&name_acronym=MAR", 404, {"detail": "No results found."}),
        ("/v1/sessions?country_code=MON", 404, {"detail": "No results found."}),
        ("/v1/sessions?date_start%3E%3D=2020-01-01", 404, {"detail": "No results found."}),
        ("/v1/lapse", 404, {"detail": "Not Found"}),
        ("/laps?session_key=1", 404, {"detail": "Not Found"}),
        ("/v1/laps", 422, {"detail": TOO_MUCH}),
        ("/v1/laps?driver_number=1", 422, {"detail": TOO_MUCH}),
    ],
)
def test_what_is_not_there(
    simulate: Simulate, get: Get, path: str, status: int, body: dict[str, str]
) -> None:
    """No rows, unknown parameters, wrong URLs and too much data have their own bodies."""
    answer = get(simulate().root_url + path)
    assert (answer.status_code, answer.json()) == (status, body)


def test_an_operator_is_sent_in_the_keys_name(simulate: Simulate, get: Get) -> None:
    """A params dict with `date_start>` means at or after."""
    sim = simulate()
    answer = get(f"{sim.url}/sessions", params={"date_start>": "2026-05-02"})
    assert [s["session_key"] for s in answer.json()] == [2, 3]
    answer = get(f"{sim.url}/laps", params={"session_key": 1, "lap_duration<": 92})
    assert [row["driver_number"] for row in answer.json()] == [1, 2]


def test_a_batch_is_mixed_and_key_order_changes(simulate: Simulate, get: Get) -> None:
    """One call answers several sessions, in another order each time, never other rows."""
    sim = simulate()
    texts = [get(f"{sim.url}/laps?session_key=1&session_key=2").text for _ in range(4)]
    answers = [json.loads(text) for text in texts]
    places = [[(r["session_key"], r["driver_number"]) for r in rows] for rows in answers]
    assert all(sorted(p) == [(s, d) for s in (1, 2) for d in (1, 2, 3, 4)] for p in places)
    assert len({str(p) for p in places}) == 4
    assert len({tuple(row) for rows in answers for row in rows}) > 3


def test_two_stand_ins_answer_byte_for_byte_the_same(simulate: Simulate, get: Get) -> None:
    """The disorder is drawn from the request's number: the same calls, the same bytes."""
    one, other = simulate(), simulate()
    for _ in range(3):
        path = "/laps?session_key=1&session_key=2"
        assert get(one.url + path).content == get(other.url + path).content


def test_meeting_key_and_latest_select_sessions(simulate: Simulate, get: Get) -> None:
    """Data may be asked for by meeting, and `latest` is the session begun last."""
    sim = simulate()
    rows = get(f"{sim.url}/drivers?meeting_key=10").json()
    assert {row["session_key"] for row in rows} == {2}
    assert get(f"{sim.url}/sessions?session_key=latest").json()[0]["session_key"] == 3


def test_names_keep_their_accents(simulate: Simulate, get: Get) -> None:
    """Text travels as UTF-8."""
    answer = get(f"{simulate().url}/meetings")
    assert answer.json()[0]["meeting_name"] == "São Paulo Grand Prix"
    assert "São".encode() in answer.content


def test_more_rows_than_the_threshold_are_too_much(simulate: Simulate, get: Get) -> None:
    """The threshold holds per endpoint where one is set, else for all."""
    sim = simulate(too_much_rows=5, too_much_rows_of={"stints": 100})
    both = "?session_key=1&session_key=2"
    assert get(f"{sim.url}/laps?session_key=1").status_code == 200
    assert get(f"{sim.url}/laps{both}").json() == {"detail": TOO_MUCH}
    assert get(f"{sim.url}/stints{both}").status_code == 200


def test_a_query_over_too_many_sessions_is_a_server_error(simulate: Simulate, get: Get) -> None:
    """It answers the HTML page with a stack trace."""
    answer = get(f"{simulate(too_many_sessions=2).url}/drivers")
    assert answer.status_code == 500
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "Traceback" in answer.text


def test_data_comes_half_an_hour_after_the_end(
    simulate: Simulate, get: Get, clock: HandClock
) -> None:
    """Until then a session is listed and has no data."""
    sim = simulate()
    clock.now += 29 * 60
    assert len(get(f"{sim.url}/sessions?session_key=3").json()) == 1
    assert get(f"{sim.url}/drivers?session_key=3").status_code == 404
    clock.now += 60
    assert get(f"{sim.url}/drivers?session_key=3").status_code == 200


def test_cancelled_sessions_have_drivers_and_nothing_else(
    simulate: Simulate, get: Get, clock: HandClock, seasons: InventedSeasons
) -> None:
    """They stay listed; /drivers answers rows, every other endpoint 404."""
    clock.now = datetime(2026, 12, 31, tzinfo=UTC).timestamp()
    sim = simulate(seasons)
    listed = get(f"{sim.url}/sessions?year=2026&is_cancelled=true&session_name=Race").json()
    assert [s["location"] for s in listed] == ["Sakhir", "Jeddah"]
    key = listed[0]["session_key"]
    assert len(get(f"{sim.url}/drivers?session_key={key}").json()) == 22
    for endpoint in ("session_result", "laps", "stints", "pit"):
        answer = get(f"{sim.url}/{endpoint}?session_key={key}")
        assert (answer.status_code, answer.json()) == (404, {"detail": "No results found."})


def test_live_mode_closes_the_api_to_the_unauthenticated(simulate: Simulate, get: Get) -> None:
    """Every call answers the exact 401, history and calendar included."""
    sim = simulate(live=True)
    for path in ("/sessions", "/laps?session_key=1"):
        answer = get(sim.url + path)
        assert (answer.status_code, answer.json()) == (401, {"detail": LIVE})


def test_a_token_opens_the_live_api_and_doubles_the_limits(
    simulate: Simulate, get: Get, clock: HandClock
) -> None:
    """The login answers as upstream does, `expires_in` as a string; a token lives an hour."""
    account = PaidLogin(username="ada", password="secret")
    sim = simulate(live=True, limits="3/1s", credentials=account)
    login = requests.post(sim.token_url, data={"username": "ada", "password": "secret"}, timeout=5)
    token = login.json()["access_token"]
    assert login.json() == {
        "access_token": token,
        "expires_in": "3600",
        "token_type": "bearer",
    }
    headers = {"Authorization": f"Bearer {token}"}
    url = f"{sim.url}/laps?session_key=1"
    assert [get(url, headers=headers).status_code for _ in range(7)] == [200] * 6 + [429]
    clock.now += 3600
    expired = get(url, headers=headers)
    assert expired.status_code == 401
    assert expired.json() != {"detail": LIVE}


def test_a_wrong_password_and_an_invented_token_are_refused(simulate: Simulate, get: Get) -> None:
    """Both answer 401 with a detail that is not about a live session."""
    sim = simulate(credentials=PaidLogin(username="ada", password="secret"))
    wrong = requests.post(sim.token_url, data={"username": "ada", "password": "x"}, timeout=5)
    assert wrong.status_code == 401
    answer = get(f"{sim.url}/sessions", headers={"Authorization": "Bearer made-up"})
    assert answer.status_code == 401
    assert answer.json()["detail"] == "Invalid or expired token"


def test_only_get_asks(simulate: Simulate) -> None:
    """A POST to a data endpoint is 405, and so is a GET of the token."""
    sim = simulate()
    assert requests.post(f"{sim.url}/laps", timeout=5).status_code == 405
    assert requests.get(sim.token_url, timeout=5).status_code == 405
