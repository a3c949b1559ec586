"""Sends metrics to CloudWatch in as few requests as its limits allow, and reads them back."""

import logging
import math
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import product
from typing import Any
from urllib.parse import quote_plus

from f1_bronze.telemetry.aws import LATER, aws_errors, make_client, read_failure
from f1_bronze.telemetry.metrics.metric_kinds import (
    DIMENSION_VALUES,
    METRIC_KINDS,
    Metric,
    MetricKind,
    Unit,
)
from f1_bronze.telemetry.outbound import Dropped, Outcome, Sent, SinkUnavailable

MOST_METRICS = 1_000

MOST_BYTES = 1_000_000
"""1 MB, read as the smaller one; before compression, which CloudWatch may or may not mean."""

MOST_DIMENSIONS = 30

MOST_QUERIES = 500
"""Series that one GetMetricData may ask for."""

OLDEST, NEWEST = timedelta(days=14), timedelta(hours=2)

SEND_SECONDS = 20.0
"""How long one `send` goes on starting requests."""

_UNITS = {unit.value for unit in Unit}

_LARGEST = 2.0**360

_LONGEST_NAME, _LONGEST_VALUE = 255, 1024

_HEAD_BYTES = 1_000  # action, version and namespace

_INDEX = "0000.0000"  # indexes of a metric and a dimension in the query form, at their longest

_log = logging.getLogger("f1_bronze.telemetry")


class CloudWatchSink:
    """The sink; bounded in time, without retries.

    The sensor's next tick is the retry: one in here would count twice what CloudWatch took without
    its answer arriving.
    """

    def __init__(
        self,
        *,
        client: Callable[[], Any] = lambda: make_client("cloudwatch"),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._make_client = client
        self._clock = clock
        self._monotonic = monotonic

    @cached_property
    def _client(self) -> Any:
        return self._make_client()

    def send(
        self, items: Sequence[Metric], *, sent_before: Collection[str] = ()
    ) -> tuple[Outcome, ...]:
        """An outcome for each metric; `SinkUnavailable` has what was sent before it stopped."""
        now, deadline = self._clock(), self._monotonic() + SEND_SECONDS
        outcomes: dict[str, Outcome] = {}
        for metric in items:
            dropped = find_defect(metric, now)
            if metric.id in sent_before:
                outcomes[metric.id] = Sent()
            elif dropped is not None:
                outcomes[metric.id] = dropped
        fresh = {metric.id: metric for metric in items if metric.id not in outcomes}
        for batch in batches(fresh.values()):
            self._send_batch(batch, deadline, outcomes)
        _log_dropped(items, outcomes)
        return tuple(outcomes[metric.id] for metric in items)

    def between(self, first: datetime, last: datetime, *, environment: str) -> list[Metric]:
        """A deployment's metrics of these moments, in the order of time.

        CloudWatch keeps no single values: there is one for each hour, or each day where more than
        a week is asked for, put together by the metric's statistic.
        """
        period = 3_600 if last - first <= timedelta(days=7) else 86_400
        known = {**DIMENSION_VALUES, "Environment": (environment,)}
        series = [
            (kind, tuple(zip(names, values, strict=True)))
            for kind in METRIC_KINDS
            for names in kind.sets
            for values in product(*(known[name] for name in names))
        ]
        found: list[Metric] = []
        for start in range(0, len(series), MOST_QUERIES):
            some = series[start : start + MOST_QUERIES]
            queries = [_query(n, *one, period=period) for n, one in enumerate(some)]
            for result in self._read(queries, first, last):
                kind, dimensions = some[int(result["Id"].removeprefix("s"))]
                found += [
                    Metric(
                        namespace=kind.namespace.value,
                        name=kind.name,
                        unit=kind.unit.value,
                        value=value,
                        at=at,
                        dimensions=dimensions,
                        origin="cloudwatch",
                    )
                    for at, value in zip(result["Timestamps"], result["Values"], strict=True)
                ]
        return sorted(found, key=lambda metric: metric.at)

    def _read(
        self, queries: Sequence[dict[str, Any]], first: datetime, last: datetime
    ) -> Iterator[dict[str, Any]]:
        request: dict[str, Any] = {
            "MetricDataQueries": queries,
            "StartTime": first,
            "EndTime": last,
        }
        while True:
            try:
                answer = self._client.get_metric_data(**request)
            except aws_errors() as error:
                failure = read_failure(error, "cloudwatch reading")
                raise SinkUnavailable(f"CloudWatch {failure.what}. {failure.remedy}") from error
            yield from answer["MetricDataResults"]
            if "NextToken" not in answer:
                return
            request["NextToken"] = answer["NextToken"]

    def _send_batch(
        self, batch: Sequence[Metric], deadline: float, outcomes: dict[str, Outcome]
    ) -> None:
        """Send these; a request that is refused is halved until the culprit is alone."""
        waiting = [tuple(batch)]
        while waiting:
            some = waiting.pop()
            sent = [key for key, outcome in outcomes.items() if isinstance(outcome, Sent)]
            if self._monotonic() > deadline:
                raise SinkUnavailable(
                    f"CloudWatch was too slow: {len(sent)} metrics in {SEND_SECONDS:.0f} s. "
                    f"{LATER}",
                    sent=sent,
                )
            refusal = self._put(some, sent)
            if refusal is None:
                outcomes |= {metric.id: Sent() for metric in some}
            elif len(some) == 1:
                outcomes[some[0].id] = Dropped(reason="refused", detail=refusal)
            else:
                half = len(some) // 2
                waiting += [some[half:], some[:half]]

    def _put(self, some: Sequence[Metric], sent: Collection[str]) -> str | None:
        """One request; None if it was taken, else what is wrong with its content."""
        try:
            answer = self._client.put_metric_data(
                Namespace=some[0].namespace, MetricData=[datum(metric) for metric in some]
            )
        except aws_errors() as error:
            failure = read_failure(error, "cloudwatch")
            if failure.is_content:
                return f"{failure.code}: {error}"
            remedy = failure.remedy
            if remedy != LATER:
                keep = "or set F1_BRONZE_METRICS=local to keep metrics in the lake"
                remedy = f"{remedy.rstrip('.')}, {keep}."
            raise SinkUnavailable(
                f"CloudWatch {failure.what}. {remedy}", sent=sent, in_doubt=failure.in_doubt
            ) from error
        if "RequestId" not in answer["ResponseMetadata"]:  # a proxy's page, with status 200
            raise SinkUnavailable(
                "What answered in CloudWatch's place is not CloudWatch. Look at AWS_ENDPOINT_URL "
                "and at the proxy; the metrics are sent again.",
                sent=sent,
            )
        return None


def _query(
    number: int, kind: MetricKind, dimensions: tuple[tuple[str, str], ...], *, period: int
) -> dict[str, Any]:
    return {
        "Id": f"s{number}",
        "MetricStat": {
            "Metric": {
                "Namespace": kind.namespace.value,
                "MetricName": kind.name,
                "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions],
            },
            "Period": period,
            "Stat": kind.statistic.value,
        },
    }


def find_defect(metric: Metric, now: datetime) -> Dropped | None:
    """Why CloudWatch would refuse the metric, and with it the whole request; None if it would not.

    `now` is UTC.
    """
    name, namespace, at = metric.name, metric.namespace, f"{metric.at:%Y-%m-%d %H:%M} UTC"
    if not math.isfinite(metric.value):
        return Dropped(reason="not finite", detail=f"the value is {metric.value}")
    if abs(metric.value) > _LARGEST:
        return Dropped(reason="out of range", detail=f"the value {metric.value} is beyond ±2^360")
    if not _is_text(name, _LONGEST_NAME):
        return Dropped(reason="bad name", detail=f"{name!r} is not 1 to 255 ASCII characters")
    if not _is_text(namespace, _LONGEST_NAME) or namespace.startswith(("AWS/", ":")):
        return Dropped(reason="bad name", detail=f"{namespace!r} is not a namespace of ours")
    if metric.unit not in _UNITS:
        return Dropped(reason="bad name", detail=f"{metric.unit!r} is not a unit")
    if wrong := _wrong_dimensions(metric):
        return Dropped(reason="bad dimensions", detail=wrong)
    if metric.at < now - OLDEST:
        return Dropped(reason="older than two weeks", detail=f"it is of {at}")
    if metric.at > now + NEWEST:
        return Dropped(reason="more than two hours ahead", detail=f"it is of {at}")
    return None


def _wrong_dimensions(metric: Metric) -> str:
    if len(metric.dimensions) > MOST_DIMENSIONS:
        return f"{len(metric.dimensions)} dimensions, at most {MOST_DIMENSIONS} are allowed"
    names = [name for name, _ in metric.dimensions]
    if len(set(names)) < len(names):
        return "a dimension is there twice"
    for name, value in metric.dimensions:
        if not _is_text(name, _LONGEST_NAME) or name.startswith(":"):
            return f"{name[:40]!r} is not a dimension's name"
        if not _is_text(value, _LONGEST_VALUE):
            return f"{value[:40]!r} is not a dimension's value"
    return ""


def _is_text(text: str, longest: int) -> bool:
    """ASCII without control characters, and not blank."""
    return text.isascii() and text.isprintable() and bool(text.strip()) and len(text) <= longest


def datum(metric: Metric) -> dict[str, Any]:
    """The metric as PutMetricData has it."""
    return {
        "MetricName": metric.name,
        "Dimensions": [{"Name": name, "Value": value} for name, value in metric.dimensions],
        "Timestamp": metric.at,
        "Value": float(metric.value),
        "Unit": metric.unit,
    }


def wire_size(metric: Metric) -> int:
    """Bytes of the metric in a request, at most, in the wordiest of CloudWatch's protocols."""
    pairs = [
        ("MetricName", metric.name),
        ("Timestamp", "2026-11-23T06:00:00.000000Z"),
        ("Value", str(float(metric.value))),
        ("Unit", metric.unit),
        *[
            (f"Dimensions.member.{key}", text)
            for pair in metric.dimensions
            for key, text in zip(("Name", "Value"), pair, strict=True)
        ],
    ]
    prefix = len("&MetricData.member.=") + len(_INDEX)
    return sum(prefix + len(name) + len(quote_plus(text)) for name, text in pairs)


def batches(metrics: Iterable[Metric]) -> Iterator[tuple[Metric, ...]]:
    """The metrics in requests, each of one namespace and within the limits, in their order.

    None of them may have a defect.
    """
    by_namespace: dict[str, list[Metric]] = {}
    for metric in metrics:
        by_namespace.setdefault(metric.namespace, []).append(metric)
    for group in by_namespace.values():
        batch: list[Metric] = []
        size = _HEAD_BYTES
        for metric in group:
            more = wire_size(metric)
            if batch and (len(batch) == MOST_METRICS or size + more > MOST_BYTES):
                yield tuple(batch)
                batch, size = [], _HEAD_BYTES
            batch.append(metric)
            size += more
        yield tuple(batch)


def _log_dropped(metrics: Iterable[Metric], outcomes: dict[str, Outcome]) -> None:
    """A warning for each run and reason, with the names of the metrics."""
    groups: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for metric in metrics:
        outcome = outcomes[metric.id]
        if isinstance(outcome, Dropped):
            groups.setdefault((metric.origin, outcome.reason), []).append(
                (metric.name, outcome.detail)
            )
    for (origin, reason), group in groups.items():
        names = ", ".join(dict.fromkeys(name for name, _ in group))
        _log.warning(
            "%d metrics of %s are left out: %s (%s; %s).",
            *(len(group), origin, reason, names, group[0][1]),
        )
