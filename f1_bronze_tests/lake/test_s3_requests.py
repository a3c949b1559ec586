"""How requests are sent to S3: retries, write options, and answers that no server here gives."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pyarrow as pa
import pytest
from botocore.stub import Stubber

from f1_bronze.definitions import assemble
from f1_bronze.lake import s3
from f1_bronze.lake.access import open_store
from f1_bronze.lake.errors import LakeAddressError, LakeUnavailable
from f1_bronze.lake.s3 import S3Store, S3Writes
from f1_bronze.settings import Settings

PATH = "bronze/laps/x.parquet"


def refused(store: S3Store) -> LakeUnavailable:
    """The error with which a write ends."""
    with pytest.raises(LakeUnavailable) as raised:
        store.write(PATH, b"new", {})
    return raised.value


class _Slow(BaseHTTPRequestHandler):
    """An S3 that is too busy, for so many requests."""

    protocol_version = "HTTP/1.1"
    busy_for = 0
    asked: list[str]

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.asked.append(self.path)
        busy = len(self.asked) <= self.busy_for
        body = b"<Error><Code>SlowDown</Code><Message>no</Message></Error>" if busy else b""
        self.send_response(503 if busy else 200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"x"')
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def busy(requests_: int) -> Iterator[tuple[str, list[str]]]:
    """The address of a server that is busy for so many requests, and what it was asked."""
    asked: list[str] = []
    handler = type("Slow", (_Slow,), {"busy_for": requests_, "asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


@pytest.fixture
def own_client(fresh_aws: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], S3Store]:
    """A store with the client that the lake makes itself, whose waits take no time."""
    monkeypatch.setattr("time.sleep", lambda seconds: None)

    def store(url: str) -> S3Store:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        return S3Store(bucket="a-bucket", client=s3.make_client)

    return store


def test_slow_down_is_repeated(own_client: Callable[[str], S3Store]) -> None:
    """A busy S3 is asked again, and the object is written."""
    with busy(2) as (url, asked):
        own_client(url).write(PATH, b"x", {})
        assert len(asked) == 3


def test_slow_down_ends(own_client: Callable[[str], S3Store]) -> None:
    """A busy S3 is not asked for ever: five repetitions, then the remedy."""
    with busy(1000) as (url, asked):
        error = refused(own_client(url))
        assert len(asked) == 6
    assert error.code == "SlowDown"
    assert str(error).endswith("retries were used up: run again in a few minutes.")


def stubbed() -> Any:
    """A client that is to be stubbed."""
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
    return boto3.client("s3", region_name="us-east-1", **keys)


def recording() -> tuple[Any, list[dict[str, Any]]]:
    """A client that is to be stubbed, and where the arguments of its PUTs will be."""
    client, seen = stubbed(), list[dict[str, Any]]()
    client.meta.events.register(
        "provide-client-params.s3.PutObject", lambda params, **_: seen.append(dict(params))
    )
    return client, seen


def unusual(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a PUT, without those that every PUT has."""
    usual = {"Bucket", "Key", "Body", "ContentType", "Metadata"}
    return {name: value for name, value in arguments.items() if name not in usual}


def sent(writes: S3Writes | None) -> dict[str, Any]:
    """What a PUT with these options carries."""
    client, seen = recording()
    with Stubber(client) as stub:
        stub.add_response("put_object", {"ETag": '"x"'})
        S3Store(bucket="a-bucket", client=lambda: client, writes=writes).write(PATH, b"x", {})
    return unusual(seen[0])


def test_nothing_is_sent_unasked() -> None:
    """Without settings a PUT carries neither encryption nor storage class."""
    assert sent(None) == {}
    assert sent(S3Writes()) == {}


def test_what_is_set_is_sent() -> None:
    """Each setting is sent by itself, and all together."""
    assert sent(S3Writes(encryption="AES256")) == {"ServerSideEncryption": "AES256"}
    assert sent(S3Writes(storage_class="GLACIER_IR")) == {"StorageClass": "GLACIER_IR"}
    every = S3Writes(encryption="aws:kms", kms_key_id="key-1", storage_class="STANDARD_IA")
    assert sent(every) == {
        "ServerSideEncryption": "aws:kms",
        "SSEKMSKeyId": "key-1",
        "StorageClass": "STANDARD_IA",
    }


def test_settings_reach_the_put(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is set in the environment is on what Dagster's IO manager writes, and nothing else."""
    for variables, expected in (
        ({}, {}),
        (
            {"F1_BRONZE_S3_ENCRYPTION": "aws:kms", "F1_BRONZE_S3_KMS_KEY_ID": "alias/lake"},
            {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "alias/lake"},
        ),
        (
            {"F1_BRONZE_S3_STORAGE_CLASS": "GLACIER_IR"},
            {"StorageClass": "GLACIER_IR"},
        ),
    ):
        client, seen = recording()
        monkeypatch.setattr(s3, "make_client", lambda client=client: client)
        settings = Settings.read({"F1_BRONZE_LAKE_URI": "s3://a-bucket/f1", **variables})
        io_manager = assemble(settings).resources["io_manager"]
        with Stubber(client) as stub:
            stub.add_response("put_object", {"ETag": '"x"'})
            io_manager.lake.write_table("silver/x.parquet", pa.table({"a": [1]}))
        assert unusual(seen[0]) == expected


POLICY = (
    "A lake takes s3:GetObject, s3:PutObject and s3:ListBucket (deploy/aws has the policy); "
    "`f1-bronze doctor` names each that is missing."
)
REFUSALS = [
    (
        "AccessDenied",
        "User: arn:aws:iam::1:user/u is not authorized to perform: kms:GenerateDataKey on "
        "resource: arn:aws:kms:eu-west-1:1:key/k because no identity-based policy allows it",
        {},
        "kms:GenerateDataKey",
        f"Allow this identity kms:GenerateDataKey on the KMS key of the bucket a-bucket. {POLICY}",
    ),
    (
        "AccessDenied",
        "User: arn:aws:iam::1:user/u is not authorized to perform: s3:PutObjectTagging on: x",
        {},
        "s3:PutObjectTagging",
        f"Allow this identity s3:PutObjectTagging on the bucket a-bucket. {POLICY}",
    ),
    (
        "AuthorizationHeaderMalformed",
        "the region 'us-east-1' is wrong; expecting 'eu-west-1'",
        {},
        "",
        "The bucket a-bucket is in eu-west-1: set AWS_DEFAULT_REGION to it.",
    ),
    (
        "PermanentRedirect",
        "use another endpoint",
        {"HTTPHeaders": {"x-amz-bucket-region": "sa-east-1"}},
        "",
        "The bucket a-bucket is in sa-east-1: set AWS_DEFAULT_REGION to it.",
    ),
    (
        "RequestTimeTooSkewed",
        "too large",
        {},
        "",
        "The clock of this machine is wrong: set it (NTP), then run again.",
    ),
    (
        "KMS.NotFoundException",
        "no key",
        {},
        "",
        "KMS has no such key in this region: correct F1_BRONZE_S3_KMS_KEY_ID.",
    ),
]


@pytest.mark.parametrize(("code", "says", "meta", "action", "remedy"), REFUSALS)
def test_what_no_server_here_says(
    code: str, says: str, meta: dict[str, Any], action: str, remedy: str
) -> None:
    """AWS names the permission, the region or the clock in its answer; so does the error."""
    client = stubbed()
    with Stubber(client) as stub:
        stub.add_client_error(
            "put_object", service_error_code=code, service_message=says, response_meta=meta
        )
        error = refused(S3Store(bucket="a-bucket", client=lambda: client))
    assert (error.code, error.action) == (code, action)
    assert str(error).endswith(f". {remedy}")


def test_region_of_the_bucket_is_told() -> None:
    """A bucket elsewhere works by a detour, which the access check warns of."""
    client = stubbed()
    meta = {"HTTPHeaders": {"x-amz-bucket-region": "eu-west-1"}, "HTTPStatusCode": 200}
    with Stubber(client) as stub:
        stub.add_response(
            "list_objects_v2", {"ResponseMetadata": meta, "Name": "a-bucket", "IsTruncated": False}
        )
        asked = S3Store(bucket="a-bucket", client=lambda: client).regions()
    assert asked == ("us-east-1", "eu-west-1")


def test_login_in_the_address_is_not_repeated() -> None:
    """A lake address with keys in it is refused without repeating them."""
    with pytest.raises(LakeAddressError) as raised:
        open_store("s3://AKIA123:hunter2@bucket/f1")
    assert "hunter2" not in str(raised.value)
    assert "standard chain" in str(raised.value)
