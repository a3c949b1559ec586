"""What the racing rules cost: a season of them is a matter of a second."""

import time

import pytest

from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.quality.racing import RACING_RULES
from f1_bronze.simulator.invented import InventedSeasons

from .fake_lake import BY_NAME, invented
from .racing_fixtures import RacingSessions, racing_rules


@pytest.mark.slow  # 48 sessions have to be made first
def test_a_season_is_checked_within_a_second_of_computing() -> None:
    """All racing rules over the 24 races and qualifyings of a season, frames included."""
    season = invented(InventedSeasons(seed=1, years=[2025]), 2025, {"race", "qualifying"})
    racing = RacingSessions(lake=season, usual=season)
    partitions: list[SessionPartition] = list(season.records["laps"])
    assert len(partitions) == 48
    begun = time.process_time()
    checked = 0
    for name, dataset in BY_NAME.items():
        sessions = racing.checked(name)
        for rule in racing_rules(name):
            findings = RACING_RULES[rule.name](sessions.rows(dataset), sessions)
            checked += sum(findings.checked.values())
    assert time.process_time() - begun < 1.0
    assert checked > 100_000
