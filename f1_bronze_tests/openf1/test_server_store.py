"""The ledger on a server: its time, its absences, and its errors. No real server here."""

import os
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f1_bronze.openf1.budget import CallBudget, parse_limits
from f1_bronze.openf1.budget_stores import RateStoreError
from f1_bronze.openf1.postgresql_store import ServerClock, ServerError, ServerStore, remove_password

from .fakes import FakeTime

AWAY = ServerError("connection refused", passing=True)
DENIED = ServerError("permission denied", passing=False)


class FakeServer:
    """A server in memory whose clock is ahead of ours, with faults in the order given."""

    place = "Nowhere at host:1"

    def __init__(self, time: FakeTime, *, ahead: float = 5000.0) -> None:
        self.clock = time
        self.ahead = ahead
        self.text: bytes | None = None
        self.faults: list[BaseException | None] = []
        self.dropped = 0

    def _maybe_fail(self) -> None:
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            raise fault

    def time(self) -> float:
        self._maybe_fail()
        return self.clock.now + self.ahead

    def load(self) -> bytes | None:
        self._maybe_fail()
        return self.text

    def swap(self, renew: Callable[[bytes | None], bytes]) -> None:
        self.text = renew(self.text)
        self._maybe_fail()  # after the fact: the answer is lost

    def drop(self) -> None:
        self.dropped += 1


def make_store(server: FakeServer, time: FakeTime) -> ServerStore:
    return ServerStore(server, patience=20.0, clock=time.clock, sleep=time.sleep)


def test_times_are_the_servers() -> None:
    """Two machines whose clocks differ by an hour reserve in the time of the server."""
    here, there = FakeTime(now=10_000.0), FakeTime(now=13_600.0)
    server = FakeServer(here)
    budget = CallBudget(parse_limits("1/10s"), make_store(server, here), sleep=here.sleep)
    assert budget.now() == 15_000.0
    assert budget.wait() == 0.0
    server.clock, server.ahead = there, 5000.0 - 3600.0
    other = CallBudget(parse_limits("1/10s"), make_store(server, there), sleep=there.sleep)
    assert other.estimate(1) == pytest.approx(10.25)
    assert other.reserve() == pytest.approx(15_010.25)


def test_a_server_that_was_never_reached_is_wrong_in_the_setting() -> None:
    """The first exchange is not repeated; the error names place, reason and remedy."""
    time = FakeTime()
    server = FakeServer(time)
    server.faults = [AWAY]
    with pytest.raises(RateStoreError) as raised:
        make_store(server, time).change(lambda text: b"{}")
    assert str(raised.value) == (
        "The call budget cannot be kept in Nowhere at host:1 (connection refused); check that the "
        "server runs and that F1_BRONZE_RATE_STORE names it with a user who may use it, or set it "
        "to file (one machine)."
    )
    assert (time.slept, server.dropped) == ([], 1)


def test_a_server_that_is_away_for_a_while_is_waited_for() -> None:
    """A restart is survived, each time on a new connection; twenty seconds are enough."""
    time = FakeTime()
    server = FakeServer(time)
    store = make_store(server, time)
    store.read()
    server.faults = [AWAY, AWAY, AWAY]
    store.change(lambda text: b"[1]")
    assert server.text == b"[1]"
    assert time.slept == pytest.approx([0.1, 0.2, 0.4])
    assert server.dropped == 3
    began = time.now
    server.faults = [AWAY] * 1000
    with pytest.raises(RateStoreError, match="connection refused"):
        store.read()
    assert 17.0 < time.now - began <= 20.0


def test_what_does_not_pass_is_an_error_at_once() -> None:
    """A right that was taken away is not asked for again and again."""
    time = FakeTime()
    server = FakeServer(time)
    store = make_store(server, time)
    store.read()
    server.faults = [DENIED]
    with pytest.raises(RateStoreError, match="permission denied"):
        store.read()
    assert time.slept == []


def test_a_change_whose_answer_was_lost_is_made_again() -> None:
    """Then a call too many is reserved: the budget is never exceeded."""
    time = FakeTime()
    server = FakeServer(time)
    budget = CallBudget(parse_limits("5/10s"), make_store(server, time), sleep=time.sleep)
    budget.reserve()
    server.faults = [None, AWAY]  # the time arrives, the answer to the change is lost
    budget.reserve()
    assert budget.remaining() == 2


@pytest.mark.parametrize("text", [b"", b"{", b"\xff"])
def test_a_damaged_text_is_a_full_window(text: bytes) -> None:
    """As in a file: the next call waits for the longest window, then all is well."""
    time = FakeTime()
    server = FakeServer(time)
    server.text = text
    budget = CallBudget(parse_limits("3/1s,30/60s"), make_store(server, time), sleep=time.sleep)
    assert budget.wait() == pytest.approx(60.25)
    assert budget.remaining() == 2


def test_a_text_that_vanished_is_a_full_window() -> None:
    """A server that forgets all at a restart does not free the calls made before it."""
    time = FakeTime()
    server = FakeServer(time)
    budget = CallBudget(parse_limits("3/1s,30/60s"), make_store(server, time), sleep=time.sleep)
    assert budget.wait() == 0.0
    server.text = None
    assert budget.wait() == pytest.approx(60.25)


def test_an_interrupted_exchange_is_not_used_again() -> None:
    """Ctrl-C amid an exchange goes through, and the connection is dropped."""
    time = FakeTime()
    server = FakeServer(time)
    server.faults = [KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        make_store(server, time).read()
    assert server.dropped == 1


def test_a_forked_process_makes_its_own_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection of the parent is not shared, and no lock of it is waited for."""
    time = FakeTime()
    server = FakeServer(time)
    store = make_store(server, time)
    store.read()
    store._lock.acquire()  # held by another thread of the parent, for ever
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert store.read() is None
    assert server.dropped == 1


def test_no_password_is_ever_shown() -> None:
    """However a client writes it, plain or as in an address; and the rest stays readable."""
    secret = "p@ss/word"
    for written in (secret, quote(secret, safe="")):
        error = ValueError(f"cannot ask postgresql://:{written}@host.\nsecond line")
        assert remove_password(error, secret) == "cannot ask postgresql://:…@host"
    assert remove_password(ValueError(), "") == "ValueError"
    assert repr(make_store(FakeServer(FakeTime()), FakeTime())) == "ServerStore(Nowhere at host:1)"


@given(
    ahead=st.floats(-1e6, 1e6),
    exchanges=st.lists(
        st.tuples(st.floats(0, 30), st.floats(0, 2), st.floats(0, 2)), min_size=1, max_size=20
    ),
)
def test_the_error_is_half_the_best_round_trip(
    ahead: float, exchanges: list[tuple[float, float, float]]
) -> None:
    """However lopsided the way there and back is, the best exchange bounds the error."""
    time = FakeTime(now=1000.0)
    clock = ServerClock(time.clock)
    trips = []
    for gap, there, back in exchanges:
        time.now += gap
        sent = time.now
        clock.note(sent + there + ahead, sent=sent, received=sent + there + back)
        time.now = sent + there + back
        trips.append((there + back, time.now))
        most = min(trip / 2 + 1e-4 * (time.now - at) for trip, at in trips)
        assert abs(clock.now() - (time.now + ahead)) <= most + 1e-6


def test_time_goes_on_between_exchanges() -> None:
    """Our own clock carries on where the server's was left."""
    time = FakeTime(now=5.0)
    clock = ServerClock(time.clock)
    assert not clock.known
    with pytest.raises(ValueError, match="ask it first"):
        clock.now()
    clock.note(1000.5, sent=4.0, received=5.0)
    time.now += 7.0
    assert clock.known
    assert clock.now() == 1008.0


def test_a_clock_that_was_set_is_believed_at_once() -> None:
    """What contradicts all that was known before takes its place, forwards and backwards."""
    time = FakeTime(now=0.0)
    clock = ServerClock(time.clock)
    for jumped in (100.0, 4000.0, 50.0):
        clock.note(jumped + time.now, sent=time.now, received=time.now)
        assert clock.now() == pytest.approx(jumped + time.now)
        time.now += 10.0
