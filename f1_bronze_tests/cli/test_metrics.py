"""f1-bronze metrics: the table with its plots, one metric in detail, JSON, and an empty lake."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from f1_bronze.cli.metrics_command import metrics, sparkline
from f1_bronze.lake.local import LocalStore
from f1_bronze.telemetry.metrics.measurement import run_metrics
from f1_bronze.telemetry.metrics.metric_files import MetricFiles
from f1_bronze.telemetry.run_results import RunEnd

from ..commands import Ran
from ..telemetry.metric_examples import QUALIFYING, finished, stored_one
from ..weekend import Weekend


@pytest.fixture
def with_metrics(tmp_path: Path) -> Weekend:
    """A lake with the metrics of three runs: today, yesterday (it failed) and 40 days ago."""
    now = datetime.now(UTC)
    files = MetricFiles(LocalStore(tmp_path / "lake"))
    for name, days, end, rows in (
        ("today", 0, RunEnd.SUCCESS, 1_080),
        ("yesterday", 1, RunEnd.FAILURE, 540),
        ("long-ago", 40, RunEnd.SUCCESS, 9_000),
    ):
        run = finished(
            end,
            run_id=name,
            ended_at=now - timedelta(days=days, minutes=1),
            seconds=12.5,
            stored=(
                stored_one("laps", rows=rows),
                stored_one("drivers", QUALIFYING, 20),
            ),
        )
        files.send(run_metrics(run, environment="dev"))
    return Weekend(tmp_path)


def table(ran: Ran) -> dict[str, list[str]]:
    """The cells of each line by the metric's name, or its finer part."""
    rows = [line.split() for line in ran.out.splitlines()[1:]]
    return {row[0]: row[1:] for row in rows}


def test_table(with_metrics: Weekend) -> None:
    """Each metric has a line: values, statistic, their one value, unit, the last one, a plot."""
    ran = with_metrics.run(metrics)
    assert (ran.status, ran.err) == (0, "")
    found = table(ran)
    plot = "·" * 28
    assert found["TotalRecordsExtracted"] == ["2", "sum", "1,660", "Count", "1,100", f"{plot}▄█"]
    assert found["BronzePipelineSuccess"] == ["2", "minimum", "0", "Count", "1", f"{plot}▁█"]
    assert found["TotalPipelineExecutionTime"] == [
        *("2", "maximum", "12.5", "Seconds", "12.5", f"{plot}██")
    ]
    assert len(found) == 13


def test_further_back(with_metrics: Weekend) -> None:
    """With more days older runs are seen, and no plot gets wider than a screen."""
    found = table(with_metrics.run(metrics, "--days", "365"))
    assert found["TotalRecordsExtracted"][:3] == ["3", "sum", "10,680"]
    assert len(found["TotalRecordsExtracted"][-1]) == 60


def test_one_metric(with_metrics: Weekend) -> None:
    """One metric is shown by what it is split by; its name may be written in small letters."""
    ran = with_metrics.run(metrics, "--name", "totalrecordsextracted")
    lines = [line.split() for line in ran.out.splitlines()[1:]]
    assert [line[:5] for line in lines] == [
        ["TotalRecordsExtracted", "2", "sum", "1,660", "Count"],
        ["TotalRecordsExtracted", "drivers", "2", "sum", "40"],
        ["TotalRecordsExtracted", "laps", "2", "sum", "1,620"],
        ["TotalRecordsExtracted", "qualifying", "2", "sum", "40"],
        ["TotalRecordsExtracted", "race", "2", "sum", "1,620"],
        ["TotalRecordsExtracted", "drivers", "qualifying", "2", "sum"],
        ["TotalRecordsExtracted", "laps", "race", "2", "sum"],
    ]


def test_json(with_metrics: Weekend) -> None:
    """Programs get every value with its moment and its run."""
    data = with_metrics.run(metrics, "--name", "SessionsProcessed", "--json").data
    whole = data["metrics"][0]
    assert whole["dimensions"] == {
        "Environment": "dev",
        "Pipeline": "f1_bronze",
        "Layer": "bronze",
    }
    assert (whole["statistic"], whole["value"]) == ("Sum", 4)
    assert [(one["origin"], one["value"]) for one in whole["values"]] == [
        ("yesterday", 2),
        ("today", 2),
    ]
    assert [one["at"] for one in whole["values"]] == sorted(one["at"] for one in whole["values"])


def test_two_environments(with_metrics: Weekend) -> None:
    """Where deployments share a lake, each has its own lines."""
    run = finished(
        run_id="staged", ended_at=datetime.now(UTC), stored=(stored_one("laps", rows=5),)
    )
    files = MetricFiles(LocalStore(with_metrics.folder / "lake"))
    files.send(run_metrics(run, environment="staging"))
    lines = [
        line.split()[:5]
        for line in with_metrics.run(metrics).out.splitlines()
        if line.startswith("TotalRecordsExtracted")
    ]
    assert lines == [
        ["TotalRecordsExtracted", "dev", "2", "sum", "1,660"],
        ["TotalRecordsExtracted", "staging", "1", "sum", "5"],
    ]


def test_nothing_yet(tmp_path: Path) -> None:
    """An empty lake is no error; it says who writes metrics there."""
    ran = Weekend(tmp_path).run(metrics)
    assert (ran.status, ran.out) == (0, "")
    assert "The sensor cloudwatch_metrics sends them" in ran.err
    assert Weekend(tmp_path).run(metrics, "--json").data["metrics"] == []


def test_an_unknown_metric(with_metrics: Weekend) -> None:
    """A name that no metric has is wrong use, and the nearest are named."""
    ran = with_metrics.run(metrics, "--name", "SessionProcessed")
    assert ran.status == 2
    assert "Did you mean SessionsProcessed" in ran.err


@pytest.mark.parametrize(
    ("values", "drawn"),
    [
        ([], ""),
        ([None, None], "··"),
        ([0, 0], "▁▁"),
        ([3], "█"),
        ([1, 2, 3, 4, 5, 6, 7, 8], "▁▂▃▄▅▆▇█"),
        ([0.001, 1_000_000], "▁█"),
    ],
)
def test_sparkline(values: list[float | None], drawn: str) -> None:
    """Bars go from 0 to the largest value; a dot is no value, the lowest bar a small one."""
    assert sparkline(values) == drawn
