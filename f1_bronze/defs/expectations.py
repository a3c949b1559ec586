"""How many rows a session usually has, by the earlier ones of its type.

Belongs here: the band for each dataset of each session of a coverage. Stays out: the band itself
(quality/racing/volume.py), the verdict on it (the rule "rows as many as usual").
"""

from collections.abc import Mapping, Sequence

import dagster as dg

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import Dataset
from f1_bronze.defs.coverage import Coverage
from f1_bronze.defs.events import asset_key
from f1_bronze.defs.latest import latest_materializations
from f1_bronze.defs.partitions import F1_SESSIONS, registered
from f1_bronze.defs.surroundings import EARLIER_SESSIONS
from f1_bronze.quality.racing.volume import ENOUGH_SEEN, usual_band

Band = tuple[int, int]
"""The least and the most number of rows that is usual."""


def usual_rows(instance: dg.DagsterInstance, coverage: Coverage) -> Mapping[tuple[str, str], Band]:
    """By partition key and dataset the band; without one where too few earlier sessions landed.

    Two queries a dataset, for the sessions of earlier seasons.
    """
    earlier = _earlier(registered(instance)[str(F1_SESSIONS.name)], coverage)
    bands: dict[tuple[str, str], Band] = {}
    for dataset in DATASETS:
        here = {key for key, name in coverage.cells if name == dataset.name}
        counts = {key: coverage.cells[key, dataset.name].rows for key in here}
        elsewhere = {key for keys in earlier.values() for key in keys} - here
        counts |= _recorded_rows(instance, dataset, elsewhere)
        for key, keys in earlier.items():
            seen = [rows for one in keys if (rows := counts.get(one))]
            if len(seen) >= ENOUGH_SEEN:
                bands[key, dataset.name] = usual_band(seen)
    return bands


def _earlier(keys: Sequence[str], coverage: Coverage) -> dict[str, list[str]]:
    """For each session the latest registered ones of its type before it."""
    wanted = {partition.key for partition in coverage.sessions}
    by_type: dict[str, list[str]] = {}
    earlier: dict[str, list[str]] = {}
    for key in keys:
        same = by_type.setdefault(key.rpartition("/")[2], [])
        if key in wanted:
            earlier[key] = same[-EARLIER_SESSIONS:]
        same.append(key)
    return earlier


def _recorded_rows(
    instance: dg.DagsterInstance, dataset: Dataset, keys: set[str]
) -> dict[str, int | None]:
    counts: dict[str, int | None] = {}
    for key, record in latest_materializations(instance, asset_key(dataset), keys).items():
        event = record.asset_materialization
        rows = event.metadata.get("dagster/row_count") if event is not None else None
        if isinstance(rows, dg.IntMetadataValue):
            counts[key] = rows.value
    return counts
