"""CloudWatch as a sink: requests, poison, outages; against fakes, moto's server and dead ports."""

import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from f1_bronze.telemetry import aws
from f1_bronze.telemetry.metrics import cloudwatch
from f1_bronze.telemetry.metrics.cloudwatch import CloudWatchSink
from f1_bronze.telemetry.metrics.measurement import run_metrics
from f1_bronze.telemetry.outbound import Dropped, Sent, SinkUnavailable

from ..servers import serve_moto
from .metric_examples import MONDAY, RUN, WEEKEND, FakeCloudWatch, finished
from .test_metric_batches import ONE

METRICS = run_metrics(WEEKEND, environment="production")


def sink(client: Any, *, now: Any = MONDAY) -> CloudWatchSink:
    """A sink with that client, on that Monday."""
    return CloudWatchSink(client=lambda: client, clock=lambda: now)


def refused(code: str, status: int = 400) -> ClientError:
    """What boto3 raises for an error code."""
    return ClientError(
        {
            "Error": {"Code": code, "Message": "no"},
            "ResponseMetadata": {"HTTPStatusCode": status},  # type: ignore[typeddict-item]
        },
        "PutMetricData",
    )


def test_two_requests_for_a_run() -> None:
    """A run's metrics go in one request for each namespace, every datum as it is."""
    client = FakeCloudWatch()
    outcomes = sink(client).send(METRICS)
    assert outcomes == (Sent(),) * len(METRICS)
    assert [(namespace, len(data)) for namespace, data in client.requests] == [
        ("F1Pipeline/Bronze", sum(m.namespace == "F1Pipeline/Bronze" for m in METRICS)),
        ("F1Pipeline/DAG/EndToEnd", 8),
    ]
    assert client.taken[0] == {
        "Namespace": "F1Pipeline/Bronze",
        "MetricName": "SessionsProcessed",
        "Dimensions": [
            {"Name": "Environment", "Value": "production"},
            {"Name": "Pipeline", "Value": "f1_bronze"},
            {"Name": "Layer", "Value": "bronze"},
        ],
        "Timestamp": MONDAY,
        "Value": 2.0,
        "Unit": "Count",
    }


def test_poison_that_is_known() -> None:
    """A metric that cannot be sent is dropped with its reason, and all others are sent."""
    client = FakeCloudWatch()
    poison = replace(ONE, value=float("nan"), origin="poison")
    old = replace(ONE, at=MONDAY - timedelta(days=15), origin="old")
    first, *sent, last = sink(client).send([poison, *METRICS, old])
    assert isinstance(first, Dropped)
    assert isinstance(last, Dropped)
    assert (first.reason, last.reason) == ("not finite", "older than two weeks")
    assert sent == [Sent()] * len(METRICS)
    assert len(client.taken) == len(METRICS)


@pytest.mark.parametrize(
    "code", ["InvalidParameterValue", "InvalidParameterCombinationException", "ValidationError"]
)
def test_poison_that_is_not(code: str) -> None:
    """Of a request that CloudWatch refuses for its content only the culprit is left out."""

    def fails(namespace: str, data: Sequence[Mapping[str, Any]]) -> None:
        if any(datum["MetricName"] == "APIRetryCount" for datum in data):
            raise refused(code)

    client = FakeCloudWatch(fails)
    outcomes = sink(client).send(METRICS)
    pairs = zip(METRICS, outcomes, strict=True)
    [(name, dropped)] = [(m.name, one) for m, one in pairs if isinstance(one, Dropped)]
    assert (name, dropped.reason) == ("APIRetryCount", "refused")
    assert len(client.taken) == len(METRICS) - 1
    assert {d["MetricName"] for d in client.taken} == {m.name for m in METRICS} - {"APIRetryCount"}
    assert len(client.requests) < 16


def test_an_outage_between_two_requests() -> None:
    """What was sent before an outage is named, and sending again does not count it twice."""

    def fails(namespace: str, data: Sequence[Mapping[str, Any]]) -> None:
        if namespace == "F1Pipeline/DAG/EndToEnd":
            raise EndpointConnectionError(endpoint_url="https://monitoring")

    client = FakeCloudWatch(fails)
    with pytest.raises(SinkUnavailable, match="sent again") as raised:
        sink(client).send(METRICS)
    bronze = [metric for metric in METRICS if metric.namespace == "F1Pipeline/Bronze"]
    assert raised.value.sent == tuple(metric.id for metric in bronze)
    assert not raised.value.in_doubt
    again = FakeCloudWatch()
    outcomes = sink(again).send(METRICS, sent_before=raised.value.sent)
    assert outcomes == (Sent(),) * len(METRICS)
    assert {datum["Namespace"] for datum in again.taken} == {"F1Pipeline/DAG/EndToEnd"}


@pytest.mark.parametrize(
    ("error", "remedy", "in_doubt"),
    [
        (refused("AccessDenied", 403), "Allow this identity cloudwatch:PutMetricData", False),
        (refused("AccessDeniedException", 403), "Allow this identity", False),
        (refused("ExpiredToken", 403), "log in to AWS again", False),
        (refused("Throttling"), "sent again", False),
        (refused("InternalFailure", 500), "sent again", True),
        (ReadTimeoutError(endpoint_url="https://monitoring"), "sent again", True),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_outages(error: Exception, remedy: str, in_doubt: bool) -> None:
    """Whatever is not about the content is an outage: once asked, a remedy, nothing dropped."""

    def fails(namespace: str, data: Sequence[Mapping[str, Any]]) -> None:
        raise error

    client = FakeCloudWatch(fails)
    with pytest.raises(SinkUnavailable, match=remedy) as raised:
        sink(client).send(METRICS)
    assert (raised.value.sent, raised.value.in_doubt) == ((), in_doubt)
    assert len(client.requests) == 1


def test_a_slow_cloudwatch() -> None:
    """One sending begins no request after its time is over, and says what it has sent."""
    ticks = iter([0.0, 1.0, cloudwatch.SEND_SECONDS + 1])
    client = FakeCloudWatch()
    slow = CloudWatchSink(
        client=lambda: client, clock=lambda: MONDAY, monotonic=lambda: next(ticks)
    )
    with pytest.raises(SinkUnavailable, match="too slow") as raised:
        slow.send(METRICS)
    assert len(raised.value.sent) == len(client.taken) > 0
    assert len(client.requests) == 1


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """An identity by the standard chain."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-the-test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


@pytest.fixture
def moto(monkeypatch: pytest.MonkeyPatch, credentials: None) -> Iterator[Any]:
    """moto's server, found by the standard chain; a client to look with."""
    with serve_moto() as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        yield boto3.client("cloudwatch")


def test_through_a_server(moto: Any) -> None:
    """Sent by the standard chain, the sums that CloudWatch answers are those of the run.

    moto adds up all series whose dimensions hold those asked for, so it is asked for the finest.
    """
    # Servers of one process share what moto holds: this is out of the sight of `test_read_back`.
    now = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=5)
    run = finished(ended_at=now, stored=WEEKEND.stored, checks=WEEKEND.checks, api=WEEKEND.api)
    outcomes = CloudWatchSink().send(run_metrics(run, environment="production"))
    assert {type(outcome) for outcome in outcomes} == {Sent}
    for name, finer, expected in (
        ("TotalRecordsExtracted", {"DataType": "laps", "SessionType": "race"}, 1_080),
        ("SessionsProcessed", {"SessionType": "qualifying"}, 1),
        ("SessionsProcessed", {"DataType": "drivers"}, 2),
        ("DataValidationFailures", {"DataType": "laps"}, 1),
    ):
        [found] = moto.get_metric_statistics(
            Namespace="F1Pipeline/Bronze",
            MetricName=name,
            Dimensions=[
                {"Name": "Environment", "Value": "production"},
                {"Name": "Pipeline", "Value": "f1_bronze"},
                {"Name": "Layer", "Value": "bronze"},
                *({"Name": key, "Value": value} for key, value in finer.items()),
            ],
            StartTime=now - timedelta(minutes=5),
            EndTime=now + timedelta(minutes=5),
            Period=3_600,
            Statistics=["Sum"],
        )["Datapoints"]
        assert (name, found["Sum"], found["Unit"]) == (name, expected, "Count")


def test_read_back(moto: Any) -> None:
    """What was sent is read back, a value an hour by each metric's statistic, of one deployment."""
    now = datetime.now(UTC).replace(microsecond=0)
    sink = CloudWatchSink()
    for run_id, environment in (("one", "production"), ("two", "production"), ("x", "staging")):
        run = finished(run_id=run_id, ended_at=now, stored=WEEKEND.stored)
        sink.send(run_metrics(run, environment=environment))
    found = sink.between(
        now - timedelta(hours=3), now + timedelta(hours=1), environment="production"
    )
    assert {dict(metric.dimensions)["Environment"] for metric in found} == {"production"}
    values = {
        (metric.name, tuple(value for _, value in metric.dimensions[3:])): metric.value
        for metric in found
        if len(metric.dimensions) == 5  # moto adds up all series that hold what it is asked for
    }
    assert values["TotalRecordsExtracted", ("laps", "race")] == 2 * 1_080
    assert all(abs(metric.at - now) <= timedelta(hours=1) for metric in found)


def test_reading_that_is_denied() -> None:
    """Who may not read gets the permission that is lacking, and not that to send."""

    class Denied:
        def get_metric_data(self, **_: Any) -> None:
            raise refused("AccessDenied", 403)

    with pytest.raises(SinkUnavailable, match="Allow this identity cloudwatch:GetMetricData"):
        sink(Denied()).between(MONDAY - timedelta(days=1), MONDAY, environment="production")


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch, credentials: None) -> None:
    """An endpoint that refuses connections is an outage within a second, asked once."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    begun = time.monotonic()
    with pytest.raises(SinkUnavailable, match="EndpointConnectionError") as raised:
        CloudWatchSink(clock=lambda: MONDAY).send(METRICS)
    assert time.monotonic() - begun < 3
    assert "secret-of-the-test" not in str(raised.value)


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch, credentials: None) -> None:
    """An endpoint that takes the request and never answers is given up, in doubt."""
    monkeypatch.setattr(aws, "READ_SECONDS", 0.2)
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{mute.getsockname()[1]}")
        with pytest.raises(SinkUnavailable, match="ReadTimeoutError") as raised:
            CloudWatchSink(clock=lambda: MONDAY).send(METRICS)
    assert raised.value.in_doubt


@pytest.mark.parametrize(
    ("chain", "remedy"),
    [
        ({"AWS_DEFAULT_REGION": ""}, "Set AWS_DEFAULT_REGION"),
        ({"AWS_DEFAULT_REGION": "the moon"}, "Set AWS_DEFAULT_REGION"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "AWS credentials"),
        ({"AWS_PROFILE": "nobody"}, "Correct AWS_PROFILE"),
        ({"AWS_ENDPOINT_URL": "nowhere"}, "Correct AWS_ENDPOINT_URL"),
    ],
    ids=["no region", "no such region", "no keys", "no such profile", "no such endpoint"],
)
def test_a_broken_chain(
    monkeypatch: pytest.MonkeyPatch, credentials: None, chain: dict[str, str], remedy: str
) -> None:
    """Without a region, credentials or endpoint the metrics wait, and it is said what to set."""
    for name, value in chain.items():
        if value:
            monkeypatch.setenv(name, value)
        else:
            monkeypatch.delenv(name)
    with pytest.raises(SinkUnavailable, match=remedy) as raised:
        CloudWatchSink(clock=lambda: MONDAY).send([replace(ONE, origin=RUN)])
    assert "F1_BRONZE_METRICS=local" in str(raised.value)


@pytest.mark.parametrize(
    ("status", "body", "what"),
    [
        (200, b"<html>Please log in</html>", "not CloudWatch"),
        (302, b"", r"\(302\)"),
        (413, b"<html>too large</html>", r"\(413\)"),
        (503, b"upstream request timeout", r"\(503\)"),
    ],
)
def test_somebody_in_between(
    monkeypatch: pytest.MonkeyPatch, credentials: None, status: int, body: bytes, what: str
) -> None:
    """A proxy that answers in CloudWatch's place has taken nothing, whatever it says."""

    class Proxy(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Proxy) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        try:
            with pytest.raises(SinkUnavailable, match=what) as raised:
                CloudWatchSink(clock=lambda: MONDAY).send(METRICS)
        finally:
            server.shutdown()
            thread.join()
    assert raised.value.sent == ()


def test_warnings(caplog: pytest.LogCaptureFixture) -> None:
    """What is left out is logged once for each run and reason, by name."""
    old = run_metrics(finished(ended_at=MONDAY - timedelta(days=20)), environment="dev")
    with caplog.at_level("WARNING", logger="f1_bronze.telemetry"):
        sink(FakeCloudWatch()).send(old)
    [record] = caplog.records
    assert record.getMessage().startswith(
        f"{len(old)} metrics of {RUN} are left out: older than two weeks (SessionsProcessed, "
    )
