"""Open a lake's store by its address, and check what may be done there.

The check is a real write, read, list, conditional write and delete below a scratch folder.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from f1_bronze.lake.errors import Conflict, LakeAddressError, LakeError, LakeUnavailable
from f1_bronze.lake.local import LocalStore
from f1_bronze.lake.s3 import S3Store, S3Writes
from f1_bronze.lake.s3_errors import ACTIONS
from f1_bronze.lake.stores import ABSENT, ObjectStore

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SCRATCH = ".f1-bronze-doctor"
_LOW_SPACE = 1 << 30
_ONE_WRITER = (
    "Let one writer at a time use this lake: no ingest beside a schedule or a backfill. Or use "
    "another store."
)


def open_store(
    lake_uri: str,
    s3_writes: S3Writes | None = None,
    s3_client: "Callable[[], S3Client] | None" = None,
) -> ObjectStore:
    """The store of a lake: `s3://bucket[/prefix]`, a folder, or `file:///folder`.

    Should it be S3, `s3_writes` says how objects are written, and `s3_client` gives the client to
    use instead of one of the standard AWS chain. `LakeAddressError` for any other address.

    >>> open_store("s3://my-bucket/f1").uri("bronze/")
    's3://my-bucket/f1/bronze/'
    """
    parts = urlsplit(lake_uri)
    if parts.scheme == "s3":
        return S3Store(
            bucket=parts.netloc, prefix=parts.path.strip("/"), client=s3_client, writes=s3_writes
        )
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


@dataclass(frozen=True, kw_only=True)
class AccessCheck:
    """One thing that was tried.

    Attributes:
        step: write, read, list, conditions, delete; region (S3) or space (a folder).
        worked: None when it works but not well: a warning.
        detail: what was seen, in a sentence.
        action: the permission that is missing (`s3:PutObject`); empty if it is not about that.
        resource: what that permission has to be given on, as an ARN.
        remedy: what to do; empty when `detail` ends with it.
    """

    step: str
    worked: bool | None
    detail: str
    action: str = ""
    resource: str = ""
    remedy: str = ""


def check_access(store: ObjectStore) -> Iterator[AccessCheck]:
    """Try all that the lake does, below `.f1-bronze-doctor/<uuid>/`, and clean up.

    A permission that is missing does not end it, so that each is named. Anything else does (no
    bucket, wrong keys, no network): it would be the same for every step.
    """
    folder = f"{SCRATCH}/{uuid4().hex}"
    try:
        yield from _steps(store, f"{folder}/proof.json")
    except _Unusable as end:
        yield end.check
        return
    finally:
        if isinstance(store, LocalStore):  # a bucket has no folders to be left behind
            with suppress(OSError):
                shutil.rmtree(store.root / folder)
                (store.root / SCRATCH).rmdir()
    if isinstance(store, LocalStore):
        yield _check_space(store)
    if isinstance(store, S3Store):
        with suppress(LakeError):  # reported by the listing already
            yield from _check_region(store)


class _Unusable(Exception):
    """No further step can work."""

    def __init__(self, check: AccessCheck) -> None:
        super().__init__(check.detail)
        self.check = check


def _steps(store: ObjectStore, path: str) -> Iterator[AccessCheck]:
    data = f'{{"written_by": "f1-bronze doctor", "token": "{uuid4().hex}"}}'.encode()
    folder = path.rpartition("/")[0] + "/"

    written = _attempt(store, "write", path, lambda: store.write(path, data, {"proof": "doctor"}))
    yield written
    read: list[bytes | None] = []
    check = _attempt(store, "read", path, lambda: read.append(store.read(path)))
    if written.worked and read and read[0] != data:
        seen = "nothing" if read[0] is None else f"{len(read[0])} other bytes"
        check = _failed("read", f"{store.uri(path)} holds {seen} right after it was written.")
    yield check
    listed: list[str] = []
    check = _attempt(
        store, "list", folder, lambda: listed.extend(entry.path for entry in store.list(folder))
    )
    if written.worked and check.worked and listed != [path]:
        check = _failed("list", f"{store.uri(folder)} lists {len(listed)} objects instead of one.")
    yield check
    if written.worked and read and read[0] == data:
        yield _check_conditions(store, path)
    check = _attempt(store, "delete", path, lambda: store.delete(path))
    if check.worked and read and _exists(store, path):
        check = _failed("delete", f"{store.uri(path)} is still there after it was deleted.")
    yield check


def _check_conditions(store: ObjectStore, path: str) -> AccessCheck:
    """Whether writes that were meant for another content are refused, so that two writers never
    undo each other's."""
    if isinstance(store, LocalStore):  # with locks of its own, which go with the scratch folder
        store = LocalStore(store.root / path.rpartition("/")[0] / "conditions")
    kept: list[bool] = []
    check = _attempt(store, "write", path, lambda: kept.append(_keeps_conditions(store, path)))
    check = replace(check, step="conditions")
    if not check.worked:
        return check
    if not kept[0]:
        detail = "The store writes whatever the condition: of two writers one can undo the other."
        return replace(check, worked=None, detail=detail, remedy=_ONE_WRITER)
    if isinstance(store, LocalStore | S3Store) and not store.supports_conditions:
        lacks = "conditional writes" if isinstance(store, S3Store) else "file locks"
        detail = (
            f"The store does not support {lacks}: we look before each write, and another writer "
            "can come between."
        )
        return replace(check, worked=None, detail=detail, remedy=_ONE_WRITER)
    return replace(check, detail="two writers cannot undo each other's work")


def _keeps_conditions(store: ObjectStore, path: str) -> bool:
    """Three writes: over what is there, over what was there, and where nothing should be."""
    store.write(path, b"1", {})
    there = store.fetch(path)
    first = there.version if there else ABSENT
    store.write(path, b"2", {}, expected=first)
    for outdated in (first, ABSENT):
        with suppress(Conflict):
            store.write(path, b"3", {}, expected=outdated)
            return False
    return True


def _exists(store: ObjectStore, path: str) -> bool:
    with suppress(LakeUnavailable):  # without s3:ListBucket S3 does not say that a key is gone
        return store.read(path) is not None
    return False


def _attempt(
    store: ObjectStore, step: str, path: str, attempt: Callable[[], object]
) -> AccessCheck:
    """The outcome of one step; `_Unusable` when it failed for lack of more than a permission."""
    try:
        attempt()
    except LakeUnavailable as error:
        if not error.action:
            raise _Unusable(AccessCheck(step=step, worked=False, detail=str(error))) from error
        resource = _resource(store, error.action)
        left = f" {store.uri(path)} stays behind." if step == "delete" else ""
        return AccessCheck(
            step=step,
            worked=False,
            detail=f"S3 refused to {step} {store.uri(path)} ({error.action} is missing).{left}",
            action=error.action,
            resource=resource,
            remedy=f"Allow {error.action} on {resource} (deploy/aws has the whole policy).",
        )
    permission = f" ({ACTIONS[step]})" if isinstance(store, S3Store) else ""
    return AccessCheck(step=step, worked=True, detail=f"works{permission}")


def _resource(store: ObjectStore, action: str) -> str:
    if not isinstance(store, S3Store):
        return ""
    if action.startswith("kms:"):
        return "the bucket's KMS key"
    bucket = f"arn:aws:s3:::{store.bucket}"
    return bucket if action == ACTIONS["list"] else f"{bucket}/{store.prefix}*"


def _failed(step: str, detail: str) -> AccessCheck:
    remedy = "This store does not keep what it is given: use another one for the lake."
    return AccessCheck(step=step, worked=False, detail=detail, remedy=remedy)


def _check_space(store: LocalStore) -> AccessCheck:
    free = shutil.disk_usage(store.root).free
    detail = f"{free / 1e9:.1f} GB free in {store.root}"
    if free >= _LOW_SPACE:
        return AccessCheck(step="space", worked=True, detail=detail)
    remedy = "Free some space, or set F1_BRONZE_LAKE_URI to a larger place."
    return AccessCheck(step="space", worked=None, detail=detail, remedy=remedy)


def _check_region(store: S3Store) -> Iterator[AccessCheck]:
    ours, region = store.regions()
    if region and region != ours:
        yield AccessCheck(
            step="region",
            worked=None,
            detail=f"The bucket is in {region}, and AWS_DEFAULT_REGION is {ours}.",
            remedy=f"Set AWS_DEFAULT_REGION to {region}: until then each first request takes a "
            "detour.",
        )
    elif region:
        yield AccessCheck(step="region", worked=True, detail=region)
