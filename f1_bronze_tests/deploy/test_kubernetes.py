"""deploy/kubernetes/values.yaml as far as can be checked without a cluster and without the chart.

What the chart writes into dagster.yaml is taken by Dagster's own schemas, Kubernetes' client knows
every field of its objects, and the job of a run is made by Dagster's launcher from these values.
"""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster._config import process_config, resolve_to_config_type
from dagster._core.instance.config import dagster_instance_config

ROOT = Path(__file__).parents[2]
VALUES = yaml.safe_load((ROOT / "deploy/kubernetes/values.yaml").read_text("utf-8"))
[CODE] = VALUES["dagster-user-deployments"]["deployments"]
LAUNCHER = VALUES["runLauncher"]["config"]["k8sRunLauncher"]
_POD = (
    "env envConfigMaps envSecrets labels nodeSelector affinity tolerations podSecurityContext "
    "securityContext resources livenessProbe readinessProbe startupProbe annotations volumes "
    "volumeMounts schedulerName image"
)
CHART = {
    "": "dagsterWebserver dagster-user-deployments postgresql generatePostgresqlPasswordSecret "
    "generateCeleryConfigSecret rabbitmq redis flower ingress imagePullSecrets computeLogManager "
    "scheduler runLauncher pythonLogs dagsterDaemon busybox migrate telemetry serviceAccount "
    "global retention concurrency additionalInstanceConfig",
    "global": "postgresqlSecretName dagsterHome serviceAccountName celeryConfigSecretName",
    "serviceAccount": "create name annotations",
    "dagsterWebserver": f"{_POD} replicaCount nameOverride service workspace deploymentLabels "
    "enableReadOnly dbStatementTimeout dbPoolRecycle logLevel pathPrefix",
    "dagsterWebserver.workspace": "enabled servers externalConfigmap",
    "dagsterDaemon": f"{_POD} enabled runCoordinator heartbeatTolerance deploymentLabels "
    "runMonitoring runRetries sensors schedules",
    "dagsterDaemon.runCoordinator": "enabled type config",
    "dagsterDaemon.runCoordinator.config.queuedRunCoordinator": "maxConcurrentRuns "
    "tagConcurrencyLimits dequeueIntervalSeconds dequeueNumWorkers dequeueUseThreads",
    "dagsterDaemon.runMonitoring": "enabled startTimeoutSeconds maxResumeRunAttempts "
    "pollIntervalSeconds",
    "runLauncher": "type config",
    "runLauncher.config": "k8sRunLauncher celeryK8sRunLauncher customRunLauncher",
    "runLauncher.config.k8sRunLauncher": "image imagePullPolicy jobNamespace loadInclusterConfig "
    "kubeconfigFile envConfigMaps envSecrets envVars volumeMounts volumes labels "
    "failPodOnRunFailure resources schedulerName securityContext runK8sConfig",
    "runLauncher.config.k8sRunLauncher.runK8sConfig": "containerConfig podSpecConfig "
    "podTemplateSpecMetadata jobSpecConfig jobMetadata",
    "computeLogManager": "type config",
    "computeLogManager.config.s3ComputeLogManager": "localDir prefix useSsl verify verifyCertPath "
    "endpointUrl skipEmptyFiles uploadInterval uploadExtraArgs showUrlOnly region bucket",
    "postgresql": "image enabled postgresqlHost postgresqlUsername postgresqlPassword "
    "postgresqlDatabase postgresqlParams postgresqlScheme service",
    "retention": "enabled sensor schedule autoMaterialize",
    "retention.sensor": "purgeAfterDays",
    "retention.schedule": "purgeAfterDays",
    "dagster-user-deployments": "enabled enableSubchart imagePullSecrets deployments",
}
"""Names that the chart has, by section; from the schema of its values, which it comes with
(https://github.com/dagster-io/dagster/tree/master/helm/dagster/schema, read for 1.13)."""
DEPLOYMENT = (
    f"{_POD} name port dagsterApiGrpcArgs codeServerArgs includeConfigInLaunchedRuns "
    "deploymentStrategy serviceAccount initContainers sidecarContainers service"
)
"""Names of a code server, from the same schema and the template of its deployment."""


def snake(name: str) -> str:
    """A name as Dagster writes what the chart writes in camel case."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def dagster_yaml() -> dict[str, Any]:
    """What the chart makes of the values, as its templates of 1.13 do."""
    daemon, logs = VALUES["dagsterDaemon"], VALUES["computeLogManager"]
    monitoring = {snake(name): value for name, value in daemon["runMonitoring"].items()}
    retention = {
        name: {"purge_after_days": VALUES["retention"][name]["purgeAfterDays"]}
        for name in ("schedule", "sensor")
    }
    return {
        "telemetry": VALUES["telemetry"],
        "run_launcher": {
            "module": "dagster_k8s",
            "class": VALUES["runLauncher"]["type"],
            "config": {
                "dagster_home": "/opt/dagster/dagster_home",
                "instance_config_map": "dagster-instance",
                "postgres_password_secret": VALUES["global"]["postgresqlSecretName"],
                "service_account_name": VALUES["global"]["serviceAccountName"],
                "image_pull_policy": LAUNCHER["imagePullPolicy"],
                "load_incluster_config": LAUNCHER["loadInclusterConfig"],
                "resources": LAUNCHER["resources"],
                "security_context": LAUNCHER["securityContext"],
                "run_k8s_config": {
                    snake(name): config for name, config in LAUNCHER["runK8sConfig"].items()
                },
            },
        },
        "run_coordinator": {
            "module": "dagster.core.run_coordinator",
            "class": daemon["runCoordinator"]["type"],
            "config": {
                snake(name): value
                for name, value in daemon["runCoordinator"]["config"][
                    "queuedRunCoordinator"
                ].items()
            },
        },
        "run_monitoring": monitoring,
        "retention": retention if VALUES["retention"]["enabled"] else {},
        "compute_logs": {
            "module": "dagster_aws.s3.compute_log_manager",
            "class": logs["type"],
            "config": {
                snake(name): value for name, value in logs["config"]["s3ComputeLogManager"].items()
            },
        },
        **VALUES["additionalInstanceConfig"],
    }


def test_dagster_takes_the_settings(tmp_path: Path) -> None:
    """No setting is misspelt or contradicts another; the guarantees are those of the other ways."""
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(dagster_yaml()))
    config, custom = dagster_instance_config(str(tmp_path))
    assert custom is None
    shipped = yaml.safe_load((ROOT / "deploy/dagster/dagster.yaml").read_text("utf-8"))
    for part in ("concurrency", "run_retries", "run_coordinator"):
        assert config[part] == shipped[part], part
    assert config["run_monitoring"] == shipped["run_monitoring"]
    # The chart wants a number for each kind of tick; -1, for ever, is Dagster's own for this one.
    assert config["retention"]["sensor"]["purge_after_days"].pop("started") == -1
    assert config["retention"] == shipped["retention"]
    scheme = shipped["storage"]["postgres"]["postgres_db"]["scheme"]
    assert VALUES["postgresql"]["postgresqlScheme"] == scheme


@pytest.mark.parametrize("section", CHART)
def test_the_chart_has_every_name(section: str) -> None:
    """Helm ignores a value whose name the chart does not have."""
    found = VALUES
    for name in filter(None, section.split(".")):
        found = found[name]
    assert set(found) <= set(CHART[section].split())


def test_the_chart_has_every_name_of_the_code_server() -> None:
    """It is one process, whose end ends the pod (`codeServerArgs` would start two)."""
    assert set(CODE) <= set(DEPLOYMENT.split())
    assert "dagsterApiGrpcArgs" in CODE
    sensor = VALUES["retention"]["sensor"]["purgeAfterDays"]
    assert set(sensor) == {"skipped", "success", "failure", "started"}


def test_the_launcher_takes_its_settings() -> None:
    """The launcher has every setting that it is given."""
    launcher = pytest.importorskip("dagster_k8s").K8sRunLauncher
    taken = process_config(
        resolve_to_config_type(launcher.config_type()), dagster_yaml()["run_launcher"]["config"]
    )
    assert taken.errors in (None, [])


def test_kubernetes_knows_every_field() -> None:
    """Security contexts, resources, volumes and variables have no field that Kubernetes has not."""
    models = pytest.importorskip("dagster_k8s.models")
    from kubernetes import client

    for part in (VALUES["dagsterWebserver"], VALUES["dagsterDaemon"], CODE, LAUNCHER):
        for name, model in (
            ("securityContext", client.V1SecurityContext),
            ("resources", client.V1ResourceRequirements),
        ):
            models.k8s_snake_case_dict(model, part[name])
        assert part["securityContext"]["readOnlyRootFilesystem"] is True
        assert part["securityContext"]["runAsNonRoot"] is True
        for name, model in (
            ("volumes", client.V1Volume),
            ("volumeMounts", client.V1VolumeMount),
            ("env", client.V1EnvVar),
        ):
            for one in part.get(name, ()):
                models.k8s_snake_case_dict(model, one)


def test_the_job_of_a_run() -> None:
    """A run's pod is an ordinary user's with a read-only root, has the code server's variables and
    secrets, and is not started again by Kubernetes."""
    k8s = pytest.importorskip("dagster_k8s")
    from dagster_k8s.container_context import K8sContainerContext
    from dagster_k8s.job import DagsterK8sJobConfig, construct_dagster_k8s_job

    config = dagster_yaml()["run_launcher"]["config"]
    launched = K8sContainerContext.create_from_config(
        {"k8s": {"run_k8s_config": config["run_k8s_config"]}}
    )
    context = K8sContainerContext.create_from_config(
        {
            "k8s": {
                "env": CODE["env"],
                "env_secrets": [one["name"] for one in CODE["envSecrets"]],
                "image_pull_policy": CODE["image"]["pullPolicy"],
                "resources": CODE["resources"],
                "security_context": CODE["securityContext"],
                "service_account_name": VALUES["global"]["serviceAccountName"],
                "volumes": CODE["volumes"],
                "volume_mounts": CODE["volumeMounts"],
            }
        }
    )
    merged = launched.merge(context)
    job = construct_dagster_k8s_job(
        DagsterK8sJobConfig(
            job_image="registry/f1-bronze:1",
            dagster_home=config["dagster_home"],
            instance_config_map=config["instance_config_map"],
            postgres_password_secret=config["postgres_password_secret"],
        ),
        ["dagster", "api", "execute_run"],
        "dagster-run-1",
        merged.run_k8s_config,
    )
    assert k8s.K8sRunLauncher.__name__ == VALUES["runLauncher"]["type"]
    pod = job.spec.template.spec
    [container] = pod.containers
    assert job.spec.backoff_limit == 0
    assert pod.restart_policy == "Never"
    assert pod.service_account_name == "f1-bronze"
    assert container.security_context.read_only_root_filesystem is True
    assert container.security_context.run_as_non_root is True
    assert {one.mount_path for one in container.volume_mounts} >= {"/tmp"}
    assert {one.name for one in container.env} >= {one["name"] for one in CODE["env"]}
    assert [one.secret_ref.name for one in container.env_from] == ["f1-bronze"]


def test_the_image_and_the_location_are_the_others() -> None:
    """One image everywhere, of the tested Dagster; the code location's name is that of all ways."""
    images = [part["image"] for part in (VALUES["dagsterWebserver"], VALUES["dagsterDaemon"], CODE)]
    assert all(image == images[0] for image in images)
    [server] = VALUES["dagsterWebserver"]["workspace"]["servers"]
    assert server == {"host": CODE["name"], "port": CODE["port"], "name": "f1_bronze"}
    pins = (ROOT / "deploy/dagster/constraints.txt").read_text("utf-8").splitlines()
    [version] = [line.partition("==")[2] for line in pins if line.startswith("dagster==")]
    assert f"--version {version}" in (ROOT / "deploy/kubernetes/values.yaml").read_text("utf-8")
