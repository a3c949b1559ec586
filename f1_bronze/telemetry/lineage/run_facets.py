"""Facets of runs and jobs.

Belongs here: from run records to the official client's facet classes. Stays out: facets of what was
read and written (dataset_facets.py), which event carries which (events.py).
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from f1_bronze import __version__
from f1_bronze.datasets.dataset import Dataset
from f1_bronze.telemetry.lineage import names
from f1_bronze.telemetry.lineage.wording import Facets, moment, plain, without_secrets
from f1_bronze.telemetry.runs import Landed, RunBegun

_BY = names.PRODUCER


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
                processingType="BATCH", integration="DAGSTER", jobType=kind, producer=_BY
            ),
            "documentation": documentation_job.DocumentationJobFacet(
                description=description, contentType="text/plain", producer=_BY
            ),
            "ownership": ownership_job.OwnershipJobFacet(
                owners=[ownership_job.Owner(name=names.OWNER, type="MAINTAINER")], producer=_BY
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
                producer=_BY,
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
    return {"tags": tags_run.TagsRunFacet(tags=fields, producer=_BY)}


def parent(begun: RunBegun) -> Facets:
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
            producer=_BY,
        )
    }


def error_message(message: str | None) -> Facets:
    """Why it failed, if that is known; without anything that looks like a secret."""
    from openlineage.client.facet_v2 import error_message_run

    if not message:
        return {}
    return {
        "errorMessage": error_message_run.ErrorMessageRunFacet(
            message=without_secrets(message), programmingLanguage="python", producer=_BY
        )
    }


def nominal_time(landed: Landed) -> Facets:
    """The session's own times, where they are known."""
    from openlineage.client.facet_v2 import nominal_time_run

    if landed.session_start is None:
        return {}
    end = landed.session_end
    return {
        "nominalTime": nominal_time_run.NominalTimeRunFacet(
            nominalStartTime=moment(landed.session_start),
            nominalEndTime=None if end is None else moment(end),
            producer=_BY,
        )
    }


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
