"""A folder as an object store: atomic writes, and locks that keep writers apart."""

import errno
import fcntl
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

from f1_bronze.lake.errors import Conflict, LakeUnavailable
from f1_bronze.lake.stores import ABSENT, Fetched, StoredObject, Unfinished

_UNFINISHED = ".unfinished-"
_LOCKS = ".locks"
_WITHOUT_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS}

_log = logging.getLogger(__name__)


class LocalStore:
    """Objects as files below a root folder, which is made when first written to.

    Attributes:
        supports_conditions: False once the file system was found to have no locks.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().absolute()
        self.supports_conditions = True

    def uri(self, path: str) -> str:
        """The absolute `file://` address; `=` of hive folders stays readable."""
        return "file://" + quote(f"{self.root.as_posix()}/{path}", safe="/=:")

    def read(self, path: str) -> bytes | None:
        """The file's bytes; None when there is none."""
        try:
            return (self.root / path).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unavailable("read", path, error) from error

    def fetch(self, path: str) -> Fetched | None:
        """The file's bytes, their hash as version; None when there is none."""
        data = self.read(path)
        return None if data is None else Fetched(data=data, version=sha256(data).hexdigest())

    def write(
        self,
        path: str,
        data: bytes,
        metadata: Mapping[str, str],
        *,
        expected: str | None = None,
    ) -> None:
        """Write beside, flush to disk, then rename: never half a file under its name.

        A file system has no place for `metadata`; the materialization keeps it.
        """
        target = self.root / path
        unfinished: str | None = None
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, unfinished = tempfile.mkstemp(prefix=_UNFINISHED, dir=target.parent)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(unfinished, 0o644)  # mkstemp gives 0600, which other users' jobs cannot read
            with self._if_still(path, expected):
                os.replace(unfinished, target)
            unfinished = None
            self._flush_folder(target.parent)
        except OSError as error:
            raise self._unavailable("write", path, error) from error
        finally:
            if unfinished is not None:
                Path(unfinished).unlink(missing_ok=True)

    def delete(self, path: str, *, expected: str | None = None) -> None:
        """Remove the file; its folder stays, for another writer may be about to use it."""
        target = self.root / path
        try:
            with self._if_still(path, expected):
                target.unlink(missing_ok=True)
            if target.parent.is_dir():
                self._flush_folder(target.parent)
        except OSError as error:
            raise self._unavailable("delete", path, error) from error

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Walk the folder that the prefix lies in; unfinished writes and locks are not listed."""
        base = self.root / prefix
        top = base if prefix.endswith("/") or not prefix else base.parent
        found = []
        try:
            for file, path in self._walk(top):
                if path.startswith(prefix) and not file.name.startswith(_UNFINISHED):
                    with suppress(FileNotFoundError):  # it has just been removed
                        found.append(StoredObject(path=path, size=file.stat().st_size))
        except OSError as error:
            raise self._unavailable("list", prefix, error) from error
        yield from sorted(found)

    def unfinished(self) -> Iterator[Unfinished]:
        """Temporary files whose writer was killed before the rename, or is writing now."""
        found = []
        try:
            for file, path in self._walk(self.root):
                if file.name.startswith(_UNFINISHED):
                    with suppress(FileNotFoundError):  # its writer has just renamed it
                        stat = file.stat()
                        modified = datetime.fromtimestamp(stat.st_mtime, UTC)
                        found.append(Unfinished(path=path, size=stat.st_size, modified=modified))
        except OSError as error:
            raise self._unavailable("list", "", error) from error
        yield from sorted(found)

    def check(self) -> None:
        """Write and remove an empty file in the root."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=_UNFINISHED, dir=self.root)
            os.close(handle)
            os.unlink(name)
        except OSError as error:
            raise self._unavailable("write", "", error) from error

    def _walk(self, top: Path) -> Iterator[tuple[Path, str]]:
        """Every file below a folder with its path below the root, but for the locks."""
        locks = self.root / _LOCKS
        for folder, _, names in os.walk(top, onerror=self._raise_unless_missing):
            here = Path(folder)
            if here != locks:
                below = here.relative_to(self.root)
                yield from ((here / name, (below / name).as_posix()) for name in names)

    @contextmanager
    def _if_still(self, path: str, expected: str | None) -> Iterator[None]:
        """Inside, no other writer changes the path, which holds what was expected; `Conflict`.

        The locks are 256 empty files beside the data, each for many folders: held for a rename
        only, and dropped by the kernel when their holder is killed.
        """
        if expected is None:
            yield
            return
        folder = path.rpartition("/")[0]
        lock = self._lock(self.root / _LOCKS / sha256(folder.encode()).hexdigest()[:2])
        try:
            there = self.fetch(path)
            if (there.version if there else ABSENT) != expected:
                raise Conflict(self.uri(path))
            yield
        finally:
            os.close(lock)

    def _lock(self, file: Path) -> int:
        """Wait for a lock file; closing the handle that is returned lets the next writer in."""
        while True:
            file.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            try:
                self._flock(handle)
                if os.path.samestat(os.fstat(handle), os.stat(file)):
                    return handle
            except FileNotFoundError:
                pass
            except BaseException:
                os.close(handle)
                raise
            os.close(handle)  # someone cleaned up meanwhile: others will lock another file

    def _flock(self, handle: int) -> None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in _WITHOUT_LOCKS:
                raise
            if self.supports_conditions:
                self.supports_conditions = False
                _log.warning(
                    "The file system of %s has no locks: let one writer at a time use this lake.",
                    self.root,
                )

    @staticmethod
    def _raise_unless_missing(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise error

    @staticmethod
    def _flush_folder(folder: Path) -> None:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)  # the rename itself survives a power cut
        finally:
            os.close(handle)

    def _unavailable(self, verb: str, path: str, error: OSError) -> LakeUnavailable:
        place = self.root / path
        return LakeUnavailable(
            f"The lake folder cannot be used: could not {verb} {place} ({error.strerror}). Give "
            "this user write access, free disk space, or set F1_BRONZE_LAKE_URI to another folder."
        )
