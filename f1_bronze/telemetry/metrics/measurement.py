"""Measures a run that has ended, and how long ago something last succeeded."""

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from f1_bronze.telemetry.metrics import metric_kinds as kinds
from f1_bronze.telemetry.metrics.metric_kinds import LAYER, OTHER, PIPELINE, Metric, MetricKind
from f1_bronze.telemetry.run_results import RunEnd, RunResult, StoredPartition

QUIET = timedelta(days=15)
"""How long after a session there is still something to do: the weekly run reads it again."""

_NO_ERROR = ("1", "2", "3")  # first digits of statuses

_NO_ROWS = "404"  # OpenF1's status for an empty answer

_UNAUTHORIZED, _CLOSED = "401", "ClosedForLiveSession"


def run_metrics(run: RunResult, *, environment: str) -> tuple[Metric, ...]:
    """All metrics of a run that has ended, in any way; the same run has the same metrics.

    A run that has to do neither with bronze datasets nor with silver or gold assets has none.
    """
    is_bronze = bool(run.start.datasets or run.stored or run.failed or run.checks)
    if not is_bronze and not any(run.other_assets.get(group) for group in ("silver", "gold")):
        return ()
    series = _RunSeries(run, environment)
    return (*(_bronze_metrics(run, series) if is_bronze else ()), *_dag_metrics(run, series))


class _RunSeries:
    """Makes metrics with what all of a run share: origin, moment, and known dimensions."""

    def __init__(self, run: RunResult, environment: str) -> None:
        self._run = run
        self._known = {
            "Environment": environment,
            "Pipeline": PIPELINE,
            "Layer": LAYER,
            "DAGType": "historical" if run.start.historical else "main",
            "TriggerType": run.start.trigger.value,
            "BackfillType": "backfill" if run.start.backfill_id else "runs",
        }

    def value(self, kind: MetricKind, value: float) -> Iterator[Metric]:
        """The value under each dimension set whose values the run itself has."""
        for names in kind.sets:
            if all(name in self._known for name in names):
                yield self._metric(kind, value, names, self._known)

    def by(
        self, kind: MetricKind, values: Mapping[tuple[str, ...], float], *finer: str
    ) -> Iterator[Metric]:
        """The values under the set that has these finer dimensions, by the dimensions' values."""
        [names] = [one for one in kind.sets if set(one) - self._known.keys() == set(finer)]
        for key, value in values.items():
            known = {**self._known, **dict(zip(finer, key, strict=True))}
            yield self._metric(kind, value, names, known)

    def _metric(
        self, kind: MetricKind, value: float, names: Sequence[str], known: Mapping[str, str]
    ) -> Metric:
        return Metric(
            namespace=kind.namespace.value,
            name=kind.name,
            unit=kind.unit.value,
            value=value,
            at=self._run.ended_at,
            dimensions=tuple((name, known[name]) for name in names),
            origin=self._run.start.run_id,
        )


def _bronze_metrics(run: RunResult, series: _RunSeries) -> Iterator[Metric]:
    # What an earlier attempt stored was counted when that attempt ended.
    stored = [one for one in run.stored if not one.repeated]
    for kind, count in (
        (kinds.SESSIONS_PROCESSED, _sessions),
        (kinds.TOTAL_RECORDS_EXTRACTED, _rows),
    ):
        yield from series.value(kind, count(stored))
        for names in kind.sets[1:]:
            finer = tuple(name for name in names if name in _FINER)
            yield from series.by(kind, _split(stored, finer, count), *finer)
    yield from series.value(kinds.PARTITIONS_NOT_LANDED, len(run.failed))
    failed_by_data = Counter(one.dataset for one in run.failed)
    counts: dict[tuple[str, ...], float] = {(n,): c for n, c in sorted(failed_by_data.items())}
    yield from series.by(kinds.PARTITIONS_NOT_LANDED, counts, "DataType")
    yield from series.value(kinds.BRONZE_PROCESSING_TIME, _bronze_seconds(run))
    yield from _api_metrics(run, stored, series)
    for kind, severity in (
        (kinds.DATA_VALIDATION_FAILURES, "ERROR"),
        (kinds.DATA_VALIDATION_WARNINGS, "WARN"),
    ):
        failed: dict[tuple[str, ...], float] = {(check.dataset,): 0 for check in run.checks}
        for check in run.checks:
            failed[check.dataset,] += not check.passed and check.severity == severity
        if failed:  # the 0 of a run that checked nothing would hide the failures of another
            yield from series.value(kind, sum(failed.values()))
            yield from series.by(kind, failed, "DataType")
    yield from _success(kinds.BRONZE_PIPELINE_SUCCESS, run, series)


def _success(kind: MetricKind, run: RunResult, series: _RunSeries) -> Iterator[Metric]:
    """1 or 0; nothing of a run that a person cancelled, or that met a closed API and comes back."""
    is_closed = bool(run.failed) and all(one.error == _CLOSED for one in run.failed)
    if run.end is RunEnd.SUCCESS:
        yield from series.value(kind, 1)
    elif run.end is RunEnd.FAILURE and not is_closed:
        yield from series.value(kind, 0)


def _api_metrics(
    run: RunResult, stored: Sequence[StoredPartition], series: _RunSeries
) -> Iterator[Metric]:
    requests, retries = _number(run.api.get("calls")), _number(run.api.get("retries"))
    by_data = _split(stored, ("DataType",), _requests)
    if requests is None:  # the run was ended before it could record its totals
        requests = sum(by_data.values())
    if retries is None:
        retries = sum(one.api_retries for one in stored)
    yield from series.value(kinds.API_REQUEST_COUNT, requests)
    yield from series.by(kinds.API_REQUEST_COUNT, by_data, "DataType")
    yield from series.value(kinds.API_RETRY_COUNT, retries)
    yield from series.value(kinds.API_ERROR_COUNT, _api_errors(run))
    # A call may bring several sessions, each of which has its share of the call and of its time.
    by_calls = {name: calls for name, calls in by_data.items() if calls}
    seconds = _split(stored, ("DataType",), lambda some: sum(one.extract_seconds for one in some))
    means = {name: round(seconds[name] / calls, 3) for name, calls in by_calls.items()}
    if means:
        whole = sum(seconds[name] for name in by_calls) / sum(by_calls.values())
        yield from series.value(kinds.API_RESPONSE_TIME, round(whole, 3))
        yield from series.by(kinds.API_RESPONSE_TIME, means, "DataType")


def _dag_metrics(run: RunResult, series: _RunSeries) -> Iterator[Metric]:
    seconds = max(0.0, run.seconds)
    if run.start.historical:
        stored = [one for one in run.stored if not one.repeated]
        yield from _success(kinds.HISTORICAL_PIPELINE_SUCCESS, run, series)
        yield from series.value(kinds.HISTORICAL_SESSIONS_PROCESSED, _sessions(stored))
        yield from series.value(kinds.BACKFILL_EXECUTION_TIME, seconds)
        return
    yield from _success(kinds.END_TO_END_PIPELINE_SUCCESS, run, series)
    yield from series.value(kinds.TOTAL_PIPELINE_EXECUTION_TIME, seconds)
    yield from series.value(kinds.SILVER_TABLES_CREATED, run.other_assets.get("silver", 0))
    yield from series.value(kinds.ANALYTICS_TABLES_CREATED, run.other_assets.get("gold", 0))


def _sessions(stored: Collection[StoredPartition]) -> int:
    return len({one.partition for one in stored})


def _rows(stored: Collection[StoredPartition]) -> int:
    return sum(one.rows for one in stored)


def _requests(stored: Collection[StoredPartition]) -> int:
    return sum(one.api_requests for one in stored)


def _session_type(one: StoredPartition) -> str:
    known = kinds.DIMENSION_VALUES["SessionType"]
    return one.partition.session_type if one.partition.session_type in known else OTHER


_FINER: Mapping[str, Callable[[StoredPartition], str]] = {
    "DataType": lambda one: one.dataset,
    "SessionType": _session_type,
}


def _split(
    stored: Collection[StoredPartition],
    finer: Sequence[str],
    count: Callable[[Collection[StoredPartition]], float],
) -> dict[tuple[str, ...], float]:
    """What is counted of each group, by the values of these dimensions."""
    groups: dict[tuple[str, ...], list[StoredPartition]] = {}
    for one in stored:
        groups.setdefault(tuple(_FINER[name](one) for name in finer), []).append(one)
    return {key: count(group) for key, group in sorted(groups.items())}


def _bronze_seconds(run: RunResult) -> float:
    ended_at = run.ended_at
    if run.other_assets and run.stored:
        ended_at = max(one.at for one in run.stored)
    return max(0.0, (ended_at - run.start.started_at).total_seconds())


def _api_errors(run: RunResult) -> float:
    by_status = run.api.get("by_status")
    if not isinstance(by_status, Mapping):
        return 0
    no_errors = {_NO_ROWS}
    if any(one.error == _CLOSED for one in run.failed):
        no_errors.add(_UNAUTHORIZED)  # a closed API is no fault: its runs come back by themselves
    return sum(
        int(_number(calls) or 0)
        for status, calls in by_status.items()
        if str(status) not in no_errors and not str(status).startswith(_NO_ERROR)
    )


def _number(value: Any) -> float | None:
    """The value if it is a count; another release of ours may have recorded anything."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return value if plain and math.isfinite(value) and value >= 0 else None


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
    because a missing gauge means that the sensor is dead.

    Args:
        last_success: the end of the last run that succeeded; None when none ever did.
        now: UTC.
        session_ends: of the whole calendar, also what was never stored, or a pipeline that died
            would look like a pause; those that are still to come are ignored.
    """
    ends = sorted(end for end in session_ends if end <= now)
    hours = 0.0
    if ends and (now - ends[-1] <= quiet or (last_success is not None and last_success < ends[-1])):
        resumed = [after for before, after in pairwise(ends) if after - before > quiet]
        since = resumed[-1] if resumed else ends[0]
        since = since if last_success is None else max(since, last_success)
        hours = max(0.0, (now - since).total_seconds() / 3600)
    return gauge(kinds.HOURS_SINCE_LAST_SUCCESS, round(hours, 3), now, environment=environment)


def gauge(kind: MetricKind, value: float, now: datetime, *, environment: str) -> Metric:
    """A metric of the deployment at this moment; the same id within the hour."""
    return Metric(
        namespace=kind.namespace.value,
        name=kind.name,
        unit=kind.unit.value,
        value=value,
        at=now,
        dimensions=(("Environment", environment), ("Pipeline", PIPELINE), ("Layer", LAYER)),
        origin=f"freshness-{now:%Y%m%dT%H}",
    )
