"""Table definitions for catalogs of the Hive family: columns, partition keys, projection, DDL.

Pure: nothing is asked and nothing is sent. `tools/glue_template.py` makes the CloudFormation
template of them, docs/guides/reading.md says how engines read the tables, docs/adr/0008 why
partitions are projected like this.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import EXTRA_FIELDS, PARTITION_COLUMNS, ColumnType, Dataset
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.lake import paths

# What tables list, the defaults of the stack: Grands Prix and tests of the seasons 2023 to 2026 as
# slugs, every session type that OpenF1 has named, first and last season. One name a line would be
# a page.
# fmt: off
GRANDS_PRIX = (
    "abu_dhabi", "australian", "austrian", "azerbaijan", "bahrain", "bahrain_1308",
    "barcelona_catalunya", "belgian", "british", "canadian", "chinese", "dutch",
    "emilia_romagna", "hungarian", "italian", "japanese", "las_vegas", "mexico_city", "miami",
    "monaco", "pre_season_testing", "qatar", "sao_paulo", "saudi_arabian", "singapore",
    "spanish", "united_states",
)
SESSION_TYPES = (
    "day_1", "day_2", "day_3", "practice_1", "practice_2", "practice_3", "qualifying", "race",
    "sprint", "sprint_qualifying",
)
# fmt: on
YEARS = (2018, 2040)

_EXTRA_COMMENT = "JSON text: whatever a record held that no declared column can; mostly null."
_PARTITION_COMMENTS = {
    "year": "Season.",
    "grand_prix": "Slug of the Grand Prix, for example sao_paulo.",
    "session_type": "Slug of the session's name, for example race or sprint_qualifying.",
}
_PARQUET = {
    "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    "SerDe": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
}
_JSON = {
    "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
    "SerDe": "org.apache.hive.hcatalog.data.JsonSerDe",
}


@dataclass(frozen=True, kw_only=True)
class TableColumn:
    """One column of a catalog's table, with its type as Hive writes it."""

    name: str
    type: str
    comment: str


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table as a catalog has it.

    Attributes:
        folder: below the lake's root, ending in `/`.
        formats: the classes that read it.
        projection: table properties from which Athena computes the partitions; values may be
            CloudFormation functions.
        properties: other table properties.
    """

    name: str
    description: str
    columns: tuple[TableColumn, ...]
    partition_keys: tuple[TableColumn, ...]
    folder: str
    formats: dict[str, str]
    projection: dict[str, Any]
    properties: dict[str, str]


def dataset_table(dataset: Dataset) -> Table:
    """The table of one dataset: its columns, `extra_fields`, and the partition columns."""
    types: Any = {"Fn::Join": [",", {"Ref": "SessionTypes"}]}
    if dataset.session_types is not None:
        types = ",".join(sorted(dataset.session_types))
    return Table(
        name=dataset.name,
        description=" ".join(dataset.description.split()),
        columns=(
            *(
                TableColumn(name=c.name, type=_hive_type(c.type), comment=c.description)
                for c in dataset.columns
            ),
            TableColumn(name=EXTRA_FIELDS, type="string", comment=_EXTRA_COMMENT),
        ),
        partition_keys=tuple(
            TableColumn(
                name=name,
                type="bigint" if name == "year" else "string",
                comment=_PARTITION_COMMENTS[name],
            )
            for name in PARTITION_COLUMNS
        ),
        folder=paths.dataset_folder(dataset.name),
        formats=_PARQUET,
        projection={
            **_integers("year", {"Fn::Sub": "${FirstYear},${LastYear}"}),
            **_listed("grand_prix", {"Fn::Join": [",", {"Ref": "GrandsPrix"}]}),
            **_listed("session_type", types),
        },
        properties={
            "classification": "parquet",
            "parquet.compression": "SNAPPY",
            "f1_bronze.schema_version": str(dataset.schema_version),
        },
    )


def events_table(name: str) -> Table:
    """A table of lineage events: one OpenLineage event per line."""
    named = "array<struct<namespace:string,name:string>>"
    columns = (
        ("eventtime", "string", "When it happened, ISO 8601: from_iso8601_timestamp(eventtime)."),
        ("eventtype", "string", "START, COMPLETE, FAIL, …, as OpenLineage says it."),
        ("run", "struct<runid:string>", "The OpenLineage run, a UUID v7."),
        ("job", "struct<namespace:string,name:string>", "What ran."),
        ("inputs", named, "Datasets that were read."),
        ("outputs", named, "Datasets that were written."),
        ("producer", "string", "The code that wrote the event."),
    )
    return _lineage_table(
        name, "One row per OpenLineage event of the bronze layer.", "events", columns, _JSON
    )


def summaries_table() -> Table:
    """The table of the daily summaries; their column `day` is the partition's."""
    columns = (
        ("job", "string", "OpenLineage's name of the job."),
        ("dataset", "string", "The dataset; null where the job is a Dagster run."),
        ("runs", "bigint", "OpenLineage runs that had an event on that day."),
        ("completed", "bigint", "Those that completed."),
        ("failures", "bigint", "Those that failed."),
        ("aborted", "bigint", "Those that were cancelled."),
        ("rows", "bigint", "Rows that were written."),
        ("bytes", "bigint", "Bytes that were written."),
        ("files", "bigint", "Files that were written."),
        ("assertions", "bigint", "Rules that were checked."),
        ("failed_assertions", "bigint", "Those that failed."),
        ("events", "bigint", "Events of that day."),
        ("first_event", "timestamp", "Time of the first, UTC."),
        ("last_event", "timestamp", "Time of the last, UTC."),
    )
    described = "One row per day, job and dataset: runs, rows, checks and events."
    return _lineage_table("lineage_summaries", described, "summaries", columns, _PARQUET)


def _lineage_table(
    name: str,
    description: str,
    folder: str,
    columns: Iterable[tuple[str, str, str]],
    formats: dict[str, str],
) -> Table:
    days = (("year", "Year, UTC."), ("month", "Month, 1 to 12."), ("day", "Day, 1 to 31."))
    return Table(
        name=name,
        description=description,
        columns=tuple(TableColumn(name=n, type=t, comment=c) for n, t, c in columns),
        partition_keys=tuple(TableColumn(name=n, type="bigint", comment=c) for n, c in days),
        folder=f"lineage/{folder}/",
        formats=formats,
        projection={
            **_integers("year", {"Fn::Sub": "${FirstYear},${LastYear}"}),
            **_integers("month", "1,12"),
            "projection.month.digits": "2",
            **_integers("day", "1,31"),
            "projection.day.digits": "2",
        },
        properties={"classification": "json" if formats is _JSON else "parquet"},
    )


def tables() -> tuple[Table, ...]:
    """The six datasets, the lineage events under both of their names, and their summaries."""
    return (
        *(dataset_table(dataset) for dataset in DATASETS),
        *(events_table(name) for name in ("lineage", "lineage_events")),
        summaries_table(),
    )


def unlisted(partitions: Iterable[SessionPartition]) -> list[SessionPartition]:
    """Partitions that Athena would skip in silence with the stack's default parameters."""
    return sorted(one for one in partitions if unlisted_values([one]))


def unlisted_values(partitions: Iterable[SessionPartition]) -> dict[str, list[str]]:
    """Values that the stack's parameters lack for these partitions, by parameter.

    >>> unlisted_values([SessionPartition.parse("2030/bahrain_1400/race")])
    {'GrandsPrix': ['bahrain_1400']}
    """
    partitions = list(partitions)
    first, last = YEARS
    lacking = {
        "FirstYear": {str(one.year) for one in partitions if one.year < first},
        "LastYear": {str(one.year) for one in partitions if one.year > last},
        "GrandsPrix": {one.grand_prix for one in partitions} - set(GRANDS_PRIX),
        "SessionTypes": {one.session_type for one in partitions} - set(SESSION_TYPES),
    }
    return {parameter: sorted(values) for parameter, values in lacking.items() if values}


def hive_ddl(table: Table, location: str) -> str:
    """`CREATE EXTERNAL TABLE` for Spark and Hive, over a lake's root that ends in `/`."""
    serde, reads, writes = (table.formats[n] for n in ("SerDe", "InputFormat", "OutputFormat"))
    return (
        f"CREATE EXTERNAL TABLE {table.name} (\n  {_ddl_columns(table.columns)}\n)\n"
        f"COMMENT {_quoted(table.description)}\n"
        f"PARTITIONED BY (\n  {_ddl_columns(table.partition_keys)}\n)\n"
        f"ROW FORMAT SERDE {_quoted(serde)}\n"
        f"STORED AS INPUTFORMAT {_quoted(reads)} OUTPUTFORMAT {_quoted(writes)}\n"
        f"LOCATION {_quoted(location + table.folder)}"
    )


def _hive_type(kind: ColumnType) -> str:
    return "string" if kind is ColumnType.JSON else kind.value


def _integers(name: str, bounds: Any) -> dict[str, Any]:
    return {f"projection.{name}.type": "integer", f"projection.{name}.range": bounds}


def _listed(name: str, values: Any) -> dict[str, Any]:
    return {f"projection.{name}.type": "enum", f"projection.{name}.values": values}


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _ddl_columns(columns: Iterable[TableColumn]) -> str:
    return ",\n  ".join(f"`{c.name}` {c.type} COMMENT {_quoted(c.comment)}" for c in columns)
