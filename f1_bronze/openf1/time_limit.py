"""A limit on the total time of an HTTP request, which holds however slowly its bytes come in."""

import socket
import threading
from contextlib import suppress
from typing import Any, ClassVar, Self

import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection


class TimeLimit:
    """Ends the requests of this thread when their time is up, however slowly bytes trickle in.

    Every byte that arrives starts a read timeout anew, so the connection is shut from a thread of
    its own; the read that waits for it then fails at once.
    """

    _of_thread = threading.local()

    def __init__(self, seconds: float) -> None:
        self.expired = False
        self._lock = threading.Lock()
        self._lines: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._of_thread.limit = self
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._of_thread.limit = None
        self._timer.cancel()
        with self._lock:
            for line in self._lines:
                line.close()
            self._lines.clear()

    @classmethod
    def watch(cls, connection: socket.socket) -> None:
        """Shut this connection too when the time of the current thread's request is up."""
        limit: TimeLimit | None = getattr(cls._of_thread, "limit", None)
        if limit is not None:
            with limit._lock:
                # A duplicate, since TLS takes the socket over and its reader may close it.
                limit._lines.append(socket.socket(fileno=socket.dup(connection.fileno())))
            if limit.expired:
                limit._expire()

    def _expire(self) -> None:
        with self._lock:
            self.expired = True
            for line in self._lines:
                with suppress(OSError):  # it has ended by itself
                    line.shutdown(socket.SHUT_RDWR)


class _WatchedConnection(HTTPConnection):
    def _new_conn(self) -> socket.socket:  # before TLS is negotiated
        connection = super()._new_conn()
        TimeLimit.watch(connection)
        return connection

    def getresponse(self) -> Any:  # also of a connection that is used again
        if self.sock is not None:
            TimeLimit.watch(self.sock)
        return super().getresponse()


class _WatchedTlsConnection(_WatchedConnection, HTTPSConnection):
    pass


class _WatchedPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _WatchedConnection


class _WatchedTlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _WatchedTlsConnection


class WatchedAdapter(HTTPAdapter):
    """An adapter for requests whose connections a `TimeLimit` can end."""

    _POOLS: ClassVar = {"http": _WatchedPool, "https": _WatchedTlsPool}

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = self._POOLS

    def proxy_manager_for(self, *args: Any, **options: Any) -> urllib3.ProxyManager:
        manager: urllib3.ProxyManager = super().proxy_manager_for(*args, **options)
        manager.pool_classes_by_scheme = self._POOLS
        return manager
