"""What loading the code location costs against importing Dagster and pyarrow alone.

Both are imported from compiled bytecode, as in an image that was built so, in processes of their
own and in turn. CPU seconds: every run's process and every tick of the daemon pays them.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable

OURS, FLOOR = "f1_bronze.definitions", "dagster, pyarrow"
Report = Callable[[str, float, str], None]


def compare(report: Report, *, rounds: int = 9) -> None:
    """The ratio that must stay below 1.3, pair by pair."""
    with tempfile.TemporaryDirectory() as bytecode:
        environ = {**os.environ, "PYTHONPYCACHEPREFIX": bytecode}
        environ.pop("PYTHONDONTWRITEBYTECODE", None)
        for names in (OURS, FLOOR):
            _cpu_seconds(names, environ)  # compiles
        pairs = [(_cpu_seconds(OURS, environ), _cpu_seconds(FLOOR, environ)) for _ in range(rounds)]
    ours, floor = (statistics.median(column) for column in zip(*pairs, strict=True))
    detail = f"CPU seconds {ours:.2f} / {floor:.2f}, median of {rounds} pairs"
    ratio = statistics.median(one / other for one, other in pairs)
    report("code location: load / importing dagster and pyarrow", ratio, detail)


def _cpu_seconds(names: str, environ: dict[str, str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", f"import {names}"], check=True, env=environ)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
