"""A simulated race and qualifying of 2026, with 22 cars, made once."""

import pytest

from f1_bronze.simulator.invented import InventedSeasons

from .svg_reading import Tables, invented


@pytest.fixture(scope="session")
def race(seasons: InventedSeasons) -> Tables:
    """Every table of the race."""
    return invented(seasons, 2026, "Melbourne", "Race")


@pytest.fixture(scope="session")
def qualifying(seasons: InventedSeasons) -> Tables:
    """Every table of the qualifying before it."""
    return invented(seasons, 2026, "Melbourne", "Qualifying")
