"""A process that runs single partitions, one after the other, on an instance that others use too.

`python -m f1_bronze_tests.behaviour.scale.waiting_runs KEY…` waits for a line on standard input, so
that all begin at once, and prints the statuses of its runs.
"""

import json
import sys
from collections import Counter

from f1_bronze.datasets.drivers import DRIVERS
from f1_bronze.definitions import assemble
from f1_bronze.defs.automation.instance import open_instance
from f1_bronze.defs.automation.launch import PlannedRun, execute
from f1_bronze.settings import Settings
from f1_bronze_tests.judges import NoRules


def main(keys: list[str]) -> None:
    """A run for each key, drivers alone and unjudged: the event log is what is tried."""
    definitions = assemble(Settings.read(), judge=NoRules())
    statuses: Counter[str] = Counter()
    with open_instance() as instance:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        for key in keys:
            run = PlannedRun(
                job="bronze_sessions", op="ingest_sessions", datasets=(DRIVERS,), keys=(key,)
            )
            result = execute(
                run, definitions=definitions, instance=instance, accept_loss=False, tags={}
            )
            statuses["SUCCESS" if result.success else "FAILURE"] += 1
    sys.stdout.write(json.dumps(statuses) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
