"""What racing rules are given: frames of the judged sessions and their neighbours."""

from dataclasses import replace

import pytest

from f1_bronze.datasets.drivers import DRIVERS
from f1_bronze.datasets.laps import LAPS
from f1_bronze.datasets.results import RESULTS
from f1_bronze.datasets.sessions import SESSIONS
from f1_bronze.quality.racing import RACING_RULES
from f1_bronze.quality.racing.findings import Around

from .landed import Records
from .paddock import RACE, RACE_2025, Paddock, simulated


@pytest.fixture(scope="module")
def paddock() -> Paddock:
    return simulated()


def test_neighbours_are_read_once_and_only_when_asked(paddock: Paddock) -> None:
    """A rule about laps alone reads nothing else; two about drivers read these once."""
    watched = replace(paddock, asked=[])
    around = watched.around("laps")
    own = around.of(LAPS)
    RACING_RULES["laps", "sectors add up"](own, around)
    assert watched.asked == []
    RACING_RULES["laps", "drivers known"](own, around)
    RACING_RULES["laps", "drivers known"](own, around)
    assert watched.asked == ["drivers"]
    assert around.landed(RESULTS) == frozenset(map(paddock.key, paddock.landed.records["results"]))


def test_frames_begin_with_the_partition(paddock: Paddock) -> None:
    """Then come the dataset's columns, but for lists; each row has its session's key."""
    frame = paddock.around("laps").of(LAPS)
    flat = [name for name in LAPS.column_names if not name.startswith("segments")]
    assert list(frame.columns) == ["year", "grand_prix", "session_type", *flat]
    race = frame[frame["session_key"] == paddock.key(RACE)]
    assert race[["year", "grand_prix", "session_type"]].drop_duplicates().values.tolist() == [
        [2024, "bahrain", "race"]
    ]
    assert len(race) == len(paddock.landed.records["laps"][RACE])


def test_keys_of_sessions_without_rows(paddock: Paddock) -> None:
    """They come from the calendar entry; without it, or taken already, they lie below 0."""
    empty = paddock.emptied("drivers")
    assert empty.around("drivers").partitions == paddock.around("drivers").partitions
    unknown = empty.without("sessions").around("drivers").partitions
    assert list(unknown) == [-1, -2, -3, -4, -5, -6]
    assert set(unknown.values()) == set(paddock.landed.records["drivers"])
    one = paddock.landed.subjects["drivers"][RACE]
    twice = Around(DRIVERS, {RACE: one, RACE_2025: one}, paddock)
    assert twice.partitions == {paddock.key(RACE): RACE, -2: RACE_2025}
    assert twice.of(DRIVERS).groupby("session_key").size().to_dict() == {
        paddock.key(RACE): 20,
        -2: 20,
    }
    assert SESSIONS.name in empty.asked


def test_rows_of_another_session_go_by_their_partition(paddock: Paddock) -> None:
    """A row with a foreign session_key is judged where it lies."""

    def foreign(records: Records) -> Records:
        return [*records[:-1], {**records[-1], "session_key": 1}]

    around = paddock.but("drivers", RACE, foreign).around("drivers")
    assert set(around.of(DRIVERS)["session_key"]) == set(around.partitions)
