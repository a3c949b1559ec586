"""Facets of datasets: OpenF1's endpoints and the lake's files.

Belongs here: from declarations and what landed to the official client's facet classes. Stays out:
facets of runs and jobs (run_facets.py), which event carries which (events.py).
"""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from f1_bronze import __version__
from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import EXTRA_FIELDS, Column, ColumnType, Dataset
from f1_bronze.telemetry.lineage import names
from f1_bronze.telemetry.redaction import remove_secrets
from f1_bronze.telemetry.run_results import CheckOutcome, RunStart, StoredPartition

if TYPE_CHECKING:
    from openlineage.client.generated.data_quality_assertions_dataset import Assertion


Facets = dict[str, Any]
"""Facets by the key under which an event carries them: the client's objects, or plain data."""

_BY = names.PRODUCER

_CREATED, _OVERWRITTEN = ("new", "empty"), ("changed",)


def plain(facets: Facets) -> Mapping[str, Any]:
    """The facets as plain data.

    What a declaration alone decides is kept so, because the client takes a millisecond to turn an
    object with a hundred columns into JSON, and a season has hundreds of them.
    """
    from openlineage.client.serde import Serde

    return {key: Serde.to_dict(facet) for key, facet in facets.items()}


def by_name(name: str) -> Dataset | None:
    """The dataset of that name; None for one that is not declared any more."""
    return next((dataset for dataset in DATASETS if dataset.name == name), None)


@cache
def of_endpoint(dataset: Dataset) -> Mapping[str, Any]:
    """Facets of the endpoint that a dataset is made from, but for the address of one session."""
    from openlineage.client.facet_v2 import documentation_dataset, schema_dataset

    fields = [
        schema_dataset.SchemaDatasetFacetFields(
            name=column.field, description=column.description, ordinal_position=place
        )
        for place, column in enumerate(dataset.columns, 1)
    ]
    return plain(
        {
            "schema": schema_dataset.SchemaDatasetFacet(fields=fields, producer=_BY),
            "documentation": documentation_dataset.DocumentationDatasetFacet(
                description=f"OpenF1's endpoint {dataset.endpoint}, as it is asked for "
                f"bronze/{dataset.name}. Data: CC BY-NC-SA 4.0.",
                contentType="text/plain",
                producer=_BY,
            ),
        }
    )


def source(name: str, uri: str) -> Facets:
    """The data source of a dataset."""
    from openlineage.client.facet_v2 import datasource_dataset

    return {
        "dataSource": datasource_dataset.DatasourceDatasetFacet(name=name, uri=uri, producer=_BY)
    }


@cache
def of_files(dataset: Dataset) -> Mapping[str, Any]:
    """Facets that every file of a dataset has."""
    from openlineage.client.facet_v2 import (
        documentation_dataset,
        ownership_dataset,
        schema_dataset,
    )

    named = [(c.name, c.type.value, c.description) for c in dataset.columns]
    named.append((EXTRA_FIELDS, "string", "JSON text: what no declared column can hold."))
    fields = [
        schema_dataset.SchemaDatasetFacetFields(
            name=name, type=kind, description=description, ordinal_position=place
        )
        for place, (name, kind, description) in enumerate(named, 1)
    ]
    owner = ownership_dataset.Owner(name=names.OWNER, type="MAINTAINER")
    return plain(
        {
            "schema": schema_dataset.SchemaDatasetFacet(fields=fields, producer=_BY),
            "documentation": documentation_dataset.DocumentationDatasetFacet(
                description=dataset.description.strip(), contentType="text/plain", producer=_BY
            ),
            "ownership": ownership_dataset.OwnershipDatasetFacet(owners=[owner], producer=_BY),
            "columnLineage": _column_lineage(dataset),
        }
    )


def _column_lineage(dataset: Dataset) -> Any:
    from openlineage.client.facet_v2 import column_lineage_dataset as lineage

    def of_field(field: str, kind: str, subtype: str, description: str | None = None) -> Any:
        how = lineage.Transformation(type=kind, subtype=subtype, description=description)
        return lineage.InputField(
            namespace=names.API, name=dataset.endpoint, field=field, transformations=[how]
        )

    return lineage.ColumnLineageDatasetFacet(
        fields={
            column.name: lineage.Fields(
                inputFields=[of_field(column.field, "DIRECT", *_transformation(column))]
            )
            for column in dataset.columns
        },
        dataset=[
            of_field("session_key", "INDIRECT", "FILTER", "the rows of one session"),
            *(of_field(key, "INDIRECT", "SORT", "the order of rows") for key in dataset.key),
        ],
        producer=_BY,
    )


def _transformation(column: Column) -> tuple[str, str | None]:
    if column.type is ColumnType.JSON:
        return "TRANSFORMATION", "kept as JSON text, since its type varies"
    if column.type is ColumnType.TIMESTAMP:
        return "TRANSFORMATION", "ISO 8601 text to a moment in UTC"
    return "IDENTITY", None


def of_file(landed: StoredPartition) -> Facets:
    """Facets of the one file that landed: its content's hash, rows, size, and what became of it."""
    from openlineage.client.facet_v2 import (
        data_quality_metrics_dataset,
        dataset_version_dataset,
        hierarchy_dataset,
        lifecycle_state_change_dataset,
    )

    level = hierarchy_dataset.HierarchyDatasetFacetLevel
    facets: Facets = {
        "version": dataset_version_dataset.DatasetVersionDatasetFacet(
            datasetVersion=landed.content_sha256, producer=_BY
        ),
        "hierarchy": hierarchy_dataset.HierarchyDatasetFacet(
            hierarchy=[
                level(type="SCHEMA", name="bronze"),
                level(type="TABLE", name=landed.dataset),
                level(type="PARTITION", name=landed.partition.key),
            ],
            producer=_BY,
        ),
        "dataQualityMetrics": data_quality_metrics_dataset.DataQualityMetricsDatasetFacet(
            columnMetrics={},
            rowCount=landed.rows,
            bytes=landed.size_bytes,
            fileCount=1,
            producer=_BY,
        ),
    }
    if was_written(landed):
        change = lifecycle_state_change_dataset.LifecycleStateChange
        facets["lifecycleStateChange"] = (
            lifecycle_state_change_dataset.LifecycleStateChangeDatasetFacet(
                lifecycleStateChange=(
                    change.CREATE if landed.revision in _CREATED else change.OVERWRITE
                ),
                producer=_BY,
            )
        )
    return facets


def was_written(landed: StoredPartition) -> bool:
    """Whether the lake's file was written in this landing, and not only found to be the same."""
    return landed.revision in (*_CREATED, *_OVERWRITTEN)


def output_statistics(landed: StoredPartition) -> Facets:
    """Rows, bytes and files that were written; nothing where nothing was."""
    from openlineage.client.facet_v2 import output_statistics_output_dataset

    if not was_written(landed):
        return {}
    return {
        "outputStatistics": output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
            rowCount=landed.rows, size=landed.size_bytes, fileCount=1, producer=_BY
        )
    }


def assertions(checks: Iterable[CheckOutcome]) -> Facets:
    """What the checks found; a rule that could not be judged asserts nothing."""
    from openlineage.client.facet_v2 import data_quality_assertions_dataset

    found = [assertion for check in checks for assertion in _assertions_of(check)]
    return {
        "dataQualityAssertions": data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet(
            assertions=found, producer=_BY
        )
    }


def _assertions_of(check: CheckOutcome) -> "Iterable[Assertion]":
    from openlineage.client.generated.data_quality_assertions_dataset import Assertion

    if not check.rules:
        yield Assertion(
            assertion=check.check,
            name=check.check,
            success=check.passed,
            severity=check.severity.lower(),
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
                params={name: rule[name] for name in ("unexpected_count", "rows_seen")},
            )


_PRODUCER = names.PRODUCER


@cache
def of_run_job() -> Mapping[str, Any]:
    """Facets of the job of a Dagster run."""
    return _job_facets("JOB", "One Dagster run of the bronze layer: it lands dataset partitions.")


@cache
def of_dataset_job(dataset: Dataset) -> Mapping[str, Any]:
    """Facets of the job that lands a dataset."""
    return _job_facets(
        "ASSET",
        f"Lands bronze/{dataset.name}, a session at a time, from OpenF1's endpoint "
        f"{dataset.endpoint}.",
    )


@cache
def of_checks_job(dataset: Dataset) -> Mapping[str, Any]:
    """Facets of the job that checks a dataset."""
    return _job_facets("ASSET_CHECK", f"Checks the files of bronze/{dataset.name} that landed.")


def _job_facets(kind: str, description: str) -> Mapping[str, Any]:
    from openlineage.client.facet_v2 import documentation_job, job_type_job, ownership_job

    return plain(
        {
            "jobType": job_type_job.JobTypeJobFacet(
                processingType="BATCH", integration="DAGSTER", jobType=kind, producer=_PRODUCER
            ),
            "documentation": documentation_job.DocumentationJobFacet(
                description=description, contentType="text/plain", producer=_PRODUCER
            ),
            "ownership": ownership_job.OwnershipJobFacet(
                owners=[ownership_job.Owner(name=names.OWNER, type="MAINTAINER")],
                producer=_PRODUCER,
            ),
        }
    )


@cache
def of_engine() -> Mapping[str, Any]:
    """Dagster and this package, as the engine of every run."""
    from openlineage.client.facet_v2 import processing_engine_run

    return plain(
        {
            "processing_engine": processing_engine_run.ProcessingEngineRunFacet(
                name="Dagster",
                version=names.release_of("dagster"),
                openlineageAdapterVersion=__version__,
                producer=_PRODUCER,
            )
        }
    )


def tags(**values: object) -> Facets:
    """What has no facet of its own, as run tags; None and nothing are left out."""
    from openlineage.client.facet_v2 import tags_run

    fields = [
        tags_run.TagsRunFacetFields(key=key, value=_word(value), source="INTEGRATION")
        for key, value in values.items()
        if value not in (None, "")
    ]
    return {"tags": tags_run.TagsRunFacet(tags=fields, producer=_PRODUCER)}


def parent(begun: RunStart) -> Facets:
    """The Dagster run as parent; it is the root too, since nothing is above a run."""
    from openlineage.client.facet_v2 import parent_run

    job = names.run_job(begun.job)
    return {
        "parent": parent_run.ParentRunFacet(
            run=parent_run.Run(runId=begun.run_id),
            job=parent_run.Job(namespace=names.JOBS, name=job),
            root=parent_run.Root(
                run=parent_run.RootRun(runId=begun.run_id),
                job=parent_run.RootJob(namespace=names.JOBS, name=job),
            ),
            producer=_PRODUCER,
        )
    }


def error_message(message: str | None) -> Facets:
    """Why it failed, if that is known; without anything that looks like a secret."""
    from openlineage.client.facet_v2 import error_message_run

    if not message:
        return {}
    return {
        "errorMessage": error_message_run.ErrorMessageRunFacet(
            message=remove_secrets(message), programmingLanguage="python", producer=_PRODUCER
        )
    }


def nominal_time(landed: StoredPartition) -> Facets:
    """The session's own times, where they are known."""
    from openlineage.client.facet_v2 import nominal_time_run

    if landed.session_start is None:
        return {}
    end = landed.session_end
    return {
        "nominalTime": nominal_time_run.NominalTimeRunFacet(
            nominalStartTime=names.moment(landed.session_start),
            nominalEndTime=None if end is None else names.moment(end),
            producer=_PRODUCER,
        )
    }


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
