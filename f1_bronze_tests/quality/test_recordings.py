"""The rules on what OpenF1 really answered: a recorded season, and one session of 2026."""

import json
from pathlib import Path

import pytest

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import Severity

from ..conftest import RECORDINGS, needs_recordings
from .fake_lake import FakeLake, recorded, rules_of
from .measuring import measured

pytestmark = needs_recordings
_COMMITTED = Path(__file__).parents[2] / "docs/reference/measured_rules.json"
TRUE_WARNINGS = {
    # The winner's time is 0.526 s, and all others are relative to it.
    ("2024/belgian/race", "results", "winning time plausible"),
    # Nobody's first lap in Singapore, as upstream answers; in Monaco as laps were rebuilt.
    ("2024/monaco/race", "laps", "lap numbers contiguous"),
    ("2024/singapore/race", "laps", "lap numbers contiguous"),
}


@pytest.fixture(scope="module")
def lake() -> FakeLake:
    return recorded(RECORDINGS)


@pytest.mark.slow
def test_only_true_findings(lake: FakeLake) -> None:
    """No ERROR on a session that can be used, and no warning where nothing is wrong."""
    failed = {
        (partition.key, dataset.name, name): verdict.severity
        for dataset in DATASETS
        for partition, checks in lake.verdicts(dataset.name).items()
        for name, verdict in rules_of(checks).items()
        if verdict.passed is False
    }
    assert failed == dict.fromkeys(TRUE_WARNINGS, Severity.WARN)


@pytest.mark.slow
def test_shares_are_the_committed_ones(lake: FakeLake) -> None:
    """Every rule's measured share is the committed one, so the page of rules has it too."""
    committed = json.loads(_COMMITTED.read_text("utf-8"))
    now = measured(lake)
    assert {name: set(rules) for name, rules in now.items()} == {
        dataset.name: {rule.name for rule in dataset.rules} for dataset in DATASETS
    }
    assert now == committed, (
        "python -m f1_bronze_tests.quality.measuring FOLDER"
        " > docs/reference/measured_rules.json; make docs"
    )
