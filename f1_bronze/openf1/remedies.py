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
    Malformed,
    OpenF1Error,
    Refused,
    TooMuchAsked,
    Unavailable,
    Verdict,
)
from f1_bronze.openf1.question import Question
from f1_bronze.openf1.retries import Fault, FaultKind

LONGEST_RETRY_AFTER = 120.0
"""Seconds that a Retry-After is obeyed at most within one question."""
_LONGEST_CLOSURE = 6 * 3600.0


def error_for(
    verdict: Verdict, asked: str, status: int, now: float, *, several: bool = False
) -> Exception:
    """What to raise for a verdict that is neither rows nor a limit.

    A `Fault` is to be repeated, an `OpenF1Error` is final. `asked` names the question, without
    credentials, and `several` whether fewer sessions can be asked for; `now` in seconds since the
    epoch.
    """
    refused = Refused(
        f"OpenF1 refused {asked} ({verdict.reason}); check F1_BRONZE_OPENF1_URL and the version of "
        "f1-bronze.",
        status=status,
    )
    match verdict.kind:
        case Kind.REPEAT:
            wait = retry_after(verdict.retry_after, now, longest=LONGEST_RETRY_AFTER)
            return Fault(FaultKind.FAILED, verdict.reason, status=status, seconds=wait)
        case Kind.ASTRAY:
            return Fault(FaultKind.FAILED, verdict.reason, status=status, finally_=refused)
        case Kind.CLOSED:
            wait = retry_after(verdict.retry_after, now, longest=_LONGEST_CLOSURE)
            return ClosedForLiveSession(
                "OpenF1 is closed to free users around a live session, past sessions included; "
                "come back in 30 to 180 minutes, or set F1_BRONZE_OPENF1_USERNAME and "
                "F1_BRONZE_OPENF1_PASSWORD for paid access.",
                retry_after=wait or DEFAULT_RETRY_AFTER,
            )
        case Kind.TOO_MUCH:
            remedy = "ask for fewer sessions" if several else "run this again later"
            return TooMuchAsked(f"{asked} asks for too much at once; {remedy}.")
        case Kind.UNAUTHORIZED:
            return Refused(
                f"OpenF1 wants a valid login for {asked}; check F1_BRONZE_OPENF1_USERNAME and "
                "F1_BRONZE_OPENF1_PASSWORD.",
                status=status,
            )
        case _:
            return refused


def strange_records(question: Question, reason: str, status: int) -> Fault:
    """What to raise for records that cannot be an answer: asked for again, then an error."""
    final = Malformed(
        f"OpenF1 answered {question.asked} with {reason}; run this again later, and report it to "
        "OpenF1 if it stays."
    )
    return Fault(FaultKind.FAILED, reason, status=status, finally_=final)


def given_up(question: Question, fault: Fault) -> OpenF1Error:
    """What to raise when the last of several attempts came to nothing."""
    if fault.finally_ is not None:
        return fault.finally_
    cost = f"after {question.calls} calls in {question.course.spent:.0f} s ({fault.reason})"
    if fault.kind is FaultKind.UNREACHED:
        return Unavailable(
            f"OpenF1 could not be reached for {question.asked} {cost}; check the network and "
            "F1_BRONZE_OPENF1_URL, or run this again later.",
            reached=False,
        )
    fewer = "ask for fewer sessions, or " if question.sessions > 1 else ""
    return Unavailable(
        f"OpenF1 did not answer {question.asked} {cost}; {fewer}run this again later.",
        status=fault.status,
    )


def telling_retry(question: Question, fault: Fault, seconds: float) -> tuple[str, float]:
    """What people are told before an attempt is repeated, and the wait that it names."""
    wait = fault.seconds if fault.kind is FaultKind.LIMITED and fault.seconds else seconds
    return f"{question.title}: {fault.reason}, asking again in {wait:.0f} s", wait


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
