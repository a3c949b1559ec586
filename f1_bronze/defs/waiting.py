"""When a run goes on by itself that failed because the API or the lake could not be reached.

Belongs here: which failures pass, how long to wait, how often. Stays out: asking for the further
attempt (reopening.py), what it need not do again (attempts.py).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import dagster as dg

from f1_bronze.defs.tags import ATTEMPT_TAG, BY_COMMAND, CLOSED_RUN_TAG, RETRY_AT_TAG, TRIGGER_TAG
from f1_bronze.lake.errors import LakeUnavailable
from f1_bronze.openf1.outcomes import ClosedForLiveSession, Unavailable

MOST_ATTEMPTS = 24
"""Attempts at what meets a closed API: at the usual hour between them, a day."""
MOST_ATTEMPTS_IN_OUTAGE = 10
"""Attempts at what meets an outage: with the growing pauses, three days."""
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=15), timedelta(days=1)


def later_attempt(
    run: dg.DagsterRun, errors: Sequence[Exception], now: datetime
) -> dict[str, str] | None:
    """The tags that make a failed run go on later; None where it is left to people.

    A closed API says itself when to come back; a closure outweighs an outage, because it ends. The
    command's runs never go on: who typed it was told to come back.
    """
    attempt = int(run.tags.get(ATTEMPT_TAG, "1"))
    closed = [error for error in errors if isinstance(error, ClosedForLiveSession)]
    outage = any(isinstance(error, Unavailable | LakeUnavailable) for error in errors)
    if run.tags.get(TRIGGER_TAG) == BY_COMMAND:
        return None
    if closed and attempt < MOST_ATTEMPTS:
        pause = timedelta(seconds=closed[0].retry_after)
    elif outage and not closed and attempt < MOST_ATTEMPTS_IN_OUTAGE:
        pause = outage_pause(attempt)
    else:
        return None
    return {
        RETRY_AT_TAG: (now + pause).isoformat(timespec="seconds"),
        CLOSED_RUN_TAG: run.run_id,
    }


def outage_pause(attempt: int) -> timedelta:
    """How long to wait after an attempt, counted from 1, that met an outage.

    >>> [str(outage_pause(attempt)) for attempt in (1, 2, 3, 10)]
    ['0:15:00', '0:30:00', '1:00:00', '1 day, 0:00:00']
    """
    return min(LONGEST_PAUSE, FIRST_PAUSE * int(2 ** (attempt - 1)))
