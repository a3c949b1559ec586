"""Convert the API's records to typed rows and back, losing nothing.

The law of this project's storage: `to_records(to_rows(records)) == records` up to the order of
rows. How a record survives typed columns:

- a value that fits its column's type is stored there;
- a value that does not fit, or whose text cannot be given back from the typed value, is kept in
  `extra_fields` under its own name, where it wins when the record is rebuilt;
- a field that is not declared is kept in `extra_fields`;
- a declared field that the record does not have is listed under `$absent` in `extra_fields`,
  or once for the whole file where no record has it (`Rows.absent`).

JSON has one kind of number: 25 and 25.0 are the same value and come back in the column's type.
"""

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from f1_bronze.datasets.dataset import EXTRA_FIELDS, ColumnType, Dataset
from f1_bronze.datasets.schema import arrow_schema
from f1_bronze.lake.errors import InvalidRecord

Record = Mapping[str, Any]

_ABSENT = "$absent"
_UNFIT = object()


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Records in their stored form.

    Attributes:
        table: one row per record, sorted by the dataset's key, in the dataset's schema.
        absent: declared fields that no record has, in declared order.
        content_sha256: hash of the records, independent of their order and of Parquet.
    """

    table: pa.Table
    absent: tuple[str, ...]
    content_sha256: str


def to_rows(dataset: Dataset, records: Iterable[Record]) -> Rows:
    """The stored form of one session's records.

    `InvalidRecord` when a record's key is missing or of the wrong type. The order of the records
    does not matter: rows are sorted by key, and rows of equal key by their whole content.
    """
    kinds = {column.field: column.type for column in dataset.columns}
    fits = [_fit_record(dataset, kinds, record) for record in records]
    absent = tuple(name for name in kinds if fits and all(name not in fitted for fitted, _ in fits))
    lines: list[tuple[tuple[tuple[bool, Any], ...], str, dict[str, Any], str | None]] = []
    for fitted, extra in fits:
        restored = _rebuild(kinds, fitted, extra)
        missing = [name for name in kinds if name not in fitted and name not in absent]
        if missing:
            extra = {**extra, _ABSENT: missing}
        key = tuple((fitted.get(n) is None, fitted.get(n) or 0) for n in dataset.key)
        lines.append((key, json_text(restored), fitted, json_text(extra) if extra else None))
    lines.sort(key=lambda line: line[:2])
    schema = arrow_schema(dataset)
    columns = [[fitted.get(name) for _, _, fitted, _ in lines] for name in kinds]
    columns.append([extra for _, _, _, extra in lines])
    table = pa.Table.from_arrays(
        [pa.array(values, type=kind.type) for values, kind in zip(columns, schema, strict=True)],
        schema=schema,
    )
    return Rows(table=table, absent=absent, content_sha256=_hash(text for _, text, _, _ in lines))


def to_records(
    dataset: Dataset, table: pa.Table, absent: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """The API's records, rebuilt from the rows of one file in the file's order.

    `absent` comes from the file's metadata (`Rows.absent`). Columns that the file does not have,
    because it was written before they were declared, are absent as well.
    """
    kinds = {column.field: column.type for column in dataset.columns}
    columns = {
        column.field: table.column(column.name).to_pylist()
        for column in dataset.columns
        if column.name in table.column_names and column.field not in absent
    }
    records = []
    for position, text in enumerate(table.column(EXTRA_FIELDS).to_pylist()):
        extra = json.loads(text) if text is not None else {}
        missing = set(extra.pop(_ABSENT, ()))
        stored = {name: values[position] for name, values in columns.items() if name not in missing}
        records.append(_rebuild(kinds, stored, extra))
    return records


def content_sha256(dataset: Dataset, table: pa.Table, absent: Sequence[str] = ()) -> str:
    """The hash of what a file holds, computed anew: `Rows.content_sha256` unless it was altered.

    ValueError, TypeError or KeyError when the rows are none that this project writes.
    """
    return _hash(json_text(record) for record in to_records(dataset, table, absent))


def json_text(value: Any) -> str:
    """Compact JSON with sorted keys; escaped to ASCII only where UTF-8 cannot hold it."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate, legal in JSON
        return json.dumps(value, sort_keys=True, separators=(",", ":"))
    return text


def timestamp_text(moment: datetime) -> str:
    """ISO 8601 as OpenF1 writes it: UTC offset, microseconds only where they are not zero.

    >>> timestamp_text(datetime(2025, 4, 13, 15, 0, tzinfo=UTC))
    '2025-04-13T15:00:00+00:00'
    """
    return moment.astimezone(UTC).isoformat()


def _hash(texts: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode("utf-8"))
        digest.update(b"\n")
    return digest.hexdigest()


def _fit_record(
    dataset: Dataset, kinds: Mapping[str, ColumnType], record: Record
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The typed values of one record, and what they cannot hold."""
    fitted: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for name, value in record.items():
        kind = kinds.get(name)
        if kind is None:
            extra[_escape(name)] = value
            continue
        stored = None if value is None else _FIT[kind](value)
        if stored is _UNFIT:
            fitted[name] = None
            extra[_escape(name)] = value
            continue
        fitted[name] = stored
        if kind is ColumnType.TIMESTAMP and stored and timestamp_text(stored) != value:
            extra[_escape(name)] = value
    for name in dataset.key:
        if fitted.get(name) is None and not dataset.column(name).nullable:
            what = "has no" if record.get(name) is None else f"has {record[name]!r} as"
            raise InvalidRecord(
                f"A record of {dataset.name} {what} {name}, which is part of its key. Nothing of "
                "this partition was written, since without that row the others would pass for "
                "the whole session. OpenF1 usually corrects such records within days: "
                "materialize the partition again later."
            )
    return fitted, extra


def _rebuild(
    kinds: Mapping[str, ColumnType], stored: Mapping[str, Any], extra: Mapping[str, Any]
) -> dict[str, Any]:
    """The record as the API gave it."""
    record = dict(stored)
    for name, value in stored.items():
        if value is not None and kinds[name] is ColumnType.TIMESTAMP:
            record[name] = timestamp_text(value)
        elif value is not None and kinds[name] is ColumnType.JSON:
            record[name] = json.loads(value)
    record.update((name.removeprefix("$"), value) for name, value in extra.items())
    return record


def _escape(name: str) -> str:
    """Names that begin with `$` are doubled, so that no field can pose as `$absent`."""
    return f"${name}" if name.startswith("$") else name


# What a column of each type stores for a value of the API; `_UNFIT` where it cannot.


def _fit_integer(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and -(2**63) <= value < 2**63 else _UNFIT


def _fit_float(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _UNFIT
    try:
        number = float(value)
    except OverflowError:
        return _UNFIT
    return number if number == value or math.isnan(number) else _UNFIT


def _fit_text(value: Any) -> Any:
    if not isinstance(value, str):
        return _UNFIT
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return _UNFIT
    return value


def _fit_boolean(value: Any) -> Any:
    return value if isinstance(value, bool) else _UNFIT


def _fit_timestamp(value: Any) -> Any:
    if not isinstance(value, str):
        return _UNFIT
    try:
        moment = datetime.fromisoformat(value)
        # Without an offset OpenF1 means UTC; the text itself is kept beside the moment.
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return _UNFIT


def _fit_integers(value: Any) -> Any:
    if not isinstance(value, list):
        return _UNFIT
    numbers = [None if item is None else _fit_integer(item) for item in value]
    return _UNFIT if any(number is _UNFIT for number in numbers) else numbers


_FIT: dict[ColumnType, Callable[[Any], Any]] = {
    ColumnType.INTEGER: _fit_integer,
    ColumnType.FLOAT: _fit_float,
    ColumnType.TEXT: _fit_text,
    ColumnType.BOOLEAN: _fit_boolean,
    ColumnType.TIMESTAMP: _fit_timestamp,
    ColumnType.INTEGERS: _fit_integers,
    ColumnType.JSON: json_text,
}
