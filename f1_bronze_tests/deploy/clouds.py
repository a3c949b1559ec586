"""Two servers that imitate AWS and enforce IAM, with the project's templates applied to them.

ministack
evaluates policies whole; moto takes every condition for one it does not know and denies, so
it is given the policies without their conditions.
"""

import copy
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import requests

from f1_bronze.lake.s3 import S3Store

from ..servers import ROOT, serve_ministack, serve_moto

TEMPLATES = Path(__file__).parents[2] / "deploy" / "aws"
Keys = dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """A server that enforces IAM for all but its root."""

    url: str
    knows_conditions: bool

    def client(self, service: str, keys: Mapping[str, str] | None = None) -> Any:
        """A client as the root, or with these keys."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            **(ROOT if keys is None else keys),
        )

    @contextmanager
    def as_root(self) -> Iterator[None]:
        """Inside, the root may do everything: moto knows no root, so it stops looking."""
        self._enforce("inf")
        try:
            yield
        finally:
            self._enforce("0")

    def _enforce(self, after: str) -> None:
        if not self.knows_conditions:
            requests.post(f"{self.url}/moto-api/reset-auth", data=after, timeout=5)

    def stack(self, template: str, **parameters: str) -> dict[str, str]:
        """Apply a template of deploy/aws; its outputs."""
        name = f"stack-{uuid4().hex[:8]}"
        with self.as_root():
            formation = self.client("cloudformation")
            formation.create_stack(
                StackName=name,
                TemplateBody=(TEMPLATES / template).read_text(),
                Parameters=[
                    {"ParameterKey": key, "ParameterValue": value}
                    for key, value in parameters.items()
                ],
                Capabilities=["CAPABILITY_IAM"],
            )
            deadline = time.monotonic() + 60
            while True:
                found = formation.describe_stacks(StackName=name)["Stacks"][0]
                if "PROGRESS" not in found["StackStatus"] or time.monotonic() > deadline:
                    break
                time.sleep(0.05)
        assert found["StackStatus"] == "CREATE_COMPLETE", found
        return {out["OutputKey"]: out["OutputValue"] for out in found["Outputs"]}

    def policy(self, output: str = "PolicyArn", **parameters: str) -> dict[str, Any]:
        """The document of the lake's policy, as the server holds it."""
        arn = self.stack("lake-policy.yaml", **parameters)[output]
        with self.as_root():
            version = self.client("iam").get_policy_version(PolicyArn=arn, VersionId="v1")
        document: dict[str, Any] = version["PolicyVersion"]["Document"]
        return document

    def user(self, policy: Mapping[str, Any]) -> Keys:
        """The keys of a new user with this policy and no other."""
        document = copy.deepcopy(dict(policy))
        if not self.knows_conditions:
            for statement in document["Statement"]:
                statement.pop("Condition", None)
        with self.as_root():
            iam, name = self.client("iam"), f"user-{uuid4().hex[:8]}"
            iam.create_user(UserName=name)
            iam.put_user_policy(
                UserName=name, PolicyName="lake", PolicyDocument=json.dumps(document)
            )
            key = iam.create_access_key(UserName=name)["AccessKey"]
        return {
            "aws_access_key_id": key["AccessKeyId"],
            "aws_secret_access_key": key["SecretAccessKey"],
        }

    def bucket(self) -> str:
        """A new bucket without a policy of its own (the template's wants TLS)."""
        name = f"lake-{uuid4().hex}"
        with self.as_root():
            self.client("s3").create_bucket(Bucket=name)
        return name

    def store(self, keys: Keys, bucket: str, prefix: str = "f1") -> S3Store:
        """The lake's store as that user."""
        return S3Store(bucket=bucket, prefix=prefix, client=lambda: self.client("s3", keys))


@contextmanager
def ministack_cloud(folder: Path) -> Iterator[Cloud]:
    """ministack, enforcing."""
    with serve_ministack(folder) as url:
        yield Cloud(url=url, knows_conditions=True)


@contextmanager
def moto_cloud(_: Path) -> Iterator[Cloud]:
    """moto, enforcing while nobody is root."""
    with serve_moto() as address:
        cloud = Cloud(url=address, knows_conditions=False)
        cloud._enforce("0")
        try:
            yield cloud
        finally:
            cloud._enforce("inf")


CLOUDS = {"ministack": ministack_cloud, "moto": moto_cloud}
