"""The roll-call of metrics as a table for people: `python -m f1_bronze.telemetry.metric_pages`.

Belongs here: the table of docs/monitoring.md, derived. Stays out: what the metrics are
(metric_kinds.py).
"""

import sys

from f1_bronze.telemetry.metrics.kinds import METRIC_KINDS


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


if __name__ == "__main__":
    sys.stdout.write(metrics_table())
