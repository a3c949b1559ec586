"""f1-bronze partitions: sessions become partitions, so that the UI can backfill them.

Belongs here: the command and what it prints. Stays out: which sessions exist (openf1/calendar.py),
the order of partitions (defs/partitions.py), ingesting them (ingest.py).
"""

from contextlib import closing

import click

from f1_bronze.cli.options import Seasons, Wish, as_json_option, plan_of, told
from f1_bronze.datasets import DATASETS
from f1_bronze.settings import Settings, session_type_selection


@click.command()
@click.argument("seasons", type=Seasons())
@click.option(
    "--session-type", "session_types", multiple=True, help="race, sprint, … or all; repeatable."
)
@as_json_option
@told
def partitions(seasons: tuple[int, ...], session_types: tuple[str, ...], as_json: bool) -> None:
    """Register the ended sessions of SEASONS as partitions, without ingesting them.

    Two API calls. The UI and `dagster` can then backfill them, as whole seasons or parts.
    """
    from f1_bronze.cli.console import plain, print_json, print_rows, screen, warnings_on
    from f1_bronze.defs.automation.instance import open_instance
    from f1_bronze.defs.partitions import register
    from f1_bronze.defs.resources import openf1_resource, resolved
    from f1_bronze.lake.lake import Lake

    settings = Settings.read()
    wish = Wish(
        years=seasons,
        grands_prix=(),
        session_types=(
            session_type_selection(",".join(session_types))
            if session_types
            else settings.session_types
        ),
        datasets=DATASETS,
        only_missing=False,
        recent_days=None,
        accept_loss=False,
    )
    console = screen()
    openf1 = resolved(openf1_resource(settings)).make_openf1()
    with warnings_on(console), closing(openf1):
        _, plan = plan_of(wish, openf1, Lake.at(settings.lake_uri))
        with open_instance() as instance:
            wanted = [session.partition for session in plan.sessions]
            new = set(register(instance, wanted))
    rows = [
        {
            "season": str(year),
            "sessions": sum(partition.year == year for partition in wanted),
            "new": sum(partition.year == year for partition in new),
        }
        for year in seasons
    ]
    if as_json:
        print_json({"partitions": [partition.key for partition in wanted], "seasons": rows})
        return
    print_rows(plain(), rows, total=True)
    console.print("Backfill them: f1-bronze ui, or f1-bronze ingest SEASONS --missing.")
