"""Names in partition keys: slugs of Grands Prix, unique within a year."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f1_bronze.datasets.partition import session_type_slug
from f1_bronze.openf1.partition_names import grand_prix_slugs, parse_time


def meeting(
    key: int, name: object, start: str = "2024-03-01T10:00:00+00:00", **more: object
) -> dict[str, Any]:
    return {"meeting_key": key, "meeting_name": name, "date_start": start, **more}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("São Paulo Grand Prix", "sao_paulo"),
        ("Saudi Arabian Grand Prix", "saudi_arabian"),
        ("Emilia Romagna GRAND  PRIX", "emilia_romagna"),
        ("Grand Prix of Monaco", "of_monaco"),
        ("Pre-Season Testing", "pre_season_testing"),
        ("70th Anniversary Grand Prix", "70th_anniversary"),
        ("1000 Grand Prix", "grand_prix_1000"),
        ("2025-03-01", "grand_prix_2025_03_01"),
        ("1E5 Grand Prix", "grand_prix_1e5"),
        ("Nan Grand Prix", "grand_prix_nan"),
    ],
)
def test_a_grand_prix_is_its_name_without_these_words(name: str, expected: str) -> None:
    """The words Grand Prix go, in any case; accents go; the rest is joined by underscores."""
    assert grand_prix_slugs([meeting(1, name)]) == {1: expected}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"meeting_name": "Grand Prix", "location": "Imola"}, "imola"),
        ({"meeting_name": "日本", "location": "鈴鹿", "country_name": "Japan"}, "japan"),
        ({"meeting_name": None, "location": 5}, "meeting_7"),
        ({}, "meeting_7"),
    ],
)
def test_a_name_without_letters_falls_back(fields: dict[str, object], expected: str) -> None:
    """Location, then country, then the key stand in for a name that slugs to nothing."""
    assert grand_prix_slugs([{"meeting_key": 7, **fields}]) == {7: expected}


def test_the_earliest_keeps_a_shared_name() -> None:
    """A cancelled round keeps its name; the one that comes back later carries its key."""
    meetings = [
        meeting(1308, "Bahrain Grand Prix", "2026-10-02T10:00:00+00:00"),
        meeting(1282, "Bahrain Grand Prix", "2026-04-10T10:00:00+00:00", is_cancelled=True),
        meeting(1305, "Pre-Season Testing", "2026-02-18T07:00:00+00:00"),
        meeting(1304, "Pre-Season Testing", "2026-02-18T07:00:00+00:00"),
        meeting(1310, "Bahrain Grand Prix", "soon"),
    ]
    assert grand_prix_slugs(meetings) == {
        1304: "pre_season_testing",
        1305: "pre_season_testing_1305",
        1282: "bahrain",
        1308: "bahrain_1308",
        1310: "bahrain_1310",
    }


def test_a_suffix_never_takes_a_real_name() -> None:
    """A meeting that is really called like another's suffixed slug keeps its own."""
    meetings = [
        meeting(1, "Spanish Grand Prix", "2024-01-01T00:00:00+00:00"),
        meeting(2, "Spanish Grand Prix", "2024-02-01T00:00:00+00:00"),
        meeting(3, "Spanish 2", "2024-03-01T00:00:00+00:00"),
    ]
    assert grand_prix_slugs(meetings) == {1: "spanish", 2: "spanish_2_2", 3: "spanish_2"}


NAMES = st.sampled_from(["A Grand Prix", "a", "A 1", "a_2", "A 1 1", "Grand Prix", "", "É", None])


@given(
    st.lists(
        st.tuples(
            st.integers(1, 6),
            NAMES,
            st.sampled_from(["2024-01-01T00:00:00Z", "2024-02-01T00:00:00Z", None]),
        ),
        max_size=8,
    ),
    st.randoms(),
)
def test_slugs_are_unique_valid_and_independent_of_order(
    drawn: list[tuple[int, str | None, str | None]], shuffler: Any
) -> None:
    """Whatever the names, each meeting has one slug of its own, however they are listed."""
    meetings = list({key: meeting(key, name, start or "") for key, name, start in drawn}.values())
    slugs = grand_prix_slugs(meetings)
    assert set(slugs) == {m["meeting_key"] for m in meetings}
    assert len(set(slugs.values())) == len(slugs)
    assert all(re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", slug) for slug in slugs.values())
    shuffler.shuffle(meetings)
    assert grand_prix_slugs(meetings) == slugs


def test_records_without_a_key_are_passed_over() -> None:
    """A meeting without a whole-number key cannot be named; a repeated key counts once."""
    meetings = [{"meeting_name": "A"}, meeting(1, "B"), meeting(1, "C"), {"meeting_key": "2"}]
    assert grand_prix_slugs(meetings) == grand_prix_slugs(meetings[::-1]) == {1: "c"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Race", "race"),
        ("Practice 1", "practice_1"),
        ("Day 3", "day_3"),
        ("Sprint", "sprint"),
        ("Sprint Qualifying", "sprint_qualifying"),
        ("Sprint Shootout", "sprint_qualifying"),
        ("1", "session_1"),
    ],
)
def test_session_types(name: str, expected: str) -> None:
    """A session type is the slug of its name; the Sprint Shootout got another one in 2026."""
    assert session_type_slug(name) == expected


def test_moments_say_their_offset() -> None:
    """A timestamp becomes UTC; without an offset, or of another type, it is none."""
    read = parse_time("2024-03-02T18:00:00+03:00")
    assert read is not None
    assert read.isoformat() == "2024-03-02T15:00:00+00:00"
    assert [parse_time(wrong) for wrong in ("2024-03-02T18:00:00", "soon", 5, None)] == [None] * 4
    assert parse_time("0001-01-01T00:00:00+05:00") is None
