"""The ledger of reserved calls in PostgreSQL, for all machines that reach one server."""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import quote

from f1_bronze.openf1.budget_stores import RateStoreError, Renew

if TYPE_CHECKING:
    from sqlalchemy import Connection

_log = logging.getLogger("f1_bronze.openf1")

LONGEST_EXCHANGE = 10.0
"""Seconds that a server may take for one exchange, with connecting to it and waiting for a lock."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0

TABLE = "f1_bronze_rate_budget"
"""Made when first used, in the first schema of the search path, unless it is there."""

_Result = TypeVar("_Result")


class ServerClock:
    """A server's time between exchanges, by a clock of ours that does not go back.

    Each exchange bounds the difference of the clocks, by half its round trip either way; what
    all of them allow is narrower than any. Bounds that contradict each other mean that a clock
    was set or that another server answers: then the latest holds. Thread-safe.
    """

    _DRIFT = 1e-4  # two quartz clocks differ by less, a tenth of a millisecond per second

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._bounds: tuple[float, float, float] | None = None

    @property
    def known(self) -> bool:
        """Whether there was an exchange."""
        return self._bounds is not None

    def note(self, time: float, *, sent: float, received: float) -> None:
        """Take in the server's `time` of some moment between our `sent` and `received`."""
        least, most = time - received, time - sent
        with self._lock:
            if self._bounds is not None:
                old_least, old_most, at = self._bounds
                slack = self._DRIFT * max(0.0, received - at)
                narrow = max(least, old_least - slack), min(most, old_most + slack)
                if narrow[0] <= narrow[1]:
                    least, most = narrow
            self._bounds = (least, most, received)

    def now(self) -> float:
        """The server's time, in the middle of what is possible; ValueError before any exchange."""
        if self._bounds is None:
            raise ValueError("The server's time is not known yet; ask it first.")
        least, most, _ = self._bounds
        return self._clock() + (least + most) / 2


class ServerError(Exception):
    """An exchange with a server that failed; `passing` when the next one may succeed.

    The text is for people, in a few words, and free of credentials.
    """

    def __init__(self, reason: str, *, passing: bool) -> None:
        super().__init__(reason)
        self.passing = passing


class SharedText(Protocol):
    """A text that a server keeps for all, read and replaced within `LONGEST_EXCHANGE`.

    It connects when first used and again after `drop`; one thread at a time uses it. All methods
    but `drop` raise `ServerError`.
    """

    @property
    def place(self) -> str:
        """The server, host and port, for people; never credentials."""
        ...

    def time(self) -> float:
        """Seconds since the epoch by the server's clock."""
        ...

    def load(self) -> bytes | None:
        """The text; None where none was written yet."""
        ...

    def swap(self, renew: Renew) -> None:
        """Replace the text by what `renew` makes of it, while nobody else can.

        `renew` may be called again. After an error it is unknown whether the text was replaced.
        """
        ...

    def drop(self) -> None:
        """Forget the connection, in whatever state it is."""
        ...


class ServerStore:
    """A ledger on a server, for all processes that reach it; times are the server's.

    A server that was reached before may be away for `patience` seconds, for a restart or a
    failover; one that was never reached is wrong in the setting, and the error is raised at once.
    A change whose outcome is unknown is made again: it may reserve a call too many, never one too
    few. Thread-safe, and usable in a forked process.
    """

    def __init__(
        self,
        text: SharedText,
        *,
        patience: float = 20.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._text = text
        self._patience = patience
        self._clock = clock
        self._sleep = sleep
        self._time = ServerClock(clock)
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._reached = False

    def __repr__(self) -> str:
        return f"ServerStore({self._text.place})"

    def now(self) -> float:
        """The server's time; known from the last change, so that asking for it costs nothing."""
        if not self._time.known:
            self._exchange(self._note_time)
        return self._time.now()

    def read(self) -> bytes | None:
        """The text as it is."""
        return self._exchange(self._text.load)

    def change(self, renew: Renew) -> None:
        """Replace the text by what `renew` makes of it, alone among all machines."""

        def change_once() -> None:
            self._note_time()
            self._text.swap(renew)

        self._exchange(change_once)

    def _note_time(self) -> None:
        sent = self._clock()
        self._time.note(self._text.time(), sent=sent, received=self._clock())

    def _exchange(self, action: Callable[[], _Result]) -> _Result:
        """Do it, and again while a server that was reached before is away."""
        if self._process != os.getpid():
            # A forked process has its parent's connection, and perhaps a lock held there.
            self._process = os.getpid()
            self._lock = threading.Lock()
            self._text.drop()
        with self._lock:
            began, pause = self._clock(), _FIRST_PAUSE
            while True:
                try:
                    result = action()
                except ServerError as error:
                    self._text.drop()
                    over = self._clock() - began + pause > self._patience
                    if over or not (error.passing and self._reached):
                        raise self._unusable(error) from None
                    _log.info("The call budget's server is away (%s).", error)
                except BaseException:  # an interruption leaves the connection in any state
                    self._text.drop()
                    raise
                else:
                    self._reached = True
                    return result
                self._sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    def _unusable(self, error: ServerError) -> RateStoreError:
        return RateStoreError(
            f"The call budget cannot be kept in {self._text.place} ({error}); check that the "
            "server runs and that F1_BRONZE_RATE_STORE names it with a user who may use it, or "
            "set it to file (one machine)."
        )


class PostgresqlRow:
    """The text of one API: a row in a table of ours, reached by SQLAlchemy and psycopg2.

    `address` is a connection URI of libpq; ValueError when it is not, ModuleNotFoundError without
    psycopg2.
    """

    _CREATE = f"""
        CREATE TABLE IF NOT EXISTS {TABLE} (
            api text PRIMARY KEY,
            ledger text,
            changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
        )"""
    _CREATION_LOCK = 0x4631_4252  # "F1BR": creation "if not exists" is not safe by itself
    # A holder that hangs (a frozen machine) loses the row before others lose their patience with
    # it; that of one that is killed is free at once.
    _BOUNDS = """
        SELECT set_config('lock_timeout', '8s', true), set_config('statement_timeout', '9s', true),
               set_config('idle_in_transaction_session_timeout', '4s', true)"""
    _READ = f"SELECT ledger FROM {TABLE} WHERE api = :api"
    _NEW_ROW = f"INSERT INTO {TABLE} (api) VALUES (:api) ON CONFLICT DO NOTHING"
    _RENEW = f"""
        UPDATE {TABLE} SET ledger = :ledger, changed_at = clock_timestamp() WHERE api = :api"""
    _UNDEFINED_TABLE = "42P01"

    def __init__(self, address: str, api: str) -> None:
        import psycopg2.extensions
        from sqlalchemy import create_engine

        # SQLAlchemy 2.1 takes postgresql:// for psycopg 3; libpq knows no driver in a scheme, and
        # reads more than SQLAlchemy does, such as several hosts. So libpq reads the address.
        dsn = "postgresql://" + address.partition("://")[2]
        try:
            settings = psycopg2.extensions.parse_dsn(dsn)
        except psycopg2.ProgrammingError:
            raise ValueError("no connection URI of PostgreSQL") from None
        # A password with a bare / or @ in it would show in what is taken for host, port or name.
        ports = settings.get("port", "").replace(",", "")
        names = settings.get("host", ""), settings.get("dbname", "")
        if (ports and not ports.isdecimal()) or any("@" in name for name in names):
            raise ValueError("a password that is not written with %XX")
        where = ":".join(settings[k] for k in ("host", "port") if k in settings)
        self._place = f"PostgreSQL at {where or 'the local socket'}"
        self._secret = settings.get("password", "")
        self._api = api
        self._process = os.getpid()
        bounds = {"connect_timeout": "5", "application_name": "f1-bronze"}
        self._engine = create_engine(
            "postgresql+psycopg2://",
            creator=lambda: psycopg2.connect(**{**bounds, **settings}),
            isolation_level="READ COMMITTED",
            pool_size=1,
        )

    @property
    def place(self) -> str:
        """Host and port."""
        return self._place

    def __repr__(self) -> str:
        return f"PostgresqlRow({self._place})"

    def time(self) -> float:
        """The server's clock, not that of the transaction."""

        def ask(connection: "Connection") -> float:
            return float(_scalar(connection, "SELECT extract(epoch FROM clock_timestamp())"))

        return self._transact(ask)

    def load(self) -> bytes | None:
        """The row's text."""
        return self._transact(self._text)

    def swap(self, renew: Renew) -> None:
        """Replace the row's text under a lock on the row, which the server frees for the dead."""

        def change(connection: "Connection") -> None:
            from sqlalchemy import text

            connection.execute(text(self._BOUNDS))
            connection.execute(text(self._NEW_ROW), {"api": self._api})
            old = self._text(connection, lock=" FOR UPDATE")
            new = {"ledger": renew(old).decode(), "api": self._api}
            connection.execute(text(self._RENEW), new)

        self._transact(change)

    def drop(self) -> None:
        """Close the connection; one that was forked is its parent's, and closing would end it."""
        self._engine.dispose(close=self._process == os.getpid())
        self._process = os.getpid()

    def _text(self, connection: "Connection", *, lock: str = "") -> bytes | None:
        ledger = _scalar(connection, self._READ + lock, api=self._api)
        return None if ledger is None else str(ledger).encode()

    def _transact(self, action: Callable[["Connection"], _Result]) -> _Result:
        """Do it in a transaction, within bounds; with the table made first where there is none."""
        from sqlalchemy import exc

        try:
            try:
                return self._run(action)
            except exc.ProgrammingError as error:
                # Not made beforehand: a user who may not make a table may use one that is there.
                if getattr(error.orig, "pgcode", "") != self._UNDEFINED_TABLE:
                    raise
                self._run(self._create)
                return self._run(action)
        except exc.DBAPIError as error:
            passing = isinstance(error, exc.OperationalError | exc.InternalError)
            raise ServerError(
                remove_password(error.orig or error, self._secret),
                passing=passing or error.connection_invalidated,
            ) from None

    def _run(self, action: Callable[["Connection"], _Result]) -> _Result:
        with self._engine.begin() as connection:
            line = connection.connection.dbapi_connection
            assert line is not None  # it is open
            with _hang_up_after(LONGEST_EXCHANGE, line.fileno()):
                return action(connection)

    def _create(self, connection: "Connection") -> None:
        from sqlalchemy import text

        lock = {"lock": self._CREATION_LOCK}
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), lock)
        connection.execute(text(self._CREATE))


def _scalar(connection: "Connection", statement: str, **values: object) -> Any:
    from sqlalchemy import text

    return connection.execute(text(statement), values).scalar()


def remove_password(error: BaseException, password: str) -> str:
    """The first line of what a client says, without the password however it is written."""
    text = (str(error).strip() or type(error).__name__).splitlines()[0]
    for written in filter(None, (password, quote(password, safe=""))):
        text = text.replace(written, "…")
    return text.rstrip(".")


@contextmanager
def _hang_up_after(seconds: float, line: int) -> Iterator[None]:
    """Shut a connection that lasts longer: libpq has no bound for an answer that does not come."""

    def hang_up() -> None:
        with suppress(OSError):  # it has ended by itself
            own.shutdown(socket.SHUT_RDWR)

    with socket.socket(fileno=os.dup(line)) as own:
        timer = threading.Timer(seconds, hang_up)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
