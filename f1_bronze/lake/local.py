"""A folder as an object store.

Belongs here: atomic writing on a file system. Stays out: what is written.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

from f1_bronze.lake.errors import LakeUnavailable
from f1_bronze.lake.stores import StoredObject

_UNFINISHED = ".unfinished-"


class LocalStore:
    """Objects as files below a root folder, which is made when first written to."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().absolute()

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

    def write(self, path: str, data: bytes, metadata: Mapping[str, str]) -> None:
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
            os.replace(unfinished, target)
            unfinished = None
            self._flush_folder(target.parent)
        except OSError as error:
            raise self._unavailable("write", path, error) from error
        finally:
            if unfinished is not None:
                Path(unfinished).unlink(missing_ok=True)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Walk the folder that the prefix lies in; unfinished writes are not listed."""
        base = self.root / prefix
        top = base if prefix.endswith("/") or not prefix else base.parent
        found = []
        try:
            for folder, _, names in os.walk(top, onerror=self._raise_unless_missing):
                for name in names:
                    file = Path(folder, name)
                    path = file.relative_to(self.root).as_posix()
                    if path.startswith(prefix) and not name.startswith(_UNFINISHED):
                        found.append(StoredObject(path=path, size=file.stat().st_size))
        except OSError as error:
            raise self._unavailable("list", prefix, error) from error
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
