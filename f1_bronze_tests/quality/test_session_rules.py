"""What upstream changed is named in the verdict: fields, rows and examples."""

from typing import Any

import pytest

from f1_bronze.datasets.dataset import Dataset, Severity
from f1_bronze.datasets.drivers import DRIVERS
from f1_bronze.datasets.laps import LAPS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.lake.records import to_rows
from f1_bronze.quality.context import SessionRows, to_declared_schema
from f1_bronze.quality.gx import row_rules
from f1_bronze.quality.session_rules import check_session
from f1_bronze.quality.verdicts import RuleVerdict

from ..lake.examples import lap

RACE = SessionPartition.parse("2025/bahrain/race")


def driver(number: int, **fields: Any) -> dict[str, Any]:
    record = {column.field: None for column in DRIVERS.columns}
    return {**record, "session_key": 10014, "driver_number": number, **fields}


def verdict_on(dataset: Dataset, records: list[dict[str, Any]], rule: str) -> RuleVerdict:
    """The verdict of one rule of shape on an answer."""
    rows = to_rows(dataset, records)
    session = SessionRows(table=rows.table, absent_columns=rows.absent)
    declared = [r for r in dataset.rules if r.name == rule]
    return check_session(dataset, declared, session)[rule]


def test_new_field() -> None:
    """A field that is not declared is named with the rows that have it and a value."""
    verdict = verdict_on(LAPS, [lap(1), lap(2, tyre="SOFT"), lap(3, tyre="HARD")], "no new fields")
    assert verdict.passed is False
    assert verdict.observed == 'tyre new in 2 rows, for example "SOFT"'
    assert (verdict.rows_seen, verdict.unexpected_count) == (3, 2)
    assert verdict.unexpected_rows[0] == {
        "session_key": 10014,
        "driver_number": 4,
        "lap_number": 2,
        "tyre": "SOFT",
    }


def test_new_field_that_begins_with_a_dollar() -> None:
    """The lake doubles a leading $; the verdict names the field as upstream does."""
    verdict = verdict_on(LAPS, [lap(1, **{"$absent": 1})], "no new fields")
    assert verdict.observed == "$absent new in 1 row, for example 1"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"i1_speed": 280.5}, "i1_speed does not fit in 1 row, for example 280.5; bigint"),
        ({"is_pit_out_lap": 1}, "is_pit_out_lap does not fit in 1 row, for example 1; boolean"),
        (
            {"date_start": "2025-04-13T18:02:00+03:00"},
            'date_start does not fit in 1 row, for example "2025-04-13T18:02:00+03:00"; timestamp',
        ),
    ],
    ids=["whole number as decimal", "boolean as number", "another offset"],
)
def test_retyped_value(fields: dict[str, Any], said: str) -> None:
    """A value that its column could not hold, or not give back, is named with the type."""
    verdict = verdict_on(LAPS, [lap(1), lap(2, **fields)], "no types changed")
    assert verdict.passed is False
    assert verdict.observed == f"{said} is declared"
    assert verdict.unexpected_rows[0]["lap_number"] == 2


def test_text_in_a_number() -> None:
    """A text in any number is a rule of its own, and reported once."""
    records = [lap(1), lap(2, i1_speed="fast", lap_duration="1:33.2")]
    verdict = verdict_on(LAPS, records, "numbers are numbers")
    assert verdict.passed is False
    assert verdict.severity is Severity.ERROR
    assert verdict.observed == 'i1_speed is a text in 1 row, for example "fast"; bigint is declared'
    assert verdict_on(LAPS, records, "no types changed").passed is True


def test_field_gone_from_all_rows() -> None:
    """A declared field that no record has is gone, and every row lacks it."""
    records = [lap(1), lap(2)]
    for record in records:
        del record["i1_speed"]
    verdict = verdict_on(LAPS, records, "no fields gone")
    assert (verdict.passed, verdict.observed) == (False, "i1_speed is gone")
    assert (verdict.rows_seen, verdict.unexpected_count) == (2, 2)


def test_field_gone_from_some_rows() -> None:
    """A declared field that some records lack is named with their number."""
    shorter = lap(2)
    del shorter["i1_speed"]
    verdict = verdict_on(LAPS, [lap(1), shorter], "no fields gone")
    assert (verdict.passed, verdict.observed) == (False, "i1_speed is gone from 1 row")
    assert verdict.unexpected_rows == ({"session_key": 10014, "driver_number": 4, "lap_number": 2},)


def test_field_that_comes_and_goes() -> None:
    """A field that is known to come and go is no news, in all rows or in some."""
    without = driver(4)
    del without["country_code"]
    assert verdict_on(DRIVERS, [without], "no fields gone").passed is True
    assert verdict_on(DRIVERS, [driver(1), without], "no fields gone").passed is True


def test_rows_of_two_sessions() -> None:
    """A row of another session is counted and its key named."""
    verdict = verdict_on(LAPS, [lap(1), lap(2), lap(3, session=9999)], "one session")
    assert (verdict.passed, verdict.observed) == (False, "session_key 10014, 9999")
    assert (verdict.unexpected_count, verdict.unexpected_rows) == (1, ({"session_key": 9999},))


def columns(change: Any) -> RuleVerdict:
    table = change(to_rows(LAPS, [lap(1)]).table)
    declared = [rule for rule in LAPS.rules if rule.name == "columns as declared"]
    whole = to_declared_schema(LAPS, table)
    verdicts = check_session(LAPS, declared, SessionRows(table=table))
    assert whole.num_rows == 1
    return verdicts["columns as declared"]


def test_columns_differ() -> None:
    """Missing, additional, retyped and displaced columns are distinguished."""
    assert columns(lambda table: table.drop_columns(["i1_speed"])).observed == "i1_speed is missing"
    assert columns(
        lambda table: table.append_column("tyre", table.column("i1_speed"))
    ).observed == ("tyre is not declared")
    place = to_rows(LAPS, [lap(1)]).table.column_names.index("lap_number")
    assert columns(
        lambda table: table.set_column(place, "lap_number", table.column("lap_duration"))
    ).observed == ("lap_number is double instead of int64")
    moved = columns(lambda table: table.select(list(reversed(table.column_names))))
    assert moved.passed is False
    assert moved.observed.startswith("the order is extra_fields, segments_sector_3, ")


def test_shape_is_not_for_the_library() -> None:
    """Each rule is either on rows or on the session's shape or across, never two of these."""
    assert {rule.name for rule in row_rules(LAPS)} & {"columns as declared", "one session"} == set()
