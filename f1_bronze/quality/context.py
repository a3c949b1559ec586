"""What rules are given: the rows of the sessions, other datasets, and what was seen before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from f1_bronze.datasets.dataset import PARTITION_COLUMNS, ColumnType, Dataset
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.datasets.schema import arrow_schema

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class SessionRows:
    """The rows of one session that are to be checked, as the lake has them.

    Attributes:
        table: in the dataset's schema (`datasets.schema.arrow_schema`), `extra_fields` last.
        absent_columns: declared columns that no record of the answer had.
    """

    table: pa.Table
    absent_columns: tuple[str, ...] = ()


class CheckContext(Protocol):
    """Other datasets of the checked sessions, and what was seen before."""

    def tables(
        self, dataset: Dataset, partitions: Sequence[SessionPartition]
    ) -> Mapping[SessionPartition, pa.Table]:
        """What the lake has of another dataset; a session that is not stored is left out."""

    def earlier_rows(self, dataset: Dataset, partition: SessionPartition) -> Sequence[int]:
        """Row counts of earlier sessions of the same type, the latest first."""

    def fastest_laps(self, partition: SessionPartition) -> Sequence[float]:
        """Fastest laps in seconds of other sessions on the same circuit, wherever stored."""

    def missing_sessions(self, dataset: Dataset, year: int) -> Sequence[SessionPartition]:
        """Ended sessions of the season, as the calendar had them, that the lake lacks."""


def to_declared_schema(dataset: Dataset, table: pa.Table) -> pa.Table:
    """The table in the declared schema; a column that is missing or of another type is null.

    A rule of its own says that the stored columns differ; the other rules can still be checked.
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


def to_frame(dataset: Dataset, tables: Mapping[SessionPartition, pa.Table]) -> "pd.DataFrame":
    """All rows, session by session, with year, grand_prix and session_type in front.

    Lists are left out: no rule needs mini-sectors, and as objects they are slow. Integers with
    nulls are floats with NaN. An empty text is null: it says as little.
    """
    import pandas as pd

    schema = arrow_schema(dataset)
    flat = [field.name for field in schema if not pa.types.is_list(field.type)]
    parts = [to_declared_schema(dataset, table).select(flat) for table in tables.values()]
    frame: pd.DataFrame = pa.concat_tables([schema.empty_table().select(flat), *parts]).to_pandas()
    for column in dataset.columns:
        if column.type is ColumnType.TEXT:
            texts = frame[column.name]
            frame[column.name] = texts.where(texts.str.strip().ne(""), None)
    rows = [part.num_rows for part in parts]
    for place, name in enumerate(PARTITION_COLUMNS):
        # With a type, because without values pandas would guess one that does not compare.
        kind = "int64" if name == "year" else "str"
        values = pd.Series([getattr(partition, name) for partition in tables], dtype=kind)
        frame.insert(place, name, values.repeat(rows).reset_index(drop=True))
    return frame
