"""The client of OpenF1: each request in its turn, retried within bounds, counted and logged.

A request is an attempt, a wait and another attempt, until there is an answer or an error that says
what to do next (`get`, `_ask`, `_attempt`, in this order). What an answer means is in answers.py,
what goes over the wire in http.py, and when a call may go in budget.py.
"""

import logging
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urljoin, urlsplit

import requests
import tenacity

from f1_bronze.openf1.answers import (
    Answer,
    AnswerLimits,
    BudgetTaken,
    CircuitOpen,
    Counters,
    FailedAttempt,
    FailureKind,
    Malformed,
    OpenF1Error,
    Refused,
    TooMuchAsked,
    Unavailable,
    read_answer,
    without_login,
)
from f1_bronze.openf1.batches import BatchSizes
from f1_bronze.openf1.breaker import Breaker
from f1_bronze.openf1.budget import CallBudget
from f1_bronze.openf1.http import (
    AnswerTooLarge,
    ApiRequest,
    Credentials,
    HttpResponse,
    Login,
    Params,
    Validate,
    new_session,
    origin,
    send,
    token_url,
)

_log = logging.getLogger("f1_bronze.openf1")

_FIRST_WAIT, _LONGEST_WAIT = 1.0, 30.0
_MOST_REDIRECTS = 3
_CALENDAR = "sessions"
_ONE_SESSION = (("session_key", 9158),)  # one small record
_PROBE_ATTEMPTS = 2


@dataclass(frozen=True, kw_only=True)
class Access:
    """How the API answered when its access was checked.

    Attributes:
        url: the address that was asked, without credentials.
        seconds: how long the answer took, without the login and the wait for the call budget.
        moved_to: scheme and host that the API redirects to; empty if it does not.
    """

    url: str
    seconds: float
    moved_to: str = ""


class OpenF1Client:
    """Asks OpenF1, and returns records or raises an error that says what to do. Thread-safe.

    Args:
        base_url: address of the API with its version; it may hold a login.
        budget: when a call may go.
        breaker: when no call is made because the API fails.
        credentials: for paid access.
        timeout: (connect, read) in seconds.
        attempts: how often a request is attempted; timeouts end it earlier.
        total_seconds: bound on requests and back-offs together; waiting for the budget is not in
            it.
        rate_limit_retries: how many 429 answers are retried besides; they use up no attempts.
        clock: wall-clock time in seconds, because clock minutes and HTTP dates are.
        monotonic: seconds by a clock that is never set, for durations.
        answer_limits: what an answer may be at most.
        observer: gets a sentence about everything that takes long.
    """

    def __init__(
        self,
        *,
        base_url: str,
        budget: CallBudget,
        breaker: Breaker,
        credentials: Credentials | None = None,
        timeout: tuple[float, float] = (5, 60),
        attempts: int = 5,
        total_seconds: float = 180,
        rate_limit_retries: int = 10,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        answer_limits: AnswerLimits | None = None,
        rng: random.Random | None = None,
        session: requests.Session | None = None,
        observer: Callable[[str], None] | None = None,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self.base_url = without_login(self._base_url)
        """The address of the API without credentials and without a slash at the end."""
        self._budget = budget
        self._breaker = breaker
        self._login = Login(credentials, monotonic) if credentials else None
        self._timeout = timeout
        self._attempts = attempts
        self._total_seconds = total_seconds
        self._rate_limit_retries = rate_limit_retries
        self._clock = clock
        self._monotonic = monotonic
        self._sleep = sleep
        self._rng = rng or random.Random()
        self._owns_session = session is None
        self._session = session or new_session()
        self._observer = observer
        self._lock = threading.Lock()
        self._counters = Counters()
        self.answer_limits = answer_limits or AnswerLimits()
        """What an answer may be at most."""
        self.batch_sizes = BatchSizes()
        """How many records the endpoints have turned out to answer at once."""

    def __repr__(self) -> str:
        return f"OpenF1Client({self.base_url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections, unless the session was handed in."""
        if self._owns_session:
            self._session.close()

    @property
    def counters(self) -> Counters:
        """A snapshot of what this client has done; two can be subtracted."""
        return self._counters

    def get(
        self,
        endpoint: str,
        params: Params,
        *,
        attempts: int | None = None,
        count_failure: bool = True,
        validate: Validate | None = None,
    ) -> Answer:
        """Ask one endpoint; a repeated key in `params` means OR.

        Args:
            attempts: fewer than usual, for a request that is likely to fail; below three no
                timeout is retried.
            count_failure: False where a failure says nothing about the API, so that the circuit
                breaker ignores it.
            validate: says what is wrong with records that cannot be an answer, None if nothing
                is. They are asked for again.

        Raises:
            OpenF1Error: one of those of answers.py; its `attempts` say what was spent.
                `Malformed` when `validate` still finds something wrong in the end.
        """
        request = ApiRequest(self._base_url, endpoint, params, validate)
        self._breaker.check(endpoint)
        self._count(questions=1)
        try:
            self._check_whole_api(request)
            answer = self._ask(request, attempts or self._attempts)
        except OpenF1Error as error:
            error.attempts, error.retries = request.calls, request.retries
            error.spent = request.spent
            self._note_failure(endpoint, error, count_failure)
            self._log_end(request, logging.WARNING, type(error).__name__)
            raise
        except BaseException:
            self._breaker.inconclusive(endpoint)
            raise
        self._breaker.succeeded(endpoint)
        self._log_end(request, logging.INFO, answer.status, len(answer.records), answer.bytes)
        return answer

    def check_access(self) -> Access:
        """Ask for one session, once; with credentials a login precedes it.

        Raises:
            OpenF1Error: as for any other request. A 429 makes everybody wait who shares the
                budget, as it always does.
        """
        request = ApiRequest(self._base_url, _CALENDAR, _ONE_SESSION)
        try:
            token = self._token(request)
            before = request.spent
            response = self._send(request, "GET", request.url, token=token)
            moved_to = ""
            if response.redirect:
                moved_to = origin(self._redirect_target(request, request.url, response))
            else:
                self._read(request, response)
        except FailedAttempt as failed:
            if failed.kind is FailureKind.RATE_LIMITED:
                raise Unavailable(
                    f"OpenF1 answered {request.asked} with 429 ({failed.reason}): something else "
                    "with this IP address asks OpenF1 too, or F1_BRONZE_OPENF1_LIMITS is too high.",
                    status=failed.status,
                ) from None
            raise request.to_final_error(failed) from None
        return Access(url=request.shown_url, seconds=request.spent - before, moved_to=moved_to)

    def pause(self, seconds: float) -> None:
        """Wait; counted in `wait_seconds`."""
        self._sleep(seconds)
        self._count(wait_seconds=seconds)

    def note_split(self, endpoint: str, sessions: int, reason: str) -> None:
        """Count and report one batch that is cut in two."""
        self._count(splits=1)
        message = f"{endpoint} of {sessions} sessions: {reason}, cut in two and asked again"
        _log.info("%s", message, extra={"endpoint": endpoint, "sessions": sessions})
        if self._observer is not None:
            self._observer(message)

    def _check_whole_api(self, request: ApiRequest) -> None:
        """`CircuitOpen` when another endpoint has failed for good and the calendar does too.

        The cheapest request of all tells one endpoint that is down from an outage. Its cost is
        added to that of the request that needs to know.
        """
        suspect = self._breaker.suspect
        if suspect is None or request.endpoint == suspect:
            return
        if _CALENDAR in (request.endpoint, suspect):
            return  # the request itself finds out
        probe = ApiRequest(self._base_url, _CALENDAR, _ONE_SESSION)
        try:
            self._ask(probe, _PROBE_ATTEMPTS)
        except Unavailable:
            raise self._breaker.open_all(f"OpenF1 failed for {suspect} and {_CALENDAR}") from None
        except OpenF1Error:
            _log.info("%s: the API answers, only %s fails", request.endpoint, suspect)
        finally:
            request.calls += probe.calls
            request.retries += probe.retries
            request.spent += probe.spent
        self._breaker.succeeded(_CALENDAR)

    def _note_failure(self, endpoint: str, error: OpenF1Error, count_failure: bool) -> None:
        """Tell the breaker what an error says about the API: any answer is a sign of life."""
        if not isinstance(error, Unavailable):
            self._breaker.succeeded(endpoint)
        elif error.status == 429:
            # The limit is on the address: another endpoint would wait as long and get no more.
            self._breaker.inconclusive(endpoint)
            self._breaker.open_all("OpenF1 kept limiting this IP address")
        elif count_failure and not isinstance(error, CircuitOpen | BudgetTaken):
            self._breaker.failed(endpoint)
        else:
            self._breaker.inconclusive(endpoint)

    def _ask(self, request: ApiRequest, attempts: int) -> Answer:
        """Attempt, wait and attempt again, until there is an answer or patience ends.

        The wait doubles with each failure (1 s to 30 s, at random between half and all of it), and
        is never shorter than what the server asked for. After a 429 there is none: the call budget
        makes every process wait, this one too.
        """

        def wait(state: tenacity.RetryCallState) -> float:
            failed = _failed_attempt(state)
            if failed.kind is FailureKind.RATE_LIMITED:
                return 0.0
            times = request.failures.total() - request.failures[FailureKind.RATE_LIMITED]
            backoff = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** min(times - 1, 10))
            return max(backoff * self._rng.uniform(0.5, 1.0), failed.seconds or 0.0)

        def stop(state: tenacity.RetryCallState) -> bool:
            limited = request.failures[FailureKind.RATE_LIMITED]
            return (
                request.failures.total() - limited >= attempts
                # A timeout costs a minute or so: a second one ends it, or the first in a hurry.
                or request.failures[FailureKind.TIMED_OUT] >= (1 if attempts < 3 else 2)
                or limited > self._rate_limit_retries
                or request.spent + state.upcoming_sleep >= self._total_seconds
            )

        def sleep(seconds: float) -> None:
            if seconds > 0:
                self.pause(seconds)
                request.spent += seconds

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(FailedAttempt),
            wait=wait,
            stop=stop,
            sleep=sleep,
            before_sleep=lambda state: self._report_retry(request, state),
            reraise=True,
        )
        try:
            response, records = retrying(self._attempt, request)
        except FailedAttempt as failed:
            raise request.to_final_error(failed) from None
        return Answer(
            records=records,
            url=request.shown_url,
            status=response.status,
            attempts=request.calls,
            retries=request.retries,
            seconds=request.spent,
            bytes=len(response.body),
        )

    def _attempt(self, request: ApiRequest) -> tuple[HttpResponse, list[dict[str, Any]]]:
        """One attempt: records, a `FailedAttempt` to be retried, or an error that is final."""
        try:
            token = self._token(request)
            response = self._follow_redirects(request, token)
            try:
                return response, self._read(request, response)
            except Refused as refused:
                expired = refused.status == 401 and not request.token_renewed
                if self._login is None or token is None or not expired:
                    raise
                self._login.forget(token)
            request.token_renewed = request.repeating = True
            response = self._follow_redirects(request, self._token(request))
            return response, self._read(request, response)
        except FailedAttempt as failed:
            request.failures[failed.kind] += 1
            request.repeating = True
            raise

    def _token(self, request: ApiRequest) -> str | None:
        """The token of the login, if there is one."""
        if self._login is None:
            return None
        return self._login.token(lambda form: self._post_login(request, form))

    def _post_login(self, request: ApiRequest, form: dict[str, str]) -> bytes:
        url = token_url(self._base_url)
        response = self._send(request, "POST", url, form=form)
        if response.status == 200:
            return response.body
        with suppress(Refused, TooMuchAsked):
            self._read(request, response, asked=without_login(url))
        raise Refused(
            f"OpenF1 refused the login (status {response.status}); check F1_BRONZE_OPENF1_USERNAME "
            "and F1_BRONZE_OPENF1_PASSWORD, or unset both for free access.",
            status=response.status,
        )

    def _follow_redirects(self, request: ApiRequest, token: str | None) -> HttpResponse:
        """Ask, and follow redirects; only the API's own address ever sees the token."""
        url = request.url
        for _ in range(_MOST_REDIRECTS + 1):
            own = origin(url) == origin(self._base_url)
            response = self._send(request, "GET", url, token=token if own else None)
            if response.redirect is None:
                return response
            url = self._redirect_target(request, url, response)
        raise Refused(
            f"{request.asked} is redirected over and over; check F1_BRONZE_OPENF1_URL.",
            status=response.status,
        )

    def _redirect_target(self, request: ApiRequest, url: str, response: HttpResponse) -> str:
        """Where a redirect leads: only to the same host, and never from https to http."""
        target = urljoin(url, response.redirect or "")
        before, after = urlsplit(url), urlsplit(target)
        same_host = after.hostname == before.hostname
        if same_host and after.scheme in (before.scheme, "https"):
            return target
        why = "which is not encrypted" if same_host else "another host"
        raise Refused(
            f"{request.asked} is redirected to {origin(target)}, {why}, and this is not followed; "
            "set F1_BRONZE_OPENF1_URL to the new address if you trust it.",
            status=response.status,
        )

    def _send(
        self,
        request: ApiRequest,
        method: str,
        url: str,
        *,
        form: dict[str, str] | None = None,
        token: str | None = None,
    ) -> HttpResponse:
        """One HTTP request, in its turn and counted."""
        waited = self._budget.wait(request.endpoint, self._observer)
        request.calls += 1
        request.retries += request.repeating
        began = self._monotonic()
        status, size = str(FailureKind.FAILED), 0
        try:
            response = send(
                self._session,
                method,
                url,
                timeout=self._timeout,
                clock=self._monotonic,
                at_most=max(1.0, self._total_seconds - request.spent),
                most_bytes=self.answer_limits.megabytes * 1_000_000,
                form=form,
                token=token,
            )
            status, size = str(response.status), len(response.body)
            return response
        except FailedAttempt as failed:
            status = str(failed.kind)
            raise
        except AnswerTooLarge:
            fewer = "ask for fewer sessions, or " if request.sessions > 1 else ""
            most = self.answer_limits.megabytes
            raise TooMuchAsked(
                f"The answer to {request.asked} is larger than the {most} MB of "
                f"F1_BRONZE_OPENF1_MAX_MB; {fewer}raise it if the answer is right."
            ) from None
        finally:
            request.spent += self._monotonic() - began
            self._count(
                calls=1,
                retries=int(request.repeating),
                by_status={status: 1},
                wait_seconds=waited,
                bytes=size,
            )
            request.repeating = False

    def _read(
        self, request: ApiRequest, response: HttpResponse, *, asked: str = ""
    ) -> list[dict[str, Any]]:
        """The records of a response; raises where there are none."""
        try:
            records = read_answer(
                *(response.status, response.headers, response.body),
                asked=asked or request.asked,
                several=request.sessions > 1,
                now=self._clock(),
                jitter=self._rng.random(),
            )
        except FailedAttempt as failed:
            if failed.kind is FailureKind.RATE_LIMITED:
                self._budget.back_off(self._budget.now() + (failed.seconds or 0.0))
            raise
        wrong = request.validate(records) if request.validate else None
        if wrong:
            final = Malformed(
                f"OpenF1 answered {request.asked} with {wrong}; run this again later, and report "
                "it to OpenF1 if it stays."
            )
            raise FailedAttempt(FailureKind.FAILED, wrong, status=response.status, final=final)
        return records

    def _count(self, **counts: Any) -> None:
        with self._lock:
            self._counters += Counters(**counts)

    def _report_retry(self, request: ApiRequest, state: tenacity.RetryCallState) -> None:
        failed = _failed_attempt(state)
        seconds = state.upcoming_sleep
        if failed.kind is FailureKind.RATE_LIMITED and failed.seconds:
            seconds = failed.seconds
        message = f"{request.title}: {failed.reason}, asking again in {seconds:.0f} s"
        _log.warning("%s", message, extra=request.log_fields(failed.status, seconds=seconds))
        if self._observer is not None:
            self._observer(message)

    def _log_end(
        self, request: ApiRequest, level: int, status: int | str, rows: int = 0, size: int = 0
    ) -> None:
        _log.log(
            level,
            "%s: %s, %d sessions asked, %d rows, %d bytes, %.1f s, %d calls",
            *(request.endpoint, status, request.sessions, rows, size, request.spent, request.calls),
            extra=request.log_fields(status, rows=rows, bytes=size, seconds=request.spent),
        )


def _failed_attempt(state: tenacity.RetryCallState) -> FailedAttempt:
    raised = state.outcome.exception() if state.outcome else None
    assert isinstance(raised, FailedAttempt)  # the only exception that is retried
    return raised
