"""The command as a whole: its subcommands, and what a start imports."""

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from f1_bronze.cli import COMMANDS, SUMMARIES, main
from f1_bronze.lake.lake import Lake
from f1_bronze.lake.local import LocalStore

from ..lake.candidates import BAHRAIN, candidate
from ..lake.examples import lap

HEAVY = {
    *("dagster", "pyarrow", "pandas", "duckdb", "rich", "boto3", "requests", "gql"),
    *("great_expectations", "f1_bronze.definitions"),
}


NOT_FOR_READING = {
    *("pandas", "duckdb", "boto3", "requests", "great_expectations", "openlineage", "watchtower"),
    *("dagster_aws", "dagster_webserver", "dagster_graphql", "f1_bronze.definitions"),
    *("f1_bronze.defs.assets", "f1_bronze.defs.run.ingestion", "f1_bronze.defs.io_manager"),
}
"""What asks, stores, checks and sends: commands that read the record do without it."""


def test_help_says_what_the_commands_say() -> None:
    """The list of commands has the first sentence of each command's own help."""
    context = click.Context(main)
    commands = {name: main.get_command(context, name) for name in COMMANDS}
    assert {
        name: command.get_short_help_str(500) for name, command in commands.items() if command
    } == SUMMARIES


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
        (["--help"], 0, {*HEAVY, "pydantic", "f1_bronze.settings", "f1_bronze.datasets"}),
        (["--version"], 0, {*HEAVY, "pydantic", "f1_bronze.settings", "f1_bronze.datasets"}),
        (["ingest", "--help"], 0, HEAVY),
        (["settings"], 0, {"dagster", "pyarrow", "pandas"}),
        (["sql", "SELECT 1"], 0, {"dagster"}),
        (["history", "laps", BAHRAIN.key], 0, {"dagster"}),
        (["history", "laps", "2025/monaco/race"], 2, {"dagster"}),
        (["sql", "SELECT nothing"], 2, {"dagster"}),
        (["status", "2025"], 1, NOT_FOR_READING),
        (["report", "2025", "--output", "page.html"], 0, NOT_FOR_READING),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_start_imports_what_the_command_needs(
    words: list[str], status: int, absent: set[str], tmp_path: Path
) -> None:
    """Help imports nothing heavy, and commands that do not touch Dagster do not import it."""
    Lake(LocalStore(tmp_path / "data/lake")).land(candidate([lap(1)]))
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
    assert imported & absent == set()
