"""WHAT is true: the six datasets, their columns and rules, and what makes a partition.

This file is the roll-call: a new dataset is its own file and one line here.
"""

from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.drivers import DRIVERS
from f1_bronze.datasets.laps import LAPS
from f1_bronze.datasets.pit_stops import PIT_STOPS
from f1_bronze.datasets.results import RESULTS
from f1_bronze.datasets.sessions import SESSIONS
from f1_bronze.datasets.stints import STINTS

DATASETS: tuple[Dataset, ...] = (SESSIONS, DRIVERS, RESULTS, LAPS, STINTS, PIT_STOPS)
"""All datasets in the order in which they are ingested."""

__all__ = ["DATASETS"]
