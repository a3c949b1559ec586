"""deploy/aws/lake-policy.yaml: enough for all that the lake does, and nothing in it is too much."""

import copy
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pyarrow as pa
import pytest

from f1_bronze.datasets.laps import LAPS
from f1_bronze.lake.access import check_access
from f1_bronze.lake.errors import LakeUnavailable
from f1_bronze.lake.lake import Lake
from f1_bronze.lake.landing import Revision
from f1_bronze.lake.s3 import S3Store

from ..commands import Run
from ..lake.candidates import candidate
from ..lake.examples import BAHRAIN, lap
from .clouds import CLOUDS, Cloud

ACTIONS = ("s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:DeleteObject")
WEEKEND = ("ingest", "2025", "--grand-prix", "bahrain", "--json")


@pytest.fixture(scope="module", params=CLOUDS)
def cloud(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cloud]:
    """Each server that enforces IAM."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(boto3, "DEFAULT_SESSION", None)
        with CLOUDS[request.param](tmp_path_factory.mktemp("cloud")) as running:
            yield running


def without(policy: dict[str, Any], action: str) -> dict[str, Any]:
    """The policy with this one action taken away."""
    document = copy.deepcopy(policy)
    for statement in document["Statement"]:
        statement["Action"] = [one for one in statement["Action"] if one != action]
    document["Statement"] = [one for one in document["Statement"] if one["Action"]]
    return document


def use_all(store: S3Store) -> list[Revision]:
    """Everything that the lake does with a store; what became of the landings."""
    lake = Lake(store, clock=lambda: datetime(2025, 4, 14, tzinfo=UTC))
    store.check()
    landed = [
        lake.land(candidate(laps)).revision
        for laps in (
            [lap(1), lap(2)],
            [lap(1), lap(2)],
            [lap(1), lap(2, i1_speed=1)],
            [lap(1)],
        )
    ]
    assert lake.stored_partitions("laps", [2025]) == {BAHRAIN}
    assert lake.read(LAPS, BAHRAIN).table.num_rows == 2
    lake.write_table("silver/laps.parquet", pa.table({"a": [1]}))
    assert lake.read_table("silver/laps.parquet").num_rows == 1
    return landed


def test_actions(cloud: Cloud) -> None:
    """The policy has exactly these actions; with a key two more, on that key and through S3."""
    bucket = cloud.bucket()
    plain = cloud.policy(BucketName=bucket, Prefix="f1/")
    assert sorted(a for s in plain["Statement"] for a in s["Action"]) == sorted(ACTIONS)
    assert {s["Effect"] for s in plain["Statement"]} == {"Allow"}
    key = "arn:aws:kms:us-east-1:123456789012:key/1234abcd"
    keyed = cloud.policy("KeyPolicyArn", BucketName=bucket, KmsKeyArn=key)
    assert keyed["Statement"] == [
        {
            "Sid": "UseKeyThroughS3",
            "Effect": "Allow",
            "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
            "Resource": [key],
            "Condition": {"StringLike": {"kms:ViaService": "s3.*.amazonaws.com"}},
        }
    ]


@pytest.mark.parametrize("prefix", ["f1", ""])
def test_enough(cloud: Cloud, prefix: str) -> None:
    """With the policy a lake below a prefix, or in a whole bucket, can do all that it does."""
    bucket = cloud.bucket()
    keys = cloud.user(
        cloud.policy(BucketName=bucket, **({"Prefix": f"{prefix}/"} if prefix else {}))
    )
    store = cloud.store(keys, bucket, prefix)
    assert use_all(store) == ["new", "unchanged", "changed", "refused"]
    assert [p.step for p in check_access(store) if not p.worked] == []


@pytest.mark.slow
@pytest.mark.parametrize("cloud", ["ministack"], indirect=True)
def test_enough_for_the_command(run: Run, fast: dict[str, str], cloud: Cloud) -> None:
    """A weekend is ingested with that user's keys: as a process, and on the server that evaluates
    whole policies."""
    bucket = cloud.bucket()
    keys = cloud.user(cloud.policy(BucketName=bucket, Prefix="f1/"))
    how = {
        **fast,
        "LAKE_URI": f"s3://{bucket}/f1",
        "AWS_ENDPOINT_URL": cloud.url,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": keys["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": keys["aws_secret_access_key"],
    }
    landed = run(*WEEKEND, **how)
    assert landed.status == 0, landed.err
    assert [row["new"] for row in landed.data["datasets"]] == [2, 2, 2, 2, 1, 1]
    assert keys["aws_secret_access_key"] not in landed.out + landed.err


@pytest.mark.parametrize("action", ACTIONS)
def test_not_too_much(cloud: Cloud, action: str) -> None:
    """Without any one action a step fails, and the access check names just that action."""
    bucket = cloud.bucket()
    whole = cloud.policy(BucketName=bucket, Prefix="f1/")
    store = cloud.store(cloud.user(without(whole, action)), bucket)
    lacking = [(p.action, p.resource) for p in check_access(store) if not p.worked]
    resource = "" if action == "s3:ListBucket" else "/f1/*"
    assert lacking == [(action, f"arn:aws:s3:::{bucket}{resource}")]
    if action == "s3:DeleteObject":  # only the doctor deletes
        use_all(store)
        return
    with pytest.raises(LakeUnavailable) as raised:
        use_all(store)
    assert raised.value.action == action


STEPS = {
    "s3:GetObject": lambda store: store.read("bronze/x"),
    "s3:PutObject": lambda store: store.write("bronze/x", b"new", {}),
    "s3:DeleteObject": lambda store: store.delete("bronze/x"),
    "s3:ListBucket": lambda store: list(store.list("")),
}


@pytest.mark.parametrize("action", STEPS)
def test_not_outside(cloud: Cloud, action: str) -> None:
    """A neighbour whose prefix begins alike, the bucket above, another bucket: all are closed."""
    bucket, other = cloud.bucket(), cloud.bucket()
    keys = cloud.user(cloud.policy(BucketName=bucket, Prefix="f1/"))
    outside = [
        cloud.store(keys, bucket, "f1-dev"),
        cloud.store(keys, bucket, ""),
        cloud.store(keys, other, "f1"),
    ]
    if action == "s3:ListBucket" and not cloud.knows_conditions:
        outside = outside[2:]  # the prefix of a listing is a condition
    for store in outside:
        with pytest.raises(LakeUnavailable) as raised:
            STEPS[action](store)
        assert raised.value.action == action


@pytest.mark.parametrize("repair", ["false", "true"])
def test_data_is_removed_by_repair_only(cloud: Cloud, repair: str) -> None:
    """Data cannot be deleted, unless the policy was made for repairing."""
    bucket = cloud.bucket()
    keys = cloud.user(cloud.policy(BucketName=bucket, Prefix="f1/", Repair=repair))
    store = cloud.store(keys, bucket)
    store.write("bronze/x", b"data", {})
    if repair == "true":
        store.delete("bronze/x")
        assert store.read("bronze/x") is None
        return
    with pytest.raises(LakeUnavailable) as raised:
        store.delete("bronze/x")
    assert raised.value.action == "s3:DeleteObject"
    assert store.read("bronze/x") == b"data"
