"""What changed between two answers, counted by key."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f1_bronze.datasets.laps import LAPS
from f1_bronze.datasets.pit_stops import PIT_STOPS
from f1_bronze.lake.changes import NO_CHANGES, Changes, compare

from .examples import RACE_KEY, lap, pit_stop

answers = st.lists(
    st.fixed_dictionaries(
        {"session_key": st.just(1), "driver_number": st.integers(1, 2)},
        optional={
            "lap_number": st.sampled_from([None, 1, 2, True, "x"]),
            "pit_duration": st.sampled_from([None, 22.5]),
        },
    ),
    max_size=6,
)


def key(lap_number: int | None) -> tuple[int, int, int | None]:
    return (RACE_KEY, 4, lap_number)


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        pytest.param([], [], NO_CHANGES, id="nothing"),
        pytest.param([lap(1), lap(2)], [lap(2), lap(1)], NO_CHANGES, id="another order"),
        pytest.param([lap(1)], [lap(1), lap(2)], Changes(added=(key(2),)), id="added"),
        pytest.param([lap(2), lap(1)], [lap(1)], Changes(removed=(key(2),)), id="removed"),
        pytest.param(
            [lap(1), lap(2)],
            [lap(1), lap(2, st_speed=302)],
            Changes(changed=(key(2),)),
            id="changed",
        ),
        pytest.param(
            [lap(1, i2_speed=None)],
            [{name: value for name, value in lap(1).items() if name != "i2_speed"}],
            Changes(changed=(key(1),)),
            id="null became absent",
        ),
        pytest.param(
            [lap(10), lap(9), lap(3)],
            [lap(3, st_speed=1), lap(11), lap(2)],
            Changes(added=(key(2), key(11)), removed=(key(9), key(10)), changed=(key(3),)),
            id="all at once, in order of keys",
        ),
    ],
)
def test_changes_of_laps(
    before: list[dict[str, Any]], after: list[dict[str, Any]], changes: Changes
) -> None:
    """A key that came is added, one that went is removed, one with another row is changed."""
    assert compare(LAPS, before, after) == changes


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        pytest.param(
            [pit_stop(10), pit_stop(10)],
            [pit_stop(10)],
            Changes(removed=(key(10),)),
            id="one of two equal rows went",
        ),
        pytest.param(
            [pit_stop(10)],
            [pit_stop(10), pit_stop(10)],
            Changes(added=(key(10),)),
            id="an equal row came",
        ),
        pytest.param(
            [pit_stop(10, pit_duration=1), pit_stop(10, pit_duration=2)],
            [pit_stop(10, pit_duration=2), pit_stop(10, pit_duration=3)],
            Changes(changed=(key(10),)),
            id="one of two changed",
        ),
        pytest.param(
            [pit_stop(10, pit_duration=1), pit_stop(10, pit_duration=2)],
            [pit_stop(10, pit_duration=3)],
            Changes(removed=(key(10),), changed=(key(10),)),
            id="two became another one",
        ),
        pytest.param(
            [pit_stop(None)],
            [pit_stop(30)],
            Changes(added=(key(30),), removed=(key(None),)),
            id="lap number was filled in",
        ),
        pytest.param(
            [pit_stop(30), pit_stop(None)],
            [pit_stop(30)],
            Changes(removed=(key(None),)),
            id="row without a lap went",
        ),
        pytest.param(
            [pit_stop(1)],
            [{**pit_stop(1), "lap_number": True}],
            Changes(added=(key(None),), removed=(key(1),)),
            id="true is not lap 1",
        ),
    ],
)
def test_changes_of_rows_that_share_a_key(
    before: list[dict[str, Any]], after: list[dict[str, Any]], changes: Changes
) -> None:
    """Rows of one key are a group: fewer of them is a removal, never a silent change."""
    assert compare(PIT_STOPS, before, after) == changes


@given(before=answers, after=answers)
def test_the_count_is_right(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> None:
    """Rows before, less those removed, plus those added, are the rows after."""
    changes = compare(PIT_STOPS, before, after)
    assert len(before) - len(changes.removed) + len(changes.added) == len(after)


@given(before=answers, after=answers)
def test_the_way_back(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> None:
    """Backwards, what was added is removed, what was removed is added, the changed the same."""
    there, back = compare(PIT_STOPS, before, after), compare(PIT_STOPS, after, before)
    assert (back.added, back.removed) == (there.removed, there.added)
    assert Counter(back.changed) == Counter(there.changed)


@given(answer=answers, data=st.data())
def test_no_change_in_another_order(answer: list[dict[str, Any]], data: st.DataObject) -> None:
    """An answer in another order is the same answer."""
    assert compare(PIT_STOPS, answer, data.draw(st.permutations(answer))) == NO_CHANGES
