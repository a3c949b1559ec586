"""Writes the table of metrics into a page.

`python -m tools.metric_docs docs/operations/monitoring.md`
"""

import re
import sys
from pathlib import Path

from f1_bronze.telemetry.metrics.metric_kinds import METRIC_KINDS


def metrics_table() -> str:
    """All metrics with unit, statistic, the last dimension of each set and meaning, as Markdown."""
    lines = [
        "| namespace | metric | unit | statistic | also by | meaning |",
        "|---|---|---|---|---|---|",
    ]
    for kind in METRIC_KINDS:
        finer = ", ".join(f"`{names[-1]}`" for names in kind.sets[1:])
        lines.append(
            f"| `{kind.namespace}` | `{kind.name}` | {kind.unit} | {kind.statistic} | {finer} "
            f"| {kind.meaning} |"
        )
    return "\n".join(lines) + "\n"


def with_metrics_table(page: str) -> str:
    """The page with its table of metrics as it should be."""
    heading = re.escape(metrics_table().partition("\n")[0])
    return re.sub(rf"^{heading}\n(?:\|.*\n)*", lambda _: metrics_table(), page, flags=re.M)


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(with_metrics_table(path.read_text("utf-8")), "utf-8")
