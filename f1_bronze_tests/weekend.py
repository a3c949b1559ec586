"""A weekend that was ingested once; each test gets a copy of its lake and Dagster home."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.lake.lake import Lake

from .commands import Ran
from .once import made_once

RACE = SessionPartition.parse("2025/bahrain/race")
DATASET = {dataset.name: dataset for dataset in DATASETS}


@dataclass(frozen=True)
class Weekend:
    """Bahrain 2025 in a folder of its own: `lake` and `home`."""

    folder: Path

    @property
    def lake(self) -> Lake:
        return Lake.at(str(self.folder / "lake"))

    def file(self, dataset: str = "laps", partition: SessionPartition = RACE) -> Path:
        """The one file of a partition."""
        place = f"year={partition.year}/grand_prix={partition.grand_prix}"
        there = self.folder / "lake/bronze" / dataset / place
        [found] = (there / f"session_type={partition.session_type}").glob("*.parquet")
        return found

    def run(self, command: click.Command, *words: str) -> Ran:
        """Run a command of ours on it."""
        environ = {
            "F1_BRONZE_LAKE_URI": str(self.folder / "lake"),
            "DAGSTER_HOME": str(self.folder / "home"),
            "COLUMNS": "240",
        }
        result = CliRunner().invoke(command, words, env=environ)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ran(result.exit_code, result.stdout, result.stderr)

    def copied(self, to: Path) -> "Weekend":
        shutil.copytree(self.folder, to)
        return Weekend(to)


@pytest.fixture(scope="session")
def ingested_weekend(tmp_path_factory: pytest.TempPathFactory) -> Weekend:
    """Ingested by the command itself from the embedded simulator, once for all tests of a run."""
    return Weekend(made_once(tmp_path_factory, "ingested-weekend", _ingest))


def _ingest(folder: Path) -> None:
    folder.mkdir()
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("F1_BRONZE_", "AWS_"))}
    environ |= {
        "F1_BRONZE_LAKE_URI": str(folder / "lake"),
        "DAGSTER_HOME": str(folder / "home"),
        "DAGSTER_DISABLE_TELEMETRY": "1",
    }
    words = ["ingest", "2025", "--grand-prix", "bahrain", "--offline"]
    subprocess.run(
        [sys.executable, "-m", "f1_bronze.cli", *words],
        env=environ,
        cwd=folder,
        check=True,
        capture_output=True,
    )


@pytest.fixture
def weekend(ingested_weekend: Weekend, tmp_path: Path) -> Weekend:
    """A copy that the test may change."""
    return ingested_weekend.copied(tmp_path / "weekend")
