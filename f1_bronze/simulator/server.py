"""The simulator as an HTTP server: sockets, threads, start and stop."""

import socket
import struct
import sys
import threading
import traceback
from contextlib import suppress
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import EllipsisType
from typing import Any, Self, cast

from f1_bronze.simulator.api import BASE_PATH, TOKEN_PATH, Api, IncomingRequest
from f1_bronze.simulator.behaviour import Behaviour
from f1_bronze.simulator.control import PREFIX, Control, answer_control
from f1_bronze.simulator.responses import PLAIN, SimulatedResponse, Transmission, text_response
from f1_bronze.simulator.sources import SeasonSource


class Simulator:
    """An OpenF1 stand-in that any program can call over HTTP.

    source: where the records come from.
    limits: as `"3/1s,30/60s"` (the default), None for unlimited; wins over `behaviour`.
    behaviour: all other behaviour.
    host: the address to bind; loopback by default, `0.0.0.0` for every network of the machine.
    port: 0 takes a free one. Raises OSError from `start` when address or port cannot be used.

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
        self._closed = 0  # how often the port was closed by `refuse` and not opened again

    def start(self) -> Self:
        """Begin to answer; returns at once, with `url` known."""
        with self._lock:
            if self._server is None:
                self._server = _Server(self._address, self)
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
                # Bound, so that no other program takes the port, but not listening.
                self._server = _Server((str(host), port), self)
            if seconds is not None:
                self.control.behaviour.later(seconds, self.accept)
            # Last, so that a client that notices finds the port closed already.
            closed.close_connections()

    def accept(self) -> None:
        """Open the port again, once called as often as `refuse`."""
        with self._lock:
            self._closed = max(0, self._closed - 1)
            if self._server is not None and not self._closed:
                self._server.listen()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.stop()

    @property
    def root_url(self) -> str:
        """`http://127.0.0.1:PORT`; `/_control/` and `/token` are below it.

        Bound to every network of the machine, it is named by loopback here.
        """
        if self._server is None:
            raise RuntimeError("the simulator is not running: call start() first")
        host, port = self._server.server_address[:2]
        return f"http://{'127.0.0.1' if host == '0.0.0.0' else str(host)}:{port}"

    @property
    def url(self) -> str:
        """The base URL, as `https://api.openf1.org/v1` is the real one's."""
        return self.root_url + BASE_PATH

    @property
    def token_url(self) -> str:
        """Where username and password are posted; not below `url`, as upstream."""
        return self.root_url + TOKEN_PATH

    def answer(self, request: IncomingRequest) -> SimulatedResponse:
        """The response to one request, to the API or to the control."""
        if request.path.startswith(PREFIX):
            return answer_control(self.control, request.method, request.path, request.body)
        try:
            return self._api.answer(request)
        except Exception as error:  # noqa: BLE001 - a source may fail in any way
            # A broken source or a bug: shown, so that it is not mistaken for an injected fault.
            traceback.print_exc()
            return text_response(500, f"The simulator itself failed: {error!r}", PLAIN)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], simulator: Simulator) -> None:
        self.simulator = simulator
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
        serve = partial(self.serve_forever, poll_interval=0.02)
        threading.Thread(target=serve, name="openf1-simulator", daemon=True).start()

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
        """Show any error but that of a client that hung up."""
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

    @property
    def _simulator(self) -> Simulator:
        return cast(_Server, self.server).simulator

    def _serve(self) -> None:
        path, _, query = self.path.partition("?")
        length = int(self.headers.get("Content-Length") or 0)
        request = IncomingRequest(
            method=self.command,
            path=path,
            query=query,
            authorization=self.headers.get("Authorization"),
            body=self.rfile.read(length) if length else b"",
        )
        self._send(self._simulator.answer(request))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _serve

    def _send(self, response: SimulatedResponse) -> None:
        if response.transmission is Transmission.RESET_BEFORE:
            self._reset()
            return
        if response.transmission is Transmission.REFUSED:
            self.close_connection = True
            self._simulator.refuse(response.pause_seconds or 0.0)
            return
        self.send_response(response.status)
        self.send_header("Content-Type", response.content_type)
        self.send_header("Content-Length", str(len(response.body)))
        for name, value in response.headers:
            self.send_header(name, value)
        self.end_headers()
        body = b"" if self.command == "HEAD" else response.body
        if response.transmission is Transmission.RESET_MIDWAY:
            self.wfile.write(body[: len(body) // 2])
            self._reset()
            return
        if response.transmission is Transmission.STALL:
            if response.pause_seconds is None:  # until the client hangs up
                self.close_connection = True
                with suppress(OSError):
                    self.connection.recv(1)
                return
            self._simulator.control.behaviour.sleep(response.pause_seconds)
        self.wfile.write(body)

    def _reset(self) -> None:
        # Lingering for 0 s makes closing a reset (RST) in place of an orderly end.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def log_message(self, format: str, *args: Any) -> None:
        """Silent: the journal holds more than a log line would."""
