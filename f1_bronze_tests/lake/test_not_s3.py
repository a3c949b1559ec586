"""What answers in the place of S3 without being S3: an error with a remedy, and never a success."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest
from botocore.config import Config

from f1_bronze.lake.access import check_access
from f1_bronze.lake.errors import LakeUnavailable
from f1_bronze.lake.lake import Lake
from f1_bronze.lake.s3 import S3Store
from f1_bronze.lake.stores import ABSENT

from .candidates import candidate
from .examples import lap

PATH = "bronze/laps/x.parquet"
HTML = b"<!DOCTYPE html><html><head><meta charset=utf-8></head><body>Please<br>log in</body></html>"
XHTML = b"<html><head><title>Welcome</title></head><body>Please log in</body></html>"
LISTING = (
    b'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>a-bucket</Name>'
    b"<IsTruncated>true</IsTruncated></ListBucketResult>"
)
VERBS: dict[str, Callable[[S3Store], object]] = {
    "read": lambda store: store.read(PATH),
    "write": lambda store: store.write(PATH, b"new", {}),
    "write where nothing is": lambda store: store.write(PATH, b"new", {}, expected=ABSENT),
    "replace": lambda store: store.write(PATH, b"new", {}, expected='"seen"'),
    "list": lambda store: list(store.list("bronze/")),
    "delete": lambda store: store.delete(PATH),
    "check": lambda store: store.check(),
}
REMEDY = (
    "Something else answers in the place of the bucket a-bucket, such as a proxy, a login page or "
    "a web server: check AWS_ENDPOINT_URL and HTTPS_PROXY."
)


@contextmanager
def answering(status: int, body: bytes, **headers: str) -> Iterator[S3Store]:
    """A store whose bucket is a server that gives one and the same answer to everything."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_PUT = do_HEAD = do_DELETE = answer

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield store_at(f"http://127.0.0.1:{server.server_port}")
        server.shutdown()


def store_at(url: str) -> S3Store:
    """A store behind an address, whose client asks once."""
    client: Any = boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="an-id",
        aws_secret_access_key="a-secret",
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=5),
    )
    return S3Store(bucket="a-bucket", client=lambda: client)


def refusal(store: S3Store, verb: str) -> LakeUnavailable:
    """The error with which a verb ends."""
    with pytest.raises(LakeUnavailable) as raised:
        VERBS[verb](store)
    return raised.value


@pytest.mark.parametrize("body", [HTML, XHTML, b""], ids=["html", "xhtml", "nothing"])
def test_success_that_is_none(body: bytes) -> None:
    """A 200 without an ETag or a list document is no success of any verb."""
    with answering(200, body, Content_Type="text/html") as store:
        for verb in VERBS:
            error = refusal(store, verb)
            assert (verb, error.code, error.action) == (verb, "NotS3", "")
            assert str(error).endswith(REMEDY)
            assert "s3://a-bucket/" in str(error)


@pytest.mark.parametrize("status", [403, 404, 500, 503])
@pytest.mark.parametrize("body", [HTML, XHTML], ids=["html", "xhtml"])
def test_refusal_that_is_a_web_page(status: int, body: bytes) -> None:
    """A page with the status of an error is no answer of S3: no permission is missing, no object
    and no bucket is absent, and no other writer was faster."""
    with answering(status, body, Content_Type="text/html") as store:
        for verb in VERBS:
            error = refusal(store, verb)
            assert (verb, error.code, error.action) == (verb, "NotS3", "")
            assert str(error).startswith("What answered is not S3 (")
            assert str(error).endswith(REMEDY)


@pytest.mark.parametrize("status", [302, 307])
def test_redirect_to_a_login_page(status: int) -> None:
    """A portal that sends every request elsewhere is an error, not a traceback."""
    with answering(status, HTML, Content_Type="text/html", Location="http://127.0.0.1:9/") as store:
        for verb in ("read", "write", "list"):
            assert refusal(store, verb).code == "NotS3"


def test_listing_that_is_cut() -> None:
    """A listing that says there is more, and not how to get it, is no whole listing."""
    with answering(200, LISTING, Content_Type="application/xml") as store:
        error = refusal(store, "list")
    assert error.code == "NotS3"
    assert "a listing that is cut and does not say how to continue" in str(error)


def test_nothing_lands_in_a_web_page() -> None:
    """A landing fails where nothing was stored, and the access check says so once."""
    with answering(200, XHTML, Content_Type="text/html") as store:
        with pytest.raises(LakeUnavailable, match="What answered is not S3"):
            Lake(store).land(candidate([lap(1)]))
        checks = list(check_access(store))
    assert [(check.step, check.worked) for check in checks] == [("write", False)]
    assert checks[0].detail.endswith(REMEDY)


@contextmanager
def hanging_up(answer: bytes) -> Iterator[S3Store]:
    """A store whose bucket sends these bytes and closes the connection."""

    class Handler(BaseHTTPRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)
            self.wfile.write(answer)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield store_at(f"http://127.0.0.1:{server.server_port}")
        server.shutdown()


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"", "ConnectionClosedError"),
        (
            b'HTTP/1.1 200 OK\r\nETag: "x"\r\nContent-Length: 1000\r\n\r\nhalf an obj',
            "ResponseStreamingError",
        ),
    ],
    ids=["before the answer", "in the middle of the answer"],
)
def test_connection_that_breaks(answer: bytes, code: str) -> None:
    """A connection that is closed is named with the bucket and what to check; half an object is
    never taken for a whole one."""
    with hanging_up(answer) as store:
        error = refusal(store, "read")
    assert str(error) == (
        f"S3 gave no answer ({code}): could not read s3://a-bucket/{PATH}. The connection to the "
        "store of the bucket a-bucket broke, and retries were used up: check the network and any "
        "proxy on the way (HTTPS_PROXY, AWS_ENDPOINT_URL), then run again."
    )
