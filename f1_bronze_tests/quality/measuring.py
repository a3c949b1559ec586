"""How recorded sessions fare under the rules: `python -m f1_bronze_tests.quality.measuring FOLDER`.

The figures of docs/reference/rules.md are kept in measured_rules.json beside it, because the
recordings are not part of the project.
"""

import json
import sys
from pathlib import Path
from typing import Any

from f1_bronze.datasets import DATASETS

from .fake_lake import FakeLake, recorded, rules_of


def measured(lake: FakeLake) -> dict[str, dict[str, dict[str, Any]]]:
    """By dataset and rule: sessions and rows that were checked, and how many passed."""
    figures: dict[str, dict[str, dict[str, Any]]] = {}
    for dataset in DATASETS:
        sums = {
            rule.name: {"sessions": 0, "sessions_passed": 0, "rows": 0, "rows_passed": 0}
            for rule in dataset.rules
        }
        for checks in lake.verdicts(dataset.name).values():
            for name, verdict in rules_of(checks).items():
                if verdict.passed is None:
                    continue
                sums[name]["sessions"] += 1
                sums[name]["sessions_passed"] += verdict.passed
                sums[name]["rows"] += verdict.rows_seen
                sums[name]["rows_passed"] += verdict.rows_seen - verdict.unexpected_count
        figures[dataset.name] = sums
    return figures


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measured(recorded(Path(sys.argv[1]))), indent=1) + "\n")
