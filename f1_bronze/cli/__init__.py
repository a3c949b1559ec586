"""The f1-bronze command: the roll-call of its subcommands.

Belongs here: which subcommands there are. Stays out: each of them (commands/).
"""

import logging

import click

from f1_bronze import __version__
from f1_bronze.cli.doctor_command import doctor
from f1_bronze.cli.history_command import history
from f1_bronze.cli.ingest_command import ingest
from f1_bronze.cli.lineage_command import lineage
from f1_bronze.cli.metrics_command import metrics
from f1_bronze.cli.partitions_command import partitions
from f1_bronze.cli.report_command import report
from f1_bronze.cli.settings_command import settings
from f1_bronze.cli.simulate_command import simulate
from f1_bronze.cli.sql_command import sql
from f1_bronze.cli.status_command import status
from f1_bronze.cli.ui_command import ui
from f1_bronze.cli.verify_command import verify


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="f1-bronze")
@click.option("-v", "--verbose", is_flag=True, help="Log every call and every session left out.")
def main(verbose: bool) -> None:
    """Formula 1 sessions from OpenF1 as a bronze layer on Dagster."""
    logging.getLogger("f1_bronze").setLevel(logging.INFO if verbose else logging.WARNING)


for command in (
    *(ingest, partitions, status, report, history, verify, sql, lineage, metrics),
    *(doctor, settings, simulate, ui),
):
    main.add_command(command)
