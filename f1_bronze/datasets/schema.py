"""The Arrow schema of each dataset: how each declared type is stored."""

import pyarrow as pa

from f1_bronze.datasets.dataset import EXTRA_FIELDS, PARTITION_COLUMNS, ColumnType, Dataset

STORED_AS: dict[ColumnType, pa.DataType] = {
    ColumnType.INTEGER: pa.int64(),
    ColumnType.FLOAT: pa.float64(),
    ColumnType.TEXT: pa.string(),
    ColumnType.BOOLEAN: pa.bool_(),
    ColumnType.TIMESTAMP: pa.timestamp("us", tz="UTC"),
    ColumnType.INTEGERS: pa.list_(pa.field("element", pa.int64())),
    ColumnType.JSON: pa.string(),
}

# What engines read from the folders of a partition: year, grand_prix, session_type.
PARTITION_FIELDS: tuple[pa.Field, ...] = tuple(
    pa.field(name, pa.int64() if name == "year" else pa.string()) for name in PARTITION_COLUMNS
)


def arrow_schema(dataset: Dataset) -> pa.Schema:
    """The schema of every file of the dataset: its columns in order, then `extra_fields`.

    Each field is nullable, so that an imperfect record can be stored; what must not be null
    is a rule, not a shape.
    """
    return pa.schema(
        [pa.field(column.name, STORED_AS[column.type]) for column in dataset.columns]
        + [pa.field(EXTRA_FIELDS, pa.string())]
    )
