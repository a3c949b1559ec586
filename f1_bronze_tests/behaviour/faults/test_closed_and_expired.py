"""The API closed for a live session, and tokens that do not last."""

from collections.abc import Callable
from typing import Any

import pytest

from f1_bronze.openf1.http import Credentials
from f1_bronze.simulator.behaviour import PaidLogin

from .bench import Bench
from .laws import CLOSED, Content, assert_lawful

pytestmark = pytest.mark.slow

MakeBench = Callable[..., Bench]
LOGIN = {"username": "ada", "password": "lovelace"}


@pytest.fixture
def paying(make_bench: MakeBench) -> Callable[..., Bench]:
    """A bench with a login."""

    def make(**behaviour: Any) -> Bench:
        bench = make_bench(credentials=PaidLogin(**LOGIN), **behaviour)
        bench.credentials = Credentials(**LOGIN)
        return bench

    return make


@pytest.mark.parametrize(
    ("fault", "closed", "calls"),
    [
        ({"after": 3}, {"results", "laps", "stints", "pit_stops"}, 7),
        ({"after": 3, "times": 2}, {"results", "laps"}, 7),
        ({"after": 4, "for_seconds": 1800}, {"laps", "stints", "pit_stops"}, 7),
        ({"endpoint": "pit"}, {"pit_stops"}, 7),
    ],
    ids=["for good", "after n calls", "after n seconds", "one endpoint"],
)
def test_closed_in_mid_season(
    bench: Bench, clean: Content, fault: dict[str, Any], closed: set[str], calls: int
) -> None:
    """No call is repeated; what is closed is reported with status 3, and is stored later."""
    bench.arm({"kind": "live", **fault})
    result = assert_lawful(bench, clean)
    assert result.status == CLOSED
    assert {dataset for dataset, _ in result.failed} == closed
    assert set(result.errors) == {"ClosedForLiveSession"}
    assert result.calls <= calls
    assert result.output["api"]["retries"] == 0


def test_closed_from_the_start(bench: Bench, clean: Content) -> None:
    """One call, status 3, and a sentence that says when to come back."""
    bench.arm({"kind": "live"})
    result = assert_lawful(bench, clean)
    assert (result.status, result.calls) == (CLOSED, 1)
    assert "come back in 30 to 180 minutes" in result.err


def test_it_opens_again_by_itself(bench: Bench, clean: Content) -> None:
    """The same fault, still armed, is over after its time: a second run completes the season."""
    bench.arm({"kind": "live", "after": 3, "for_seconds": 1800})
    assert bench.ingest().status == CLOSED
    assert bench.ingest().status == CLOSED
    bench.time.sleep(1800)
    assert assert_lawful(bench, clean).status == 0


def test_never_closed_to_those_who_pay(paying: MakeBench, clean: Content) -> None:
    """With credentials a live session costs a login and nothing else."""
    bench = paying(live=True)
    result = assert_lawful(bench, clean)
    assert (result.status, result.calls) == (0, 8)
    assert result.by_status == {"200": 8}


@pytest.mark.parametrize(
    ("fault", "calls"),
    [({"after": 3, "times": 1}, 10), ({"share": 0.4}, 14)],
    ids=["once", "two of five"],
)
def test_tokens_expire_in_mid_season(
    paying: MakeBench, clean: Content, fault: dict[str, Any], calls: int
) -> None:
    """Each expiry costs a login and the call again, and no partition."""
    bench = paying()
    bench.arm({"kind": "token_expiry", **fault})
    result = assert_lawful(bench, clean)
    assert result.status == 0
    assert result.hits["token_expiry"] >= 1
    assert result.calls == 8 + 2 * result.hits["token_expiry"] <= calls


def test_a_short_life(paying: MakeBench, clean: Content) -> None:
    """Tokens that live for a second are renewed as often as needed."""
    result = assert_lawful(paying(token_seconds=1), clean)
    assert result.status == 0
    assert result.calls <= 3 * 7


def test_tokens_that_never_hold(paying: MakeBench, clean: Content) -> None:
    """A token is renewed once for a request, then that is reported; no call repeats for ever."""
    bench = paying()
    bench.arm({"kind": "token_expiry", "after": 3})
    result = assert_lawful(bench, clean)
    assert result.status == 1
    assert set(result.errors) == {"Refused"}
    assert result.calls <= 20


@pytest.mark.parametrize("kind", ["status", "reset_before", "rate_limited", "truncated_json"])
def test_a_login_that_fails_for_a_moment(paying: MakeBench, clean: Content, kind: str) -> None:
    """The login is repeated like any other call."""
    bench = paying()
    bench.arm({"kind": kind, "endpoint": "token", "times": 2})
    result = assert_lawful(bench, clean)
    assert (result.status, result.calls) == (0, 8 + 2)
