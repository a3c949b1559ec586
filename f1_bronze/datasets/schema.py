"""From a declaration to its Arrow schema.

Belongs here: how each declared type is stored. Stays out: the values (records.py).
"""

from functools import cache

import pyarrow as pa

from f1_bronze.datasets.dataset import EXTRA_FIELDS, ColumnType, Dataset

STORED_AS: dict[ColumnType, pa.DataType] = {
    ColumnType.INTEGER: pa.int64(),
    ColumnType.FLOAT: pa.float64(),
    ColumnType.TEXT: pa.string(),
    ColumnType.BOOLEAN: pa.bool_(),
    ColumnType.TIMESTAMP: pa.timestamp("us", tz="UTC"),
    ColumnType.INTEGERS: pa.list_(pa.field("element", pa.int64())),
    ColumnType.JSON: pa.string(),
}


@cache
def _schema_of(columns: tuple[tuple[str, ColumnType], ...]) -> pa.Schema:
    return pa.schema(
        [pa.field(name, STORED_AS[kind]) for name, kind in columns]
        + [pa.field(EXTRA_FIELDS, pa.string())]
    )


def arrow_schema(dataset: Dataset) -> pa.Schema:
    """The schema of every file of the dataset: its columns in order, then `extra_fields`.

    Each field is nullable, so that an imperfect record can be stored; what must not be null
    is a rule, not a shape.
    """
    return _schema_of(tuple((column.name, column.type) for column in dataset.columns))
