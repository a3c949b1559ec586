"""Faults that pass by themselves: the season is stored whole, at the price of repeated calls."""

from typing import Any

import pytest

from .bench import Bench
from .laws import Content, assert_lawful, assert_within_limits

pytestmark = pytest.mark.slow

CLEAN_CALLS = 7
KINDS: dict[str, dict[str, Any]] = {
    "500 HTML": {"kind": "status", "status": 500},
    "502 HTML": {"kind": "status", "status": 502},
    "503 plain text": {"kind": "status", "status": 503},
    "504 plain text": {"kind": "status", "status": 504},
    "reset before": {"kind": "reset_before"},
    "reset midway": {"kind": "reset_midway"},
    "truncated": {"kind": "truncated_json"},
    "HTML 200": {"kind": "html_200"},
    "an object": {"kind": "wrong_json"},
    "numbers": {"kind": "wrong_json", "body": "[1, 2]"},
    "null": {"kind": "wrong_json", "body": "null"},
    "429": {"kind": "rate_limited"},
    "429 at once": {"kind": "rate_limited", "retry_after": "0"},
    "429 seconds": {"kind": "rate_limited", "retry_after": "7"},
    "429 date": {"kind": "rate_limited", "retry_after": "date+7"},
    "refused": {"kind": "refused", "seconds": 0.4},
}


@pytest.mark.parametrize("kind", KINDS)
def test_once(bench: Bench, clean: Content, kind: str) -> None:
    """One bad answer costs one more call; the kinds take turns at the calls of a season."""
    after = list(KINDS).index(kind) % CLEAN_CALLS
    bench.arm({**KINDS[kind], "after": after, "times": 1})
    result = assert_lawful(bench, clean)
    assert result.status == 0
    assert result.asked == CLEAN_CALLS + 1
    assert sum(result.hits.values()) == 1
    assert_within_limits(bench)


@pytest.mark.parametrize(
    "kind", ["503 plain text", "reset midway", "truncated", "null", "429 date", "refused"]
)
def test_two_of_five(bench: Bench, clean: Content, kind: str) -> None:
    """With two calls of five failing all is stored all the same, for up to 2.5 times the calls."""
    bench.arm({**KINDS[kind], "share": 0.4, "seed": 1})
    result = assert_lawful(bench, clean)
    assert result.status == 0
    assert CLEAN_CALLS < result.asked <= 2.5 * CLEAN_CALLS
    assert result.output["api"]["retries"] == result.asked - CLEAN_CALLS
    assert_within_limits(bench)


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [(None, 40, 44), ("0", 40, 44), ("7", 7, 11), ("date+7", 7, 12), ("99999", 120, 124)],
)
def test_a_429_is_waited_out(
    bench: Bench, clean: Content, header: str | None, least: float, most: float
) -> None:
    """Until the time it names, two minutes at most; without one or with 0 to the next minute."""
    bench.arm({"kind": "rate_limited", "retry_after": header, "after": 3, "times": 1})
    result = assert_lawful(bench, clean)
    assert result.status == 0
    assert least <= result.seconds <= most


def test_slow_answers(bench: Bench, clean: Content) -> None:
    """Answers that take half a minute each are waited for, not asked for again."""
    bench.arm({"kind": "slow", "seconds": 30})
    result = assert_lawful(bench, clean)
    assert (result.status, result.asked) == (0, CLEAN_CALLS)
    assert result.seconds >= 7 * 30


def test_a_stalled_answer(bench: Bench, clean: Content) -> None:
    """Silence in the middle of an answer ends with the read timeout and costs one more call."""
    bench.read_timeout = 1.0
    bench.arm({"kind": "stall", "seconds": None, "endpoint": "stints", "times": 1})
    result = assert_lawful(bench, clean)
    assert (result.status, result.asked) == (0, CLEAN_CALLS + 1)
    assert result.output["api"]["by_status"] == {"200": CLEAN_CALLS, "timed out": 1}


def test_refused_for_a_while(bench: Bench, clean: Content) -> None:
    """A port that is closed for some seconds is tried until it opens."""
    bench.arm({"kind": "refused", "after": 4, "times": 1, "seconds": 5})
    result = assert_lawful(bench, clean)
    assert (result.status, result.calls) == (0, CLEAN_CALLS + 1)
    assert CLEAN_CALLS + 2 <= result.asked <= CLEAN_CALLS + 5
    assert result.output["api"]["by_status"]["200"] == CLEAN_CALLS


@pytest.mark.parametrize(
    ("share", "seed"), [(0.05, 3), *((share, seed) for share in (0.2, 0.4) for seed in (1, 3, 7))]
)
def test_a_mix(bench: Bench, clean: Content, share: float, seed: int) -> None:
    """Every kind at random at 5, 20 and 40 %: bounded calls, and the law holds."""
    bench.read_timeout = 1.0
    bench.arm({"kind": "mix", "share": share, "seed": seed, "seconds": 3})
    result = assert_lawful(bench, clean)
    assert result.asked <= (2.5 if share < 0.4 else 4) * CLEAN_CALLS
    assert_within_limits(bench)
