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
from f1_bronze.quality.context import JudgedRows
from f1_bronze.quality.gx import RuleNotTested, looked_at, row_rules, unexpected_rows
from f1_bronze.simulator.invented import InventedSeasons

from .landed import BY_NAME, Landed, invented_sessions

SESSIONS = ("2025/belgian/race", "2026/australian/race", "2025/belgian/qualifying")


@pytest.fixture(scope="module")
def landed(seasons: InventedSeasons) -> Landed:
    return invented_sessions(seasons, SESSIONS)


def judged_rows(landed: Landed, dataset: str) -> JudgedRows:
    return JudgedRows(BY_NAME[dataset], landed.subjects[dataset])


def test_frame_has_all_rows_and_their_sessions(landed: Landed) -> None:
    """The frame is the sessions in a row, and each row knows whose it is."""
    judged = judged_rows(landed, "laps")
    assert len(judged.frame) == sum(judged.rows) == judged.table.num_rows
    counts = judged.frame.groupby(["year", "grand_prix", "session_type"], sort=False).size()
    assert ["/".join(map(str, key)) for key in counts.index] == [p.key for p in judged.partitions]
    assert counts.tolist() == list(judged.rows)
    assert "segments_sector_1" not in judged.frame.columns


def test_unexpected_rows_are_positions_in_the_frame(landed: Landed) -> None:
    """A row that is not as demanded is found where it is, among the rows of all sessions."""
    partition = list(landed.subjects["laps"])[1]

    def wrong(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        records[5]["lap_duration"] = -1.0
        return records

    judged = judged_rows(landed.but("laps", partition, wrong), "laps")
    (row,) = unexpected_rows(judged)["lap_duration 50 s to 2 h"]
    assert judged.frame.loc[row, "lap_duration"] == -1.0
    assert judged.partitions[judged.places[row]] == partition


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda dataset: dataset.name)
def test_rows_seen_are_those_that_the_library_looked_at(landed: Landed, dataset: Dataset) -> None:
    """Our count per session and the library's over all of them agree, rule by rule."""
    kept: list[Mapping[str, Any]] = []
    judged = judged_rows(landed, dataset.name)
    unexpected_rows(judged, kept.append)
    theirs = {
        one["expectation_config"]["meta"]["rule"]: one["result"] for one in kept[0]["results"]
    }
    for rule in row_rules(dataset):
        if isinstance(rule.condition, TypeIs):
            continue  # the library looks into extra_fields alone, where nearly all is null
        result = theirs[rule.name]
        missing = 0 if isinstance(rule.condition, NotNull) else result["missing_count"]
        ours = [
            count
            for count, p in zip(looked_at(judged, rule), judged.partitions, strict=True)
            if rule.scope.covers(p.year, p.session_type)
        ]
        assert sum(ours) == result["element_count"] - missing, rule.name


def test_kept_result_is_small_and_plain(landed: Landed) -> None:
    """What is kept is the library's own result in JSON, without a list that grows with rows."""
    partition = SessionPartition.parse(SESSIONS[0])

    def untimed(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**record, "lap_duration": None} for record in records]

    kept: list[Mapping[str, Any]] = []
    unexpected_rows(judged_rows(landed.but("laps", partition, untimed), "laps"), kept.append)
    (result,) = kept
    assert len(json.dumps(result)) < 12_000
    assert result["success"] is False
    assert result["meta"]["dataset"] == "laps"
    assert result["meta"]["sessions"] == 3
    by_rule = {one["expectation_config"]["meta"]["rule"]: one for one in result["results"]}
    assert set(by_rule) == {rule.name for rule in row_rules(BY_NAME["laps"])}
    untimed_rows = len(landed.records["laps"][partition])
    assert by_rule["half of the laps timed"]["result"]["unexpected_count"] >= untimed_rows


def test_rule_that_cannot_be_tested_is_an_error(landed: Landed) -> None:
    """The library calls a rule broken when testing it failed; that would be blamed on the data."""
    judged = judged_rows(landed, "laps")
    del judged.frame["lap_duration"]
    with pytest.raises(RuleNotTested, match=r"could not test the rule 'lap_duration.*of laps"):
        unexpected_rows(judged)


def test_library_does_not_phone_home(landed: Landed) -> None:
    """Analytics are switched off before the library is imported."""
    unexpected_rows(judged_rows(landed, "drivers"))
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
