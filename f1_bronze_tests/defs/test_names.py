"""Public names, spelled out: changing one breaks somebody's deployment."""

from pathlib import Path

import dagster as dg
import pytest

from f1_bronze.definitions import defs, load_scaffolded
from f1_bronze.defs.partitions import F1_RACE_SESSIONS, F1_SESSIONS

SESSION_ASSETS = ["bronze/drivers", "bronze/laps", "bronze/results", "bronze/sessions"]
RACE_ASSETS = ["bronze/pit_stops", "bronze/stints"]
ENDPOINTS = {
    "bronze/sessions": "openf1/sessions",
    "bronze/drivers": "openf1/drivers",
    "bronze/results": "openf1/session_result",
    "bronze/laps": "openf1/laps",
    "bronze/stints": "openf1/stints",
    "bronze/pit_stops": "openf1/pit",
}


def bronze_specs() -> list[dg.AssetSpec]:
    """The assets of the group bronze."""
    return [spec for spec in defs.resolve_all_asset_specs() if spec.group_name == "bronze"]


def test_asset_keys_and_groups() -> None:
    """Six assets in the group bronze, the endpoints that they come from, and one that watches."""
    groups = {spec.key.to_user_string(): spec.group_name for spec in defs.resolve_all_asset_specs()}
    assert groups == {
        **dict.fromkeys(SESSION_ASSETS + RACE_ASSETS, "bronze"),
        **dict.fromkeys(ENDPOINTS.values(), "openf1"),
        "monitoring/coverage": "monitoring",
    }


def test_partition_definitions() -> None:
    """Stints and pit stops have their own partitions, of races and sprints."""
    by_definition = {
        spec.key.to_user_string(): spec.partitions_def.name
        for spec in bronze_specs()
        if isinstance(spec.partitions_def, dg.DynamicPartitionsDefinition)
    }
    assert by_definition == {
        **dict.fromkeys(SESSION_ASSETS, "f1_sessions"),
        **dict.fromkeys(RACE_ASSETS, "f1_race_sessions"),
    }
    assert (F1_SESSIONS.name, F1_RACE_SESSIONS.name) == ("f1_sessions", "f1_race_sessions")


def test_endpoints_and_sessions_are_upstream() -> None:
    """Each dataset comes from its endpoint, and is asked for by the key of its session."""
    parents = {
        spec.key.to_user_string(): [dep.asset_key.to_user_string() for dep in spec.deps]
        for spec in bronze_specs()
    }
    assert parents.pop("bronze/sessions") == ["openf1/sessions"]
    for asset, found in parents.items():
        assert sorted(found) == ["bronze/sessions", ENDPOINTS[asset]]


def test_jobs() -> None:
    """Two jobs, each over the assets of one partition definition, and that of the coverage."""
    names = {job.name for job in defs.resolve_all_job_defs() if not job.name.startswith("__")}
    assert names == {"bronze_sessions", "bronze_races", "coverage"}
    for name, assets in (
        ("bronze_sessions", SESSION_ASSETS),
        ("bronze_races", RACE_ASSETS),
        ("coverage", ["monitoring/coverage"]),
    ):
        layer = defs.resolve_job_def(name).asset_layer
        assert sorted(key.to_user_string() for key in layer.selected_asset_keys) == assets


def test_the_catalog_explains_each_asset() -> None:
    """Each asset has a description, kinds, tags and a schema whose columns are explained."""
    for spec in bronze_specs():
        schema = spec.metadata["dagster/column_schema"]
        assert len(spec.description) > 80
        explains = '"cannot be materialized because upstream' in spec.description
        assert explains == (spec.key.path[-1] != "sessions")
        assert {"parquet", "openf1"} <= spec.kinds
        assert schema.columns[-1].name == "extra_fields"
        assert all(column.description for column in schema.columns)
    assert next(spec.tags["need"] for spec in bronze_specs() if spec.key.path[-1] == "laps") == (
        "optional"
    )


def test_the_catalog_has_owner_link_and_place() -> None:
    """Each asset has an owner, a link to OpenF1's own description, and its place in the lake."""
    shown = {
        spec.key.path[-1]: (
            list(spec.owners),
            spec.metadata["openf1_docs"].value,
            spec.metadata["lake_path"].value,
        )
        for spec in bronze_specs()
    }
    below = "year=…/grand_prix=…/session_type=…"
    assert shown["results"] == (
        ["team:data-platform"],
        "https://openf1.org/docs/#session-result",
        f"bronze/results/{below}/results_<session_key>.parquet",
    )
    assert shown["pit_stops"][1:] == (
        "https://openf1.org/docs/#pit",
        f"bronze/pit_stops/{below}/pit_stops_<session_key>.parquet",
    )


def test_the_catalog_leads_to_the_declaration() -> None:
    """Each asset links the line that declares its dataset, and the module that ingests it."""
    for spec in bronze_specs():
        name = spec.key.path[-1]
        declaration, ingestion = spec.metadata["dagster/code_references"].code_references
        path = Path(declaration.file_path)
        assert path.parts[-3:] == ("f1_bronze", "datasets", f"{name}.py")
        line = path.read_text(encoding="utf-8").splitlines()[declaration.line_number - 1]
        assert line.startswith(f"{name.upper()} = ")
        assert ingestion.file_path.endswith("f1_bronze/defs/assets.py")


def test_scaffolded_definitions_are_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `dg scaffold defs` writes into its folder is loaded; an empty folder is not searched."""
    folder = tmp_path / "own_project" / "defs"
    folder.mkdir(parents=True)
    for package in (folder.parent, folder):
        (package / "__init__.py").touch()
    (tmp_path / "pyproject.toml").write_text(
        '[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "own_project"\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert list(load_scaffolded(folder).assets or ()) == []
    (folder / "standings.py").write_text(  # as `dg scaffold defs dagster.asset standings.py` does
        "import dagster as dg\n\n\n@dg.asset\n"
        "def standings(context: dg.AssetExecutionContext) -> dg.MaterializeResult: ...\n"
    )
    [asset] = load_scaffolded(folder).assets or ()
    assert asset.key == dg.AssetKey("standings")


def test_schedules_and_sensors() -> None:
    """Automation by name."""
    assert {schedule.name for schedule in defs.schedules or ()} == {
        "weekly_bronze",
        "hourly_coverage",
    }
    assert {sensor.name for sensor in defs.sensors or ()} >= {
        "openf1_calendar",
        "openf1_reopened",
        "cloudwatch_metrics",
        "openlineage_events",
        "openlineage_consumer",
    }
