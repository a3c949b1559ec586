"""What changed between two answers, counted by key; its JSON form and its lines."""

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f1_bronze.datasets.laps import LAPS
from f1_bronze.datasets.pit_stops import PIT_STOPS
from f1_bronze.datasets.sessions import SESSIONS
from f1_bronze.lake.changes import (
    NO_CHANGES,
    Absent,
    ChangedRow,
    ChangedValue,
    Changes,
    LostRows,
    change_table,
    compare,
)
from f1_bronze.lake.records import json_text

from .examples import RACE_KEY, lap, pit_stop, session

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


def lost(lap_number: int | None) -> LostRows:
    """The only row of a lap."""
    return LostRows(key=key(lap_number), rows=1, of=1)


def row(lap_number: int, *values: tuple[str, Any, Any]) -> ChangedRow:
    return ChangedRow(
        key=(RACE_KEY, 4, lap_number),
        values=tuple(ChangedValue(column=c, before=b, after=a) for c, b, a in values),
    )


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        pytest.param([], [], NO_CHANGES, id="nothing"),
        pytest.param([lap(1), lap(2)], [lap(2), lap(1)], NO_CHANGES, id="another order"),
        pytest.param([lap(1)], [lap(1), lap(2)], Changes(added=(key(2),)), id="added"),
        pytest.param(
            [lap(2), lap(1)], [lap(1)], Changes(removed=(key(2),), lost=(lost(2),)), id="removed"
        ),
        pytest.param(
            [lap(1), lap(2)],
            [lap(1), lap(2, st_speed=302)],
            Changes(changed=(key(2),), changed_values=(row(2, ("st_speed", 301, 302)),)),
            id="changed",
        ),
        pytest.param(
            [lap(1, i2_speed=None)],
            [{name: value for name, value in lap(1).items() if name != "i2_speed"}],
            Changes(
                changed=(key(1),),
                changed_values=(row(1, ("i2_speed", None, Absent.NOT_SENT)),),
            ),
            id="null became absent",
        ),
        pytest.param(
            [lap(10), lap(9), lap(3)],
            [
                lap(3, st_speed=1, strange=["x"], date_start=None, is_pit_out_lap=0),
                lap(11),
                lap(2),
            ],
            Changes(
                added=(key(2), key(11)),
                removed=(key(9), key(10)),
                lost=(lost(9), lost(10)),
                changed=(key(3),),
                changed_values=(
                    row(
                        3,
                        ("date_start", lap(3)["date_start"], None),
                        ("st_speed", 301, 1),
                        ("is_pit_out_lap", False, 0),
                        ("strange", Absent.NOT_SENT, ["x"]),
                    ),
                ),
            ),
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
            id="the twin of an equal row went",
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
            Changes(
                removed=(key(10),),
                changed=(key(10),),
                lost=(LostRows(key=key(10), rows=1, of=2, differ_in=("pit_duration",)),),
            ),
            id="two became another one",
        ),
        pytest.param(
            [pit_stop(10), pit_stop(10)],
            [pit_stop(10, pit_duration=3)],
            Changes(removed=(key(10),), changed=(key(10),)),
            id="two equal rows became another one",
        ),
        pytest.param(
            [pit_stop(10), pit_stop(10), pit_stop(10, pit_duration=1), pit_stop(11)],
            [pit_stop(10), pit_stop(11)],
            Changes(
                removed=(key(10), key(10)),
                lost=(LostRows(key=key(10), rows=1, of=2, differ_in=("pit_duration",)),),
            ),
            id="a twin and another row of its key went",
        ),
        pytest.param(
            [pit_stop(None)],
            [pit_stop(30)],
            Changes(added=(key(30),), removed=(key(None),), lost=(lost(None),)),
            id="lap number was filled in",
        ),
        pytest.param(
            [pit_stop(30), pit_stop(None)],
            [pit_stop(30)],
            Changes(removed=(key(None),), lost=(lost(None),)),
            id="row without a lap went",
        ),
        pytest.param(
            [pit_stop(1)],
            [{**pit_stop(1), "lap_number": True}],
            Changes(added=(key(None),), removed=(key(1),), lost=(lost(1),)),
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
def test_what_is_lost(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> None:
    """Nothing is lost where every row of before is in after, however often; and where nothing is
    lost or changed, every row of before is there."""
    changes = compare(PIT_STOPS, before, after)
    gone = set(map(json_text, before)) - set(map(json_text, after))
    if not gone:
        assert changes.lost == ()
    if not changes.changed:
        assert sum(one.rows for one in changes.lost) == len(gone)
    removed = Counter(changes.removed)
    assert all(1 <= one.rows <= removed[one.key] for one in changes.lost)


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


def test_columns_have_our_names() -> None:
    """A changed field is listed under the name of its column, which engines see."""
    before = session(RACE_KEY, 2025, "Race", "Race")
    [changed] = compare(SESSIONS, [before], [{**before, "year": 2026}]).changed_values
    assert changed.values == (ChangedValue(column="openf1_year", before=2025, after=2026),)


@given(before=answers, after=answers)
def test_values_of_changed_rows(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> None:
    """Each row that is changed and alone with its key is listed with at least one value; applied to
    the old row these values make the new one."""
    changes = compare(PIT_STOPS, before, after)
    keys = [row.key for row in changes.changed_values]
    assert len(set(keys)) == len(keys)
    assert set(keys) <= set(changes.changed)
    for row in changes.changed_values:
        [old] = [record for record in before if key_of(record) == row.key]
        [new] = [record for record in after if key_of(record) == row.key]
        assert row.values
        assert json_text(old) != json_text(new)
        changed = dict(old)
        for value in row.values:
            assert old.get(value.column, Absent.NOT_SENT) == value.before
            changed.pop(value.column, None)
            if value.after is not Absent.NOT_SENT:
                changed[value.column] = value.after
        assert json_text(changed) == json_text(new)
    alone = Counter(map(key_of, before)), Counter(map(key_of, after))
    assert set(keys) == {k for k in changes.changed if alone[0][k] == alone[1][k] == 1}


@given(before=answers, after=answers)
def test_json_form_gives_the_changes_back(
    before: list[dict[str, Any]], after: list[dict[str, Any]]
) -> None:
    """Changes survive JSON; a shortened form lists no more rows and counts the others."""
    changes = compare(PIT_STOPS, before, after)
    document = json.loads(json.dumps(changes.to_json(PIT_STOPS), sort_keys=True))
    assert Changes.from_json(PIT_STOPS, document) == changes
    total = len(changes.added) + len(changes.removed) + len(changes.changed)
    short = Changes.from_json(PIT_STOPS, changes.to_json(PIT_STOPS, limit=2))
    assert len(short.added) + len(short.removed) + len(short.changed) == min(2, total)
    assert short.omitted == max(0, total - 2)
    assert set(change_table(PIT_STOPS, short)) <= set(change_table(PIT_STOPS, changes))


def test_lines_of_changes() -> None:
    """Rows that came or went are one line each, changed values too; shared keys have no values."""
    before = [pit_stop(1), pit_stop(2), pit_stop(2, pit_duration=1), pit_stop(3)]
    after = [pit_stop(1, pit_duration=None), pit_stop(2), pit_stop(2, pit_duration=2), pit_stop(4)]
    changes = compare(PIT_STOPS, before, after)
    assert change_table(PIT_STOPS, changes) == [
        ("added", "driver_number 4, lap_number 4", None, None, None),
        ("removed", "driver_number 4, lap_number 3", None, None, None),
        (
            "changed",
            "driver_number 4, lap_number 1",
            "pit_duration",
            before[0]["pit_duration"],
            None,
        ),
        ("changed", "driver_number 4, lap_number 2", None, None, None),
    ]
    assert changes.to_json(PIT_STOPS, limit=1) == {
        "added": [{"session_key": RACE_KEY, "driver_number": 4, "lap_number": 4}],
        "removed": [],
        "changed": [],
        "changed_values": [],
        "lost": [],
        "omitted": 3,
    }
    twins = compare(PIT_STOPS, [pit_stop(1), pit_stop(1)], [pit_stop(1)])
    assert change_table(PIT_STOPS, twins) == [
        ("equal twin removed", "driver_number 4, lap_number 1", None, None, None)
    ]


def key_of(record: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(
        value if isinstance(value, int) and not isinstance(value, bool) else None
        for value in (record.get(name) for name in PIT_STOPS.key)
    )


def test_a_fixed_value_that_changes_is_a_row_that_is_lost() -> None:
    """A session that the calendar moves to another meeting is another one: the stored row would be
    lost. A value where there was none loses nothing, nor does any other change."""
    stored = {"session_key": 9001, "meeting_key": 1229, "location": "Sakhir"}
    moved = compare(SESSIONS, [stored], [{**stored, "meeting_key": 1230}])
    assert moved.lost == (LostRows(key=(9001,), rows=1, of=1, differ_in=("meeting_key",)),)
    assert Changes.from_json(SESSIONS, moved.to_json(SESSIONS)) == moved
    assert compare(SESSIONS, [{**stored, "meeting_key": None}], [stored]).lost == ()
    assert compare(SESSIONS, [stored], [{**stored, "location": "Manama"}]).lost == ()
