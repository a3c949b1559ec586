"""S3 as an object store, through boto3, with conditional writes.

Credentials, region and endpoint come from the standard AWS chain (`AWS_ENDPOINT_URL` included),
unless a client is given. Why boto3 alone and not dagster-aws: docs/adr/0004.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from f1_bronze.lake.errors import Conflict, LakeAddressError
from f1_bronze.lake.s3_errors import NotS3, bucket_region, check_answer, error_code, explain
from f1_bronze.lake.stores import ABSENT, Fetched, StoredObject, Unfinished

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Object metadata: which write put this object there.
WRITE_ID = "write-id"

# What S3 answers when another object lies there than a condition expects.
_CONDITION_FAILED = {
    "PreconditionFailed",
    "412",
    "ConditionalRequestConflict",  # another conditional write was under way
    "OperationAborted",
    "NoSuchKey",  # the object to be replaced is gone
    "404",
}
_CONDITION_UNKNOWN = {"NotImplemented", "501"}
# What every page of a listing says, of however many objects.
_LIST_DOCUMENT = ("Name", "IsTruncated")

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class S3Writes:
    """How objects are written; what is empty is not sent, so that the bucket's defaults hold.

    >>> S3Writes(encryption="aws:kms", storage_class="STANDARD_IA").arguments()
    {'ServerSideEncryption': 'aws:kms', 'StorageClass': 'STANDARD_IA'}
    >>> S3Writes().arguments()
    {}
    """

    encryption: str = ""
    kms_key_id: str = ""
    storage_class: str = ""

    def arguments(self) -> dict[str, Any]:
        """The arguments of PutObject, by S3's own names."""
        named = {
            "ServerSideEncryption": self.encryption,
            "SSEKMSKeyId": self.kms_key_id,
            "StorageClass": self.storage_class,
        }
        return {name: value for name, value in named.items() if value}


def make_client() -> "S3Client":
    """A client of the standard AWS chain that repeats failed requests and never hangs."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        config=Config(
            retries={"mode": "standard", "max_attempts": 5}, connect_timeout=10, read_timeout=60
        ),
    )


class S3Store:
    """Objects of one bucket below an optional prefix.

    `client` gives the boto3 client, `make_client()` without it. It is called at the first request:
    opening a lake asks no one.

    Attributes:
        supports_conditions: False from the first request on whose condition the store did not
            know.
    """

    def __init__(
        self,
        *,
        bucket: str,
        prefix: str = "",
        client: "Callable[[], S3Client] | None" = None,
        writes: S3Writes | None = None,
    ) -> None:
        if not bucket:
            raise LakeAddressError("F1_BRONZE_LAKE_URI has no bucket. Write s3://bucket/prefix.")
        if "@" in bucket:  # not repeated: it may be a secret key
            raise LakeAddressError(
                "F1_BRONZE_LAKE_URI holds a login. Write s3://bucket/prefix, and give this process "
                "AWS credentials by the standard chain."
            )
        self.bucket = bucket
        self.prefix = f"{prefix}/" if prefix else ""
        self.supports_conditions = True
        self._make_client = client
        self._making = threading.Lock()
        self._write_arguments = (writes or S3Writes()).arguments()

    @property
    def _client(self) -> "S3Client":
        with self._making:  # boto3's clients serve many threads, but are made by one
            return self._made_client

    @cached_property
    def _made_client(self) -> "S3Client":
        return (self._make_client or make_client)()

    def uri(self, path: str) -> str:
        """The `s3://` address."""
        return f"s3://{self.bucket}/{self.prefix}{path}"

    def read(self, path: str) -> bytes | None:
        """The object's bytes; None when there is none."""
        found = self.fetch(path)
        return None if found is None else found.data

    def fetch(self, path: str) -> Fetched | None:
        """The object's bytes with its ETag as version; None when there is none."""

        def get() -> Fetched | None:
            try:
                answer = self._client.get_object(Bucket=self.bucket, Key=self.prefix + path)
            except self._client.exceptions.NoSuchKey:
                return None
            check_answer(answer, "ETag")
            return Fetched(data=answer["Body"].read(), version=answer["ETag"])

        return self._request("read", path, get)

    def write(
        self,
        path: str,
        data: bytes,
        metadata: Mapping[str, str],
        *,
        expected: str | None = None,
    ) -> None:
        """One PUT, which S3 makes visible whole; `metadata` becomes the object's metadata."""
        notes = {k: v.encode("ascii", "replace").decode() for k, v in metadata.items()}
        content_type = "application/json"
        if path.endswith(".parquet"):
            content_type = "application/vnd.apache.parquet"
        # The client repeats a request whose answer was lost, and the repetition finds our own
        # object. So a conditional write has an id in the object's metadata, to be known again.
        if expected is not None:
            notes[WRITE_ID] = uuid4().hex

        def put(**condition: Any) -> None:
            answer = self._client.put_object(
                Bucket=self.bucket,
                Key=self.prefix + path,
                Body=data,
                ContentType=content_type,
                Metadata=notes,
                **self._write_arguments,
                **condition,
            )
            check_answer(answer, "ETag")

        def is_written() -> bool:
            there = self._head(path)
            return there is not None and there[1].get(WRITE_ID) == notes[WRITE_ID]

        if expected is None:
            self._request("write", path, put)
        else:
            condition = {"IfNoneMatch": "*"} if expected == ABSENT else {"IfMatch": expected}
            self._request(
                "write",
                path,
                lambda: self._send_if(path, expected, condition, put, is_done=is_written),
            )

    def delete(self, path: str, *, expected: str | None = None) -> None:
        """One DELETE; in a bucket with versions the bytes can still be restored."""

        def remove(**condition: Any) -> None:
            answer = self._client.delete_object(
                Bucket=self.bucket, Key=self.prefix + path, **condition
            )
            status = answer["ResponseMetadata"]["HTTPStatusCode"]
            if status != 204 and self._head(path) is not None:
                raise NotS3(f"status {status} and the object is still there")

        def is_removed() -> bool:
            return self._head(path) is None

        if expected is None:
            self._request("delete", path, remove)
        else:
            condition = {"IfMatch": expected}
            self._request(
                "delete",
                path,
                lambda: self._send_if(path, expected, condition, remove, is_done=is_removed),
            )

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Every object below the prefix, over as many pages as it takes."""

        def pages() -> list[StoredObject]:
            found = []
            paginator = self._client.get_paginator("list_objects_v2")
            for page in paginator.paginate(Bucket=self.bucket, Prefix=self.prefix + prefix):
                check_answer(page, *_LIST_DOCUMENT)
                if page["IsTruncated"] and not page.get("NextContinuationToken"):
                    raise NotS3("a listing that is cut and does not say how to continue")
                for entry in page.get("Contents", ()):
                    path = entry["Key"].removeprefix(self.prefix)
                    md5 = entry.get("ETag", "").strip('"')
                    found.append(StoredObject(path=path, size=entry["Size"], md5=md5))
            return found

        yield from self._request("list", prefix, pages)

    def unfinished(self) -> Iterator[Unfinished]:
        """None: a PUT that was not finished leaves nothing."""
        return iter(())

    def check(self) -> None:
        """Ask for one key of the listing: bucket, credentials and reachability in one request."""
        self.regions()

    def regions(self) -> tuple[str, str]:
        """Where the client asks and where the bucket says it is; empty where it does not say."""

        def list_one() -> tuple[str, str]:
            client = self._client
            answer = client.list_objects_v2(Bucket=self.bucket, Prefix=self.prefix, MaxKeys=1)
            check_answer(answer, *_LIST_DOCUMENT)
            return client.meta.region_name, bucket_region(answer)

        return self._request("list", "", list_one)

    def _head(self, path: str) -> tuple[str, Mapping[str, str]] | None:
        """ETag and metadata of an object; None when there is none."""
        from botocore.exceptions import ClientError

        try:
            answer = self._client.head_object(Bucket=self.bucket, Key=self.prefix + path)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in ("404", "NoSuchKey"):
                return None
            raise
        check_answer(answer, "ETag")
        # Swift writes Write-Id.
        return answer["ETag"], {name.lower(): value for name, value in answer["Metadata"].items()}

    def _send_if(
        self,
        path: str,
        expected: str,
        condition: dict[str, str],
        send: Callable[..., None],
        *,
        is_done: Callable[[], bool],
    ) -> None:
        """Send a request with a condition; `Conflict` if something else lies there.

        A store that does not know conditions is asked without, after a look at what lies there.
        """
        from botocore.exceptions import ClientError

        if self.supports_conditions:
            try:
                send(**condition)
            except ClientError as error:
                code = error_code(error.response)
                if code in _CONDITION_FAILED:
                    if is_done():
                        return
                    raise Conflict(self.uri(path)) from error
                if code not in _CONDITION_UNKNOWN:
                    raise
                self.supports_conditions = False
                _log.warning(
                    "The store of %s does not support conditional requests: let one writer at a "
                    "time use this lake.",
                    self.uri(path),
                )
            else:
                return
        there = self._head(path)  # another writer can still come between: the store can do no more
        if (there[0] if there else ABSENT) != expected:
            raise Conflict(self.uri(path))
        send()

    def _request(self, verb: str, path: str, request: Callable[[], _T]) -> _T:
        """The answer to a request; `LakeUnavailable` with the remedy when there is none."""
        try:
            return request()
        except Exception as error:
            unavailable = explain(error, verb=verb, uri=self.uri(path), bucket=self.bucket)
            if unavailable is None:
                raise
            raise unavailable from error
