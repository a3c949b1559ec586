"""A consumer of OpenLineage events on loopback, which behaves as it is set.

A real HTTP server that keeps what it takes and can be slow, broken or gone.
"""

import json
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Behaviour = Callable[[dict[str, Any]], int]
"""From an event to the status that it is answered with."""


def takes_all(_: dict[str, Any]) -> int:
    """201, as Marquez answers."""
    return 201


class LineageServer:
    """Listens from the beginning; `stop` and `start` keep the port."""

    def __init__(self) -> None:
        self.behaviour: Behaviour = takes_all
        self.seconds = 0.0
        self.trickles = False
        self.moved_to: str | None = None
        self.taken: list[dict[str, Any]] = []
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.released = threading.Event()
        self._port = 0
        self._running: ThreadingHTTPServer | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def run_ids(self) -> list[str]:
        """Run id and type of what was taken, in the order of arrival."""
        return [f"{event['run']['runId']}/{event['eventType']}" for event in self.taken]

    def start(self) -> None:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                server.answer(self)

            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._running = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._running.daemon_threads = True
        self._port = self._running.server_address[1]
        threading.Thread(target=self._running.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        if self._running is not None:
            self._running.shutdown()
            self._running.server_close()
            self._running = None

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"]))
        event = json.loads(body)
        self.requests.append((request.path, dict(request.headers)))
        time.sleep(self.seconds)
        if self.trickles:
            self._trickle(request)
            return
        status = 302 if self.moved_to else self.behaviour(event)
        if 200 <= status < 300:
            self.taken.append(event)
        said = b"" if status < 300 else json.dumps({"message": "no token=abc"}).encode()
        try:
            request.send_response(status)
            if self.moved_to:
                request.send_header("Location", self.moved_to)
            request.send_header("Content-Length", str(len(said)))
            request.end_headers()
            request.wfile.write(said)
        except OSError:  # who asked has gone
            request.close_connection = True

    def _trickle(self, request: BaseHTTPRequestHandler) -> None:
        """A letter now and then: no reading time-out ever strikes."""
        request.close_connection = True
        try:
            while not self.released.wait(0.05):
                request.connection.sendall(b"H")
        except OSError:
            return


def closed_port() -> int:
    """A port of loopback on which nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
