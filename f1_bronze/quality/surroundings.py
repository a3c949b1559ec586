"""What rules may look at besides the rows themselves.

Belongs here: the port through which a rule sees other datasets and earlier sessions. Stays out:
where these come from (defs/checks.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.partition import SessionPartition


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The rows of one session that are to be judged, as they lie in the lake.

    Attributes:
        table: in the dataset's schema (`lake.schema.arrow_schema`), `extra_fields` last.
        absent_columns: declared columns that no record of the answer had.
    """

    table: pa.Table
    absent_columns: tuple[str, ...] = ()


class Surroundings(Protocol):
    """Other datasets of the judged sessions, and what was seen before."""

    def tables(
        self, dataset: Dataset, partitions: Sequence[SessionPartition]
    ) -> Mapping[SessionPartition, pa.Table]:
        """What the lake holds of another dataset; a session that has not landed is left out."""

    def earlier_rows(self, dataset: Dataset, partition: SessionPartition) -> Sequence[int]:
        """Row counts of sessions of the same type that landed before, the latest first."""

    def fastest_laps(self, partition: SessionPartition) -> Sequence[float]:
        """Fastest laps in seconds of other sessions on the same circuit, wherever landed."""

    def not_landed(self, dataset: Dataset, year: int) -> Sequence[SessionPartition]:
        """Ended sessions of the season, as the calendar had them, that the lake lacks."""
