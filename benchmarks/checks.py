"""What checks and charts add to a season's ingest, each variant in processes of its own.

`python -m benchmarks.checks VARIANT URL` ingests a season once as `f1-bronze ingest` does, with its
runs in this process and on SQLite, and prints its seconds as JSON. `compare` runs the variants in
turn, so that a busy machine slows all of them alike.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

from f1_bronze.datasets import DATASETS
from f1_bronze.simulator.invented import InventedSeasons
from f1_bronze.simulator.server import Simulator

SEASON, TYPES = 2025, {"qualifying", "race"}
CHECKED, UNCHECKED, UNDRAWN = "checked", "unchecked", "undrawn"
"""As it is; without the evaluation of checks; without charts and previews."""
Report = Callable[[str, float, str], None]


def compare(report: Report, *, rounds: int = 3) -> None:
    """Ratios of a season's ingest with and without checks, and the share of its charts."""
    taken: dict[str, list[dict[str, float]]] = {CHECKED: [], UNCHECKED: [], UNDRAWN: []}
    with Simulator(InventedSeasons(), limits=None) as simulator:
        _once(UNCHECKED, simulator.url)  # the season is invented, and bytecode compiled, once
        for _ in range(rounds):
            for variant, runs in taken.items():
                runs.append(_once(variant, simulator.url))
    for kind in ("wall", "cpu"):
        basis = f"median of {rounds}, {kind} seconds"

        def ratio(one: str, other: str, more: str = "", kind: str = kind) -> float:
            pairs = zip(taken[one], taken[other], strict=True)
            return statistics.median(
                (a[kind] + (a[f"{more}_{kind}"] if more else 0)) / b[kind] for a, b in pairs
            )

        detail = f"{basis}: {statistics.median(one[kind] for one in taken[UNCHECKED]):.1f} without"
        report("time of a season: with checks / without", ratio(CHECKED, UNCHECKED), detail)
        included = ratio(CHECKED, UNCHECKED, "import")
        report("the same, the import of the library included", included, basis)
        share = 1 - 1 / ratio(CHECKED, UNDRAWN)
        report("share of charts and previews in a season", share, basis)


def _once(variant: str, url: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.checks", variant, url]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    figures: dict[str, float] = json.loads(printed.splitlines()[-1])
    return figures


class NoVerdicts:
    """A judge who has no verdict on anything."""

    def judge(self, *args: object, **kwargs: object) -> dict[Any, Any]:
        """Nothing."""
        return {}


def ingest_season(variant: str, url: str, home: Path) -> dict[str, float]:
    """Wall and CPU seconds of one ingest into a new lake, and of importing the library before."""
    from f1_bronze.datasets.sessions import SESSIONS
    from f1_bronze.definitions import assemble
    from f1_bronze.defs.automation import launch
    from f1_bronze.defs.automation.instance import open_instance
    from f1_bronze.defs.partitions import read_registered, register
    from f1_bronze.defs.resources import openf1_resource, resolved
    from f1_bronze.defs.run.tally import RunTally
    from f1_bronze.settings import Settings

    began, began_cpu = time.perf_counter(), time.process_time()
    if variant != UNCHECKED:
        import great_expectations  # noqa: F401  timed alone

        import f1_bronze.quality.judge  # noqa: F401
    imported = {
        "import_wall": time.perf_counter() - began,
        "import_cpu": time.process_time() - began_cpu,
    }
    settings = Settings.read(
        {
            "F1_BRONZE_OPENF1_URL": url,
            "F1_BRONZE_LAKE_URI": str(home / "lake"),
            "F1_BRONZE_OPENF1_LIMITS": "100000/1s",
            "F1_BRONZE_RATE_STORE": "memory",
        }
    )
    others = {"judge": NoVerdicts()} if variant == UNCHECKED else {}
    with patch.dict("os.environ", DAGSTER_HOME=str(home / "home")), open_instance() as instance:
        began, began_cpu = time.perf_counter(), time.process_time()
        openf1 = resolved(openf1_resource(settings)).make_openf1()
        definitions = assemble(settings, openf1=openf1, progress=RunTally(), **others)
        sessions = [
            session
            for session in openf1.calendar([SEASON], {}).sessions
            if session.partition.session_type in TYPES
        ]
        plan = launch.Plan(sessions=tuple(sessions), datasets=DATASETS)
        register(instance, [session.partition for session in sessions])
        openf1.expect({d: refs for d, refs in plan.wanted().items() if d is not SESSIONS})
        for run in plan.runs(read_registered(instance)):
            result = launch.execute(
                run, definitions=definitions, instance=instance, accept_loss=False, tags={}
            )
            assert result.success
        openf1.close()
        spent = {
            "wall": time.perf_counter() - began,
            "cpu": time.process_time() - began_cpu,
        }
    return spent | imported


def main(variant: str, url: str) -> None:
    """One ingest, in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        if variant != UNDRAWN:
            figures = ingest_season(variant, url, Path(folder))
        else:
            with (
                patch("f1_bronze.defs.run.ingestion.prepare_charts"),
                patch("f1_bronze.defs.run.ingestion.draw_chart", return_value=None),
                patch("f1_bronze.defs.run.materialization.show_rows", return_value=""),
            ):
                figures = ingest_season(variant, url, Path(folder))
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
