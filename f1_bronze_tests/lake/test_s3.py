"""S3 as a store, against moto's server: what is kept, and what each refusal says."""

import logging
from collections.abc import Callable, Iterator
from contextlib import closing
from socket import socket
from typing import Any
from uuid import uuid4

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.stub import Stubber

from f1_bronze.lake.errors import LakeUnavailable
from f1_bronze.lake.lake import Lake
from f1_bronze.lake.s3 import S3Store
from f1_bronze.lake.stores import StoredObject

PATH = "bronze/laps/x.parquet"
VERBS: dict[str, Callable[[S3Store], object]] = {
    "read": lambda store: store.read(PATH),
    "write": lambda store: store.write(PATH, b"new", {}),
    "list": lambda store: list(store.list("bronze/")),
    "check": lambda store: store.check(),
}
POLICY = (
    "A lake takes s3:GetObject, s3:PutObject and s3:ListBucket (deploy/aws has the policy); "
    "`f1-bronze doctor` names each that is missing."
)
STORE_FAILED = (
    "The store of the bucket a-bucket failed, and retries were used up: run again in a few "
    "minutes. If it stays so, look at the status of the store (AWS Health Dashboard)."
)
EACH_VERB = pytest.mark.parametrize("verb", VERBS)


def refusal(verb: str, store: S3Store) -> str:
    """The message with which a call is refused."""
    with pytest.raises(LakeUnavailable) as raised:
        VERBS[verb](store)
    return str(raised.value)


def expected(code: str, verb: str, store: S3Store, remedy: str) -> str:
    """The whole message: code, verb, address, remedy, and so no secret."""
    place = {"check": "", "list": "bronze/"}.get(verb, PATH)
    done = "list" if verb == "check" else verb
    return f"{code}: could not {done} {store.uri(place)}. {remedy}"


def allow(verb: str, bucket: str) -> str:
    """The remedy where a permission is missing."""
    actions = {"read": "s3:GetObject", "write": "s3:PutObject"}
    return (
        f"Allow this identity {actions.get(verb, 's3:ListBucket')} on the bucket {bucket}. {POLICY}"
    )


def test_read_and_write(bucket: str) -> None:
    """An object lies below bucket and prefix under its path."""
    S3Store(bucket=bucket, prefix="f1/lake").write(PATH, b"data", {})
    client = boto3.client("s3")
    found = client.get_object(Bucket=bucket, Key=f"f1/lake/{PATH}")
    assert found["Body"].read() == b"data"
    assert found["ContentType"] == "application/vnd.apache.parquet"
    assert S3Store(bucket=bucket).read(f"f1/lake/{PATH}") == b"data"
    assert S3Store(bucket=bucket, prefix="f1").read(PATH) is None


def test_json_has_its_content_type(bucket: str) -> None:
    """Lineage events are JSON to a browser."""
    S3Store(bucket=bucket).write("lineage/events/x.json", b"{}", {})
    head = boto3.client("s3").head_object(Bucket=bucket, Key="lineage/events/x.json")
    assert head["ContentType"] == "application/json"


def test_metadata_is_on_the_object(bucket: str) -> None:
    """Notes are the object's metadata; letters that headers cannot hold are replaced."""
    S3Store(bucket=bucket).write(PATH, b"", {"run-id": "abc", "host": "São Paulo"})
    head = boto3.client("s3").head_object(Bucket=bucket, Key=PATH)
    assert head["Metadata"] == {"run-id": "abc", "host": "S?o Paulo"}


def test_uri() -> None:
    """The address is that of the object, prefix included."""
    assert S3Store(bucket="b-1", prefix="f1").uri(PATH) == f"s3://b-1/f1/{PATH}"
    assert S3Store(bucket="b-1").uri(PATH) == f"s3://b-1/{PATH}"


def test_listing_over_several_pages(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A listing is whole and in order over as many pages as it takes."""
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "4")
    store = S3Store(bucket=bucket, prefix="f1")
    names = [f"bronze/{number:02}" for number in range(11)]
    for name in reversed(names):
        store.write(name, b"x" * 3, {})
    client = boto3.client("s3")
    assert client.list_objects_v2(Bucket=bucket)["IsTruncated"], "one page: nothing to prove"
    assert list(store.list("bronze/")) == [StoredObject(path=name, size=3) for name in names]


def test_listing_stays_below_the_prefix(bucket: str) -> None:
    """A lake beside this one, whose prefix begins alike, is not seen."""
    S3Store(bucket=bucket, prefix="f1").write("x", b"", {})
    S3Store(bucket=bucket, prefix="f1-dev").write("y", b"", {})
    assert [entry.path for entry in S3Store(bucket=bucket, prefix="f1").list("")] == ["x"]


@EACH_VERB
def test_no_such_bucket(aws: str, verb: str) -> None:
    """A bucket that is not there."""
    store = S3Store(bucket=f"lake-{uuid4().hex}", prefix="f1")
    remedy = f"Create the bucket {store.bucket}, or correct its name in F1_BRONZE_LAKE_URI."
    assert refusal(verb, store) == expected("S3 answered NoSuchBucket", verb, store, remedy)


@pytest.fixture
def stranger(aws: str) -> Iterator[dict[str, str]]:
    """The access key of a user who may do nothing, while moto looks at credentials."""
    iam = boto3.client("iam")
    user = f"stranger-{uuid4().hex}"
    iam.create_user(UserName=user)
    key = iam.create_access_key(UserName=user)["AccessKey"]
    requests.post(f"{aws}/moto-api/reset-auth", data="0", timeout=5).raise_for_status()
    yield {
        "aws_access_key_id": key["AccessKeyId"],
        "aws_secret_access_key": key["SecretAccessKey"],
    }
    requests.post(f"{aws}/moto-api/reset-auth", data="inf", timeout=5).raise_for_status()


@EACH_VERB
@pytest.mark.parametrize(
    ("code", "change", "remedy"),
    [
        ("AccessDenied", {}, None),
        (
            "InvalidAccessKeyId",
            {"aws_access_key_id": "AKIAUNKNOWN000000000"},
            "AWS does not know this access key: set a valid AWS_ACCESS_KEY_ID.",
        ),
        (
            "SignatureDoesNotMatch",
            {"aws_secret_access_key": "a-wrong-secret"},
            "The secret key is wrong: set a valid AWS_SECRET_ACCESS_KEY.",
        ),
    ],
)
def test_refused_credentials(
    bucket: str,
    stranger: dict[str, str],
    caplog: pytest.LogCaptureFixture,
    verb: str,
    code: str,
    change: dict[str, str],
    remedy: str | None,
) -> None:
    """A user without rights, an unknown key, a wrong secret: each has its own remedy."""
    caplog.set_level(logging.INFO)
    keys: dict[str, Any] = {**stranger, **change}
    store = S3Store(bucket=bucket, prefix="f1", client=lambda: boto3.client("s3", **keys))
    message = refusal(verb, store)
    remedy = remedy or allow(verb, bucket)
    assert message == expected(f"S3 answered {code}", verb, store, remedy)
    assert keys["aws_secret_access_key"] not in message + caplog.text


@pytest.mark.parametrize(
    ("answered", "status", "code", "remedy"),
    [
        (
            "ExpiredToken",
            400,
            "ExpiredToken",
            "The session token has expired: log in to AWS again.",
        ),
        (
            "PermanentRedirect",
            301,
            "PermanentRedirect",
            "The bucket a-bucket is in another region: set AWS_DEFAULT_REGION to it.",
        ),
        (
            "SlowDown",
            503,
            "SlowDown",
            "S3 asked for fewer requests and retries were used up: run again in a few minutes.",
        ),
        ("403", 403, "AccessDenied", allow("write", "a-bucket")),
        ("InternalError", 500, "InternalError", STORE_FAILED),
        ("500", 500, "InternalError", STORE_FAILED),
        ("503", 503, "ServiceUnavailable", STORE_FAILED),
        ("Teapot", 418, "Teapot", "Look up this S3 error, fix its cause, then run again."),
    ],
)
def test_other_answers(aws: str, answered: str, status: int, code: str, remedy: str) -> None:
    """What moto cannot answer, from a stub: the code is named, and what to do."""
    client = boto3.client("s3")
    with Stubber(client) as stub:
        stub.add_client_error(
            "put_object", service_error_code=answered, http_status_code=status, service_message="no"
        )
        store = S3Store(bucket="a-bucket", client=lambda: client)
        assert refusal("write", store) == expected(f"S3 answered {code}", "write", store, remedy)
        stub.assert_no_pending_responses()


@EACH_VERB
def test_no_one_answers(aws: str, verb: str) -> None:
    """An endpoint where no one listens."""
    with closing(socket()) as unused:
        unused.bind(("127.0.0.1", 0))  # bound, so that no other test gets it; not listening
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
        once = Config(retries={"total_max_attempts": 1}, connect_timeout=2)
        store = S3Store(
            bucket="a-bucket", client=lambda: boto3.client("s3", endpoint_url=address, config=once)
        )
        remedy = "Check the network and AWS_ENDPOINT_URL."
        assert refusal(verb, store) == expected(
            "S3 gave no answer (EndpointConnectionError)", verb, store, remedy
        )


@EACH_VERB
def test_endpoint_that_is_no_address(
    fresh_aws: str, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    """A mistyped AWS_ENDPOINT_URL is an unavailable lake, not a traceback."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "localhost:9000/")
    store = S3Store(bucket="a-bucket")
    message = refusal(verb, store)
    assert store.uri("") in message
    assert message.endswith("Check AWS_ENDPOINT_URL: it begins with http:// or https://.")


@EACH_VERB
def test_no_credentials(fresh_aws: str, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    """Nothing in the whole AWS chain."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    store = S3Store(bucket="a-bucket")
    remedy = "Give this process AWS credentials by the standard chain."
    assert refusal(verb, store) == expected(
        "S3 gave no answer (NoCredentialsError)", verb, store, remedy
    )


@EACH_VERB
def test_unknown_profile(fresh_aws: str, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    """A profile that is in no configuration: the client cannot even be made."""
    monkeypatch.setenv("AWS_PROFILE", "gone")
    store = S3Store(bucket="a-bucket")
    remedy = "Check AWS credentials, region and network."
    assert refusal(verb, store) == expected(
        "S3 gave no answer (ProfileNotFound)", verb, store, remedy
    )


@EACH_VERB
def test_bucket_name_that_cannot_be(aws: str, verb: str) -> None:
    """A name that no bucket can have is not sent at all, and the setting to correct is named."""
    message = refusal(verb, S3Store(bucket="My Bucket"))
    assert "s3://My Bucket/" in message
    assert message.endswith("Correct the bucket's name in F1_BRONZE_LAKE_URI.")


def test_store_is_made_without_a_network() -> None:
    """Opening a lake asks no one: the code location loads without credentials."""

    def client() -> Any:
        raise AssertionError("asked for a client")

    assert S3Store(bucket="a-bucket", client=client).uri("x") == "s3://a-bucket/x"


def test_client_of_the_callers_own(
    bucket: str, fresh_aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lake can be opened with somebody's own boto3 client, such as that of Dagster's S3Resource;
    the standard chain is not asked then."""
    client = boto3.client("s3")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    lake = Lake.at(f"s3://{bucket}/f1", s3_client=lambda: client)
    lake.store.write(PATH, b"data", {})
    assert client.get_object(Bucket=bucket, Key=f"f1/{PATH}")["Body"].read() == b"data"
