"""How long nothing has succeeded while there was something to do.

Belongs here: the gauge HoursSinceLastSuccess and when it is muted. Stays out: who keeps the last
success and the calendar (defs/).
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import pairwise

from f1_bronze.telemetry.metric_kinds import HOURS_SINCE_LAST_SUCCESS, LAYER, PIPELINE, Metric

QUIET = timedelta(days=15)
"""How long after a session there is still something to do: the weekly run reads it again."""


def hours_since_last_success(
    last_success: datetime | None,
    now: datetime,
    *,
    environment: str,
    session_ends: Iterable[datetime],
    quiet: timedelta = QUIET,
) -> Metric:
    """The gauge: 0 while no session ended within `quiet`, so that a pause never looks like age.

    A pause begins only once something succeeded after its last session, and its hours are not
    counted afterwards: the age begins with the first session after it. 0 is sent all the same,
    because what is missing tells that the sensor is dead.

    Args:
        last_success: the end of the last run that succeeded; None when none ever did.
        now: UTC.
        session_ends: of the whole calendar, also what never landed, or a pipeline that died would
            look like a pause; those that are still to come are not looked at.
    """
    ends = sorted(end for end in session_ends if end <= now)
    hours = 0.0
    if ends and (now - ends[-1] <= quiet or (last_success is not None and last_success < ends[-1])):
        resumed = _resumed(ends, quiet)
        since = resumed if last_success is None else max(resumed, last_success)
        hours = max(0.0, (now - since).total_seconds() / 3600)
    kind = HOURS_SINCE_LAST_SUCCESS
    return Metric(
        namespace=kind.namespace.value,
        name=kind.name,
        unit=kind.unit.value,
        value=round(hours, 3),
        at=now,
        dimensions=(("Environment", environment), ("Pipeline", PIPELINE), ("Layer", LAYER)),
        origin=f"freshness-{now:%Y%m%dT%H}",
    )


def _resumed(ends: list[datetime], quiet: timedelta) -> datetime:
    """The end of the first session after the last pause."""
    later = [after for before, after in pairwise(ends) if after - before > quiet]
    return later[-1] if later else ends[0]
