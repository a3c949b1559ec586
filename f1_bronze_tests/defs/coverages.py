"""A coverage put together by hand, with every state that a cell can have."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.defs.monitoring.coverage import Cell, CellState, Coverage
from f1_bronze.defs.monitoring.report import Report
from f1_bronze.defs.record.check_results import CheckState
from f1_bronze.lake.changes import ChangedRow, ChangedValue, Changes

NOW = datetime(2025, 12, 24, 18, 0, tzinfo=UTC)
STORED = datetime(2025, 12, 1, 6, 0, tzinfo=UTC)
DATASET = {dataset.name: dataset for dataset in DATASETS}
PLACES = ("australian", "bahrain", "monaco")
NASTY = '<img src="https://example.com/x" onerror="alert(1)">'
MISSING_ROWS = "OpenF1's answer lacks 4 rows. Materialize again later."
CORRECTED = ChangedRow(
    key=(907048, 4), values=(ChangedValue(column="team_name", before="a|b", after=NASTY),)
)


def usual_cell(key: str, dataset: str) -> Cell:
    """What is stored, and whose checks all pass."""
    partition = SessionPartition.parse(key)
    if not DATASET[dataset].exists_for(partition.session_type):
        return Cell(dataset=DATASET[dataset], partition=partition, state=CellState.NONE)
    return Cell(
        dataset=DATASET[dataset],
        partition=partition,
        state=CellState.LANDED,
        rows={"sessions": 1, "laps": 1080}.get(dataset, 20),
        stored_at=STORED,
        revision="new",
        what_changed="All rows are new.",
        run_id="0f2c7e1a",
        checks=(check_result("schema", broken=None),),
    )


def check_result(
    check: str,
    *,
    broken: str | None,
    rule: str = "session_key not null",
    rows: tuple[dict[str, Any], ...] = (),
) -> CheckState:
    """A check of one rule, which holds or is broken with this severity."""
    return CheckState(
        check=check,
        severity=broken,
        summary=f"{rule}: 2 of 20 rows fail" if broken else "1 rules hold",
        rules=(
            {
                "rule": rule,
                "severity": broken or "ERROR",
                "passed": broken is None,
                "observed": "2 of 20 rows fail" if broken else "all 20 rows pass",
                "unexpected_count": 2 if broken else 0,
                "unexpected_percent": 10.0 if broken else 0.0,
                "rows_seen": 20,
            },
        ),
        unexpected_rows={rule: rows} if rows else {},
    )


BROKEN_LAP = check_result(
    "values",
    broken="ERROR",
    rule="lap_number 1 to 100",
    rows=(
        {"session_key": 1, "lap_number": 112, "driver_number": 44},
        {"session_key": 1, "lap_number": None, "driver_number": 4},
    ),
)
STRANGE_NAME = check_result(
    "values",
    broken="WARN",
    rule="name_acronym three capitals",
    rows=({"session_key": 1, "driver_number": 3, "name_acronym": NASTY},),
)
UNUSUAL: dict[tuple[str, str], dict[str, Any]] = {
    ("2025/australian/race", "laps"): {"checks": (BROKEN_LAP,), "rows": 400},
    ("2025/australian/race", "drivers"): {"checks": (STRANGE_NAME,)},
    ("2025/bahrain/qualifying", "drivers"): {"checks": (STRANGE_NAME,)},
    ("2025/australian/qualifying", "laps"): {"state": CellState.EMPTY, "rows": 0},
    ("2025/bahrain/race", "drivers"): {"state": CellState.OUTDATED},
    ("2025/bahrain/race", "results"): {
        "revision": "changed",
        "changes": Changes(changed=(CORRECTED.key,), changed_values=(CORRECTED,)),
    },
    ("2025/bahrain/race", "laps"): {"state": CellState.REFUSED, "error": MISSING_ROWS},
    ("2025/monaco/qualifying", "results"): {
        "state": CellState.FAILED,
        "error": f"It broke {NASTY}. Try again.",
        "rows": None,
        "stored_at": None,
        "revision": None,
        "checks": (),
    },
    ("2025/bahrain/race", "stints"): {"state": CellState.RUNNING},
    ("2025/bahrain/race", "pit_stops"): {
        "state": CellState.UNRECORDED,
        "rows": None,
        "stored_at": None,
        "revision": None,
        "checks": (),
    },
    **{
        ("2025/monaco/race", name): {
            "state": CellState.MISSING,
            "rows": None,
            "stored_at": None,
            "revision": None,
            "checks": (),
            "run_id": None,
        }
        for name in DATASET
    },
}


def every_state() -> Coverage:
    """Three weekends with each state; what Monaco lacks is overdue."""
    keys = [f"2025/{place}/{kind}" for place in PLACES for kind in ("qualifying", "race")]
    return Coverage(
        sessions=tuple(SessionPartition.parse(key) for key in keys),
        cells={
            (key, name): replace(usual_cell(key, name), is_due=True, **UNUSUAL.get((key, name), {}))
            for key in keys
            for name in DATASET
        },
        ended_at={
            key: datetime(2025, 12, 23 if "monaco/q" in key else 20, 16, 0, tzinfo=UTC)
            for key in keys
        },
    )


def all_well() -> Coverage:
    """One weekend in which nothing is wrong."""
    keys = ("2025/bahrain/qualifying", "2025/bahrain/race")
    return Coverage(
        sessions=tuple(SessionPartition.parse(key) for key in keys),
        cells={(key, name): usual_cell(key, name) for key in keys for name in DATASET},
        ended_at={},
    )


def report_of(coverage: Coverage) -> Report:
    """The report of it, with a band for the laps of races."""
    return Report(
        seasons=(2025,),
        coverage=coverage,
        usual={(session.key, "laps"): (800, 1500) for session in coverage.sessions[1::2]},
        lake_uri="s3://lake/<prefix>/",
        environment="production",
        made_at=NOW,
    )
