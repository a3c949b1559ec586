"""f1-bronze partitions: registers sessions as partitions, so that they can be backfilled."""

from contextlib import closing

import click

from f1_bronze.cli.options import (
    Selection,
    as_json_option,
    reports_errors,
    seasons_argument,
    select_session_types,
    session_type_option,
)
from f1_bronze.settings import Settings


@click.command()
@seasons_argument
@session_type_option
@as_json_option
@reports_errors
def partitions(seasons: tuple[int, ...], session_types: tuple[str, ...], as_json: bool) -> None:
    """Register the sessions of SEASONS that have ended as partitions, without ingesting them.

    Two API calls. The UI and `dagster` can then backfill them, as whole seasons or in part.
    """
    from f1_bronze.cli.console import print_json, print_rows, stderr, stdout, warnings_on
    from f1_bronze.defs.automation.instance import open_instance
    from f1_bronze.defs.partitions import register
    from f1_bronze.defs.resources import openf1_resource, resolved
    from f1_bronze.lake.lake import Lake

    settings = Settings.read()
    types = select_session_types(session_types, settings)
    console = stderr()
    openf1 = resolved(openf1_resource(settings)).make_openf1()
    with warnings_on(console), closing(openf1):
        selection = Selection(years=seasons, session_types=types)
        _, plan = selection.plan(openf1, Lake.at(settings.lake_uri))
        selected = [session.partition for session in plan.sessions]
        with open_instance() as instance:
            new = set(register(instance, selected))
    rows = [
        {
            "season": str(year),
            "sessions": sum(partition.year == year for partition in selected),
            "new": sum(partition.year == year for partition in new),
        }
        for year in seasons
    ]
    if as_json:
        print_json({"partitions": [partition.key for partition in selected], "seasons": rows})
        return
    print_rows(stdout(), rows, total=True)
    console.print("Backfill them in `f1-bronze ui`, or with f1-bronze ingest SEASONS --missing.")
