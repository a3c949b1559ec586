"""Of a broad set of single defects, planted in invented and in recorded sessions, at least 95 % are
noticed as severely as they should be, with no rule failing that is about something else.

All plants of a lake are judged at once, each in a copy of a session under a key of its own.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from random import Random

import pyarrow as pa
import pytest

from f1_bronze.datasets.dataset import CLASSIFIED_TYPES, Dataset, Severity
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.quality.context import SessionRows
from f1_bronze.simulator.invented import InventedSeasons

from ..conftest import RECORDINGS, needs_recordings
from .fake_lake import BY_NAME, FakeLake, Records, find_failing, invented, recorded
from .plants import PLANTS, Plant

pytestmark = pytest.mark.slow
_KEYS_FROM = 2_000_000
_WEEKENDS = 9


@dataclass
class PlantedLake(FakeLake):
    """Copies of sessions with a defect each; what was seen before is as in the sound lake."""

    sound: FakeLake = field(default_factory=FakeLake)
    originals: dict[SessionPartition, SessionPartition] = field(default_factory=dict)

    def earlier_rows(self, dataset: Dataset, partition: SessionPartition) -> list[int]:
        """Those of the original."""
        return list(self.sound.earlier_rows(dataset, self.originals[partition]))

    def fastest_laps(self, partition: SessionPartition) -> list[float]:
        """Those of the original."""
        return list(self.sound.fastest_laps(self.originals[partition]))

    def plant(self, plant: Plant, number: int, candidates: Collection[SessionPartition]) -> bool:
        """Plant it in the first candidate where it can be; whether there was one."""
        rng, key = Random(number), _KEYS_FROM + number
        order = rng.sample(sorted(candidates), len(candidates))
        for original in order:
            rows = [dict(r) for r in self.sound.records[plant.dataset][original]]
            others = [other for other in order if other != original]
            if plant.swapped_with:
                twin = replace(original, session_type=plant.swapped_with)
                others = [twin] if twin in self.sound.records[plant.dataset] else []
            other = self.sound.records[plant.dataset][rng.choice(others)] if others else []
            changed = plant.change(rows, [dict(record) for record in other], rng)
            if changed is not None:
                self._copy(original, replace(original, grand_prix=f"copy_{number}"), key)
                copy = [{**record, "session_key": key} for record in changed]
                self.store(BY_NAME[plant.dataset], self.copy(number, original), copy)
                return True
        return False

    @staticmethod
    def copy(number: int, original: SessionPartition) -> SessionPartition:
        """The copy that a plant is in."""
        return replace(original, grand_prix=f"copy_{number}")

    def _copy(self, original: SessionPartition, copy: SessionPartition, key: int) -> None:
        self.originals[copy] = original
        for name, sessions in self.sound.sessions.items():
            if original in sessions:
                table = sessions[original].table
                place = table.column_names.index("session_key")
                keys = pa.array([key] * table.num_rows, type=pa.int64())
                table = table.set_column(place, table.schema.field("session_key"), keys)
                absent = sessions[original].absent_columns
                self.sessions[name][copy] = SessionRows(table=table, absent_columns=absent)


def _is_dated(laps: Records) -> bool:
    return any(lap.get("date_start") for lap in laps)


def _candidates(
    plant: Plant, lake: FakeLake, sound: Collection[SessionPartition]
) -> list[SessionPartition]:
    """The sound sessions in which it can be planted."""
    fitting = [
        partition
        for partition in sound
        if partition.session_type in plant.types
        and lake.records[plant.dataset].get(partition)
        and (partition.year <= plant.last_year)
    ]
    dated = plant.dated and plant.dataset == "laps"
    return [p for p in fitting if not dated or _is_dated(lake.records["laps"][p])]


def _missed(lake: FakeLake, plants: Sequence[Plant] = PLANTS) -> list[str]:
    """What was not noticed as it should be; every plant has found a session."""
    failing = find_failing(lake)
    sound = [partition for partition, rules in failing.items() if not rules]
    planted = PlantedLake(sound=lake)
    for number, plant in enumerate(plants):
        assert planted.plant(plant, number, _candidates(plant, lake, sound)), plant.name
    found = {p.grand_prix: rules for p, rules in find_failing(planted).items()}
    missed = []
    for number, plant in enumerate(plants):
        failed = found[f"copy_{number}"]
        own, related = plant.full_names(plant.rules), plant.full_names(plant.related)
        severe = plant.severity is Severity.WARN or Severity.ERROR in failed.values()
        if not (own & failed.keys() and severe and failed.keys() <= own | related):
            missed.append(f"{plant.name}: {failed}")
    return missed


def test_the_set_is_broad() -> None:
    """There are at least 290 plants with names of their own, in every dataset."""
    assert len({plant.name for plant in PLANTS}) == len(PLANTS) >= 290
    assert {plant.dataset for plant in PLANTS} == set(BY_NAME)


@pytest.mark.parametrize("year", [2025])
def test_in_an_invented_season(year: int, seasons: InventedSeasons) -> None:
    """The plants in the simulator's sessions of a season, practice too."""
    season = invented(seasons, year, CLASSIFIED_TYPES | {"practice_1", "practice_2"})
    weekends = list(dict.fromkeys(p.grand_prix for p in season.sessions["sessions"]))[:_WEEKENDS]
    lake = FakeLake(
        *(
            {
                name: {p: rows for p, rows in of_dataset.items() if p.grand_prix in weekends}
                for name, of_dataset in part.items()
            }
            for part in (season.records, season.sessions)
        )
    )
    missed = _missed(lake)
    assert len(missed) <= 0.05 * len(PLANTS), missed


@needs_recordings
def test_in_a_recorded_season() -> None:
    """The plants in the races, sprints and qualifyings of 2024, and in a qualifying of 2026.

    Of practice nothing was recorded, and laps of races and of that qualifying alone.
    """
    lake = recorded(RECORDINGS)
    plants = [plant for plant in PLANTS if _is_recorded(plant, lake)]
    assert len(plants) >= 230
    missed = _missed(lake, plants)
    assert len(missed) <= 0.05 * len(plants), missed


def _is_recorded(plant: Plant, lake: FakeLake) -> bool:
    """Whether there are two sessions or more with what its rules compare."""
    compared = {plant.dataset, *(rule.split(": ")[0] for rule in plant.rules if ": " in rule)}
    shared = set.intersection(*(set(lake.records[dataset]) for dataset in compared))
    fitting = [p for p in shared if p.session_type in plant.types]
    return len(fitting) > 1
