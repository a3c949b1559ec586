"""A deployment with two sessions, which has looked at the world once."""

from pathlib import Path

import dagster as dg
import pytest

from f1_bronze.settings import Settings

from .deployment import QUALIFYING, RACE, Deployment


@pytest.fixture
def own_lake(tmp_path: Path) -> Settings:
    """Settings for a lake of its own, and nobody to ask."""
    return Settings.read({"F1_BRONZE_LAKE_URI": str(tmp_path / "lake")})


@pytest.fixture
def deployment(instance: dg.DagsterInstance, own_lake: Settings) -> Deployment:
    """Nothing is stored; the automation has been on for a while."""
    made = Deployment(instance, own_lake)
    made.registers(QUALIFYING, RACE)
    assert made.tick() == []
    return made
