"""What the calendar sensor remembers, for those who ask nothing of the API.

Belongs here: reading that sensor's cursor. Stays out: writing it (calendar_sensor.py).
"""

from datetime import datetime

import dagster as dg

from f1_bronze.defs.calendar_memory import CursorError, Memory

CALENDAR_SENSOR = "openf1_calendar"


def remembered_ends(instance: dg.DagsterInstance) -> dict[str, datetime]:
    """Partition key → scheduled end of every session that was not cancelled, also those to come.

    Empty before the sensor's first tick, and where its cursor is not its own.
    """
    # Only daemons have it at hand; for the code location it is a twentieth of its loading.
    from dagster._core.scheduler.instigation import InstigatorType, SensorInstigatorData

    for state in instance.all_instigator_state(instigator_type=InstigatorType.SENSOR):
        data = state.instigator_data
        if state.instigator_name == CALENDAR_SENSOR and isinstance(data, SensorInstigatorData):
            try:
                memory = Memory.from_json(data.cursor)
            except CursorError:  # the sensor itself says so at its next tick
                return {}
            return {seen.key: seen.end for seen in memory.sessions.values() if not seen.cancelled}
    return {}
