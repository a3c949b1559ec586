"""A server's time, known within half a round trip whatever the network does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f1_bronze.openf1.budget_stores import ServerClock

from .fakes import FakeTime


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
        clock.heard(sent + there + ahead, sent=sent, received=sent + there + back)
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
    clock.heard(1000.5, sent=4.0, received=5.0)
    time.now += 7.0
    assert clock.known
    assert clock.now() == 1008.0


def test_a_clock_that_was_set_is_believed_at_once() -> None:
    """What contradicts all that was known before takes its place, forwards and backwards."""
    time = FakeTime(now=0.0)
    clock = ServerClock(time.clock)
    for jumped in (100.0, 4000.0, 50.0):
        clock.heard(jumped + time.now, sent=time.now, received=time.now)
        assert clock.now() == pytest.approx(jumped + time.now)
        time.now += 10.0
