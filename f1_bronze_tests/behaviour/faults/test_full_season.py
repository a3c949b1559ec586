"""All 46 sessions of a season under the mix, in an outage, and cut; and laps at their true size."""

from pathlib import Path

import pytest

from f1_bronze.simulator.invented import InventedSeasons

from .bench import PLACES, SEASON, Bench, ingesting
from .laws import Content, assert_lawful, assert_truthful, assert_within_limits, of_datasets

pytestmark = pytest.mark.slow
LAPS = ("sessions", "laps")
LAPS_ONLY = ingesting(datasets=LAPS)
CLEAN_CALLS_FOR_LAPS = 4


@pytest.mark.parametrize(("share", "seed", "most"), [(0.05, 11, 20), (0.4, 13, 48)])
def test_a_mix(bench: Bench, clean_season: Content, share: float, seed: int, most: int) -> None:
    """The law holds for a season, at 5 % in less than 2.5 times the calls of a clean one."""
    bench.read_timeout = 2.0
    bench.arm({"kind": "mix", "share": share, "seed": seed, "seconds": 3})
    result = assert_lawful(bench, clean_season, words=SEASON)
    assert result.asked <= most
    assert_within_limits(bench)


def test_every_lap_under_a_mix(tmp_path: Path) -> None:
    """Answers of true size that break off: six sessions are stored with all their laps."""
    whole, words = InventedSeasons(), ingesting(*PLACES, datasets=LAPS)
    with Bench.over(whole, tmp_path / "clean") as bench:
        assert bench.ingest(words).calls == 3
        clean = bench.content()
    with Bench.over(whole, tmp_path / "bench") as bench:
        bench.arm(
            {"kind": "reset_midway", "endpoint": "laps", "times": 1},
            {"kind": "truncated_json", "endpoint": "laps", "times": 1},
            {"kind": "mix", "share": 0.2, "seed": 21, "seconds": 3},
        )
        result = assert_lawful(bench, clean, words=words)
        assert {"reset_midway", "truncated_json"} <= set(result.hits)
        assert result.status == 0
        assert result.asked <= 10
        assert_within_limits(bench)


def test_an_outage(bench: Bench, clean_season: Content) -> None:
    """A season that meets an outage costs fewer than 40 calls, however many sessions it has."""
    bench.arm({"kind": "status", "status": 503, "after": 3})
    result = assert_truthful(bench, clean_season, words=SEASON)
    assert result.status == 1
    assert result.asked < 40
    assert set(result.by_endpoint) == {"sessions", "meetings", "drivers", "session_result"}


@pytest.mark.parametrize("kind", ["too_much", "status"])
def test_laps_of_ten_sessions_at_most(bench: Bench, clean_season: Content, kind: str) -> None:
    """A limit that is documented nowhere is found, and no session of the season is lost."""
    bench.arm({"kind": kind, "sessions_above": 10, "endpoint": "laps"})
    result = assert_lawful(bench, of_datasets(clean_season, *LAPS), words=LAPS_ONLY)
    assert result.status == 0
    assert result.asked <= (3 + 14 if kind == "too_much" else 3 + 14 + 2 * 4 + 4)


def test_laps_that_are_always_too_much(bench: Bench, clean_season: Content) -> None:
    """Cutting ends: on the way to 46 single sessions each is named in a call twice on average."""
    bench.arm({"kind": "too_much", "endpoint": "laps"})
    result = assert_lawful(bench, of_datasets(clean_season, *LAPS), words=LAPS_ONLY)
    assert (result.status, result.errors) == (1, {"TooMuchAsked": 46})
    assert result.asked <= CLEAN_CALLS_FOR_LAPS - 2 + 2 * 46


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "too_much"}, "TooMuchAsked"),
        ({"kind": "wrong_json", "body": "[{}]"}, "Malformed"),
    ],
    ids=["422", "strangers"],
)
def test_every_dataset_in_vain(
    bench: Bench, clean_season: Content, fault: dict[str, str], error: str
) -> None:
    """A dozen calls for each dataset show that no session of it can be had."""
    endpoints = ("drivers", "session_result", "laps", "stints", "pit")
    bench.arm(*({**fault, "endpoint": endpoint} for endpoint in endpoints))
    result = assert_truthful(bench, clean_season, words=SEASON)
    assert result.errors == {error: 3 * 46 + 2 * 23}
    assert result.asked <= 2 + 5 * 12


def test_every_dataset_down(bench: Bench, clean_season: Content) -> None:
    """Three endpoints that fail while the calendar is well end the asking for all five."""
    endpoints = ("drivers", "session_result", "laps", "stints", "pit")
    bench.arm(*({"kind": "status", "endpoint": endpoint} for endpoint in endpoints))
    result = assert_truthful(bench, clean_season, words=SEASON)
    assert result.status == 1
    assert result.asked <= 2 + 3 * 25 + 2
    assert not {"stints", "pit"} & set(result.by_endpoint)
