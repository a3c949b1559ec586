"""f1-bronze ui: serves the Dagster UI, with the daemon that runs schedules and sensors."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import click

from f1_bronze.cli.options import reports_errors
from f1_bronze.settings import Settings

port_option = click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=3000,
    show_default=True,
    help="Port of the Dagster UI.",
)
_HOST = "127.0.0.1"
_NOT_SUPERSEDED = "ignore:Function `dev_command` is superseded"
"""`dg dev`, which Dagster recommends instead, needs a project of its own kind."""


@click.command()
@port_option
@reports_errors
def ui(port: int) -> None:
    """Open the Dagster UI on the runs and the lake of this deployment; Ctrl-C ends it."""
    Settings.read()
    command = _prepare(port)
    # Replaces this process, so that Dagster gets the signals of systemd or a container.
    os.execv(command[0], command)


def serve_ui(port: int) -> int:
    """Serve the UI in a process of its own until it ends or this one is interrupted."""
    command = _prepare(port)
    signal.signal(signal.SIGTERM, _interrupt)
    # Ctrl-C in a terminal reaches a whole process group; Dagster is to be interrupted only once.
    served = subprocess.Popen(command, start_new_session=True)
    try:
        return served.wait()
    except KeyboardInterrupt:
        served.send_signal(signal.SIGINT)
        with suppress(KeyboardInterrupt):
            served.wait()
        return 0


def _prepare(port: int) -> list[str]:
    """Make the Dagster home, print the address, and return the command that serves the UI."""
    from f1_bronze.defs.automation.instance import WORKSPACE_FILE, open_instance

    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind((_HOST, port))
        except OSError as error:
            raise click.ClickException(
                f"Port {port} cannot be used ({error.strerror}). Choose another one with --port."
            ) from error
    with open_instance() as instance:
        home = Path(instance.root_directory)
    click.echo(f"Dagster home: {home}")
    click.echo(f"Dagster UI: http://{_HOST}:{port} (once it has started; Ctrl-C ends it)")
    sys.stdout.flush()
    filters = os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = ",".join(filter(None, (filters, _NOT_SUPERSEDED)))
    # Started in the background of a script this process ignores interrupts, and Dagster, which
    # handles SIGTERM like an interrupt, would ignore both.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    dagster = str(Path(sys.executable).with_name("dagster"))
    workspace = str(home / WORKSPACE_FILE)
    return [dagster, "dev", "-w", workspace, "-h", _HOST, "-p", str(port)]


def _interrupt(*_: Any) -> NoReturn:
    raise KeyboardInterrupt
