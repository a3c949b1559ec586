"""What people mean by a dataset's or a partition's name, and what else it could have been.

Belongs here: from words of a command line to datasets, and the nearest names in the lake. Stays
out: what a command does with them.
"""

from typing import TYPE_CHECKING

import click

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import Dataset

if TYPE_CHECKING:
    from f1_bronze.lake.lake import Lake


def dataset_named(name: str) -> Dataset:
    """The dataset of that name; a usage error that names the nearest when there is none."""
    from f1_bronze.openf1.calendar import nearest

    by_name = {dataset.name: dataset for dataset in DATASETS}
    if name not in by_name:
        near = nearest(name, by_name)
        meant = f"Did you mean {' or '.join(near)}? " if near else ""
        raise click.UsageError(
            f"There is no dataset {name!r}. {meant}Choose from {', '.join(by_name)}."
        )
    return by_name[name]


def nearest_in(lake: "Lake", dataset: Dataset, key: str) -> str:
    """A sentence with the nearest partitions that the lake holds or has held; empty if none is."""
    from f1_bronze.lake.paths import (
        KeptAs,
        dataset_folder,
        dataset_revisions,
        read_file_path,
        read_kept_path,
    )
    from f1_bronze.openf1.calendar import nearest

    known = {
        found[1].key
        for entry in lake.store.list(dataset_folder(dataset.name))
        if (found := read_file_path(entry.path))
    } | {
        kept.partition.key
        for entry in lake.store.list(dataset_revisions(dataset.name))
        if (kept := read_kept_path(entry.path)) and kept.kept_as is not KeptAs.ARRIVED
    }
    near = nearest(key, known)
    return f" In the lake are {', '.join(near)}, …" if near else ""
