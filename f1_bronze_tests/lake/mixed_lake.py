"""A lake with all that makes reading hard, and its rows as every engine should give them.

Belongs here: what was landed, and one form of rows in which engines can be compared. Stays out:
the engines (test_readers.py, test_spark.py).
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from f1_bronze.datasets.dataset import EXTRA_FIELDS, Dataset
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.lake.lake import Lake
from f1_bronze.lake.landing import Landing
from f1_bronze.lake.local import LocalStore

from .candidates import candidate
from .examples import lap, pit_stop, session

OLD, EMPTY, BARE = "2022/bahrain/race", "2023/bahrain/race", "2025/70th_anniversary/qualifying"
PARTITIONS = {
    9000: OLD,
    9001: EMPTY,
    9002: "2024/bahrain/race",
    9003: "2024/sao_paulo/sprint",
    9004: BARE,
}
"""Session key → partition: written before the last column was declared, without rows, sound,
sound, all null but the key. In the order of their folders the first lacks a column."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BARE_KEY = {"driver_number": 4, "stint_number": 1, "lap_number": 1}
_SOUND: dict[str, list[dict[str, Any]]] = {
    "sessions": [session(0, 2024, "Race", "Race") | {"is_cancelled": False}],
    "drivers": [
        {"driver_number": 4, "full_name": "Lando Norris", "country_code": "GBR"},
        {"driver_number": 81, "full_name": "Oscar Piastri", "broadcast_name": "Ø 'quoted' \"x\""},
    ],
    "results": [
        {"driver_number": 4, "points": 25, "duration": 5400.5, "gap_to_leader": 0, "dsq": False},
        {"driver_number": 81, "points": 18.0, "gap_to_leader": "+1 LAP", "dsq": True},
    ],
    "laps": [
        lap(1, date_start="2024-03-02T15:00:00.123456+00:00", segments_sector_3=[2049, None]),
        lap(2, st_speed="fast", tyre="SOFT"),
    ],
    "stints": [
        {
            "driver_number": 4,
            "stint_number": 1,
            "lap_start": 1,
            "lap_end": 20,
            "tyre_age_at_start": 0,
        }
    ],
    "pit_stops": [pit_stop(10, stop_duration=2.5), pit_stop(None)],
}


def before_last_column(dataset: Dataset) -> Dataset:
    """The dataset as it was declared before its last column and the rules about that."""
    return replace(dataset, columns=dataset.columns[:-1], rules=())


def after(dataset: Dataset) -> Dataset:
    """The dataset as it is declared, one version further than `before_last_column`."""
    return replace(dataset, schema_version=dataset.schema_version + 1)


def records(dataset: Dataset, session_key: int) -> list[dict[str, Any]]:
    """What OpenF1 answers for one of the sessions."""
    if PARTITIONS[session_key] == EMPTY:
        return []
    bare = [{name: _BARE_KEY[name] for name in dataset.key if name != "session_key"}]
    found = bare if PARTITIONS[session_key] == BARE else _SOUND[dataset.name]
    return [{**record, "session_key": session_key} for record in found]


def put(
    root: Path, dataset: Dataset, session_key: int, rows: list[dict[str, Any]] | None = None
) -> Landing:
    """Land one of the sessions under a declaration."""
    return Lake(LocalStore(root)).land(
        candidate(
            records(dataset, session_key) if rows is None else rows,
            dataset=dataset,
            partition=SessionPartition.parse(PARTITIONS[session_key]),
            session_key=session_key,
        )
    )


def fill(root: Path, dataset: Dataset) -> str:
    """Land all sessions, the first under the older declaration; returns the dataset's folder."""
    for session_key, partition in PARTITIONS.items():
        put(root, (before_last_column if partition == OLD else after)(dataset), session_key)
    return str(root / "bronze" / dataset.name)


def comparable(rows: Iterable[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """Rows in one form and order: moments as microseconds since 1970, lists as tuples."""
    found = [tuple(_plain(value) for value in row) for row in rows]
    return sorted(found, key=repr)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return (value - _EPOCH) // timedelta(microseconds=1)
    if isinstance(value, list | tuple):
        return tuple(_plain(part) for part in value)
    return value


def expected(dataset: Dataset) -> list[tuple[Any, ...]]:
    """The rows of the whole lake by what was landed, each column filled by hand where it is plain.

    Columns: year, grand_prix, session_type, session_key, and the number in the last column of the
    key, which every dataset has.
    """
    last = dataset.key[-1]
    rows = []
    for session_key, partition in PARTITIONS.items():
        year, grand_prix, session_type = partition.split("/")
        for record in records(dataset, session_key):
            rows.append((int(year), grand_prix, session_type, session_key, record.get(last)))
    return sorted(rows, key=repr)


def columns_of_expected(dataset: Dataset) -> list[str]:
    """The columns that `expected` gives."""
    return ["year", "grand_prix", "session_type", "session_key", dataset.key[-1]]


def unseen(dataset: Dataset) -> set[str]:
    """Columns that readers without the declared schema miss, as long as the old file is there."""
    return {dataset.columns[-1].name} - {EXTRA_FIELDS}
