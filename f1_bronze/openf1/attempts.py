"""One attempt at a question: login, redirects, the HTTP request in its turn, what it meant.

Belongs here: what is sent for a single attempt, counted. Stays out: repeating it and the circuit
breaker (client.py), the exchange itself (transport.py), the wait for a turn (pace.py).
"""

import random
from collections.abc import Callable
from urllib.parse import urljoin

import requests

from f1_bronze.openf1.addresses import origin, without_login
from f1_bronze.openf1.counters import Tally
from f1_bronze.openf1.credentials import Login, token_url
from f1_bronze.openf1.outcomes import Kind, Refused, Verdict, read_answer
from f1_bronze.openf1.pace import Pace
from f1_bronze.openf1.question import Question
from f1_bronze.openf1.remedies import error_for, limit_pause, strange_records
from f1_bronze.openf1.retries import Fault, FaultKind
from f1_bronze.openf1.transport import Reply, exchange

_MOST_REDIRECTS = 3


class Attempts:
    """Makes single attempts, each HTTP request in its turn and counted; thread-safe.

    `timeout` is (connect, read) in seconds, `total_seconds` what a question may take in all;
    `clock` is wall-clock time in seconds.
    """

    def __init__(
        self,
        base_url: str,
        *,
        session: requests.Session,
        pace: Pace,
        login: Login | None,
        timeout: tuple[float, float],
        total_seconds: float,
        clock: Callable[[], float],
        rng: random.Random,
        observer: Callable[[str], None] | None,
        tally: Tally,
    ) -> None:
        self._base_url = base_url
        self._session = session
        self._pace = pace
        self._login = login
        self._timeout = timeout
        self._total_seconds = total_seconds
        self._clock = clock
        self._rng = rng
        self._observer = observer
        self._tally = tally

    def make(self, question: Question) -> tuple[Reply, Verdict]:
        """One attempt: an answer with rows, a `Fault` to be repeated, or an error that is final."""
        try:
            while True:
                token = None
                if self._login is not None:
                    token = self._login.token(lambda form: self._fetch_token(question, form))
                reply = self._follow(question, token)
                verdict = read_answer(reply.status, reply.headers, reply.body)
                if verdict.kind is not Kind.UNAUTHORIZED or token is None or question.token_renewed:
                    break
                assert self._login is not None  # there was a token
                self._login.forget(token)
                question.token_renewed = question.repeating = True
            self._raise_unless_rows(verdict, question, question.asked, reply.status)
            strange = question.complaint(verdict.records) if question.complaint else None
            if strange:
                raise strange_records(question, strange, reply.status)
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
            self._raise_unless_rows(verdict, question, without_login(url), reply.status)
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

    def _raise_unless_rows(
        self, verdict: Verdict, question: Question, asked: str, status: int
    ) -> None:
        if verdict.kind is Kind.ROWS:
            return
        now = self._clock()
        if verdict.kind is Kind.LIMITED:
            pause = limit_pause(verdict, now, self._rng)
            self._pace.back_off(self._pace.now() + pause)
            raise Fault(FaultKind.LIMITED, verdict.reason, status=status, seconds=pause)
        raise error_for(verdict, asked, status, now, several=question.sessions > 1)
