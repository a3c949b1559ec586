"""The circuit breaker: when it opens, and how it closes again."""

import pytest

from f1_bronze.openf1.breaker import Breaker
from f1_bronze.openf1.outcomes import CircuitOpen

from .fakes import FakeTime


def fail(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        breaker.check()
        breaker.failed()


def test_opens_after_failures_in_a_row_only() -> None:
    """Four failures, a success and four failures leave it closed; the fifth in a row opens it."""
    time = FakeTime()
    breaker = Breaker(clock=time.clock)
    fail(breaker, 4)
    breaker.succeeded()
    fail(breaker, 4)
    breaker.check()
    breaker.failed()
    with pytest.raises(CircuitOpen, match="failed 5 times in a row") as raised:
        breaker.check()
    assert raised.value.seconds == 300.0


def test_one_trial_after_the_pause() -> None:
    """After the pause one call may go and no second; its success closes the circuit."""
    time = FakeTime()
    breaker = Breaker(failures=2, pause=10.0, clock=time.clock)
    fail(breaker, 2)
    time.now += 10.0
    breaker.check()
    with pytest.raises(CircuitOpen):
        breaker.check()
    breaker.succeeded()
    breaker.check()
    breaker.check()


def test_a_failed_trial_opens_it_for_another_pause() -> None:
    """A trial that fails costs another pause; one that was interrupted leaves its place free."""
    time = FakeTime()
    breaker = Breaker(failures=2, pause=10.0, clock=time.clock)
    fail(breaker, 2)
    time.now += 10.0
    breaker.check()
    breaker.failed()
    with pytest.raises(CircuitOpen) as raised:
        breaker.check()
    assert raised.value.seconds == 10.0
    time.now += 10.0
    breaker.check()
    breaker.inconclusive()
    breaker.check()


def test_nonsense_settings_are_refused() -> None:
    """A breaker that opens after no failure is a mistake."""
    with pytest.raises(ValueError, match="1 or more failures"):
        Breaker(failures=0)
