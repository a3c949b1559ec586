"""The stand-in as a server on loopback: sockets, threads, start and stop.

Belongs here: HTTP/1.1 transport. Stays out: what is answered (`api`, `control_http`).
"""

import socket
import struct
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import EllipsisType, TracebackType
from typing import Any, Self, cast

from f1_bronze.simulator.answers import PLAIN, Answer, Delivery, text_answer
from f1_bronze.simulator.api import BASE_PATH, TOKEN_PATH, Api, Request
from f1_bronze.simulator.control import Control
from f1_bronze.simulator.control_http import PREFIX, answer_control
from f1_bronze.simulator.manners import Manners
from f1_bronze.simulator.source import Source


class Simulator:
    """An OpenF1 stand-in that any program on this machine can ask over HTTP.

    source: where the records come from.
    limits: as `"3/1s,30/60s"` (the default), None for unlimited; wins over `manners`.
    manners: all other behaviour.
    port: 0 takes a free one. Raises OSError from `start` when the port is taken.

    Use it as a context manager, or with `start` and `stop`; it can be started again.
    """

    def __init__(
        self,
        source: Source,
        *,
        limits: str | EllipsisType | None = ...,
        manners: Manners | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        manners = manners or Manners()
        if not isinstance(limits, EllipsisType):
            manners = replace(manners, limits=limits)
        self.control = Control(manners)
        self._api = Api(source, self.control)
        self._address = (host, port)
        self._server: _Server | None = None

    def start(self) -> Self:
        """Begin to answer; returns at once, with `url` known."""
        if self._server is None:
            self._server = _Server(self._address, self._answer, self.control)
            threading.Thread(
                target=self._server.serve_forever,
                kwargs={"poll_interval": 0.02},
                name="openf1-stand-in",
                daemon=True,
            ).start()
        return self

    def stop(self) -> None:
        """Stop answering and close every connection, kept-alive ones included."""
        if self._server is not None:
            self._server.shutdown()
            self._server.close_connections()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def root_url(self) -> str:
        """`http://127.0.0.1:PORT`; `/_control/` and `/token` are below it."""
        if self._server is None:
            raise RuntimeError("the stand-in is not running: call start() first")
        host, port = self._server.server_address[:2]
        return f"http://{host if isinstance(host, str) else host.decode()}:{port}"

    @property
    def url(self) -> str:
        """The base URL, as `https://api.openf1.org/v1` is the real one's."""
        return self.root_url + BASE_PATH

    @property
    def token_url(self) -> str:
        """Where username and password are posted; not below `url`, as upstream."""
        return self.root_url + TOKEN_PATH

    def _answer(self, request: Request) -> Answer:
        if request.path.startswith(PREFIX):
            return answer_control(self.control, request.method, request.path, request.body)
        try:
            return self._api.answer(request)
        except Exception as error:  # noqa: BLE001 - a source may fail in any way
            # Said aloud, not to be mistaken for an imitated fault: a broken source or a bug.
            traceback.print_exc()
            return text_answer(500, f"The stand-in itself failed: {error!r}", PLAIN)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(
        self, address: tuple[str, int], answer: Callable[[Request], Answer], control: Control
    ) -> None:
        self.answer = answer
        self.control = control
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is its own business; anything else is shown."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def close_connections(self) -> None:
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server_version = "OpenF1StandIn"
    sys_version = ""

    def _serve(self) -> None:
        server = cast(_Server, self.server)
        path, _, query = self.path.partition("?")
        length = int(self.headers.get("Content-Length") or 0)
        self._send(
            server.answer(
                Request(
                    method=self.command,
                    path=path,
                    query=query,
                    authorization=self.headers.get("Authorization"),
                    body=self.rfile.read(length) if length else b"",
                )
            )
        )

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _serve

    def _send(self, answer: Answer) -> None:
        if answer.delivery is Delivery.RESET_BEFORE:
            self._reset()
            return
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.headers:
            self.send_header(name, value)
        self.end_headers()
        body = b"" if self.command == "HEAD" else answer.body
        if answer.delivery is Delivery.RESET_MIDWAY:
            self.wfile.write(body[: len(body) // 2])
            self._reset()
            return
        if answer.delivery is Delivery.STALL:
            cast(_Server, self.server).control.manners.sleep(answer.pause_seconds)
        self.wfile.write(body)

    def _reset(self) -> None:
        # Lingering for 0 s makes closing a reset (RST) in place of a polite end.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def log_message(self, format: str, *args: Any) -> None:
        """Silent: the journal knows more than a log line would."""
