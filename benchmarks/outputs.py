"""Reads back what each program stored, and compares it with what the API has, record for record."""

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from f1_bronze.datasets import DATASETS
from f1_bronze.lake.lake import Lake
from f1_bronze.simulator.sources import SeasonSource

RACES = {"race", "sprint"}
JSON_TEXT = {"duration", "gap_to_leader"}
"""Fields of results that are a number, a text or a list."""


class DifferentOutputs(Exception):
    """A program did not store what the API has, so its time says nothing."""


def expected_records(
    source: SeasonSource, years: Iterable[int], types: str
) -> dict[str, Counter[str]]:
    """Each dataset's records of the ended sessions, straight from the simulator's source."""
    seasons, now = set(years), datetime.now(UTC)
    found: dict[str, list[Mapping[str, Any]]] = {dataset.name: [] for dataset in DATASETS}
    for session in source.sessions():
        slug = str(session["session_name"]).lower().replace(" ", "_")
        ended = datetime.fromisoformat(str(session["date_end"])) < now
        if int(session["year"]) not in seasons or not ended or session.get("is_cancelled"):
            continue
        if types != "all" and slug not in types.split(","):
            continue
        found["sessions"].append(session)
        for dataset in DATASETS[1:]:
            if dataset.exists_for(slug):
                key = int(session["session_key"])
                found[dataset.name] += source.rows(dataset.endpoint, key)
    return {name: _count(records) for name, records in found.items()}


def compare(who: str, expected: Mapping[str, Counter[str]], stored: Mapping[str, Any]) -> int:
    """The number of records, when all are as expected; `DifferentOutputs` when not."""
    for name, records in expected.items():
        got = _count(stored.get(name, ()))
        if got != records:
            lacks, has = records - got, got - records
            raise DifferentOutputs(
                f"{who} has {got.total()} records of {name} in place of {records.total()}: it "
                f"lacks {lacks.total()}, such as {next(iter(lacks), '')}, and has "
                f"{has.total()} others, such as {next(iter(has), '')}."
            )
    return sum(records.total() for records in expected.values())


def read_ours(lake_uri: str, years: Iterable[int]) -> dict[str, Iterator[Mapping[str, Any]]]:
    """The API's records, rebuilt from our files."""
    lake = Lake.at(lake_uri)

    def records(dataset: Any) -> Iterator[Mapping[str, Any]]:
        stored = lake.stored_partitions(dataset.name, list(years))
        for file in lake.read_all(dataset, stored).values():
            yield from file.records(dataset)

    return {dataset.name: records(dataset) for dataset in DATASETS}


def read_script(folder: Path) -> dict[str, Iterator[Mapping[str, Any]]]:
    """The records of a script's files."""
    return _read(folder, "{name}/*.parquet", dict)


def read_dlt(folder: Path) -> dict[str, Iterator[Mapping[str, Any]]]:
    """The records of dlt's files: a field of several types has a column for each."""

    def merge(row: Mapping[str, Any]) -> dict[str, Any]:
        record: dict[str, Any] = {}
        for name, value in row.items():
            field = name.split("__v_")[0]
            if not name.startswith("_dlt") and record.get(field) is None:
                record[field] = value
        return record

    return _read(folder, "openf1/{name}/*.parquet", merge)


def _read(
    folder: Path, pattern: str, clean: Callable[[Mapping[str, Any]], dict[str, Any]]
) -> dict[str, Iterator[Mapping[str, Any]]]:
    def records(name: str) -> Iterator[Mapping[str, Any]]:
        for path in sorted(folder.glob(pattern.format(name=name))):
            for row in pq.ParquetFile(path).read().to_pylist():
                record = clean(row)
                for field, value in record.items():
                    if isinstance(value, str) and (field in JSON_TEXT or value[:1] == "["):
                        record[field] = _from_json(value)
                yield record

    return {dataset.name: records(dataset.name) for dataset in DATASETS}


def _from_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _count(records: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """How often each record is there; a field that is null and one that is not there are alike."""
    return Counter(
        json.dumps({k: v for k, v in _plain(one).items() if v is not None}, sort_keys=True)
        for one in records
    )


def _plain(value: Any) -> Any:
    """A value in one form, whatever type a library gave it: 25.0 is 25, moments are in UTC."""
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return None if math.isnan(value) else int(value) if value.is_integer() else value
    if isinstance(value, str) and len(value) > 18 and value[4:5] == "-" and value[10:11] == "T":
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return value
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=UTC)
        return moment.astimezone(UTC).isoformat()
    return value
