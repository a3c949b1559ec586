"""The pictures of what a run lands.

Belongs here: having the tables at hand that a picture looks at. Stays out: drawing (pictures/),
where a picture is shown (events.py).
"""

import logging
from collections.abc import Collection

import pyarrow as pa

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.defs.surroundings import RunSurroundings
from f1_bronze.lake.errors import LakeError

_log = logging.getLogger(__name__)
_BY_NAME = {dataset.name: dataset for dataset in DATASETS}


class Drawing:
    """Draws one dataset of a run; a picture that fails is none, and never keeps data back."""

    def __init__(self, surroundings: RunSurroundings) -> None:
        self._surroundings = surroundings

    def prepare(self, dataset: Dataset, partitions: Collection[SessionPartition]) -> None:
        """Read what the pictures of these partitions look at, dataset by dataset."""
        from f1_bronze.pictures.of_datasets import looks_at  # keeps the code location light

        wanted: dict[str, list[SessionPartition]] = {}
        for partition in partitions:
            for name, other in looks_at(dataset, partition):
                wanted.setdefault(name, []).append(other)
        try:
            for name, others in wanted.items():
                self._surroundings.tables(_BY_NAME[name], others)
        except LakeError as error:
            _log.warning("Pictures of %s are drawn without others: %s", dataset.name, error)

    def picture(self, dataset: Dataset, partition: SessionPartition, table: pa.Table) -> str | None:
        """The picture as Markdown; None where there is nothing to draw."""
        from f1_bronze.pictures.of_datasets import looks_at, picture_of

        others = self._surroundings.kept(looks_at(dataset, partition))
        try:
            return picture_of(dataset, partition, table, others)
        except Exception:  # noqa: BLE001  a picture never keeps data from landing
            _log.exception("No picture of %s of %s", dataset.name, partition.key)
            return None
