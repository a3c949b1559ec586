"""The example configuration of a deployment is one that Dagster takes."""

import importlib
from pathlib import Path

import pytest
import yaml
from dagster._config import process_config, resolve_to_config_type
from dagster._core.instance.config import dagster_instance_config
from dagster._core.instance.ref import InstanceRef
from dagster._core.workspace.config_schema import process_workspace_config

DEPLOY = Path(__file__).parents[2] / "deploy" / "dagster"


def test_dagster_takes_the_settings() -> None:
    """No setting is misspelt or contradicts another, by Dagster's own schema."""
    config, custom = dagster_instance_config(str(DEPLOY))
    assert custom is None
    assert config["concurrency"] == {
        "pools": {"granularity": "run"},
        "runs": {"max_concurrent_runs": 25},
    }
    assert config["run_retries"]["retry_on_asset_or_op_failure"] is False


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("run_launcher_data", "EcsRunLauncher"),
        ("run_coordinator_data", "QueuedRunCoordinator"),
        ("compute_logs_data", "S3ComputeLogManager"),
        ("storage_data", "DagsterPostgresStorage"),
    ],
)
def test_the_classes_take_theirs(part: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each class exists and has every setting that it is given."""
    if part == "storage_data":
        pytest.importorskip("dagster_postgres", reason="only the image of a deployment has it")
    for variable in ("PG_HOST", "PG_USERNAME", "PG_PASSWORD", "PG_DB", "LOGS_BUCKET"):
        monkeypatch.setenv(f"DAGSTER_{variable}", "any")
    data = getattr(InstanceRef.from_dir(str(DEPLOY)), part)
    assert data.class_name == name
    taken = process_config(
        resolve_to_config_type(
            getattr(importlib.import_module(data.module_name), name).config_type()
        ),
        yaml.safe_load(data.config_yaml),
    )
    assert taken.errors in (None, [])


def test_the_workspace_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The webserver and the daemon find the code server under the location's one name."""
    monkeypatch.setenv("F1_BRONZE_CODE_SERVER", "code")
    workspace = yaml.safe_load((DEPLOY / "workspace.yaml").read_text("utf-8"))
    assert process_workspace_config(workspace).success
    [origin] = [entry["grpc_server"] for entry in workspace["load_from"]]
    assert (origin["location_name"], origin["port"]) == ("f1_bronze", 4000)
