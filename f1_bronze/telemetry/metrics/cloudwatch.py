"""CloudWatch as a sink, through boto3 and the standard AWS chain.

Belongs here: the only calls to CloudWatch, and what its refusals mean. Stays out: the limits of a
request (metric_batches.py), who tries again later (defs/).
"""

import logging
import math
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from urllib.parse import quote_plus

from f1_bronze.telemetry.metrics.kinds import Metric, Unit
from f1_bronze.telemetry.outbound import Dropped, DropReason, Outcome, Sent, SinkUnavailable

MOST_METRICS = 1_000

MOST_BYTES = 1_000_000

"""1 MB, read as the smaller one; before compression, which CloudWatch may or may not mean."""

MOST_DIMENSIONS = 30

OLDEST, NEWEST = timedelta(days=14), timedelta(hours=2)

_UNITS = {unit.value for unit in Unit}

_LARGEST = 2.0**360

_LONGEST_NAME, _LONGEST_VALUE = 255, 1024

_ROOM_FOR_HEAD = 1_000  # action, version and namespace

_NUMBER = "0000.0000"  # indexes of a metric and a dimension in the query form, at their longest


def unfit(metric: Metric, now: datetime) -> tuple[DropReason, str] | None:
    """Why CloudWatch would refuse the metric, and with it the whole request; None if it would not.

    `now` is UTC.
    """
    if not math.isfinite(metric.value):
        return DropReason.NOT_FINITE, f"the value is {metric.value}"
    if abs(metric.value) > _LARGEST:
        return DropReason.OUT_OF_RANGE, f"the value {metric.value} is beyond ±2^360"
    if not _is_text(metric.name, _LONGEST_NAME):
        return DropReason.BAD_NAME, f"{metric.name!r} is no name of 1 to 255 ASCII letters"
    if not _is_text(metric.namespace, _LONGEST_NAME) or metric.namespace.startswith(("AWS/", ":")):
        return DropReason.BAD_NAME, f"{metric.namespace!r} is no namespace of ours"
    if metric.unit not in _UNITS:
        return DropReason.BAD_NAME, f"{metric.unit!r} is no unit"
    if wrong := _wrong_dimensions(metric):
        return DropReason.BAD_DIMENSIONS, wrong
    if metric.at < now - OLDEST:
        return DropReason.TOO_OLD, f"it is of {metric.at:%Y-%m-%d %H:%M} UTC"
    if metric.at > now + NEWEST:
        return DropReason.IN_THE_FUTURE, f"it is of {metric.at:%Y-%m-%d %H:%M} UTC"
    return None


def _wrong_dimensions(metric: Metric) -> str:
    if len(metric.dimensions) > MOST_DIMENSIONS:
        return f"{len(metric.dimensions)} dimensions, at most {MOST_DIMENSIONS} are allowed"
    names = [name for name, _ in metric.dimensions]
    if len(set(names)) < len(names):
        return "a dimension is there twice"
    for name, value in metric.dimensions:
        if not _is_text(name, _LONGEST_NAME) or name.startswith(":"):
            return f"{name[:40]!r} is no dimension's name"
        if not _is_text(value, _LONGEST_VALUE):
            return f"{value[:40]!r} is no dimension's value"
    return ""


def _is_text(text: str, longest: int) -> bool:
    """ASCII without control characters, and something else than blanks."""
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
    prefix = len("&MetricData.member.=") + len(_NUMBER)
    return sum(prefix + len(name) + len(quote_plus(text)) for name, text in pairs)


def batches(metrics: Iterable[Metric]) -> Iterator[tuple[Metric, ...]]:
    """The metrics in requests, each of one namespace and within the limits, in their order.

    Every metric must be fit.
    """
    by_namespace: dict[str, list[Metric]] = {}
    for metric in metrics:
        by_namespace.setdefault(metric.namespace, []).append(metric)
    for group in by_namespace.values():
        batch: list[Metric] = []
        size = _ROOM_FOR_HEAD
        for metric in group:
            more = wire_size(metric)
            if batch and (len(batch) == MOST_METRICS or size + more > MOST_BYTES):
                yield tuple(batch)
                batch, size = [], _ROOM_FOR_HEAD
            batch.append(metric)
            size += more
        yield tuple(batch)


_log = logging.getLogger("f1_bronze.telemetry")

CONNECT_SECONDS, READ_SECONDS = 3.0, 5.0

SEND_SECONDS = 20.0

"""How long one `send` goes on beginning requests."""

_OF_THE_CONTENT = {
    "InvalidParameterValue",
    "InvalidParameterCombination",
    "MissingParameter",
    "MissingRequiredParameter",
    "ValidationError",
    "Validation",
    "InvalidFormat",
    "Serialization",
}

_REMEDIES = {
    "AccessDenied": (
        "Allow this identity cloudwatch:PutMetricData on the namespaces F1Pipeline/* "
        "(deploy/aws/monitoring.yaml has the policy)."
    ),
    "InvalidClientTokenId": "AWS does not know this access key: set a valid AWS_ACCESS_KEY_ID.",
    "UnrecognizedClient": "AWS does not know this access key: set a valid AWS_ACCESS_KEY_ID.",
    "SignatureDoesNotMatch": "The secret key is wrong: set a valid AWS_SECRET_ACCESS_KEY.",
    "ExpiredToken": "The session token has expired: log in to AWS again.",
    "RequestExpired": "The clock of this machine is wrong: set it (NTP).",
}

_OR = "or set F1_BRONZE_METRICS=local to keep metrics in the lake."

_LATER = "Nothing is lost: the metrics are sent again. Look at CloudWatch's health if it lasts."


class CloudWatchSink:
    """Sends metrics in as few requests as the limits allow; bounded in time, without retries.

    The sensor's next tick is the retry: one in here would count twice what CloudWatch took without
    its answer arriving.
    """

    def __init__(
        self,
        *,
        client: Callable[[], Any] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._make_client = client or _default_client
        self._clock = clock
        self._monotonic = monotonic

    @cached_property
    def _client(self) -> Any:
        return self._make_client()

    def send(
        self, metrics: Sequence[Metric], *, sent_before: Collection[str] = ()
    ) -> tuple[Outcome, ...]:
        """An outcome for each metric; `SinkUnavailable` has what was sent before it stopped."""
        now, deadline = self._clock(), self._monotonic() + SEND_SECONDS
        outcomes: dict[str, Outcome] = {}
        for metric in metrics:
            wrong = unfit(metric, now)
            if metric.id in sent_before:
                outcomes[metric.id] = Sent(metric=metric)
            elif wrong is not None:
                reason, detail = wrong
                outcomes[metric.id] = Dropped(metric=metric, reason=reason, detail=detail)
        fresh = {metric.id: metric for metric in metrics if metric.id not in outcomes}
        for batch in batches(fresh.values()):
            self._put(batch, deadline, outcomes)
        _log_dropped(outcomes.values())
        return tuple(outcomes[metric.id] for metric in metrics)

    def _put(self, batch: Sequence[Metric], deadline: float, outcomes: dict[str, Outcome]) -> None:
        """Send these; what CloudWatch refuses is halved until the culprit is alone."""
        waiting = [tuple(batch)]
        while waiting:
            some = waiting.pop()
            refusal = self._refusal(some, deadline, outcomes)
            if refusal is None:
                outcomes |= {metric.id: Sent(metric=metric) for metric in some}
            elif len(some) == 1:
                outcomes[some[0].id] = Dropped(
                    metric=some[0], reason=DropReason.REFUSED, detail=refusal
                )
            else:
                half = len(some) // 2
                waiting += [some[half:], some[:half]]

    def _refusal(
        self, some: Sequence[Metric], deadline: float, outcomes: dict[str, Outcome]
    ) -> str | None:
        """One request; None if it was taken, else what is wrong with its content."""
        from botocore import exceptions as boto

        sent = [key for key, outcome in outcomes.items() if isinstance(outcome, Sent)]
        if self._monotonic() > deadline:
            raise SinkUnavailable(
                f"CloudWatch was too slow: {len(sent)} metrics in {SEND_SECONDS:.0f} s. {_LATER}",
                sent=sent,
            )
        try:
            client = self._client
        except (ValueError, boto.BotoCoreError) as error:  # ValueError: an endpoint that is none
            raise SinkUnavailable(
                f"There is no client for CloudWatch ({type(error).__name__}). {_remedy(error)}",
                sent=sent,
            ) from error
        try:
            answer = client.put_metric_data(
                Namespace=some[0].namespace, MetricData=[datum(metric) for metric in some]
            )
        except boto.ParamValidationError as error:
            return str(error)
        except boto.ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", "")).rpartition("#")[2]
            code = code.removesuffix("Exception")
            if code in _OF_THE_CONTENT:
                return f"{code}: {error.response['Error'].get('Message', '')}"
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            raise SinkUnavailable(
                f"CloudWatch refused metrics ({code or status}). {_REMEDIES.get(code, _LATER)}",
                sent=sent,
                in_doubt=status >= 500,
            ) from error
        except boto.BotoCoreError as error:
            raise SinkUnavailable(
                f"CloudWatch cannot be reached ({type(error).__name__}). {_remedy(error)}",
                sent=sent,
                in_doubt=isinstance(error, boto.ReadTimeoutError | boto.ConnectionClosedError),
            ) from error
        if "RequestId" not in answer["ResponseMetadata"]:  # a proxy's page, with status 200
            raise SinkUnavailable(
                "What answered in CloudWatch's place is not CloudWatch. Look at AWS_ENDPOINT_URL "
                "and at the proxy; the metrics are sent again.",
                sent=sent,
            )
        return None


def _log_dropped(outcomes: Iterable[Outcome]) -> None:
    """A warning for each run and reason, with the names of the metrics."""
    groups: dict[tuple[str, str], list[Dropped]] = {}
    for outcome in outcomes:
        if isinstance(outcome, Dropped):
            groups.setdefault((outcome.metric.origin, outcome.reason.value), []).append(outcome)
    for (origin, reason), group in groups.items():
        names = ", ".join(dict.fromkeys(dropped.metric.name for dropped in group))
        _log.warning(
            "%d metrics of %s are left out: %s (%s; %s).",
            *(len(group), origin, reason, names, group[0].detail),
        )


def _remedy(error: Exception) -> str:
    from botocore import exceptions as boto

    if isinstance(error, boto.NoCredentialsError | boto.PartialCredentialsError):
        return (
            f"Give this process AWS credentials by the standard chain (AWS_PROFILE, a role), {_OR}"
        )
    if isinstance(error, boto.ProfileNotFound):
        return f"Mend AWS_PROFILE, {_OR}"
    if isinstance(error, boto.NoRegionError | boto.InvalidRegionError):
        return f"Set AWS_REGION to a region, {_OR}"
    if isinstance(error, ValueError):
        return f"Mend AWS_ENDPOINT_URL, {_OR}"
    return _LATER


def _default_client() -> Any:
    import boto3
    from botocore.config import Config

    return boto3.client(
        "cloudwatch",
        config=Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"total_max_attempts": 1, "mode": "standard"},
        ),
    )
