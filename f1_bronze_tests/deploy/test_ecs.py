"""deploy/aws/ecs.yaml, deployed to a server that imitates AWS and evaluates IAM.

cfn-lint looks at it in test_bucket.py; test_ecs_containers.py starts its containers.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from f1_bronze.settings import DEPLOYMENT_VARIABLES, PREFIX, SETTINGS

from .clouds import TEMPLATES, Cloud, ministack_cloud

SECRET = "arn:aws:secretsmanager:us-east-1:000000000000:secret:postgresql-a1b2c3"
PARAMETERS = {
    "Image": "registry.example.org/f1-bronze:1",
    "VpcId": "vpc-12345678",
    "SubnetIds": "subnet-1,subnet-2",
    "LakeUri": "s3://lake/f1",
    "LakePolicyArn": "arn:aws:iam::000000000000:policy/lake",
    "DatabaseHost": "postgresql.example.org",
    "DatabaseSecretArn": SECRET,
}
TASKS = {"code": "code", "web": "web", "daemon": "daemon", "run": "run"}


@pytest.fixture(scope="module")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """ministack, enforcing."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(boto3, "DEFAULT_SESSION", None)
        with ministack_cloud(tmp_path_factory.mktemp("ministack")) as cloud:
            yield cloud


@pytest.fixture(scope="module")
def outputs(ministack: Cloud) -> dict[str, str]:
    """The outputs of the stack."""
    return ministack.stack("ecs.yaml", **PARAMETERS)


def task(ministack: Cloud, name: str) -> dict[str, Any]:
    """The task definition of a service, or of runs."""
    ecs = ministack.client("ecs")
    found: dict[str, Any] = ecs.describe_task_definition(taskDefinition=f"f1-bronze-{name}")[
        "taskDefinition"
    ]
    return found


def policy(ministack: Cloud, name: str) -> dict[str, Any]:
    """The statements of the role of a task, besides those of attached policies."""
    iam = ministack.client("iam")
    role = task(ministack, name)["taskRoleArn"].rpartition("/")[2]
    [inline] = iam.list_role_policies(RoleName=role)["PolicyNames"]
    document = iam.get_role_policy(RoleName=role, PolicyName=inline)["PolicyDocument"]
    return dict(json.loads(document) if isinstance(document, str) else document)


def test_outputs(ministack: Cloud, outputs: dict[str, str]) -> None:
    """Where everything is: the page tells a reader to look here."""
    assert outputs["ClusterName"] == "f1-bronze"
    assert outputs["WebAddress"] == "http://web.f1-bronze.internal:3000"
    assert outputs["DatabaseHost"] == PARAMETERS["DatabaseHost"]
    assert outputs["DatabaseSecretArn"] == SECRET
    assert outputs["LogGroupName"] == "/f1-bronze/ecs"
    assert outputs["RunTaskDefinition"] == task(ministack, "run")["taskDefinitionArn"]
    buckets = [one["Name"] for one in ministack.client("s3").list_buckets()["Buckets"]]
    assert outputs["ComputeLogsBucket"] in buckets


def test_services(ministack: Cloud, outputs: dict[str, str]) -> None:
    """One of each, and never two daemons: the old one stops before the new one starts."""
    services = ministack.client("ecs").describe_services(
        cluster=outputs["ClusterName"], services=["code", "web", "daemon"]
    )["services"]
    assert {one["serviceName"]: one["desiredCount"] for one in services} == {
        "code": 1,
        "web": 1,
        "daemon": 1,
    }
    [daemon] = [one for one in services if one["serviceName"] == "daemon"]
    deployment = daemon["deploymentConfiguration"]
    assert (deployment["minimumHealthyPercent"], deployment["maximumPercent"]) == (0, 100)


@pytest.mark.parametrize("name", TASKS)
def test_containers(ministack: Cloud, outputs: dict[str, str], name: str) -> None:
    """The one image with a read-only root and a /tmp, its log in the log group; services are
    watched; every variable is one that the deployment reads, and no secret is among them."""
    definition = task(ministack, name)
    [container] = definition["containerDefinitions"]
    assert container["name"] == name
    assert container["image"] == PARAMETERS["Image"]
    assert container["readonlyRootFilesystem"] is True
    assert [mount["containerPath"] for mount in container["mountPoints"]] == ["/tmp"]
    options = container["logConfiguration"]["options"]
    assert options["awslogs-group"] == outputs["LogGroupName"]
    assert ("healthCheck" in container) == (name != "run")
    variables = {one["name"]: one["value"] for one in container["environment"]}
    known = {setting.variable for setting in SETTINGS} | set(DEPLOYMENT_VARIABLES)
    assert {one for one in variables if one.startswith(PREFIX)} <= known
    assert not any("PASSWORD" in one for one in variables)
    assert "@" not in variables.get("F1_BRONZE_RATE_STORE", "")
    launches = variables.get("DAGSTER_RUN_TASK")
    assert launches == (None if name == "run" else outputs["RunTaskDefinition"])


def test_roles_allow_what_is_needed(ministack: Cloud, outputs: dict[str, str]) -> None:
    """Each task has its own role; none has an action with a wildcard, and any resource is named but
    where the action knows none."""
    roles = {name: task(ministack, name)["taskRoleArn"] for name in TASKS}
    assert len(set(roles.values())) == len(TASKS)
    actions: dict[str, set[str]] = {}
    for name in TASKS:
        statements = policy(ministack, name)["Statement"]
        actions[name] = {action for one in statements for action in one["Action"]}
        assert not any("*" in action for action in actions[name])
        for one in statements:
            if one["Resource"] == "*":
                assert set(one["Action"]) <= {
                    "ecs:DescribeTaskDefinition",
                    "ec2:DescribeNetworkInterfaces",
                }
    logs = {"s3:PutObject", "s3:GetObject"}
    assert actions["run"] == logs
    assert actions["code"] == {*logs, "ecs:DescribeTaskDefinition"}
    stops = {"ecs:DescribeTasks", "ecs:StopTask", "ecs:DescribeTaskDefinition"}
    assert actions["web"] == {*stops, "s3:GetObject", "s3:ListBucket"}
    assert actions["daemon"] == {
        *stops,
        "ecs:RunTask",
        "ecs:TagResource",
        "ec2:DescribeNetworkInterfaces",
        "iam:PassRole",
        "logs:GetLogEvents",
    }


def test_the_daemon_starts_runs_and_nothing_else(ministack: Cloud, outputs: dict[str, str]) -> None:
    """With its role's permissions: runs of the run's definition, in this cluster alone; only the
    two roles of a run can be handed on, to ECS alone. The server knows no context, so conditions
    are read."""
    document = policy(ministack, "daemon")
    conditions = {
        one["Sid"]: one.pop("Condition") for one in document["Statement"] if "Condition" in one
    }
    cluster = "arn:aws:ecs:us-east-1:000000000000:cluster/f1-bronze"
    assert conditions == {
        "StartRuns": {"ArnEquals": {"ecs:cluster": cluster}},
        "TagRuns": {"StringEquals": {"ecs:CreateAction": "RunTask"}},
        "HandRolesToRuns": {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
    }

    def allows(action: str, resource: str) -> bool:
        [result] = ministack.client("iam").simulate_custom_policy(
            PolicyInputList=[json.dumps(document)], ActionNames=[action], ResourceArns=[resource]
        )["EvaluationResults"]
        return bool(result["EvalDecision"] == "allowed")

    assert allows("ecs:RunTask", outputs["RunTaskDefinition"])
    assert not allows("ecs:RunTask", task(ministack, "web")["taskDefinitionArn"])
    tasks = cluster.replace(":cluster/", ":task/")
    assert allows("ecs:StopTask", f"{tasks}/0123")
    assert not allows("ecs:StopTask", f"{tasks}-other/0123")
    assert not allows("ecs:RegisterTaskDefinition", "*")
    run = task(ministack, "run")
    assert allows("iam:PassRole", run["taskRoleArn"])
    assert allows("iam:PassRole", run["executionRoleArn"])
    assert not allows("iam:PassRole", task(ministack, "daemon")["taskRoleArn"])


def test_a_database_of_its_own(ministack: Cloud) -> None:
    """Without one that exists the stack makes PostgreSQL on RDS: encrypted, backed up, not public,
    and with a login that is nowhere but in Secrets Manager."""
    ec2 = ministack.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(
            VpcId=vpc, CidrBlock=f"10.1.{number}.0/24", AvailabilityZone=f"us-east-1{zone}"
        )["Subnet"]["SubnetId"]
        for number, zone in enumerate("ab")
    ]
    given = {k: v for k, v in PARAMETERS.items() if not k.startswith("Database")}
    given |= {"VpcId": vpc, "SubnetIds": ",".join(subnets)}
    made = ministack.stack("ecs.yaml", **given, NameSuffix="-own")
    secret = ministack.client("secretsmanager").get_secret_value(SecretId=made["DatabaseSecretArn"])
    login = json.loads(secret["SecretString"])
    assert login["username"] == "dagster"
    assert len(login["password"]) == 40
    databases = ministack.client("rds").describe_db_instances()["DBInstances"]
    [database] = [one for one in databases if one["DBName"] == "dagster"]
    assert database["StorageEncrypted"] is True
    assert database["PubliclyAccessible"] is False
    assert database["BackupRetentionPeriod"] == 7


def test_the_image_s_settings_are_the_template_s() -> None:
    """The launcher looks for the run's definition under the variable that the template sets."""
    shipped = (TEMPLATES.parent / "dagster" / "dagster.yaml").read_text("utf-8")
    template = (TEMPLATES / "ecs.yaml").read_text("utf-8")
    for name in set(re.findall(r"\{env: (\w+)\}", shipped)):
        assert f"Name: {name}" in template, name
