"""The only one who asks OpenF1: paced, retried, counted, logged.

Belongs here: how one question becomes an answer or an error. Stays out: several sessions in one
question (batches.py), the single HTTP exchange (transport.py), the waits (pace.py, retries.py).
"""

import logging
import random
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self
from urllib.parse import urljoin

import requests

from f1_bronze.openf1.breaker import Breaker
from f1_bronze.openf1.counters import Counters, Tally
from f1_bronze.openf1.credentials import Credentials, Login, token_url
from f1_bronze.openf1.outcomes import (
    Answer,
    Kind,
    OpenF1Error,
    Refused,
    Unavailable,
    Verdict,
    read_answer,
)
from f1_bronze.openf1.pace import Pace
from f1_bronze.openf1.question import Question
from f1_bronze.openf1.remedies import error_for, limit_pause
from f1_bronze.openf1.retries import Fault, FaultKind, Patience, retrying
from f1_bronze.openf1.transport import Reply, exchange, new_session, origin, without_login

_log = logging.getLogger("f1_bronze.openf1")
_LIMITED = 10
_MOST_REDIRECTS = 3


class OpenF1Client:
    """Asks OpenF1 and answers with rows or an error that says what to do.

    Thread-safe. `timeout` is (connect, read) in seconds; `attempts` and `total_seconds` bound the
    repeating of one question (waiting for the shared budget is not in them). `clock` is wall-clock
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
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        rng: random.Random | None = None,
        session: requests.Session | None = None,
        observer: Callable[[str], None] | None = None,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self.base_url = without_login(self._base_url)
        """The address of the API without credentials and without a slash at the end."""
        self._pace = pace
        self._breaker = breaker
        self._login = Login(credentials, clock) if credentials else None
        self._timeout = timeout
        self._attempts = attempts
        self._total_seconds = total_seconds
        self._clock = clock
        self._sleep = sleep
        self._rng = rng or random.Random()
        self._own_session = session is None
        self._session = session or new_session()
        self._observer = observer
        self._tally = Tally()

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

    def note_split(self) -> None:
        """Count one question that its asker cut in two."""
        self._tally.add(splits=1)

    def get(
        self,
        endpoint: str,
        params: Sequence[tuple[str, str | int]],
        *,
        attempts: int | None = None,
        evidence: bool = True,
    ) -> Answer:
        """Ask one endpoint; a repeated key in `params` means OR.

        `attempts` asks less patiently than usual (timeouts are then not repeated). With
        `evidence=False` a failure says nothing about the API as a whole: the circuit breaker does
        not count it. Raises the errors of outcomes.py; their `attempts` say what was spent.
        """
        question = Question(self._base_url, endpoint, params)
        self._breaker.check()
        try:
            answer = self._ask_patiently(question, attempts or self._attempts)
        except OpenF1Error as error:
            error.attempts, error.retries = question.calls, question.retries
            error.spent = question.course.spent
            if not isinstance(error, Unavailable):
                self._breaker.succeeded()
            elif evidence:
                self._breaker.failed()
            else:
                self._breaker.inconclusive()
            self._log_outcome(question, logging.WARNING, type(error).__name__, 0, 0)
            raise
        except BaseException:
            self._breaker.inconclusive()
            raise
        self._breaker.succeeded()
        rows, size = len(answer.records), answer.bytes
        self._log_outcome(question, logging.INFO, answer.status, rows, size)
        return answer

    def _ask_patiently(self, question: Question, attempts: int) -> Answer:
        patience = Patience(
            attempts=attempts,
            timeouts=1 if attempts < 3 else 2,
            limited=_LIMITED,
            total_seconds=self._total_seconds,
        )
        repeat = retrying(
            patience,
            question.course,
            sleep=self._pause,
            rng=self._rng,
            before_sleep=lambda fault, seconds: self._tell_retry(question, fault, seconds),
        )
        try:
            reply, verdict = repeat(self._ask, question)
        except Fault as fault:
            raise Unavailable(
                f"OpenF1 did not answer {question.asked} after {question.calls} calls in "
                f"{question.course.spent:.0f} s ({fault.reason}); ask for fewer sessions, or run "
                "this again later.",
                status=fault.status,
            ) from None
        return Answer(
            records=verdict.records,
            url=question.shown_url,
            status=reply.status,
            attempts=question.calls,
            retries=question.retries,
            seconds=question.course.spent,
            bytes=len(reply.body),
        )

    def _ask(self, question: Question) -> tuple[Reply, Verdict]:
        """One attempt: an answer with rows, a `Fault` to be repeated, or an error that is final."""
        try:
            while True:
                token = None
                if self._login is not None:
                    token = self._login.token(lambda form: self._fetch_token(question, form))
                reply = self._follow(question, token)
                verdict = read_answer(reply.status, reply.headers, reply.body)
                if verdict.kind is not Kind.UNAUTHORIZED or token is None:
                    break
                if question.token_renewed:
                    break
                assert self._login is not None  # there was a token
                self._login.forget(token)
                question.token_renewed = question.repeating = True
            self._raise_unless_rows(verdict, question.asked, reply.status)
            return reply, verdict
        except Fault as fault:
            question.course.faults[fault.kind] += 1
            question.repeating = True
            raise

    def _follow(self, question: Question, token: str | None) -> Reply:
        """Ask, and follow redirects; only the API's own host ever sees the token."""
        url = question.url
        for _ in range(_MOST_REDIRECTS + 1):
            own = origin(url) == origin(self._base_url)
            reply = self._call(question, "GET", url, token=token if own else None)
            target = reply.headers.get("location")
            if reply.status not in (301, 302, 303, 307, 308) or not target:
                return reply
            url = urljoin(url, target)
        raise Refused(
            f"{question.asked} is redirected over and over; check F1_BRONZE_OPENF1_URL.",
            status=reply.status,
        )

    def _fetch_token(self, question: Question, form: dict[str, str]) -> bytes:
        url = token_url(self._base_url)
        reply = self._call(question, "POST", url, form=form)
        if reply.status == 200:
            return reply.body
        verdict = read_answer(reply.status, reply.headers, reply.body)
        if verdict.kind in (Kind.REPEAT, Kind.LIMITED, Kind.CLOSED):
            self._raise_unless_rows(verdict, without_login(url), reply.status)
        raise Refused(
            f"OpenF1 refused the login (status {reply.status}); check F1_BRONZE_OPENF1_USERNAME "
            "and F1_BRONZE_OPENF1_PASSWORD, or unset both for free access.",
            status=reply.status,
        )

    def _call(
        self,
        question: Question,
        method: str,
        url: str,
        *,
        form: dict[str, str] | None = None,
        token: str | None = None,
    ) -> Reply:
        """One HTTP request, in its turn and counted."""
        waited = self._pace.wait(question.endpoint, self._observer)
        question.calls += 1
        question.retries += question.repeating
        began = self._clock()
        outcome, size = str(FaultKind.FAILED), 0
        try:
            reply = exchange(
                self._session,
                method,
                url,
                timeout=self._timeout,
                clock=self._clock,
                at_most=max(1.0, self._total_seconds - question.course.spent),
                form=form,
                token=token,
            )
            outcome, size = str(reply.status), len(reply.body)
            return reply
        except Fault as fault:
            outcome = str(fault.kind)
            raise
        finally:
            question.course.spent += max(0.0, self._clock() - began)
            self._tally.add(
                calls=1,
                retries=int(question.repeating),
                status=outcome,
                wait_seconds=waited,
                size=size,
            )
            question.repeating = False

    def _raise_unless_rows(self, verdict: Verdict, asked: str, status: int) -> None:
        if verdict.kind is Kind.ROWS:
            return
        now = self._clock()
        if verdict.kind is Kind.LIMITED:
            pause = limit_pause(verdict, now, self._rng)
            self._pace.back_off(self._pace.now() + pause)
            raise Fault(FaultKind.LIMITED, verdict.reason, status=status, seconds=pause)
        raise error_for(verdict, asked, status, now)

    def _pause(self, seconds: float) -> None:
        self._sleep(seconds)
        self._tally.add(wait_seconds=seconds)

    def _tell_retry(self, question: Question, fault: Fault, seconds: float) -> None:
        wait = fault.seconds if fault.kind is FaultKind.LIMITED and fault.seconds else seconds
        message = f"{question.endpoint}: {fault.reason}, asking again in {wait:.0f} s"
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
