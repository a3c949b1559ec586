"""f1-bronze demo: a story in simulated sessions, in a lake and a Dagster home of its own.

Five chapters, each with what to look at: a weekend that is right, a race with a defect, a
correction, a session that is overdue, and its arrival.
"""

import os
import shutil
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from f1_bronze.cli.ingest_command import aim_at, execute_selection
from f1_bronze.cli.options import FAILED, Selection, as_json_option, find_dataset, reports_errors
from f1_bronze.cli.ui_command import port_option, serve_ui
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.settings import PREFIX, Settings

if TYPE_CHECKING:
    from f1_bronze.cli.ingest_outcome import Outcome
    from f1_bronze.simulator.server import Simulator
    from f1_bronze.simulator.story import Story

_FOLDER = Path("data/demo")
_WHERE = f"Simulated data in {_FOLDER}, a lake and a Dagster home of its own."
_YEAR = 2025
_RIGHT, _DEFECTIVE, _LATE = "bahrain", "saudi_arabian", "miami"
_RIGHT_RACE, _DEFECTIVE_RACE, _LATE_RACE = (
    f"{_YEAR}/{name}/race" for name in (_RIGHT, _DEFECTIVE, _LATE)
)
_RACE, _WEEKEND = frozenset({"race"}), frozenset({"qualifying", "race"})
_WIDTH = 79


@dataclass(kw_only=True)
class _Chapter:
    """A part of the story: what happened, in lines, and what came of it, for programs.

    `is_as_planned` says whether everything came as the story has it.
    """

    title: str
    lines: list[str] = field(default_factory=list)
    look: tuple[str, ...] = ()
    is_as_planned: bool = True
    data: dict[str, Any] = field(default_factory=dict)


@click.command()
@click.option("--ui", is_flag=True, help="Open the Dagster UI on it; runs call the simulator.")
@port_option
@click.option("--reset", is_flag=True, help=f"Delete {_FOLDER} and start again.")
@as_json_option
@reports_errors
def demo(ui: bool, port: int, reset: bool, as_json: bool) -> None:
    """Tell a story in simulated sessions in data/demo, and open the UI on it with --ui.

    A weekend that is right, a race with a defect that turns a check red, a correction, and a
    session that is overdue and then arrives. The demo has a lake and a Dagster home of its own
    and ignores other F1_BRONZE_ settings: it changes no real data and calls nothing outside this
    machine.

    Exit status: 0 everything came as the story has it, the red check included; 1 otherwise.
    """
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]
    folder = use_demo_folder()
    if reset and folder.exists():
        shutil.rmtree(folder)
    stored = (folder / "lake" / "bronze").exists()
    with _simulator() as (simulator, story):
        settings = aim_at(simulator.url, Settings.read())
        status = 0
        if not ui or not stored:
            chapters = _tell_story(simulator, story, settings, is_stored=stored)
            status = _print_story(chapters, as_json=as_json, is_stored=stored)
        if not ui:
            sys.exit(status)
        if stored:
            _print_wrapped(_WHERE)
        story.plant(simulator.control, is_corrected=True)
        os.environ[f"{PREFIX}OPENF1_URL"] = settings.openf1_url
        os.environ[f"{PREFIX}RATE_STORE"] = f"file:{folder / 'calls'}"
        sys.exit(serve_ui(port))


def use_demo_folder() -> Path:
    """Make the demo's lake and Dagster home those of this process; returns their folder."""
    folder = _FOLDER.absolute()
    os.environ[f"{PREFIX}LAKE_URI"] = str(folder / "lake")
    os.environ["DAGSTER_HOME"] = str(folder / "dagster_home")
    return folder


@contextmanager
def _simulator() -> "Iterator[tuple[Simulator, Story]]":
    """The simulator of the demo, and what can be planted in it."""
    from f1_bronze.simulator.invented import InventedSeasons
    from f1_bronze.simulator.server import Simulator
    from f1_bronze.simulator.story import Story

    source = InventedSeasons(years=(_YEAR,))  # others would be registered by the UI, and overdue
    story = Story(source, _YEAR, defective="Saudi Arabian", corrected="Bahrain")
    # The budget of the command keeps the API's limits; what it has used is not held against the UI.
    with Simulator(source, limits=None) as simulator:
        yield simulator, story


def _tell_story(
    simulator: "Simulator", story: "Story", settings: Settings, *, is_stored: bool
) -> "Iterator[_Chapter]":
    """The chapters, each when it has happened; where the lake has them already, a look at them."""
    if is_stored:
        story.plant(simulator.control, is_corrected=True)
        yield _ingest("The weekend once more", settings, _RIGHT, types=_WEEKEND)[0]
        yield _ingest("The other races once more", settings, _DEFECTIVE, _LATE)[0]
        return
    story.plant(simulator.control, is_corrected=False)
    yield _right_weekend(settings)
    yield _defect(settings)
    story.plant(simulator.control, is_corrected=True)
    yield _correction(settings, story)
    story.plant(simulator.control, is_corrected=True, is_closed=True)
    yield _overdue(settings)
    story.plant(simulator.control, is_corrected=True)
    yield _arrival(settings)


def _right_weekend(settings: Settings) -> _Chapter:
    chapter, outcome = _ingest("A weekend that is right", settings, _RIGHT, types=_WEEKEND)
    chapter.is_as_planned = outcome.status == 0
    chapter.look = (
        f"f1-bronze chart lap-times {_RIGHT_RACE}",
        f"in the UI: asset bronze/laps, partition {_RIGHT_RACE}, with the same chart",
    )
    return chapter


def _defect(settings: Settings) -> _Chapter:
    chapter, outcome = _ingest("A race with a defect", settings, _DEFECTIVE)
    for verdict in outcome.tally.errors:
        chapter.lines.append(f"RED, on purpose: the check of {verdict.dataset}, {verdict.check}:")
        rule = verdict.failed[0]
        chapter.lines.append(f"  {rule.name}: {rule.observed}")
        for row in rule.unexpected_rows[:1]:
            named = ", ".join(f"{key} {value}" for key, value in row.items())
            chapter.lines.append(f"  the row: {named}")
    chapter.lines.append(
        "The row is in the lake as OpenF1 sent it, marked as not to be used. The other five "
        "datasets of the race are stored and fine."
    )
    red = [(verdict.dataset, str(verdict.check)) for verdict in outcome.tally.errors]
    chapter.is_as_planned = red == [("pit_stops", "values")]
    chapter.look = (
        f"f1-bronze report {_YEAR}, which shows the row",
        f"in the UI: asset bronze/pit_stops, Checks, partition {_DEFECTIVE_RACE}",
    )
    return chapter


def _correction(settings: Settings, story: "Story") -> _Chapter:
    from f1_bronze.lake.lake import Lake

    penalty, results = story.penalty, find_dataset("results")
    chapter, outcome = _ingest("A correction", settings, _RIGHT, datasets=(results,))
    chapter.lines.insert(
        0,
        f"After the race the stewards add {penalty.seconds:.0f} s to the time of driver "
        f"{penalty.driver_number}, who loses position {penalty.position} to driver "
        f"{penalty.rival_number}. OpenF1 corrects its result; it is asked again.",
    )
    history = Lake.at(settings.lake_uri).history(results, SessionPartition.parse(_RIGHT_RACE))
    changes = history.contents[-1].changes
    for row in changes.changed_values if changes else ():
        values = ", ".join(f"{one.column} {one.before} → {one.after}" for one in row.values)
        chapter.lines.append(f"  driver {row.key[-1]}: {values}")
    chapter.lines.append("What was stored before is kept as revision 1.")
    is_changed = [row["changed"] for row in outcome.rows()] == [1]
    chapter.is_as_planned = outcome.status == 0 and is_changed
    chapter.look = (
        f"f1-bronze history results {_RIGHT_RACE}",
        f"in the UI: asset bronze/results, partition {_RIGHT_RACE}, what_changed",
    )
    return chapter


def _overdue(settings: Settings) -> _Chapter:
    from f1_bronze.defs.automation.instance import open_instance
    from f1_bronze.defs.monitoring.coverage import read_coverage
    from f1_bronze.defs.partitions import read_registered, register
    from f1_bronze.defs.resources import Deployment
    from f1_bronze.openf1.answers import ClosedForLiveSession

    chapter = _Chapter(title="A session that is overdue", is_as_planned=False)
    late = SessionPartition.parse(_LATE_RACE)
    with open_instance() as instance:
        of_season = [p for p in read_registered(instance).sessions if p.year == _YEAR]
        register(instance, [*of_season, late])
        try:
            execute_selection(_selection(_LATE), settings, simulated=True)
        except ClosedForLiveSession as closed:
            chapter.lines.append(f"{_LATE_RACE} has ended and is asked for. {closed}")
            chapter.is_as_planned = True
        overdue = [
            cell.dataset.name
            for cell in read_coverage(instance, Deployment(settings), [_YEAR]).overdue
            if cell.partition == late
        ]
    chapter.lines.append(
        f"Nothing of it is stored, so its {len(overdue)} datasets are overdue; what is stored of "
        "others stays. f1-bronze ingest ends with exit status 3 then: come back later."
    )
    chapter.is_as_planned &= bool(overdue)
    chapter.data["overdue"] = overdue
    return chapter


def _arrival(settings: Settings) -> _Chapter:
    chapter, outcome = _ingest("It arrives", settings, _LATE, only_missing=True)
    chapter.lines.insert(
        0,
        f"OpenF1 is open again: f1-bronze ingest {_YEAR} --grand-prix {_LATE} --missing asks for "
        "what is missing.",
    )
    chapter.is_as_planned = outcome.status == 0
    chapter.look = (
        f"f1-bronze status {_YEAR}: nothing is overdue, and one ✗ is left",
        "in the UI: asset monitoring/coverage, a square for each session, once it is materialized",
    )
    return chapter


def _selection(*names: str, types: frozenset[str] = _RACE, **how: Any) -> Selection:
    return Selection(years=(_YEAR,), grands_prix=names, session_types=types, **how)


def _ingest(title: str, settings: Settings, *names: str, **how: Any) -> "tuple[_Chapter, Outcome]":
    """A chapter that begins with what was ingested."""
    outcome = execute_selection(_selection(*names, **how), settings, simulated=True)
    assert outcome is not None  # it is no dry run
    rows = outcome.rows()
    total = {
        name: sum(row[name] for row in rows)
        for name in ("sessions", "rows", "new", "changed", "unchanged", "checks")
    }
    revisions = [f"{total[n]} {n}" for n in ("new", "changed", "unchanged") if total[n]]
    red = sum(one.checks_failed for one in outcome.tally.by_dataset.values())
    line = (
        f"{', '.join(revisions)}: {total['rows']:,} rows, {total['checks']} checks, "
        f"{red or 'none'} of them red."
    )
    return _Chapter(title=title, lines=[line], data={"outcome": outcome.to_json()}), outcome


def _print_story(chapters: "Iterator[_Chapter]", *, as_json: bool, is_stored: bool) -> int:
    """Print each chapter when it has happened, or all as JSON; returns the exit status."""
    from f1_bronze.cli.console import print_json

    printed = []
    if not as_json:
        _print_wrapped(_WHERE)
    for number, chapter in enumerate(chapters, 1):
        printed.append(chapter)
        if as_json:
            continue
        click.secho(f"\n{number}. {chapter.title}", bold=True)
        for line in chapter.lines:
            _print_wrapped(line, "   ")
        for place in chapter.look:
            _print_wrapped(f"Look: {place}", "   ", more="         ")
    failed = [chapter.title for chapter in printed if not chapter.is_as_planned]
    status = FAILED if failed else 0
    if as_json:
        print_json(
            {
                "status": status,
                "lake": os.environ[f"{PREFIX}LAKE_URI"],
                "chapters": [
                    {
                        "title": chapter.title,
                        "as_planned": chapter.is_as_planned,
                        "text": chapter.lines,
                        "look": list(chapter.look),
                        **chapter.data,
                    }
                    for chapter in printed
                ],
            }
        )
        return status
    click.echo()
    if failed:
        _print_wrapped(f"The story went otherwise than planned in: {', '.join(failed)}.")
    elif is_stored:
        _print_wrapped("The story is in the lake; f1-bronze demo --reset tells it from the start.")
    else:
        _print_wrapped("All came as planned, the red check included: the exit status is 0.")
    _print_wrapped("To look with f1-bronze:")
    click.echo(f"  export {PREFIX}LAKE_URI={_FOLDER}/lake DAGSTER_HOME={_FOLDER}/dagster_home")
    _print_wrapped("To look in the Dagster UI: f1-bronze demo --ui")
    return status


def _print_wrapped(text: str, indent: str = "", *, more: str | None = None) -> None:
    """Text for a terminal of 80 columns; its own indentation is kept."""
    own = text[: len(text) - len(text.lstrip())]
    following = indent + own if more is None else more
    click.echo(
        textwrap.fill(
            text.strip(),
            width=_WIDTH,
            initial_indent=indent + own,
            subsequent_indent=following,
            break_long_words=False,
            break_on_hyphens=False,
        )
    )
