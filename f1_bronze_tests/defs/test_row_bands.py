"""Which row counts are usual, by the sessions before."""

import dagster as dg

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.defs.monitoring.coverage import Cell, CellState, Coverage
from f1_bronze.defs.monitoring.row_bands import usual_rows
from f1_bronze.defs.partitions import asset_key, register

PLACES = ("australian", "chinese", "japanese", "bahrain")
EARLIER = [f"2024/{place}/race" for place in PLACES]
NOW = [f"2025/{place}/{kind}" for place in PLACES for kind in ("qualifying", "race")]
LAPS = next(dataset for dataset in DATASETS if dataset.name == "laps")


def test_the_band_grows_from_season_to_season(instance: dg.DagsterInstance) -> None:
    """Five earlier sessions of that type with rows make a band, whatever season they are of."""
    register(instance, [SessionPartition.parse(key) for key in (*EARLIER, *NOW)])
    for key, rows in zip(EARLIER, (1000, 1100, 0, 1200), strict=True):
        instance.report_runless_asset_event(
            dg.AssetMaterialization(
                asset_key(LAPS), partition=key, metadata={"dagster/row_count": rows}
            )
        )
    sessions = tuple(SessionPartition.parse(key) for key in NOW)
    cells = {
        (session.key, dataset.name): Cell(
            dataset=dataset, partition=session, state=CellState.LANDED, rows=900 + 50 * number
        )
        for number, session in enumerate(sessions)
        for dataset in DATASETS
    }
    bands = usual_rows(instance, Coverage(sessions=sessions, cells=cells, ended_at={}))
    # Before the third race: three of 2024 with rows, and 950 and 1,050 of 2025.
    assert bands == {
        ("2025/japanese/race", "laps"): (603, 1749),
        ("2025/bahrain/race", "laps"): (603, 1749),
    }


def test_nothing_is_known_yet(instance: dg.DagsterInstance) -> None:
    """Without a registered session there is no band."""
    assert usual_rows(instance, Coverage(sessions=(), cells={}, ended_at={})) == {}
