"""f1-bronze demo: a simulated race weekend in a lake and a Dagster home of its own."""

import os
import shutil
import sys
from pathlib import Path

import click

from f1_bronze.cli.ingest_command import embedded_simulator, ingest_selection
from f1_bronze.cli.options import Selection, as_json_option, reports_errors
from f1_bronze.cli.ui_command import port_option, serve_ui
from f1_bronze.settings import PREFIX, Settings

_FOLDER = Path("data/demo")
_WEEKEND = Selection(
    years=(2025,), grands_prix=("bahrain",), session_types=frozenset({"qualifying", "race"})
)


@click.command()
@click.option("--ui", is_flag=True, help="Open the Dagster UI on it; runs call the simulator.")
@port_option
@click.option("--reset", is_flag=True, help=f"Delete {_FOLDER} and start again.")
@as_json_option
@reports_errors
def demo(ui: bool, port: int, reset: bool, as_json: bool) -> None:
    """Ingest a simulated race weekend into data/demo, and open the UI on it with --ui.

    The demo has a lake and a Dagster home of its own and ignores other F1_BRONZE_ settings: it
    changes no real data and calls nothing outside this machine.
    """
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]
    folder = use_demo_folder()
    if reset and folder.exists():
        shutil.rmtree(folder)
    stored = (folder / "lake" / "bronze").exists()
    with embedded_simulator(Settings.read()) as settings:
        status = 0
        if not ui or not stored:
            status = ingest_selection(_WEEKEND, settings, as_json=as_json, simulated=True)
        if not ui:
            if not as_json:
                click.echo("Open the Dagster UI on it: f1-bronze demo --ui")
            sys.exit(status)
        os.environ[f"{PREFIX}OPENF1_URL"] = settings.openf1_url
        os.environ[f"{PREFIX}RATE_STORE"] = f"file:{folder / 'calls'}"
        sys.exit(serve_ui(port))


def use_demo_folder() -> Path:
    """Make the demo's lake and Dagster home those of this process; returns their folder."""
    folder = _FOLDER.absolute()
    os.environ[f"{PREFIX}LAKE_URI"] = str(folder / "lake")
    os.environ["DAGSTER_HOME"] = str(folder / "dagster_home")
    return folder
