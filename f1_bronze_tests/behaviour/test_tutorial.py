"""docs/tutorial.md, typed step by step against recorded answers, where they are."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from f1_bronze.simulator.behaviour import Behaviour
from f1_bronze.simulator.server import Simulator
from f1_bronze.simulator.sources import RecordedSeasons
from f1_bronze_tests.test_docs import blocks

ROOT = Path(__file__).parents[2]
RECORDINGS = ROOT.parent / "shared" / "openf1_recordings"
PAGE = (ROOT / "docs/tutorial.md").read_text("utf-8")


_GAP = r"[^\S\n]"


def matches(printed: str, promised: str) -> bool:
    """Whether a print is the promised one; `...` is anything in a line, alone it is any lines."""
    parts = []
    for line in promised.strip().splitlines():
        if line == "...":
            parts.append(r"(?:.*\n)*?")
        else:
            words = (re.escape(word).replace(r"\.\.\.", ".*") for word in line.split())
            parts.append(f"{_GAP}*" + f"{_GAP}+".join(words) + f"{_GAP}*\n")
    return re.fullmatch("".join(parts), printed.strip() + "\n") is not None


@pytest.mark.slow
@pytest.mark.skipif(not RECORDINGS.is_dir(), reason=f"no recordings in {RECORDINGS}")
def test_every_step(tmp_path: Path) -> None:
    """Each command of the tutorial prints what the tutorial shows, in its order."""
    folder = tmp_path
    with Simulator(RecordedSeasons(RECORDINGS), behaviour=Behaviour(limits=None)) as simulator:
        environ = {k: v for k, v in os.environ.items() if not k.startswith("F1_BRONZE_")}
        environ.pop("DAGSTER_HOME", None)
        environ["COLUMNS"] = "200"  # a terminal that the tables fit
        environ |= {
            "F1_BRONZE_OPENF1_URL": simulator.url,
            "F1_BRONZE_RATE_STORE": f"file:{tmp_path / 'calls'}",
        }
        for block in blocks(PAGE, "console"):
            typed, promised = block.split("\n", 1)
            words = shlex.split(typed.removeprefix("$ f1-bronze "))
            done = subprocess.run(
                [sys.executable, "-m", "f1_bronze.cli", *words],
                cwd=folder,
                env=environ,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            assert matches(done.stdout, promised), f"{typed}\n{done.stdout}"
            if words[0] == "init":
                folder /= words[1]
                assert "export F1_BRONZE_SESSION_TYPES=race" in PAGE
                environ["F1_BRONZE_SESSION_TYPES"] = "race"
        [read] = blocks(PAGE, "python")
        program = [sys.executable, "-c", read]
        counted = subprocess.run(program, cwd=folder, capture_output=True, text=True, check=True)
    assert counted.stdout == "1215\n"
