"""f1-bronze doctor: what is wrong with the lake and the Dagster home is named with its remedy."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import boto3
import dagster as dg
import pytest
from moto.server import ThreadedMotoServer

from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.defs.automation.instance import open_instance
from f1_bronze.lake.paths import file_path
from f1_bronze.simulator.server import Simulator

from .doctoring import ALL_WELL, Ask, asking, checks, failing, states


@pytest.fixture
def ask(simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """The command in a folder of its own, with the stand-in for the API."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("F1_BRONZE_OPENF1_URL", simulator.url)
    monkeypatch.setenv("F1_BRONZE_RATE_STORE", "memory")
    return asking(monkeypatch)


def test_lake_that_is_no_folder(ask: Ask, tmp_path: Path) -> None:
    """A lake below a file cannot be written, which is told once."""
    (tmp_path / "file").write_text("")
    result = ask("--json", F1_BRONZE_LAKE_URI=str(tmp_path / "file" / "lake"))
    assert (result.exit_code, failing(result)) == (1, ["lake write"])
    assert "set F1_BRONZE_LAKE_URI to another folder" in checks(result)["lake write"]["detail"]
    assert "lake read" not in checks(result)


def test_lake_that_is_no_address(ask: Ask) -> None:
    """An address of another kind is refused."""
    result = ask("--json", F1_BRONZE_LAKE_URI="gs://bucket/lake")
    assert (result.exit_code, failing(result)) == (1, ["lake"])


def test_little_space(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is seen before it is full."""
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=5_000_000))
    result = ask("--json")
    assert (result.exit_code, states(result)["lake space"]) == (0, "warning")
    assert checks(result)["lake space"]["detail"].startswith("0.0 GB free in ")


def test_wishes_for_s3_without_s3(ask: Ask) -> None:
    """Wishes that no folder can fulfil are told."""
    result = ask("--json", F1_BRONZE_S3_STORAGE_CLASS="STANDARD_IA")
    assert (result.exit_code, states(result)["lake"]) == (0, "warning")


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """moto's server, not looking at credentials."""
    running = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    running.start()
    yield "http://{}:{}".format(*running.get_host_and_port())
    running.stop()


@pytest.fixture
def on_s3(ask: Ask, moto: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Ask, str]:
    """The command with an AWS chain that leads to moto, and the name of a bucket there."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    for name, value in {
        "AWS_ENDPOINT_URL": moto,
        "AWS_ACCESS_KEY_ID": "dummy-id",
        "AWS_SECRET_ACCESS_KEY": "dummy-secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    bucket = f"lake-{uuid4().hex}"
    boto3.client("s3").create_bucket(Bucket=bucket)
    return ask, bucket


def test_bucket(on_s3: tuple[Ask, str]) -> None:
    """A bucket is proven by the same steps, each with its permission, and left empty."""
    ask, bucket = on_s3
    result = ask(
        "--json",
        F1_BRONZE_LAKE_URI=f"s3://{bucket}/f1",
        F1_BRONZE_S3_STORAGE_CLASS="STANDARD_IA",
    )
    assert (result.exit_code, failing(result)) == (0, [])
    found = checks(result)
    assert found["lake"]["detail"] == f"s3://{bucket}/f1/, written with storage_class STANDARD_IA"
    assert found["lake write"]["detail"] == "works (s3:PutObject)"
    assert found["lake delete"]["detail"] == "works (s3:DeleteObject)"
    assert found["lake conditions"]["detail"] == "two writers cannot undo each other's work"
    assert "lake tables" not in found  # of a lake that holds nothing
    assert boto3.client("s3").list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_sessions_that_athena_does_not_see(on_s3: tuple[Ask, str]) -> None:
    """What the tables' stack does not list by default is named by its parameter: a warning."""
    ask, bucket = on_s3

    def landed(*keys: str) -> None:
        for key in keys:
            path = file_path("laps", SessionPartition.parse(key), 7)
            boto3.client("s3").put_object(Bucket=bucket, Key=f"f1/{path}", Body=b"")

    landed("2025/bahrain/race", "2025/bahrain/qualifying")
    known = ask("--json", F1_BRONZE_LAKE_URI=f"s3://{bucket}/f1")
    assert (known.exit_code, states(known)["lake tables"]) == (0, "ok")
    assert checks(known)["lake tables"]["detail"] == (
        "the tables' stack lists all 2 sessions of the lake by default"
    )
    landed("2027/thai/race", "2027/thai/qualifying", "2041/bahrain/warm_up")
    result = ask("--json", F1_BRONZE_LAKE_URI=f"s3://{bucket}/f1")
    assert (result.exit_code, states(result)["lake tables"]) == (0, "warning")
    assert checks(result)["lake tables"]["detail"] == (
        "Athena passes over 3 of 5 sessions in silence where the tables' stack has its default "
        "parameters, which do not list LastYear: 2041; GrandsPrix: thai; SessionTypes: warm_up."
    )
    assert "deploy/aws/tables.yaml" in checks(result)["lake tables"]["remedy"]


def test_no_such_bucket(on_s3: tuple[Ask, str]) -> None:
    """A bucket that is not there is told once, and no secret with it."""
    ask, _ = on_s3
    result = ask("--json", F1_BRONZE_LAKE_URI="s3://nowhere/f1")
    assert (result.exit_code, failing(result)) == (1, ["lake write"])
    assert "NoSuchBucket" in checks(result)["lake write"]["detail"]
    assert "dummy-secret" not in result.output


def test_no_credentials(on_s3: tuple[Ask, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without credentials the standard chain is named."""
    ask, bucket = on_s3
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    result = ask("--json", F1_BRONZE_LAKE_URI=f"s3://{bucket}")
    assert failing(result) == ["lake write"]
    assert "standard chain" in checks(result)["lake write"]["detail"]


def test_login_in_the_lakes_address(ask: Ask) -> None:
    """Keys in the address are refused and not repeated."""
    result = ask("--json", F1_BRONZE_LAKE_URI="s3://AKIA123:hunter2@bucket")
    assert failing(result) == ["settings"]
    assert "hunter2" not in result.output


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Dagster home as an ingest leaves it."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DAGSTER_DISABLE_TELEMETRY")
    with open_instance():
        return tmp_path / "home"


def test_home_as_it_is_made(ask: Ask, home: Path) -> None:
    """What an ingest makes is well: a limit for the API, no telemetry."""
    result = ask("--json")
    assert states(result) == ALL_WELL | {"dagster pool": "ok", "dagster telemetry": "ok"}
    assert checks(result)["dagster pool"]["detail"] == "2 runs at once may ask the API"


def test_home_of_somebody_else(ask: Ask, home: Path) -> None:
    """A home made without us lacks a limit and reports to Dagster's makers: two warnings."""
    (home / "dagster.yaml").write_text("")
    with dg.DagsterInstance.from_config(str(home)) as instance:
        instance.event_log_storage.delete_concurrency_limit("openf1")
    result = ask("--json")
    assert result.exit_code == 0
    assert states(result)["dagster pool"] == states(result)["dagster telemetry"] == "warning"
    assert "concurrency set openf1 2" in checks(result)["dagster pool"]["remedy"]


def test_home_with_a_broken_instance(ask: Ask, home: Path) -> None:
    """An instance that does not open is told without the address of its database."""
    url = "postgresql://me:hunter2@127.0.0.1:1/dagster"
    (home / "dagster.yaml").write_text(
        f"storage:\n  postgres:\n    postgres_url: {url}\n  nonsense: {url}\n"
    )
    result = ask("--json")
    assert (result.exit_code, failing(result)) == (1, ["dagster instance"])
    assert "hunter2" not in result.output


def test_home_that_is_no_folder(ask: Ask, tmp_path: Path) -> None:
    """A home below a file cannot be made."""
    (tmp_path / "file").write_text("")
    result = ask("--json", DAGSTER_HOME=str(tmp_path / "file" / "home"))
    assert (result.exit_code, failing(result)) == (1, ["dagster home"])
    assert "Set DAGSTER_HOME" in checks(result)["dagster home"]["remedy"]
