"""Figures of a run as a Markdown table and as a chart, each with the command that repeats it."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from benchmarks import flat
from benchmarks.cases import AGAIN, BARE, DLT, FLOOR, OURS
from f1_bronze.charts.palette import GAINED, GRID, MUTED, PANEL
from f1_bronze.charts.svg import MARGIN, TITLE_HEIGHT, WIDTH, Drawing, vertical_lines

Row = Mapping[str, Any]

AS_TITLED = "as each title says"

TITLES = {
    "season": "A season, qualifying and race, no limits",
    "latency": "The same, each answer 80 ms late",
    "limits": "The same, under the free limits (3 a second, 30 a minute)",
    "all-types": "A season, sessions of all types, no limits",
    "four-seasons": "Four seasons, sessions of all types, no limits",
    "flat": "Runs of every size, and a season beside eight others",
    "s3": "A season into a folder and into S3, 30 ms a request",
    "start": "Starting a command",
}
_COLOURS = {OURS: GAINED, AGAIN: GAINED}
_BAR, _GAP, _LEFT, _RIGHT = 20, 6, 250, 110


def to_markdown(rows: Sequence[Row], about: Mapping[str, str]) -> str:
    """A table for each case, the command above it."""
    busy = ""
    if float(about["load"]) > 1:
        busy = f" The machine was busy with other work (load {about['load']}): ratios are rough."
    parts = [
        f"Measured on {about['date']}: {about['machine']}; Python {about['python']}, Dagster "
        f"{about['dagster']}. Programs in turns, medians of the rounds; memory is their most. "
        f"Sessions: {about['sessions']}. Take the ratios: seconds belong to a machine."
        f"{busy}"
    ]
    for case, group in groupby(rows, lambda row: row["case"]):
        found = list(group)
        rounds = max(row["rounds"] for row in found)
        times = "1 round" if rounds == 1 else f"{rounds} rounds"
        parts.append(f"### {TITLES[case]}\n\n`make bench CASES={case}`, {times}")
        ours = next((row for row in found if row["program"] == OURS), None)
        columns = ["", "wall s", "CPU s", "memory MB"]
        columns += ["API calls", "ours / this"] if ours else []
        lines = [columns, ["---", *["---:"] * (len(columns) - 1)]]
        for row in found:
            cells = [row["program"], f"{row['wall']:.2f}", f"{row['cpu']:.2f}"]
            cells.append(f"{row['memory']:.0f}")
            if ours:
                calls = row["calls"]
                cells.append("–" if calls is None else str(calls))
                cells.append(f"{ours['wall'] / row['wall']:.2f}")
            lines.append(cells)
        parts.append("\n".join(f"| {' | '.join(cells)} |" for cells in lines))
        if records := next((row["records"] for row in found if row["records"]), None):
            parts.append(f"{records:,} records, the same in each program's files as in the API.")
        parts += _requests(found)
    if about["sessions"] == AS_TITLED and (ratios := _ratios(rows)):
        lines = [("figure", "measured", "target"), ("---", "---:", "---:"), *ratios]
        table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
        parts.insert(1, f"### What is to hold\n\n{table}")
    return "\n\n".join(parts) + "\n"


def _requests(rows: Iterable[Row]) -> Iterable[str]:
    with_requests = [row for row in rows if row["requests"]]
    if with_requests:
        kinds = sorted({kind for row in with_requests for kind in row["requests"]})
        lines = [["requests to S3", *(row["program"] for row in with_requests)]]
        lines.append(["---", *["---:"] * len(with_requests)])
        for kind in kinds:
            lines.append([kind, *(str(row["requests"].get(kind, 0)) for row in with_requests)])
        sums = [f"{sum(row['requests'].values())}" for row in with_requests]
        lines.append(["all", *sums])
        yield "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _ratios(rows: Sequence[Row]) -> list[tuple[str, str, str]]:
    wall = {(row["case"], row["program"]): row["wall"] for row in rows}
    memory = {(row["case"], row["program"]): row["memory"] for row in rows}
    season = [("season", name) for name in (OURS, DLT, BARE, FLOOR)]
    found = []
    if all(place in wall for place in season):
        ours, dlt, bare, floor = (wall[place] for place in season)
        found.append(("a season: ours / dlt, wall", f"{ours / dlt:.2f}", "≤ 4"))
        sums = f"{ours / (bare + floor):.2f}"
        found.append(("a season: ours / (bare script + Dagster's floor), wall", sums, "≤ 1.3"))
        cpu = next(r["cpu"] for r in rows if (r["case"], r["program"]) == season[0])
        found.append(("a season: CPU seconds", f"{cpu:.1f}", "≤ 12 (2 idle cores)"))
    for row in rows:
        if (row["case"], row["program"]) == season[0] and row.get("event_log_kb"):
            size = f"{row['event_log_kb']:.1f} kB"
            found.append(("a season: event log a materialization with its checks", size, "≤ 30 kB"))
    one, four = ("all-types", OURS), ("four-seasons", OURS)
    if one in memory and four in memory:
        ratio = f"{memory[four] / memory[one]:.2f}"
        found.append(("memory: four seasons / one, all types", ratio, "≤ 1.25"))
        found.append(("memory: four seasons, all types", f"{memory[four]:.0f} MB", "< 450 MB"))
    for turn in ("new", "unchanged"):
        local, distant = ("s3", f"folder, {turn}"), ("s3", f"S3, {turn}")
        if local in wall and distant in wall:
            ratio = f"{wall[distant] / wall[local]:.2f}"
            found.append((f"S3 at 30 ms / folder, {turn}, wall", ratio, "≤ 1.3"))
    return [*found, *flat.ratios([row for row in rows if row["case"] == "flat"])]


def to_svg(rows: Sequence[Row], case: str, basis: str) -> str:
    """Bars of wall time of one case, the shortest on top; ours are green."""
    found = sorted((row for row in rows if row["case"] == case), key=lambda row: row["wall"])
    height = TITLE_HEIGHT + len(found) * (_BAR + _GAP) + MARGIN
    drawing = Drawing(height=height, title=f"{TITLES[case]}: seconds", subtitle=basis)
    room = WIDTH - _LEFT - _RIGHT
    longest = max(row["wall"] for row in found)
    for place, row in enumerate(found):
        y = TITLE_HEIGHT + place * (_BAR + _GAP)
        width = room * row["wall"] / longest
        drawing.box(_LEFT, y, room, _BAR, PANEL)
        drawing.box(_LEFT, y, max(width, 1), _BAR, _COLOURS.get(row["program"], MUTED))
        drawing.text(_LEFT - 8, y + 14, row["program"], anchor="end")
        calls = "" if row["calls"] is None else f", {row['calls']} calls"
        drawing.text(_LEFT + max(width, 1) + 8, y + 14, f"{row['wall']:.1f} s{calls}")
    drawing.line(vertical_lines([_LEFT], TITLE_HEIGHT, height - MARGIN), GRID)
    return drawing.to_svg()
