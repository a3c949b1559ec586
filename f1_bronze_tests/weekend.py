"""A weekend that was ingested once; each test gets a copy of its lake and Dagster home."""

import json
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
PRINTED = "printed.json"
"""In the folder: what the command that ingested the weekend has printed, on both streams."""
DATASET = {dataset.name: dataset for dataset in DATASETS}


@dataclass(frozen=True)
class Weekend:
    """Bahrain 2025 in a folder of its own: `lake` and `home`."""

    folder: Path

    @property
    def printed(self) -> tuple[str, str]:
        """What the ingest printed: its table, and its messages."""
        out, err = json.loads((self.folder / PRINTED).read_text("utf-8"))
        return out, err

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
    """Without any setting, so that it is stored where the demo is; what it printed is kept too."""
    folder.mkdir()
    settings = ("F1_BRONZE_", "AWS_", "DAGSTER_")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(settings)}
    environ |= {"DAGSTER_DISABLE_TELEMETRY": "1", "COLUMNS": "240"}
    words = ["ingest", "2025", "--grand-prix", "bahrain", "--offline"]
    done = subprocess.run(
        [sys.executable, "-m", "f1_bronze.cli", *words],
        env=environ,
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    (folder / PRINTED).write_text(json.dumps([done.stdout, done.stderr]), "utf-8")
    (folder / "data/demo/lake").rename(folder / "lake")
    (folder / "data/demo/dagster_home").rename(folder / "home")


@pytest.fixture
def weekend(ingested_weekend: Weekend, tmp_path: Path) -> Weekend:
    """A copy that the test may change."""
    return ingested_weekend.copied(tmp_path / "weekend")
