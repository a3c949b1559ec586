"""Plans the fewest sensible Dagster runs for a selection of sessions, and runs one in process."""

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import dagster as dg

from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.datasets.sessions import SESSIONS
from f1_bronze.defs.assets import MOST_PARTITIONS_A_RUN
from f1_bronze.defs.automation.season import running_years
from f1_bronze.defs.partitions import (
    DATASET_GROUPS,
    PARTITION,
    RANGE_END,
    RANGE_START,
    Registered,
    asset_key,
)
from f1_bronze.defs.record.runs import COMMAND_RUN_TAGS, runs_in_code_location
from f1_bronze.defs.record.tags import (
    BY_COMMAND,
    HISTORICAL_TAG,
    TRIGGER_TAG,
)
from f1_bronze.openf1.batches import SessionRef, plan_batches
from f1_bronze.openf1.calendar import CalendarSession


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """One Dagster run to be: datasets over partition keys that are neighbours."""

    job: str
    op: str
    datasets: tuple[Dataset, ...]
    keys: tuple[str, ...]

    @property
    def tags(self) -> dict[str, str]:
        """The tags by which Dagster knows the run's partitions."""
        if len(self.keys) == 1:
            return {PARTITION: self.keys[0]}
        return {RANGE_START: self.keys[0], RANGE_END: self.keys[-1]}

    def historical_tags(self, now: datetime) -> dict[str, str]:
        """What marks a run that begins in a season that is over, as a backfill of the UI would."""
        first_year = SessionPartition.parse(self.keys[0]).year
        return {HISTORICAL_TAG: "true"} if first_year < running_years(now)[0] else {}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Sessions in chronological order, the datasets wanted of them, and how to get them.

    `held` has the partitions not to ask for, by name of the dataset; without it all are wanted.
    """

    sessions: tuple[CalendarSession, ...]
    datasets: tuple[Dataset, ...]
    held: Mapping[str, Collection[SessionPartition]] | None = None

    def wanted(self) -> dict[Dataset, list[SessionRef]]:
        """The sessions that will be asked for, by dataset."""
        return {
            dataset: [
                SessionRef(
                    session_key=s.session_key,
                    session_type=s.partition.session_type,
                    meeting_key=s.meeting_key,
                )
                for s in self.sessions
                if self._wants(dataset, s.partition)
            ]
            for dataset in self.datasets
        }

    def batches(self) -> dict[Dataset, list[int]]:
        """How many sessions each API call asks for, by dataset, when nothing fails.

        The calendar, which has been read already and holds the sessions themselves, is not in it.
        """
        return {
            dataset: []
            if dataset is SESSIONS
            else [len(batch) for batch in plan_batches(dataset, refs)]
            for dataset, refs in self.wanted().items()
        }

    @property
    def calls(self) -> int:
        """API calls in all, when nothing fails."""
        return sum(len(batches) for batches in self.batches().values())

    def wanted_keys(self) -> dict[Dataset, set[str]]:
        """The partition keys that are wanted, by dataset."""
        partitions = [session.partition for session in self.sessions]
        return {ds: {p.key for p in partitions if self._wants(ds, p)} for ds in self.datasets}

    def runs(self, registered: Registered) -> list[PlannedRun]:
        """The runs, in the order in which they are to be made."""
        return plan_runs(registered, self.wanted_keys())

    def _wants(self, dataset: Dataset, partition: SessionPartition) -> bool:
        if not dataset.exists_for(partition.session_type):
            return False
        return self.held is None or partition not in self.held[dataset.name]


def plan_runs(
    registered: Registered, wanted: Mapping[Dataset, Collection[str]]
) -> list[PlannedRun]:
    """The runs for these partition keys of these datasets, in the order in which to make them.

    A run covers neighbours in the order of registration that want the same datasets: Dagster
    plans every partition between the first and the last, so there must be no other between.
    """
    runs = []
    for group in DATASET_GROUPS:
        datasets_by_key = [
            (key, tuple(ds for ds in wanted if ds in group.datasets and key in wanted[ds]))
            for key in registered.keys(group.datasets[0])
        ]
        for datasets, neighbours in itertools.groupby(datasets_by_key, key=lambda pair: pair[1]):
            keys = tuple(key for key, _ in neighbours)
            runs += [
                PlannedRun(
                    job=group.job,
                    op=group.op,
                    datasets=datasets,
                    keys=keys[start : start + MOST_PARTITIONS_A_RUN],
                )
                for start in range(0, len(keys), MOST_PARTITIONS_A_RUN)
                if datasets
            ]
    return runs


def recent(
    sessions: Sequence[CalendarSession], days: int, now: datetime
) -> tuple[CalendarSession, ...]:
    """The sessions that ended within the last days."""
    return tuple(s for s in sessions if s.date_end >= now - timedelta(days=days))


def execute(
    run: PlannedRun,
    *,
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    accept_loss: bool,
    tags: Mapping[str, str],
) -> dg.ExecuteInProcessResult:
    """Make the run in this process, recorded in the instance like any other.

    Nothing is raised when it fails: the result says so.
    """
    with runs_in_code_location(instance, run.job):
        return definitions.resolve_job_def(run.job).execute_in_process(
            instance=instance,
            # What happened is in the event log; the terminal belongs to the command.
            run_config={
                "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
                "ops": {run.op: {"config": {"accept_loss": accept_loss}}},
            },
            asset_selection=[asset_key(dataset) for dataset in run.datasets],
            tags={**tags, **run.tags, **COMMAND_RUN_TAGS},
            raise_on_error=False,
        )


def execute_checks(
    run: PlannedRun, *, definitions: dg.Definitions, instance: dg.DagsterInstance
) -> dg.ExecuteInProcessResult:
    """Evaluate the checks of these partitions on what the lake holds; OpenF1 is not asked."""
    selection = dg.AssetSelection.checks_for_assets(*map(asset_key, run.datasets))
    job = dg.define_asset_job("bronze_checks", selection=selection)
    only_checks = dg.Definitions(
        assets=definitions.assets,
        jobs=[job],
        resources=definitions.resources,
        executor=definitions.executor,
    )
    return only_checks.resolve_job_def(job.name).execute_in_process(
        instance=instance,
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        tags={TRIGGER_TAG: BY_COMMAND, **run.tags},
        raise_on_error=False,
    )


def describe_crash(result: dg.ExecuteInProcessResult) -> str:
    """What broke in a run that failed without listing what it could not store."""
    for event in result.all_events:
        if event.is_step_failure and event.step_failure_data.error is not None:
            error = event.step_failure_data.error
            cause = error.cause or error
            what = f"{cause.cls_name}: {cause.message.strip().splitlines()[0]}"
            return f"{what} (a run broke unexpectedly; `f1-bronze ui` shows its log)"
    return "a run failed before its first step; `f1-bronze ui` shows its log"


def was_interrupted(result: dg.ExecuteInProcessResult) -> bool:
    """Whether the run was ended from outside: by Ctrl-C, or a signal to the process."""
    return any(
        event.is_step_failure
        and event.step_failure_data.error is not None
        and event.step_failure_data.error.cls_name == "DagsterExecutionInterruptedError"
        for event in result.all_events
    )
