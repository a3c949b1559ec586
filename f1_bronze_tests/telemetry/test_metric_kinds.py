"""The roll-call of metrics: the promised names, their series, their page."""

from math import prod
from pathlib import Path

from f1_bronze.telemetry.metrics.measurement import run_metrics
from f1_bronze.telemetry.metrics.metric_kinds import DIMENSION_VALUES, METRIC_KINDS

from .metric_examples import WEEKEND

PAGE = Path(__file__).parents[2] / "docs/operations/monitoring.md"


def test_names() -> None:
    """The promised names are there, in their namespaces, and those that were added."""
    by_namespace: dict[str, list[str]] = {}
    for kind in METRIC_KINDS:
        by_namespace.setdefault(kind.namespace.value, []).append(kind.name)
    assert by_namespace == {
        "F1Pipeline/Bronze": [
            "SessionsProcessed",
            "TotalRecordsExtracted",
            "PartitionsNotLanded",
            "BronzeProcessingTime",
            "APIRequestCount",
            "APIRetryCount",
            "APIErrorCount",
            "APIResponseTime",
            "DataValidationFailures",
            "DataValidationWarnings",
            "BronzePipelineSuccess",
            "HoursSinceLastSuccess",
            "UnusablePartitions",
        ],
        "F1Pipeline/DAG/EndToEnd": [
            "EndToEndPipelineSuccess",
            "TotalPipelineExecutionTime",
            "SilverTablesCreated",
            "AnalyticsTablesCreated",
        ],
        "F1Pipeline/DAG/Historical": [
            "HistoricalPipelineSuccess",
            "HistoricalSessionsProcessed",
            "BackfillExecutionTime",
        ],
    }


def test_dimensions() -> None:
    """No dimension besides those that were promised is ever sent."""
    assert set(DIMENSION_VALUES) | {"Environment"} == {
        "Environment",
        "Pipeline",
        "Layer",
        "DataType",
        "SessionType",
        "DAGType",
        "TriggerType",
        "BackfillType",
    }
    assert {name for kind in METRIC_KINDS for names in kind.sets for name in names} == (
        set(DIMENSION_VALUES) | {"Environment"}
    )


def test_the_number_of_series_is_bounded() -> None:
    """A deployment has at most as many series (which cost) as the page says, however long it runs.

    DAGType has one value in each namespace, so it multiplies nothing.
    """
    most = sum(
        prod(len(DIMENSION_VALUES.get(name, ("one",))) for name in names if name != "DAGType")
        for kind in METRIC_KINDS
        for names in kind.sets
    )
    assert most == 164
    assert f"at most {most} series" in PAGE.read_text("utf-8")
    known = {**DIMENSION_VALUES, "Environment": ("production",)}
    for metric in run_metrics(WEEKEND, environment="production"):
        assert all(value in known[name] for name, value in metric.dimensions)
