"""The image of a deployment: its files, its versions, and a configuration that Dagster takes."""

import importlib
import importlib.util
import re
import shlex
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from dagster._config import process_config, resolve_to_config_type
from dagster._core.instance.config import dagster_instance_config
from dagster._core.instance.ref import InstanceRef
from dagster._core.workspace.config_schema import process_workspace_config
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.constraints import image_requirements, read_versions

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy" / "dagster"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text("utf-8")


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a task definition sets, and the port that the image sets."""
    for name in ("PG_HOST", "PG_USERNAME", "PG_PASSWORD", "PG_DB", "LOGS_BUCKET"):
        monkeypatch.setenv(f"DAGSTER_{name}", "any")
    [port] = re.findall(r"DAGSTER_PG_PORT=(\d+)", DOCKERFILE)
    monkeypatch.setenv("DAGSTER_PG_PORT", port)


def test_dagster_takes_the_settings() -> None:
    """No setting is misspelt or contradicts another, by Dagster's own schema."""
    config, custom = dagster_instance_config(str(DEPLOY))
    assert custom is None
    assert config["concurrency"] == {
        "pools": {"granularity": "run"},
        "runs": {"max_concurrent_runs": 25},
    }
    assert config["run_retries"]["retry_on_asset_or_op_failure"] is False
    assert config["run_monitoring"]["poll_interval_seconds"] == 30


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("run_launcher_data", "EcsRunLauncher"),
        ("run_coordinator_data", "QueuedRunCoordinator"),
        ("compute_logs_data", "S3ComputeLogManager"),
        ("storage_data", "DagsterPostgresStorage"),
    ],
)
def test_the_classes_take_theirs(part: str, name: str, variables: None) -> None:
    """Each class exists and has every setting that it is given."""
    if part == "storage_data":
        pytest.importorskip("dagster_postgres", reason="only the image of a deployment has it")
    data = getattr(InstanceRef.from_dir(str(DEPLOY)), part)
    assert data.class_name == name
    taken = process_config(
        resolve_to_config_type(
            getattr(importlib.import_module(data.module_name), name).config_type()
        ),
        yaml.safe_load(data.config_yaml),
    )
    assert taken.errors in (None, [])


def test_the_driver_is_named_and_the_port_is_free(
    variables: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLAlchemy would take plain `postgresql` for a driver with which no event can be stored."""
    pytest.importorskip("dagster_postgres", reason="only the image of a deployment has it")
    from dagster_postgres.storage import DagsterPostgresStorage
    from dagster_postgres.utils import pg_url_from_config

    monkeypatch.setenv("DAGSTER_PG_PORT", "6543")
    data = InstanceRef.from_dir(str(DEPLOY)).storage_data
    taken = process_config(
        resolve_to_config_type(DagsterPostgresStorage.config_type()),
        yaml.safe_load(data.config_yaml),
    )
    assert pg_url_from_config(taken.value) == "postgresql+psycopg2://any:any@any:6543/any"


def test_the_workspace_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The webserver and the daemon find the code server under the location's one name."""
    monkeypatch.setenv("F1_BRONZE_CODE_SERVER", "code")
    workspace = yaml.safe_load((DEPLOY / "workspace.yaml").read_text("utf-8"))
    assert process_workspace_config(workspace).success
    [origin] = [entry["grpc_server"] for entry in workspace["load_from"]]
    assert (origin["location_name"], origin["port"]) == ("f1_bronze", 4000)


def instructions(name: str) -> Iterator[str]:
    """The arguments of each such instruction of the Dockerfile."""
    text = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.M))
    yield from re.findall(rf"^{name} (.*)$", text, flags=re.M)


def test_runs_get_the_image_of_the_code_server() -> None:
    """Without a name for its image no run launcher can start a run."""
    assert "DAGSTER_CURRENT_IMAGE=$IMAGE" in list(instructions("ENV"))
    assert list(instructions("ARG")) == ["IMAGE=f1-bronze"]


def test_what_is_copied_is_sent_to_the_builder() -> None:
    """.dockerignore lets through what the image is made of, and neither lake nor environment."""
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    kept = [line.removeprefix("!") for line in lines if line.startswith("!")]
    ignored = [line for line in lines if line and not line.startswith(("!", "#"))]
    sources = [one for line in instructions("COPY") for one in shlex.split(line)[:-1]]
    assert len(sources) >= 7
    for source in sources:
        assert (ROOT / source).exists(), source
        assert any(source == one or source.startswith(f"{one}/") for one in kept), source
    assert ignored[0] == "*"
    for name in ("data", ".venv", ".dagster_home", ".git"):
        assert name not in kept
    assert any(fnmatch("f1_bronze/lake/__pycache__", pattern) for pattern in ignored[1:])


def test_the_image_loads_what_the_code_location_needs() -> None:
    """The modules that the build imports, to fail early and to compile them, exist."""
    [line] = [line for line in instructions("RUN") if "import" in line]
    for module in re.findall(r"f1_bronze\.[\w.]+", line[line.index("import") :]):
        assert importlib.util.find_spec(module) is not None, module


def pins() -> dict[str, str]:
    """The versions of the constraints file by package."""
    lines = (DEPLOY / "constraints.txt").read_text("utf-8").splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def test_the_image_installs_tested_versions() -> None:
    """Every requirement has a version that it allows, and what Dagster's storage needs has one."""
    assert any("-c /src/constraints.txt" in line for line in instructions("RUN"))
    pinned = pins()
    for requirement in map(Requirement, image_requirements()):
        assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)])
    assert {"sqlalchemy", "psycopg2-binary", "dagster-postgres", "grpcio"} <= set(pinned)
    assert list(pinned) == sorted(pinned)


def test_versions_are_those_of_what_is_needed() -> None:
    """Directly or by another, under its extras; what is not installed here has no version."""
    installed: dict[str, Any] = {
        "a": SimpleNamespace(version="1", requires=["B-b[x]>=1", "c; extra == 'more'"]),
        "b-b": SimpleNamespace(version="2", requires=["d; extra == 'x'", "e; os_name == 'no'"]),
        "c": SimpleNamespace(version="3", requires=None),
        "d": SimpleNamespace(version="4", requires=["a", "f"]),
    }

    def find(name: str) -> Any:
        if name not in installed:
            raise PackageNotFoundError(name)
        return installed[name]

    assert read_versions(["a"], find) == {"a": "1", "b-b": "2", "d": "4"}
    assert read_versions(["A[more]"], find) == {"a": "1", "b-b": "2", "c": "3", "d": "4"}
