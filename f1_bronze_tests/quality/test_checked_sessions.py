"""What racing rules are given: frames of the checked sessions and their neighbours."""

from dataclasses import replace

import pytest

from f1_bronze.datasets.drivers import DRIVERS
from f1_bronze.datasets.laps import LAPS
from f1_bronze.datasets.results import RESULTS
from f1_bronze.datasets.sessions import SESSIONS
from f1_bronze.quality.racing import RACING_RULES
from f1_bronze.quality.racing.findings import CheckedSessions

from .fake_lake import Records
from .racing_fixtures import RACE, RACE_2025, RacingSessions, simulated


@pytest.fixture(scope="module")
def racing() -> RacingSessions:
    return simulated()


def test_neighbours_are_read_once_and_only_when_asked(racing: RacingSessions) -> None:
    """A rule about laps alone reads nothing else; two about drivers read these once."""
    watched = replace(racing, asked=[])
    sessions = watched.checked("laps")
    own = sessions.rows(LAPS)
    RACING_RULES["sectors add up"](own, sessions)
    assert watched.asked == []
    RACING_RULES["drivers known"](own, sessions)
    RACING_RULES["drivers known"](own, sessions)
    assert watched.asked == ["drivers"]
    assert sessions.stored(RESULTS) == frozenset(map(racing.key, racing.lake.records["results"]))


def test_frames_begin_with_the_partition(racing: RacingSessions) -> None:
    """Then come the dataset's columns, but for lists; each row has its session's key."""
    frame = racing.checked("laps").rows(LAPS)
    flat = [name for name in LAPS.column_names if not name.startswith("segments")]
    assert list(frame.columns) == ["year", "grand_prix", "session_type", *flat, "extra_fields"]
    race = frame[frame["session_key"] == racing.key(RACE)]
    assert race[["year", "grand_prix", "session_type"]].drop_duplicates().values.tolist() == [
        [2024, "bahrain", "race"]
    ]
    assert len(race) == len(racing.lake.records["laps"][RACE])


def test_keys_of_sessions_without_rows(racing: RacingSessions) -> None:
    """They come from the calendar entry; without it, or taken already, they lie below 0."""
    empty = racing.emptied("drivers")
    assert empty.checked("drivers").partitions == racing.checked("drivers").partitions
    unknown = empty.without("sessions").checked("drivers").partitions
    assert list(unknown) == [-1, -2, -3, -4, -5, -6]
    assert set(unknown.values()) == set(racing.lake.records["drivers"])
    one = racing.lake.sessions["drivers"][RACE].table
    twice = CheckedSessions(DRIVERS, {RACE: one, RACE_2025: one}, racing)
    assert twice.partitions == {racing.key(RACE): RACE, -2: RACE_2025}
    assert twice.rows(DRIVERS).groupby("session_key").size().to_dict() == {
        racing.key(RACE): 20,
        -2: 20,
    }
    assert SESSIONS.name in empty.asked


def test_rows_of_another_session_go_by_their_partition(racing: RacingSessions) -> None:
    """A row with a foreign session_key is checked where it is stored."""

    def foreign(records: Records) -> Records:
        return [*records[:-1], {**records[-1], "session_key": 1}]

    sessions = racing.but_with("drivers", RACE, foreign).checked("drivers")
    assert set(sessions.rows(DRIVERS)["session_key"]) == set(sessions.partitions)
