"""The port to where the lake's bytes are: what a folder and a bucket have in common."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

# The version of what is not there.
ABSENT = ""


@dataclass(frozen=True, kw_only=True, order=True)
class StoredObject:
    """One object in a listing.

    Attributes:
        path: below the root.
        size: in bytes.
        md5: the MD5 of its bytes in hexadecimal, if the listing may give it: S3's ETag, which is
            something else for objects that are encrypted by KMS or were sent in parts. So an equal
            one proves equal bytes, and another one proves nothing.
    """

    path: str
    size: int
    md5: str = field(default="", compare=False)


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """An object as it was read. Equal bytes have one version; its text is up to the store."""

    data: bytes
    version: str


@dataclass(frozen=True, kw_only=True, order=True)
class Unfinished:
    """What a writer left that was ended in the middle of a write: no object, and never listed."""

    path: str
    size: int
    modified: datetime


class ObjectStore(Protocol):
    """Whole objects by path, relative to the root, with `/` between the parts.

    Every method raises `LakeUnavailable` with the remedy when the store cannot be used.
    """

    def uri(self, path: str) -> str:
        """The full address of a path."""

    def read(self, path: str) -> bytes | None:
        """The object's bytes; None when there is none."""

    def fetch(self, path: str) -> Fetched | None:
        """The object's bytes with their version; None when there is none."""

    def write(
        self,
        path: str,
        data: bytes,
        metadata: Mapping[str, str],
        *,
        expected: str | None = None,
    ) -> None:
        """Put the object in place at once: readers see the old one or the new one, whole.

        `metadata` is kept beside the object where the store can. With `expected`, a version or
        `ABSENT`, only if that is what lies there: `Conflict`, and nothing written, if it is not.
        """

    def delete(self, path: str, *, expected: str | None = None) -> None:
        """Remove the object, or what is unfinished; one that is not there is removed already.

        With `expected` only that version: `Conflict` if another lies there.
        """

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """The objects whose path begins with the prefix, in order of their paths."""

    def unfinished(self) -> Iterator[Unfinished]:
        """What interrupted writers left anywhere in the store, in order of the paths."""

    def check(self) -> None:
        """Find out whether the store can be used, before anything else is asked."""
