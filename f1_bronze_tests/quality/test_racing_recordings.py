"""The racing rules on what OpenF1 really answered: sound sessions pass, the known holes show."""

from pathlib import Path

import pytest

from f1_bronze.datasets.dataset import Severity
from f1_bronze.quality.racing.findings import CheckedSessions

from .fake_lake import BY_NAME, recorded
from .racing_fixtures import broken_rules, racing_rules

RECORDINGS = Path(__file__).parents[3] / "shared" / "openf1_recordings"
KNOWN_HOLES = {
    # Nobody's first lap in Singapore, as upstream answers; in Monaco as laps were rebuilt.
    ("laps", "lap numbers contiguous", "2024/monaco/race"),
    ("laps", "lap numbers contiguous", "2024/singapore/race"),
}


@pytest.mark.slow  # a season has to be read
@pytest.mark.skipif(
    not RECORDINGS.is_dir(), reason=f"no recordings beside the repository at {RECORDINGS}"
)
def test_a_recorded_season() -> None:
    """Of 61 sessions two are at fault, by one rule each, and that is no ERROR."""
    lake = recorded(RECORDINGS)
    broken = {
        (name, rule, partition.key)
        for name, dataset in BY_NAME.items()
        for rule, partition in broken_rules(CheckedSessions(dataset, lake.all_tables(name), lake))
    }
    assert broken == KNOWN_HOLES
    errors = {(n, r.name) for n in BY_NAME for r in racing_rules(n) if r.severity is Severity.ERROR}
    assert errors == {("sessions", "starts in its season"), ("results", "positions unique")}
