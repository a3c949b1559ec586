"""The rate budget as a row in PostgreSQL.

Belongs here: psycopg, its errors, the one table. Stays out: what the text means (ledger.py),
repeating and the words for people (server_store.py).
"""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from f1_bronze.openf1.server_store import LONGEST_EXCHANGE, LinkFault, without_secret

if TYPE_CHECKING:
    import psycopg

_Result = TypeVar("_Result")
_of_parents: list["psycopg.Connection"] = []
TABLE = "f1_bronze_rate_budget"
"""Made at first use, in the first schema of the search path, unless it is there."""
_CREATE = f"""
CREATE TABLE IF NOT EXISTS {TABLE} (
    api text PRIMARY KEY,
    ledger text,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
)"""
_CREATION_LOCK = 0x4631_4252  # "F1BR": creation "if not exists" is not safe by itself
# A holder that hangs (a frozen machine) loses the row before others lose their patience with it;
# that of one that is killed is free at once.
_PATIENCE = """
SELECT set_config('lock_timeout', '8s', true), set_config('statement_timeout', '9s', true),
       set_config('idle_in_transaction_session_timeout', '4s', true)"""
_LOCK_ROW = f"SELECT ledger FROM {TABLE} WHERE api = %s FOR UPDATE"
_NEW_ROW = f"INSERT INTO {TABLE} (api) VALUES (%s) ON CONFLICT DO NOTHING"
_RENEW = f"UPDATE {TABLE} SET ledger = %s, changed_at = clock_timestamp() WHERE api = %s"
_READ = f"SELECT ledger FROM {TABLE} WHERE api = %s"
_TIME = "SELECT extract(epoch FROM clock_timestamp())::float8"


class PostgresqlLink:
    """A row for one API in a table of ours.

    `address` is what libpq takes as a connection URI; ValueError when it does not, and
    ModuleNotFoundError without psycopg.
    """

    def __init__(self, address: str, api: str) -> None:
        import psycopg
        from psycopg import conninfo

        try:
            self._settings: dict[str, Any] = conninfo.conninfo_to_dict(address)
        except psycopg.ProgrammingError:
            raise ValueError("no connection URI of PostgreSQL") from None
        self._refuse_misread_password()
        self._api = api
        self._secret = str(self._settings.get("password") or "")
        where = ":".join(str(self._settings[k]) for k in ("host", "port") if k in self._settings)
        self._place = f"PostgreSQL at {where or 'the local socket'}"
        self._connection: psycopg.Connection | None = None
        self._process = os.getpid()

    def _refuse_misread_password(self) -> None:
        """A password with a bare / or @ in it would show in what is taken for host, port, name."""
        ports = str(self._settings.get("port", "")).replace(",", "")
        names = [str(self._settings.get(name, "")) for name in ("host", "dbname")]
        if (ports and not ports.isdecimal()) or any("@" in name for name in names):
            raise ValueError("a password that is not written with %XX")

    @property
    def place(self) -> str:
        """Host and port."""
        return self._place

    def __repr__(self) -> str:
        return f"PostgresqlLink({self._place})"

    def time(self) -> float:
        """The server's clock, not that of the transaction."""
        with self._exchange() as connection:
            row = connection.execute(_TIME).fetchone()
            assert row is not None  # a SELECT without FROM has a row
            return float(row[0])

    def load(self) -> bytes | None:
        """The row's text."""
        with self._exchange() as connection:
            return _with_table(connection, lambda: _text(connection.execute(_READ, (self._api,))))

    def swap(self, renew: Callable[[bytes | None], bytes]) -> None:
        """Replace the row's text under a lock on the row, which the server frees for the dead."""

        def change() -> None:
            with connection.transaction():
                connection.execute(_PATIENCE)
                row = connection.execute(_LOCK_ROW, (self._api,))
                if not row.rowcount:
                    connection.execute(_NEW_ROW, (self._api,))
                    row = connection.execute(_LOCK_ROW, (self._api,))
                connection.execute(_RENEW, (renew(_text(row)).decode(), self._api))

        with self._exchange() as connection:
            _with_table(connection, change)

    def drop(self) -> None:
        """Close the connection; one that was forked is its parent's, and closing would end it."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._process == os.getpid():
            connection.close()
        else:
            _of_parents.append(connection)

    @contextmanager
    def _exchange(self) -> Iterator["psycopg.Connection"]:
        """The connection, for so long and no longer; psycopg's errors become ours."""
        import psycopg

        try:
            if self._connection is None:
                self._connection = self._connect()
                self._process = os.getpid()
            with _hung_up_after(LONGEST_EXCHANGE, self._connection.fileno()):
                yield self._connection
        except psycopg.Error as error:
            passing = isinstance(error, psycopg.OperationalError)
            raise LinkFault(without_secret(error, self._secret), passing=passing) from None

    def _connect(self) -> "psycopg.Connection":
        import psycopg

        bounds = {"connect_timeout": "5", "application_name": "f1-bronze"}
        connection = psycopg.connect(**{**bounds, **self._settings}, autocommit=True)
        connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
        connection.prepare_threshold = None  # poolers may hand each transaction another server
        return connection


def _with_table(connection: "psycopg.Connection", action: Callable[[], _Result]) -> _Result:
    """Do it, with the table made first where there is none: whoever may not make one may use it."""
    import psycopg

    try:
        return action()
    except psycopg.errors.UndefinedTable:
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_CREATION_LOCK,))
            connection.execute(_CREATE)
        return action()


def _text(rows: "psycopg.Cursor[tuple[Any, ...]]") -> bytes | None:
    row = rows.fetchone()
    return None if row is None or row[0] is None else str(row[0]).encode()


@contextmanager
def _hung_up_after(seconds: float, line: int) -> Iterator[None]:
    """Shut a connection that lasts longer: libpq has no bound for an answer that does not come."""
    with socket.socket(fileno=os.dup(line)) as own:
        timer = threading.Timer(seconds, _hang_up, [own])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


def _hang_up(line: socket.socket) -> None:
    with suppress(OSError):  # it has ended by itself
        line.shutdown(socket.SHUT_RDWR)
