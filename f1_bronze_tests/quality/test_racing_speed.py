"""What the racing rules cost: a season of them is a matter of a second."""

import time

import pytest

from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.quality.racing import RACING_RULES
from f1_bronze.simulator.invented import InventedSeasons

from .landed import BY_NAME, invented
from .paddock import Paddock


@pytest.mark.slow  # 48 sessions have to be made first
def test_a_season_is_judged_within_a_second_of_computing() -> None:
    """All racing rules over the 24 races and qualifyings of a season, frames included."""
    season = invented(InventedSeasons(seed=1, years=[2025]), 2025, {"race", "qualifying"})
    paddock = Paddock(landed=season, usual=season)
    partitions: list[SessionPartition] = list(season.records["laps"])
    assert len(partitions) == 48
    begun = time.process_time()
    looked_at = 0
    for name, dataset in BY_NAME.items():
        around = paddock.around(name)
        for of, rule in RACING_RULES:
            if of == name:
                findings = RACING_RULES[of, rule](around.of(dataset), around)
                looked_at += sum(findings.looked_at.values())
    assert time.process_time() - begun < 1.0
    assert looked_at > 100_000
