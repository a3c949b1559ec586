"""The law of the storage: records come back, every one, whatever they held."""

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import EXTRA_FIELDS, Dataset
from f1_bronze.datasets.laps import LAPS
from f1_bronze.datasets.pit_stops import PIT_STOPS
from f1_bronze.datasets.results import RESULTS
from f1_bronze.datasets.schema import arrow_schema
from f1_bronze.datasets.sessions import SESSIONS
from f1_bronze.datasets.stints import STINTS
from f1_bronze.lake.errors import InvalidRecord
from f1_bronze.lake.records import Rows, json_text, timestamp_text, to_records, to_rows

from .examples import (
    MOTLEY,
    RACE_KEY,
    anything,
    as_received,
    by_value,
    lap,
    moments,
    multiset,
    pit_stop,
    records_for,
    session,
)

REAL = pytest.mark.parametrize("dataset", DATASETS, ids=lambda dataset: dataset.name)


def back(dataset: Dataset, rows: Rows) -> list[dict[str, Any]]:
    return to_records(dataset, rows.table, rows.absent)


def stored(dataset: Dataset, record: dict[str, Any], column: str) -> tuple[Any, Any]:
    """The value in the column and what extra_fields holds, of one record."""
    rows = to_rows(dataset, [record])
    assert multiset(back(dataset, rows)) == multiset([record])
    extra = rows.table.column(EXTRA_FIELDS)[0].as_py()
    return rows.table.column(column)[0].as_py(), extra and json.loads(extra)


# The law


@given(records=records_for(MOTLEY))
@settings(max_examples=200, deadline=None)
def test_records_come_back(records: list[dict[str, Any]]) -> None:
    """Whatever the records hold, the same ones are rebuilt from the rows."""
    rows = to_rows(MOTLEY, records)
    assert multiset(back(MOTLEY, rows)) == multiset(records)
    assert rows.table.schema == arrow_schema(MOTLEY)
    assert rows.table.num_rows == len(records)


@REAL
def test_records_of_each_dataset_come_back(dataset: Dataset) -> None:
    """The law holds for each of the six declarations."""

    @given(records=records_for(dataset, max_size=3))
    @settings(max_examples=25, deadline=None)
    def law(records: list[dict[str, Any]]) -> None:
        rows = to_rows(dataset, records)
        assert multiset(back(dataset, rows)) == multiset(records)

    law()


@given(records=records_for(MOTLEY))
@settings(max_examples=100, deadline=None)
def test_storing_again_changes_nothing(records: list[dict[str, Any]]) -> None:
    """Rows of rebuilt records are the same rows: the stored form is a fixed point."""
    once = to_rows(MOTLEY, records)
    twice = to_rows(MOTLEY, back(MOTLEY, once))
    assert twice.table.equals(once.table)
    assert twice.absent == once.absent
    assert twice.content_sha256 == once.content_sha256


@given(text=moments)
@settings(max_examples=200, deadline=None)
def test_timestamps_come_back_letter_by_letter(text: str) -> None:
    """Any text in a timestamp field is rebuilt as it was written."""
    record = {"session_key": 1, "driver_number": 1, "date": text}
    assert back(MOTLEY, to_rows(MOTLEY, [record])) == [record]


# What goes where


@pytest.mark.parametrize(
    ("text", "moment", "extra"),
    [
        ("2025-04-13T15:00:00+00:00", "2025-04-13T15:00:00+00:00", None),
        ("2025-04-13T15:00:00.123456+00:00", "2025-04-13T15:00:00.123456+00:00", None),
        ("2025-04-13T15:00:00Z", "2025-04-13T15:00:00+00:00", "2025-04-13T15:00:00Z"),
        ("2025-04-13T15:00:00", "2025-04-13T15:00:00+00:00", "2025-04-13T15:00:00"),
        ("2025-04-13T11:00:00-04:00", "2025-04-13T15:00:00+00:00", "2025-04-13T11:00:00-04:00"),
        (
            "2025-04-13T15:00:00.123456789+00:00",
            "2025-04-13T15:00:00.123456+00:00",
            "2025-04-13T15:00:00.123456789+00:00",
        ),
        ("0001-01-01T00:00:00+14:00", None, "0001-01-01T00:00:00+14:00"),
        ("soon", None, "soon"),
    ],
)
def test_timestamp(text: str, moment: str | None, extra: str | None) -> None:
    """A moment is stored in UTC; a text that the moment cannot give back is kept beside it."""
    value, kept = stored(LAPS, lap(1, date_start=text), "date_start")
    assert (value and timestamp_text(value)) == moment
    assert kept == (extra and {"date_start": extra})


@pytest.mark.parametrize(
    ("field", "value", "column_value", "fits"),
    [
        ("lap_duration", 94, 94.0, True),
        ("lap_duration", 94.35, 94.35, True),
        ("lap_duration", "94.35", None, False),
        ("lap_duration", True, None, False),
        ("lap_duration", 2**53 + 1, None, False),
        ("lap_duration", 10**400, None, False),
        ("i1_speed", 230.0, 230, True),
        ("i1_speed", 230.5, None, False),
        ("i1_speed", True, None, False),
        ("i1_speed", 2**63 - 1, 2**63 - 1, True),
        ("i1_speed", 2**63, None, False),
        ("is_pit_out_lap", True, True, True),
        ("is_pit_out_lap", 1, None, False),
        ("is_pit_out_lap", "true", None, False),
        ("segments_sector_1", [1, None, 2.0], [1, None, 2], True),
        ("segments_sector_1", [], [], True),
        ("segments_sector_1", [1, True], None, False),
        ("segments_sector_1", [1.5], None, False),
        ("segments_sector_1", "2048", None, False),
        ("segments_sector_1", {"1": 2048}, None, False),
        ("date_start", 1744556400, None, False),
    ],
)
def test_value_is_in_its_column_or_in_extra_fields(
    field: str, value: Any, column_value: Any, fits: bool
) -> None:
    """What fits the type is in the column; what does not is null there and kept as JSON."""
    in_column, extra = stored(LAPS, lap(1, **{field: value}), field)
    assert by_value(in_column) == by_value(column_value)
    assert extra == (None if fits else {field: value})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (5400.123, "5400.123"),
        ("+1 LAP", '"+1 LAP"'),
        (0, "0"),
        ([88.1, None, 87.5], "[88.1,null,87.5]"),
        (None, None),
        (True, "true"),
        ({"b": 1, "a": 2}, '{"a":2,"b":1}'),
    ],
)
def test_mixed_fields_are_json_text(value: Any, text: str | None) -> None:
    """results.gap_to_leader is stored as compact JSON, null as null."""
    record = {"session_key": 1, "driver_number": 4, "gap_to_leader": value}
    assert stored(RESULTS, record, "gap_to_leader")[0] == text


def test_text_that_utf8_cannot_hold() -> None:
    """A lone surrogate is kept escaped, and comes back."""
    record = {"session_key": 1, "driver_number": 1, "stint_number": 1, "compound": "S\ud800"}
    value, extra = stored(STINTS, record, "compound")
    assert value is None
    assert extra == {"compound": "S\ud800"}
    assert to_rows(STINTS, [record]).table.column(EXTRA_FIELDS)[0].as_py().isascii()


def test_renamed_fields() -> None:
    """sessions stores year and session_type under names that no partition folder has."""
    record = session(RACE_KEY, 2025, "Race", "Race")
    rows = to_rows(SESSIONS, [record])
    assert rows.table.column("openf1_year").to_pylist() == [2025]
    assert rows.table.column("openf1_session_type").to_pylist() == ["Race"]
    assert "year" not in rows.table.column_names
    assert "session_type" not in rows.table.column_names
    assert back(SESSIONS, rows) == [record]


def test_field_called_like_a_renamed_column() -> None:
    """A field of the column's name is not the column's field: both come back."""
    record = {**session(RACE_KEY, 2025, "Race", "Race"), "openf1_year": 7}
    rows = to_rows(SESSIONS, [record])
    assert rows.table.column("openf1_year").to_pylist() == [2025]
    assert back(SESSIONS, rows) == [record]


@pytest.mark.parametrize("name", ["$absent", "$$absent", "$x", "$", "extra_fields", "", "\ud800"])
@pytest.mark.parametrize("value", [None, ["lap_duration"], "x"])
def test_unknown_field_cannot_pose_as_ours(name: str, value: Any) -> None:
    """A new field of any name comes back, and no declared field goes away for it."""
    records = [lap(1, **{name: value}), lap(2)]
    assert back(LAPS, to_rows(LAPS, records)) == records


def test_field_that_no_record_has_is_listed_once() -> None:
    """pit rows before 2026 lack two fields: the file says so, and not each row."""
    rows = to_rows(PIT_STOPS, [pit_stop(10), pit_stop(30)])
    assert rows.absent == ("lane_duration", "stop_duration")
    assert rows.table.column(EXTRA_FIELDS).null_count == 2
    assert back(PIT_STOPS, rows) == [pit_stop(10), pit_stop(30)]


def test_field_that_some_records_lack_is_listed_in_the_row() -> None:
    """Null and absent are distinguished row by row."""
    records = [pit_stop(10), pit_stop(20, stop_duration=None), pit_stop(30, stop_duration=2.4)]
    rows = to_rows(PIT_STOPS, records)
    assert rows.absent == ("lane_duration",)
    assert rows.table.column(EXTRA_FIELDS).to_pylist() == [
        '{"$absent":["stop_duration"]}',
        None,
        None,
    ]
    assert back(PIT_STOPS, rows) == records


def test_file_from_before_a_column_was_declared() -> None:
    """In an older file a field that was unknown then comes back from extra_fields."""
    older = Dataset(
        name="laps",
        endpoint="laps",
        description="One row per lap, before st_speed was known.",
        columns=tuple(column for column in LAPS.columns if column.name != "st_speed"),
        key=LAPS.key,
        critical=False,
        expected_rows={"": 1},
    )
    with_it, without = lap(1), lap(2)
    del without["st_speed"]
    rows = to_rows(older, [with_it, without])
    assert to_records(LAPS, rows.table, rows.absent) == [with_it, without]


# Order and hash


@given(records=records_for(MOTLEY), data=st.data())
@settings(max_examples=100, deadline=None)
def test_order_of_records_and_of_fields_does_not_matter(
    records: list[dict[str, Any]], data: st.DataObject
) -> None:
    """The same records in another order, their fields in another order: the same rows and hash."""
    shuffled = [
        dict(data.draw(st.permutations(list(record.items()))))
        for record in data.draw(st.permutations(records))
    ]
    first, second = to_rows(MOTLEY, records), to_rows(MOTLEY, shuffled)
    assert second.content_sha256 == first.content_sha256
    assert second.table.equals(first.table)
    assert second.absent == first.absent


def test_rows_are_sorted_by_key() -> None:
    """Rows are in order of driver, then lap, as numbers and not as texts."""
    records = [lap(10), lap(9), lap(1, driver=81), lap(2, driver=1), lap(1)]
    table = to_rows(LAPS, records).table
    assert list(
        zip(
            table.column("driver_number").to_pylist(),
            table.column("lap_number").to_pylist(),
            strict=True,
        )
    ) == [(1, 2), (4, 1), (4, 9), (4, 10), (81, 1)]


def test_null_keys_come_last() -> None:
    """A pit stop without a lap number is stored, behind those with one."""
    rows = to_rows(PIT_STOPS, [pit_stop(None), pit_stop(30), pit_stop(0)])
    assert rows.table.column("lap_number").to_pylist() == [0, 30, None]
    assert back(PIT_STOPS, rows) == [pit_stop(0), pit_stop(30), pit_stop(None)]


small = st.lists(
    st.fixed_dictionaries(
        {"session_key": st.just(1), "driver_number": st.integers(1, 2)},
        optional={
            "count": st.sampled_from([None, 1, 1.0, True, "1"]),
            "seconds": st.sampled_from([None, 1, 1.0, 1.5, True]),
            "date": st.sampled_from(["2025-04-13T15:00:00+00:00", "2025-04-13T15:00:00Z"]),
            "new": st.sampled_from([None, "1"]),
        },
    ),
    max_size=2,
)


@given(one=small, other=small)
@settings(max_examples=200, deadline=None)
def test_equal_hash_means_equal_records(
    one: list[dict[str, Any]], other: list[dict[str, Any]]
) -> None:
    """Two answers have one hash exactly when they hold the same records by value."""
    same_hash = to_rows(MOTLEY, one).content_sha256 == to_rows(MOTLEY, other).content_sha256
    assert same_hash == (multiset(one) == multiset(other))


@pytest.mark.parametrize(
    "other",
    [
        pytest.param([lap(1)], id="row gone"),
        pytest.param([lap(1), lap(2), lap(2)], id="row twice"),
        pytest.param([lap(1), lap(3)], id="key"),
        pytest.param([lap(1), lap(2, lap_duration=94.351)], id="value"),
        pytest.param([lap(1), lap(2, lap_duration=None)], id="null"),
        pytest.param([lap(1), lap(2, lap_duration="94.35")], id="type"),
        pytest.param([lap(1), lap(2, is_pit_out_lap=0)], id="0 for false"),
        pytest.param([lap(1), lap(2, date_start="2025-04-13T15:02:00.123000Z")], id="text"),
        pytest.param([lap(1), lap(2, segments_sector_2=[None])], id="item"),
        pytest.param([lap(1), lap(2, tyre="SOFT")], id="new field"),
        pytest.param(
            [lap(1), {name: value for name, value in lap(2).items() if name != "i2_speed"}],
            id="absent for null",
        ),
    ],
)
def test_hash_changes_with_the_content(other: list[dict[str, Any]]) -> None:
    """One difference anywhere gives another hash."""
    original = to_rows(LAPS, [lap(1), lap(2)]).content_sha256
    assert to_rows(LAPS, other).content_sha256 != original


@given(whole=st.integers(-(2**53), 2**53), field=st.sampled_from(["lap_duration", "i1_speed"]))
@settings(deadline=None)
def test_whole_numbers_are_one_value(whole: int, field: str) -> None:
    """25 and 25.0 are the same content, in a column of either kind of number."""
    first = to_rows(LAPS, [lap(1, **{field: whole})])
    second = to_rows(LAPS, [lap(1, **{field: float(whole)})])
    assert first.content_sha256 == second.content_sha256
    assert first.table.equals(second.table)


@given(value=anything)
@settings(max_examples=200)
def test_json_text_is_utf8_and_says_the_value(value: Any) -> None:
    """JSON text can be stored in any UTF-8 column and reads back as the value."""
    value = as_received(value)
    text = json_text(value)
    assert by_value(json.loads(text.encode("utf-8").decode("utf-8"))) == by_value(value)


def test_json_text_stays_readable() -> None:
    """Accents are not escaped: people read these columns."""
    assert json_text({"b": "São Paulo", "a": 1}) == '{"a":1,"b":"São Paulo"}'


# Unfit records

_KEYS = [
    pytest.param(dataset, name, id=f"{dataset.name}.{name}")
    for dataset in DATASETS
    for name in dataset.key
    if not dataset.column(name).nullable
]


@pytest.mark.parametrize("value", [None, "12", 1.5, True, 2**63, [1], {}, ...])
@pytest.mark.parametrize(("dataset", "name"), _KEYS)
def test_record_without_its_key_is_unfit(dataset: Dataset, name: str, value: Any) -> None:
    """A key that is missing (...), null or no whole number stops the partition, by name."""
    sound = dict.fromkeys(dataset.key, 1)
    broken = {**sound, name: value}
    if value is ...:
        del broken[name]
    with pytest.raises(InvalidRecord) as raised:
        to_rows(dataset, [sound, broken])
    message = str(raised.value)
    assert f"A record of {dataset.name} has" in message
    assert f" {name}, which is part of its key" in message
    assert message.endswith("materialize the partition again later.")


@pytest.mark.parametrize("value", ["twelve", 1.5, True, 2**70, [1]])
def test_odd_lap_number_of_a_pit_stop_is_stored(value: Any) -> None:
    """The nullable part of a key may hold anything; it comes back."""
    record = {**pit_stop(None), "lap_number": value}
    in_column, extra = stored(PIT_STOPS, record, "lap_number")
    assert in_column is None
    assert extra == {"lap_number": value}


# No records


@REAL
def test_no_records(dataset: Dataset) -> None:
    """An empty answer is a table with the whole schema and no rows."""
    rows = to_rows(dataset, [])
    assert rows.table.schema == arrow_schema(dataset)
    assert rows.table.num_rows == 0
    assert rows.absent == ()
    assert back(dataset, rows) == []


def test_records_are_not_altered() -> None:
    """What was handed in is as it was: the caller may use it again."""
    record = lap(1, **{"$x": [1], "date_start": "soon"})
    before = json.dumps(record)
    to_rows(LAPS, iter([record]))
    assert json.dumps(record) == before


def test_table_may_come_in_any_column_order() -> None:
    """Columns are found by name, for a file that another tool rewrote."""
    rows = to_rows(LAPS, [lap(1)])
    turned = rows.table.select(list(reversed(rows.table.column_names)))
    assert isinstance(turned, pa.Table)
    assert to_records(LAPS, turned, rows.absent) == [lap(1)]
