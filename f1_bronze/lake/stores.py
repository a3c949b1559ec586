"""The port to where bytes lie, and the choice of a store from the lake's URI.

Belongs here: the protocol that every store keeps, and `open_store`. Stays out: the stores
themselves (local.py, s3.py).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from f1_bronze.lake.errors import LakeAddressError


@dataclass(frozen=True, kw_only=True, order=True)
class StoredObject:
    """One object in a listing: its path below the root and its size in bytes."""

    path: str
    size: int


class ObjectStore(Protocol):
    """Whole objects by path, relative to the root, with `/` between the parts.

    Every method raises `LakeUnavailable` with the remedy when the store cannot be used.
    """

    def uri(self, path: str) -> str:
        """The full address of a path."""

    def read(self, path: str) -> bytes | None:
        """The object's bytes; None when there is none."""

    def write(self, path: str, data: bytes, metadata: Mapping[str, str]) -> None:
        """Put the object in place at once: readers see the old one or the new one, whole.

        `metadata` is kept beside the object where the store can.
        """

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """The objects whose path begins with the prefix, in order of their paths."""

    def check(self) -> None:
        """Find out whether the store can be used, before anything else is asked."""


def open_store(lake_uri: str) -> ObjectStore:
    """The store of a lake: `s3://bucket[/prefix]`, a folder, or `file:///folder`.

    >>> open_store("s3://my-bucket/f1").uri("bronze/")
    's3://my-bucket/f1/bronze/'
    """
    parts = urlsplit(lake_uri)
    if parts.scheme == "s3":
        from f1_bronze.lake.s3 import S3Store  # boto3 costs 0.2 s; only where S3 is used

        return S3Store(bucket=parts.netloc, prefix=parts.path.strip("/"))
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
