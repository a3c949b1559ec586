"""The Dagster instance of a deployment that nobody has set up.

Belongs here: where runs are remembered and with which settings. Stays out: what runs.
"""

import os
from pathlib import Path

import dagster as dg

from f1_bronze.settings import dagster_home

CONFIG = """\
# Made by f1-bronze because there was no dagster.yaml here; change it as you like.
telemetry:
  enabled: false
run_retries:
  enabled: true
  max_retries: 2
  # A failed partition fails again until its cause is mended; only crashes are worth a retry.
  retry_on_asset_or_op_failure: false
"""


class HomeUnusable(Exception):
    """Runs cannot be remembered where DAGSTER_HOME points."""


def prepare_home() -> Path:
    """Make `DAGSTER_HOME` (default `.dagster_home`) with a dagster.yaml, unless there is one.

    `HomeUnusable` when the folder cannot be written.
    """
    home = dagster_home()
    config = home / "dagster.yaml"
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not config.exists():
            config.write_text(CONFIG, encoding="utf-8")
    except OSError as error:
        raise HomeUnusable(
            f"The Dagster home {home} cannot be used ({error.strerror}). Set DAGSTER_HOME to a "
            "folder that this user can write."
        ) from error
    os.environ["DAGSTER_HOME"] = str(home)
    return home


def open_instance() -> dg.DagsterInstance:
    """The instance at `DAGSTER_HOME`, made where it is missing."""
    prepare_home()
    return dg.DagsterInstance.get()
