"""From a lake's address to its store.

Belongs here: what an address means, and what is wrong with one that means nothing. Stays out: the
stores themselves (local.py, s3.py).
"""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from f1_bronze.lake.errors import LakeAddressError
from f1_bronze.lake.local import LocalStore
from f1_bronze.lake.s3_writes import S3Writes
from f1_bronze.lake.stores import ObjectStore


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
        if parts.scheme == "file" and parts.netloc not in ("", "localhost"):
            host = parts.netloc.rpartition("@")[2]
            raise LakeAddressError(
                f"F1_BRONZE_LAKE_URI is {parts.scheme}://{host}{parts.path}, where {host} is read "
                f"as a host. Write file:///{host}{parts.path}, or a folder without file://."
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
