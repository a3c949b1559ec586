"""The call budget: never more than n calls in any rolling window, whichever process asks."""

import logging
import signal
import subprocess
import sys
import time as real_time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f1_bronze.openf1.answers import BudgetTaken
from f1_bronze.openf1.budget import (
    CallBudget,
    Ledger,
    Limit,
    add_margins,
    earliest,
    exit_on_sigterm,
    parse_limits,
)
from f1_bronze.openf1.budget_stores import (
    BudgetSettingError,
    FileStore,
    MemoryStore,
    open_rate_store,
)

from .fakes import FakeTime, read_ledger

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
    with pytest.raises(BudgetSettingError, match="for example 3/1s"):
        parse_limits(text)


@given(
    steps=st.lists(
        st.tuples(st.floats(0, 5), st.integers(0, 2), st.integers(1, 6)), min_size=1, max_size=25
    )
)
def test_no_rolling_window_holds_more_than_its_limit(
    steps: list[tuple[float, int, int]],
) -> None:
    """Whenever and through whichever of three budgets calls come, every window keeps the limits."""
    time, store = FakeTime(), MemoryStore()
    budgets = [CallBudget(FREE, store, time.clock, time.sleep) for _ in range(3)]
    slots = []
    for gap, who, calls in steps:
        time.now += gap
        for _ in range(calls):
            slot = budgets[who].reserve()
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
    budget = CallBudget(FREE, store, time.clock, time.sleep)
    slots: list[float] = []
    for gap, action in steps:
        time.now += gap
        ahead = [slot for slot in slots if slot > time.now]
        if action == "back off":
            budget.back_off(time.now + 2.0)
        elif action == "call" or not ahead:
            slots.append(budget.reserve())
        else:
            slots.remove(ahead[0])
            if action == "give back":
                budget.give_back(ahead[0])
            else:
                slots.append(budget.reserve(instead_of=ahead[0]))
    assert [exceeded(slots, limit) for limit in FREE] == [[], []]


def test_a_moment_given_back_goes_to_the_next_who_asks() -> None:
    """A call that is not made after all is not lost to the others, nor does it cost a place."""
    time, store = FakeTime(), MemoryStore()
    budget = CallBudget(parse_limits("1/10s"), store, time.clock, time.sleep)
    slots = [budget.reserve() for _ in range(4)]
    budget.give_back(slots[1])
    assert budget.estimate(1) == pytest.approx(10.25)
    assert budget.reserve() == slots[1]
    assert budget.reserve() == pytest.approx(slots[3] + 10.25)


@given(gaps=st.lists(st.floats(0, 3), min_size=1, max_size=70))
def test_calls_that_wait_go_as_soon_as_they_may(gaps: list[float]) -> None:
    """One caller who waits its turn never exceeds a limit, and never waits without need."""
    time = FakeTime()
    budget = CallBudget(FREE, MemoryStore(), time.clock, time.sleep)
    times: list[float] = []
    for gap in gaps:
        time.now += gap
        arrived = time.now
        budget.wait()
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
    budget = CallBudget(FREE, MemoryStore(), time.clock, time.sleep)
    times = []
    for _ in range(61):
        budget.wait()
        times.append(time.now - start)
    assert times[2] == 0.0
    assert [times[3], times[30], times[60]] == pytest.approx([1.25, 60.25, 120.5], abs=1e-4)


def test_estimate_predicts_the_wait_and_reserves_nothing() -> None:
    """The time predicted for more calls is the time they take; asking changes nothing."""
    time = FakeTime()
    budget = CallBudget(FREE, MemoryStore(), time.clock, time.sleep)
    for _ in range(7):
        budget.wait()
    assert budget.estimate(0) == 0.0
    predicted = budget.estimate(100)
    assert budget.estimate(100) == predicted
    start = time.now
    for _ in range(100):
        budget.wait()
    assert time.now - start == pytest.approx(predicted, abs=1e-4)


def test_remaining_counts_the_calls_that_need_no_wait() -> None:
    """Three calls are free at first, none after them, three again after the window."""
    time = FakeTime()
    budget = CallBudget(FREE, MemoryStore(), time.clock, time.sleep)
    counts = [budget.remaining()]
    for _ in range(3):
        budget.wait()
    counts.append(budget.remaining())
    time.now += 1.26
    counts.append(budget.remaining())
    assert counts == [3, 0, 3]
    assert CallBudget(parse_limits("2/1s"), MemoryStore(), time.clock, time.sleep).remaining() == 2


def test_back_off_holds_everybody_up() -> None:
    """After a 429 seen by one, another one waits too, and for an hour at the longest."""
    time, store = FakeTime(), MemoryStore()
    one, other = (CallBudget(FREE, store, time.clock, time.sleep) for _ in range(2))
    one.back_off(time.now + 40.0)
    one.back_off(time.now + 10.0)
    assert other.wait() == pytest.approx(40.0)
    one.back_off(time.now + 1e9)
    assert other.estimate(1) == pytest.approx(3600.0)


def test_a_back_off_reaches_those_who_sleep_already() -> None:
    """A caller who wakes up into a back-off waits on, and its unused moment is given back."""
    time, store = FakeTime(), MemoryStore()
    other = CallBudget(FREE, store, time.clock, time.sleep)

    def sleep(seconds: float) -> None:
        if not time.slept:
            other.back_off(time.now + 30.0)
        time.sleep(seconds)

    budget = CallBudget(FREE, store, time.clock, sleep)
    start = time.now
    for _ in range(4):
        budget.wait()
    assert time.now - start == pytest.approx(30.0, abs=1e-4)
    assert len(read_ledger(store).slots) == 4


def test_a_caller_that_wakes_up_late_reserves_again() -> None:
    """A call that overslept its moment would crowd a later window, so it takes another one."""
    time, store = FakeTime(), MemoryStore()

    def oversleep(seconds: float) -> None:
        time.sleep(seconds + (0.5 if len(time.slept) == 0 else 0.0))

    budget = CallBudget(parse_limits("1/1s"), store, time.clock, oversleep)
    start = time.now
    budget.wait()
    budget.wait()
    assert time.now - start == pytest.approx(1.55, abs=1e-4)
    assert [slot - start for slot in read_ledger(store).slots] == pytest.approx([1.55], abs=1e-4)


def test_an_interrupted_wait_gives_its_moment_back() -> None:
    """Ctrl-C during a wait goes through at once and frees the reservation."""
    time, store = FakeTime(), MemoryStore()

    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    budget = CallBudget(parse_limits("1/60s"), store, time.clock, interrupted)
    budget.wait()
    with pytest.raises(KeyboardInterrupt):
        budget.wait()
    assert len(read_ledger(store).slots) == 1


def test_long_waits_are_reported(caplog: pytest.LogCaptureFixture) -> None:
    """A wait of more than a second is logged and reported to the observer, a shorter one is not."""
    time, messages = FakeTime(), []
    limits = parse_limits("1/0.5s,3/12s")
    budget = CallBudget(limits, MemoryStore(), time.clock, time.sleep, observer=messages.append)
    with caplog.at_level(logging.INFO, logger="f1_bronze.openf1"):
        for _ in range(4):
            budget.wait("laps")
    assert messages == ["waiting 11 s for the API budget"]
    assert caplog.messages == ["waiting 11 s for the API budget (laps)"]


def test_a_clock_set_back_costs_one_wait_at_most() -> None:
    """When the clock goes back by an hour, calls wait as if no time had passed, not for an hour."""
    time, store = FakeTime(), MemoryStore()
    budget = CallBudget(parse_limits("1/10s"), store, time.clock, time.sleep)
    budget.wait()
    time.now -= 3600.0
    assert budget.wait() == pytest.approx(10.25, abs=1e-4)


def test_a_damaged_ledger_counts_as_a_full_window() -> None:
    """When it is unknown how many calls went, the next waits for the longest window to pass."""
    time = FakeTime()

    store = MemoryStore()
    store.change(lambda text: b"{")
    budget = CallBudget(FREE, store, time.clock, time.sleep)
    assert budget.wait() == pytest.approx(60.25, abs=1e-4)
    assert budget.wait() == 0.0


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
        BudgetSettingError, match="file, file:/path or memory, or to postgresql"
    ) as raised:
        open_rate_store(setting, "https://api.openf1.org/v1")
    assert "hunter2" not in str(raised.value)


def test_a_budget_that_may_not_wait_does_not() -> None:
    """A wait that would be too long is refused at once, and its moment goes to the next."""
    time, store = FakeTime(), MemoryStore()
    patient = CallBudget(parse_limits("1/60s"), store, time.clock, time.sleep)
    hurried = CallBudget(parse_limits("1/60s"), store, time.clock, time.sleep, longest_wait=10.0)
    assert hurried.wait() == 0.0
    with pytest.raises(BudgetTaken, match="for the next 60 s, and at most 10 s can") as refused:
        hurried.wait()
    assert refused.value.seconds == pytest.approx(60.25)
    assert (time.slept, read_ledger(store).slots) == ([], (time.now,))
    time.now += 51
    assert hurried.wait() == pytest.approx(9.25)
    assert patient.wait() == pytest.approx(60.25)


WINDOWS = (Limit(calls=2, seconds=3), Limit(calls=4, seconds=10))
moments = st.integers(0, 60)  # whole seconds: exact, and they meet often


def admitted(slots: list[float]) -> bool:
    """Whether no window is overfull, by counting."""
    return all(
        sum(first <= slot < first + window.seconds for slot in slots) <= window.calls
        for window in WINDOWS
        for first in slots
    )


@given(requests=st.lists(st.tuples(moments, st.booleans()), max_size=30), start=moments)
def test_the_earliest_moment_is_admitted_and_none_before_it_is(
    requests: list[tuple[int, bool]], start: int
) -> None:
    """Against counting second by second, with reservations given back in between."""
    slots: list[float] = []
    for start_at, gives_back in requests:
        slots = sorted([*slots, earliest(slots, start_at, WINDOWS)])
        assert admitted(slots)
        if gives_back:
            slots.pop(len(slots) // 2)
    found = earliest(slots, start, WINDOWS)
    assert admitted([*slots, found])
    assert not any(admitted([*slots, float(t)]) for t in range(start, int(found)))


def test_a_moment_given_back_is_the_next_one_taken() -> None:
    """Who comes next takes the gap and does not queue behind all others."""
    slots: list[float] = []
    for _ in range(6):
        slots.append(earliest(slots, 0.0, WINDOWS))
    assert slots == [0, 0, 3, 3, 10, 10]
    assert earliest([0, 3, 3, 10, 10], 0.0, WINDOWS) == 0.0
    assert earliest([0, 0, 3, 10, 10], 1.0, WINDOWS) == 3.0


@pytest.mark.parametrize(
    ("limits", "seconds"),
    [
        ([(3, 1.0), (30, 60.0)], [1.25, 60.25]),
        ([(6, 1.0), (60, 60.0)], [1.25, 60.25]),
        ([(3, 1.0)], [1.05]),
        ([(3, 1.0), (31, 10.0)], [1.05, 10.25]),
        ([(3, 0.1)], [0.15]),
        ([(100, 3600.0)], [3600.25]),
    ],
)
def test_margins_are_generous_where_they_are_cheap(
    limits: list[tuple[int, float]], seconds: list[float]
) -> None:
    """A quarter of a second where it costs little, a twentieth of the window where it would not."""
    wide = add_margins([Limit(calls=calls, seconds=length) for calls, length in limits])
    assert [window.seconds for window in wide] == pytest.approx(seconds)
    assert [window.calls for window in wide] == [calls for calls, _ in limits]


_WAITING = """
import sys
from f1_bronze.openf1.budget import CallBudget, parse_limits
from f1_bronze.openf1.budget_stores import open_rate_store
budget = CallBudget(parse_limits("1/11.75s"), open_rate_store("file:" + sys.argv[1], "http://x"))
for _ in range(2):
    budget.wait("laps", lambda message: print(message, flush=True))
"""


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, 128 + signal.SIGTERM)]
)
def test_a_waiting_process_ends_at_once_and_gives_its_call_back(
    number: signal.Signals, status: int, tmp_path: Path
) -> None:
    """The wait is reported, cut short by either signal, and costs no other process a call."""
    path = tmp_path / "rate"
    process = subprocess.Popen(
        [sys.executable, "-c", _WAITING, str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    message = process.stdout.readline()
    real_time.sleep(0.1)  # reported before, asleep after
    began = real_time.monotonic()
    process.send_signal(number)
    assert process.wait(10) == status
    assert real_time.monotonic() - began < 2.0
    assert message == "waiting 12 s for the API budget\n"
    assert len(read_ledger(FileStore(path)).slots) == 1
    assert 10.0 < CallBudget(parse_limits("1/11.75s"), FileStore(path)).estimate(1) < 12.0


def test_a_handler_of_sigterm_that_is_there_stays() -> None:
    """A handler of the program, such as Dagster's, is called; ours is gone after the wait."""
    called: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: called.append(number))
    try:
        with exit_on_sigterm():
            signal.raise_signal(signal.SIGTERM)
        assert called == [signal.SIGTERM]
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with pytest.raises(SystemExit) as raised, exit_on_sigterm():
            signal.raise_signal(signal.SIGTERM)
        assert raised.value.code == 143
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)
