"""OpenLineage's JSON schemas, as the official client knows them.

From the client's classes to JSON schemas. The project behind the standard generates these
classes from the schemas that it publishes, which no package brings along. Stricter than those
in one thing: a property that the class does not have is an error.
"""

import types
import typing
from enum import Enum
from typing import Any

import attr
import jsonschema
from openlineage.client import facet_v2 as f
from openlineage.client.event_v2 import RunEvent

_PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean"}
FACETS = {
    "run": {
        "parent": f.parent_run.ParentRunFacet,
        "nominalTime": f.nominal_time_run.NominalTimeRunFacet,
        "errorMessage": f.error_message_run.ErrorMessageRunFacet,
        "processing_engine": f.processing_engine_run.ProcessingEngineRunFacet,
        "tags": f.tags_run.TagsRunFacet,
    },
    "job": {
        "jobType": f.job_type_job.JobTypeJobFacet,
        "documentation": f.documentation_job.DocumentationJobFacet,
        "ownership": f.ownership_job.OwnershipJobFacet,
    },
    "facets": {
        "schema": f.schema_dataset.SchemaDatasetFacet,
        "dataSource": f.datasource_dataset.DatasourceDatasetFacet,
        "documentation": f.documentation_dataset.DocumentationDatasetFacet,
        "ownership": f.ownership_dataset.OwnershipDatasetFacet,
        "columnLineage": f.column_lineage_dataset.ColumnLineageDatasetFacet,
        "version": f.dataset_version_dataset.DatasetVersionDatasetFacet,
        "hierarchy": f.hierarchy_dataset.HierarchyDatasetFacet,
        "dataQualityMetrics": f.data_quality_metrics_dataset.DataQualityMetricsDatasetFacet,
        "symlinks": f.symlinks_dataset.SymlinksDatasetFacet,
        "lifecycleStateChange": (f.lifecycle_state_change_dataset.LifecycleStateChangeDatasetFacet),
    },
    "inputFacets": {
        "subset": f.base_subset_dataset.InputSubsetInputDatasetFacet,
        "dataQualityAssertions": (
            f.data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet
        ),
    },
    "outputFacets": {
        "subset": f.base_subset_dataset.OutputSubsetOutputDatasetFacet,
        "outputStatistics": (f.output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet),
    },
}
"""The place in an event → the standard's key → the client's class."""


def run_event_schema() -> dict[str, Any]:
    """The schema of a run event whose facets are the ones above."""
    event = _of_class(RunEvent)
    of_run, of_job = event["properties"]["run"], event["properties"]["job"]
    of_run["properties"]["facets"] = _facets("run")
    of_job["properties"]["facets"] = _facets("job")
    for side in ("input", "output"):
        one = event["properties"][f"{side}s"]["items"]
        one["properties"]["facets"] = _facets("facets")
        one["properties"][f"{side}Facets"] = _facets(f"{side}Facets")
    event["properties"]["eventTime"]["pattern"] = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.\d{6}Z$"
    event["properties"]["producer"]["pattern"] = r"^[a-z]+:\S+$"
    of_run["properties"]["runId"]["format"] = "uuid"
    return event


def validator() -> jsonschema.Draft202012Validator:
    """What accepts valid events alone."""
    return jsonschema.Draft202012Validator(
        run_event_schema(), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )


def _facets(place: str) -> dict[str, Any]:
    properties = {name: _of_class(kind) for name, kind in FACETS[place].items()}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _of_class(kind: type) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    properties = {one.name: _of_hint(hints[one.name]) for one in attr.fields(kind)}
    required = [
        one.name
        for one in attr.fields(kind)
        if one.default is attr.NOTHING or one.name in ("_producer", "_schemaURL", "producer")
    ]
    for name in ("_schemaURL", "schemaURL"):
        if name in properties:
            properties[name] = {"const": kind._get_schema()}
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _of_hint(hint: Any) -> dict[str, Any]:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if f.base_subset_dataset.PartitionSubsetCondition in inner:  # of several the one that we use
        return _of_class(f.base_subset_dataset.PartitionSubsetCondition)
    if origin in (typing.Union, types.UnionType):
        [one] = [part for part in inner if part is not type(None)]
        return _of_hint(one)
    if hint in _PLAIN:
        return {"type": _PLAIN[hint]}
    if origin is list:
        return {"type": "array", "items": _of_hint(inner[0])}
    if origin is dict:
        values = {} if inner[1] is Any else _of_hint(inner[1])
        return {"type": "object", "additionalProperties": values}
    if issubclass(hint, Enum):
        return {"enum": [one.value for one in hint]}
    if hint is f.schema_dataset.SchemaDatasetFacetFields:
        return _OF_FIELDS  # it holds itself
    return _of_class(hint)


_OF_FIELDS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "type": {"type": "string"},
        "description": {"type": "string"},
        "ordinal_position": {"type": "integer"},
        "fields": {"type": "array", "maxItems": 0},
    },
    "required": ["name"],
    "additionalProperties": False,
}
