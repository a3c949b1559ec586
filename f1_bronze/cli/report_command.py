"""f1-bronze report: seasons as one page of HTML that people can open and send on."""

from pathlib import Path

import click

from f1_bronze.cli.options import as_json_option, reports_errors, seasons_argument
from f1_bronze.settings import Settings


@click.command()
@seasons_argument
@click.option(
    "--output",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE",
    help="Where to write it; the default is f1_bronze_report_SEASONS.html in this folder.",
)
@click.option(
    "--charts",
    "weekends",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    metavar="N",
    help="Put charts of the sessions of the latest N Grands Prix in; 0: no charts.",
)
@as_json_option
@reports_errors
def report(seasons: tuple[int, ...], output: Path | None, weekends: int, as_json: bool) -> None:
    """Write SEASONS as one self-contained HTML page.

    Failed rules with the rows that fail them, what is missing and why, the coverage matrix, row
    counts beside what is usual, what upstream changed, and charts. Makes no API call.

    Exit status: 0 written, 1 the lake cannot be read or the file cannot be written, 2 wrong use.
    """
    from f1_bronze.cli.console import print_json
    from f1_bronze.defs.automation.instance import read_instance
    from f1_bronze.defs.monitoring.coverage import read_coverage
    from f1_bronze.defs.monitoring.report import count, make_report, render
    from f1_bronze.defs.resources import Deployment

    deployment = Deployment(Settings.read())
    with read_instance() as instance:
        coverage = read_coverage(instance, deployment, seasons, with_rules=True)
        made = make_report(instance, deployment, seasons, coverage, weekends=weekends)
    path = (output or Path(default_name(seasons))).absolute()
    try:
        size = path.write_bytes(render(made).encode())
    except OSError as error:
        raise click.ClickException(
            f"{path} could not be written ({error.strerror}). Name another place with --output."
        ) from error
    if as_json:
        print_json({"status": 0, "path": str(path), "size_bytes": size, **count(made)})
    else:
        click.echo(f"Written: {path} ({size / 1000:,.0f} kB)")


def default_name(seasons: tuple[int, ...]) -> str:
    """The file's name; seasons in a row are named by the first and the last.

    >>> default_name((2025,)), default_name((2023, 2024, 2025)), default_name((2023, 2025))
    ('f1_bronze_report_2025.html', 'f1_bronze_report_2023-2025.html', \
'f1_bronze_report_2023_2025.html')
    """
    in_a_row = len(seasons) > 1 and seasons == tuple(range(seasons[0], seasons[-1] + 1))
    name = f"{seasons[0]}-{seasons[-1]}" if in_a_row else "_".join(map(str, seasons))
    return f"f1_bronze_report_{name}.html"
