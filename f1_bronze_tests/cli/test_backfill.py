"""`f1-bronze backfill`: what it asks of a deployment, and what it makes of the answers."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
import pytest

from f1_bronze.cli import backfill_command
from f1_bronze.cli.deployment import BackfillRun, BackfillState, DeploymentError, RunEvent
from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import Dataset

from ..commands import Run

QUALIFYING, RACE = "2025/bahrain/qualifying", "2025/bahrain/race"
LAPS = {"laps": (QUALIFYING, RACE)}
WORDS = ("2025", "--grand-prix", "bahrain", "--dataset", "laps")


def stored(key: str, calls: int, **metadata: Any) -> RunEvent:
    """A materialization of laps, after so many calls of its run."""
    values = {"dagster/row_count": 10, "revision": "new", "api_requests": 1}
    uri = f"s3://lake/bronze/laps/year=2025/{key}.parquet"
    api = {"calls": calls, "questions": calls, "by_status": {"200": calls}}
    return RunEvent(
        kind="MaterializationEvent",
        dataset="laps",
        partition=key,
        metadata={**values, "dagster/uri": uri, "api_so_far": api, **metadata},
    )


def failed(*keys: str, kind: str) -> RunEvent:
    """The failure of a run that lists laps of these partitions, all for one cause."""
    places = [{"dataset": "laps", "partition": key, "error": kind, "cause": 0} for key in keys]
    return RunEvent(
        kind="ExecutionStepFailureEvent",
        metadata={"failed": places, "causes": ["No answer; ask later."], "api": {"calls": 4}},
    )


@dataclass
class FakeDeployment:
    """A deployment of which every look sees the next of `states`; it records what it is asked."""

    states: Sequence[BackfillState | DeploymentError] = ()
    events_by_run: Mapping[str, Sequence[RunEvent]] = field(default_factory=dict)
    complete: Mapping[str, set[str]] = field(default_factory=dict)
    target: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: LAPS)
    keys: dict[str, list[str]] = field(default_factory=dict)
    launched: list[dict[str, set[str]]] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    place: str = "http://deployment"

    def get_dynamic_partitions(self, partitions_def_name: str) -> Sequence[str]:
        return self.keys.get(partitions_def_name, [])

    def add_dynamic_partitions(
        self, partitions_def_name: str, partition_keys: Sequence[str]
    ) -> None:
        self.keys.setdefault(partitions_def_name, []).extend(partition_keys)

    def get_runs(self, filters: dg.RunsFilter) -> list[BackfillRun]:
        return []

    def complete_keys(self, datasets: Collection[Dataset]) -> dict[str, set[str]]:
        return {dataset.name: self.complete.get(dataset.name, set()) for dataset in datasets}

    def launch(self, wanted: Mapping[Dataset, Collection[str]], *, title: str) -> str:
        self.launched.append({dataset.name: set(keys) for dataset, keys in wanted.items()})
        self.left = list(self.states)
        return "abc"

    def targets(self, backfill_id: str) -> Mapping[str, tuple[str, ...]]:
        self.left = list(self.states)
        return self.target

    def state(self, backfill_id: str) -> BackfillState:
        seen = self.left.pop(0)
        if isinstance(seen, DeploymentError):
            raise seen
        return seen

    def events(self, run_id: str, cursor: str | None) -> tuple[list[RunEvent], str | None]:
        return ([] if cursor else list(self.events_by_run.get(run_id, ()))), "read"

    def cancel(self, backfill_id: str) -> None:
        self.cancelled.append(backfill_id)


def ended(status: str, **runs: str) -> BackfillState:
    """A backfill of these runs by status; `b_after_a` is a run that repeats `a`."""
    return BackfillState(
        status=status,
        error=None,
        runs=tuple(
            BackfillRun(
                run_id=name.partition("_after_")[0],
                status=run_status,
                parent_run_id=name.partition("_after_")[2] or None,
            )
            for name, run_status in runs.items()
        ),
    )


@pytest.fixture
def answer_with(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Has the command ask a fake deployment; no look waits."""

    def use(fake: FakeDeployment) -> FakeDeployment:
        @contextmanager
        def opened(url: str) -> Iterator[FakeDeployment]:
            yield fake

        monkeypatch.setattr(backfill_command, "_open_deployment", opened)
        monkeypatch.setattr(backfill_command, "_SECONDS_BETWEEN_LOOKS", 0)
        return fake

    return use


def test_all_stored(answer_with: Any, run: Run, fast: dict[str, str]) -> None:
    """Partitions are registered, what is selected is asked for, and the table is ingest's."""
    fake = answer_with(
        FakeDeployment(
            states=[
                ended("REQUESTED"),
                ended("REQUESTED", a="STARTED"),
                ended("COMPLETED_SUCCESS", a="SUCCESS"),
            ],
            events_by_run={"a": [stored(QUALIFYING, 3), stored(RACE, 4, revision="changed")]},
        )
    )
    done = run("backfill", *WORDS, "--deployment", "http://deployment", "--json", **fast)
    assert done.status == 0, done.err
    assert fake.launched == [{"laps": {QUALIFYING, RACE}}]
    assert fake.keys == {"f1_sessions": [QUALIFYING, RACE], "f1_race_sessions": [RACE]}
    [laps] = done.data["datasets"]
    assert (laps["sessions"], laps["rows"], laps["new"], laps["changed"]) == (2, 20, 1, 1)
    assert done.data["api"]["calls"] == 4  # the run's sum, not that of each event
    assert (done.data["lake"], done.data["backfill"], done.data["runs"]) == (
        "s3://lake/",
        "abc",
        ["a"],
    )


def test_a_deployment_that_is_restarted(
    answer_with: Any, run: Run, fast: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its silence is waited out; one that lasts ends the looking, and says how to go on."""
    silent = DeploymentError("The deployment does not answer.", is_silent=True)
    fake = answer_with(
        FakeDeployment(
            states=[
                ended("REQUESTED", a="STARTED"),
                silent,
                silent,
                ended("COMPLETED_SUCCESS", a="SUCCESS"),
            ],
            events_by_run={"a": [stored(QUALIFYING, 3), stored(RACE, 4)]},
        )
    )
    words = ("backfill", *WORDS, "--deployment", "http://deployment")
    done = run(*words, "--json", **fast)
    assert done.status == 0, done.err
    assert [row["sessions"] for row in done.data["datasets"]] == [2]

    monkeypatch.setattr(backfill_command, "_SECONDS_OF_SILENCE", 0.0)
    fake.states = [silent]
    lost = run(*words, **fast)
    assert lost.status == 1
    assert "The backfill abc goes on." in lost.err
    assert "--follow abc --deployment http://deployment" in lost.err
    assert "The deployment does not answer." in lost.err


def test_missing_goes_by_the_deployments_record(
    answer_with: Any, run: Run, fast: dict[str, str]
) -> None:
    """What it has on record is not asked for again; where nothing is missing, nothing is made."""
    fake = answer_with(
        FakeDeployment(
            states=[ended("COMPLETED_SUCCESS", a="SUCCESS")],
            events_by_run={"a": [stored(RACE, 1)]},
            complete={"laps": {QUALIFYING}},
            target={"laps": (RACE,)},
        )
    )
    words = ("backfill", *WORDS, "--missing", "--deployment", "http://deployment")
    planned = run(*words, "--dry-run", "--json", **fast)
    assert [row["sessions"] for row in planned.data["datasets"]] == [1]
    assert fake.launched == []
    assert run(*words, **fast).status == 0
    assert fake.launched == [{"laps": {RACE}}]
    fake.complete = {"laps": {QUALIFYING, RACE}}
    nothing = run(*words, **fast)
    assert nothing.status == 0
    assert "Nothing to ingest" in nothing.err
    assert len(fake.launched) == 1


@pytest.mark.parametrize(
    ("kind", "status"), [("ClosedForLiveSession", 3), ("Unavailable", 1), ("RowsMissing", 1)]
)
def test_failures(kind: str, status: int, answer_with: Any, run: Run, fast: dict[str, str]) -> None:
    """What runs list as failed is printed once for each cause, and decides the exit status."""
    answer_with(
        FakeDeployment(
            states=[ended("COMPLETED_FAILED", a="FAILURE")],
            events_by_run={"a": [failed(QUALIFYING, RACE, kind=kind)]},
        )
    )
    done = run("backfill", *WORDS, "--deployment", "http://deployment", **fast)
    assert done.status == status
    assert (
        "failed: 2025/bahrain/qualifying laps and 1 more (laps of 2 sessions): No answer; ask later"
        in done.err
    )


def test_a_crashed_run_and_its_retry(answer_with: Any, run: Run, fast: dict[str, str]) -> None:
    """What the retry stores is no failure; a crash that nothing repeats is one."""
    crash = RunEvent(kind="RunFailureEvent", message="Run timed out.")
    both = [stored(QUALIFYING, 3), stored(RACE, 3)]
    fake = answer_with(
        FakeDeployment(
            states=[ended("COMPLETED_SUCCESS", a="FAILURE", b_after_a="SUCCESS")],
            events_by_run={"a": [both[0], crash], "b": both},
        )
    )
    words = ("backfill", *WORDS, "--deployment", "http://deployment", "--json")
    done = run(*words, **fast)
    assert (done.status, done.data["crashes"]) == (0, [])
    fake.states = [ended("COMPLETED_FAILED", a="FAILURE")]
    done = run(*words, **fast)
    assert done.status == 1
    assert done.data["crashes"] == [
        "run a broke: Run timed out. (the deployment's UI shows its log)",
        "2025/bahrain/race laps were not reached, because what they follow failed; "
        "`f1-bronze backfill SEASONS --missing` asks for them",
    ]


def test_follow_and_cancel(answer_with: Any, run: Run) -> None:
    """A backfill that is there is followed by its id; cancelling it is requested once."""
    fake = answer_with(
        FakeDeployment(
            states=[ended("CANCELED", a="CANCELED")], events_by_run={"a": [stored(RACE, 3)]}
        )
    )
    followed = run("backfill", "--follow", "abc", "--deployment", "http://deployment")
    assert followed.status == 1
    assert "the backfill was cancelled; what is stored stays" in followed.err
    assert run("backfill", "--cancel", "abc").status == 0
    assert fake.cancelled == ["abc"]
    assert fake.launched == []


def test_interrupted(
    answer_with: Any, run: Run, fast: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C ends the command, not the backfill, and says how to follow and cancel it."""
    fake = answer_with(FakeDeployment(states=[ended("REQUESTED")]))

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(backfill_command.time, "sleep", interrupt)
    done = run("backfill", *WORDS, "--deployment", "http://deployment", **fast)
    assert done.status == 130
    assert "f1-bronze backfill --follow abc --deployment http://deployment" in done.err
    assert "f1-bronze backfill --cancel abc --deployment http://deployment" in done.err
    assert fake.cancelled == []


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ((), 2, "Give SEASONS, or --follow ID, or --cancel ID."),
        (("2025", "--follow", "abc"), 2, "Give SEASONS"),
        (("2025", "--missing", "--all"), 2, "exclude each other"),
        (("2025", "--deployment", "localhost:3000"), 2, "is no address"),
        (("--follow", "abc", "--deployment", "http://u:p@127.0.0.1:9"), 1, "does not answer"),
    ],
)
def test_wrong_use(
    words: Sequence[str], status: int, said: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Words that make no sense are a usage error; an address that is silent is named, no login."""
    monkeypatch.setattr("f1_bronze.cli.deployment._RETRIES", 0)
    done = run("backfill", *words)
    assert done.status == status
    assert said in done.err
    assert "u:p" not in done.err


def test_a_dry_run_needs_no_deployment(run: Run, fast: dict[str, str]) -> None:
    """The plan is ingest's, byte for byte; only the calendar is read."""
    words = ("2025", "--grand-prix", "bahrain", "--dry-run", "--json")
    asked = run("backfill", *words, "--deployment", "http://127.0.0.1:9", **fast)
    assert asked.status == 0, asked.err
    assert asked.data["partitions"] == [QUALIFYING, RACE]
    assert asked.out == run("ingest", *words, **fast).out
    assert {row["dataset"] for row in asked.data["datasets"]} == {one.name for one in DATASETS}


def test_the_error_of_a_deployment_is_json_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other programs read what went wrong."""
    monkeypatch.setattr("f1_bronze.cli.deployment._RETRIES", 0)
    done = run("backfill", "--cancel", "x", "--deployment", "http://127.0.0.1:9", "--json")
    assert (done.status, done.data["error"]) == (1, DeploymentError.__name__)
