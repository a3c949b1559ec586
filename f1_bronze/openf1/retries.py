"""When a call is repeated, after how long, and when that ends.

Belongs here: the faults worth repeating, the waits between attempts, the bounds in attempts and
in total time. Stays out: sending and reading (client.py, outcomes.py).
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import tenacity

from f1_bronze.openf1.outcomes import OpenF1Error

_FIRST_WAIT, _LONGEST_WAIT = 1.0, 30.0


class FaultKind(StrEnum):
    """Faults told apart by how patiently they are repeated."""

    FAILED = "failed"  # 5xx, broken answers, transport
    UNREACHED = "unreached"  # no connection
    TIMED_OUT = "timed out"
    LIMITED = "limited"


class Fault(Exception):
    """One attempt that came to nothing and may be repeated.

    `reason` is in our words; `seconds` is what the server asked to wait, already made sane.
    `finally_` is the error that it comes to when it does not pass, where that is another one than
    `Unavailable`.
    """

    def __init__(
        self,
        kind: FaultKind,
        reason: str,
        *,
        status: int | None = None,
        seconds: float | None = None,
        finally_: OpenF1Error | None = None,
    ) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason
        self.status = status
        self.seconds = seconds
        self.finally_ = finally_


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How often and how long one question is repeated.

    Attributes:
        attempts: requests that may fail, timeouts among them.
        timeouts: how many of them may be timeouts, each of which cost a minute or so.
        limited: 429 answers that are borne; they do not use up attempts.
        total_seconds: time for requests and back-offs; waiting for the shared budget is not in it.
    """

    attempts: int
    timeouts: int
    limited: int
    total_seconds: float

    def __post_init__(self) -> None:
        if min(self.attempts, self.timeouts) < 1 or self.limited < 0 or self.total_seconds <= 0:
            raise ValueError("Patience needs an attempt and some time; raise the bounds.")


class Course:
    """How one question has fared so far: faults by kind and the time spent on it."""

    def __init__(self) -> None:
        self.faults = dict.fromkeys(FaultKind, 0)
        self.spent = 0.0

    @property
    def failures(self) -> int:
        """Faults that use up attempts."""
        return sum(self.faults.values()) - self.faults[FaultKind.LIMITED]

    def is_over(self, patience: Patience, upcoming: float) -> bool:
        """Whether no further attempt is worth it, given the wait that would precede it."""
        return (
            self.failures >= patience.attempts
            or self.faults[FaultKind.TIMED_OUT] >= patience.timeouts
            or self.faults[FaultKind.LIMITED] > patience.limited
            or self.spent + upcoming >= patience.total_seconds
        )


def retrying(
    patience: Patience,
    course: Course,
    *,
    sleep: Callable[[float], None],
    rng: random.Random,
    before_sleep: Callable[[Fault, float], None],
) -> tenacity.Retrying:
    """Repeat what raises `Fault`; the last `Fault` is raised when patience ends.

    The wait doubles with each failure (1 s to 30 s, at random between half and all of it), and is
    never shorter than what the server asked for. After a 429 it is nothing: the shared pace makes
    every process wait, this one too.
    """

    def wait(state: tenacity.RetryCallState) -> float:
        fault = _fault(state)
        if fault.kind is FaultKind.LIMITED:
            return 0.0
        backoff = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** min(course.failures - 1, 10))
        return max(backoff * rng.uniform(0.5, 1.0), fault.seconds or 0.0)

    def pause(seconds: float) -> None:
        if seconds > 0:
            sleep(seconds)
            course.spent += seconds

    return tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(Fault),
        wait=wait,
        stop=lambda state: course.is_over(patience, state.upcoming_sleep),
        sleep=pause,
        before_sleep=lambda state: before_sleep(_fault(state), state.upcoming_sleep),
        reraise=True,
    )


def _fault(state: tenacity.RetryCallState) -> Fault:
    raised = state.outcome.exception() if state.outcome else None
    assert isinstance(raised, Fault)  # the only exception that is retried
    return raised
