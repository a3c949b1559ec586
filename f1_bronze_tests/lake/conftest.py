"""What the lake's tests share: stores to write to, and an S3 of our own on a free port."""

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import boto3
import pytest

from f1_bronze.lake.local import LocalStore
from f1_bronze.lake.s3 import S3Store

from ..servers import serve_moto
from .fakes import RecordingStore, TickingClock


@pytest.fixture(scope="session")
def s3_address() -> Iterator[str]:
    """The address of moto's server; one for all tests of this process."""
    with serve_moto() as address:
        yield address


@pytest.fixture(scope="session")
def aws_sessions() -> dict[str, boto3.Session]:
    """Room for the one AWS session of this process: making one per test costs 0.1 s each."""
    return {}


@pytest.fixture
def aws(
    s3_address: str,
    aws_sessions: dict[str, boto3.Session],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> str:
    """An AWS chain that leads to moto's server with dummy credentials, and nowhere else."""
    for name in os.environ:
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_address)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "dummy-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "dummy-secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    if s3_address not in aws_sessions:
        aws_sessions[s3_address] = boto3.Session()
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", aws_sessions[s3_address])
    return s3_address


@pytest.fixture
def fresh_aws(aws: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same for a test that changes the chain: nothing is remembered of another test."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    return aws


@pytest.fixture
def bucket(aws: str) -> str:
    """A bucket of this test alone."""
    name = f"lake-{uuid4().hex}"
    boto3.client("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture(params=["local", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> RecordingStore:
    """Each kind of store, empty, with its writes recorded."""
    if request.param == "local":
        return RecordingStore(LocalStore(tmp_path / "lake"))
    return RecordingStore(S3Store(bucket=request.getfixturevalue("bucket"), prefix="f1"))


@pytest.fixture
def clock() -> TickingClock:
    return TickingClock()
