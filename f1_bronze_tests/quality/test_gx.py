"""Great Expectations on one frame of all sessions: which rows, and what is kept of its result."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.conditions import NotNull, TypeIs
from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.quality.gx import RowBatch, RuleNotTested, count_checked, failing_rows, row_rules
from f1_bronze.simulator.invented import InventedSeasons

from .fake_lake import BY_NAME, FakeLake, invented_sessions

SESSIONS = ("2025/belgian/race", "2026/australian/race", "2025/belgian/qualifying")


@pytest.fixture(scope="module")
def lake(seasons: InventedSeasons) -> FakeLake:
    return invented_sessions(seasons, SESSIONS)


def row_batch(lake: FakeLake, dataset: str) -> RowBatch:
    return RowBatch(BY_NAME[dataset], lake.all_tables(dataset))


def test_frame_has_all_rows_and_their_sessions(lake: FakeLake) -> None:
    """The frame is the sessions in a row, and each row knows whose it is."""
    batch = row_batch(lake, "laps")
    counts = batch.frame.groupby(["year", "grand_prix", "session_type"], sort=False).size()
    assert ["/".join(map(str, key)) for key in counts.index] == [p.key for p in batch.partitions]
    assert counts.tolist() == [table.num_rows for table in lake.all_tables("laps").values()]
    assert len(batch.frame) == counts.sum()
    assert "segments_sector_1" not in batch.frame.columns


def test_unexpected_rows_are_positions_in_the_frame(lake: FakeLake) -> None:
    """A row that is not as demanded is found where it is, among the rows of all sessions."""
    partition = list(lake.sessions["laps"])[1]

    def wrong(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        records[5]["lap_duration"] = -1.0
        return records

    batch = row_batch(lake.but_with("laps", partition, wrong), "laps")
    (row,) = failing_rows(batch)["lap_duration 50 s to 2 h"]
    assert batch.frame.loc[row, "lap_duration"] == -1.0
    assert batch.partitions[batch.places[row]] == partition


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda dataset: dataset.name)
def test_rows_seen_are_those_that_the_library_checked(lake: FakeLake, dataset: Dataset) -> None:
    """Our count per session and the library's over all of them agree, rule by rule."""
    kept: list[Mapping[str, Any]] = []
    batch = row_batch(lake, dataset.name)
    failing_rows(batch, kept.append)
    theirs = {
        one["expectation_config"]["meta"]["rule"]: one["result"] for one in kept[0]["results"]
    }
    for rule in row_rules(dataset):
        if isinstance(rule.condition, TypeIs):
            continue  # the library looks into extra_fields alone, where nearly all is null
        if isinstance(rule.condition, NotNull) and rule.condition.or_else:
            continue  # the library leaves out the rows that have the other value; they pass
        result = theirs[rule.name]
        missing = 0 if isinstance(rule.condition, NotNull) else result["missing_count"]
        ours = [
            count
            for count, p in zip(count_checked(batch, rule), batch.partitions, strict=True)
            if rule.scope.covers(p.year, p.session_type)
        ]
        assert sum(ours) == result["element_count"] - missing, rule.name


def test_kept_result_is_small_and_plain(lake: FakeLake) -> None:
    """What is kept is the library's own result in JSON, without a list that grows with rows."""
    partition = SessionPartition.parse(SESSIONS[0])

    def untimed(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**record, "lap_duration": None} for record in records]

    kept: list[Mapping[str, Any]] = []
    failing_rows(row_batch(lake.but_with("laps", partition, untimed), "laps"), kept.append)
    (result,) = kept
    assert len(json.dumps(result)) < 12_000
    assert result["success"] is False
    assert result["meta"]["dataset"] == "laps"
    assert result["meta"]["sessions"] == 3
    by_rule = {one["expectation_config"]["meta"]["rule"]: one for one in result["results"]}
    assert set(by_rule) == {rule.name for rule in row_rules(BY_NAME["laps"])}
    untimed_rows = len(lake.records["laps"][partition])
    assert by_rule["half of the laps timed"]["result"]["unexpected_count"] >= untimed_rows


def test_rule_that_cannot_be_tested_is_an_error(lake: FakeLake) -> None:
    """The library calls a rule broken when testing it failed; that would be blamed on the data."""
    batch = row_batch(lake, "laps")
    del batch.frame["lap_duration"]
    with pytest.raises(RuleNotTested, match=r"could not test the rule 'lap_duration.*of laps"):
        failing_rows(batch)


def test_library_does_not_phone_home(lake: FakeLake) -> None:
    """Analytics are switched off before the library is imported."""
    failing_rows(row_batch(lake, "drivers"))
    assert os.environ["GX_ANALYTICS_ENABLED"] == "false"


@pytest.mark.slow
def test_import_survives_without_a_main_file() -> None:
    """Neither PySpark, where it is installed, nor what is hidden of it ends or alters a process."""
    script = (
        "import sys; from f1_bronze.quality.gx import great_expectations; "
        "print(great_expectations().__name__, sys.modules.get('pyspark', 'not imported'))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.split("\n")[0] == "great_expectations not imported"
