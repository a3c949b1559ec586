"""The only one who asks OpenF1: paced, retried, counted, logged.

Belongs here: how one question becomes an answer or an error. Stays out: several sessions in one
question (batches.py), the single attempt (attempts.py), the waits (pace.py, retries.py).
"""

import logging
import random
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

import requests
import tenacity

from f1_bronze.openf1.answers import (
    Answer,
    BudgetTaken,
    CircuitOpen,
    Counters,
    Course,
    Fault,
    FaultKind,
    OpenF1Error,
    Patience,
    Question,
    Unavailable,
    given_up,
    telling_retry,
    without_login,
)
from f1_bronze.openf1.batches import BatchSizes
from f1_bronze.openf1.breaker import Breaker
from f1_bronze.openf1.budget import Pace
from f1_bronze.openf1.http import Attempts, Credentials, Login, Tally, new_session

_log = logging.getLogger("f1_bronze.openf1")

_LIMITED = 10

_CALENDAR = "sessions"

_PROBE = ((("session_key", 9158),), 2)  # one small row, asked for twice at most


class OpenF1Client:
    """Asks OpenF1 and answers with rows or an error that says what to do.

    Thread-safe. `timeout` is (connect, read) in seconds; `attempts` and `total_seconds` bound the
    repeating of one question (waiting for the shared budget is not in them), `limited` the answers
    429 that are borne besides. `clock` is wall-clock
    time in seconds, because clock minutes and HTTP dates are. `observer` is told what takes long.
    """

    def __init__(
        self,
        *,
        base_url: str,
        pace: Pace,
        breaker: Breaker,
        credentials: Credentials | None = None,
        timeout: tuple[float, float] = (5, 60),
        attempts: int = 5,
        total_seconds: float = 180,
        limited: int = _LIMITED,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        rng: random.Random | None = None,
        session: requests.Session | None = None,
        observer: Callable[[str], None] | None = None,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self.base_url = without_login(self._base_url)
        """The address of the API without credentials and without a slash at the end."""
        self._breaker = breaker
        self._attempts = attempts
        self._total_seconds = total_seconds
        self._limited = limited
        self._sleep = sleep
        self._rng = rng or random.Random()
        self._own_session = session is None
        self._session = session or new_session()
        self._observer = observer
        self._tally = Tally()
        self._single = Attempts(
            self._base_url,
            session=self._session,
            pace=pace,
            login=Login(credentials, clock) if credentials else None,
            timeout=timeout,
            total_seconds=total_seconds,
            clock=clock,
            rng=self._rng,
            observer=observer,
            tally=self._tally,
        )
        self.batch_sizes = BatchSizes()
        """What the endpoints have turned out to bear."""

    def __repr__(self) -> str:
        return f"OpenF1Client({self.base_url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections, unless the session was handed in."""
        if self._own_session:
            self._session.close()

    @property
    def counters(self) -> Counters:
        """A snapshot of what this client has done; two can be subtracted."""
        return self._tally.snapshot()

    def note_split(self, endpoint: str, sessions: int, reason: str) -> None:
        """Count one question that its asker cuts in two, and tell of it."""
        self._tally.add(splits=1)
        message = f"{endpoint} of {sessions} sessions: {reason}, cut in two and asked again"
        _log.info("%s", message, extra={"endpoint": endpoint, "sessions": sessions})
        if self._observer is not None:
            self._observer(message)

    def get(
        self,
        endpoint: str,
        params: Sequence[tuple[str, str | int]],
        *,
        attempts: int | None = None,
        evidence: bool = True,
        complaint: Callable[[list[dict[str, Any]]], str | None] | None = None,
    ) -> Answer:
        """Ask one endpoint; a repeated key in `params` means OR.

        `attempts` asks less patiently than usual (timeouts are then not repeated). With
        `evidence=False` a failure says nothing about the API: the circuit breaker does not count
        it. `complaint` says what is wrong with records that cannot be an answer: they are asked
        for again, and `Malformed` in the end. Raises the errors of outcomes.py; their `attempts`
        say what was spent.
        """
        question = Question(self._base_url, endpoint, params, complaint)
        self._breaker.check(endpoint)
        self._tally.add(questions=1)
        try:
            self._try_whole_api(question)
            answer = self._ask_patiently(question, attempts or self._attempts)
        except OpenF1Error as error:
            error.attempts, error.retries = question.calls, question.retries
            error.spent = question.course.spent
            self._note_failure(endpoint, error, evidence)
            self._log_outcome(question, logging.WARNING, type(error).__name__, 0, 0)
            raise
        except BaseException:
            self._breaker.inconclusive(endpoint)
            raise
        self._breaker.succeeded(endpoint)
        self._log_outcome(question, logging.INFO, answer.status, len(answer.records), answer.bytes)
        return answer

    def pause(self, seconds: float) -> None:
        """Wait, which is counted."""
        self._sleep(seconds)
        self._tally.add(wait_seconds=seconds)

    def _note_failure(self, endpoint: str, error: OpenF1Error, evidence: bool) -> None:
        """What an error says of the API: any answer is a sign of life."""
        if not isinstance(error, Unavailable):
            self._breaker.succeeded(endpoint)
        elif error.status == 429:
            # The limit is of the address: another endpoint would wait as long and get no more.
            self._breaker.inconclusive(endpoint)
            self._breaker.all_failed("OpenF1 kept limiting this IP address")
        elif evidence and not isinstance(error, CircuitOpen | BudgetTaken):
            self._breaker.failed(endpoint)
        else:
            self._breaker.inconclusive(endpoint)

    def _try_whole_api(self, question: Question) -> None:
        """`CircuitOpen` when another endpoint has failed for good and the calendar does too.

        The cheapest question of all tells one endpoint that is down from an outage. It is charged
        to the question that needs to know.
        """
        doubted = self._breaker.doubted()
        if doubted is None or question.endpoint == doubted:
            return
        if _CALENDAR in (question.endpoint, doubted):
            return  # the question itself finds out
        params, attempts = _PROBE
        probe = Question(self._base_url, _CALENDAR, params)
        try:
            self._ask_patiently(probe, attempts)
        except Unavailable:
            raise self._breaker.all_failed(f"OpenF1 failed for {doubted} and {_CALENDAR}") from None
        except OpenF1Error:
            _log.info("%s: the API answers, only %s fails", question.endpoint, doubted)
        finally:
            question.calls += probe.calls
            question.retries += probe.retries
            question.course.spent += probe.course.spent
        self._breaker.succeeded(_CALENDAR)

    def _ask_patiently(self, question: Question, attempts: int) -> Answer:
        patience = Patience(
            attempts=attempts,
            timeouts=1 if attempts < 3 else 2,
            limited=self._limited,
            total_seconds=self._total_seconds,
        )
        repeat = retrying(
            patience,
            question.course,
            sleep=self.pause,
            rng=self._rng,
            before_sleep=lambda fault, seconds: self._tell_retry(question, fault, seconds),
        )
        try:
            reply, verdict = repeat(self._single.make, question)
        except Fault as fault:
            raise given_up(question, fault) from None
        return Answer(
            records=verdict.records,
            url=question.shown_url,
            status=reply.status,
            attempts=question.calls,
            retries=question.retries,
            seconds=question.course.spent,
            bytes=len(reply.body),
        )

    def _tell_retry(self, question: Question, fault: Fault, seconds: float) -> None:
        message, wait = telling_retry(question, fault, seconds)
        _log.warning("%s", message, extra=question.log_fields(fault.status, seconds=wait))
        if self._observer is not None:
            self._observer(message)

    def _log_outcome(
        self, question: Question, level: int, status: int | str, rows: int, size: int
    ) -> None:
        spent = question.course.spent
        _log.log(
            level,
            "%s: %s, %d sessions asked, %d rows, %d bytes, %.1f s, %d calls",
            *(question.endpoint, status, question.sessions, rows, size, spent, question.calls),
            extra=question.log_fields(status, rows=rows, bytes=size, seconds=spent),
        )


_FIRST_WAIT, _LONGEST_WAIT = 1.0, 30.0


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
