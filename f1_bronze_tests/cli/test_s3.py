"""The whole way onto S3: a weekend into a bucket of moto's server, and what can go wrong."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.lake.lake import Lake

from ..commands import Run

WEEKEND = ("ingest", "2025", "--grand-prix", "bahrain")
LOGIN = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing-secret"}


@pytest.fixture
def aws(moto_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The standard AWS chain points at the server, and a bucket is there."""
    for name, value in (
        LOGIN | {"AWS_ENDPOINT_URL": moto_server, "AWS_DEFAULT_REGION": "us-east-1"}
    ).items():
        monkeypatch.setenv(name, value)
    client("s3").create_bucket(Bucket="lake-bucket")
    yield moto_server
    urllib.request.urlopen(f"{moto_server}/moto-api/reset", data=b"")


def client(service: str) -> Any:
    """A client of the test's own, which leaves the command to find its credentials by itself."""
    return boto3.Session().client(service, region_name="us-east-1")


def reset_auth(server: str, calls_without: str) -> None:
    """Let so many further calls pass without a look at their credentials."""
    url = f"{server}/moto-api/reset-auth"
    plain = {"Content-Type": "text/plain"}
    request = urllib.request.Request(url, calls_without.encode(), plain, method="POST")
    urllib.request.urlopen(request)


@pytest.mark.slow
def test_a_weekend_lands_in_a_bucket(
    run: Run, fast: dict[str, str], aws: str, tmp_path: Path
) -> None:
    """Files on S3 are byte for byte those of a local lake, with who and when beside them."""
    ran = run(*WEEKEND, "--json", LAKE_URI="s3://lake-bucket/some/prefix", **fast)
    assert ran.status == 0, ran.err
    assert run(*WEEKEND, LAKE_URI="local", **fast).status == 0
    local = {
        str(file.relative_to(tmp_path / "local")): file.read_bytes()
        for file in (tmp_path / "local" / "bronze").rglob("*.parquet")
    }
    assert len(local) == 10
    s3 = client("s3")
    for name, content in local.items():
        stored = s3.get_object(Bucket="lake-bucket", Key=f"some/prefix/{name}")
        assert stored["Body"].read() == content
    laps = "bronze/laps/year=2025/grand_prix=bahrain/session_type=race/laps_907047.parquet"
    stored = s3.get_object(Bucket="lake-bucket", Key=f"some/prefix/{laps}")
    race = SessionPartition.parse("2025/bahrain/race")
    there = Lake.at("s3://lake-bucket/some/prefix").read(DATASETS[3], race)
    assert stored["Metadata"]["content-sha256"] == there.provenance.content_sha256
    assert stored["Metadata"]["run-id"] in ran.data["runs"]
    assert stored["Metadata"]["source-url"].endswith("/laps?session_key=907047")
    again = run(*WEEKEND, "--json", LAKE_URI="s3://lake-bucket/some/prefix", **fast)
    assert [row["unchanged"] for row in again.data["datasets"]] == [2, 2, 2, 2, 1, 1]


def test_no_such_bucket(run: Run, fast: dict[str, str], aws: str) -> None:
    """A bucket that is not there is reported before the API is called."""
    ran = run(*WEEKEND, LAKE_URI="s3://elsewhere", **fast)
    assert ran.status == 1
    assert "S3 answered NoSuchBucket: could not list s3://elsewhere/." in ran.err
    assert "Create the bucket" in ran.err
    assert "Traceback" not in ran.err


def test_no_credentials(
    run: Run, fast: dict[str, str], aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without credentials the standard chain is named."""
    for name in LOGIN:
        monkeypatch.delenv(name)
    ran = run(*WEEKEND, LAKE_URI="s3://lake-bucket", **fast)
    assert ran.status == 1
    assert "NoCredentialsError" in ran.err
    assert "standard chain" in ran.err


def test_unknown_key_and_forbidden(run: Run, fast: dict[str, str], aws: str) -> None:
    """An unknown access key and a forbidden bucket are reported apart, and without a secret; doctor
    names each permission that is missing, and no other, until it is well."""
    iam = client("iam")
    iam.create_user(UserName="reader")
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    reset_auth(aws, "0")
    try:
        unknown = run(*WEEKEND, LAKE_URI="s3://lake-bucket", **fast)
        forbidden = run(
            *WEEKEND,
            LAKE_URI="s3://lake-bucket",
            AWS_ACCESS_KEY_ID=key["AccessKeyId"],
            AWS_SECRET_ACCESS_KEY=key["SecretAccessKey"],
            **fast,
        )
        reader = {
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        }
        doctor = ("doctor", "--json")
        granted: set[str] = set()
        while missing := {
            check["action"]
            for check in run(*doctor, LAKE_URI="s3://lake-bucket", **reader, **fast).data["checks"]
        } - {""}:
            assert missing.isdisjoint(granted)
            granted |= missing
            reset_auth(aws, "inf")
            allowed = {"Effect": "Allow", "Action": sorted(granted), "Resource": "*"}
            policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
            iam.put_user_policy(UserName="reader", PolicyName="lake", PolicyDocument=policy)
            reset_auth(aws, "0")
    finally:
        reset_auth(aws, "inf")
    assert (unknown.status, forbidden.status) == (1, 1)
    assert "`f1-bronze doctor` names each that is missing" in forbidden.err
    assert granted == {"s3:PutObject", "s3:GetObject", "s3:ListBucket", "s3:DeleteObject"}
    assert "InvalidAccessKeyId" in unknown.err
    assert "set a valid AWS_ACCESS_KEY_ID" in unknown.err
    assert "AccessDenied" in forbidden.err
    assert "s3:PutObject" in forbidden.err
    assert "testing-secret" not in json.dumps([unknown.err, unknown.out])
    assert key["SecretAccessKey"] not in forbidden.err + forbidden.out
