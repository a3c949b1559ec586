"""What OpenF1 really answered, as charts."""

import json

import pyarrow as pa

from f1_bronze.charts.dataset_charts import LARGEST, draw_dataset_chart
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.lake.records import to_rows

from ..conftest import RECORDINGS, needs_recordings
from .svg_reading import BY_NAME, svg_in, texts

ILLUSTRATED = ("results", "laps", "stints", "pit_stops")


def recorded(name: str, session_key: int) -> pa.Table:
    """The rows of a recorded session; none where nothing was recorded."""
    file = RECORDINGS / BY_NAME[name].endpoint / f"{session_key}.json"
    records = json.loads(file.read_bytes()) if file.exists() else []
    return to_rows(BY_NAME[name], records).table


@needs_recordings
def test_singapore_2024() -> None:
    """The race that Norris won from pole, in his order, with Zhou's five places gained."""
    race = SessionPartition.parse("2024/singapore/race")
    tables = {
        (name, race): recorded(name, 9606)
        for name in ("drivers", "results", "laps", "stints", "pit_stops")
    }
    qualifying = SessionPartition.parse("2024/singapore/qualifying")
    tables["results", qualifying] = recorded("results", 9602)
    seen = {}
    for name in ILLUSTRATED:
        markdown = draw_dataset_chart(BY_NAME[name], race, tables[name, race], tables)
        assert markdown is not None
        assert len(markdown) < LARGEST
        seen[name] = texts(svg_in(markdown))
    assert [t for t in seen["laps"] if t in ("NOR", "VER", "PIA", "ALB")] == [
        "NOR",
        "VER",
        "PIA",
        "ALB",
    ]
    assert "Fastest 1:34.486, RIC in lap 60; laps above 1:44 cut off" in seen["laps"]
    subtitle = "43 stints of 20 drivers, 23 changes of tyres; ○ a set that had been used before"
    assert subtitle in seen["stints"]
    assert (
        "From qualifying, before any grid penalty, to the result. Most gained: ZHO ▲5"
        in seen["results"]
    )
    assert {"▲5", "▼4", "="} <= set(seen["results"])


@needs_recordings
def test_every_recorded_session_is_small_enough() -> None:
    """No recorded session needs 40 kB, and each with laps has a chart of them."""
    drawn = 0
    for file in sorted((RECORDINGS / "laps").glob("*.json")):
        key = int(file.stem)
        kind = "qualifying" if key == 11303 else "race"
        partition = SessionPartition(year=2024, grand_prix="somewhere", session_type=kind)
        tables = {
            (name, partition): recorded(name, key)
            for name in ("drivers", "results", "laps", "stints", "pit_stops")
        }
        markdown = draw_dataset_chart(BY_NAME["laps"], partition, tables["laps", partition], tables)
        assert markdown is not None, key
        assert len(markdown) < LARGEST, key
        drawn += 1
    assert drawn == 25
