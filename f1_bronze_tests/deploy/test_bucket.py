"""deploy/aws/bucket.yaml: sound by cfn-lint, applied, and read back.

No server here takes every property from a template: ministack takes versions, public access,
ownership and the policy, moto the encryption. The lifecycle is put to moto through the S3 API.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
import yaml

from f1_bronze.lake.access import SCRATCH
from f1_bronze.lake.errors import LakeUnavailable
from f1_bronze.lake.paths import REVISIONS, VALIDATIONS

from .clouds import TEMPLATES, Cloud, ministack_cloud, moto_cloud

KEY = "arn:aws:kms:us-east-1:123456789012:key/1234abcd"


@pytest.fixture(autouse=True)
def own_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """No AWS session is remembered of another test."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)


@pytest.fixture(scope="module")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """ministack, enforcing."""
    with ministack_cloud(tmp_path_factory.mktemp("ministack")) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """moto, enforcing."""
    with moto_cloud(tmp_path_factory.mktemp("moto")) as cloud:
        yield cloud


@pytest.mark.slow
def test_templates_are_sound() -> None:
    """cfn-lint finds nothing, remarks included, in any template here."""
    pytest.importorskip("cfnlint")
    templates = [str(path) for path in sorted(TEMPLATES.glob("*.yaml"))]
    assert {"bucket.yaml", "lake-policy.yaml"} <= {path.name for path in TEMPLATES.glob("*.yaml")}
    linted = subprocess.run(
        [
            str(Path(sys.executable).with_name("cfn-lint")),
            "--include-checks",
            "I",
            "--",
            *templates,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (linted.returncode, linted.stdout) == (0, "")


def test_versions_and_no_public_access(ministack: Cloud) -> None:
    """The stack's bucket keeps versions, is nobody's but the account's, and takes no ACLs."""
    name = f"lake-{uuid4().hex}"
    outputs = ministack.stack("bucket.yaml", BucketName=name, Prefix="f1/")
    assert outputs == {"LakeUri": f"s3://{name}/f1/"}
    client = ministack.client("s3")
    assert client.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
    assert client.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"] == {
        "BlockPublicAcls": True,
        "IgnorePublicAcls": True,
        "BlockPublicPolicy": True,
        "RestrictPublicBuckets": True,
    }
    controls = client.get_bucket_ownership_controls(Bucket=name)["OwnershipControls"]
    assert controls == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}


def test_tls_only(ministack: Cloud) -> None:
    """Who may use the bucket may not without TLS; the same user may once the policy is gone."""
    name = f"lake-{uuid4().hex}"
    ministack.stack("bucket.yaml", BucketName=name)
    store = ministack.store(ministack.user(ministack.policy(BucketName=name)), name)
    with pytest.raises(LakeUnavailable) as raised:
        store.write("bronze/x", b"x", {})
    assert raised.value.code == "AccessDenied"
    ministack.client("s3").delete_bucket_policy(Bucket=name)
    store.write("bronze/x", b"x", {})
    assert store.read("bronze/x") == b"x"


@pytest.mark.filterwarnings("ignore:Tried to parse AWS..S3..BucketPolicy")  # moto knows it not
@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("", {"SSEAlgorithm": "AES256"}),
        (KEY, {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}),
    ],
)
def test_encryption(moto: Cloud, key: str, expected: dict[str, str]) -> None:
    """Objects are encrypted with S3's keys, or with one of KMS."""
    name = f"lake-{uuid4().hex}"
    moto.stack("bucket.yaml", BucketName=name, KmsKeyArn=key)
    with moto.as_root():
        client = moto.client("s3")
        encryption = client.get_bucket_encryption(Bucket=name)
    rule = encryption["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert rule["ApplyServerSideEncryptionByDefault"] == expected


def lifecycle(**parameters: Any) -> list[dict[str, Any]]:
    """The template's rules with these parameters, as the S3 API takes them."""

    class Loader(yaml.SafeLoader):
        """YAML with the short forms of CloudFormation."""

    def sub(text: str) -> str:
        return re.sub(r"\$\{(\w+)\}", lambda m: str(parameters.get(m[1], m[0])), text)

    Loader.add_constructor("!Ref", lambda _, node: parameters.get(node.value, node.value))
    Loader.add_constructor("!Sub", lambda _, node: sub(node.value))
    for name in ("!If", "!Not", "!Equals"):
        Loader.add_constructor(name, lambda loader, node: loader.construct_sequence(node))
    template = yaml.load((TEMPLATES / "bucket.yaml").read_text(), Loader)
    properties = template["Resources"]["Lake"]["Properties"]
    return [_as_api(rule) for rule in properties["LifecycleConfiguration"]["Rules"]]


def _as_api(rule: dict[str, Any]) -> dict[str, Any]:
    rule = dict(rule)
    api = {"ID": rule.pop("Id"), "Filter": {"Prefix": rule.pop("Prefix")}}
    if "ExpirationInDays" in rule:
        api["Expiration"] = {"Days": rule.pop("ExpirationInDays")}
    if "ExpiredObjectDeleteMarker" in rule:
        marker = rule.pop("ExpiredObjectDeleteMarker")
        api["Expiration"] = {"ExpiredObjectDeleteMarker": marker}
    if "Transitions" in rule:
        api["Transitions"] = [
            {"Days": t["TransitionInDays"], "StorageClass": t["StorageClass"]}
            for t in rule.pop("Transitions")
        ]
    return api | rule


def test_lifecycle(moto: Cloud) -> None:
    """Revisions get cold and never go, lineage events go, and so does what nobody can see."""
    rules = lifecycle(
        Prefix="f1/", RevisionsColdAfterDays=90, LineageDays=730, RecordDays=400, VersionDays=30
    )
    with moto.as_root():
        client, name = moto.client("s3"), f"lake-{uuid4().hex}"
        client.create_bucket(Bucket=name)
        client.put_bucket_lifecycle_configuration(
            Bucket=name, LifecycleConfiguration={"Rules": rules}
        )
        stored = client.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
    found = {rule.pop("ID"): rule for rule in stored}
    assert {rule.pop("Status") for rule in stored} == {"Enabled"}
    whole = {"Filter": {"Prefix": "f1/"}}
    assert found == {
        "revisions-get-cold": {
            "Filter": {"Prefix": f"f1/{REVISIONS}/"},
            "Transitions": [{"Days": 90, "StorageClass": "GLACIER_IR"}],
        },
        "lineage-events-expire": {
            "Filter": {"Prefix": "f1/lineage/events/"},
            "Expiration": {"Days": 730},
        },
        "metrics-expire": {"Filter": {"Prefix": "f1/metrics/"}, "Expiration": {"Days": 400}},
        "validations-expire": {
            "Filter": {"Prefix": f"f1/{VALIDATIONS}/"},
            "Expiration": {"Days": 400},
        },
        "doctors-traces-expire": {
            "Filter": {"Prefix": f"f1/{SCRATCH}/"},
            "Expiration": {"Days": 1},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
        },
        "old-versions-expire": {**whole, "NoncurrentVersionExpiration": {"NoncurrentDays": 30}},
        "markers-of-nothing-expire": {
            **whole,
            "Expiration": {"ExpiredObjectDeleteMarker": True},
        },
        "unfinished-uploads-are-aborted": {
            **whole,
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
        },
    }
