"""The pace: never more than n calls in any rolling window, whoever asks."""

import logging
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f1_bronze.openf1.answers import BudgetTaken
from f1_bronze.openf1.budget import (
    Limit,
    MemoryStore,
    Pace,
    PaceSettingError,
    parse_limits,
    rate_store,
)
from f1_bronze.openf1.budget_stores import Ledger

from .fakes import FakeTime

FREE = parse_limits("3/1s,30/60s")
EPSILON = 1e-6  # times near 2e9 are floats with 2e-7 between neighbours


def exceeded(times: list[float], limit: Limit) -> list[float]:
    """Moments at which a window begins that holds more calls than the limit allows."""
    ordered = sorted(times)
    later = ordered[limit.calls :]
    return [
        first
        for first, next_one in zip(ordered, later, strict=False)
        if next_one - first < limit.seconds - EPSILON
    ]


def test_limits_are_read() -> None:
    """The default setting is the two limits of the free tier; spaces and fractions are fine."""
    free = parse_limits("3/1s,30/60s")
    assert free == (Limit(calls=3, seconds=1.0), Limit(calls=30, seconds=60.0))
    assert parse_limits(" 5 / 0.2s ") == (Limit(calls=5, seconds=0.2),)


@pytest.mark.parametrize(
    "text", ["", "3", "3/1", "3/s", "0/1s", "3/0s", "-3/1s", "3/1s,", "3/9999s"]
)
def test_nonsense_limits_are_refused_with_an_example(text: str) -> None:
    """A setting that is no limit is an error that shows how one is written."""
    with pytest.raises(PaceSettingError, match="for example 3/1s"):
        parse_limits(text)


@given(
    steps=st.lists(
        st.tuples(st.floats(0, 5), st.integers(0, 2), st.integers(1, 6)), min_size=1, max_size=25
    )
)
def test_no_rolling_window_holds_more_than_its_limit(
    steps: list[tuple[float, int, int]],
) -> None:
    """Whenever and through whichever of three paces calls come, every window keeps the limits."""
    time, store = FakeTime(), MemoryStore()
    paces = [Pace(FREE, store, time.clock, time.sleep) for _ in range(3)]
    slots = []
    for gap, who, calls in steps:
        time.now += gap
        for _ in range(calls):
            slot = paces[who].reserve()
            assert slot >= time.now
            slots.append(slot)
    assert [exceeded(slots, limit) for limit in FREE] == [[], []]
    assert all(earlier <= later for earlier, later in pairwise(slots))


@given(
    steps=st.lists(
        st.tuples(st.floats(0, 5), st.sampled_from(["call", "give back", "exchange", "back off"])),
        min_size=1,
        max_size=60,
    )
)
def test_no_window_is_overfull_whatever_is_given_back(steps: list[tuple[float, str]]) -> None:
    """Moments given back or exchanged before they came, and back-offs, never make room for more."""
    time, store = FakeTime(), MemoryStore()
    pace = Pace(FREE, store, time.clock, time.sleep)
    slots: list[float] = []
    for gap, action in steps:
        time.now += gap
        ahead = [slot for slot in slots if slot > time.now]
        if action == "back off":
            pace.back_off(time.now + 2.0)
        elif action == "call" or not ahead:
            slots.append(pace.reserve())
        else:
            slots.remove(ahead[0])
            if action == "give back":
                pace.give_back(ahead[0])
            else:
                slots.append(pace.reserve(instead_of=ahead[0]))
    assert [exceeded(slots, limit) for limit in FREE] == [[], []]


def test_a_moment_given_back_goes_to_the_next_who_asks() -> None:
    """A call that is not made after all is not lost to the others, nor does it cost a place."""
    time, store = FakeTime(), MemoryStore()
    pace = Pace(parse_limits("1/10s"), store, time.clock, time.sleep)
    slots = [pace.reserve() for _ in range(4)]
    pace.give_back(slots[1])
    assert pace.estimate(1) == pytest.approx(10.25)
    assert pace.reserve() == slots[1]
    assert pace.reserve() == pytest.approx(slots[3] + 10.25)


@given(gaps=st.lists(st.floats(0, 3), min_size=1, max_size=70))
def test_calls_that_wait_go_as_soon_as_they_may(gaps: list[float]) -> None:
    """One caller who waits its turn never exceeds a limit, and never waits without need."""
    time = FakeTime()
    pace = Pace(FREE, MemoryStore(), time.clock, time.sleep)
    times: list[float] = []
    for gap in gaps:
        time.now += gap
        arrived = time.now
        pace.wait()
        earliest = max(
            [arrived] + [times[-n.calls] + n.seconds + 0.25 for n in FREE if len(times) >= n.calls]
        )
        assert time.now == pytest.approx(earliest, abs=EPSILON)
        times.append(time.now)
    assert [exceeded(times, limit) for limit in FREE] == [[], []]


def test_a_full_budget_takes_the_minutes_it_must() -> None:
    """Of 61 calls the 31st goes after a minute, the 61st after two, each with its margin."""
    time = FakeTime()
    start = time.now
    pace = Pace(FREE, MemoryStore(), time.clock, time.sleep)
    times = []
    for _ in range(61):
        pace.wait()
        times.append(time.now - start)
    assert times[2] == 0.0
    assert [times[3], times[30], times[60]] == pytest.approx([1.25, 60.25, 120.5], abs=1e-4)


def test_estimate_foretells_the_wait_and_reserves_nothing() -> None:
    """The time foretold for more calls is the time they take; asking changes nothing."""
    time = FakeTime()
    pace = Pace(FREE, MemoryStore(), time.clock, time.sleep)
    for _ in range(7):
        pace.wait()
    assert pace.estimate(0) == 0.0
    foretold = pace.estimate(100)
    assert pace.estimate(100) == foretold
    start = time.now
    for _ in range(100):
        pace.wait()
    assert time.now - start == pytest.approx(foretold, abs=1e-4)


def test_remaining_counts_the_calls_that_need_no_wait() -> None:
    """Three calls are free at first, none after them, three again after the window."""
    time = FakeTime()
    pace = Pace(FREE, MemoryStore(), time.clock, time.sleep)
    counts = [pace.remaining()]
    for _ in range(3):
        pace.wait()
    counts.append(pace.remaining())
    time.now += 1.26
    counts.append(pace.remaining())
    assert counts == [3, 0, 3]
    assert Pace(parse_limits("2/1s"), MemoryStore(), time.clock, time.sleep).remaining() == 2


def test_back_off_holds_everybody_up() -> None:
    """After a 429 seen by one, another one waits too, and for an hour at the longest."""
    time, store = FakeTime(), MemoryStore()
    one, other = (Pace(FREE, store, time.clock, time.sleep) for _ in range(2))
    one.back_off(time.now + 40.0)
    one.back_off(time.now + 10.0)
    assert other.wait() == pytest.approx(40.0)
    one.back_off(time.now + 1e9)
    assert other.estimate(1) == pytest.approx(3600.0)


def test_a_back_off_reaches_those_who_sleep_already() -> None:
    """A caller who wakes up into a back-off waits on, and its unused moment is given back."""
    time, store = FakeTime(), MemoryStore()
    other = Pace(FREE, store, time.clock, time.sleep)

    def sleep(seconds: float) -> None:
        if not time.slept:
            other.back_off(time.now + 30.0)
        time.sleep(seconds)

    pace = Pace(FREE, store, time.clock, sleep)
    start = time.now
    for _ in range(4):
        pace.wait()
    assert time.now - start == pytest.approx(30.0, abs=1e-4)
    assert len(store.read().slots) == 4


def test_one_who_wakes_up_late_reserves_again() -> None:
    """A call that overslept its moment would crowd a later window, so it takes another one."""
    time, store = FakeTime(), MemoryStore()

    def oversleep(seconds: float) -> None:
        time.sleep(seconds + (0.5 if len(time.slept) == 0 else 0.0))

    pace = Pace(parse_limits("1/1s"), store, time.clock, oversleep)
    start = time.now
    pace.wait()
    pace.wait()
    assert time.now - start == pytest.approx(1.55, abs=1e-4)
    assert [slot - start for slot in store.read().slots] == pytest.approx([1.55], abs=1e-4)


def test_an_interrupted_wait_gives_its_moment_back() -> None:
    """Ctrl-C during a wait goes through at once and frees the reservation."""
    time, store = FakeTime(), MemoryStore()

    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    pace = Pace(parse_limits("1/60s"), store, time.clock, interrupted)
    pace.wait()
    with pytest.raises(KeyboardInterrupt):
        pace.wait()
    assert len(store.read().slots) == 1


def test_long_waits_are_told(caplog: pytest.LogCaptureFixture) -> None:
    """A wait of more than a second is logged and told to the observer, a shorter one is not."""
    time, told = FakeTime(), []
    limits = parse_limits("1/0.5s,3/12s")
    pace = Pace(limits, MemoryStore(), time.clock, time.sleep, observer=told.append)
    with caplog.at_level(logging.INFO, logger="f1_bronze.openf1"):
        for _ in range(4):
            pace.wait("laps")
    assert told == ["waiting 11 s for the API budget"]
    assert caplog.messages == ["waiting 11 s for the API budget (laps)"]


def test_a_clock_set_back_costs_one_wait_at_most() -> None:
    """When the clock goes back by an hour, calls wait as if no time had passed, not for an hour."""
    time, store = FakeTime(), MemoryStore()
    pace = Pace(parse_limits("1/10s"), store, time.clock, time.sleep)
    pace.wait()
    time.now -= 3600.0
    assert pace.wait() == pytest.approx(10.25, abs=1e-4)


def test_a_damaged_ledger_counts_as_a_full_window() -> None:
    """When nobody knows how many calls went, the next waits for the longest window to pass."""
    time = FakeTime()

    class Damaged(MemoryStore):
        def change(self, step):  # type: ignore[no-untyped-def]  # as its parent
            if not self._ledger.slots:
                self._ledger = step(None)
                return self._ledger
            return super().change(step)

    pace = Pace(FREE, Damaged(), time.clock, time.sleep)
    assert pace.wait() == pytest.approx(60.25, abs=1e-4)
    assert pace.wait() == 0.0


def test_a_ledger_that_cannot_be_true_is_refused() -> None:
    """Times out of order, not finite or absurdly far ahead make no ledger."""
    for wrong in (
        {"slots": (2.0, 1.0)},
        {"slots": (float("nan"),)},
        {"slots": (100_000.0,), "written_at": 1.0},
        {"blocked_until": 10_000.0, "written_at": 1.0},
    ):
        with pytest.raises(ValueError, match="ledger"):
            Ledger(**wrong)  # type: ignore[arg-type]  # one wrong thing at a time


@pytest.mark.parametrize(
    "setting", ["mysql://u:hunter2@host/d", "postgresql:u:hunter2@h/d", "file:", "no"]
)
def test_an_unknown_store_is_refused_by_naming_the_known_ones(setting: str) -> None:
    """A setting that names no store says which there are, and does not repeat a password."""
    with pytest.raises(
        PaceSettingError, match="file, file:/path or memory, to postgresql"
    ) as raised:
        rate_store(setting, "https://api.openf1.org/v1")
    assert "hunter2" not in str(raised.value)


def test_who_has_no_time_does_not_wait() -> None:
    """A wait that would be too long is refused at once, and its moment goes to the next."""
    time, store = FakeTime(), MemoryStore()
    patient = Pace(parse_limits("1/60s"), store, time.clock, time.sleep)
    hurried = Pace(parse_limits("1/60s"), store, time.clock, time.sleep, longest_wait=10.0)
    assert hurried.wait() == 0.0
    with pytest.raises(BudgetTaken, match="for the next 60 s, and 10 s were to spare") as refused:
        hurried.wait()
    assert refused.value.seconds == pytest.approx(60.25)
    assert (time.slept, store.read().slots) == ([], (time.now,))
    time.now += 51
    assert hurried.wait() == pytest.approx(9.25)
    assert patient.wait() == pytest.approx(60.25)
