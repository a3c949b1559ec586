"""The rate budget in a file: shared by all processes of one machine.

Belongs here: locking, atomic replacement, and a place that is ours. Stays out: what the ledger
means (ledger.py) and what is reserved in it (pace.py).
"""

import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from f1_bronze.openf1.ledger import Ledger


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
