"""Requests that ask too much are split: no session is lost or stored twice, and splitting ends."""

from typing import Any

import pytest

from .bench import LARGER_PART, Bench
from .laws import Content, assert_lawful, assert_within_limits

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("threshold", "most"),
    [
        ({"sessions_above": 8}, 13),
        ({"sessions_above": 5}, 29),
        ({"sessions_above": 2}, 61),
        ({"sessions_above": 1}, 93),
        ({"rows_above": 500}, 9),
        ({"rows_above": 300}, 11),
        ({"rows_above": 150, "endpoint": "laps"}, 29),
    ],
    ids=str,
)
def test_422(bench: Bench, clean_larger: Content, threshold: dict[str, Any], most: int) -> None:
    """A 422 is never repeated as it is, and every session is stored in the end."""
    bench.arm({"kind": "too_much", **threshold})
    result = assert_lawful(bench, clean_larger, words=LARGER_PART)
    assert result.status == 0
    assert result.asked <= most
    assert result.output["api"]["retries"] == 0
    assert result.output["api"]["splits"] <= result.by_status["422"]
    assert_each_session_answered_once(bench)
    assert_within_limits(bench)


@pytest.mark.parametrize(("sessions", "most"), [(8, 25), (5, 55), (2, 103)])
def test_500_over_the_servers_five_seconds(
    bench: Bench, clean_larger: Content, sessions: int, most: int
) -> None:
    """A 500 that only large questions meet is repeated first, then cut."""
    bench.arm({"kind": "status", "status": 500, "sessions_above": sessions})
    result = assert_lawful(bench, clean_larger, words=LARGER_PART)
    assert result.status == 0
    assert result.asked <= most
    assert_each_session_answered_once(bench)


def test_one_race_is_too_much_by_itself(bench: Bench, clean_larger: Content) -> None:
    """The session that cannot be asked for at all fails by itself, the others are stored."""
    bench.arm({"kind": "too_much", "rows_above": 100, "endpoint": "laps"})
    result = assert_lawful(bench, clean_larger, words=LARGER_PART)
    assert result.failed == {("laps", "2023/spanish/race")}
    assert result.errors == {"TooMuchAsked": 1}
    assert result.asked <= 27


def assert_each_session_answered_once(bench: Bench) -> None:
    """Among the answers with status 200 or 404 of an endpoint no session is named twice."""
    for endpoint in ("drivers", "session_result", "laps", "stints", "pit"):
        named = [
            key
            for entry in bench.simulator.control.requests()
            if entry.endpoint == endpoint and entry.status in (200, 404)
            for key in entry.query.split("&")
        ]
        assert len(named) == len(set(named)) == (12 if endpoint not in ("stints", "pit") else 6)
