"""What the racing rules cost: in proportion to what they check."""

import time

import pytest

from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.quality.racing import RACING_RULES
from f1_bronze.simulator.invented import InventedSeasons

from .fake_lake import BY_NAME, FakeLake, invented
from .racing_fixtures import RacingSessions, racing_rules


@pytest.mark.slow  # 48 sessions have to be made first
def test_the_cost_of_a_season_is_that_of_its_sessions() -> None:
    """Four times the sessions cost about four times as much, frames included; squared were 16."""
    season = invented(InventedSeasons(seed=1, years=[2025]), 2025, {"race", "qualifying"})
    partitions: list[SessionPartition] = list(season.records["laps"])
    assert len(partitions) == 48
    quarter = FakeLake()
    for name, kept in season.records.items():
        for partition in sorted(kept.keys() & set(partitions[:12])):
            quarter.store(BY_NAME[name], partition, kept[partition])
    # The smaller part of what each costs is what else the machine did meanwhile.
    whole, part = (min(seconds_for(lake) for _ in range(3)) for lake in (season, quarter))
    assert whole < 8 * part


def seconds_for(lake: FakeLake) -> float:
    """CPU seconds of all racing rules over what a lake holds."""
    racing = RacingSessions(lake=lake, usual=lake)
    begun, checked = time.process_time(), 0
    for name, dataset in BY_NAME.items():
        sessions = racing.checked(name)
        for rule in racing_rules(name):
            findings = RACING_RULES[rule.name](sessions.rows(dataset), sessions)
            checked += sum(findings.checked.values())
    assert checked > 20_000
    return time.process_time() - begun
