"""monitoring/coverage: what it shows, what its checks say, and when it is looked at again."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._utils.schedules import get_latest_completed_cron_tick

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.defs.assets import FRESHNESS
from f1_bronze.defs.monitoring.coverage_asset import (
    AT_LEAST,
    COVERAGE,
    coverage,
    hourly_coverage,
)
from f1_bronze.defs.partitions import register
from f1_bronze.defs.record.calendar_memory import SeenSession
from f1_bronze.defs.resources import Deployment as DeploymentResource
from f1_bronze.settings import Settings
from f1_bronze.simulator.faults import InjectedFault
from f1_bronze.simulator.invented import InventedSeasons
from f1_bronze.simulator.server import Simulator

from .calendars import remember

QUALIFYING, RACE = "2025/bahrain/qualifying", "2025/bahrain/race"
ENDED = datetime(2025, 4, 13, 17, 0, tzinfo=UTC)
TUESDAY = datetime(2025, 4, 15, 12, 0, tzinfo=UTC)
Materialize = Callable[..., dg.ExecuteInProcessResult]


class Deployment:
    """An instance with the coverage of its lake, at a time of its own."""

    def __init__(self, instance: dg.DagsterInstance, settings: Settings) -> None:
        self.instance = instance
        self.now = TUESDAY
        self.resource = DeploymentResource(settings, clock=lambda: self.now)

    def look(self, *seasons: int) -> dg.ExecuteInProcessResult:
        """Materialize monitoring/coverage."""
        config = {"ops": {"monitoring__coverage": {"config": {"seasons": list(seasons)}}}}
        return dg.materialize(
            [coverage],
            instance=self.instance,
            resources={"deployment": self.resource},
            run_config=config if seasons else None,
        )

    def metadata(self, *seasons: int) -> dict[str, object]:
        """Its metadata."""
        (event,) = self.look(*seasons).get_asset_materialization_events()
        return {name: value.value for name, value in event.materialization.metadata.items()}

    def checks(self) -> dict[str, tuple[bool, str, str]]:
        """Its checks: whether they passed, severity, description."""
        return {
            one.check_name: (one.passed, one.severity.value, one.description or "")
            for one in self.look().get_asset_check_evaluations()
        }

    def tick(self) -> dg.RunRequest | str:
        """What the schedule comes to: a request, or the reason why there is none."""
        with dg.build_schedule_context(
            instance=self.instance,
            scheduled_execution_time=self.now,
            resources={"deployment": self.resource},
        ) as context:
            result = hourly_coverage.evaluate_tick(context)
        return result.run_requests[0] if result.run_requests else str(result.skip_message)


@pytest.fixture
def instance(disk_instance: dg.DagsterInstance) -> dg.DagsterInstance:
    """An instance that keeps the state of sensors and knows a weekend's sessions."""
    register(disk_instance, [SessionPartition.parse(key) for key in (QUALIFYING, RACE)])
    return disk_instance


@pytest.fixture
def deployment(instance: dg.DagsterInstance, settings: Settings) -> Deployment:
    """The deployment on the Tuesday after the race."""
    return Deployment(instance, settings)


@pytest.fixture
def calendar(instance: dg.DagsterInstance) -> None:
    """The calendar sensor has seen the race."""
    seen = SeenSession(key=RACE, name="Race", start=ENDED - timedelta(hours=2), end=ENDED)
    remember(instance, {907047: seen})


def store(instance: dg.DagsterInstance, key: str) -> None:
    """All datasets of a session are stored, by the record."""
    for dataset in DATASETS:
        made = dg.AssetMaterialization(["bronze", dataset.name], partition=key)
        instance.report_runless_asset_event(made)


def break_rule(instance: dg.DagsterInstance, dataset: str, severity: dg.AssetCheckSeverity) -> None:
    """A rule of the race is broken."""
    instance.report_runless_asset_event(
        dg.AssetCheckEvaluation(
            asset_key=dg.AssetKey(["bronze", dataset]),
            check_name="values",
            passed=False,
            partition=RACE,
            severity=severity,
            description="points whole",
        )
    )


def test_a_weekend_at_a_glance(
    materialize: Materialize, simulator: Simulator, deployment: Deployment
) -> None:
    """Rows of what is stored, words for what is not, and each problem with its place and cause."""
    simulator.control.add_faults(InjectedFault(kind="unknown_path", endpoint="laps"))
    materialize("bronze_sessions", QUALIFYING, RACE)
    metadata = deployment.metadata()
    assert str(metadata["matrix"]).splitlines()[-1] == (
        "| 2025/bahrain/race | 1 | 20 | 20 | **failed** | **overdue** | **overdue** |"
    )
    assert "| 2025/bahrain/qualifying | 1 | 20 | 20 | **failed** | · | · |" in str(
        metadata["matrix"]
    )
    maps = [str(metadata[f"map_{name}"]) for name in ("drivers", "laps", "stints")]
    assert [re.match(r"!\[(.*)\]\(<data:image/svg", shown)[1] for shown in maps] == [  # type: ignore[index]
        "🟩🟩",
        "🟥🟥",
        "▫️🟧",
    ]
    assert ["d='M0 6h19'" in maps[0], "d='M10 6h9'" in maps[2]] == [True, True]
    assert all(len(shown) < 1_000 for shown in maps)  # what is longer the UI does not show at once
    troubles = str(metadata["troubles"]).splitlines()
    assert troubles[0].startswith(
        "- **failed**: [laps of 2025/bahrain/qualifying](/assets/bronze/laps?view=partitions"
        "&partition=2025%2Fbahrain%2Fqualifying) and 1 more: OpenF1 "
    )
    assert troubles[1:] == [
        "- **overdue**: [stints of 2025/bahrain/race](/assets/bronze/stints?view=partitions"
        "&partition=2025%2Fbahrain%2Frace) and 1 more: The lake holds no file, and no run has "
        "reported a failure. `f1-bronze ingest 2025 --grand-prix bahrain --missing` stores it."
    ]
    numbers = ("sessions", "landed", "failed", "missing", "overdue_datasets", "percent_landed")
    assert [metadata[name] for name in numbers] == [2, 6, 2, 2, 4, 60.0]
    assert metadata["seasons"] == "2025"
    page = Path(str(metadata["report"]))
    assert page.parts[-2:] == ("reports", "coverage.html")
    assert "2025/bahrain/qualifying" in page.read_text("utf-8")


def test_seasons_that_are_asked_for(deployment: Deployment) -> None:
    """A season without sessions says how to get some; that is no problem."""
    metadata = deployment.metadata(2024)
    assert (metadata["sessions"], metadata["percent_landed"], metadata["troubles"]) == (
        0,
        0.0,
        "None.",
    )
    assert "f1-bronze ingest" in str(metadata["matrix"])


PLACE = "/assets/bronze/results?view=checks&checkDetail=rules&partition=2025%2Fbahrain%2Frace"


@pytest.mark.usefixtures("calendar")
def test_a_broken_error_rule_shows_red(deployment: Deployment) -> None:
    """A partition that must not be used fails `usable`, with severity ERROR, and is named."""
    store(deployment.instance, RACE)
    break_rule(deployment.instance, "results", dg.AssetCheckSeverity.ERROR)
    passed, severity, description = deployment.checks()["usable"]
    assert (passed, severity) == (False, "ERROR")
    assert description.startswith(f"results of {RACE}, values: points whole. Do not use them")


@pytest.mark.usefixtures("calendar")
def test_a_broken_warn_rule_is_a_problem_and_usable(deployment: Deployment) -> None:
    """A warning is counted and listed with a link to its check; the partition may be used."""
    store(deployment.instance, RACE)
    break_rule(deployment.instance, "results", dg.AssetCheckSeverity.WARN)
    look = deployment.look()
    usable = {one.check_name: one.passed for one in look.get_asset_check_evaluations()}["usable"]
    (event,) = look.get_asset_materialization_events()
    metadata = event.materialization.metadata
    assert usable is True
    assert (metadata["rules_broken_error"].value, metadata["rules_broken_warn"].value) == (0, 1)
    line = f"- **WARN values**: [results of {RACE}]({PLACE}): points whole"
    assert line in str(metadata["troubles"].value).splitlines()


@pytest.mark.usefixtures("calendar")
def test_a_session_that_is_overdue(deployment: Deployment) -> None:
    """After the weekly run and 24 hours a session that is not stored is a warning."""
    deployment.now = ENDED + timedelta(hours=1)
    assert deployment.checks()["on_time"][0] is True
    deployment.now = TUESDAY
    assert deployment.checks()["on_time"] == (
        False,
        "WARN",
        f"Overdue: {RACE}. Materialize 'Failed and missing' on the dataset's page, or: "
        "f1-bronze ingest 2025 --missing",
    )
    store(deployment.instance, RACE)
    assert deployment.checks()["on_time"][0] is True


def test_an_unknown_calendar_is_no_good_news(deployment: Deployment) -> None:
    """Without a calendar nobody can say what is overdue, and the check says how to get one."""
    assert deployment.checks()["on_time"] == (
        False,
        "WARN",
        "It is not known when sessions end: switch on the sensor openf1_calendar.",
    )


@pytest.mark.usefixtures("calendar")
def test_when_it_is_looked_at_again(materialize: Materialize, deployment: Deployment) -> None:
    """At first, after a bronze run, when a session becomes overdue, and once a day; else not."""
    deployment.now = datetime.now(UTC)
    assert isinstance(deployment.tick(), dg.RunRequest)
    deployment.look()
    skipped = deployment.tick()
    assert isinstance(skipped, str)
    assert skipped.startswith("Nothing has changed since ")
    materialize("bronze_sessions", QUALIFYING, select=["sessions"])
    assert isinstance(deployment.tick(), dg.RunRequest)
    deployment.look()
    assert isinstance(deployment.tick(), str)
    deployment.now += AT_LEAST + timedelta(minutes=1)
    assert isinstance(deployment.tick(), dg.RunRequest)
    deployment.now = TUESDAY  # the race is overdue, and the last look did not know
    assert isinstance(deployment.tick(), dg.RunRequest)
    deployment.look()
    assert isinstance(deployment.tick(), str)


def test_it_depends_on_the_six_datasets() -> None:
    """The graph leads from each dataset to its coverage."""
    (spec,) = coverage.specs
    assert spec.key == COVERAGE
    assert sorted(dep.asset_key.path[-1] for dep in spec.deps) == [
        "drivers",
        "laps",
        "pit_stops",
        "results",
        "sessions",
        "stints",
    ]


def is_fresh(now: datetime, stored_at: datetime) -> bool:
    """As Dagster's daemon evaluates the policy of the bronze assets."""
    tick = get_latest_completed_cron_tick(FRESHNESS.deadline_cron, now, FRESHNESS.timezone)
    return stored_at >= tick - FRESHNESS.lower_bound_delta


def test_freshness_is_quiet_between_seasons(seasons: InventedSeasons) -> None:
    """On four seasons' calendars the Monday runs never look stale, and a stopped one does."""
    ends = [
        datetime.fromisoformat(session["date_end"])
        for session in seasons.sessions()
        if session["session_name"] in ("Race", "Qualifying")
        and 2023 <= session["year"] <= 2026
        and not session.get("is_cancelled")
    ]
    monday = datetime(2023, 3, 6, 6, 5, tzinfo=UTC)
    stored_at, stale = monday, []
    for day in range(4 * 365 - 90):
        now = monday + timedelta(days=day)
        if day % 7 == 0 and any(timedelta() <= now - end <= timedelta(days=15) for end in ends):
            stored_at = now
        if not is_fresh(now, stored_at):
            stale.append(now)
    assert stale == []
    stopped = datetime(2025, 5, 2, tzinfo=UTC)
    assert is_fresh(datetime(2025, 6, 1, 11, tzinfo=UTC), stopped)
    assert not is_fresh(datetime(2025, 6, 1, 13, tzinfo=UTC), stopped)
