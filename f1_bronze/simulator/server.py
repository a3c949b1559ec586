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

from f1_bronze.simulator.api import BASE_PATH, TOKEN_PATH, Api, IncomingRequest
from f1_bronze.simulator.behaviour import Behaviour
from f1_bronze.simulator.control import PREFIX, Control, answer_control
from f1_bronze.simulator.responses import PLAIN, SimulatedResponse, Transmission, text_answer
from f1_bronze.simulator.sources import SeasonSource


class Simulator:
    """An OpenF1 stand-in that any program on this machine can ask over HTTP.

    source: where the records come from.
    limits: as `"3/1s,30/60s"` (the default), None for unlimited; wins over `manners`.
    behaviour: all other behaviour.
    port: 0 takes a free one. Raises OSError from `start` when the port is taken.

    Use it as a context manager, or with `start` and `stop`; it can be started again.
    """

    def __init__(
        self,
        source: SeasonSource,
        *,
        limits: str | EllipsisType | None = ...,
        behaviour: Behaviour | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        behaviour = behaviour or Behaviour()
        if not isinstance(limits, EllipsisType):
            behaviour = replace(behaviour, limits=limits)
        self.control = Control(behaviour)
        self._api = Api(source, self.control)
        self._address = (host, port)
        self._lock = threading.Lock()
        self._server: _Server | None = None
        self._closed = 0
        """How often the port was closed by `refuse` and is to be opened again."""

    def start(self) -> Self:
        """Begin to answer; returns at once, with `url` known."""
        with self._lock:
            if self._server is None:
                self._server = self._bound(self._address)
                self._server.listen()
        return self

    def stop(self) -> None:
        """Stop answering and close every connection, kept-alive ones included."""
        with self._lock:
            if self._server is not None:
                self._server.close_port()
                self._server.close_connections()
                self._server = None
            self._closed = 0

    def refuse(self, seconds: float | None = None) -> None:
        """Close the port: connections are refused and those that are open end.

        It opens again after so many seconds, else by `accept`.
        """
        with self._lock:
            if self._server is None:
                return
            self._closed += 1
            closed = self._server
            if self._closed == 1:
                host, port = closed.server_address[:2]
                closed.close_port()
                # Bound, so that nobody else takes the port, but deaf: who connects is refused.
                self._server = self._bound((str(host), port))
            if seconds is not None:
                self.control.behaviour.later(seconds, self.accept)
            # Last: whoever notices finds everything said above done.
            closed.close_connections()

    def accept(self) -> None:
        """Open the port again, once this was said as often as `refuse`."""
        with self._lock:
            self._closed = max(0, self._closed - 1)
            if self._server is not None and not self._closed:
                self._server.listen()

    def _bound(self, address: tuple[str, int]) -> "_Server":
        return _Server(address, self._answer, self.refuse, self.control)

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

    def _answer(self, request: IncomingRequest) -> SimulatedResponse:
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
        self,
        address: tuple[str, int],
        answer: Callable[[IncomingRequest], SimulatedResponse],
        refuse: Callable[[float | None], None],
        control: Control,
    ) -> None:
        self.answer = answer
        self.refuse = refuse
        self.control = control
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listens = False
        super().__init__(address, _Handler, bind_and_activate=False)
        try:
            self.server_bind()
        except OSError:
            self.server_close()
            raise

    def listen(self) -> None:
        """Begin to serve, unless it does already."""
        if self._listens:
            return
        self._listens = True
        self.server_activate()
        threading.Thread(
            target=self.serve_forever,
            kwargs={"poll_interval": 0.02},
            name="openf1-stand-in",
            daemon=True,
        ).start()

    def close_port(self) -> None:
        """Stop serving for good; connections that are open stay so."""
        if self._listens:
            self.shutdown()
        self.server_close()

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
                IncomingRequest(
                    method=self.command,
                    path=path,
                    query=query,
                    authorization=self.headers.get("Authorization"),
                    body=self.rfile.read(length) if length else b"",
                )
            )
        )

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _serve

    def _send(self, answer: SimulatedResponse) -> None:
        if answer.delivery is Transmission.RESET_BEFORE:
            self._reset()
            return
        if answer.delivery is Transmission.REFUSED:
            self.close_connection = True
            cast(_Server, self.server).refuse(answer.pause_seconds or 0.0)
            return
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.headers:
            self.send_header(name, value)
        self.end_headers()
        body = b"" if self.command == "HEAD" else answer.body
        if answer.delivery is Transmission.RESET_MIDWAY:
            self.wfile.write(body[: len(body) // 2])
            self._reset()
            return
        if answer.delivery is Transmission.STALL:
            if answer.pause_seconds is None:
                self._until_hung_up()
                return
            cast(_Server, self.server).control.behaviour.sleep(answer.pause_seconds)
        self.wfile.write(body)

    def _until_hung_up(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.recv(1)

    def _reset(self) -> None:
        # Lingering for 0 s makes closing a reset (RST) in place of a polite end.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def log_message(self, format: str, *args: Any) -> None:
        """Silent: the journal knows more than a log line would."""
