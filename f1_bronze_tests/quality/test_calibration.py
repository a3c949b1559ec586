"""The rules on what OpenF1 really answered: a recorded season, and one session of 2026."""

import json
from pathlib import Path

import pytest

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import Dataset, Severity

from ..conftest import RECORDINGS, needs_recordings
from .fake_lake import FakeLake, recorded, rules_of
from .measuring import measured

pytestmark = needs_recordings
_COMMITTED = Path(__file__).parents[2] / "docs" / "measured_rules.json"


@pytest.fixture(scope="module")
def lake() -> FakeLake:
    return recorded(RECORDINGS)


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda dataset: dataset.name)
def test_no_error_on_good_sessions(lake: FakeLake, dataset: Dataset) -> None:
    """No ERROR rule fails on a recorded session; each of these is good enough to be used."""
    errors = [
        (partition.key, name, verdict.observed)
        for partition, checks in lake.verdicts(dataset.name).items()
        for name, verdict in rules_of(checks).items()
        if verdict.passed is False and verdict.severity is Severity.ERROR
    ]
    assert errors == []


def test_shares_are_the_committed_ones(lake: FakeLake) -> None:
    """Every rule's measured share is what docs/measured_rules.json says, so docs/rules.md too."""
    committed = json.loads(_COMMITTED.read_text("utf-8"))
    now = measured(lake)
    assert {name: set(rules) for name, rules in now.items()} == {
        dataset.name: {rule.name for rule in dataset.rules} for dataset in DATASETS
    }
    assert now == committed, (
        "python -m f1_bronze_tests.quality.measuring FOLDER > docs/measured_rules.json; make docs"
    )


def test_warnings_are_few(lake: FakeLake) -> None:
    """A rule warns of one recorded session in twenty at most; else nobody would look any more."""
    figures = measured(lake)
    often = {
        (dataset, rule): (one["sessions_passed"], one["sessions"])
        for dataset, rules in figures.items()
        for rule, one in rules.items()
        if one["sessions"] - one["sessions_passed"] > max(2, one["sessions"] / 20)
    }
    assert often == {}
