"""S3 as an object store, through boto3 and the standard AWS chain.

Belongs here: the only calls to AWS of this room, and what its error codes mean to a person.
Stays out: what is written. Why boto3 alone and not dagster-aws: docs/adr/0004.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from f1_bronze.lake.errors import LakeAddressError, LakeUnavailable
from f1_bronze.lake.stores import StoredObject

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

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
    "SlowDown": "S3 asked for fewer requests and retries were used up: run again in a few minutes.",
}
_CODES_OF_STATUS = {"403": "AccessDenied", "404": "NoSuchKey", "301": "PermanentRedirect"}


class S3Store:
    """Objects of one bucket below an optional prefix.

    Credentials, region and endpoint come from the AWS chain (`AWS_ENDPOINT_URL` included).
    """

    def __init__(
        self, *, bucket: str, prefix: str = "", client: "Callable[[], S3Client] | None" = None
    ) -> None:
        if not bucket:
            raise LakeAddressError("F1_BRONZE_LAKE_URI names no bucket. Write s3://bucket/prefix.")
        self.bucket = bucket
        self.prefix = f"{prefix}/" if prefix else ""
        self._make_client = client or _default_client

    @cached_property
    def _client(self) -> "S3Client":
        return self._make_client()

    def uri(self, path: str) -> str:
        """The `s3://` address."""
        return f"s3://{self.bucket}/{self.prefix}{path}"

    def read(self, path: str) -> bytes | None:
        """The object's bytes; None when there is none."""

        def get() -> bytes | None:
            try:
                answer = self._client.get_object(Bucket=self.bucket, Key=self.prefix + path)
            except self._client.exceptions.NoSuchKey:
                return None
            return answer["Body"].read()

        return self._ask("read", path, get)

    def write(self, path: str, data: bytes, metadata: Mapping[str, str]) -> None:
        """One PUT, which S3 makes visible whole; `metadata` becomes the object's metadata."""

        def put() -> None:
            self._client.put_object(
                Bucket=self.bucket,
                Key=self.prefix + path,
                Body=data,
                ContentType="application/vnd.apache.parquet"
                if path.endswith(".parquet")
                else "application/json",
                Metadata={
                    key: value.encode("ascii", "replace").decode()
                    for key, value in metadata.items()
                },
            )

        self._ask("write", path, put)

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

    def check(self) -> None:
        """Ask for one key of the listing: bucket, credentials and reachability in one request."""
        self._ask(
            "list",
            "",
            lambda: self._client.list_objects_v2(Bucket=self.bucket, Prefix=self.prefix, MaxKeys=1),
        )

    def _ask(self, verb: str, path: str, request: Callable[[], _T]) -> _T:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return request()
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "unknown")
            code = _CODES_OF_STATUS.get(code, code)
            remedy = _REMEDIES.get(code, "See the S3 error code, mend it, then run again.")
            raise self._unavailable(verb, path, code, remedy) from error
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

    def _unavailable(self, verb: str, path: str, code: str, remedy: str) -> LakeUnavailable:
        return LakeUnavailable(f"S3 answered {code}: could not {verb} {self.uri(path)}. {remedy}")


def _default_client() -> "S3Client":
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        config=Config(
            retries={"mode": "standard", "max_attempts": 5}, connect_timeout=10, read_timeout=60
        ),
    )
