"""S3 as it is: the same store against three servers that look at credentials."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any
from uuid import uuid4

import boto3
import pytest
import requests
from botocore.awsrequest import AWSResponse

from f1_bronze.lake.access import SCRATCH, check_access
from f1_bronze.lake.errors import Conflict, LakeUnavailable
from f1_bronze.lake.s3 import S3Store, S3Writes
from f1_bronze.lake.stores import ABSENT, StoredObject

from .s3_servers import KINDS, Server

PATH = "bronze/laps/year=2025/grand_prix=bahrain/session_type=race/laps_907047.parquet"


@pytest.fixture(scope="module", params=KINDS)
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """Each server, for the tests of this module."""
    with ExitStack() as stack:
        stack.enter_context(pytest.MonkeyPatch.context()).setattr(boto3, "DEFAULT_SESSION", None)
        yield stack.enter_context(KINDS[request.param](tmp_path_factory.mktemp(request.param)))


@pytest.fixture
def server(running: Server) -> Server:
    """The server with a bucket of this test alone."""
    bucket = f"lake-{uuid4().hex}"
    running.client(running.owner).create_bucket(Bucket=bucket)
    return replace(running, bucket=bucket)


VERBS: dict[str, Callable[[S3Store], object]] = {
    "read": lambda store: store.read(PATH),
    "write": lambda store: store.write(PATH, b"new", {}),
    "list": lambda store: list(store.list("bronze/")),
    "delete": lambda store: store.delete(PATH),
}
ACTIONS = {
    "read": "s3:GetObject",
    "write": "s3:PutObject",
    "list": "s3:ListBucket",
    "delete": "s3:DeleteObject",
}


def refused(verb: str, store: S3Store) -> LakeUnavailable:
    """The error with which a call ends; its text has no key."""
    with pytest.raises(LakeUnavailable) as raised:
        VERBS[verb](store)
    return raised.value


def test_write_read_list_delete(server: Server) -> None:
    """What is written is read, listed with its size, replaced and deleted."""
    store = server.store()
    assert store.read(PATH) is None
    store.write(PATH, b"first", {})
    store.write(PATH, b"second one", {})
    assert store.read(PATH) == b"second one"
    assert list(store.list("bronze/")) == [StoredObject(path=PATH, size=10)]
    assert list(store.list("revisions/")) == []
    store.delete(PATH)
    store.delete(PATH)
    assert store.read(PATH) is None
    assert list(store.list("")) == []


def test_metadata_and_type(server: Server) -> None:
    """Notes lie beside the object, readable by any client; header names have no case."""
    server.store().write(PATH, b"x", {"run-id": "abc", "host": "São Paulo"})
    head = server.client(server.owner).head_object(Bucket=server.bucket, Key=f"f1/{PATH}")
    notes = {name.lower(): value for name, value in head["Metadata"].items()}
    assert notes == {"run-id": "abc", "host": "S?o Paulo"}
    assert head["ContentType"] == "application/vnd.apache.parquet"


def test_list_over_pages(server: Server) -> None:
    """A listing of several pages is whole, in order, with names that need quoting."""
    client = server.client(server.owner)
    pages: list[str] = []

    def small(params: dict[str, Any], **_: Any) -> None:
        pages.append(params.get("ContinuationToken", "first"))
        params["MaxKeys"] = 4

    client.meta.events.register("provide-client-params.s3.ListObjectsV2", small)
    store = server.store(client=lambda: client)
    names = [f"bronze/a b+é={number:04}" for number in range(11)]
    for name in reversed(names):
        store.write(name, b"", {})
    assert [entry.path for entry in store.list("bronze/")] == names
    assert len(pages) == 3


def test_only_where_nothing_is(server: Server) -> None:
    """A write that expects nothing there does not replace what is there."""
    store = server.store()
    store.write(PATH, b"first", {}, expected=ABSENT)
    with pytest.raises(Conflict):
        store.write(PATH, b"second", {}, expected=ABSENT)
    assert store.read(PATH) == b"first"


def test_only_what_was_seen(server: Server) -> None:
    """A write over a version that is no longer there changes nothing, over the current one it does.

    Swift has no If-Match: there it is a look before the write.
    """
    store = server.store()
    store.write(PATH, b"first", {})
    seen = store.fetch(PATH)
    assert seen is not None
    store.write(PATH, b"second", {}, expected=seen.version)
    with pytest.raises(Conflict):
        store.write(PATH, b"third", {}, expected=seen.version)
    assert store.read(PATH) == b"second"


class _NoBody:
    """The body of an answer without one."""

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        return iter((b"",))


@pytest.mark.parametrize("seen", ["nothing", "something"])
def test_an_answer_that_was_lost(server: Server, seen: str) -> None:
    """A conditional write whose answer is lost is repeated, meets itself, and is no conflict."""
    client = server.client(server.owner)
    store = server.store(client=lambda: client)
    expected = ABSENT
    if seen == "something":
        store.write(PATH, b"first", {})
        there = store.fetch(PATH)
        assert there is not None
        expected = there.version
    sent: list[str] = []

    def lose(request: Any, **_: Any) -> AWSResponse | None:
        sent.append(request.url)
        if len(sent) > 1:
            return None
        headers = dict(request.headers.items())
        requests.put(request.url, data=request.body, headers=headers, timeout=5)
        return AWSResponse(request.url, 500, {}, _NoBody())

    client.meta.events.register("before-send.s3.PutObject", lose)
    store.write(PATH, b"second", {}, expected=expected)
    assert len(sent) >= 2
    assert store.read(PATH) == b"second"


@pytest.mark.parametrize("verb", VERBS)
def test_forbidden(server: Server, verb: str) -> None:
    """Without a permission the error names the one that is missing."""
    server.store().write(PATH, b"there", {})
    error = refused(verb, server.store(server.stranger))
    assert (error.code, error.action) == ("AccessDenied", ACTIONS[verb])
    assert server.stranger[1] not in str(error)
    assert server.store().read(PATH) == b"there"


@pytest.mark.parametrize("verb", VERBS)
def test_bad_credentials(server: Server, verb: str) -> None:
    """An unknown access key and a wrong secret have an error each, which does not repeat them."""
    unknown = refused(verb, server.store(("AKIAUNKNOWN000000000", "a-wrong-secret")))
    assert (unknown.code, unknown.action) == (server.unknown_key, "")
    wrong = refused(verb, server.store((server.owner[0], "a-wrong-secret")))
    assert wrong.code == "SignatureDoesNotMatch"
    assert str(wrong).endswith("The secret key is wrong: set a valid AWS_SECRET_ACCESS_KEY.")
    assert "a-wrong-secret" not in f"{unknown} {wrong}"


@pytest.mark.parametrize("verb", VERBS)
def test_missing_bucket(server: Server, verb: str) -> None:
    """A bucket that is not there is no access problem and no empty lake."""
    error = refused(verb, server.store(bucket=f"lake-{uuid4().hex}"))
    assert (error.code, error.action) == ("NoSuchBucket", "")
    assert "Create the bucket" in str(error)


def test_access_check(server: Server) -> None:
    """A user who may do everything passes each step and leaves nothing; another learns all that is
    missing."""
    store = server.store()
    checks = list(check_access(store))
    steps = [(p.step, p.worked) for p in checks if p.step != "region"]
    conditions = True if server.is_aws_like else None  # Swift knows none: a warning
    assert steps == [
        ("write", True),
        ("read", True),
        ("list", True),
        ("conditions", conditions),
        ("delete", True),
    ]
    assert list(store.list(SCRATCH)) == []
    lacking = list(check_access(server.store(server.stranger)))
    assert [(p.step, p.worked, p.action) for p in lacking] == [
        (step, False, ACTIONS[step]) for step in ("write", "read", "list", "delete")
    ]
    assert lacking[2].resource == f"arn:aws:s3:::{server.bucket}"
    assert lacking[0].resource == f"arn:aws:s3:::{server.bucket}/f1/*"
    assert "s3:PutObject" in lacking[0].remedy


def test_access_without_a_bucket(server: Server) -> None:
    """What is wrong with every step is reported once."""
    checks = list(check_access(server.store(bucket=f"lake-{uuid4().hex}")))
    assert [(p.step, p.worked, p.action) for p in checks] == [("write", False, "")]
    assert "NoSuchBucket" in checks[0].detail


def test_write_options_reach_the_object(server: Server) -> None:
    """Write options reach the object, or the server's refusal is an error."""
    store = server.store(writes=S3Writes(storage_class="STANDARD_IA", encryption="AES256"))
    if not server.is_aws_like:  # Swift has one class and no encryption
        error = refused("write", store)
        assert error.code in ("InvalidStorageClass", "NotImplemented")
        return
    store.write(PATH, b"x", {})
    head = server.client(server.owner).head_object(Bucket=server.bucket, Key=f"f1/{PATH}")
    assert (head["StorageClass"], head["ServerSideEncryption"]) == ("STANDARD_IA", "AES256")
