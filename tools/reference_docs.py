"""Writes the pages that list what the code declares: `python -m tools.reference_docs`.

Datasets and rules have modules of their own. A test holds every page to what this module makes.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent, indent

import click
import dagster as dg

from f1_bronze.cli import COMMANDS, main
from f1_bronze.cli.options import CLOSED, FAILED, INTERRUPTED, WRONG_USE
from f1_bronze.lake.s3_errors import REMEDIES
from f1_bronze.settings import SETTINGS
from f1_bronze.telemetry.metrics.metric_kinds import METRIC_KINDS

DOCS = Path(__file__).parents[1] / "docs"
_MADE = "Made from the declarations in the code by `make docs`."


def commands_page() -> str:
    """Every command with its arguments and options."""
    parts = [
        "# Commands",
        "",
        _MADE,
        "",
        "Exit status of every command: 0 done, "
        f"{FAILED} something failed, {WRONG_USE} wrong use, {CLOSED} the API is closed for a live "
        f"session (come back later), {INTERRUPTED} interrupted. `f1-bronze -v COMMAND` logs every "
        "API call. With `--json` a command prints one JSON document on standard output.",
    ]
    context = click.Context(main, info_name="f1-bronze")
    for name in COMMANDS:
        command = main.get_command(context, name)
        assert command is not None
        parts += ["", f"## f1-bronze {name}", "", *_help_text(command), *_usage(command, context)]
    return "\n".join(parts) + "\n"


def _help_text(command: click.Command) -> list[str]:
    # \b is how click is told to keep a paragraph's lines: those are command lines.
    lines: list[str] = []
    for paragraph in (command.help or "").replace("\f", "").split("\n\n"):
        first, _, rest = paragraph.partition("\n")
        as_typed = first.strip() == "\b"
        text = indent(dedent(rest).strip("\n"), "  ") if as_typed else paragraph
        lines += ["```", text, "```", ""] if as_typed else [" ".join(text.split()), ""]
    return lines


def _usage(command: click.Command, parent: click.Context) -> list[str]:
    context = click.Context(command, info_name=command.name, parent=parent)
    words = " ".join(command.collect_usage_pieces(context))
    lines = [f"`f1-bronze {command.name} {words}`"]
    options = [one for one in command.params if isinstance(one, click.Option) and not one.hidden]
    if options:
        lines += ["", "| option | meaning |", "|---|---|"]
    for option in options:
        names = ", ".join(f"`{name}`" for name in option.opts)
        if not option.is_flag:
            names += f" {_cell(option.make_metavar(context))}"
        default = option.default
        shown = isinstance(default, int | float | str) and not isinstance(default, bool)
        given = f" Default: `{default}`." if shown and not option.is_flag and default != "" else ""
        lines.append(f"| {names} | {_cell(option.help or '')}{given} |")
    return lines


def settings_page() -> str:
    """Every setting with default and meaning."""
    lines = [
        "# Settings",
        "",
        "Settings are environment variables. `f1-bronze settings` prints them with their values.",
        _MADE,
        "",
        "| variable | default | meaning |",
        "|---|---|---|",
    ]
    for one in SETTINGS:
        default = f"`{one.default}`" if one.default else ""
        secret = " A secret: never printed, logged or stored." if one.secret else ""
        lines.append(f"| `{one.variable}` | {default} | {_cell(one.meaning)}{secret} |")
    lines += [
        "| `DAGSTER_HOME` | `.dagster_home` | Where Dagster keeps its record of runs. |",
        "",
        "AWS credentials, region and endpoint come from the standard AWS chain (`AWS_PROFILE`, a",
        "role, `AWS_ENDPOINT_URL`, …). An OpenLineage consumer's key and path are the official",
        "`OPENLINEAGE_API_KEY` and `OPENLINEAGE_ENDPOINT`.",
        "",
        "A value that cannot be used ends the command with exit status 2 and says what it takes. A",
        "misspelt `F1_BRONZE_…` is warned about, with the setting that it may be meant for.",
    ]
    return "\n".join(lines) + "\n"


def metrics_page() -> str:
    """Every metric with unit, statistic, the last dimension of each set and meaning."""
    lines = [
        "# Metrics",
        "",
        "What they count and who is alarmed: [Metrics and alarms](../operations/monitoring.md).",
        _MADE,
        "",
        "| namespace | metric | unit | statistic | also by | meaning |",
        "|---|---|---|---|---|---|",
    ]
    for kind in METRIC_KINDS:
        # The finer sets differ in more than their last dimension only where both are listed alone.
        finer = ", ".join(dict.fromkeys(f"`{names[-1]}`" for names in kind.sets[1:]))
        lines.append(
            f"| `{kind.namespace}` | `{kind.name}` | {kind.unit} | {kind.statistic} | {finer} "
            f"| {_cell(kind.meaning)} |"
        )
    return "\n".join(lines) + "\n"


def dagster_page() -> str:
    """Every asset, check, job, schedule and sensor of the code location."""
    from f1_bronze.definitions import defs

    lines = ["# In Dagster", "", f"Names that deployments depend on. {_MADE}"]
    lines += ["", "## Assets", "", "| asset | partitions | checks |", "|---|---|---|"]
    checks = defs.resolve_asset_graph().asset_check_keys
    specs = sorted(defs.resolve_all_asset_specs(), key=lambda spec: spec.key)
    for spec in specs:
        if spec.group_name == "openf1":
            continue
        mine = sorted(check.name for check in checks if check.asset_key == spec.key)
        partitions = getattr(spec.partitions_def, "name", None)
        lines.append(
            f"| `{spec.key.to_user_string()}` | {f'`{partitions}`' if partitions else ''} | "
            f"{', '.join(f'`{name}`' for name in mine)} |"
        )
    endpoints = [f"`{spec.key.path[-1]}`" for spec in specs if spec.group_name == "openf1"]
    lines += ["", f"OpenF1's endpoints are upstream assets: `openf1` / {', '.join(endpoints)}."]
    lines += ["", "## Jobs", "", "| job | what it does |", "|---|---|"]
    for job in defs.jobs or ():
        lines.append(f"| `{job.name}` | {_cell(job.description or '')} |")
    lines += ["", "## Schedules", "", "| schedule | cron (UTC) | what it does |", "|---|---|---|"]
    for schedule in defs.schedules or ():
        assert isinstance(schedule, dg.ScheduleDefinition)
        cron = f"`{schedule.cron_schedule}`"
        lines.append(f"| `{schedule.name}` | {cron} | {_cell(schedule.description or '')} |")
    lines += ["", "## Sensors", "", "| sensor | at least every | what it does |", "|---|---|---|"]
    for sensor in defs.sensors or ():
        every = f"{sensor.minimum_interval_seconds} s"
        lines.append(f"| `{sensor.name}` | {every} | {_cell(sensor.description or '')} |")
    return "\n".join(lines) + "\n"


def decisions_page() -> str:
    """All decision records by number."""
    lines = [
        "# Decision records",
        "",
        "One page for each decision that a newcomer would question: what the situation was,",
        "what was decided, and what follows from it. The list is made by `make docs`.",
        "",
        "| | decision |",
        "|---|---|",
    ]
    for record in sorted((DOCS / "adr").glob("0*.md")):
        number, title = record.read_text("utf-8").splitlines()[0].removeprefix("# ").split(". ", 1)
        lines.append(f"| {number} | [{title}]({record.name}) |")
    return "\n".join(lines) + "\n"


def s3_errors_page() -> str:
    """What to do about each error of S3, by its code."""
    names = {"bucket": "BUCKET", "action": "ACTION", "place": "the bucket"}
    lines = [
        "# S3 errors by code",
        "",
        "A message about the lake on S3 begins with `S3 answered CODE`, or with",
        "`S3 gave no answer (CODE)` where there was none, and ends with this remedy.",
        _MADE,
        "",
        "| code | remedy |",
        "|---|---|",
    ]
    lines += [f"| `{code}` | {_cell(text.format(**names))} |" for code, text in REMEDIES.items()]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """Text for a cell of a table: one line, and no bar that would end it."""
    return " ".join(text.split()).replace("|", "\\|")


PAGES: Mapping[str, Callable[[], str]] = {
    "reference/commands.md": commands_page,
    "reference/settings.md": settings_page,
    "reference/metrics.md": metrics_page,
    "reference/dagster.md": dagster_page,
    "operations/s3_errors.md": s3_errors_page,
    "adr/index.md": decisions_page,
}
"""Each page of this module by its path below docs/."""

if __name__ == "__main__":
    for path, make in PAGES.items():
        (DOCS / path).write_text(make(), "utf-8")
