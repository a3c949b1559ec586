"""The rate budget in a file: shared by all processes of one machine.

Belongs here: locking, atomic replacement, and a place that is ours. Stays out: what the ledger
means (ledger.py) and what is reserved in it (pace.py).
"""

import fcntl
import json
import logging
import math
import os
import random
import socket
import tempfile
import threading
import time
from bisect import insort
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    import psycopg


_DRIFT = 1e-4  # two quartz clocks differ by less, a tenth of a millisecond per second


class ServerClock:
    """A server's time between exchanges, by a clock of ours that does not go back.

    Each exchange bounds the difference of the clocks, by half its round trip either way; what
    all of them allow is narrower than any. Bounds that contradict each other mean that a clock
    was set or that another server answers: then the latest holds. Thread-safe.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._bounds: tuple[float, float, float] | None = None

    @property
    def known(self) -> bool:
        """Whether there was an exchange."""
        return self._bounds is not None

    def heard(self, time: float, *, sent: float, received: float) -> None:
        """Take in that the server said `time` at some moment between our `sent` and `received`."""
        least, most = time - received, time - sent
        with self._lock:
            if self._bounds is not None:
                old_least, old_most, at = self._bounds
                slack = _DRIFT * max(0.0, received - at)
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


LONGEST_BLOCK = 3600.0

"""Seconds that a back-off lasts at most; a ledger that says more is not believed."""

_LONGEST_QUEUE = 86_400.0

_MOST_SLOTS = 100_000


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """What all processes know of the calls made; times in seconds since the epoch.

    Attributes:
        slots: moments reserved for calls, past and future, ascending.
        blocked_until: no call goes before it.
        written_at: when the ledger was last changed.
    """

    slots: tuple[float, ...] = ()
    blocked_until: float = 0.0
    written_at: float = 0.0

    def __post_init__(self) -> None:
        times = (*self.slots, self.blocked_until, self.written_at)
        if not all(math.isfinite(time) for time in times) or len(self.slots) > _MOST_SLOTS:
            raise ValueError("A ledger holds finite times; start a new one.")
        if any(later < earlier for earlier, later in pairwise(self.slots)):
            raise ValueError("The slots of a ledger ascend; start a new one.")
        if self.slots and self.slots[-1] > self.written_at + _LONGEST_QUEUE:
            raise ValueError("A ledger reserves at most a day ahead; start a new one.")
        if self.blocked_until > self.written_at + LONGEST_BLOCK + 1:
            raise ValueError("A ledger blocks for an hour at most; start a new one.")

    def seen_at(self, now: float) -> "Ledger":
        """The ledger as it reads at `now`.

        Where the clock has been set back since the last change, all times move back with it, as if
        no time had passed: waiting too long once is better than calls that are too close.
        """
        set_back = self.written_at - now
        if set_back <= 0:
            return self
        return Ledger(
            slots=tuple(slot - set_back for slot in self.slots),
            blocked_until=self.blocked_until - set_back,
            written_at=now,
        )

    def with_slot(self, slot: float, *, now: float, memory: float) -> "Ledger":
        """The ledger with one more reservation, without what is older than `memory` seconds."""
        slots = [old for old in self.slots if old > now - memory]
        insort(slots, slot)
        return replace(self, slots=tuple(slots), written_at=now)

    def without_slot(self, slot: float, *, now: float) -> "Ledger":
        """The ledger with one reservation of that moment given back."""
        slots = list(self.slots)
        if slot in slots:
            slots.remove(slot)
        return replace(self, slots=tuple(slots), written_at=now)

    def blocked(self, until: float, *, now: float) -> "Ledger":
        """The ledger in which nobody calls before `until`, or before an hour at most."""
        until = min(until, now + LONGEST_BLOCK)
        return replace(self, blocked_until=max(self.blocked_until, until), written_at=now)

    def to_json(self) -> bytes:
        """The ledger as it is written to a file or a row."""
        times = {
            "slots": self.slots,
            "blocked_until": self.blocked_until,
            "written_at": self.written_at,
        }
        return json.dumps(times).encode()

    @classmethod
    def from_json(cls, text: bytes) -> "Ledger":
        """The ledger that was written; ValueError when it is damaged or cannot be true."""
        try:
            times = json.loads(text)
            return cls(
                slots=tuple(float(slot) for slot in times["slots"]),
                blocked_until=float(times["blocked_until"]),
                written_at=float(times["written_at"]),
            )
        except (KeyError, TypeError, OverflowError, RecursionError) as fault:
            raise ValueError("This is no ledger; start a new one.") from fault


class RateStoreError(OSError):
    """The rate budget cannot be kept where the setting says: mend the place or the setting."""


class FileStore:
    """A ledger in a small file, for all processes of one machine (not for network file systems).

    The file is replaced whole under a lock on `<path>.lock`. The kernel drops the lock of a
    process that is killed, and a half-written file never takes the place of a whole one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock_path = path.with_name(path.name + ".lock")

    def __repr__(self) -> str:
        return f"FileStore({str(self.path)!r})"

    def now(self) -> float:
        """Wall-clock time, the same for all processes of the machine."""
        return time.time()

    def read(self) -> Ledger | None:
        """The ledger in the file; None when it is damaged. Needs no lock: see the class."""
        try:
            return Ledger.from_json(self.path.read_bytes())
        except FileNotFoundError:
            return Ledger()
        except ValueError:
            return None
        except OSError as fault:
            raise self._unusable(fault) from fault

    def change(self, step: Callable[[Ledger | None], Ledger]) -> Ledger:
        """Replace the ledger in the file, with every other process locked out meanwhile."""
        with self._locked():
            ledger = step(self.read())
            new = self.path.with_name(self.path.name + ".new")
            try:
                new.write_bytes(ledger.to_json())
                new.replace(self.path)
            except OSError as fault:
                raise self._unusable(fault) from fault
            return ledger

    @contextmanager
    def _locked(self) -> Iterator[None]:
        while True:
            try:
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                lock = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError as fault:
                raise self._unusable(fault) from fault
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if self._is_current(lock):
                    yield
                    return
            finally:
                os.close(lock)

    def _is_current(self, lock: int) -> bool:
        """Whether the locked file is still the one others will lock (cleaners remove files)."""
        try:
            return os.path.samestat(os.fstat(lock), self._lock_path.stat())
        except FileNotFoundError:
            return False

    def _unusable(self, fault: OSError) -> RateStoreError:
        return RateStoreError(
            f"The rate budget cannot be kept in {self.path} ({fault.strerror}); make that place "
            "writable, or set F1_BRONZE_RATE_STORE to file:/another/path."
        )


def own_directory() -> Path:
    """A directory in the shared temporary one that no other user can have put there."""
    directory = Path(tempfile.gettempdir()) / f"f1_bronze-{os.getuid()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    found = directory.lstat()
    if directory.is_symlink() or found.st_uid != os.getuid():
        raise RateStoreError(
            f"{directory} belongs to somebody else; set F1_BRONZE_RATE_STORE to file:/path."
        )
    return directory


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


PREFIX = "f1_bronze:rate_budget:"

"""Of the key, which ends with host and port of the API and never expires."""

_SWAP = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
"""

_SLOWEST_REPLY = 5.0


class RedisLink:
    """A key for one API.

    The key is replaced only if it is still what was read, so there is no lock that a killed
    process could hold. `address` is what redis-py takes as a URL; ValueError when it does not, and
    ModuleNotFoundError without redis-py.
    """

    def __init__(self, address: str, api: str) -> None:
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        if "@" in urlsplit(address).path:  # a bare / in the password would show as host and port
            raise ValueError("a password that is not written with %XX")
        self._redis: Any = redis.Redis.from_url(  # its commands are typed for async use as well
            address,
            socket_timeout=_SLOWEST_REPLY,
            socket_connect_timeout=_SLOWEST_REPLY,
            retry=Retry(NoBackoff(), 0),  # repeating is the store's
            client_name="f1-bronze",
        )
        known = self._redis.connection_pool.connection_kwargs
        self._secret = str(known.get("password") or "")
        where = known.get("path") or f"{known.get('host')}:{known.get('port', 6379)}"
        self._place = f"Redis at {where}"
        self._key = PREFIX + api

    @property
    def place(self) -> str:
        """Host and port, or the socket."""
        return self._place

    def __repr__(self) -> str:
        return f"RedisLink({self._place})"

    def time(self) -> float:
        """The server's clock."""
        with self._exchange():
            seconds, microseconds = self._redis.time()
            return float(seconds + microseconds / 1e6)

    def load(self) -> bytes | None:
        """The key's value."""
        with self._exchange():
            value: bytes | None = self._redis.get(self._key)
            return value

    def swap(self, renew: Callable[[bytes | None], bytes]) -> None:
        """Replace the value, over again where another process was faster."""
        with self._exchange():
            began = time.monotonic()
            while True:
                old = self._redis.get(self._key)
                if self._redis.eval(_SWAP, 1, self._key, old or b"", renew(old)):
                    return
                if time.monotonic() - began > LONGEST_EXCHANGE:
                    raise LinkFault("others are always faster", passing=True)
                time.sleep(random.uniform(0.0, 0.02))

    def drop(self) -> None:
        """Close the connections."""
        with suppress(OSError):
            self._redis.connection_pool.disconnect()

    @contextmanager
    def _exchange(self) -> Iterator[None]:
        """redis-py's errors become ours."""
        import redis

        try:
            yield
        except redis.RedisError as error:
            away = redis.ConnectionError, redis.TimeoutError, redis.ReadOnlyError
            denied = redis.AuthenticationError, redis.exceptions.AuthorizationError
            passing = isinstance(error, away) and not isinstance(error, denied)
            raise LinkFault(without_secret(error, self._secret), passing=passing) from None
