"""What the demonstration plants is served as planted, and no more than that."""

import json
from urllib.request import urlopen

import pytest

from f1_bronze.simulator.invented import InventedSeasons
from f1_bronze.simulator.server import Simulator
from f1_bronze.simulator.sources import SeasonSource
from f1_bronze.simulator.story import IMPOSSIBLE_STOP, Story

BAHRAIN, SAUDI_ARABIAN = 907047, 907557


@pytest.fixture(scope="module")
def source() -> SeasonSource:
    """The season in which it is planted."""
    return InventedSeasons(years=[2025])


@pytest.mark.parametrize("is_corrected", [False, True])
def test_what_is_planted(source: SeasonSource, is_corrected: bool) -> None:
    """One pit stop is impossible; once corrected, two drivers have changed places and points."""
    story = Story(source, 2025, defective="Saudi Arabian", corrected="Bahrain")
    with Simulator(source, limits=None) as simulator:
        story.plant(simulator.control, is_corrected=is_corrected)

        def changed(endpoint: str, key: int) -> list[tuple[dict, dict]]:  # type: ignore[type-arg]
            with urlopen(f"{simulator.url}/{endpoint}?session_key={key}") as answer:
                served = json.load(answer)
            pairs = zip(source.rows(endpoint, key), served, strict=True)
            return [(dict(made), got) for made, got in pairs if dict(made) != got]

        [(made, stop)] = changed("pit", SAUDI_ARABIAN)
        assert stop == {**made, "pit_duration": IMPOSSIBLE_STOP}
        assert changed("laps", SAUDI_ARABIAN) == []
        results = changed("session_result", BAHRAIN)
    if not is_corrected:
        assert results == []
        return
    (a, winner), (b, loser) = sorted(results, key=lambda pair: pair[1]["position"])
    assert (winner["position"], loser["position"]) == (b["position"], a["position"])
    assert (winner["points"], loser["points"]) == (b["points"], a["points"])
    assert loser["gap_to_leader"] > winner["gap_to_leader"]
    assert loser["duration"] == b["duration"] + story.penalty.seconds


def test_a_closed_api(source: SeasonSource) -> None:
    """A chapter may close the API; the next opens it again."""
    story = Story(source, 2025, defective="Saudi Arabian", corrected="Bahrain")
    with Simulator(source, limits=None) as simulator:
        for is_closed in (True, False):
            story.plant(simulator.control, is_corrected=False, is_closed=is_closed)
            assert simulator.control.state()["manners"]["live"] is is_closed


def test_a_race_that_does_not_exist(source: SeasonSource) -> None:
    """There is no story of it."""
    with pytest.raises(LookupError, match="2025 has no race called Malaysian"):
        Story(source, 2025, defective="Malaysian", corrected="Bahrain")
