"""A proxy before an S3: it delays each request, as a distance does, and counts them by kind."""

import http.client
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

_KINDS = (
    ("arrival marks", r"revisions/.*/arrived_"),
    ("revisions", r"revisions/"),
    ("partition files", r"bronze/"),
    ("lineage events", r"lineage/events/"),
    ("lineage summaries", r"lineage/summaries/"),
    ("validations", r"validations/"),
    ("metrics", r"metrics/"),
)
_VERBS = {"GET": "read", "PUT": "write", "HEAD": "look at", "DELETE": "delete"}
_OF_ONE_CONNECTION = {"connection", "transfer-encoding", "keep-alive", "expect"}


def name_request(method: str, path: str) -> str:
    """What a request to a bucket does.

    >>> name_request("PUT", "/lake/f1/bronze/laps/year=2025/laps_1.parquet")
    'write partition files'
    >>> name_request("GET", "/lake?list-type=2&prefix=f1%2Flineage%2Fevents%2F")
    'list lineage events'
    """
    parts = urlsplit(path)
    query = parse_qs(parts.query, keep_blank_values=True)
    is_listing = method == "GET" and "list-type" in query
    where = query.get("prefix", [""])[0] if is_listing else parts.path
    what = next((kind for kind, form in _KINDS if re.search(rf"(^|/){form}", where)), "others")
    return f"{'list' if is_listing else _VERBS.get(method, method)} {what}"


class S3Proxy:
    """Requests on their way to an S3: how many of each kind there were.

    Attributes:
        url: where to send requests, an endpoint for AWS clients.
        counts: requests by `name_request`.
        most_at_once: how many were under way at the same time.
    """

    def __init__(self, url: str, counts: Counter[str]) -> None:
        self.url, self.counts, self.most_at_once = url, counts, 0

    def take(self) -> dict[str, int]:
        """The counts so far, the most frequent first; counting starts again."""
        taken = dict(self.counts.most_common())
        self.counts.clear()
        return taken


@contextmanager
def serve_proxy(upstream: str, *, delay: float) -> Iterator[S3Proxy]:
    """A proxy on a free port that waits so many seconds before it hands a request on."""
    host = urlsplit(upstream).netloc
    lock = threading.Lock()
    connections = threading.local()
    under_way = 0

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_any(self) -> None:
            nonlocal under_way
            with lock:
                proxy.counts[name_request(self.command, self.path)] += 1
                under_way += 1
                proxy.most_at_once = max(proxy.most_at_once, under_way)
            try:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                time.sleep(delay)
                self._answer(*self._ask(body))
            finally:
                with lock:
                    under_way -= 1

        do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = do_any

        def _ask(self, body: bytes) -> tuple[http.client.HTTPResponse, bytes]:
            # Host is handed on as it came: it is part of the signature.
            headers = {
                name: value
                for name, value in self.headers.items()
                if name.lower() not in _OF_ONE_CONNECTION
            }
            for is_last in (False, True):
                if not hasattr(connections, "one"):
                    connections.one = http.client.HTTPConnection(host, timeout=60)
                try:
                    connections.one.request(self.command, self.path, body, headers)
                    answer = connections.one.getresponse()
                    return answer, answer.read()
                except (http.client.HTTPException, ConnectionError):
                    connections.one.close()  # it was idle too long for the server
                    del connections.one
                    if is_last:
                        raise
            raise AssertionError("unreachable")

        def _answer(self, answer: http.client.HTTPResponse, body: bytes) -> None:
            self.send_response_only(answer.status, answer.reason)
            for name, value in answer.getheaders():
                if name.lower() not in _OF_ONE_CONNECTION | {"content-length"}:
                    self.send_header(name, value)
            length = answer.getheader("Content-Length") if self.command == "HEAD" else len(body)
            self.send_header("Content-Length", str(length or 0))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    proxy = S3Proxy(f"http://127.0.0.1:{server.server_port}", Counter())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
