"""Writers killed with kill -9 at random moments: the lake never holds half a file, loses nothing,
and ends as if nobody had been killed."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from f1_bronze.lake.lake import Lake
from f1_bronze.lake.local import LocalStore
from f1_bronze.lake.verify import Defect, check_lake, repair_finding

from .season import (
    HARMLESS,
    YEAR,
    bronze,
    candidates,
    check_law,
    check_nothing_lost,
)

REPOSITORY = Path(__file__).parents[3]
KILLS = 50


class WriterProcess:
    """Orders to the process that forks and kills the writers."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def land(
        self, store: LocalStore, number: int, start: int = 0, *, after: float | None = None
    ) -> dict[str, Any]:
        """What became of a writer of the n-th pass."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {"root": str(store.root), "pass": number, "start": start, "after": after}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


@contextmanager
def writer_process() -> Iterator[WriterProcess]:
    process = subprocess.Popen(
        [sys.executable, "-m", "f1_bronze_tests.behaviour.crash.forked_writer"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    with process:
        yield WriterProcess(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(30) == 0


@pytest.mark.slow
def test_fifty_kills(tmp_path: Path) -> None:
    """50 writers are killed in the middle of a landing, corrections among them; each goes on where
    the one before was ended; one that nobody ends completes."""
    disturbed = LocalStore(tmp_path / "disturbed")
    rng = Random(2025)
    defects: set[Defect] = set()
    number = start = kills = 0
    with writer_process() as writers:
        outcome = writers.land(LocalStore(tmp_path / "timing"), 0)
        landing = outcome["seconds"] / outcome["done"]
        while kills < KILLS:
            outcome = writers.land(disturbed, number, start, after=rng.uniform(0, 4 * landing))
            landing *= (
                0.95 if outcome["done"] else 1.15
            )  # the machine may have other work meanwhile
            assert outcome["killed"] or outcome["status"] == 0
            kills += outcome["killed"]
            checked = check_law(disturbed, number)
            defects |= {finding.defect for finding in checked.findings}
            start += max(0, outcome["done"] - 1)  # the last one again, as --recent would
            if not outcome["killed"]:
                number, start = number + 1, 0
        last = writers.land(disturbed, number)
        assert (last["done"], last["status"]) == (len(candidates(0)), 0)
    assert number >= 1, "no correction was at stake"

    undisturbed = Lake(LocalStore(tmp_path / "undisturbed"))
    for each in range(number + 1):
        for candidate in candidates(each):
            undisturbed.land(candidate)
    assert bronze(disturbed) == bronze(undisturbed.store)
    check_nothing_lost(disturbed, number + 1)
    check_nothing_lost(undisturbed.store, number + 1)
    for finding in check_lake(disturbed, [YEAR]).findings:
        assert repair_finding(disturbed, finding, now=datetime.now(UTC) + timedelta(hours=2))
    assert check_lake(disturbed, [YEAR]).findings == ()
    assert bronze(disturbed) == bronze(undisturbed.store)
    check_nothing_lost(disturbed, number + 1)
    assert defects <= HARMLESS
    assert defects, "no kill hit a write: the moments are badly chosen"
