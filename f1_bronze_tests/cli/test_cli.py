"""The command as a whole: its subcommands, and what a start imports."""

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from f1_bronze.cli import COMMANDS, main

HEAVY = {
    *("dagster", "pyarrow", "pandas", "duckdb", "rich", "boto3", "requests", "gql"),
    *("great_expectations", "f1_bronze.definitions"),
}


def test_the_subcommands() -> None:
    """Each subcommand is found by its name and listed by --help."""
    assert (
        *("ingest", "backfill", "partitions", "status", "report", "history", "verify", "sql"),
        *("lineage", "chart", "metrics", "doctor", "settings", "simulate", "demo", "init", "ui"),
    ) == COMMANDS
    context = click.Context(main)
    assert [main.get_command(context, name).name for name in COMMANDS] == list(COMMANDS)
    assert main.get_command(context, "console") is None
    listed = CliRunner().invoke(main, ["--help"]).stdout
    assert [line.split()[0] for line in listed.splitlines()[-len(COMMANDS) :]] == list(COMMANDS)


@pytest.mark.parametrize(
    ("words", "status", "absent"),
    [
        (["--help"], 0, HEAVY),
        (["ingest", "--help"], 0, HEAVY),
        (["settings"], 0, {"dagster", "pyarrow", "pandas"}),
        (["sql", "SELECT 1"], 0, {"dagster"}),
        (["history", "laps", "2025/bahrain/race"], 2, {"dagster"}),
        (["sql", "SELECT nothing"], 2, {"dagster"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_start_imports_what_the_command_needs(
    words: list[str], status: int, absent: set[str], tmp_path: Path
) -> None:
    """Help imports nothing heavy, and commands that do not touch Dagster do not import it."""
    program = (
        "import sys\n"
        "from f1_bronze.cli import main\n"
        "try:\n"
        f"    main({words!r})\n"
        "finally:\n"
        "    print(*sys.modules, file=open('modules', 'w'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == status, done.stderr
    imported = set((tmp_path / "modules").read_text().split())
    assert "f1_bronze.cli.settings_command" in imported or words[0] != "--help"
    assert imported & absent == set()
