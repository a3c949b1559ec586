"""Public names, spelled out: changing one breaks somebody's deployment."""

import dagster as dg

from f1_bronze.definitions import defs
from f1_bronze.defs.partitions import F1_RACE_SESSIONS, F1_SESSIONS

SESSION_ASSETS = ["bronze/drivers", "bronze/laps", "bronze/results", "bronze/sessions"]
RACE_ASSETS = ["bronze/pit_stops", "bronze/stints"]


def bronze_specs() -> list[dg.AssetSpec]:
    """The assets of the group bronze."""
    return [spec for spec in defs.resolve_all_asset_specs() if spec.group_name == "bronze"]


def test_asset_keys_and_groups() -> None:
    """Six assets in the group bronze, and one that watches them."""
    groups = {spec.key.to_user_string(): spec.group_name for spec in defs.resolve_all_asset_specs()}
    assert groups == {
        **dict.fromkeys(SESSION_ASSETS + RACE_ASSETS, "bronze"),
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


def test_sessions_are_upstream_of_all() -> None:
    """The session is upstream of what is asked by its key, and has no upstream itself."""
    parents = {
        spec.key.to_user_string(): [dep.asset_key.to_user_string() for dep in spec.deps]
        for spec in bronze_specs()
    }
    assert parents.pop("bronze/sessions") == []
    assert set(map(tuple, parents.values())) == {("bronze/sessions",)}


def test_jobs() -> None:
    """Two jobs, each over the assets of one partition definition."""
    names = {job.name for job in defs.resolve_all_job_defs() if not job.name.startswith("__")}
    assert names == {"bronze_sessions", "bronze_races"}
    for name, assets in (("bronze_sessions", SESSION_ASSETS), ("bronze_races", RACE_ASSETS)):
        layer = defs.resolve_job_def(name).asset_layer
        assert sorted(key.to_user_string() for key in layer.selected_asset_keys) == assets


def test_the_catalog_explains_each_asset() -> None:
    """Each asset has a description, kinds, tags and a schema whose columns are explained."""
    for spec in bronze_specs():
        schema = spec.metadata["dagster/column_schema"]
        assert len(spec.description) > 80
        assert {"parquet", "openf1"} <= spec.kinds
        assert schema.columns[-1].name == "extra_fields"
        assert all(column.description for column in schema.columns)
    assert next(spec.tags["need"] for spec in bronze_specs() if spec.key.path[-1] == "laps") == (
        "optional"
    )


def test_the_catalog_names_whom_to_ask_and_where_to_look() -> None:
    """Each asset has an owner, a link to OpenF1's own description, and its place in the lake."""
    told = {
        spec.key.path[-1]: (
            list(spec.owners),
            spec.metadata["openf1_docs"].value,
            spec.metadata["lake_path"].value,
        )
        for spec in bronze_specs()
    }
    below = "year=…/grand_prix=…/session_type=…"
    assert told["results"] == (
        ["team:data-platform"],
        "https://openf1.org/docs/#session-result",
        f"bronze/results/{below}/results_<session_key>.parquet",
    )
    assert told["pit_stops"][1:] == (
        "https://openf1.org/docs/#pit",
        f"bronze/pit_stops/{below}/pit_stops_<session_key>.parquet",
    )


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
