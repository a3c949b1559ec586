"""The port to where bytes lie, and the choice of a store from the lake's URI.

Belongs here: the protocol that every store keeps, and `open_store`. Stays out: the stores
themselves (local.py, s3.py).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from f1_bronze.lake.errors import LakeAddressError
from f1_bronze.lake.s3_writes import S3Writes


@dataclass(frozen=True, kw_only=True, order=True)
class StoredObject:
    """One object in a listing: its path below the root and its size in bytes."""

    path: str
    size: int


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """An object as it was read. Equal bytes have one version; what the text says is up to the
    store."""

    data: bytes
    version: str


ABSENT = ""
"""The version of what is not there."""


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
        """What ended writers left anywhere in the store, in order of the paths."""

    def check(self) -> None:
        """Find out whether the store can be used, before anything else is asked."""


def open_store(lake_uri: str, s3_writes: S3Writes | None = None) -> ObjectStore:
    """The store of a lake: `s3://bucket[/prefix]`, a folder, or `file:///folder`.

    `s3_writes` says how objects are written, should it be S3.

    >>> open_store("s3://my-bucket/f1").uri("bronze/")
    's3://my-bucket/f1/bronze/'
    """
    parts = urlsplit(lake_uri)
    if parts.scheme == "s3":
        from f1_bronze.lake.s3 import S3Store  # boto3 costs 0.2 s; only where S3 is used

        prefix = parts.path.strip("/")
        return S3Store(bucket=parts.netloc, prefix=prefix, writes=s3_writes)
    if parts.scheme in ("", "file"):
        from f1_bronze.lake.local import LocalStore

        if parts.scheme == "file" and parts.netloc not in ("", "localhost"):
            raise LakeAddressError(
                f"F1_BRONZE_LAKE_URI is {lake_uri}, where {parts.netloc} is read as a host. Write "
                f"file:///{parts.netloc}{parts.path}, or a folder without file://."
            )
        folder = unquote(parts.path) if parts.scheme == "file" else lake_uri
        if not folder:
            raise LakeAddressError(
                "F1_BRONZE_LAKE_URI is empty. Set it to a folder or to s3://bucket/prefix."
            )
        return LocalStore(Path(folder))
    raise LakeAddressError(
        f"F1_BRONZE_LAKE_URI has the scheme {parts.scheme!r}, which is not supported. "
        "Use a folder or s3://bucket/prefix."
    )
