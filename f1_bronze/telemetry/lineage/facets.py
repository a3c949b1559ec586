"""Makes the facets of events, from declarations and from what was stored."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from f1_bronze import __version__
from f1_bronze.datasets.dataset import EXTRA_FIELDS, Column, ColumnType, Dataset
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.telemetry.lineage import names
from f1_bronze.telemetry.lineage.names import PRODUCER
from f1_bronze.telemetry.redaction import remove_secrets
from f1_bronze.telemetry.run_results import CheckOutcome, RunStart, StoredPartition

if TYPE_CHECKING:
    from openlineage.client.generated.data_quality_assertions_dataset import Assertion

Facets = Mapping[str, Any]
"""Facets by the key under which an event carries them: the client's objects, or plain data."""

_GLUE_DATABASE = "f1_bronze"

_CREATED, _OVERWRITTEN = ("new", "empty"), ("changed",)


@cache
def engine() -> Facets:
    """Dagster and this package, as the engine of every run."""
    from openlineage.client.facet_v2 import processing_engine_run as engines

    try:
        dagster = version("dagster")
    except PackageNotFoundError:
        dagster = "unknown"
    facet = engines.ProcessingEngineRunFacet(
        name="Dagster",
        version=dagster,
        openlineageAdapterVersion=__version__,
        producer=PRODUCER,
    )
    return _plain({"processing_engine": facet})


def tags(**values: object) -> Facets:
    """What has no facet of its own, as run tags; None and the empty text are left out."""
    from openlineage.client.facet_v2 import tags_run

    fields = [
        tags_run.TagsRunFacetFields(
            key=key,
            value=str(value).lower() if isinstance(value, bool) else str(value),
            source="INTEGRATION",
        )
        for key, value in values.items()
        if value not in (None, "")
    ]
    return {"tags": tags_run.TagsRunFacet(tags=fields, producer=PRODUCER)}


def parent(run: RunStart) -> Facets:
    """The Dagster run as parent; it is the root too, since nothing is above a run."""
    from openlineage.client.facet_v2 import parent_run

    run_id, job = names.lineage_run_id(run.run_id, run.started_at), names.run_job(run.job)
    facet = parent_run.ParentRunFacet(
        run=parent_run.Run(runId=run_id),
        job=parent_run.Job(namespace=names.JOBS, name=job),
        root=parent_run.Root(
            run=parent_run.RootRun(runId=run_id),
            job=parent_run.RootJob(namespace=names.JOBS, name=job),
        ),
        producer=PRODUCER,
    )
    return {"parent": facet}


def error_message(message: str | None) -> Facets:
    """Why it failed, if that is known; without anything that looks like a secret."""
    from openlineage.client.facet_v2 import error_message_run

    if not message:
        return {}
    facet = error_message_run.ErrorMessageRunFacet(
        message=remove_secrets(message), programmingLanguage="python", producer=PRODUCER
    )
    return {"errorMessage": facet}


def nominal_time(stored: StoredPartition) -> Facets:
    """The session's own times, where they are known."""
    from openlineage.client.facet_v2 import nominal_time_run

    if stored.session_start is None:
        return {}
    end = stored.session_end
    facet = nominal_time_run.NominalTimeRunFacet(
        nominalStartTime=names.moment(stored.session_start),
        nominalEndTime=None if end is None else names.moment(end),
        producer=PRODUCER,
    )
    return {"nominalTime": facet}


@cache
def job_facets(kind: str, description: str) -> Facets:
    """Facets of a job; `kind` is JOB, ASSET or ASSET_CHECK."""
    from openlineage.client.facet_v2 import documentation_job, job_type_job, ownership_job

    return _plain(
        {
            "jobType": job_type_job.JobTypeJobFacet(
                processingType="BATCH", integration="DAGSTER", jobType=kind, producer=PRODUCER
            ),
            "documentation": documentation_job.DocumentationJobFacet(
                description=description, contentType="text/plain", producer=PRODUCER
            ),
            "ownership": ownership_job.OwnershipJobFacet(
                owners=[ownership_job.Owner(name=names.OWNER, type="MAINTAINER")],
                producer=PRODUCER,
            ),
        }
    )


@cache
def endpoint_facets(dataset: Dataset) -> Facets:
    """Facets of the endpoint that a dataset is made from, but for the address of one session."""
    fields = [(column.field, None, column.description) for column in dataset.columns]
    described = (
        f"OpenF1's endpoint {dataset.endpoint}, as it is asked for bronze/{dataset.name}. "
        "Data: CC BY-NC-SA 4.0."
    )
    return _plain({"schema": _schema(fields), "documentation": _documentation(described)})


@cache
def table_facets(dataset: Dataset, table: tuple[str, str], glue_database: str) -> Facets:
    """Facets of a dataset's table.

    Args:
        dataset: its declaration.
        table: namespace and name.
        glue_database: the ARN of the Glue database that has the table; empty where it is unknown.
    """
    from openlineage.client.facet_v2 import hierarchy_dataset, ownership_dataset, symlinks_dataset

    fields: list[tuple[str, str | None, str]] = [
        (column.name, column.type.value, column.description) for column in dataset.columns
    ]
    fields.append((EXTRA_FIELDS, "string", "JSON text: what no declared column can hold."))
    owner = ownership_dataset.Owner(name=names.OWNER, type="MAINTAINER")
    level = hierarchy_dataset.HierarchyDatasetFacetLevel
    levels = [level(type="SCHEMA", name="bronze"), level(type="TABLE", name=dataset.name)]
    catalog, _, database = glue_database.partition(":database/")
    glue = symlinks_dataset.Identifier(
        namespace=catalog or "glue",
        name=f"table/{database or _GLUE_DATABASE}/{dataset.name}",
        type="TABLE",
    )
    namespace, name = table
    uri = f"{namespace}/{name}" if "://" in namespace else f"file://{name}"
    return _plain(
        {
            "schema": _schema(fields),
            "documentation": _documentation(dataset.description.strip()),
            "ownership": ownership_dataset.OwnershipDatasetFacet(owners=[owner], producer=PRODUCER),
            "columnLineage": _column_lineage(dataset),
            "hierarchy": hierarchy_dataset.HierarchyDatasetFacet(
                hierarchy=levels, producer=PRODUCER
            ),
            "symlinks": symlinks_dataset.SymlinksDatasetFacet(
                identifiers=[glue], producer=PRODUCER
            ),
            **data_source(namespace, uri),
        }
    )


def data_source(name: str, uri: str) -> Facets:
    """The data source of a dataset."""
    from openlineage.client.facet_v2 import datasource_dataset as sources

    return {"dataSource": sources.DatasourceDatasetFacet(name=name, uri=uri, producer=PRODUCER)}


def content_facets(stored: StoredPartition) -> Facets:
    """Facets of the partition's content: its hash, rows, size, and whether it was written."""
    from openlineage.client.facet_v2 import (
        data_quality_metrics_dataset,
        dataset_version_dataset,
        lifecycle_state_change_dataset,
    )

    facets: dict[str, Any] = {
        "version": dataset_version_dataset.DatasetVersionDatasetFacet(
            datasetVersion=stored.content_sha256, producer=PRODUCER
        ),
        "dataQualityMetrics": data_quality_metrics_dataset.DataQualityMetricsDatasetFacet(
            columnMetrics={},
            rowCount=stored.rows,
            bytes=stored.size_bytes,
            fileCount=1,
            producer=PRODUCER,
        ),
    }
    if was_written(stored):
        change = lifecycle_state_change_dataset.LifecycleStateChange
        facets["lifecycleStateChange"] = (
            lifecycle_state_change_dataset.LifecycleStateChangeDatasetFacet(
                lifecycleStateChange=(
                    change.CREATE if stored.revision in _CREATED else change.OVERWRITE
                ),
                producer=PRODUCER,
            )
        )
    return facets


def was_written(stored: StoredPartition) -> bool:
    """Whether the run wrote the lake's file, and did not only find it to be the same."""
    return stored.revision in (*_CREATED, *_OVERWRITTEN)


def output_facets(stored: StoredPartition) -> Facets:
    """The partition that was written, with rows, bytes and files where something was."""
    from openlineage.client.facet_v2 import output_statistics_output_dataset as statistics

    if not was_written(stored):
        return output_subset(stored.partition)
    written = statistics.OutputStatisticsOutputDatasetFacet(
        rowCount=stored.rows, size=stored.size_bytes, fileCount=1, producer=PRODUCER
    )
    return {**output_subset(stored.partition), "outputStatistics": written}


def output_subset(*partitions: SessionPartition) -> Facets:
    """The partitions of the table that are written."""
    from openlineage.client.facet_v2 import base_subset_dataset as subsets

    condition = _condition(partitions)
    facet = subsets.OutputSubsetOutputDatasetFacet(outputCondition=condition, producer=PRODUCER)
    return {"subset": facet}


def input_subset(*partitions: SessionPartition) -> Facets:
    """The partitions of the table that are read."""
    from openlineage.client.facet_v2 import base_subset_dataset as subsets

    condition = _condition(partitions)
    return {
        "subset": subsets.InputSubsetInputDatasetFacet(inputCondition=condition, producer=PRODUCER)
    }


def assertions(checks: Iterable[CheckOutcome]) -> Facets:
    """What the checks found; a rule that was not checked asserts nothing."""
    from openlineage.client.facet_v2 import data_quality_assertions_dataset as quality

    found = [assertion for check in checks for assertion in _check_assertions(check)]
    return {
        "dataQualityAssertions": quality.DataQualityAssertionsDatasetFacet(
            assertions=found, producer=PRODUCER
        )
    }


def _check_assertions(check: CheckOutcome) -> "Iterator[Assertion]":
    from openlineage.client.generated.data_quality_assertions_dataset import Assertion

    if not check.rules:
        yield Assertion(
            assertion=check.check,
            name=check.check,
            success=check.passed,
            severity=check.severity.lower(),
            params={"partition": check.partition.key},
        )
    for rule in check.rules:
        if rule["passed"] is not None:
            yield Assertion(
                assertion=rule["rule"],
                name=f"{check.check}/{rule['rule']}",
                success=rule["passed"],
                severity=rule["severity"].lower(),
                column=rule.get("column"),
                actual=rule["observed"],
                params={
                    "partition": check.partition.key,
                    "unexpected_count": rule["unexpected_count"],
                    "rows_seen": rule["rows_seen"],
                },
            )


def _condition(partitions: Iterable[SessionPartition]) -> Any:
    from openlineage.client.facet_v2 import base_subset_dataset as subsets

    return subsets.PartitionSubsetCondition(
        partitions=[
            subsets.Partition(
                identifier=one.key,
                dimensions={
                    "year": str(one.year),
                    "grand_prix": one.grand_prix,
                    "session_type": one.session_type,
                },
            )
            for one in partitions
        ]
    )


def _schema(fields: Iterable[tuple[str, str | None, str]]) -> Any:
    from openlineage.client.facet_v2 import schema_dataset

    return schema_dataset.SchemaDatasetFacet(
        fields=[
            schema_dataset.SchemaDatasetFacetFields(
                name=name, type=kind, description=description, ordinal_position=place
            )
            for place, (name, kind, description) in enumerate(fields, 1)
        ],
        producer=PRODUCER,
    )


def _documentation(text: str) -> Any:
    from openlineage.client.facet_v2 import documentation_dataset

    return documentation_dataset.DocumentationDatasetFacet(
        description=text, contentType="text/plain", producer=PRODUCER
    )


def _column_lineage(dataset: Dataset) -> Any:
    from openlineage.client.facet_v2 import column_lineage_dataset as lineage

    def input_field(field: str, kind: str, subtype: str, description: str | None) -> Any:
        how = lineage.Transformation(type=kind, subtype=subtype, description=description)
        return lineage.InputField(
            namespace=names.API, name=dataset.endpoint, field=field, transformations=[how]
        )

    return lineage.ColumnLineageDatasetFacet(
        fields={
            column.name: lineage.Fields(
                inputFields=[input_field(column.field, "DIRECT", *_transformation(column))]
            )
            for column in dataset.columns
        },
        dataset=[
            input_field("session_key", "INDIRECT", "FILTER", "the rows of one session"),
            *(input_field(key, "INDIRECT", "SORT", "the order of rows") for key in dataset.key),
        ],
        producer=PRODUCER,
    )


def _transformation(column: Column) -> tuple[str, str | None]:
    if column.type is ColumnType.JSON:
        return "TRANSFORMATION", "kept as JSON text, since its type varies"
    if column.type is ColumnType.TIMESTAMP:
        return "TRANSFORMATION", "ISO 8601 text to a moment in UTC"
    return "IDENTITY", None


def _plain(facets: Facets) -> Facets:
    """The facets as plain data.

    What a declaration alone decides is kept so, because the client takes a millisecond to turn an
    object with a hundred columns into JSON, and a season has hundreds of them.
    """
    from openlineage.client.serde import Serde

    return {key: Serde.to_dict(facet) for key, facet in facets.items()}
