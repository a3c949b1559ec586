"""The metrics by name: meaning, unit, and the dimensions that each is sent under.

docs/operations/monitoring.md and deploy/aws/monitoring.yaml are held to this list by tests. Why
these dimensions: docs/adr/0012-metrics.md.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from f1_bronze.datasets import DATASETS
from f1_bronze.telemetry.run_results import Trigger

PIPELINE, LAYER = "f1_bronze", "bronze"

OTHER = "other"
"""The value of SessionType for a type that is not in the list."""

_NUMBERED = tuple(f"{name}_{number}" for name in ("practice", "day") for number in (1, 2, 3))


class Namespace(StrEnum):
    """The CloudWatch namespaces."""

    BRONZE = "F1Pipeline/Bronze"
    END_TO_END = "F1Pipeline/DAG/EndToEnd"
    HISTORICAL = "F1Pipeline/DAG/Historical"


class Unit(StrEnum):
    """CloudWatch's units, as far as they are used; it has none for hours."""

    COUNT = "Count"
    SECONDS = "Seconds"
    NONE = "None"


class Statistic(StrEnum):
    """How the values of several runs become one; a duplicate changes neither extreme."""

    SUM = "Sum"
    MAXIMUM = "Maximum"
    MINIMUM = "Minimum"


DIMENSION_VALUES: Mapping[str, tuple[str, ...]] = {
    "Pipeline": (PIPELINE,),
    "Layer": (LAYER,),
    "DataType": tuple(dataset.name for dataset in DATASETS),
    "SessionType": ("qualifying", "race", "sprint_qualifying", "sprint", *_NUMBERED, OTHER),
    "DAGType": ("main", "historical"),
    "TriggerType": tuple(trigger.value for trigger in Trigger),
    "BackfillType": ("backfill", "runs"),
}
"""Every value that a dimension can have; Environment has one in a deployment."""

DimensionSet = tuple[str, ...]

ALL_DATA: DimensionSet = ("Environment", "Pipeline", "Layer")

BY_DATA: DimensionSet = (*ALL_DATA, "DataType")

BY_SESSION: DimensionSet = (*ALL_DATA, "SessionType")

BY_DATA_AND_SESSION: DimensionSet = (*ALL_DATA, "DataType", "SessionType")

DAG: DimensionSet = ("Environment", "Pipeline", "DAGType")

_FINER_OF_DAG: Mapping[Namespace, DimensionSet] = {
    Namespace.END_TO_END: (*DAG, "TriggerType"),
    Namespace.HISTORICAL: (*DAG, "BackfillType"),
}


@dataclass(frozen=True, kw_only=True)
class MetricKind:
    """One metric.

    Attributes:
        sets: the dimension sets that each value is sent under, the coarsest first.
    """

    namespace: Namespace
    name: str
    unit: Unit
    statistic: Statistic
    sets: tuple[DimensionSet, ...]
    meaning: str


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One value at one moment.

    Attributes:
        origin: what it was measured of: the run's id, or the hour of a gauge.
        at: UTC; the run's end.
        dimensions: names and values in the order of the dimension set.
    """

    namespace: str
    name: str
    unit: str
    value: float
    at: datetime
    dimensions: tuple[tuple[str, str], ...]
    origin: str

    @property
    def id(self) -> str:
        """16 characters, the same whenever the same metric of the same origin is measured."""
        parts = [self.origin, self.namespace, self.name, self.dimensions]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _bronze(
    name: str, unit: Unit, statistic: Statistic, meaning: str, *finer: DimensionSet
) -> MetricKind:
    return MetricKind(
        namespace=Namespace.BRONZE,
        name=name,
        unit=unit,
        statistic=statistic,
        sets=(ALL_DATA, *finer),
        meaning=meaning,
    )


def _dag(
    namespace: Namespace, name: str, unit: Unit, statistic: Statistic, meaning: str
) -> MetricKind:
    return MetricKind(
        namespace=namespace,
        name=name,
        unit=unit,
        statistic=statistic,
        sets=(DAG, _FINER_OF_DAG[namespace]),
        meaning=meaning,
    )


SESSIONS_PROCESSED = _bronze(
    *("SessionsProcessed", Unit.COUNT, Statistic.SUM),
    "Sessions of which the run stored something; by DataType those of that dataset.",
    *(BY_DATA, BY_SESSION),
)

TOTAL_RECORDS_EXTRACTED = _bronze(
    *("TotalRecordsExtracted", Unit.COUNT, Statistic.SUM),
    "Rows of what was stored, new, changed or the same as before.",
    *(BY_DATA, BY_SESSION, BY_DATA_AND_SESSION),
)

PARTITIONS_NOT_LANDED = _bronze(
    *("PartitionsNotLanded", Unit.COUNT, Statistic.SUM),
    "Dataset partitions that the run was to store and did not.",
    BY_DATA,
)

BRONZE_PROCESSING_TIME = _bronze(
    *("BronzeProcessingTime", Unit.SECONDS, Statistic.MAXIMUM),
    "From the run's start to its last bronze dataset if other layers follow, else to its end.",
)

API_REQUEST_COUNT = _bronze(
    *("APIRequestCount", Unit.COUNT, Statistic.SUM),
    "HTTP requests to OpenF1; by DataType those that brought what was stored.",
    BY_DATA,
)

API_RETRY_COUNT = _bronze(
    *("APIRetryCount", Unit.COUNT, Statistic.SUM), "Those of them that repeated an earlier one."
)

API_ERROR_COUNT = _bronze(
    *("APIErrorCount", Unit.COUNT, Statistic.SUM),
    "Those of them that failed: no answer, 4xx and 5xx, but no 404, and no 401 of a closed API.",
)

API_RESPONSE_TIME = _bronze(
    *("APIResponseTime", Unit.SECONDS, Statistic.MAXIMUM),
    "Mean time of the calls that brought what was stored, back-offs included.",
    BY_DATA,
)

DATA_VALIDATION_FAILURES = _bronze(
    *("DataValidationFailures", Unit.COUNT, Statistic.SUM),
    "Asset checks of a session that failed with severity ERROR; of runs that checked something.",
    BY_DATA,
)

DATA_VALIDATION_WARNINGS = _bronze(
    *("DataValidationWarnings", Unit.COUNT, Statistic.SUM),
    "Asset checks of a session that failed with severity WARN; of runs that checked something.",
    BY_DATA,
)

BRONZE_PIPELINE_SUCCESS = _bronze(
    *("BronzePipelineSuccess", Unit.COUNT, Statistic.MINIMUM),
    "1 if the run succeeded, 0 if it failed; cancelled runs and a closed API are neither.",
)

HOURS_SINCE_LAST_SUCCESS = _bronze(
    *("HoursSinceLastSuccess", Unit.NONE, Statistic.MAXIMUM),
    "Hours for which nothing has succeeded while there was something to do; sent hourly.",
)

UNUSABLE_PARTITIONS = _bronze(
    *("UnusablePartitions", Unit.COUNT, Statistic.MAXIMUM),
    "Dataset partitions that break a rule of severity ERROR now; sent hourly.",
)

END_TO_END_PIPELINE_SUCCESS = _dag(
    *(Namespace.END_TO_END, "EndToEndPipelineSuccess", Unit.COUNT, Statistic.MINIMUM),
    "1 if the run, all layers, succeeded, 0 if it failed; else none, as above.",
)

TOTAL_PIPELINE_EXECUTION_TIME = _dag(
    *(Namespace.END_TO_END, "TotalPipelineExecutionTime", Unit.SECONDS, Statistic.MAXIMUM),
    "Wall time of the run.",
)

SILVER_TABLES_CREATED = _dag(
    *(Namespace.END_TO_END, "SilverTablesCreated", Unit.COUNT, Statistic.SUM),
    "Assets of the group silver that the run materialized.",
)

ANALYTICS_TABLES_CREATED = _dag(
    *(Namespace.END_TO_END, "AnalyticsTablesCreated", Unit.COUNT, Statistic.SUM),
    "Assets of the group gold that the run materialized.",
)

HISTORICAL_PIPELINE_SUCCESS = _dag(
    *(Namespace.HISTORICAL, "HistoricalPipelineSuccess", Unit.COUNT, Statistic.MINIMUM),
    "1 if a run of past seasons succeeded, 0 if it failed; else none, as above.",
)

HISTORICAL_SESSIONS_PROCESSED = _dag(
    *(Namespace.HISTORICAL, "HistoricalSessionsProcessed", Unit.COUNT, Statistic.SUM),
    "Sessions of which a run of past seasons stored something.",
)

BACKFILL_EXECUTION_TIME = _dag(
    *(Namespace.HISTORICAL, "BackfillExecutionTime", Unit.SECONDS, Statistic.MAXIMUM),
    "Wall time of a run of past seasons.",
)

METRIC_KINDS = (
    SESSIONS_PROCESSED,
    TOTAL_RECORDS_EXTRACTED,
    PARTITIONS_NOT_LANDED,
    BRONZE_PROCESSING_TIME,
    API_REQUEST_COUNT,
    API_RETRY_COUNT,
    API_ERROR_COUNT,
    API_RESPONSE_TIME,
    DATA_VALIDATION_FAILURES,
    DATA_VALIDATION_WARNINGS,
    BRONZE_PIPELINE_SUCCESS,
    HOURS_SINCE_LAST_SUCCESS,
    UNUSABLE_PARTITIONS,
    END_TO_END_PIPELINE_SUCCESS,
    TOTAL_PIPELINE_EXECUTION_TIME,
    SILVER_TABLES_CREATED,
    ANALYTICS_TABLES_CREATED,
    HISTORICAL_PIPELINE_SUCCESS,
    HISTORICAL_SESSIONS_PROCESSED,
    BACKFILL_EXECUTION_TIME,
)
