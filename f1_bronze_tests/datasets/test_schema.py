"""The stored types, spelled out: each is a promise to every engine that reads the lake."""

import pyarrow as pa
import pytest

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.schema import STORED_AS, arrow_schema

INTEGER, FLOAT, TEXT, BOOLEAN = pa.int64(), pa.float64(), pa.string(), pa.bool_()
MOMENT = pa.timestamp("us", tz="UTC")
CODES = pa.list_(pa.field("element", pa.int64()))

SCHEMAS: dict[str, dict[str, pa.DataType]] = {
    "sessions": {
        "session_key": INTEGER,
        "meeting_key": INTEGER,
        "session_name": TEXT,
        "openf1_session_type": TEXT,
        "date_start": MOMENT,
        "date_end": MOMENT,
        "gmt_offset": TEXT,
        "openf1_year": INTEGER,
        "location": TEXT,
        "country_key": INTEGER,
        "country_code": TEXT,
        "country_name": TEXT,
        "circuit_key": INTEGER,
        "circuit_short_name": TEXT,
        "is_cancelled": BOOLEAN,
    },
    "drivers": {
        "session_key": INTEGER,
        "driver_number": INTEGER,
        "meeting_key": INTEGER,
        "broadcast_name": TEXT,
        "full_name": TEXT,
        "name_acronym": TEXT,
        "first_name": TEXT,
        "last_name": TEXT,
        "team_name": TEXT,
        "team_colour": TEXT,
        "headshot_url": TEXT,
        "country_code": TEXT,
    },
    "results": {
        "session_key": INTEGER,
        "driver_number": INTEGER,
        "meeting_key": INTEGER,
        "position": INTEGER,
        "points": FLOAT,
        "number_of_laps": INTEGER,
        "duration": TEXT,
        "gap_to_leader": TEXT,
        "dnf": BOOLEAN,
        "dns": BOOLEAN,
        "dsq": BOOLEAN,
    },
    "laps": {
        "session_key": INTEGER,
        "driver_number": INTEGER,
        "lap_number": INTEGER,
        "meeting_key": INTEGER,
        "date_start": MOMENT,
        "duration_sector_1": FLOAT,
        "duration_sector_2": FLOAT,
        "duration_sector_3": FLOAT,
        "lap_duration": FLOAT,
        "i1_speed": INTEGER,
        "i2_speed": INTEGER,
        "st_speed": INTEGER,
        "is_pit_out_lap": BOOLEAN,
        "segments_sector_1": CODES,
        "segments_sector_2": CODES,
        "segments_sector_3": CODES,
    },
    "stints": {
        "session_key": INTEGER,
        "driver_number": INTEGER,
        "stint_number": INTEGER,
        "meeting_key": INTEGER,
        "lap_start": INTEGER,
        "lap_end": INTEGER,
        "compound": TEXT,
        "tyre_age_at_start": INTEGER,
    },
    "pit_stops": {
        "session_key": INTEGER,
        "driver_number": INTEGER,
        "lap_number": INTEGER,
        "meeting_key": INTEGER,
        "date": MOMENT,
        "lane_duration": FLOAT,
        "pit_duration": FLOAT,
        "stop_duration": FLOAT,
    },
}


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda dataset: dataset.name)
def test_schema(dataset: Dataset) -> None:
    """Names, order and types of the columns; extra_fields is the last; each may be null."""
    schema = arrow_schema(dataset)
    expected = {**SCHEMAS[dataset.name], "extra_fields": TEXT}
    assert schema.names == list(expected)
    assert dict(zip(schema.names, schema.types, strict=True)) == expected
    assert all(field.nullable for field in schema)
    assert dataset.schema_version == 1


def test_every_type_is_stored_as_something() -> None:
    """No declared type is without its Arrow type."""
    assert {kind.name: str(stored) for kind, stored in STORED_AS.items()} == {
        "INTEGER": "int64",
        "FLOAT": "double",
        "TEXT": "string",
        "BOOLEAN": "bool",
        "TIMESTAMP": "timestamp[us, tz=UTC]",
        "INTEGERS": "list<element: int64>",
        "JSON": "string",
    }
