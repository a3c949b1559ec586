"""Silver is made when bronze has changed and is fit for use, and at no other time."""

import json

import dagster as dg
import pytest

from examples.silver.alone import assemble
from examples.silver.assets import ASSETS
from examples.silver.following import silver_follows_bronze
from f1_bronze.definitions import defs
from f1_bronze.settings import Settings

from .deployment import DRIVER_PACE, QUALIFYING, RACE, TYRE_PACE, Deployment, bronze, silver

ERROR, WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN


def test_what_lands_is_made_once(deployment: Deployment) -> None:
    """A session that is stored is requested in the next tick, and in no other."""
    deployment.lands_well("1", RACE)
    assert [deployment.tick(), deployment.tick()] == [[RACE], []]
    deployment.makes(RACE)
    assert deployment.tick() == []


def test_unchanged_rows_are_no_reason(deployment: Deployment) -> None:
    """Rows that land again as they were start nothing; changed ones start their own partition."""
    deployment.lands_well("1", QUALIFYING, RACE)
    assert deployment.tick() == [QUALIFYING, RACE]
    deployment.makes(QUALIFYING, RACE)
    deployment.lands_well("1", QUALIFYING, RACE)
    assert deployment.tick() == []
    deployment.lands_well("1", QUALIFYING)
    deployment.lands_well("2", RACE)
    assert deployment.tick() == [RACE]


@pytest.mark.parametrize("dataset", ["laps", "results"])
def test_either_upstream_counts(deployment: Deployment, dataset: str) -> None:
    """A change of one of two bronze assets is enough."""
    deployment.lands_well("1", RACE)
    deployment.tick()
    deployment.makes(RACE)
    deployment.store("2", RACE, datasets=[dataset])
    deployment.check(RACE, datasets=[dataset])
    assert deployment.tick() == [RACE]


def test_all_of_the_upstream_is_needed(deployment: Deployment) -> None:
    """A session of which only the laps are stored waits for its results."""
    deployment.store("1", RACE, datasets=["laps"])
    deployment.check(RACE, datasets=["laps"])
    assert deployment.tick() == []
    deployment.store("1", RACE, datasets=["results"])
    deployment.check(RACE, datasets=["results"])
    assert deployment.tick() == [RACE]


def test_an_error_holds_one_partition_back_until_it_is_corrected(deployment: Deployment) -> None:
    """A partition whose check fails with ERROR waits until it is corrected; others do not."""
    deployment.store("1", QUALIFYING, RACE)
    deployment.check(QUALIFYING)
    deployment.check(RACE, broken=ERROR)
    assert [deployment.tick(), deployment.tick()] == [[QUALIFYING], []]
    deployment.lands_well("2", RACE)
    assert deployment.tick() == [RACE]


def test_a_verdict_that_changes_lets_it_go(deployment: Deployment) -> None:
    """The same rows, checked again and found good, are used."""
    deployment.store("1", RACE)
    deployment.check(RACE, broken=ERROR)
    assert deployment.tick() == []
    deployment.check(RACE)
    assert deployment.tick() == [RACE]


def test_what_was_made_stays_when_its_upstream_breaks(deployment: Deployment) -> None:
    """A correction that breaks a rule does not replace what was made from good rows."""
    deployment.lands_well("1", RACE)
    deployment.tick()
    deployment.makes(RACE)
    deployment.store("2", RACE)
    deployment.check(RACE, broken=ERROR)
    assert deployment.tick() == []
    deployment.lands_well("1", RACE)  # upstream takes it back
    assert deployment.tick() == []


def test_nothing_is_used_before_it_is_checked(deployment: Deployment) -> None:
    """Between landing and verdict a partition waits, also where earlier rows were found good."""
    deployment.store("1", RACE)
    assert deployment.tick() == []
    deployment.check(RACE)
    assert deployment.tick() == [RACE]
    deployment.makes(RACE)
    deployment.store("2", RACE)
    assert deployment.tick() == []
    deployment.check(RACE)
    assert deployment.tick() == [RACE]


def test_a_warning_holds_nobody_back(deployment: Deployment) -> None:
    """A check that only warned lets its partition go; Dagster's own condition would not."""
    deployment.store("1", RACE)
    deployment.check(RACE, broken=WARN)
    assert deployment.tick() == [RACE]
    assert passed_by_dagster(deployment) == []
    deployment.check(RACE)
    assert passed_by_dagster(deployment) == [RACE]


def passed_by_dagster(deployment: Deployment) -> list[str]:
    """Partitions that `all_deps_blocking_checks_passed` lets go, of those that are missing."""
    condition = dg.AutomationCondition.all_deps_blocking_checks_passed()
    [driver_pace] = [a for a in ASSETS if a.key == silver(DRIVER_PACE)]
    ready = driver_pace.map_asset_specs(
        lambda spec: spec.replace_attributes(
            automation_condition=condition
            & dg.AutomationCondition.missing()
            & ~dg.AutomationCondition.any_deps_missing()
        )
    )
    result = dg.evaluate_automation_conditions(
        defs=dg.Definitions.merge(defs, dg.Definitions(assets=[ready])),
        instance=deployment.instance,
    )
    return sorted(str(key) for key in result.get_requested_partitions(silver(DRIVER_PACE)))


def test_history_is_left_to_a_backfill(instance: dg.DagsterInstance, own_lake: Settings) -> None:
    """What had landed before automation was switched on is not launched, until it changes."""
    deployment = Deployment(instance, own_lake)
    deployment.registers(QUALIFYING, RACE)
    deployment.lands_well("1", QUALIFYING, RACE)
    assert [deployment.tick(), deployment.tick()] == [[], []]
    deployment.lands_well("1", QUALIFYING, RACE)
    assert deployment.tick() == []
    deployment.lands_well("2", RACE)
    assert deployment.tick() == [RACE]


def test_registering_launches_nothing(deployment: Deployment) -> None:
    """A season of new partitions without rows is no reason to run."""
    deployment.registers(*(f"2024/gp_{number}/race" for number in range(24)))
    assert deployment.tick() == []


def test_what_lagged_behind_is_caught_up(instance: dg.DagsterInstance, own_lake: Settings) -> None:
    """A partition whose upstream changed while no daemon ran, or before the first tick, is made."""
    deployment = Deployment(instance, own_lake)
    deployment.registers(QUALIFYING, RACE)
    deployment.lands_well("1", QUALIFYING, RACE)
    deployment.makes(QUALIFYING, RACE)
    deployment.lands_well("2", RACE)
    assert deployment.tick() == [RACE]


def test_a_change_while_it_is_made_is_not_lost(deployment: Deployment) -> None:
    """A run that read rows which have changed since is followed by another, after it has ended."""
    deployment.lands_well("1", RACE)
    assert deployment.tick() == [RACE]
    run = deployment.instance.create_run_for_job(
        assemble(Settings.read({})).resolve_implicit_global_asset_job_def(),
        tags={"dagster/partition": RACE},
        asset_selection={silver(DRIVER_PACE)},
        status=dg.DagsterRunStatus.STARTED,
    )
    deployment.lands_well("2", RACE)
    assert deployment.tick() == []
    deployment.instance.report_run_failed(run)
    assert deployment.tick() == [RACE]


def test_what_fails_is_not_tried_for_ever(deployment: Deployment) -> None:
    """A partition that was asked for and not made is asked for again when its upstream changes."""
    deployment.lands_well("1", RACE)
    assert deployment.tick() == [RACE]
    assert [deployment.tick() for _ in range(3)] == [[], [], []]
    deployment.lands_well("2", RACE)
    assert [deployment.tick(), deployment.tick()] == [[RACE], []]


def test_a_season_at_once(deployment: Deployment) -> None:
    """A season that lands between two ticks is asked for together, but for a broken session."""
    keys = [f"2024/gp_{number:02}/race" for number in range(24)]
    deployment.registers(*keys)
    deployment.store("1", *keys)
    deployment.check(*keys[1:])
    deployment.check(keys[0], broken=ERROR)
    assert deployment.tick() == keys[1:]
    deployment.makes(*keys[1:])
    assert deployment.tick() == []


def test_races_alone(deployment: Deployment) -> None:
    """Tyres are followed by race keys, though laps have others too."""
    deployment.store("1", QUALIFYING, RACE, datasets=["laps"])
    deployment.check(QUALIFYING, RACE, datasets=["laps"])
    deployment.store("1", RACE, datasets=["stints"])
    deployment.check(RACE, datasets=["stints"])
    assert deployment.tick(TYRE_PACE) == [RACE]


def test_the_cursor_holds_what_is_open(deployment: Deployment) -> None:
    """What was asked for is remembered until it is made."""
    deployment.lands_well("1", QUALIFYING, RACE)
    deployment.tick()
    deployment.makes(RACE)
    deployment.tick()
    cursors = [
        cursor.get_structured_cursor(as_type=str)
        for condition in deployment._tick.cursor.previous_condition_cursors or ()
        if condition.key == silver(DRIVER_PACE)
        for cursor in condition.node_cursors_by_unique_id.values()
    ]
    [remembered] = [json.loads(text) for text in cursors if text]
    assert list(remembered["asked"]) == [QUALIFYING]
    assert list(remembered["made"]) == [RACE]


def test_names() -> None:
    """The sensor runs by itself, and the assets are in the group that metrics count."""
    assert silver_follows_bronze.name == "silver_follows_bronze"
    assert silver_follows_bronze.default_status is dg.DefaultSensorStatus.RUNNING
    specs = {spec.key: spec for made in ASSETS for spec in made.specs}
    assert {key.to_user_string(): spec.group_name for key, spec in specs.items()} == {
        "silver/driver_pace": "silver",
        "silver/tyre_pace": "silver",
    }
    upstream = {key.path[-1]: {dep.asset_key for dep in spec.deps} for key, spec in specs.items()}
    assert upstream == {
        "driver_pace": {bronze("laps"), bronze("results")},
        "tyre_pace": {bronze("laps"), bronze("stints")},
    }
