"""`make bench`: f1-bronze beside others who do the same work, measured in one run.

Each program is a process of its own, measured from its start to its end. What it stored is read
back and compared with what the API has, record for record, before its time counts.

    make bench                      # all cases, about an hour on two idle cores
    make bench CASES=season         # one of them; several with commas
    make bench QUICK=1              # one round of the smallest, a minute: does it run at all?
    make bench OUT=docs/performance # where the results go; default build/bench
    make bench RECORDED=DIR         # seasons that were recorded in place of invented ones
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks import parts
from benchmarks.cases import Bench, Case, Row, standard_cases
from benchmarks.figures import AS_TITLED, TITLES, to_markdown, to_svg
from benchmarks.flat import Growth
from benchmarks.outputs import DifferentOutputs
from benchmarks.processes import ProgramFailed
from f1_bronze.simulator.invented import InventedSeasons
from f1_bronze.simulator.sources import RecordedSeasons, SeasonSource

_OTHERS = ("flat", "s3", "start", "profile", "parts")
MARKS = "<!-- figures -->", "<!-- end of figures -->"


def main(words: list[str] | None = None) -> None:
    """Measure what is asked for, print it, and write results.json, .md, .svg and profile.txt."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    names = [*standard_cases(2025, patient=False), *_OTHERS]
    parser.add_argument("--cases", default="", help=f"with commas: {', '.join(names)}")
    parser.add_argument("--rounds", type=int, help="of each program; 3 of a season, else 1")
    parser.add_argument("--season", type=int, default=2025, help="which; four are 3 to 6 earlier")
    parser.add_argument("--out", type=Path, default=Path("build/bench"), help="for the results")
    parser.add_argument("--recorded", type=Path, help="folder of recorded answers")
    parser.add_argument("--quick", action="store_true", help="one round, one season, one type")
    parser.add_argument("--patient", action="store_true", help="wait out limits with everyone")
    parser.add_argument("--publish", type=Path, help="a page whose figures are to be replaced")
    chosen = parser.parse_args(words)
    wanted = [name for name in chosen.cases.split(",") if name]
    if unknown := sorted(set(wanted) - set(names)):
        parser.error(f"there is no case {', '.join(unknown)}; there are {', '.join(names)}")
    source: SeasonSource = (
        RecordedSeasons(chosen.recorded) if chosen.recorded else InventedSeasons()
    )
    cases = standard_cases(chosen.season, patient=chosen.patient)
    rounds = chosen.rounds
    if chosen.quick:
        rounds, wanted = 1, wanted or ["season"]
    rows: list[Row] = []
    failures: list[str] = []
    profile, load = "", os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="f1-bench-") as folder:
        bench = Bench(source, Path(folder), _say, rounds=rounds)
        for name in wanted or names:
            try:
                if name in cases:
                    rows += bench.run(_smallest(cases[name]) if chosen.quick else cases[name])
                elif name == "flat":
                    growth = Growth(source, Path(folder), _say, quick=chosen.quick)
                    rows += growth.run(chosen.season + 1)
                elif name == "s3":
                    types = "race" if chosen.quick else "qualifying,race"
                    rows += bench.run_on_s3(chosen.season, types, delay=0.03)
                elif name == "start":
                    rows += bench.run_starts()
                elif name == "profile":
                    profile = bench.profile(chosen.season, "qualifying,race")
                else:
                    parts.run()
            except (ProgramFailed, DifferentOutputs) as error:  # what was measured is kept
                failures.append(f"{name}: {error}")
                _say(failures[-1])
    _write(rows, profile, chosen.out, chosen.publish, chosen.quick, load)
    if failures:
        raise SystemExit("\n".join(failures))


def _smallest(case: Case) -> Case:
    """Sprints of a season: six sessions."""
    return Case(
        name=case.name,
        years=case.years[-1:],
        types="sprint",
        programs=case.programs,
        limits=case.limits,
        latency=case.latency,
    )


def _write(
    rows: list[Row],
    profile: str,
    out: Path,
    page: Path | None,
    quick: bool,
    load: float,
) -> None:
    about = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}",
        "python": platform.python_version(),
        "dagster": version("dagster"),
        "sessions": "the sprints of a season only (QUICK=1)" if quick else AS_TITLED,
        "load": f"{load:.1f}",
    }
    out.mkdir(parents=True, exist_ok=True)
    plain = [row.to_json() for row in rows]
    figures = {"about": about, "rows": plain}
    (out / "results.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    text = to_markdown(plain, about)
    (out / "results.md").write_text(text, encoding="utf-8")
    for case in TITLES:
        if any(row.case == case for row in rows) and case not in ("flat", "s3", "start"):
            number = max(row.rounds for row in rows if row.case == case)
            basis = f"{about['machine']}, {about['date']}, rounds: {number}"
            svg = to_svg(plain, case, basis)
            (out / f"{case}.svg").write_text(svg + "\n", encoding="utf-8")
    if profile:
        (out / "profile.txt").write_text(profile, encoding="utf-8")
    if page is not None:
        before, _, rest = page.read_text(encoding="utf-8").partition(MARKS[0])
        after = rest.partition(MARKS[1])[2]
        place = os.path.relpath(out, page.parent)
        charts = [case for case in TITLES if (out / f"{case}.svg").exists()]
        shown = "".join(f"![{TITLES[case]}]({place}/{case}.svg)\n\n" for case in charts)
        found = [name for name in ("results.json", "profile.txt") if (out / name).exists()]
        links = ", ".join(f"[{name}]({place}/{name})" for name in found)
        figures_text = f"{shown}{text}\nAll of it as data, and the profile: {links}."
        page.write_text(
            f"{before}{MARKS[0]}\n\n{figures_text}\n\n{MARKS[1]}{after}", encoding="utf-8"
        )
    sys.stdout.write(f"\n{text}\nResults: {out}/results.json, results.md, *.svg\n")


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main()
