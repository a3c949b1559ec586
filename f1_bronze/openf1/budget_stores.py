"""Where the ledger of reserved calls is kept: in memory, in a file, or on a server."""

import hashlib
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

_POLL = 0.01  # seconds between two tries to get the lock of a file, which is held for less


class BudgetSettingError(ValueError):
    """A setting of the call budget that cannot be used: fix the setting."""


class RateStoreError(OSError):
    """The call budget cannot be kept where the setting says: fix the place or the setting."""


Renew = Callable[[bytes | None], bytes]
"""What a text becomes; None where none was written yet."""


class RateStore(Protocol):
    """A small text, the ledger, that is kept for all processes that share one budget."""

    def now(self) -> float:
        """Seconds since the epoch, by the clock of those who share this store."""
        ...

    def read(self) -> bytes | None:
        """The text as it is; None where none was written yet."""
        ...

    def change(self, renew: Renew) -> None:
        """Replace the text by what `renew` makes of it, alone; `renew` may be called again."""
        ...


def open_rate_store(setting: str, api_url: str) -> RateStore:
    """The store that a setting names; nothing is asked of a server yet.

    `""` or `file`, `file:/path`, `memory`, and `postgresql://…` with all that libpq takes
    (`postgresql:///database?host=/directory`). The default file is per user of the machine and per
    API (host and port), because the limit is per IP address and API; so is the row of a server.
    `BudgetSettingError` for anything else.
    """
    parts = urlsplit(api_url)
    api = f"{parts.hostname}:{parts.port or (80 if parts.scheme == 'http' else 443)}"
    if setting in ("", "file"):
        digest = hashlib.sha256(api.encode()).hexdigest()[:12]
        return FileStore(_own_directory() / f"openf1-rate-{digest}.json")
    if setting == "memory":
        return MemoryStore()
    if setting.startswith("file:") and setting != "file:":
        return FileStore(Path(setting.removeprefix("file:")).expanduser())
    if setting.partition("://")[0] in ("postgresql", "postgres", "postgresql+psycopg2"):
        try:
            from f1_bronze.openf1.postgresql_store import PostgresqlRow, ServerStore

            return ServerStore(PostgresqlRow(setting, api))
        except ModuleNotFoundError as missing:
            raise BudgetSettingError(
                f"F1_BRONZE_RATE_STORE names a PostgreSQL server, whose client {missing.name!r} is "
                'not installed; run pip install "f1_bronze[postgresql]", or set it to file.'
            ) from None
        except ValueError:  # its text may repeat the address
            raise BudgetSettingError(
                "F1_BRONZE_RATE_STORE holds a PostgreSQL address that its client does not "
                "understand; write postgresql://user:password@host:port/database, with special "
                "characters of the password as %XX."
            ) from None
    raise BudgetSettingError(
        f"{setting.split(':')[0]!r} is not a place for the call budget; set F1_BRONZE_RATE_STORE "
        "to file, file:/path or memory, or to postgresql://…."
    )


class MemoryStore:
    """A ledger for the threads of this process alone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._text: bytes | None = None

    def now(self) -> float:
        """Wall-clock time."""
        return time.time()

    def read(self) -> bytes | None:
        """The text as it is."""
        return self._text

    def change(self, renew: Renew) -> None:
        """Replace the text by what `renew` makes of it."""
        with self._lock:
            self._text = renew(self._text)


class FileStore:
    """A ledger in a small file, for all processes and users of one machine.

    The file is replaced as a whole, under a lock on `<path>.lock` that the system frees when a
    process is killed. Everybody who may use the folder may use the file: it holds times of calls
    and nothing else. Not for network file systems.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock_path = path.with_name(path.name + ".lock")

    def __repr__(self) -> str:
        return f"FileStore({str(self.path)!r})"

    def now(self) -> float:
        """Wall-clock time, the same for all processes of the machine."""
        return time.time()

    def read(self) -> bytes | None:
        """The text in the file."""
        if not self.path.exists():
            return None
        with self._locked():  # it may be written in place, see `_write`
            return self._read()

    def change(self, renew: Renew) -> None:
        """Replace the text in the file, with every other process locked out meanwhile."""
        with self._locked():
            text = renew(self._read())
            try:
                self._write(text)
            except OSError as error:
                raise self._unusable(error) from error

    def _read(self) -> bytes | None:
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unusable(error) from error

    def _write(self, text: bytes) -> None:
        new = self.path.with_name(self.path.name + ".new")
        try:
            new.write_bytes(text)
            _open_to_all(new, 0o666)
            new.replace(self.path)
        except PermissionError:
            # In a folder such as /tmp another user's file can be written, but not replaced.
            with self.path.open("r+b") as file:
                file.write(text)
                file.truncate()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        from filelock import lock_descriptor

        while True:
            try:
                lock = self._open_lock()
            except OSError as error:
                raise self._unusable(error) from error
            try:
                try:
                    lock_descriptor(lock, poll_interval=_POLL)
                except OSError as error:
                    raise RateStoreError(
                        f"The call budget in {self.path} cannot be locked ({error.strerror}), "
                        "because its file system has no file locks; set F1_BRONZE_RATE_STORE to "
                        "file:/path on a local disk, or to postgresql://…."
                    ) from error
                if self._is_current(lock):
                    yield
                    return
            finally:
                os.close(lock)  # which frees it

    def _open_lock(self) -> int:
        flags = os.O_RDWR | getattr(os, "O_CLOEXEC", 0)
        while True:
            with suppress(FileNotFoundError):
                # Without O_CREAT, which Linux refuses for another user's file in /tmp.
                return os.open(self._lock_path, flags)
            if not self.path.parent.exists():
                self.path.parent.mkdir(parents=True, exist_ok=True)
                _open_to_all(self.path.parent, 0o777)
            with suppress(FileExistsError):
                lock = os.open(self._lock_path, flags | os.O_CREAT | os.O_EXCL)
                _open_to_all(self._lock_path, 0o666)
                return lock

    def _is_current(self, lock: int) -> bool:
        """Whether the locked file is still the one others will lock (cleaners remove files)."""
        try:
            return os.path.samestat(os.fstat(lock), self._lock_path.stat())
        except FileNotFoundError:
            return False

    def _unusable(self, error: OSError) -> RateStoreError:
        return RateStoreError(
            f"The call budget cannot be kept in {self.path} ({error.strerror}); make that place "
            "writable, or set F1_BRONZE_RATE_STORE to file:/another/path."
        )


def _open_to_all(path: Path, mode: int) -> None:
    """Give others access in spite of our umask; not to a file that another user has made."""
    with suppress(PermissionError):
        path.chmod(mode)


def _own_directory() -> Path:
    """A directory in the shared temporary one that no other user can have put there."""
    user = os.getuid()
    directory = Path(tempfile.gettempdir()) / f"f1_bronze-{user}"
    directory.mkdir(mode=0o700, exist_ok=True)
    if directory.is_symlink() or directory.lstat().st_uid != user:
        raise RateStoreError(
            f"{directory} belongs to another user; set F1_BRONZE_RATE_STORE to file:/path."
        )
    return directory
