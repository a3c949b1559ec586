"""From a run to its metrics.

Belongs here: which values a finished run has, and what is counted. Stays out: names, units and
dimension sets (metric_kinds.py), the gauge between runs (freshness.py), where metrics are sent.
"""

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from f1_bronze.telemetry.metrics import kinds
from f1_bronze.telemetry.metrics.kinds import (
    HOURS_SINCE_LAST_SUCCESS,
    LAYER,
    OTHER,
    PIPELINE,
    Metric,
    MetricKind,
)
from f1_bronze.telemetry.run_results import RunEnd, RunResult, StoredPartition

_NO_ERROR = ("1", "2", "3")  # first digits of statuses

_NO_ROWS = "404"  # OpenF1's word for an empty answer

_UNAUTHORIZED, _CLOSED = "401", "ClosedForLiveSession"


def run_metrics(run: RunResult, *, environment: str) -> tuple[Metric, ...]:
    """All metrics of a run that has ended, in any way; the same run has the same metrics.

    A run that has to do neither with bronze datasets nor with silver or gold assets has none.
    """
    bronze = bool(run.start.datasets or run.stored or run.failed or run.checks)
    if not bronze and not any(run.other_assets.get(group) for group in ("silver", "gold")):
        return ()
    told = _Told(run, environment)
    return (*(_of_bronze(run, told) if bronze else ()), *_of_the_dag(run, told))


class _Told:
    """What one run's metrics share: where they come from, when, and in which deployment."""

    def __init__(self, run: RunResult, environment: str) -> None:
        historical = run.start.historical
        self._run = run
        self._known = {
            "Environment": environment,
            "Pipeline": PIPELINE,
            "Layer": LAYER,
            "DAGType": "historical" if historical else "main",
            "TriggerType": run.start.trigger.value,
            "BackfillType": "backfill" if run.start.backfill_id else "runs",
        }

    def value(self, kind: MetricKind, value: float) -> Iterator[Metric]:
        """The value under each dimension set whose values the run itself has."""
        for names in kind.sets:
            if all(name in self._known for name in names):
                yield self._metric(kind, value, {name: self._known[name] for name in names})

    def by(self, kind: MetricKind, dimension: str, values: Mapping[str, float]) -> Iterator[Metric]:
        """The values under the set that tells them apart, by the dimension's value."""
        [names] = [one for one in kind.sets if dimension in one]
        for key, value in values.items():
            known = {**self._known, dimension: key}
            yield self._metric(kind, value, {name: known[name] for name in names})

    def _metric(self, kind: MetricKind, value: float, dimensions: Mapping[str, str]) -> Metric:
        return Metric(
            namespace=kind.namespace.value,
            name=kind.name,
            unit=kind.unit.value,
            value=value,
            at=self._run.ended_at,
            dimensions=tuple(dimensions.items()),
            origin=self._run.start.run_id,
        )


def _of_bronze(run: RunResult, told: _Told) -> Iterator[Metric]:
    # What an earlier attempt has landed, that attempt has told.
    landed = [one for one in run.stored if not one.repeated]
    for kind, count in (
        (kinds.SESSIONS_PROCESSED, _sessions),
        (kinds.TOTAL_RECORDS_EXTRACTED, _rows),
    ):
        yield from told.value(kind, count(landed))
        yield from told.by(kind, "DataType", _split(landed, _data_type, count))
        yield from told.by(kind, "SessionType", _split(landed, _session_type, count))
    yield from told.value(kinds.BRONZE_PROCESSING_TIME, _bronze_seconds(run))
    yield from _of_the_api(run, landed, told)
    for kind, severity in (
        (kinds.DATA_VALIDATION_FAILURES, "ERROR"),
        (kinds.DATA_VALIDATION_WARNINGS, "WARN"),
    ):
        failed: dict[str, float] = {check.dataset: 0 for check in run.checks}
        for check in run.checks:
            failed[check.dataset] += not check.passed and check.severity == severity
        yield from told.value(kind, sum(failed.values()))
        yield from told.by(kind, "DataType", failed)
    yield from told.value(kinds.BRONZE_PIPELINE_SUCCESS, int(run.end is RunEnd.SUCCESS))


def _of_the_api(run: RunResult, landed: list[StoredPartition], told: _Told) -> Iterator[Metric]:
    by_data = _split(landed, _data_type, lambda some: sum(one.api_requests for one in some))
    requests, retries = _number(run.api.get("calls")), _number(run.api.get("retries"))
    if requests is None:  # the run was ended before it could tell its sums
        requests = sum(by_data.values())
    if retries is None:
        retries = sum(one.api_retries for one in landed)
    yield from told.value(kinds.API_REQUEST_COUNT, requests)
    yield from told.by(kinds.API_REQUEST_COUNT, "DataType", by_data)
    yield from told.value(kinds.API_RETRY_COUNT, retries)
    yield from told.value(kinds.API_ERROR_COUNT, _api_errors(run))


def _of_the_dag(run: RunResult, told: _Told) -> Iterator[Metric]:
    succeeded, seconds = int(run.end is RunEnd.SUCCESS), max(0.0, run.seconds)
    if run.start.historical:
        landed = [one for one in run.stored if not one.repeated]
        yield from told.value(kinds.HISTORICAL_PIPELINE_SUCCESS, succeeded)
        yield from told.value(kinds.HISTORICAL_SESSIONS_PROCESSED, _sessions(landed))
        yield from told.value(kinds.BACKFILL_EXECUTION_TIME, seconds)
        return
    yield from told.value(kinds.END_TO_END_PIPELINE_SUCCESS, succeeded)
    yield from told.value(kinds.TOTAL_PIPELINE_EXECUTION_TIME, seconds)
    yield from told.value(kinds.SILVER_TABLES_CREATED, run.other_assets.get("silver", 0))
    yield from told.value(kinds.ANALYTICS_TABLES_CREATED, run.other_assets.get("gold", 0))


def _sessions(landed: Collection[StoredPartition]) -> int:
    return len({one.partition for one in landed})


def _rows(landed: Collection[StoredPartition]) -> int:
    return sum(one.rows for one in landed)


def _data_type(one: StoredPartition) -> str:
    return one.dataset


def _session_type(one: StoredPartition) -> str:
    known = kinds.DIMENSION_VALUES["SessionType"]
    return one.partition.session_type if one.partition.session_type in known else OTHER


def _split(
    landed: Collection[StoredPartition],
    key: Callable[[StoredPartition], str],
    count: Callable[[Collection[StoredPartition]], float],
) -> dict[str, float]:
    """What is counted of each group, by the group's key."""
    groups: dict[str, list[StoredPartition]] = {}
    for one in landed:
        groups.setdefault(key(one), []).append(one)
    return {name: count(group) for name, group in sorted(groups.items())}


def _bronze_seconds(run: RunResult) -> float:
    if run.other_assets and run.stored:
        last = max(one.at for one in run.stored)
        return max(0.0, (last - run.start.started_at).total_seconds())
    return max(0.0, run.seconds)


def _api_errors(run: RunResult) -> float:
    statuses: Counter[str] = Counter()
    by_status = run.api.get("by_status")
    for status, calls in by_status.items() if isinstance(by_status, Mapping) else ():
        statuses[str(status)] += int(_number(calls) or 0)
    # A closed API is no fault: its runs come back by themselves.
    forgiven = {_NO_ROWS} | ({_UNAUTHORIZED} if _met_closure(run) else set())
    return sum(
        calls
        for status, calls in statuses.items()
        if status not in forgiven and not status.startswith(_NO_ERROR)
    )


def _met_closure(run: RunResult) -> bool:
    return any(one.error == _CLOSED for one in run.failed)


def _number(value: Any) -> float | None:
    """The value if it is a count; what a foreign version of us recorded may be anything."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return value if plain and math.isfinite(value) and value >= 0 else None


QUIET = timedelta(days=15)

"""How long after a session there is still something to do: the weekly run reads it again."""


def hours_since_last_success(
    last_success: datetime | None,
    now: datetime,
    *,
    environment: str,
    session_ends: Iterable[datetime],
    quiet: timedelta = QUIET,
) -> Metric:
    """The gauge: 0 while no session ended within `quiet`, so that a pause never looks like age.

    A pause begins only once something succeeded after its last session, and its hours are not
    counted afterwards: the age begins with the first session after it. 0 is sent all the same,
    because what is missing tells that the sensor is dead.

    Args:
        last_success: the end of the last run that succeeded; None when none ever did.
        now: UTC.
        session_ends: of the whole calendar, also what never landed, or a pipeline that died would
            look like a pause; those that are still to come are not looked at.
    """
    ends = sorted(end for end in session_ends if end <= now)
    hours = 0.0
    if ends and (now - ends[-1] <= quiet or (last_success is not None and last_success < ends[-1])):
        resumed = _resumed(ends, quiet)
        since = resumed if last_success is None else max(resumed, last_success)
        hours = max(0.0, (now - since).total_seconds() / 3600)
    kind = HOURS_SINCE_LAST_SUCCESS
    return Metric(
        namespace=kind.namespace.value,
        name=kind.name,
        unit=kind.unit.value,
        value=round(hours, 3),
        at=now,
        dimensions=(("Environment", environment), ("Pipeline", PIPELINE), ("Layer", LAYER)),
        origin=f"freshness-{now:%Y%m%dT%H}",
    )


def _resumed(ends: list[datetime], quiet: timedelta) -> datetime:
    """The end of the first session after the last pause."""
    later = [after for before, after in pairwise(ends) if after - before > quiet]
    return later[-1] if later else ends[0]
