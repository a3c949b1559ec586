"""docs/guides/add_a_dataset.md, followed word for word: one file and a line make a dataset."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from f1_bronze_tests.test_docs import alike, blocks

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/guides/add_a_dataset.md").read_text("utf-8")
DERIVED = """\
from f1_bronze.datasets import DATASETS
from f1_bronze.definitions import defs
from tools.dataset_docs import datasets_page
from tools.glue_template import template_text

keys = {spec.key.to_user_string() for spec in defs.resolve_all_asset_specs()}
assert {"bronze/weather", "openf1/weather"} <= keys, keys
checks = {key.name for key in defs.resolve_asset_graph().asset_check_keys
          if key.asset_key.path[-1] == "weather"}
assert checks == {"rules"}, checks
assert "laps and weather" in defs.get_job_def("bronze_sessions").description
assert "## weather" in datasets_page()
assert "track_temperature" in template_text()
"""


def run(words: list[str], folder: Path, package: Path, status: int = 0) -> str:
    """What a program prints, with the changed package in the place of this one."""
    environ = {name: os.environ[name] for name in os.environ if not name.startswith("F1_BRONZE_")}
    environ |= {
        "PYTHONPATH": str(package),
        "COLUMNS": "120",  # a terminal that the tables fit
        "F1_BRONZE_RATE_STORE": "memory",
        "F1_BRONZE_LAKE_URI": str(folder / "data/demo/lake"),
        "DAGSTER_HOME": str(folder / "data/demo/dagster_home"),
    }
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == status, done.stdout
    return done.stdout


@pytest.mark.slow
def test_one_file_and_a_line(tmp_path: Path) -> None:
    """The weather is stored, checked, queried, traced and reported like the other six."""
    package, folder = tmp_path / "source", tmp_path / "empty"
    folder.mkdir()
    for name in ("f1_bronze", "tools"):
        shutil.copytree(ROOT / name, package / name, ignore=shutil.ignore_patterns("__pycache__"))
    declaration, line = blocks(PAGE, "python")
    (package / "f1_bronze/datasets/weather.py").write_text(declaration, "utf-8")
    roll_call = package / "f1_bronze/datasets/__init__.py"
    imported, listed = line.strip().split("\n\n")
    listing = re.sub(
        r"^DATASETS: .*$",
        lambda _: f"{imported}\n{listed}",
        roll_call.read_text("utf-8"),
        flags=re.M,
    )
    roll_call.write_text(listing, "utf-8")

    typed, promised = blocks(PAGE, "console")[0].split("\n", 1)
    command = ["-m", "f1_bronze.cli"]
    printed = run([*command, *shlex.split(typed)[2:]], folder, package)
    assert alike("\n".join(printed.splitlines()[: len(promised.splitlines())]), promised), printed
    run(["-c", DERIVED], folder, package)

    counted = "SELECT session_type, count(*) AS rows FROM weather GROUP BY ALL ORDER BY ALL"
    assert json.loads(run([*command, "sql", counted, "--json"], folder, package)) == [
        {"session_type": "qualifying", "rows": 61},
        {"session_type": "race", "rows": 121},
    ]
    assert "bronze_weather" in run(
        [*command, "lineage", "weather", "2025/bahrain/race"], folder, package
    )
    # The sessions lack the five others, which is an exit status of 1.
    assert "weather" in run([*command, "status", "2025"], folder, package, status=1)
