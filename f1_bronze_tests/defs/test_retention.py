"""What may be deleted of Dagster's record: the script of docs/operations/storage.md."""

import re
from pathlib import Path

import dagster as dg
import pytest

from f1_bronze.defs.automation.instance import open_instance

from ..commands import Run

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[2] / "docs/operations/storage.md"
WEEKEND = ("ingest", "2025", "--grand-prix", "bahrain")
LAPS = dg.AssetKey(["bronze", "laps"])


def test_old_runs_that_hold_nothing_that_is_the_latest(
    run: Run, fast: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """They are deleted, and every partition stays complete; by age alone it would not."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    assert run(*WEEKEND, **fast).status == 0
    assert run(*WEEKEND, "--dataset", "laps", **fast).status == 0
    with open_instance() as instance:
        earlier = {one.run_id for one in instance.get_runs()}
    assert run(*WEEKEND, **fast).status == 0
    [script] = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), flags=re.S)
    exec(compile(script, str(PAGE), "exec"), {})
    with open_instance() as instance:
        assert earlier <= {one.run_id for one in instance.get_runs()}  # not a year old
    exec(compile(script.replace("days=365", "days=0"), str(PAGE), "exec"), {})
    with open_instance() as instance:
        left = {one.run_id for one in instance.get_runs()}
        assert left & earlier == set()
        assert len(left) == 2
        assert len(instance.get_materialized_partitions(LAPS)) == 2
    plan = run(*WEEKEND, "--missing", "--dry-run", "--json", **fast)
    assert plan.data["api_calls"] == 0
    with open_instance() as instance:
        for one in left:
            instance.delete_run(one)
        assert instance.get_materialized_partitions(LAPS) == set()
