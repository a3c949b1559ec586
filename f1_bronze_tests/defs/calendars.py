"""A calendar sensor that has seen sessions, for what goes by their ends."""

from collections.abc import Mapping

import dagster as dg
from dagster._core.remote_origin import (
    InProcessCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    SensorInstigatorData,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from f1_bronze.defs.record.calendar_memory import CalendarMemory, SeenSession


def remember(instance: dg.DagsterInstance, sessions: Mapping[int, SeenSession]) -> None:
    """Let the sensor openf1_calendar of this instance have seen these sessions."""
    location = InProcessCodeLocationOrigin(LoadableTargetOrigin(module_name="f1_bronze"))
    instance.add_instigator_state(
        InstigatorState(
            RemoteInstigatorOrigin(RemoteRepositoryOrigin(location, "r"), "openf1_calendar"),
            InstigatorType.SENSOR,
            InstigatorStatus.RUNNING,
            SensorInstigatorData(cursor=CalendarMemory(sessions=sessions).to_json()),
        )
    )
