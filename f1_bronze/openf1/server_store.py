"""The rate budget on a server that several machines share, whichever server it is.

Belongs here: the server's time, patience with its absences, what is wrong in words of ours. Stays
out: the clients of the servers (postgresql_link.py, redis_link.py), what the ledger means.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Protocol, TypeVar
from urllib.parse import quote

from f1_bronze.openf1.file_store import RateStoreError
from f1_bronze.openf1.ledger import Ledger
from f1_bronze.openf1.server_clock import ServerClock

_log = logging.getLogger("f1_bronze.openf1")
_Answer = TypeVar("_Answer")
LONGEST_EXCHANGE = 10.0
"""Seconds that a server may take for one exchange, with connecting to it and waiting for a lock."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0


class LinkFault(Exception):
    """An exchange that came to nothing; `passing` when the next one may do better.

    The text is for people, in a few words, and free of credentials.
    """

    def __init__(self, reason: str, *, passing: bool) -> None:
        super().__init__(reason)
        self.passing = passing


class Link(Protocol):
    """A text that a server keeps for all, read and replaced within `LONGEST_EXCHANGE`.

    A link connects when first used and again after `drop`; one thread at a time uses it. All
    methods but `drop` raise `LinkFault`.
    """

    @property
    def place(self) -> str:
        """What keeps the text, for people: server, host and port, never credentials."""
        ...

    def time(self) -> float:
        """Seconds since the epoch by the server's clock."""
        ...

    def load(self) -> bytes | None:
        """The text; None where none was written yet."""
        ...

    def swap(self, renew: Callable[[bytes | None], bytes]) -> None:
        """Replace the text by what `renew` makes of it, while nobody else can.

        `renew` may be called again. After a fault it is unknown whether the text was replaced.
        """
        ...

    def drop(self) -> None:
        """Forget the connection, in whatever state it is."""
        ...


class ServerStore:
    """A ledger on a server, for all processes that reach it; times are the server's.

    A server that was reached before may be away for `patience` seconds, for a restart or a
    failover; one that was never reached is wrong in the setting, which is said at once. A change
    whose outcome is unknown is made again: it may reserve a call too many, never one too few.
    Thread-safe, and usable in a forked process.
    """

    def __init__(
        self,
        link: Link,
        *,
        patience: float = 20.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._link = link
        self._patience = patience
        self._clock = clock
        self._sleep = sleep
        self._time = ServerClock(clock)
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._reached = False
        self._kept = False

    def __repr__(self) -> str:
        return f"ServerStore({self._link.place})"

    def now(self) -> float:
        """The server's time; known from the last change, so that asking for it costs nothing."""
        if not self._time.known:
            self._patiently(self._look_at_clock)
        return self._time.now()

    def read(self) -> Ledger | None:
        """The ledger as it is."""
        return self._ledger(self._patiently(self._link.load))

    def change(self, step: Callable[[Ledger | None], Ledger]) -> Ledger:
        """Replace the ledger by what `step` makes of it, alone among all machines."""
        written = Ledger()

        def renew(text: bytes | None) -> bytes:
            nonlocal written
            written = step(self._ledger(text))
            return written.to_json()

        def exchange() -> None:
            self._look_at_clock()
            self._link.swap(renew)

        self._patiently(exchange)
        self._kept = True
        return written

    def _ledger(self, text: bytes | None) -> Ledger | None:
        if text is None:  # never written, or lost by a server that remembers nothing
            return None if self._kept else Ledger()
        self._kept = True
        try:
            return Ledger.from_json(text)
        except ValueError:
            return None

    def _look_at_clock(self) -> None:
        sent = self._clock()
        self._time.heard(self._link.time(), sent=sent, received=self._clock())

    def _patiently(self, exchange: Callable[[], _Answer]) -> _Answer:
        self._mind_a_fork()
        with self._lock:
            began, pause = self._clock(), _FIRST_PAUSE
            while True:
                try:
                    answer = exchange()
                except LinkFault as fault:
                    self._link.drop()
                    over = self._clock() - began + pause > self._patience
                    if over or not (fault.passing and self._reached):
                        raise self._unusable(fault) from None
                    _log.info("The rate budget's server is away (%s).", fault)
                except BaseException:  # an interruption leaves the connection in any state
                    self._link.drop()
                    raise
                else:
                    self._reached = True
                    return answer
                self._sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    def _mind_a_fork(self) -> None:
        """A forked process has a connection that is its parent's, and perhaps a lock held there."""
        if self._process != os.getpid():
            self._process = os.getpid()
            self._lock = threading.Lock()
            self._link.drop()

    def _unusable(self, fault: LinkFault) -> RateStoreError:
        return RateStoreError(
            f"The rate budget cannot be kept in {self._link.place} ({fault}); check that the "
            "server runs and that F1_BRONZE_RATE_STORE names it with a user who may use it, or "
            "set it to file (one machine)."
        )


def without_secret(error: Exception, secret: str) -> str:
    """The first line of what a client says, without the password however it is written."""
    text = (str(error).strip() or type(error).__name__).splitlines()[0]
    for written in filter(None, (secret, quote(secret, safe=""))):
        text = text.replace(written, "…")
    return text.rstrip(".")
