"""deploy/aws/ecs.yaml with real containers: services and runs of the shipped image on an ECS API.

ministack imitates ECS, S3, Secrets Manager and CloudFormation, and starts a container of podman for
each task. The template is the shipped one but for Fargate's network: here all share the host's.
"""

import json
import re
import socket
import time
from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import boto3
import dagster as dg
import pytest

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.sessions import SESSIONS
from f1_bronze.lake.paths import parse_file_path
from f1_bronze.simulator.invented import InventedSeasons
from f1_bronze.simulator.server import Simulator

from ..behaviour.faults.bench import NOT_DATA, content_of
from ..behaviour.scale.daemon import LAUNCH_BACKFILL
from ..behaviour.scale.test_on_postgresql import (
    ask,
    ended_backfill,
    evaluations,
    recorded,
    wait_until,
)
from ..commands import Run
from ..servers import PASSWORD, PostgresqlServer, free_port, serve_ministack
from .clouds import TEMPLATES
from .podman import IMAGE, Podman, podman

__all__ = ["podman"]  # a fixture

pytestmark = pytest.mark.slow

SEASONS, YEARS, BUCKET = "2024-2025", ("2024", "2025"), "lake"
WEB = "http://127.0.0.1:3000"
NOTICED_WITHIN = 90.0
"""Seconds within which a killed run has to be noticed."""
BACKFILL_WITHIN = 1200.0
"""Seconds for the backfill on a busy machine."""
STORED_BEFORE = 120
"""Materializations of a run before its container is killed: calendar, drivers, some results."""
KEYS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
}
HERE = (  # one host for all, instead of a network interface for each task
    ("NetworkMode: awsvpc", "NetworkMode: host"),
    ("RequiresCompatibilities: [FARGATE]", "RequiresCompatibilities: [EC2]"),
    ("LaunchType: FARGATE", "LaunchType: EC2"),
    ('!Sub "code.f1-bronze${NameSuffix}.internal"', "127.0.0.1"),
)


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """The deployment: the address of its AWS, and the API that it asks.

    limitless: the address of the same API without limits, for the machine to compare with.
    """

    aws: str
    simulator: Simulator
    limitless: str
    podman: Podman

    def client(self, service: str) -> Any:
        return boto3.client(service, endpoint_url=self.aws)

    def objects(self) -> dict[str, bytes]:
        """Every object of data of the two seasons; the calendar's sensor may add others."""
        s3 = self.client("s3")
        names = [
            entry["Key"].removeprefix("f1/")
            for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="f1/")
            for entry in page.get("Contents", ())
        ]
        return {
            re.sub(r"/arrived_[^/]*$", "/arrived", name): s3.get_object(
                Bucket=BUCKET, Key=f"f1/{name}"
            )["Body"].read()
            for name in names
            if not name.startswith(NOT_DATA) and any(f"year={year}" in name for year in YEARS)
        }

    def session_keys(self, partitions: Collection[str]) -> set[int]:
        """The session keys of partitions, as the calendar's files have them."""
        found = {}
        for name in self.objects():
            if file := parse_file_path(name):
                found[file[1].key] = file[2]
        return {found[key] for key in partitions}

    def asked_since(self, moment: float) -> dict[str, set[int]]:
        """By endpoint: the sessions that were asked for."""
        found: dict[str, set[int]] = defaultdict(set)
        for request in self.simulator.control.requests():
            if request.time >= moment:
                keys = parse_qs(request.query).get("session_key", [])
                found[request.endpoint].update(map(int, keys))
        return found

    def containers(self, label: str) -> list[str]:
        """The containers with such a label of ECS that run."""
        label = f"label=com.amazonaws.ecs.{label}"
        return self.podman.must("ps", "--quiet", "--filter", label).split()


@pytest.fixture
def cluster(
    podman: Podman,
    postgresql: PostgresqlServer,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[Cluster]:
    """The template's stack, its services running."""
    for port in (3000, 4000):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                pytest.skip(f"port {port}, which the template has for a service, is in use here")
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with ExitStack() as stack:
        seasons = InventedSeasons(keep=120)
        simulator = stack.enter_context(Simulator(seasons))  # with the API's own limits
        limitless = stack.enter_context(Simulator(seasons, limits=None))
        docker = stack.enter_context(podman.service())
        port = free_port()
        program = str(Path(__file__).with_name("container_ministack.py"))
        folder = tmp_path / "aws"
        folder.mkdir()
        address = stack.enter_context(
            serve_ministack(
                folder, program, AUTH="false", DOCKER_HOST=docker, GATEWAY_PORT=str(port)
            )
        )
        made = Cluster(aws=address, simulator=simulator, limitless=limitless.url, podman=podman)
        made.client("s3").create_bucket(Bucket=BUCKET)
        _make_stack(made, postgresql, tmp_path)
        yield made


def _make_stack(cluster: Cluster, postgresql: PostgresqlServer, folder: Path) -> None:
    secret = cluster.client("secretsmanager").create_secret(
        Name="postgresql", SecretString=json.dumps({"username": "f1", "password": PASSWORD})
    )["ARN"]
    body = (TEMPLATES / "ecs.yaml").read_text()
    for shipped, here in HERE:
        assert shipped in body
        body = body.replace(shipped, here)
    parameters = {
        "Image": IMAGE,
        "VpcId": "vpc-1",
        "SubnetIds": "subnet-1,subnet-2",
        "LakeUri": f"s3://{BUCKET}/f1",
        "LakePolicyArn": "arn:aws:iam::000000000000:policy/lake",
        "DatabaseHost": "127.0.0.1",
        "DatabasePort": str(postgresql.port),
        "DatabaseSecretArn": secret,
        "OpenF1Url": cluster.simulator.url,
    }
    formation = cluster.client("cloudformation")
    formation.create_stack(
        StackName="f1",
        TemplateBody=body,
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    found = wait_until("stack", lambda: _finished(formation))
    assert found["StackStatus"] == "CREATE_COMPLETE", found


def _locations() -> Any:
    answer = ask(WEB, "{repositoriesOrError {... on RepositoryConnection {nodes {id}}}}")
    return (answer or {}).get("repositoriesOrError", {}).get("nodes")


def busy_run(instance: dg.DagsterInstance, backfill: str) -> dg.DagsterRun | None:
    """A run of the backfill in the middle of its work."""
    under_way = dg.RunsFilter(
        statuses=[dg.DagsterRunStatus.STARTED], tags={"dagster/backfill": backfill}
    )
    for run in instance.get_runs(under_way):
        done = instance.get_records_for_run(
            run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION, limit=STORED_BEFORE
        ).records
        if len(done) == STORED_BEFORE:
            return run
    return None


def _finished(formation: Any) -> Any:
    [found] = formation.describe_stacks(StackName="f1")["Stacks"]
    return None if found["StackStatus"].endswith("PROGRESS") else found


@pytest.fixture
def database(postgresql: PostgresqlServer) -> str:
    """The address of a new database with the name that the template gives it."""
    import psycopg2

    connection = psycopg2.connect(postgresql.url)
    connection.autocommit = True
    connection.cursor().execute("CREATE DATABASE dagster")
    connection.close()
    return f"{postgresql.url.rpartition('/')[0]}/dagster"


@pytest.fixture
def instance(
    database: str, cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[dg.DagsterInstance]:
    """Dagster's record of the deployment, as seen from here once its code location is loaded."""
    wait_until("code location", _locations)
    home = tmp_path / "record"
    home.mkdir()
    (home / "dagster.yaml").write_text(
        "storage: {postgres: {postgres_url: {env: RECORD_URL}}}\ntelemetry: {enabled: false}\n"
    )
    monkeypatch.setenv("RECORD_URL", database.replace("postgresql://", "postgresql+psycopg2://"))
    with dg.DagsterInstance.from_config(str(home)) as opened:
        yield opened


def test_a_killed_run_and_the_lake_of_one_machine(
    instance: dg.DagsterInstance, cluster: Cluster, run: Run, tmp_path: Path
) -> None:
    """Two seasons, backfilled in containers under the API's limits, one of them killed: nothing is
    lost, nothing is asked again that was stored, no check is missing, no call is refused, and the
    lake is byte for byte that of one machine."""
    [code] = cluster.containers("container-name=code")
    cluster.podman.must("exec", code, "f1-bronze", "partitions", SEASONS)
    every, races = (
        {key for key in instance.get_dynamic_partitions(name) if key[:4] in YEARS}
        for name in ("f1_sessions", "f1_race_sessions")
    )
    made = ask(
        WEB,
        LAUNCH_BACKFILL,
        params={
            "assetSelection": [{"path": ["bronze", d.name]} for d in DATASETS],
            "partitionNames": sorted(every),
        },
    )["made"]
    assert made["__typename"] == "LaunchBackfillSuccess", made

    victim = wait_until(
        "run in the middle of its work",
        lambda: busy_run(instance, made["backfillId"]),
        patience=BACKFILL_WITHIN,
    )
    [container] = cluster.containers(f"task-arn={victim.tags['ecs/task_arn']}")
    killed = time.time()
    cluster.podman.must("kill", "--signal=KILL", container)
    before = recorded(instance, YEARS)
    ended = wait_until(
        "end of the backfill",
        lambda: ended_backfill(instance, made["backfillId"]),
        patience=BACKFILL_WITHIN,
    )
    assert ended == "COMPLETED_SUCCESS"

    # Noticed in time, retried once, and the retry asks for what is not on record.
    [failed] = instance.get_run_records(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]))
    assert failed.end_time is not None
    assert failed.end_time - killed < NOTICED_WITHIN
    retried = {"dagster/parent_run_id": failed.dagster_run.run_id}
    [retry] = instance.get_runs(dg.RunsFilter(tags=retried))
    assert retry.status is dg.DagsterRunStatus.SUCCESS
    assert failed.dagster_run.run_id == victim.run_id
    assert len(before["results"]) > 0
    asked = cluster.asked_since(killed)
    for dataset in DATASETS:
        if dataset is not SESSIONS:
            again = asked[dataset.endpoint] & cluster.session_keys(before[dataset.name])
            assert again == set(), dataset.name

    # Nothing is lost, no check is missing, no call was refused.
    assert recorded(instance, YEARS) == {
        dataset.name: races if dataset.session_types else every for dataset in DATASETS
    }
    assert evaluations(instance, YEARS) == sum(
        len(races if dataset.session_types else every) for dataset in DATASETS
    )
    state = cluster.simulator.control.state()
    assert set(state["by_status"]) <= {"200", "404"}
    assert state["max_in_minute"] <= 30

    # No state but PostgreSQL and S3: the doctor of a service finds nothing that fails.
    doctor = json.loads(cluster.podman.must("exec", code, "f1-bronze", "doctor", "--json"))
    checks = {one["check"]: one for one in doctor["checks"]}
    assert {name: one for name, one in checks.items() if one["state"] == "failed"} == {}
    for name in ("storage", "daemon", "launcher", "pool"):
        assert checks[f"dagster {name}"]["state"] == "ok", checks[f"dagster {name}"]
    for name in ("code", "web", "daemon"):
        [service] = cluster.containers(f"container-name={name}")
        assert cluster.podman.must("exec", service, "id", "-u").strip() != "0"
        assert cluster.podman.run("exec", service, "touch", "/opt/dagster/x").returncode == 1

    alone = run("ingest", SEASONS, OPENF1_URL=cluster.limitless, OPENF1_LIMITS="1000/1s")
    assert alone.status == 0
    assert cluster.objects() == content_of(tmp_path / "data/lake")
