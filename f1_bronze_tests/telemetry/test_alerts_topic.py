"""The SNS topic: what is published, through moto's server, and what its refusals mean."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from f1_bronze.telemetry.alerts.sinks import LONGEST_MESSAGE, Topic, to_subject
from f1_bronze.telemetry.alerts.wording import Alert, AlertKind
from f1_bronze.telemetry.outbound import Dropped, Sent, SinkUnavailable

from ..deploy.clouds import Cloud, ministack_cloud
from ..deploy.monitoring import deploy
from ..servers import serve_moto
from .lineage_server import closed_port

ARN = "arn:aws:sns:eu-west-1:123456789012:f1-bronze-alarms"
ALERT = Alert(
    kind=AlertKind.FAILED_RUN,
    subject="f1_bronze production: laps of 2025/são_paulo/race not stored",
    text="2025/são_paulo/race laps: OpenF1 answered 500. Run it again later.",
    facts={"environment": "production"},
)


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """A login, as the standard chain finds it."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")


@pytest.fixture
def moto(monkeypatch: pytest.MonkeyPatch, credentials: None) -> Iterator[str]:
    """The address of moto's server, which the standard chain has."""
    with serve_moto() as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        yield url


def test_through_a_server(moto: str) -> None:
    """A subscriber gets the subject, the text and the attributes to filter by."""
    sns, sqs = (boto3.client(name, region_name="eu-west-1") for name in ("sns", "sqs"))
    arn = sns.create_topic(Name="f1-bronze-alarms")["TopicArn"]
    queue = sqs.create_queue(QueueName="mails")["QueueUrl"]
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint="arn:aws:sqs:eu-west-1:123456789012:mails")
    assert Topic(arn).send([ALERT]) == (Sent(),)
    [message] = sqs.receive_message(QueueUrl=queue)["Messages"]
    got = json.loads(message["Body"])
    assert got["Subject"] == "f1_bronze production: laps of 2025/s?o_paulo/race not stored"
    assert got["Message"] == ALERT.text
    assert {name: one["Value"] for name, one in got["MessageAttributes"].items()} == {
        "kind": "failed_run",
        "environment": "production",
    }


def test_no_such_topic(moto: str) -> None:
    """A topic that does not exist makes the alert wait, and names the setting."""
    with pytest.raises(SinkUnavailable, match="set F1_BRONZE_ALERT_TOPIC to one that exists"):
        Topic(ARN.replace("alarms", "other")).send([ALERT])


class Refusing:
    """A client whose every call fails."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def publish(self, **_: Any) -> None:
        """As boto3's."""
        raise self._error


def code(name: str) -> ClientError:
    """What boto3 raises for an error code."""
    return ClientError({"Error": {"Code": name, "Message": "no"}}, "Publish")


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (code("AuthorizationError"), "Allow this identity sns:Publish on the topic"),
        (code("AccessDeniedException"), "Allow this identity sns:Publish on the topic"),
        (code("ExpiredToken"), "log in to AWS again"),
        (code("Throttling"), "It is sent again"),
        (NoCredentialsError(), "standard chain"),
    ],
)
def test_it_is_the_topic(error: Exception, says: str) -> None:
    """What every alert would meet makes the alert wait, with the remedy at the end."""
    with pytest.raises(SinkUnavailable, match=says):
        Topic(ARN, client=lambda region: Refusing(error)).send([ALERT])


def test_it_is_the_alert() -> None:
    """What SNS will never take is refused for good."""
    client = Refusing(code("InvalidParameter"))
    [outcome] = Topic(ARN, client=lambda region: client).send([ALERT])
    assert outcome == Dropped(reason="refused", detail="SNS refused the request (InvalidParameter)")


def test_nobody_is_there(monkeypatch: pytest.MonkeyPatch, credentials: None) -> None:
    """A dead endpoint is an outage, after one attempt."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{closed_port()}")
    with pytest.raises(SinkUnavailable, match=r"cannot be reached \(EndpointConnectionError\)"):
        Topic(ARN).send([ALERT])


class Taking:
    """A client that keeps what is published, and for which region it was made."""

    def __init__(self) -> None:
        self.published: list[dict[str, Any]] = []
        self.region = ""

    def of(self, region: str) -> "Taking":
        """Made for this region."""
        self.region = region
        return self

    def publish(self, **what: Any) -> None:
        """As boto3's."""
        self.published.append(what)


def test_limits_of_sns() -> None:
    """Subject and message stay below SNS's limits, and the ARN has the region."""
    client = Taking()
    long = replace(ALERT, subject="é" * 200, text="é" * 200_000)
    Topic(ARN, client=client.of).send([long])
    [sent] = client.published
    assert client.region == "eu-west-1"
    assert sent["Subject"] == to_subject(long) == "?" * 99
    assert len(sent["Message"].encode()) == LONGEST_MESSAGE


@pytest.fixture
def ministack(tmp_path: Path) -> Iterator[Cloud]:
    """ministack, enforcing IAM."""
    with ministack_cloud(tmp_path) as running:
        yield running


@pytest.mark.slow
def test_the_policy(ministack: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """The template's policy lets its holder publish to the alarms' topic and no other."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    outputs = deploy(ministack)
    other = ministack.client("sns").create_topic(Name="other")["TopicArn"]
    version = ministack.client("iam").get_policy_version(
        PolicyArn=outputs["AlertsPolicyArn"], VersionId="v1"
    )
    document = version["PolicyVersion"]["Document"]
    assert [(s["Action"], s["Resource"]) for s in document["Statement"]] == [
        (["sns:Publish"], outputs["TopicArn"])
    ]
    holder = ministack.client("sns", ministack.user(document))
    Topic(outputs["TopicArn"], client=lambda region: holder).send([ALERT])
    with pytest.raises(SinkUnavailable, match="Allow this identity sns:Publish"):
        Topic(other, client=lambda region: holder).send([ALERT])
