"""The f1-bronze command: the roll-call of its subcommands.

Belongs here: which subcommands there are. Stays out: each of them (commands/).
"""

import logging

import click

from f1_bronze import __version__
from f1_bronze.commands.doctor import doctor
from f1_bronze.commands.history import history
from f1_bronze.commands.ingest import ingest
from f1_bronze.commands.lineage import lineage
from f1_bronze.commands.metrics import metrics
from f1_bronze.commands.partitions import partitions
from f1_bronze.commands.report import report
from f1_bronze.commands.settings import settings
from f1_bronze.commands.simulate import simulate
from f1_bronze.commands.sql import sql
from f1_bronze.commands.status import status
from f1_bronze.commands.ui import ui
from f1_bronze.commands.verify import verify


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

if __name__ == "__main__":
    main()
