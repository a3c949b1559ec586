"""f1-bronze doctor: what is wrong is named with its remedy, and no secret is printed."""

import json
import os
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from socket import socket
from typing import Any
from uuid import uuid4

import boto3
import dagster as dg
import pytest
from click.testing import CliRunner, Result
from dagster._core.launcher import DefaultRunLauncher
from dagster._daemon.types import DaemonHeartbeat

from f1_bronze.cli.doctor_command import doctor
from f1_bronze.cli.ui_command import ui
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.defs.automation.instance import open_instance
from f1_bronze.lake.paths import file_path
from f1_bronze.simulator.behaviour import Behaviour, PaidLogin
from f1_bronze.simulator.faults import InjectedFault
from f1_bronze.simulator.invented import InventedSeasons
from f1_bronze.simulator.server import Simulator

from ..commands import Run
from ..servers import PASSWORD, PostgresqlServer
from ..telemetry.lineage_server import LineageServer

Ask = Callable[..., Result]


def checks(result: Result) -> dict[str, dict[str, Any]]:
    """The checks of `--json`, by name."""
    return {check["check"]: check for check in json.loads(result.stdout)["checks"]}


def states(result: Result) -> dict[str, str]:
    """How each check ended."""
    return {name: check["state"] for name, check in checks(result).items()}


def failing(result: Result) -> list[str]:
    """The checks that failed."""
    return [name for name, state in states(result).items() if state == "failed"]


ALL_WELL = {
    "settings": "ok",
    "api budget": "ok",
    "api": "ok",
    "lake": "ok",
    "lake write": "ok",
    "lake read": "ok",
    "lake list": "ok",
    "lake conditions": "ok",
    "lake delete": "ok",
    "lake space": "ok",
    "dagster home": "ok",
}


@pytest.fixture
def ask(simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Run the command against the simulator; keyword arguments are environment variables."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("F1_BRONZE_OPENF1_URL", simulator.url)
    monkeypatch.setenv("F1_BRONZE_RATE_STORE", "memory")

    def run(*words: str, **variables: str) -> Result:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return CliRunner().invoke(doctor, words, catch_exceptions=False)

    return run


def test_all_is_well(ask: Ask, simulator: Simulator, tmp_path: Path) -> None:
    """Nothing to fix is exit status 0, costs one call and leaves no file."""
    result = ask("--json")
    assert (result.exit_code, states(result)) == (0, ALL_WELL)
    assert simulator.control.state()["calls"] == 1
    assert [p.name for p in tmp_path.rglob("*")] == ["data", "lake"]


def test_lines_for_people(ask: Ask) -> None:
    """A line per check with its state in front, the remedy below it, a sum at the end."""
    result = ask(F1_BRONZE_LAKE_URL="s3://lake", COLUMNS="120")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].startswith("ok      settings         F1_BRONZE_")
    assert lines[1].rstrip() == (
        "warning settings         F1_BRONZE_LAKE_URL is set, but there is no such setting."
    )
    assert lines[2].strip() == "→ Did you mean F1_BRONZE_LAKE_URI?"
    assert lines[-1] == "12 checks: 0 failed, 1 warnings."


def test_lines_fit_a_terminal(ask: Ask, tmp_path: Path) -> None:
    """In 80 columns long lines go on below their beginning, long paths included."""
    result = ask(F1_BRONZE_LAKE_URI=str(tmp_path / ("lake" * 30)), COLUMNS="80")
    lines = [line.rstrip() for line in result.stdout.splitlines()]
    assert max(map(len, lines)) <= 80
    assert "lake" * 30 in "".join(line.strip() for line in lines)


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("ENVIRONMENT", "moon", "it takes one of dev, staging, production"),
        ("OPENF1_URL", "ftp://me:hunter2@host", "not an http(s) address; set one"),
        ("OPENF1_USERNAME", "me", "set both or none"),
        ("S3_ENCRYPTION", "rot13", "it takes one of AES256, aws:kms, aws:kms:dsse, or nothing"),
        ("S3_KMS_KEY_ID", "key-1", "is used with F1_BRONZE_S3_ENCRYPTION aws:kms only"),
        ("S3_STORAGE_CLASS", "GLACIER", "it takes one of STANDARD,"),
    ],
)
def test_bad_setting(ask: Ask, simulator: Simulator, variable: str, value: str, says: str) -> None:
    """A setting that cannot be used is named; nothing is asked with it."""
    result = ask("--json", **{f"F1_BRONZE_{variable}": value})
    assert (result.exit_code, failing(result)) == (1, ["settings"])
    assert says in checks(result)["settings"]["detail"]
    assert f"F1_BRONZE_{variable}" in checks(result)["settings"]["detail"]
    assert simulator.control.state()["calls"] == 0
    assert "hunter2" not in result.output


@pytest.mark.parametrize(("variable", "value"), [("OPENF1_LIMITS", "often"), ("RATE_STORE", "x:y")])
def test_bad_budget(ask: Ask, simulator: Simulator, variable: str, value: str) -> None:
    """A budget that means nothing fails by itself; the API is then not asked, the lake is."""
    result = ask("--json", **{f"F1_BRONZE_{variable}": value})
    assert (result.exit_code, failing(result)) == (1, ["api budget"])
    assert states(result)["lake write"] == "ok"
    assert simulator.control.state()["calls"] == 0


def test_api_closed_for_a_live_session(ask: Ask, simulator: Simulator) -> None:
    """Closed is no fault of the deployment: a warning, with when to come back."""
    simulator.control.change_behaviour(live=True)
    result = ask("--json")
    assert (result.exit_code, states(result)["api"]) == (0, "warning")
    assert "come back in 30 to 180 minutes" in checks(result)["api"]["detail"]
    assert simulator.control.state()["calls"] == 1


@pytest.mark.parametrize(
    ("status", "says"),
    [(500, "status 500"), (429, "something else with this IP address"), (403, "403")],
)
def test_api_does_not_answer(ask: Ask, simulator: Simulator, status: int, says: str) -> None:
    """A refusal is reported after one call, whatever it is."""
    simulator.control.set_faults([InjectedFault.from_json({"kind": "status", "status": status})])
    result = ask("--json")
    assert (result.exit_code, failing(result)) == (1, ["api"])
    assert says in checks(result)["api"]["detail"]
    assert simulator.control.state()["calls"] == 1


def test_api_is_not_there(ask: Ask) -> None:
    """An address where nobody listens."""
    with closing(socket()) as unused:
        unused.bind(("127.0.0.1", 0))  # bound, so that no other test gets it; not listening
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
        result = ask("--json", F1_BRONZE_OPENF1_URL=url)
    assert (result.exit_code, failing(result)) == (1, ["api"])
    assert "check the network and F1_BRONZE_OPENF1_URL" in checks(result)["api"]["detail"]


@pytest.mark.parametrize(
    ("target", "state", "says"),
    [
        (
            "https://api.example.org/v1/sessions",
            "failed",
            "to https://api.example.org, another host",
        ),
        ("http://127.0.0.1:1/v1/sessions", "warning", "to http://127.0.0.1:1: each call costs two"),
    ],
)
def test_api_has_moved(ask: Ask, target: str, state: str, says: str) -> None:
    """Another host is not followed, another address of this one is; neither is called now."""

    class Moved(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(301)
            self.send_header("Location", target)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    asked: list[str] = []
    with HTTPServer(("127.0.0.1", 0), Moved) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        result = ask("--json", F1_BRONZE_OPENF1_URL=f"http://127.0.0.1:{server.server_port}/v1")
        server.shutdown()
    assert (result.exit_code, states(result)["api"]) == (int(state == "failed"), state)
    assert says in checks(result)["api"]["detail"]
    assert asked == ["/v1/sessions?session_key=9158"]


@pytest.mark.parametrize("password", ["right-password", "wrong-password"])
def test_login(ask: Ask, seasons: InventedSeasons, password: str) -> None:
    """A right login is shown as paid access, a wrong one as what to fix; neither is shown."""
    who = PaidLogin(username="me@example.org", password="right-password")
    with Simulator(seasons, behaviour=Behaviour(limits=None, credentials=who)) as paid:
        result = ask(
            "--json",
            F1_BRONZE_OPENF1_URL=paid.url,
            F1_BRONZE_OPENF1_USERNAME=who.username,
            F1_BRONZE_OPENF1_PASSWORD=password,
        )
        asked = paid.control.state()["by_endpoint"]
    assert password not in result.output
    if password == "right-password":
        assert (result.exit_code, failing(result)) == (0, [])
        assert checks(result)["api"]["detail"].endswith("(paid access)")
        assert asked == {"token": 1, "sessions": 1}
    else:
        assert (result.exit_code, failing(result)) == (1, ["api"])
        assert "check F1_BRONZE_OPENF1_USERNAME" in checks(result)["api"]["detail"]
        assert asked == {"token": 1}


def test_as_a_process(run: Run, fast: dict[str, str]) -> None:
    """The command is there under its name, and its exit status is the process's."""
    well = run("doctor", "--json", **fast)
    assert (well.status, well.data["status"]) == (0, 0), well.err
    ill = run("doctor", **fast, LAKE_URI="/dev/null/lake")
    assert ill.status == 1
    assert "failed  lake write" in ill.out


def test_lake_that_is_no_folder(ask: Ask, tmp_path: Path) -> None:
    """A lake below a file cannot be written, which is reported once."""
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


def test_options_for_s3_without_s3(ask: Ask) -> None:
    """Options that a folder cannot have are a warning."""
    result = ask("--json", F1_BRONZE_S3_STORAGE_CLASS="STANDARD_IA")
    assert (result.exit_code, states(result)["lake"]) == (0, "warning")


@pytest.fixture
def on_s3(ask: Ask, moto_server: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Ask, str]:
    """The command with an AWS chain that leads to moto, and the name of a bucket there."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    for name, value in {
        "AWS_ENDPOINT_URL": moto_server,
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

    def store(*keys: str) -> None:
        for key in keys:
            path = file_path("laps", SessionPartition.parse(key), 7)
            boto3.client("s3").put_object(Bucket=bucket, Key=f"f1/{path}", Body=b"")

    store("2025/bahrain/race", "2025/bahrain/qualifying")
    known = ask("--json", F1_BRONZE_LAKE_URI=f"s3://{bucket}/f1")
    assert (known.exit_code, states(known)["lake tables"]) == (0, "ok")
    assert checks(known)["lake tables"]["detail"] == (
        "the tables' stack lists all 2 sessions of the lake by default"
    )
    store("2027/thai/race", "2027/thai/qualifying", "2041/bahrain/warm_up")
    result = ask("--json", F1_BRONZE_LAKE_URI=f"s3://{bucket}/f1")
    assert (result.exit_code, states(result)["lake tables"]) == (0, "warning")
    assert checks(result)["lake tables"]["detail"] == (
        "Athena silently leaves out 3 of 5 sessions if the tables' stack has its default "
        "parameters, which do not list LastYear: 2041; GrandsPrix: thai; SessionTypes: warm_up."
    )
    assert "deploy/aws/tables.yaml" in checks(result)["lake tables"]["remedy"]


def test_no_such_bucket(on_s3: tuple[Ask, str]) -> None:
    """A bucket that is not there is reported once, without any secret."""
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


def test_metrics_in_cloudwatch(on_s3: tuple[Ask, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where metrics go to CloudWatch it is asked for some; without credentials that fails."""
    ask, _ = on_s3
    result = ask("--json", F1_BRONZE_METRICS="cloudwatch")
    assert (result.exit_code, states(result)["metrics"]) == (0, "ok")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    result = ask("--json", F1_BRONZE_METRICS="cloudwatch")
    assert (result.exit_code, failing(result)) == (1, ["metrics"])
    assert "NoCredentialsError" in checks(result)["metrics"]["detail"]


@pytest.mark.parametrize(
    ("status", "state", "says"),
    [(422, "ok", "answers"), (401, "failed", "OPENLINEAGE_API_KEY"), (503, "failed", "503")],
)
def test_the_lineage_consumer(ask: Ask, status: int, state: str, says: str) -> None:
    """One that refuses the empty object is there; one that refuses the key, or fails, is named."""
    server = LineageServer()
    server.behaviour = lambda _: status
    try:
        result = ask("--json", F1_BRONZE_LINEAGE_URL=server.url)
    finally:
        server.stop()
    assert (result.exit_code, states(result)["lineage"]) == (int(state == "failed"), state)
    assert says in checks(result)["lineage"]["detail"]
    assert server.taken == []


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
    """An instance that does not open is reported without the address of its database."""
    url = "postgresql://me:hunter2@127.0.0.1:1/dagster"
    (home / "dagster.yaml").write_text(
        f"storage:\n  postgres:\n    postgres_url: {url}\n  nonsense: {url}\n"
    )
    result = ask("--json")
    assert (result.exit_code, failing(result)) == (1, ["dagster instance"])
    assert "hunter2" not in result.output
    assert "`f1-bronze ui` shows the whole error" in checks(result)["dagster instance"]["remedy"]
    with pytest.raises(dg.DagsterInvalidConfigError, match="Expected one of:"):
        CliRunner().invoke(ui, catch_exceptions=False)


def test_home_that_is_no_folder(ask: Ask, tmp_path: Path) -> None:
    """A home below a file cannot be made."""
    (tmp_path / "file").write_text("")
    result = ask("--json", DAGSTER_HOME=str(tmp_path / "file" / "home"))
    assert (result.exit_code, failing(result)) == (1, ["dagster home"])
    assert "Set DAGSTER_HOME" in checks(result)["dagster home"]["remedy"]


class EcsRunLauncher(DefaultRunLauncher):
    """Stands for the launcher of that name, which asks ECS about its task when it is made."""

    task_definition: str | None = None


@pytest.mark.parametrize("image", ["", "registry/f1-bronze:1"])
def test_the_image_of_runs(
    ask: Ask, home: Path, monkeypatch: pytest.MonkeyPatch, image: str
) -> None:
    """A launcher of containers without an image could not start one run."""
    monkeypatch.setenv("DAGSTER_CURRENT_IMAGE", image)
    launcher = f"{{module: {__name__}, class: EcsRunLauncher}}"
    (home / "dagster.yaml").write_text(f"run_launcher: {launcher}\n")
    check = checks(ask("--json"))["dagster launcher"]
    assert check["state"] == ("ok" if image else "failed")
    assert (image or "Set DAGSTER_CURRENT_IMAGE") in check["detail"] + check["remedy"]


def test_variables_of_the_deployment(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the files of deploy/ read is not taken for a misspelt setting."""
    monkeypatch.setenv("F1_BRONZE_CODE_SERVER", "code")
    assert states(ask("--json")) == ALL_WELL


@pytest.fixture
def database(postgresql: PostgresqlServer) -> str:
    """The address of an empty database on a real server."""
    pytest.importorskip("dagster_postgres")
    return postgresql.new_database()


@pytest.fixture
def server_home(database: str, home: Path) -> Path:
    """A home whose record is on a server; its folder cannot be written."""
    url = database.replace("postgresql://", "postgresql+psycopg2://")
    (home / "dagster.yaml").write_text(f"storage: {{postgres: {{postgres_url: '{url}'}}}}\n")
    return home


def test_a_record_on_a_server(
    ask: Ask, server_home: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The home may be read-only; the server takes an event and keeps nothing of it; a daemon that
    has not reported is missed."""
    import psycopg2

    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != server_home)
    result = ask("--json")
    assert failing(result) == []
    assert states(result)["dagster home"] == states(result)["dagster storage"] == "ok"
    assert states(result)["dagster daemon"] == "warning"
    with closing(psycopg2.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM event_logs")
        assert cursor.fetchone() == (0,)
    with dg.DagsterInstance.from_config(str(server_home)) as instance:
        instance.add_daemon_heartbeat(DaemonHeartbeat(time.time(), "SENSOR", "id", []))
    assert states(ask("--json"))["dagster daemon"] == "ok"


def test_a_server_that_takes_no_event(
    ask: Ask, server_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a driver that it is not written for Dagster's storage opens, and fails on each event."""

    def refuse(*_: object) -> None:
        raise RuntimeError(f'syntax error at or near "$1" for {PASSWORD}')

    monkeypatch.setattr("dagster_postgres.event_log.PostgresEventLogStorage.store_event", refuse)
    result = ask("--json")
    assert failing(result) == ["dagster storage"]
    assert "postgresql+psycopg2" in checks(result)["dagster storage"]["remedy"]
    assert PASSWORD not in result.output
