"""Which partitions are complete: stored, recorded and checked.

A run that was killed between a file, its materialization and its checks has not finished the
partition. `--missing`, `verify --repair`, automation and `status` all go by this.
"""

from collections.abc import Collection, Mapping

import dagster as dg

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.defs.record.check_results import checked_keys
from f1_bronze.defs.record.latest import recorded_keys


def find_complete(
    instance: dg.DagsterInstance, stored: Mapping[str, Collection[SessionPartition]]
) -> dict[str, set[SessionPartition]]:
    """Those of the stored partitions, by dataset, that are recorded and checked too."""
    complete = {}
    for dataset in DATASETS:
        if dataset.name not in stored:
            continue
        keys = {partition.key for partition in stored[dataset.name]}
        done = checked_keys(instance, dataset, recorded_keys(instance, dataset, keys))
        complete[dataset.name] = {p for p in stored[dataset.name] if p.key in done}
    return complete
