"""From a verdict to what to do: the error with its remedy, or the wait before asking again.

Belongs here: the texts users read when OpenF1 does not answer, and what a Retry-After is worth.
Stays out: reading a reply (outcomes.py), counting attempts (retries.py).
"""

import math
import random
from datetime import UTC
from email.utils import parsedate_to_datetime

from f1_bronze.openf1.outcomes import (
    DEFAULT_RETRY_AFTER,
    ClosedForLiveSession,
    Kind,
    Refused,
    TooMuchAsked,
    Verdict,
)
from f1_bronze.openf1.retries import Fault, FaultKind

LONGEST_RETRY_AFTER = 120.0
"""Seconds that a Retry-After is obeyed at most within one question."""
_LONGEST_CLOSURE = 6 * 3600.0


def error_for(verdict: Verdict, asked: str, status: int, now: float) -> Exception:
    """What to raise for a verdict that is neither rows nor a limit.

    A `Fault` is to be repeated, an `OpenF1Error` is final. `asked` names the question, without
    credentials; `now` in seconds since the epoch.
    """
    match verdict.kind:
        case Kind.REPEAT:
            wait = retry_after(verdict.retry_after, now, longest=LONGEST_RETRY_AFTER)
            return Fault(FaultKind.FAILED, verdict.reason, status=status, seconds=wait)
        case Kind.CLOSED:
            wait = retry_after(verdict.retry_after, now, longest=_LONGEST_CLOSURE)
            return ClosedForLiveSession(
                "OpenF1 is closed to free users around a live session, past sessions included; "
                "come back in 30 to 180 minutes, or set F1_BRONZE_OPENF1_USERNAME and "
                "F1_BRONZE_OPENF1_PASSWORD for paid access.",
                retry_after=wait or DEFAULT_RETRY_AFTER,
            )
        case Kind.TOO_MUCH:
            return TooMuchAsked(f"{asked} asks for too much at once; ask for fewer sessions.")
        case Kind.UNAUTHORIZED:
            return Refused(
                f"OpenF1 wants a valid login for {asked}; check F1_BRONZE_OPENF1_USERNAME and "
                "F1_BRONZE_OPENF1_PASSWORD.",
                status=status,
            )
        case _:
            return Refused(
                f"OpenF1 refused {asked} ({verdict.reason}); check F1_BRONZE_OPENF1_URL and the "
                "version of f1-bronze.",
                status=status,
            )


def retry_after(header: str | None, now: float, *, longest: float) -> float | None:
    """Seconds to wait by a `Retry-After` (seconds or an HTTP date), at most `longest`.

    None when it is absent, nothing, past or no sense at all: then our own rule holds. `now` in
    seconds since the epoch.
    """
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            date = parsedate_to_datetime(header)
            date = date if date.tzinfo else date.replace(tzinfo=UTC)
            seconds = date.timestamp() - now
        except (TypeError, ValueError, IndexError, OverflowError):
            return None
    return min(seconds, longest) if math.isfinite(seconds) and seconds > 0 else None


def limit_pause(verdict: Verdict, now: float, rng: random.Random) -> float:
    """Seconds that everybody waits after a 429, with up to a second of jitter.

    What the server asked for; otherwise a second for the limit per second, and until the next
    clock minute for the limit per minute (its window is the clock minute).
    """
    asked = retry_after(verdict.retry_after, now, longest=LONGEST_RETRY_AFTER)
    if asked is None:
        asked = 1.0 if verdict.per_second else 60.0 - now % 60.0
    return asked + rng.random()
