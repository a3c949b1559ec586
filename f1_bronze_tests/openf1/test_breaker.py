"""The circuit breaker: when it opens, and how it closes again."""

import pytest

from f1_bronze.openf1.answers import CircuitOpen
from f1_bronze.openf1.breaker import Breaker

from .fakes import FakeTime


def fail(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        breaker.check("laps")
        breaker.failed("laps")


def test_opens_after_failures_in_a_row_only() -> None:
    """Four failures, a success and four failures leave it closed; the fifth in a row opens it."""
    time = FakeTime()
    breaker = Breaker(clock=time.clock)
    fail(breaker, 4)
    breaker.succeeded("laps")
    fail(breaker, 4)
    breaker.check("laps")
    breaker.failed("laps")
    with pytest.raises(CircuitOpen, match="failed 5 times in a row for laps") as raised:
        breaker.check("laps")
    assert raised.value.seconds == 300.0


def test_one_trial_after_the_pause() -> None:
    """After the pause one call may go and no second; its success closes the circuit."""
    time = FakeTime()
    breaker = Breaker(failures=2, pause=10.0, clock=time.clock)
    fail(breaker, 2)
    time.now += 10.0
    breaker.check("laps")
    with pytest.raises(CircuitOpen):
        breaker.check("laps")
    breaker.succeeded("laps")
    breaker.check("laps")
    breaker.check("laps")


def test_a_failed_trial_opens_it_for_another_pause() -> None:
    """A trial that fails costs another pause; one that was interrupted leaves its place free."""
    time = FakeTime()
    breaker = Breaker(failures=2, pause=10.0, clock=time.clock)
    fail(breaker, 2)
    time.now += 10.0
    breaker.check("laps")
    breaker.failed("laps")
    with pytest.raises(CircuitOpen) as raised:
        breaker.check("laps")
    assert raised.value.seconds == 10.0
    time.now += 10.0
    breaker.check("laps")
    breaker.inconclusive("laps")
    breaker.check("laps")


def test_nonsense_settings_are_refused() -> None:
    """A breaker that opens after no failure is a mistake."""
    with pytest.raises(ValueError, match="1 or more failures"):
        Breaker(failures=0)


def test_an_endpoint_has_a_circuit_of_its_own() -> None:
    """While laps are left alone stints may be asked, and the API is in doubt until they answer."""
    breaker = Breaker(failures=2, clock=FakeTime().clock)
    fail(breaker, 2)
    assert breaker.suspect == "laps"
    breaker.check("stints")
    breaker.succeeded("stints")
    assert breaker.suspect is None
    with pytest.raises(CircuitOpen, match="for laps"):
        breaker.check("laps")
    breaker.check("stints")


def test_the_circuit_of_the_whole_api() -> None:
    """Once it is open no endpoint may be asked; one trial after the pause, and a success, end it;
    an endpoint that is still left alone takes the trial from no other."""
    time = FakeTime()
    breaker = Breaker(failures=2, pause=10.0, clock=time.clock)
    assert breaker.open_all("OpenF1 is gone").seconds == 10.0
    for endpoint in ("laps", "stints"):
        with pytest.raises(CircuitOpen, match=r"^OpenF1 is gone and is not asked for another 10 s"):
            breaker.check(endpoint)
    time.now += 5.0
    breaker.failed("laps")
    breaker.failed("laps")
    time.now += 5.0
    with pytest.raises(CircuitOpen, match="for laps"):
        breaker.check("laps")
    breaker.check("stints")
    with pytest.raises(CircuitOpen, match="gone"):
        breaker.check("pit")
    breaker.failed("stints")
    with pytest.raises(CircuitOpen, match="gone and is not asked for another 10 s"):
        breaker.check("pit")
    time.now += 10.0
    breaker.check("pit")
    breaker.succeeded("pit")
    breaker.check("stints")


def test_three_endpoints_left_alone_are_an_outage() -> None:
    """Two that fail keep no other from being asked, a third one does; but not one long ago."""
    time = FakeTime()
    breaker = Breaker(failures=1, pause=10.0, clock=time.clock)
    for endpoint, later in (("drivers", 10.0), ("laps", 0.0), ("pit", 0.0)):
        breaker.check(endpoint)
        breaker.failed(endpoint)
        time.now += later
    breaker.check("stints")
    breaker.failed("stints")
    with pytest.raises(CircuitOpen, match="over and over for laps, pit, stints and is not asked"):
        breaker.check("sessions")
