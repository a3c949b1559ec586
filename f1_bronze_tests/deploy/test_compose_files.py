"""deploy/compose: what its files say of each other; test_compose.py runs them."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "compose"


def read(name: str) -> dict[str, Any]:
    """A file of the folder."""
    return dict(yaml.safe_load((FOLDER / name).read_text("utf-8")))


def test_dagster_remembers_and_retries_as_on_ecs() -> None:
    """The two configurations differ in launcher, logs and the number of runs, and nowhere else."""
    here, ecs = (
        read("dagster.yaml"),
        yaml.safe_load((ROOT / "deploy/dagster/dagster.yaml").read_text("utf-8")),
    )
    for config in (here, ecs):
        del config["run_launcher"], config["compute_logs"]
        assert config["concurrency"]["runs"].pop("max_concurrent_runs") in (4, 25)
    assert here == ecs


def test_runs_get_the_variables_of_the_code_server() -> None:
    """Every one but the code server's own address, which no run needs."""
    service = read("compose.yaml")["services"]["code"]
    given = set(service["environment"]) - {"F1_BRONZE_CODE_SERVER", "DAGSTER_CONTAINER_CONTEXT"}
    launched = read("dagster.yaml")["run_launcher"]["config"]["env_vars"]
    assert set(launched) == given
    assert launched == sorted(launched)


@pytest.mark.parametrize("name", ["compose.yaml", "demo.yaml"])
def test_runs_get_the_network_and_the_volume(name: str) -> None:
    """The launcher takes what the code server hands on, and its names are those of the file."""
    context = pytest.importorskip("dagster_docker.container_context").DockerContainerContext
    file = read(name)
    config = json.loads(file["services"]["code"]["environment"]["DAGSTER_CONTAINER_CONTEXT"])
    made = context.create_from_config(config)
    assert made.networks == [file["networks"]["default"]["name"]]
    assert made.container_kwargs["volumes"] == [
        f"{file['volumes']['data']['name']}:/var/lib/f1-bronze"
    ]
    assert made.container_kwargs["read_only"] is True


@pytest.mark.parametrize("name", ["compose.yaml", "demo.yaml", "s3.yaml"])
def test_ours_have_a_read_only_root(name: str) -> None:
    """Every service of our image, whatever file it is in; and only known services are changed."""
    known = set(read("compose.yaml")["services"])
    for service, config in read(name)["services"].items():
        if "F1_BRONZE_IMAGE" in config.get("image", ""):
            assert config["read_only"] is True, service
            assert config["tmpfs"] == ["/tmp"], service
        elif "image" not in config:
            assert service in known


def test_the_demo_has_volumes_of_its_own() -> None:
    """Invented data never gets into the lake or the record of a real deployment."""
    real, demo = read("compose.yaml"), read("demo.yaml")
    assert set(demo["volumes"]) == set(real["volumes"])
    for name, volume in demo["volumes"].items():
        assert volume["name"] != real["volumes"][name]["name"]
