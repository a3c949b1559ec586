"""S3 as an object store, through boto3 and the standard AWS chain.

Belongs here: the only calls to AWS of this room, and what its error codes mean to a person.
Stays out: what is written. Why boto3 alone and not dagster-aws: docs/adr/0004.
"""

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from f1_bronze.lake.errors import Conflict, LakeAddressError, LakeUnavailable
from f1_bronze.lake.stores import ABSENT, Fetched, StoredObject, Unfinished

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


WRITE_ID = "write-id"

"""Object metadata: which write put this object there."""

_NOT_AS_EXPECTED = {
    "PreconditionFailed",
    "412",
    "ConditionalRequestConflict",  # another conditional write was under way
    "OperationAborted",
    "NoSuchKey",  # the object to be replaced is gone
    "404",
}

_NOT_KNOWN = {"NotImplemented", "501"}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Head:
    """What S3 says of an object without its bytes."""

    version: str
    metadata: Mapping[str, str]


class Conditions:
    """The conditional requests of one store, as far as it knows them.

    Attributes:
        known: False from the first request on whose condition the store did not know.
    """

    def __init__(self) -> None:
        self.known = True

    def put(
        self,
        uri: str,
        expected: str | None,
        metadata: Mapping[str, str],
        *,
        request: Callable[[dict[str, Any]], object],
        head: Callable[[], Head | None],
    ) -> None:
        """Send a PUT with these conditions; `Conflict` if something else lies there.

        The client repeats a request whose answer was lost, and the repetition finds our own
        object. Each write has an id in the object's metadata, so that it is known again.
        """
        if expected is None:
            request({"Metadata": dict(metadata)})
            return
        write_id = uuid4().hex
        marked = {"Metadata": {**metadata, WRITE_ID: write_id}}

        def is_ours() -> bool:
            there = head()
            return there is not None and there.metadata.get(WRITE_ID) == write_id

        condition = {"IfNoneMatch": "*"} if expected == ABSENT else {"IfMatch": expected}
        self._send(uri, expected, condition, lambda c: request(marked | c), head, is_ours)

    def delete(
        self,
        uri: str,
        expected: str | None,
        *,
        request: Callable[[dict[str, Any]], object],
        head: Callable[[], Head | None],
    ) -> None:
        """Send a DELETE with these conditions; `Conflict` if something else lies there."""
        if expected is None:
            request({})
            return
        self._send(uri, expected, {"IfMatch": expected}, request, head, lambda: head() is None)

    def _send(
        self,
        uri: str,
        expected: str,
        condition: dict[str, Any],
        request: Callable[[dict[str, Any]], object],
        head: Callable[[], Head | None],
        is_done: Callable[[], bool],
    ) -> None:
        from botocore.exceptions import ClientError

        if self.known:
            try:
                request(condition)
            except ClientError as error:
                code = error.response.get("Error", {}).get("Code", "unknown")
                if code in _NOT_AS_EXPECTED:
                    if is_done():
                        return
                    raise Conflict(uri) from error
                if code not in _NOT_KNOWN:
                    raise
                self.known = False
                _log.warning(
                    "The store of %s knows no conditional requests: let one writer at a time use "
                    "this lake.",
                    uri,
                )
            else:
                return
        there = head()  # no more than a look before the leap: the store can do no better
        if (there.version if there else ABSENT) != expected:
            raise Conflict(uri)
        request({})


ACTIONS = {
    "read": "s3:GetObject",
    "write": "s3:PutObject",
    "list": "s3:ListBucket",
    "delete": "s3:DeleteObject",
}

"""The permission that each verb of a store takes."""

_NAMED = re.compile(r"not authorized to perform:? ((?:s3|kms|s3express):\w+)")

_REGIONS = re.compile(r"expecting '([a-z0-9-]+)'")


def missing_action(verb: str, code: str, response: Mapping[str, Any]) -> str:
    """The permission whose lack S3 complains of; empty when the answer is about something else.

    S3 names it in most refusals, and it need not be the verb's own: a PUT into a bucket with a
    KMS key can lack `kms:GenerateDataKey`, one with an ACL `s3:PutObjectAcl`. Where S3 does not
    say, it is the verb's own.
    """
    if code != "AccessDenied":
        return ""
    named = _NAMED.search(str(response.get("Error", {}).get("Message", "")))
    return named[1] if named else ACTIONS.get(verb, "")


def bucket_region(response: Mapping[str, Any]) -> str:
    """Where the bucket is, if the answer tells; S3 does so by header, field or sentence."""
    error = response.get("Error", {})
    headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    said = _REGIONS.search(str(error.get("Message", "")))
    found = headers.get("x-amz-bucket-region") or error.get("Region") or (said[1] if said else "")
    return str(found)


@dataclass(frozen=True, kw_only=True)
class S3Writes:
    """Wishes for every object; what is empty is not sent, so that the bucket's defaults hold.

    >>> S3Writes(encryption="aws:kms", acl="bucket-owner-full-control").arguments()
    {'ServerSideEncryption': 'aws:kms', 'ACL': 'bucket-owner-full-control'}
    >>> S3Writes().arguments()
    {}
    """

    encryption: str = ""
    kms_key_id: str = ""
    acl: str = ""
    storage_class: str = ""

    def arguments(self) -> dict[str, Any]:
        """The arguments of PutObject, by S3's own names."""
        named = {
            "ServerSideEncryption": self.encryption,
            "SSEKMSKeyId": self.kms_key_id,
            "ACL": self.acl,
            "StorageClass": self.storage_class,
        }
        return {name: value for name, value in named.items() if value}


_T = TypeVar("_T")

_REMEDIES = {
    "NoSuchBucket": "Create the bucket, or mend the bucket's name in F1_BRONZE_LAKE_URI.",
    "AccessDenied": (
        "Allow this identity s3:GetObject, s3:PutObject and s3:ListBucket on the bucket and prefix."
    ),
    "InvalidAccessKeyId": "AWS does not know this access key: set a valid AWS_ACCESS_KEY_ID.",
    "SignatureDoesNotMatch": "The secret key is wrong: set a valid AWS_SECRET_ACCESS_KEY.",
    "ExpiredToken": "The session token has expired: log in to AWS again.",
    "PermanentRedirect": "The bucket is in another region: set AWS_REGION to it.",
    "AuthorizationHeaderMalformed": "The bucket is in another region: set AWS_REGION to it.",
    "IllegalLocationConstraintException": "The bucket is in another region: set AWS_REGION to it.",
    "RequestTimeTooSkewed": "The clock of this machine is wrong: set it (NTP), then run again.",
    "InvalidToken": "AWS does not know this session token: log in to AWS again.",
    "AccessControlListNotSupported": "The bucket takes no ACLs: unset F1_BRONZE_S3_ACL.",
    "InvalidStorageClass": "The store has no such class: mend or unset F1_BRONZE_S3_STORAGE_CLASS.",
    "KMS.NotFoundException": "KMS has no such key in this region: mend F1_BRONZE_S3_KMS_KEY_ID.",
    "KMS.DisabledException": "The KMS key is disabled: enable it, or use another.",
    "KMS.KMSInvalidStateException": "The KMS key cannot be used now: see its state in AWS.",
    "SlowDown": "S3 asked for fewer requests and retries were used up: run again in a few minutes.",
}

_LAKE_ACTIONS = {ACTIONS[verb] for verb in ("read", "write", "list")}

_CODES_OF_STATUS = {"403": "AccessDenied", "404": "NoSuchKey", "301": "PermanentRedirect"}


class S3Store:
    """Objects of one bucket below an optional prefix.

    Credentials, region and endpoint come from the AWS chain (`AWS_ENDPOINT_URL` included).
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
            raise LakeAddressError("F1_BRONZE_LAKE_URI names no bucket. Write s3://bucket/prefix.")
        if "@" in bucket:  # not repeated: it may be a secret key
            raise LakeAddressError(
                "F1_BRONZE_LAKE_URI holds a login. Write s3://bucket/prefix, and give this process "
                "AWS credentials by the standard chain."
            )
        self.bucket = bucket
        self.prefix = f"{prefix}/" if prefix else ""
        self._make_client = client or _default_client
        self._write_arguments = (writes or S3Writes()).arguments()
        self._conditions = Conditions()

    @cached_property
    def _client(self) -> "S3Client":
        return self._make_client()

    @property
    def supports_conditions(self) -> bool:
        """Whether the store knows conditional requests, as far as one was sent."""
        return self._conditions.known

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
            return Fetched(data=answer["Body"].read(), version=answer["ETag"])

        return self._ask("read", path, get)

    def write(
        self,
        path: str,
        data: bytes,
        metadata: Mapping[str, str],
        *,
        expected: str | None = None,
    ) -> None:
        """One PUT, which S3 makes visible whole; `metadata` becomes the object's metadata."""
        ascii_only = {k: v.encode("ascii", "replace").decode() for k, v in metadata.items()}

        def put(more: dict[str, Any]) -> None:
            self._client.put_object(
                Bucket=self.bucket,
                Key=self.prefix + path,
                Body=data,
                ContentType="application/vnd.apache.parquet"
                if path.endswith(".parquet")
                else "application/json",
                **self._write_arguments,
                **more,
            )

        self._ask(
            "write",
            path,
            lambda: self._conditions.put(
                self.uri(path), expected, ascii_only, request=put, head=lambda: self._head(path)
            ),
        )

    def delete(self, path: str, *, expected: str | None = None) -> None:
        """One DELETE; in a bucket with versions the bytes can still be restored."""
        self._ask(
            "delete",
            path,
            lambda: self._conditions.delete(
                self.uri(path),
                expected,
                request=lambda more: self._client.delete_object(
                    Bucket=self.bucket, Key=self.prefix + path, **more
                ),
                head=lambda: self._head(path),
            ),
        )

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Every object below the prefix, over as many pages as it takes."""

        def pages() -> list[StoredObject]:
            found = []
            paginator = self._client.get_paginator("list_objects_v2")
            for page in paginator.paginate(Bucket=self.bucket, Prefix=self.prefix + prefix):
                for entry in page.get("Contents", ()):
                    path = entry["Key"].removeprefix(self.prefix)
                    found.append(StoredObject(path=path, size=entry["Size"]))
            return found

        yield from self._ask("list", prefix, pages)

    def unfinished(self) -> Iterator[Unfinished]:
        """None: a PUT that was not finished leaves nothing."""
        return iter(())

    def check(self) -> None:
        """Ask for one key of the listing: bucket, credentials and reachability in one request."""
        self.regions()

    def regions(self) -> tuple[str, str]:
        """Where the client asks and where the bucket says it is; empty where it does not say."""
        answer = self._ask(
            "list",
            "",
            lambda: self._client.list_objects_v2(Bucket=self.bucket, Prefix=self.prefix, MaxKeys=1),
        )
        return self._client.meta.region_name, bucket_region(answer)

    def _head(self, path: str) -> Head | None:
        from botocore.exceptions import ClientError

        try:
            answer = self._client.head_object(Bucket=self.bucket, Key=self.prefix + path)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in ("404", "NoSuchKey"):
                return None
            raise
        notes = {
            name.lower(): value for name, value in answer["Metadata"].items()
        }  # Swift: Write-Id
        return Head(version=answer["ETag"], metadata=notes)

    def _ask(self, verb: str, path: str, request: Callable[[], _T]) -> _T:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return request()
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "unknown")
            code = _CODES_OF_STATUS.get(code, code)
            remedy = _REMEDIES.get(code, "See the S3 error code, mend it, then run again.")
            action = missing_action(verb, code, error.response)
            if action and action not in _LAKE_ACTIONS:
                remedy = f"Allow this identity {action}."
            if "another region" in remedy and (region := bucket_region(error.response)):
                remedy = f"The bucket is in {region}: set AWS_REGION to it."
            raise self._unavailable(verb, path, code, remedy, action) from error
        except BotoCoreError as error:
            reason = type(error).__name__
            remedy = {
                "NoCredentialsError": "Give this process AWS credentials by the standard chain.",
                "EndpointConnectionError": "Check the network and AWS_ENDPOINT_URL.",
                "ParamValidationError": "Mend the bucket's name in F1_BRONZE_LAKE_URI.",
            }.get(reason, "Check AWS credentials, region and network.")
            raise self._unavailable(verb, path, reason, remedy) from error
        except ValueError as error:  # how botocore says it, before any request
            if not str(error).startswith("Invalid endpoint"):
                raise
            remedy = "Check AWS_ENDPOINT_URL: it begins with http:// or https://."
            raise self._unavailable(verb, path, "InvalidEndpoint", remedy) from error

    def _unavailable(
        self, verb: str, path: str, code: str, remedy: str, action: str = ""
    ) -> LakeUnavailable:
        return LakeUnavailable(
            f"S3 answered {code}: could not {verb} {self.uri(path)}. {remedy}",
            code=code,
            action=action,
        )


def _default_client() -> "S3Client":
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        config=Config(
            retries={"mode": "standard", "max_attempts": 5}, connect_timeout=10, read_timeout=60
        ),
    )
