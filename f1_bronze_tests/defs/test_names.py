"""Public names, spelled out: changing one breaks somebody's deployment."""

import dagster as dg

from f1_bronze.definitions import defs
from f1_bronze.defs.partitions import F1_RACE_SESSIONS, F1_SESSIONS

SESSION_ASSETS = ["bronze/drivers", "bronze/laps", "bronze/results", "bronze/sessions"]
RACE_ASSETS = ["bronze/pit_stops", "bronze/stints"]


def test_asset_keys_and_group() -> None:
    """Six assets in one group."""
    specs = defs.resolve_all_asset_specs()
    assert sorted(spec.key.to_user_string() for spec in specs) == sorted(
        SESSION_ASSETS + RACE_ASSETS
    )
    assert {spec.group_name for spec in specs} == {"bronze"}


def test_partition_definitions() -> None:
    """Stints and pit stops have their own partitions, of races and sprints."""
    by_definition = {
        spec.key.to_user_string(): spec.partitions_def.name
        for spec in defs.resolve_all_asset_specs()
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
        for spec in defs.resolve_all_asset_specs()
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
    for spec in defs.resolve_all_asset_specs():
        schema = spec.metadata["dagster/column_schema"]
        assert len(spec.description) > 80
        assert {"parquet", "openf1"} <= spec.kinds
        assert schema.columns[-1].name == "extra_fields"
        assert all(column.description for column in schema.columns)
    assert next(
        spec.tags["need"] for spec in defs.resolve_all_asset_specs() if spec.key.path[-1] == "laps"
    ) == ("optional")
