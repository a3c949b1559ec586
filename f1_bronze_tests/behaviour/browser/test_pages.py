"""The Dagster UI as people see it: what must be found there without reading logs."""

import re
from typing import TYPE_CHECKING

import pytest

from .conftest import RACE, Ui

if TYPE_CHECKING:
    from .browsing import Browser

pytestmark = pytest.mark.slow
RACE_IN_URL = RACE.replace("/", "%2F")
LAPS = f"/assets/bronze/laps?view=partitions&partition={RACE_IN_URL}"
LAUNCH = """
mutation($keys: [String!], $assets: [AssetKeyInput!]) {
  launchPartitionBackfill(backfillParams: {partitionNames: $keys, assetSelection: $assets}) {
    ... on LaunchBackfillSuccess {backfillId}
  }
}"""


def test_asset_page(browser: "Browser") -> None:
    """The page of an asset explains it, its columns, whom to ask and where to read on."""
    text = browser.open("/assets/bronze/laps", showing="monitoring / coverage")
    browser.shoot("asset")
    assert "One row per driver and lap: times, speeds and mini-sectors." in text
    assert "Speed at the speed trap. [km/h]" in text
    assert "data-platform" in text
    assert "https://openf1.org/docs/#laps" in text
    assert "bronze/laps/year=…/grand_prix=…/session_type=…/laps_<session_key>.parquet" in text
    assert "monitoring / coverage" in text
    assert "bronze / sessions" in text


def test_partition_page(browser: "Browser") -> None:
    """A partition shows its numbers, links, preview and chart within one click."""
    text = browser.open(LAPS, showing="All rows are new.")  # Markdown is drawn last
    browser.shoot("partition")
    assert "2025/bahrain/qualifying" in text
    keys = [key for key in ("revision", "picture", "what_changed", "preview", "source_url") if key]
    assert [line for line in text.splitlines() if line in keys] == keys
    assert "All rows are new." in text
    assert "/v1/laps?session_key=907047" in text
    assert text.index("fastest_lap_seconds\n93.646") < text.index("size_bytes")
    shown = browser.expand("preview")
    assert "driver_number lap_number date_start" in " ".join(shown.split())


def test_picture(browser: "Browser") -> None:
    """The chart of a partition is drawn, in its own size."""
    browser.open(LAPS, showing="fastest_lap_seconds")
    browser.expand("picture")
    assert browser.image_width() == 920
    browser.shoot("picture")


def test_failed_check(browser: "Browser") -> None:
    """A broken ERROR rule is red, with its name, what was seen and the row that broke it."""
    browser.open("/assets/bronze/results?view=checks&checkDetail=rules", showing="Overview")
    browser.click("Partitions", nth=1)
    browser.click(RACE)
    text = browser.text("points whole, 0 to 26")
    browser.shoot("check")
    assert "points whole, 0 to 26: 1 of 20 rows fails (5.0 %); for example 99" in text
    assert "Failed (1)" in text
    assert "Passed (1)" in text
    red, green, blue = browser.colour_of("Failed")
    assert red > 2 * max(green, blue)
    evidence = " ".join(browser.expand("evidence").split())
    browser.shoot("evidence")
    assert re.search(
        r"session_key driver_number name_acronym points 907047 \d+ [A-Z]{3} 99", evidence
    )
    assert "fails points whole, 0 to 26 1 of 20 rows fails (5.0 %); for example 99" in evidence


def test_coverage_page(browser: "Browser") -> None:
    """One asset shows what is stored, and is red while a partition must not be used."""
    text = browser.open("/assets/monitoring/coverage?view=checks", showing="usable")
    assert "on_time" in text
    browser.click("usable")
    browser.text("results of 2025/bahrain/race, values: points whole, 0 to 26")
    browser.shoot("usable")
    browser.open("/assets/monitoring/coverage", showing="percent_landed")
    text = " ".join(browser.text("reports/coverage.html").split())
    browser.shoot("coverage")
    assert "ERROR values: results of 2025/bahrain/race: points whole, 0 to 26" in text
    assert "2025/bahrain/race 1 20 20 ✗ 1,080 50 30" in text


def test_group_graph(browser: "Browser") -> None:
    """The graph of the group shows the six datasets and how full they are."""
    group = "/locations/__repository__@f1_bronze/asset-groups/bronze"
    text = browser.open(group, showing="100% filled")
    browser.shoot("group")
    datasets = {"sessions", "drivers", "results", "laps", "stints", "pit_stops"}
    assert datasets <= set(text.splitlines())


def test_automation_page(browser: "Browser") -> None:
    """What runs by itself is listed by name."""
    text = browser.open("/automation", showing="Scheduled At 06:00 AM UTC, only on Monday")
    browser.shoot("automation")
    names = {
        "weekly_bronze",
        "hourly_coverage",
        "openf1_calendar",
        "openf1_reopened",
        "cloudwatch_metrics",
        "openlineage_events",
        "openlineage_consumer",
    }
    assert names <= set(text.splitlines())


def test_backfill_page(browser: "Browser", ui: Ui) -> None:
    """A backfill of all six is one page with a line for each dataset."""
    names = ("sessions", "drivers", "laps", "pit_stops", "results", "stints")
    launched = ui.ask(
        LAUNCH,
        keys=["2025/bahrain/qualifying", RACE],
        assets=[{"path": ["bronze", name]} for name in names],
    )
    backfill = launched["launchPartitionBackfill"]["backfillId"]
    text = browser.open(f"/runs/b/{backfill}", showing="bronze / pit_stops")
    browser.shoot("backfill")
    lines = text.splitlines()
    assert [line for line in lines if line.startswith("bronze / ")] == [
        f"bronze / {name}" for name in names
    ]
    assert {RACE, "2025/bahrain/qualifying"} <= set(lines)
    targeted = [lines[lines.index(f"bronze / {name}") + 2] for name in names]
    assert targeted == ["2", "2", "2", "1", "2", "1"]


def test_run_page(browser: "Browser", ui: Ui) -> None:
    """A run that failed says in its first line which partition, which dataset and why."""
    failed = ui.ask("{runsOrError(filter: {statuses: [FAILURE]}) {... on Runs {results {runId}}}}")
    (run,) = failed["runsOrError"]["results"]
    text = browser.open(f"/runs/{run['runId']}", showing="RUN_FAILURE")
    browser.shoot("run")
    assert "2025/bahrain/race results: " in text
    assert "points whole, 0 to 26" in text
