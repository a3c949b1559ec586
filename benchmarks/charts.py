"""What the charts of a season cost, once its tables are at hand as they are in a run."""

import time
from collections.abc import Collection

import pyarrow as pa

from f1_bronze.charts.dataset_charts import TableKey, draw_dataset_chart
from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.lake.lake import Lake


def draw_season(lake: Lake, partitions: Collection[SessionPartition]) -> tuple[float, list[int]]:
    """Seconds for drawing every chart of these stored sessions, and the length of each."""
    tables: dict[TableKey, pa.Table] = {
        (dataset.name, partition): lake.read(dataset, partition).table
        for dataset in DATASETS[1:]  # sessions have no chart
        for partition in partitions
        if dataset.exists_for(partition.session_type)
    }
    by_name = {dataset.name: dataset for dataset in DATASETS}
    began = time.perf_counter()
    drawn = [
        draw_dataset_chart(by_name[name], partition, table, tables)
        for (name, partition), table in tables.items()
    ]
    return time.perf_counter() - began, [len(one) for one in drawn if one is not None]
