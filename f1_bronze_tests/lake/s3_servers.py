"""Servers that speak S3 and look at credentials, each with one user who may do everything and one
who may do nothing. moto and ministack imitate AWS; Swift is a store of its own with an S3 API.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import requests

from f1_bronze.lake.s3 import S3Store

from ..servers import ROOT, serve_ministack, serve_moto, serve_swift

Keys = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server with a bucket, a user who may do everything, and one who may do nothing."""

    url: str
    bucket: str
    owner: Keys
    stranger: Keys
    unknown_key: str = "InvalidAccessKeyId"
    """What the server answers to an access key that it does not know."""
    is_aws_like: bool = True

    def client(self, keys: Keys) -> Any:
        """A client of the same kind as the store's own."""
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=keys[0],
            aws_secret_access_key=keys[1],
        )

    def store(self, keys: Keys | None = None, **how: Any) -> S3Store:
        """The lake's store, as the owner unless other keys are given."""
        who = self.owner if keys is None else keys
        usual = {"bucket": self.bucket, "prefix": "f1", "client": partial(self.client, who)}
        return S3Store(**{**usual, **how})


def _two_users(url: str, root: dict[str, str]) -> tuple[Keys, Keys]:
    """An IAM user who may do everything with S3, and one without a policy."""
    iam = boto3.client("iam", endpoint_url=url, region_name="us-east-1", **root)
    keys = []
    for policy in ('{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}', ""):
        name = f"user-{uuid4().hex[:8]}"
        iam.create_user(UserName=name)
        if policy:
            document = f'{{"Version": "2012-10-17", "Statement": [{policy}]}}'
            iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        keys.append((key["AccessKeyId"], key["SecretAccessKey"]))
    return keys[0], keys[1]


@contextmanager
def _moto(_: Path) -> Iterator[Server]:
    with serve_moto() as url:
        owner, stranger = _two_users(url, ROOT)
        requests.post(f"{url}/moto-api/reset-auth", data="0", timeout=5).raise_for_status()
        try:
            yield Server(url=url, bucket="", owner=owner, stranger=stranger)
        finally:
            requests.post(f"{url}/moto-api/reset-auth", data="inf", timeout=5)


@contextmanager
def _ministack(folder: Path) -> Iterator[Server]:
    with serve_ministack(folder) as url:
        owner, stranger = _two_users(url, ROOT)
        yield Server(url=url, bucket="", owner=owner, stranger=stranger)


@contextmanager
def _swift(folder: Path) -> Iterator[Server]:
    with serve_swift(folder) as url:
        yield Server(
            url=url,
            bucket="",
            owner=("test:tester", "testing"),
            stranger=("test:reader", "reading"),
            unknown_key="SignatureDoesNotMatch",  # it does not say who exists
            is_aws_like=False,
        )


KINDS = {"moto": _moto, "ministack": _ministack, "swift": _swift}
