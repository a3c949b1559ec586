"""The arithmetic of rolling windows: never too many, never later than needed, gaps used again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f1_bronze.openf1.budget import Window, earliest, widened

WINDOWS = (Window(calls=2, seconds=3), Window(calls=4, seconds=10))
moments = st.integers(0, 60)  # whole seconds: exact, and they meet often


def admitted(slots: list[float]) -> bool:
    """Whether no window is overfull, by counting."""
    return all(
        sum(first <= slot < first + window.seconds for slot in slots) <= window.calls
        for window in WINDOWS
        for first in slots
    )


@given(wishes=st.lists(st.tuples(moments, st.booleans()), max_size=30), start=moments)
def test_the_earliest_moment_is_admitted_and_none_before_it_is(
    wishes: list[tuple[int, bool]], start: int
) -> None:
    """Against counting second by second, with reservations given back in between."""
    slots: list[float] = []
    for wish, gives_back in wishes:
        slots = sorted([*slots, earliest(slots, wish, WINDOWS)])
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
    wide = widened([Window(calls=calls, seconds=length) for calls, length in limits])
    assert [window.seconds for window in wide] == pytest.approx(seconds)
    assert [window.calls for window in wide] == [calls for calls, _ in limits]
