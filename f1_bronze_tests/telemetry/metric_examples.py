"""Runs as the metrics' tests need them, and a CloudWatch client that can be made to fail."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.telemetry.metrics.metric_kinds import Metric
from f1_bronze.telemetry.run_results import (
    CheckOutcome,
    FailedPartition,
    RunEnd,
    RunResult,
    RunStart,
    StoredPartition,
    Trigger,
)

MONDAY = datetime(2026, 11, 23, 6, 4, tzinfo=UTC)
RUN = "0f2c7e1a-6f8e-4a51-9d7a-0b6f2f0f7a11"
RACE, QUALIFYING = "2026/bahrain/race", "2026/bahrain/qualifying"


def stored_one(dataset: str, key: str = RACE, rows: int = 20, **more: Any) -> StoredPartition:
    """One dataset of one session that landed a minute before the run's end."""
    usual: dict[str, Any] = {
        "session_key": 10014,
        "revision": "new",
        "rows_added": rows,
        "rows_removed": 0,
        "rows_changed": 0,
        "size_bytes": 4096,
        "content_sha256": "ab" * 32,
        "uri": "file:///lake/x.parquet",
        "source_url": "https://api.openf1.org/v1/x",
        "api_requests": 1,
        "api_retries": 0,
        "extract_seconds": 0.5,
        "at": MONDAY - timedelta(minutes=1),
        "code_version": "0.1.0",
    }
    return StoredPartition(
        dataset=dataset, partition=SessionPartition.parse(key), rows=rows, **{**usual, **more}
    )


def check(dataset: str, *, passed: bool, severity: str = "ERROR", key: str = RACE) -> CheckOutcome:
    """One evaluation of a check."""
    return CheckOutcome(
        dataset=dataset,
        partition=SessionPartition.parse(key),
        check=f"{dataset}_rows",
        passed=passed,
        severity=severity,
    )


def missing(dataset: str, error: str, key: str = RACE) -> FailedPartition:
    """One dataset of one session that did not land."""
    return FailedPartition(dataset=dataset, partition_key=key, error=error)


def finished(
    end: RunEnd = RunEnd.SUCCESS,
    *,
    run_id: str = RUN,
    ended_at: datetime = MONDAY,
    seconds: float = 240,
    historical: bool = False,
    backfill_id: str | None = None,
    trigger: Trigger = Trigger.SCHEDULED,
    datasets: Sequence[str] = ("sessions", "drivers", "results", "laps"),
    **what: Any,
) -> RunResult:
    """A run of four minutes that ended on a Monday morning."""
    begun = RunStart(
        run_id=run_id,
        root_run_id=run_id,
        parent_run_id=None,
        job="bronze_sessions",
        trigger=trigger,
        historical=historical,
        backfill_id=backfill_id,
        started_at=ended_at - timedelta(seconds=seconds),
        datasets=tuple(datasets),
        partition_keys=(QUALIFYING, RACE),
    )
    return RunResult(start=begun, end=end, ended_at=ended_at, **what)


WEEKEND = finished(
    stored=(
        stored_one("sessions", QUALIFYING, 1, api_requests=2),
        stored_one("sessions", RACE, 1, api_requests=0),
        stored_one("drivers", QUALIFYING, 20),
        stored_one("drivers", RACE, 20, api_requests=0, revision="unchanged", rows_added=0),
        stored_one("laps", RACE, 1_080, api_requests=2, api_retries=1),
    ),
    checks=(
        check("laps", passed=False),
        check("laps", passed=False, severity="WARN"),
        check("drivers", passed=True),
    ),
    api={"calls": 7, "retries": 2, "by_status": {"200": 4, "404": 1, "503": 1, "timed_out": 1}},
)
"""Two sessions, five landings, one of them as before; one check failed, another one warned."""


def values(metrics: Sequence[Metric], name: str, dimension: str | None = None) -> Any:
    """The value of a metric as a whole, or by the values of a finer dimension."""
    found: dict[str | None, float] = {}
    for metric in metrics:
        finer = dict(metric.dimensions[3:])
        if metric.name == name and ([dimension] if dimension else []) == list(finer):
            key = finer[dimension] if dimension else None
            assert key not in found, metric
            found[key] = metric.value
    return found if dimension else found[None]


class FakeCloudWatch:
    """Keeps what was put; `fails` may raise for a request before it is taken."""

    def __init__(
        self, fails: Callable[[str, Sequence[Mapping[str, Any]]], None] | None = None
    ) -> None:
        self.requests: list[tuple[str, list[dict[str, Any]]]] = []
        self.taken: list[dict[str, Any]] = []
        self._fails = fails

    def put_metric_data(
        self, *, Namespace: str, MetricData: list[dict[str, Any]]
    ) -> dict[str, Any]:
        """As boto3's."""
        self.requests.append((Namespace, MetricData))
        if self._fails is not None:
            self._fails(Namespace, MetricData)
        self.taken += [{"Namespace": Namespace, **datum} for datum in MetricData]
        return {"ResponseMetadata": {"RequestId": "1", "HTTPStatusCode": 200}}
