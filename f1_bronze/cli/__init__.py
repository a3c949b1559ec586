"""The f1-bronze command: its subcommands by name, each imported when it is used.

A command's module may import only light modules at its top and imports the others in its
functions: `--help` imports all modules, and a command should start no slower than its own work
requires. test_cli.py holds this.
"""

import logging
import os
from importlib import import_module

import click

from f1_bronze import __version__

COMMANDS = (
    *("ingest", "backfill", "partitions", "status", "report", "history", "verify", "sql"),
    *("lineage", "chart", "metrics", "doctor", "settings", "simulate", "demo", "init", "ui"),
)


class Commands(click.Group):
    """Finds the command `name` in the module `f1_bronze.cli.name_command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order in which help lists them."""
        return list(COMMANDS)

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
