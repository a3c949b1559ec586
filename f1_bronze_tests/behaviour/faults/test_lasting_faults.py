"""Faults that last: what can be stored is stored, the rest is reported, the API is spared."""

from collections.abc import Callable
from typing import Any

import pytest

from .bench import Bench, ingesting
from .laws import Content, assert_lawful, of_datasets

pytestmark = pytest.mark.slow

SILVERSTONE, BAHRAIN = 905617, 905017
DATASETS = {
    "drivers": "drivers",
    "session_result": "results",
    "laps": "laps",
    "stints": "stints",
    "pit": "pit_stops",
}
BROKEN: dict[str, dict[str, Any]] = {
    "503": {"kind": "status", "status": 503},
    "reset before": {"kind": "reset_before"},
    "reset midway": {"kind": "reset_midway"},
    "truncated": {"kind": "truncated_json"},
    "HTML 200": {"kind": "html_200"},
    "an object": {"kind": "wrong_json"},
    "strangers": {"kind": "wrong_json", "body": "[{}]"},
    "422": {"kind": "too_much"},
    "429": {"kind": "rate_limited", "retry_after": "7"},
    "404": {"kind": "unknown_path"},
}


@pytest.mark.parametrize("endpoint", DATASETS)
def test_one_endpoint_down_for_good(bench: Bench, clean: Content, endpoint: str) -> None:
    """It costs fewer than 40 calls, and its dataset fails alone: the API is well otherwise."""
    bench.arm({"kind": "status", "status": 503, "endpoint": endpoint})
    result = assert_lawful(bench, clean)
    assert result.status == 1
    assert (DATASETS[endpoint], "2023/british/race") in result.failed
    assert {dataset for dataset, _ in result.failed} == {DATASETS[endpoint]}
    assert result.calls < 40


@pytest.mark.parametrize("kind", BROKEN)
def test_laps_broken_for_good(bench: Bench, clean: Content, kind: str) -> None:
    """Whatever comes in place of the laps, none are stored, not even as empty ones; < 40 calls."""
    bench.arm({**BROKEN[kind], "endpoint": "laps"})
    result = assert_lawful(bench, clean)
    assert result.status == 1
    assert len([place for place in result.failed if place[0] == "laps"]) == 6
    assert result.calls < 40


@pytest.mark.parametrize("endpoint", ["sessions", "meetings", None])
def test_no_calendar(bench: Bench, clean: Content, endpoint: str | None) -> None:
    """Without the calendar nothing is known and nothing is stored: one request's calls, no more."""
    bench.arm({"kind": "status", "status": 502, "endpoint": endpoint})
    result = assert_lawful(bench, clean)
    assert result.status == 1
    assert result.calls <= 6


@pytest.mark.parametrize("endpoint", ["sessions", "meetings"])
def test_a_calendar_of_strangers(bench: Bench, clean_season: Content, endpoint: str) -> None:
    """Objects that are no sessions or meetings are a bad answer: no season is reported missing
    for it, and no session is placed under another name, which it would keep for good."""
    bench.arm({**BROKEN["strangers"], "endpoint": endpoint, "times": 1})
    sessions = of_datasets(clean_season, "sessions")
    result = assert_lawful(bench, sessions, words=ingesting(datasets=["sessions"]))
    assert result.status in (0, 1)


def test_meetings_missing_once(bench: Bench, clean_season: Content) -> None:
    """A wrong "No results" in place of the meetings names no session for good."""
    bench.arm({"kind": "empty", "endpoint": "meetings", "times": 1})
    sessions = of_datasets(clean_season, "sessions")
    result = assert_lawful(bench, sessions, words=ingesting(datasets=["sessions"]))
    assert (result.status, result.asked) == (0, 2 + 1)


@pytest.mark.parametrize("endpoint", ["sessions", "meetings"])
def test_a_calendar_of_strangers_for_good(bench: Bench, clean: Content, endpoint: str) -> None:
    """It is an error of the API, with status 1, and not a season that does not exist."""
    bench.arm({**BROKEN["strangers"], "endpoint": endpoint})
    result = assert_lawful(bench, clean)
    assert (result.status, result.calls) == (1, 5 + (endpoint == "meetings"))


def test_limited_for_good(bench: Bench, clean: Content) -> None:
    """A 429 that never ends is waited out once, not once more for each dataset."""
    bench.arm({**BROKEN["429"], "after": 3})
    result = assert_lawful(bench, clean, heal=300)
    assert result.status == 1
    assert result.errors == {"Unavailable": 6, "CircuitOpen": 12}
    assert result.asked == 3 + 11


@pytest.mark.parametrize("kind", ["503", "refused", "reset before", "HTML 200"])
def test_an_outage_opens_the_breaker(bench: Bench, clean: Content, kind: str) -> None:
    """After five failed questions the rest is not asked at all: < 40 calls for three datasets."""
    fault = BROKEN.get(kind, {"kind": "refused", "seconds": 3600})
    bench.arm({**fault, "after": 3})
    result = assert_lawful(bench, clean, heal=3600)
    assert result.status == 1
    assert {dataset for dataset, _ in result.failed} == {"results", "laps", "stints", "pit_stops"}
    assert result.errors["CircuitOpen"] > 12
    assert result.asked < 40
    assert set(result.by_endpoint) == {"sessions", "meetings", "drivers", "session_result"}


def test_an_open_breaker_spares_the_api(bench: Bench, clean: Content) -> None:
    """While it is open the same process asks nothing; after its pause one call closes it again."""
    bench.arm({"kind": "status", "status": 503, "after": 2})
    first = bench.ingest()
    assert (first.status, first.errors["CircuitOpen"]) == (1, 20)
    bench.arm()  # the API is well again, and left alone all the same
    bench.keeps_client = True
    for _ in range(3):
        spared = bench.ingest()
        assert (spared.status, spared.calls, spared.asked) == (1, 0, 0)
        assert "is not asked for another" in spared.err + str(spared.output)
    bench.time.sleep(300)
    assert assert_lawful(bench, clean).status == 0


@pytest.mark.parametrize(
    ("kind", "most"),
    [("503", 12 + 8), ("truncated", 12 + 8), ("strangers", 8), ("422", 8)],
)
def test_one_poisonous_session(bench: Bench, clean: Content, kind: str, most: int) -> None:
    """The laps of one session fail alone; all the others of its batch are stored."""
    bench.arm({**BROKEN[kind], "endpoint": "laps", "session_key": SILVERSTONE})
    result = assert_lawful(bench, clean)
    assert result.failed == {("laps", "2023/british/race")}
    assert result.asked <= 7 + most


def test_a_session_poisonous_everywhere(bench: Bench, clean: Content) -> None:
    """Five datasets of one session fail, 25 partitions are stored, and the breaker stays closed."""
    bench.arm({"kind": "status", "session_key": SILVERSTONE})
    result = assert_lawful(bench, clean)
    assert {partition for _, partition in result.failed} == {"2023/british/race"}
    assert result.errors == {"Unavailable": 5}
    assert result.asked <= 80


def test_a_cut_no_results(bench: Bench, clean: Content) -> None:
    """A 404 whose body is cut in the middle is asked for again, like any other broken answer."""
    bench.arm(
        {"kind": "too_much", "sessions_above": 1, "endpoint": "pit"},
        {"kind": "truncated_json", "endpoint": "pit", "session_key": BAHRAIN, "times": 1},
    )
    result = assert_lawful(bench, clean)
    assert (result.status, result.hits["truncated_json"]) == (0, 1)


def test_a_stalled_endpoint(make_bench: Callable[..., Bench], clean: Content) -> None:
    """Silence on every call is borne twice for a batch and once for its parts."""
    bench = make_bench()
    bench.read_timeout = 0.5
    bench.arm({"kind": "stall", "seconds": None, "endpoint": "pit"})
    result = assert_lawful(bench, clean)
    assert {dataset for dataset, _ in result.failed} == {"pit_stops"}
    assert result.output["api"]["by_status"]["timed out"] <= 12
