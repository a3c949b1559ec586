"""The f1-bronze command: its subcommands by name, each imported when it is used.

A command's module may import only light modules at its top and imports the others in its
functions: a command should start no slower than its own work requires. test_cli.py holds this.
"""

import logging
import os
from importlib import import_module
from textwrap import shorten

import click

from f1_bronze import __version__

SUMMARIES = {
    "ingest": "Ingest the sessions of SEASONS (2025, 2023-2025, 2023,2025) through Dagster.",
    "backfill": "Backfill the sessions of SEASONS (2025, 2023-2025, 2023,2025) on a deployment's "
    "workers.",
    "partitions": "Register the sessions of SEASONS that have ended as partitions, without "
    "ingesting them.",
    "status": "Print the coverage of SEASONS: the state of each dataset of each session.",
    "report": "Write SEASONS as one self-contained HTML page.",
    "history": "List the revisions of a partition (laps 2025/bahrain/race), or print one of them.",
    "verify": "Read and hash every file of SEASONS and compare the lake with Dagster's record.",
    "sql": "Run one SQL query (DuckDB) over the lake, which it cannot change.",
    "lineage": "Show where a partition (laps 2025/bahrain/race) comes from and what became of it.",
    "chart": "Write a chart of KIND of a PARTITION (2025/bahrain/race) as SVG.",
    "metrics": "Print and plot metrics: of CloudWatch if F1_BRONZE_METRICS says so, else of the "
    "lake.",
    "doctor": "Check settings, API, lake, metrics, lineage and Dagster home; say how to fix what "
    "fails.",
    "settings": "List the settings: variable, value, whether it is the default, meaning.",
    "simulate": "Serve the OpenF1 simulator, on 127.0.0.1 unless --host says otherwise, until "
    "interrupted.",
    "demo": "Tell a story in simulated sessions in data/demo, and open the UI on it with --ui.",
    "init": "Make a project folder: workspace, settings, deploy templates, examples.",
    "ui": "Open the Dagster UI on the runs and the lake of this deployment; Ctrl-C ends it.",
}
"""What `--help` says of each command: the first sentence of its own help, here so that listing the
commands imports none of them."""

COMMANDS = tuple(SUMMARIES)


class Commands(click.Group):
    """Finds the command `name` in the module `f1_bronze.cli.name_command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order in which help lists them."""
        return list(COMMANDS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands."""
        width = formatter.width - 6 - max(map(len, COMMANDS))
        rows = [(name, shorten(text, width, placeholder="...")) for name, text in SUMMARIES.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, or None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        command = getattr(import_module(f"f1_bronze.cli.{cmd_name}_command"), cmd_name)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="f1-bronze")
@click.option("-v", "--verbose", is_flag=True, help="Log every API call and excluded session.")
def main(verbose: bool) -> None:
    """Formula 1 sessions from OpenF1 as a bronze layer on Dagster."""
    logging.getLogger("f1_bronze").setLevel(logging.INFO if verbose else logging.WARNING)
    _warn_of_misspelt_settings()


def _warn_of_misspelt_settings() -> None:
    """Name variables with our prefix that are not settings; without one no module is imported."""
    if not any(name.startswith("F1_BRONZE_") for name in os.environ):
        return
    from f1_bronze.settings import find_unknown

    for name, meant in find_unknown(os.environ).items():
        remedy = f"Did you mean {meant}?" if meant else "Unset it; see f1-bronze settings."
        click.echo(f"warning: {name} is set, but there is no such setting. {remedy}", err=True)
