"""f1-bronze init: a project folder, and what is in it."""

from pathlib import Path

import yaml

from f1_bronze import __version__
from f1_bronze.cli.init_command import without_checkout
from f1_bronze.defs.automation.instance import CONFIG
from f1_bronze_tests.commands import Run

ROOT = Path(__file__).parents[2]


def contents(folder: Path) -> dict[str, bytes]:
    """Each file below a folder by its path."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_files(run: Run, tmp_path: Path) -> None:
    """The folder has the workspace, Dagster's settings, all templates and all examples."""
    done = run("init", "project")
    assert (done.status, "cd project" in done.out) == (0, True)
    made = contents(tmp_path / "project")
    for name in ("deploy", "examples"):
        for path in (ROOT / name).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                copied = str(path.relative_to(ROOT))
                same = made[copied] == path.read_bytes()
                assert same == (copied != "deploy/dagster/Dockerfile"), copied
    assert made["workspace.yaml"] == (ROOT / "workspace.yaml").read_bytes()
    assert yaml.safe_load(made[".dagster_home/dagster.yaml"]) == yaml.safe_load(CONFIG)
    assert "`deploy/aws/`" in made["README.md"].decode()
    assert b"data/" in made[".gitignore"]
    assert made[".dockerignore"].splitlines()[-2:] == [b"*", b"!deploy"]


def test_nothing_is_overwritten(run: Run, tmp_path: Path) -> None:
    """Where one of the files exists nothing is written, and the message names it."""
    (tmp_path / "workspace.yaml").write_text("mine")
    done = run("init", ".")
    assert (done.status, "workspace.yaml" in done.err) == (2, True)
    assert contents(tmp_path) == {"workspace.yaml": b"mine"}
    done = run("init", ".", "--json")
    assert (done.status, done.data["error"]) == (2, "FilesExist")


def test_other_files_may_be_there(run: Run, tmp_path: Path) -> None:
    """A folder with other files, such as a virtual environment, is filled; JSON lists the files."""
    (tmp_path / "notes.txt").write_text("mine")
    done = run("init", ".", "--json")
    assert done.status == 0
    assert set(contents(tmp_path)) == {*done.data["files"], "notes.txt"}


def test_the_image_needs_no_checkout() -> None:
    """The Dockerfile installs this version from an index, and copies only what the folder has."""
    made = without_checkout((ROOT / "deploy/dagster/Dockerfile").read_text("utf-8"))
    assert f'"f1_bronze[postgresql,containers]=={__version__}"' in made
    copied = [
        word for line in made.splitlines() if line.startswith("COPY") for word in line.split()
    ]
    assert {word for word in copied if word.startswith("deploy/")} == {
        "deploy/compose/dagster.yaml",
        "deploy/dagster/constraints.txt",
        "deploy/dagster/dagster.yaml",
        "deploy/dagster/workspace.yaml",
    }
    assert not {"pyproject.toml", "f1_bronze", "tools", "examples"} & set(copied)
