"""Partition keys and slugs: the names by which a session is known for good."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from f1_bronze.datasets.partition import PartitionKeyError, SessionPartition, slug

words = st.text("abcxyz0189", min_size=1, max_size=5)
slugs = st.lists(words, min_size=1, max_size=3).map("_".join)
years = st.integers(1950, 9999)


@given(year=years, grand_prix=slugs, session_type=slugs)
def test_key_goes_round(year: int, grand_prix: str, session_type: str) -> None:
    """A key is YEAR/GRAND_PRIX/SESSION_TYPE, and parsing it gives the same partition."""
    partition = SessionPartition(year=year, grand_prix=grand_prix, session_type=session_type)
    assert partition.key == f"{year}/{grand_prix}/{session_type}"
    assert SessionPartition.parse(partition.key) == partition


@given(st.text() | st.from_regex(r"[0-9]{4}/[a-zA-Z0-9_]{0,4}/[a-z_]{0,4}"))
@example("2025/bahrain/race\n")
@example("٢٠٢٥/bahrain/race")
def test_any_text_is_a_key_or_is_refused(text: str) -> None:
    """Whatever the text: it is the key of a partition, letter for letter, or it is refused."""
    try:
        partition = SessionPartition.parse(text)
    except PartitionKeyError:
        return
    assert partition.key == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2025",
        "2025/bahrain",
        "2025/bahrain/race/1",
        "/2025/bahrain/race",
        "25/bahrain/race",
        "02025/bahrain/race",
        "-202/bahrain/race",
        "year/bahrain/race",
        "1949/bahrain/race",
        "2025/Bahrain/race",
        "2025/são_paulo/race",
        "2025/sao paulo/race",
        "2025/sao-paulo/race",
        "2025/sao__paulo/race",
        "2025/_bahrain/race",
        "2025/bahrain_/race",
        "2025//race",
        "2025/bahrain/",
        "2025/bahrain/..",
        "2025/bahrain/race\n",
        " 2025/bahrain/race",
    ],
)
def test_bad_key_is_refused_with_an_example(text: str) -> None:
    """A text that is no key raises, and the message shows what one looks like."""
    with pytest.raises(PartitionKeyError, match="for example"):
        SessionPartition.parse(text)


def test_partitions_sort_by_year_first() -> None:
    """Partitions have an order, so that tables and listings are stable."""
    keys = ["2025/bahrain/race", "2024/monaco/race", "2024/monaco/qualifying", "2024/bahrain/race"]
    assert [partition.key for partition in sorted(map(SessionPartition.parse, keys))] == [
        "2024/bahrain/race",
        "2024/monaco/qualifying",
        "2024/monaco/race",
        "2025/bahrain/race",
    ]


@given(st.text())
@example("Ⅻ ½ ﬁ ß ẞ İ ı Ǆ")
def test_slug_law(name: str) -> None:
    """A slug holds a–z, 0–9 and single inner underscores only, and is its own slug."""
    made = slug(name)
    assert made == "" or re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", made)
    assert slug(made) == made


@given(grand_prix=slugs)
def test_slug_of_a_slug_is_itself(grand_prix: str) -> None:
    """What is a slug already stays as it is."""
    assert slug(grand_prix) == grand_prix


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("São Paulo", "sao_paulo"),
        ("Saudi Arabian", "saudi_arabian"),
        ("Emilia-Romagna", "emilia_romagna"),
        ("Mexico City", "mexico_city"),
        ("Côte d'Azur", "cote_dazur"),
        ("Nürburgring", "nurburgring"),
        ("Łódź Øresund Straße", "lodz_oresund_strasse"),
        ("70th Anniversary", "70th_anniversary"),
        ("Practice 1", "practice_1"),
        ("  Las   Vegas  ", "las_vegas"),
        ("上海", ""),
        ("", ""),
    ],
)
def test_slug_examples(name: str, expected: str) -> None:
    """Accents go, case goes, words are joined by an underscore."""
    assert slug(name) == expected
