"""Records to test with: sound ones by hand, and strategies for everything JSON can hold.

Belongs here: records and what it means that two are equal. Stays out: stores, assertions.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from hypothesis import strategies as st

from f1_bronze.datasets.dataset import DRIVER_NUMBER, SESSION_KEY, Column, ColumnType, Dataset
from f1_bronze.datasets.partition import SessionPartition

BAHRAIN = SessionPartition(year=2025, grand_prix="bahrain", session_type="race")
RACE_KEY = 10014

MOTLEY = Dataset(
    name="motley",
    endpoint="motley",
    description="One row per driver: a column of each type and a key that may be null.",
    critical=False,
    key=("session_key", "driver_number", "turn"),
    expected_rows={"": 1},
    columns=(
        SESSION_KEY,
        DRIVER_NUMBER,
        *(
            Column(name=name, type=kind, meaning="For tests.", openf1_name=field)
            for name, kind, field in (
                ("turn", ColumnType.INTEGER, None),
                ("count", ColumnType.INTEGER, None),
                ("seconds", ColumnType.FLOAT, None),
                ("openf1_year", ColumnType.TEXT, "year"),
                ("flag", ColumnType.BOOLEAN, None),
                ("date", ColumnType.TIMESTAMP, None),
                ("codes", ColumnType.INTEGERS, None),
                ("gap", ColumnType.JSON, None),
            )
        ),
    ),
)
"""A dataset that no one declares: each type once, and every kind of key column."""


def lap(number: int, *, driver: int = 4, session: int = RACE_KEY, **fields: Any) -> dict[str, Any]:
    """A sound record of the laps endpoint."""
    return {
        "session_key": session,
        "meeting_key": 1257,
        "driver_number": driver,
        "lap_number": number,
        "date_start": f"2025-04-13T15:{number:02}:00.123000+00:00",
        "duration_sector_1": 30.1,
        "duration_sector_2": 41.25,
        "duration_sector_3": 23.0,
        "lap_duration": 94.35,
        "i1_speed": 230,
        "i2_speed": None,
        "st_speed": 301,
        "is_pit_out_lap": False,
        "segments_sector_1": [2048, 2049, None, 2051],
        "segments_sector_2": [],
        "segments_sector_3": None,
        **fields,
    }


def pit_stop(lap_number: int | None, **fields: Any) -> dict[str, Any]:
    """A sound record of the pit endpoint, in the shape before January 2026."""
    return {
        "session_key": RACE_KEY,
        "meeting_key": 1257,
        "driver_number": 4,
        "lap_number": lap_number,
        "date": "2025-04-13T15:20:00+00:00",
        "pit_duration": 22.5,
        **fields,
    }


def session(key: int, year: int, name: str, kind: str) -> dict[str, Any]:
    """A sound record of the sessions endpoint."""
    return {
        "session_key": key,
        "meeting_key": 1257,
        "session_name": name,
        "session_type": kind,
        "date_start": f"{year}-04-13T15:00:00+00:00",
        "date_end": f"{year}-04-13T17:00:00+00:00",
        "gmt_offset": "03:00:00",
        "year": year,
        "location": "Sakhir",
        "country_key": 36,
        "country_code": "BRN",
        "country_name": "Bahrain",
        "circuit_key": 63,
        "circuit_short_name": "Sakhir",
    }


def by_value(value: Any) -> Any:
    """The value in a form in which 25 equals 25.0, and True does not equal 1."""
    if isinstance(value, bool):
        return ("boolean", value)
    if isinstance(value, Mapping):
        return frozenset((name, by_value(item)) for name, item in value.items())
    if isinstance(value, list):
        return tuple(by_value(item) for item in value)
    return value


def multiset(records: Iterable[Mapping[str, Any]]) -> Counter[Any]:
    """The records without their order, compared by value."""
    return Counter(by_value(record) for record in records)


_texts = st.text(st.characters(), max_size=6)  # st.characters() holds lone surrogates, st.text not
_floats = st.floats(allow_nan=False, allow_infinity=False)
_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.integers(),
    st.sampled_from([2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 10**400, -0.0, 1e300, 2.0**63]),
    _floats,
    _texts,
    st.sampled_from(["\ud800", "a\udfffb", "", "null", "+1 LAP", "\x00", "12", "true"]),
)
anything = st.recursive(
    _scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(_texts | st.just("$absent"), inner, max_size=2)
    ),
    max_leaves=4,
)
"""Whatever JSON can hold, lone surrogates and huge numbers included."""

moments = st.one_of(
    st.datetimes(timezones=st.timezones() | st.none()).map(lambda moment: moment.isoformat()),
    st.sampled_from(
        [
            "2025-04-13T15:00:00+00:00",
            "2025-04-13T15:00:00.123000+00:00",
            "2025-04-13T15:00:00.123+00:00",
            "2025-04-13T15:00:00.123456789+00:00",
            "2025-04-13T15:00:00Z",
            "2025-04-13T15:00:00",
            "2025-04-13 15:00:00+00:00",
            "2025-04-13T15:00:00-04:00",
            "2025-04-13T15:00:00+05:30:15.5",
            "2025-04-13T15:00:00-00:00",
            "2025-04-13T24:00:00+00:00",
            "2025-02-30T15:00:00+00:00",
            "2025-04-13",
            "20250413T150000",
            "0001-01-01T00:00:00+14:00",
            "9999-12-31T23:59:59.999999-14:00",
            "9999-12-31T23:59:59.999999+00:00",
            "yesterday",
            "",
        ]
    ),
)

_of_type: dict[ColumnType, st.SearchStrategy[Any]] = {
    ColumnType.INTEGER: st.integers(-(2**63), 2**63 - 1),
    ColumnType.FLOAT: _floats | st.integers(-100, 100),
    ColumnType.TEXT: st.text(max_size=8),
    ColumnType.BOOLEAN: st.booleans(),
    ColumnType.TIMESTAMP: moments,
    ColumnType.INTEGERS: st.lists(st.none() | st.integers(0, 2100), max_size=4),
    ColumnType.JSON: _floats | st.just("+1 LAP") | st.lists(st.none() | _floats, max_size=3),
}


def as_received(records: Any) -> Any:
    """The records as they come out of a JSON answer."""
    return json.loads(json.dumps(records))


def records_for(dataset: Dataset, *, max_size: int = 6) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Lists of records whose key can be stored and whose other fields hold anything at all.

    Each declared field is absent, null, of its type, or of any type; unknown fields have names
    that try to pose as ours.
    """
    fields = {column.field for column in dataset.columns}
    required, optional = {}, {}
    for column in dataset.columns:
        if column.name in dataset.key and not column.nullable:
            required[column.field] = st.integers(1, 3) | st.sampled_from([1.0, 2.0, 2**63 - 1])
        else:
            optional[column.field] = st.none() | _of_type[column.type] | anything
    names = st.one_of(
        st.sampled_from(["$absent", "$$absent", "$x", "$", "", "extra_fields", "grand_prix"]),
        st.sampled_from([column.name for column in dataset.columns]),
        _texts,
    ).filter(lambda name: name not in fields)
    unknown = st.just({}) | st.dictionaries(names, anything, max_size=3)
    one = st.builds(
        lambda declared, more: {**declared, **more},
        st.fixed_dictionaries(required, optional=optional),
        unknown,
    )
    return st.lists(one, max_size=max_size).map(as_received)
