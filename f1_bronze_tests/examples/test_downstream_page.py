"""What docs/guides/downstream.md asks people to type works, in its order."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/guides/downstream.md").read_text("utf-8")
FOLDER = "year=2025/grand_prix=bahrain/session_type=race"


def typed(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of the page in a folder; commands are those of this Python."""
    words = shlex.split(line)
    module = {"f1-bronze": "f1_bronze.cli", "dagster": "dagster"}[words[0]]
    environ = {
        **os.environ,
        "F1_BRONZE_LAKE_URI": str(folder / "data/demo/lake"),
        "DAGSTER_HOME": str(folder / "data/demo/dagster_home"),
        "F1_BRONZE_RATE_STORE": "memory",
        "PYTHONPATH": str(ROOT),
    }
    return subprocess.run(
        [sys.executable, "-m", module, *words[1:]],
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_the_commands(tmp_path: Path) -> None:
    """Bronze is ingested and both silver assets are made, together with bronze and alone."""
    [block] = re.findall(r"^```console\n(.*?)^```", PAGE, flags=re.M | re.S)
    export, *lines = [line.removeprefix("$ ") for line in block.splitlines()]
    assert export == (
        "export F1_BRONZE_LAKE_URI=$PWD/data/demo/lake DAGSTER_HOME=$PWD/data/demo/dagster_home"
    )
    for line in lines:
        done = typed(line, tmp_path)
        assert done.returncode == 0, done.stdout
    lake = tmp_path / "data/demo/lake/silver"
    drivers = pq.read_table(lake / "driver_pace" / FOLDER / "driver_pace.parquet")
    tyres = pq.read_table(lake / "tyre_pace" / FOLDER / "tyre_pace.parquet")
    assert drivers.num_rows == 20
    assert drivers.column_names[:2] == ["session_key", "driver_number"]
    assert set(tyres["compound"].to_pylist()) >= {"MEDIUM", "HARD"}


def test_the_workspaces() -> None:
    """What `dagster dev` is given are modules with definitions, and both have the sensor."""
    from examples.silver import alone, together

    given = re.findall(r"^dagster dev (.*)$", PAGE, flags=re.M)
    assert given == ["-m examples.silver.together", "-w examples/silver/workspace.yaml"]
    loaded = yaml.safe_load((ROOT / "examples/silver/workspace.yaml").read_text("utf-8"))
    modules = [one["python_module"]["module_name"] for one in loaded["load_from"]]
    assert modules == ["f1_bronze.definitions", "examples.silver.alone"]
    for module in (together, alone):
        repository = module.defs.get_repository_def()
        assert repository.has_sensor_def("silver_follows_bronze")
        silver = set(repository.asset_graph.materializable_asset_keys)
        assert {"silver/driver_pace", "silver/tyre_pace"} <= {k.to_user_string() for k in silver}
    executable = alone.defs.get_repository_def().asset_graph.materializable_asset_keys
    assert {key.path[0] for key in executable} == {"silver"}
