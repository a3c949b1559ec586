"""What rules may look at besides the rows themselves.

Belongs here: the port through which a rule sees other datasets and earlier sessions. Stays out:
where these come from (defs/checks.py).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from f1_bronze.datasets.dataset import PARTITION_COLUMNS, Dataset
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.datasets.schema import arrow_schema
from f1_bronze.quality.verdicts import json_ready

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The rows of one session that are to be judged, as they lie in the lake.

    Attributes:
        table: in the dataset's schema (`datasets.schema.arrow_schema`), `extra_fields` last.
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


def conformed(dataset: Dataset, table: pa.Table) -> pa.Table:
    """The table in the declared schema; a column that is missing or of another type is null.

    That the stored columns differ is told by a rule of its own; the others go on.
    """
    schema = arrow_schema(dataset)
    if table.schema.equals(schema):
        return table
    return pa.Table.from_arrays(
        [
            table.column(field.name)
            if table.column_names.count(field.name) == 1
            and table.schema.field(field.name).type.equals(field.type)
            else pa.nulls(table.num_rows, field.type)
            for field in schema
        ],
        schema=schema,
    )


class JudgedRows:
    """All rows of the judged sessions, session by session.

    Attributes:
        partitions: the sessions in the order of their rows.
        table: all rows in the dataset's schema.
        rows: how many rows each session has.
    """

    def __init__(self, dataset: Dataset, subjects: Mapping[SessionPartition, Subject]) -> None:
        import numpy as np

        self.dataset = dataset
        self.partitions: Sequence[SessionPartition] = tuple(subjects)
        tables = [subject.table for subject in subjects.values()]
        self.table: pa.Table = pa.concat_tables([arrow_schema(dataset).empty_table(), *tables])
        self.rows: npt.NDArray[np.intp] = np.array([t.num_rows for t in tables], dtype=np.intp)

    @cached_property
    def places(self) -> "npt.NDArray[np.intp]":
        """For each row the place of its session in `partitions`."""
        import numpy as np

        return np.repeat(np.arange(len(self.partitions), dtype=np.intp), self.rows)

    @cached_property
    def frame(self) -> "pd.DataFrame":
        """The rows with year, grand_prix and session_type in front; moments are in UTC.

        Lists are left out: rules do not look into mini-sectors, and as objects they are slow.
        """
        import pandas as pd

        flat = self.table.select(
            [field.name for field in self.table.schema if not pa.types.is_list(field.type)]
        )
        # All are UTC; Great Expectations compares moments in a way that pandas will not allow
        # for those that say so.
        naive = pa.schema(
            [
                field.with_type(pa.timestamp("us")) if pa.types.is_timestamp(field.type) else field
                for field in flat.schema
            ]
        )
        sessions = pd.DataFrame(
            {name: [getattr(p, name) for p in self.partitions] for name in PARTITION_COLUMNS}
        )
        folders = sessions.take(self.places).reset_index(drop=True)
        rows: pd.DataFrame = flat.cast(naive).to_pandas()
        return pd.concat([folders, rows], axis="columns")

    def per_session(self, rows: "npt.NDArray[np.bool_] | npt.NDArray[np.intp]") -> Sequence[int]:
        """How many of these rows (a mask, or positions) each session has."""
        import numpy as np

        counts = np.bincount(self.places[rows], minlength=len(self.partitions))
        return [int(count) for count in counts]

    def shown(self, positions: Sequence[int], names: Sequence[str]) -> list[dict[str, Any]]:
        """The rows at these positions with some of their columns, as JSON-ready mappings."""
        taken = self.table.select(list(dict.fromkeys(names))).take(list(positions))
        return [json_ready(row) for row in taken.to_pylist()]

    def by_session(
        self, positions: "npt.NDArray[np.intp]", most: int
    ) -> Iterator[tuple[int, list[int]]]:
        """For each session that has some of these positions: its place and the first of them."""
        import numpy as np

        places = self.places[positions]
        for place in np.unique(places):
            yield int(place), [int(row) for row in positions[places == place][:most]]
