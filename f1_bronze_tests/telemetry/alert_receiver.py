"""A receiver of webhooks on loopback, which behaves as it is set.

A real HTTP server that keeps what it takes and can refuse, redirect, trickle.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATH = "/services/T0/B0/s3cr3t-part"
"""Of the address; who knows it can post."""


class Receiver:
    """Answers `status`; keeps the bodies that it answered with 200."""

    def __init__(self) -> None:
        self.status = 200
        self.moved_to: str | None = None
        self.trickles = False
        self.released = threading.Event()
        self.taken: list[dict[str, Any]] = []
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.url = ""

    @property
    def subjects(self) -> list[str]:
        """The subjects of what was taken."""
        return [body["alert"]["subject"] for body in self.taken]

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer a request as set."""
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        self.requests.append((request.command, request.path, dict(request.headers)))
        if self.trickles:
            request.close_connection = True
            try:
                while not self.released.wait(0.02):
                    request.connection.sendall(b"H")
            except OSError:  # who asked has gone
                return
            return
        status = 302 if self.moved_to else self.status
        if status == 200:
            self.taken.append(json.loads(body))
        request.send_response(status)
        if self.moved_to:
            request.send_header("Location", self.moved_to)
        request.send_header("Content-Length", "2")
        request.end_headers()
        request.wfile.write(b"ok")


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver that listens until the end."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver.answer(self)

        def do_GET(self) -> None:
            receiver.answer(self)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}{PATH}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield receiver
    finally:
        receiver.released.set()
        server.shutdown()
        server.server_close()
