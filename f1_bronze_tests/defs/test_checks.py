"""The results of checks in Dagster: evaluations, severities, and how a run ends."""

import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import RuleGroup, Severity
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.definitions import assemble, defs
from f1_bronze.defs.checks import evidence, to_evaluation
from f1_bronze.defs.partitions import RACE_GROUP, SESSION_GROUP, register
from f1_bronze.defs.record.check_results import checked_keys, read_checks, read_evaluation
from f1_bronze.defs.record.latest import read_latest
from f1_bronze.defs.run.check_context import RunCheckContext
from f1_bronze.defs.run.tally import RunTally
from f1_bronze.lake.lake import Lake
from f1_bronze.settings import Settings
from f1_bronze.simulator.faults import InjectedFault
from f1_bronze.simulator.server import Simulator
from f1_bronze_tests.defs.fake_judge import BROKEN, ROWS, FakeJudge, verdict

QUALIFYING, RACE = "2025/bahrain/qualifying", "2025/bahrain/race"
DATASET = {dataset.name: dataset for dataset in DATASETS}
Run = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def run(settings: Settings, instance: dg.DagsterInstance) -> Run:
    """A run over a weekend with this judge."""
    register(instance, [SessionPartition.parse(key) for key in (QUALIFYING, RACE)])

    def make(
        judge: FakeJudge,
        *,
        account: RunTally | None = None,
        job: str = "bronze_sessions",
        **how: Any,
    ) -> dg.ExecuteInProcessResult:
        tags = {
            "dagster/asset_partition_range_start": QUALIFYING,
            "dagster/asset_partition_range_end": RACE,
        }
        definitions = assemble(settings, judge=judge, **({"progress": account} if account else {}))
        return definitions.resolve_job_def(job).execute_in_process(
            instance=instance, raise_on_error=False, tags={**tags, **how.pop("tags", {})}, **how
        )

    return make


def evaluations(result: dg.ExecuteInProcessResult) -> dict[tuple[str, str, str], Any]:
    """The evaluations of a run by dataset, check and partition."""
    return {
        (one.asset_key.path[-1], one.check_name, one.partition): one
        for one in result.get_asset_check_evaluations()
    }


def failure(result: dg.ExecuteInProcessResult) -> str:
    """The text of the failure that a run ended in."""
    [event] = [event for event in result.all_events if event.is_step_failure]
    return event.step_failure_data.user_failure_data.description


def test_names_of_checks() -> None:
    """Each dataset has one check, and its name is known to users."""
    made = [one for one in defs.assets if isinstance(one, dg.AssetsDefinition)]
    specs = [spec for assets in made for spec in assets.check_specs]
    bronze = [spec for spec in specs if spec.asset_key.path[0] == "bronze"]
    names = {(spec.asset_key.path[-1], spec.name) for spec in bronze}
    assert names == {(d.name, "rules") for d in DATASETS}
    assert all(spec.blocking for spec in bronze)
    others = [spec for spec in specs if spec not in bronze]
    assert {spec.name: spec.blocking for spec in others} == {"on_time": False, "usable": False}


def test_each_partition_has_its_own_result(run: Run, instance: dg.DagsterInstance) -> None:
    """In a run over several partitions each has every check, tied to its own materialization."""
    judge = FakeJudge()
    result = run(judge)
    assert result.success
    found = evaluations(result)
    assert set(found) == {
        (d.name, "rules", key) for d in SESSION_GROUP.datasets for key in (QUALIFYING, RACE)
    }
    stored = instance.get_latest_storage_id_by_partition(
        dg.AssetKey(["bronze", "laps"]),
        dg.DagsterEventType.ASSET_MATERIALIZATION,
        {QUALIFYING, RACE},
    )
    for key in (QUALIFYING, RACE):
        target = found["laps", "rules", key].target_materialization_data
        assert (target.storage_id, target.run_id) == (stored[key], result.run_id)
    assert judge.given[:2] == [("sessions", QUALIFYING, 1), ("sessions", RACE, 1)]


def test_a_broken_error_rule_fails_the_run_and_hides_nothing(
    run: Run, instance: dg.DagsterInstance
) -> None:
    """The partition is stored and shown as such; the check is red, the run names the rule."""
    account = RunTally()
    result = run(FakeJudge(Severity.ERROR, Severity.WARN), account=account)
    assert not result.success
    first_line = failure(result).splitlines()[0]
    assert first_line.startswith(f"{RACE} laps: The check values found rows that must not be used")
    assert "broken_error: 2 laps without a time" in first_line
    one = evaluations(result)["laps", "rules", RACE]
    assert (one.passed, one.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert evaluations(result)["laps", "rules", QUALIFYING].passed
    stored_names = {e.partition for e in result.all_events if e.is_step_materialization}
    assert stored_names == {QUALIFYING, RACE}
    laps = account.by_dataset["laps"]
    assert (laps.sessions, laps.failed, laps.checks, laps.checks_failed) == (2, 0, 6, 1)


def test_a_broken_warning_lets_the_run_succeed(run: Run) -> None:
    """A rule that a person should look at warns; the run succeeds and the command reports it."""
    account = RunTally()
    result = run(FakeJudge(Severity.WARN), account=account)
    assert result.success
    one = evaluations(result)["laps", "rules", RACE]
    assert (one.passed, one.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert [(w.dataset, w.partition.key) for w in account.warnings] == [("laps", RACE)]
    assert account.failures == []


def test_checks_that_crash_keep_nothing_from_being_stored(run: Run) -> None:
    """When the checks of one dataset crash everything is stored, and the run says so."""
    judge = FakeJudge(dataset="drivers")
    judge.error = RuntimeError("no verdict")
    account = RunTally()
    result = run(judge, account=account)
    assert not result.success
    stored_names = {e.asset_key.path[-1] for e in result.all_events if e.is_step_materialization}
    assert stored_names == {"sessions", "drivers", "results", "laps"}
    failed_lines = failure(result).splitlines()
    assert len(failed_lines) == 1
    assert "drivers of 2 sessions" in failed_lines[0]
    assert "RuntimeError: no verdict" in failed_lines[0]
    assert account.by_dataset["drivers"].failed == 0


def test_what_an_earlier_attempt_stored_is_checked_too(run: Run, simulator: Simulator) -> None:
    """A further attempt checks what it records again, from the lake: the first may have died
    between storing and checking."""
    simulator.control.add_faults(InjectedFault(kind="unknown_path", endpoint="laps"))
    first = run(FakeJudge())
    simulator.control.reset()
    judge = FakeJudge()
    tags = {"dagster/parent_run_id": first.run_id, "dagster/is_resume_retry": "true"}
    again = run(judge, tags=tags)
    assert again.success
    assert simulator.control.state()["by_endpoint"] == {"laps": 1}
    assert ("drivers", RACE, 20) in judge.given
    assert len(evaluations(again)) == len(SESSION_GROUP.datasets) * 2


def test_a_file_that_cannot_be_read_stops_no_other(
    run: Run, simulator: Simulator, tmp_path: Path
) -> None:
    """A further attempt whose earlier drivers were damaged meanwhile still stores its laps."""
    simulator.control.add_faults(InjectedFault(kind="unknown_path", endpoint="laps"))
    first = run(FakeJudge())
    simulator.control.reset()
    for file in (tmp_path / "lake/bronze/drivers").rglob("*.parquet"):
        file.write_bytes(b"torn")
    tags = {"dagster/parent_run_id": first.run_id, "dagster/is_resume_retry": "true"}
    again = run(FakeJudge(), tags=tags)
    [line] = failure(again).splitlines()
    assert "drivers of 2 sessions" in line
    assert "TornFile" in line
    assert "laps" in {e.asset_key.path[-1] for e in again.all_events if e.is_step_materialization}


def test_checks_alone_ask_nothing_of_the_api(
    run: Run, simulator: Simulator, settings: Settings, instance: dg.DagsterInstance
) -> None:
    """'Execute check' checks what the lake holds, without a call and without a materialization."""
    run(FakeJudge())
    simulator.control.reset()
    judge = FakeJudge(Severity.ERROR)
    definitions = assemble(settings, judge=judge)
    job = dg.define_asset_job(
        "only_checks", selection=dg.AssetSelection.checks_for_assets(*definitions.assets[:1])
    )
    alone = dg.Definitions(
        assets=definitions.assets,
        jobs=[job],
        resources=definitions.resources,
        executor=dg.in_process_executor,
    )
    result = alone.resolve_job_def("only_checks").execute_in_process(
        instance=instance, raise_on_error=False, tags={"dagster/partition": RACE}
    )
    assert [e for e in result.all_events if e.is_step_materialization] == []
    assert not evaluations(result)["laps", "rules", RACE].passed
    assert simulator.control.state()["calls"] == 0
    assert "rows that must not be used downstream" in failure(result)


def test_races_have_their_own_checks(run: Run) -> None:
    """Stints and pit stops are checked in their own run."""
    result = run(
        FakeJudge(),
        job="bronze_races",
        tags={
            "dagster/asset_partition_range_start": RACE,
            "dagster/asset_partition_range_end": RACE,
        },
    )
    assert result.success
    assert {name for name, _, _ in evaluations(result)} == {d.name for d in RACE_GROUP.datasets}


def test_an_evaluation_says_what_each_group_found() -> None:
    """Every rule is listed, failed ones first, with the rows that fail; the worst one counts."""
    dataset = replace(DATASET["laps"], rules=tuple(BROKEN.values()))
    verdicts = [
        verdict(check=RuleGroup.SCHEMA),
        verdict(Severity.WARN, check=RuleGroup.VALUES),
        verdict(Severity.WARN, Severity.ERROR, check=RuleGroup.RACING),
    ]
    one = to_evaluation(dataset, verdicts, None)
    assert (one.check_name, one.passed) == ("rules", False)
    assert one.severity is dg.AssetCheckSeverity.ERROR
    assert one.description == (
        "racing: broken_error: 2 laps without a time (and 1 more); "
        "values: broken_warn: 2 laps without a time"
    )
    said = {name: value.value for name, value in one.metadata.items()}
    assert said["schema"] == "1 rules pass, 1 not checked"
    assert said["values"] == "broken_warn: 2 laps without a time"
    assert said["racing"] == "broken_error: 2 laps without a time (and 1 more)"
    assert (said["rows_seen"], said["rules_failed"]) == (50, 3)
    text = evidence(dataset, verdicts)
    assert said["evidence"] == text
    cells = [[c.strip() for c in line.split("|")[1:-1]] for line in text.splitlines()[2:11]]
    assert [(line[0], line[-1]) for line in cells] == [
        ("fails", "racing"),
        ("warns", "values"),
        ("warns", "racing"),
        *(("passes", group) for group in ("schema", "values", "racing")),
        *(("not checked", group) for group in ("schema", "values", "racing")),
    ]
    assert "| 44 | 9 |" in text
    assert text.count("Laps have a time. A lap without one is no lap.") == 3


def test_an_evaluation_of_which_all_is_well() -> None:
    """One line counts the rules."""
    one = to_evaluation(DATASET["laps"], [verdict(check=group) for group in RuleGroup], None)
    assert one.passed
    assert one.severity is dg.AssetCheckSeverity.WARN
    assert one.description == "3 rules pass, 3 not checked"
    assert "unexpected_rows" not in one.metadata


def test_what_is_recorded_is_read_back_by_group() -> None:
    """What an evaluation holds is what the verdicts were, without what is zero or null."""
    verdicts = [verdict(check=RuleGroup.SCHEMA), verdict(Severity.WARN, check=RuleGroup.RACING)]
    schema, racing = read_evaluation(to_evaluation(DATASET["laps"], verdicts, None))
    assert (schema.check, schema.severity) == ("schema", None)
    assert (racing.check, racing.severity) == ("racing", "WARN")
    assert racing.summary == "broken_warn: 2 laps without a time"
    assert racing.unexpected_rows == {"broken_warn": [dict(row) for row in ROWS]}
    assert racing.rules[2] == {
        "rule": "broken_warn",
        "severity": "WARN",
        "passed": False,
        "observed": "2 laps without a time",
        "rows_seen": 50,
        "unexpected_count": 2,
        "unexpected_percent": 4.0,
        "column": None,
    }
    assert schema.rules[1]["rows_seen"] == 0


def older_evaluation(dataset: str, group: str, *, passed: bool, target: Any) -> Any:
    """As the release before recorded it: a check for each group."""
    rule = {"rule": "a rule", "severity": "ERROR", "passed": passed, "observed": "3 of 20 fail"}
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(["bronze", dataset]),
        check_name=group,
        partition=RACE,
        passed=passed,
        severity=dg.AssetCheckSeverity.ERROR,
        description="a rule: 3 of 20 fail",
        metadata={"rules": [{**rule, "unexpected_count": 3, "rows_seen": 20, "column": None}]},
        target_materialization_data=target,
    )


def test_checks_of_an_older_release_are_read_until_the_partition_is_checked_again(
    run: Run, instance: dg.DagsterInstance
) -> None:
    """Three checks a dataset: what is broken is known, and what all of them saw is checked."""
    run(FakeJudge(), tags={"dagster/asset_partition_range_end": QUALIFYING})
    drivers, laps = DATASET["drivers"], DATASET["laps"]
    for dataset in (drivers, laps):
        key = dg.AssetKey(["bronze", dataset.name])
        instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=RACE))
        target = read_latest(instance, dataset, {RACE})[RACE].check_target
        groups = ["schema", "values", "racing"][: 3 if dataset is drivers else 2]
        for group in groups:
            passed = (dataset.name, group) != ("drivers", "values")
            made = older_evaluation(dataset.name, group, passed=passed, target=target)
            instance.report_runless_asset_event(made)
    assert checked_keys(instance, drivers, {RACE, QUALIFYING}) == {RACE, QUALIFYING}
    assert checked_keys(instance, laps, {RACE, QUALIFYING}) == {QUALIFYING}
    states = read_checks(instance, [RACE, QUALIFYING], with_rules=True)
    schema, values, racing = states[RACE, "drivers"]
    assert [one.check for one in (schema, values, racing)] == ["schema", "values", "racing"]
    assert (values.severity, values.summary) == ("ERROR", "a rule: 3 of 20 fail")
    assert (schema.severity, racing.severity) == (None, None)
    assert values.rules[0]["unexpected_percent"] == 0.0
    assert [one.check for one in states[QUALIFYING, "drivers"]] == ["schema", "values", "racing"]

    run(FakeJudge())
    states = read_checks(instance, [RACE], with_rules=False)
    assert [one.severity for one in states[RACE, "drivers"]] == [None, None, None]
    assert checked_keys(instance, laps, {RACE}) == {RACE}


def test_what_a_run_has_read_is_let_go(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    """Nothing of the process keeps the tables of a run that has ended."""
    context = RunCheckContext(Lake.at(str(tmp_path)), instance)
    assert context.missing_sessions(DATASET["laps"], 2025) == []
    left = weakref.ref(context)
    del context
    assert left() is None
