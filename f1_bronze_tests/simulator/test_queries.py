"""Queries are read the way OpenF1 reads them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f1_bronze.simulator.queries import RequestQuery

RECORD = {
    "session_key": 9158,
    "driver_number": 4,
    "lap_duration": 91.25,
    "i1_speed": None,
    "is_pit_out_lap": True,
    "name_acronym": "MAR",
    "compound": "SOFT",
    "country_code": "MON",
    "team_colour": "229971",
    "segments_sector_1": [2048, 2049],
    "date_start": "2025-03-16T04:00:00+00:00",
}


@pytest.mark.parametrize(
    ("raw", "matches"),
    [
        ("", True),
        ("session_key=9158", True),
        ("session_key=9159", False),
        ("session_key=9159&session_key=9158", True),
        ("session_key=9158&driver_number=5", False),
        ("session_key>=9158&session_key<=9158", True),
        ("session_key>=9000&session_key<=9100", False),
        ("session_key>9157", True),
        ("session_key>9158", False),
        ("session_key<9159", True),
        ("session_key%3E=9158", True),
        ("session_key%3C=9157", False),
        ("lap_duration>=91.25", True),
        ("lap_duration<91", False),
        ("i1_speed>=0", False),
        ("i1_speed<=999", False),
        ("is_pit_out_lap=true", True),
        ("is_pit_out_lap=1", False),
        ("compound=SOFT", True),
        ("compound=soft", False),
        ("team_colour=229971", False),
        ("segments_sector_1=2048", False),
        ("unknown_field=1", False),
        ("session_key", False),
        ("session_key=", False),
        ("name_acronym=MAR", False),
        ("country_code=MON", False),
    ],
)
def test_a_query_admits_as_the_api_would(raw: str, matches: bool) -> None:
    """Equality, ranges, OR within a key, AND between keys, and the known traps."""
    assert RequestQuery.parse(raw).admits(RECORD) is matches


@pytest.mark.parametrize(
    ("raw", "matches"),
    [
        ("date_start>=2025-03-16", True),
        ("date_start<=2025-03-16", False),
        ("date_start>=2025-03-16T04:00:00%2B00:00", True),
        ("date_start>=2025-03-16T04:00:00+00:00", True),
        ("date_start>2025-03-16T04:00:00", False),
        ("date_start>=2025-03", True),
        ("date_start=2025-03-16T05:00:00%2B01:00", True),
        ("date_start%3E%3D=2025-01-01", False),
        ("date_start%3E%3D%3D2025-01-01", False),
        ("date_start%3E=2025-01-01", True),
    ],
)
def test_dates_are_compared_as_moments(raw: str, matches: bool) -> None:
    """A date is a moment in UTC; a doubly written operator matches nothing."""
    assert RequestQuery.parse(raw).admits(RECORD) is matches


@given(st.sets(st.integers(1, 40)), st.integers(1, 40))
def test_a_repeated_key_is_or(keys: set[int], key: int) -> None:
    """Naming several values admits exactly these."""
    query = RequestQuery.parse("&".join(f"session_key={k}" for k in sorted(keys)))
    assert query.admits({"session_key": key}) is (not keys or key in keys)


def test_a_query_names_sessions() -> None:
    """A session is named by equality or by a range around it, not by silence."""
    assert RequestQuery.parse("session_key=5&session_key=6").names_session(6)
    assert RequestQuery.parse("session_key>=5&session_key<=9").names_session(6)
    assert not RequestQuery.parse("session_key=5").names_session(6)
    assert not RequestQuery.parse("meeting_key=5").names_session(6)


@given(st.text(max_size=40))
def test_no_query_string_is_too_strange(raw: str) -> None:
    """Parsing and matching never raise, whatever arrives."""
    assert RequestQuery.parse(raw).admits(RECORD) in (True, False)
