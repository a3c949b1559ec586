"""How the rules stand on recorded sessions: `python -m f1_bronze_tests.quality.measuring FOLDER`.

Belongs here: the measurement behind docs/rules.md, whose figures are kept in
docs/measured_rules.json because the recordings are not part of the project. Stays out: the page.
"""

import json
import sys
from pathlib import Path
from typing import Any

from f1_bronze.datasets import DATASETS

from .landed import Landed, recorded, rules_of


def measured(landed: Landed) -> dict[str, dict[str, dict[str, Any]]]:
    """By dataset and rule: sessions judged and passed, things seen and as demanded."""
    figures: dict[str, dict[str, dict[str, Any]]] = {}
    for dataset in DATASETS:
        sums = {
            rule.name: {"sessions": 0, "sessions_passed": 0, "seen": 0, "as_demanded": 0}
            for rule in dataset.rules
        }
        for checks in landed.judged(dataset.name).values():
            for name, verdict in rules_of(checks).items():
                if verdict.passed is None:
                    continue
                sums[name]["sessions"] += 1
                sums[name]["sessions_passed"] += verdict.passed
                sums[name]["seen"] += verdict.rows_seen
                sums[name]["as_demanded"] += verdict.rows_seen - verdict.unexpected_count
        figures[dataset.name] = sums
    return figures


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measured(recorded(Path(sys.argv[1]))), indent=1) + "\n")
