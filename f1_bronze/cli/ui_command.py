"""f1-bronze ui: the Dagster UI on the same instance and lake."""

import os
import sys
from pathlib import Path

import click

from f1_bronze.cli.options import reports_errors
from f1_bronze.settings import Settings


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), default=3000, help="Port of the UI.")
@reports_errors
def ui(port: int) -> None:
    """Open the Dagster UI on the same instance and lake."""
    from f1_bronze.defs.automation.instance import WORKSPACE_FILE, open_instance

    Settings.read()
    with open_instance() as instance:
        home = Path(instance.root_directory)
    click.echo(f"Dagster home: {home}")
    sys.stdout.flush()
    dagster = str(Path(sys.executable).with_name("dagster"))
    place = ["-h", "127.0.0.1", "-p", str(port)]
    command = [dagster, "dev", "-w", str(home / WORKSPACE_FILE), *place]
    # Replaces this process, so that Dagster gets the signals of systemd or a container.
    os.execv(dagster, command)
