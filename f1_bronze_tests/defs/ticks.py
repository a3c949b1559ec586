"""Ticks of the sensor and the schedule, evaluated at any time of an invented season."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import dagster as dg

from f1_bronze.definitions import defs
from f1_bronze.defs.automation.calendar_sensor import openf1_calendar
from f1_bronze.defs.record.tags import RECHECK_TAG
from f1_bronze.defs.resources import Deployment
from f1_bronze.defs.schedules import weekly_bronze
from f1_bronze.settings import Settings

from .sensor_ticks import TickLog


class Ticks:
    """One deployment; `now` is its time, and the cursor goes from tick to tick."""

    def __init__(
        self,
        instance: dg.DagsterInstance,
        settings: Settings,
        now: datetime,
        log: TickLog | None = None,
    ) -> None:
        self.instance = instance
        self.settings = settings
        self.now = now
        self.cursor: str | None = None
        self.log = log
        self.said = ""

    @property
    def deployment(self) -> Deployment:
        """The deployment at that time."""
        return Deployment(self.settings, clock=lambda: self.now)

    def calendar(self) -> dg.SensorResult:
        """What openf1_calendar comes to now; `said` is its report, where it has a log."""
        logged = len(self.log.said) if self.log else 0
        with dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursor,
            resources={"deployment": self.deployment},
        ) as context:
            result = openf1_calendar.evaluate_tick(context)
        self.cursor = result.cursor
        self.said = result.skip_message or " ".join(self.log.said[logged:] if self.log else ())
        return result

    def weekly(self, at: datetime) -> dg.SensorResult:
        """What weekly_bronze comes to for that tick."""
        with dg.build_schedule_context(
            instance=self.instance,
            scheduled_execution_time=at,
            resources={"deployment": self.deployment},
        ) as context:
            return weekly_bronze.evaluate_tick(context)


def launch(
    instance: dg.DagsterInstance,
    request: dg.RunRequest,
    status: dg.DagsterRunStatus = dg.DagsterRunStatus.NOT_STARTED,
    run_config: Mapping[str, object] | None = None,
    **tags: str,
) -> dg.DagsterRun:
    """What Dagster's daemon makes of a request, but for the work itself."""
    return instance.create_run_for_job(
        defs.resolve_job_def(request.job_name),
        status=status,
        run_config=run_config,
        tags={**request.tags, **tags},
        asset_selection=frozenset(request.asset_selection),
    )


def asked(requests: Sequence[dg.RunRequest]) -> list[tuple[str, list[str], str, str]]:
    """Job, datasets, first and last partition of each request that has partitions."""
    return [
        (
            request.job_name,
            [key.path[-1] for key in request.asset_selection],
            request.tags.get("dagster/asset_partition_range_start")
            or request.tags["dagster/partition"],
            request.tags.get("dagster/asset_partition_range_end")
            or request.tags["dagster/partition"],
        )
        for request in requests
        if RECHECK_TAG not in request.tags
    ]


def rechecked(requests: Sequence[dg.RunRequest]) -> list[tuple[str, list[str], str]]:
    """Job, datasets and seasons of each request that rechecks seasons."""
    return [
        (
            request.job_name,
            [key.path[-1] for key in request.asset_selection],
            request.tags[RECHECK_TAG],
        )
        for request in requests
        if RECHECK_TAG in request.tags
    ]


def utc(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    """A moment in UTC."""
    return datetime(year, month, day, hour, minute, tzinfo=UTC)
