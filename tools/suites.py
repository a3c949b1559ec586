"""Writes the rules about single rows as Great Expectations suites: `python -m tools.suites`.

They are about rows with the columns of their folders, as any hive-aware reader gives them.
"""

import json
import sys

from f1_bronze.datasets import DATASETS
from f1_bronze.quality.gx import build_suite


def suites_json() -> str:
    """All suites as JSON, as Great Expectations reads them."""
    suites = [build_suite(dataset).to_json_dict() for dataset in DATASETS]
    return json.dumps(suites, indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(suites_json())
