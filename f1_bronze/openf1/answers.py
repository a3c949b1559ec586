"""What a call came to: the answer, the errors by what to do next, and how a reply is read.

Belongs here: the table of statuses and bodies of OpenF1, and the errors every other room catches.
Stays out: sending (client.py) and when to repeat (retries.py).
"""

import json
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, NoReturn
from urllib.parse import urlencode, urlsplit, urlunsplit

DEFAULT_RETRY_AFTER = 3600.0

"""Seconds after which to come back when the API is closed and does not say for how long."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one question came to.

    Attributes:
        records: JSON objects as they came; an empty list is a true empty, never a failure.
        url: what was asked, without credentials.
        status: HTTP status of the answer, 200 or 404 ("No results found.").
        attempts: HTTP requests that it took, at least 1; retries and a login are among them.
        retries: those of them that repeated an earlier one.
        seconds: time spent asking and backing off, without waiting for the shared budget.
        bytes: size of the answer, decompressed.
    """

    records: list[dict[str, Any]]
    url: str
    status: int
    attempts: int
    seconds: float
    bytes: int
    retries: int = 0

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError("An answer takes at least one attempt; count the call that gave it.")


@dataclass(frozen=True, kw_only=True)
class Counters:
    """A moment's counts; `after - before` is what happened in between.

    Attributes:
        questions: batches and listings asked for, each in one call when nothing fails; what is
            left of a split is a question of its own.
        calls: HTTP requests sent; retries, redirects and logins are among them.
        retries: calls that repeated an earlier one.
        by_status: calls by HTTP status, as text, or by `failed`, `unreached` and `timed out`
            without one.
        wait_seconds: time waited for the shared budget and between attempts.
        bytes: size of the answers, decompressed.
        splits: questions that were cut in two.
    """

    questions: int = 0
    calls: int = 0
    retries: int = 0
    by_status: Mapping[str, int] = field(default_factory=dict)
    wait_seconds: float = 0.0
    bytes: int = 0
    splits: int = 0

    def to_json(self) -> dict[str, Any]:
        """The counts as plain data, seconds to the hundredth."""
        data = {each.name: getattr(self, each.name) for each in fields(self)}
        by_status = dict(self.by_status)
        return {**data, "by_status": by_status, "wait_seconds": round(self.wait_seconds, 2)}

    def __sub__(self, before: "Counters") -> "Counters":
        statuses = {
            status: calls - before.by_status.get(status, 0)
            for status, calls in self.by_status.items()
        }
        return Counters(
            questions=self.questions - before.questions,
            calls=self.calls - before.calls,
            retries=self.retries - before.retries,
            by_status={status: calls for status, calls in statuses.items() if calls},
            wait_seconds=self.wait_seconds - before.wait_seconds,
            bytes=self.bytes - before.bytes,
            splits=self.splits - before.splits,
        )


class OpenF1Error(Exception):
    """No answer. The subclass says what the caller should do, the message ends with the remedy.

    Attributes:
        attempts: HTTP requests that were made before giving up; 0 when none was.
        retries: those of them that repeated an earlier one.
        spent: seconds spent asking and backing off.
    """

    attempts: int = 0
    retries: int = 0
    spent: float = 0.0


class ClosedForLiveSession(OpenF1Error):
    """Come back later: the free API is closed around a live session, history included."""

    def __init__(self, message: str, *, retry_after: float = DEFAULT_RETRY_AFTER) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class TooMuchAsked(OpenF1Error):
    """Split the question; repeating it is of no use."""


class Unavailable(OpenF1Error):
    """Retries are used up (5xx, timeouts, transport faults, 429): split, or come back later.

    `reached` is False when there was no connection to the API at all: the network, the address.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        attempts: int = 0,
        reached: bool = True,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.attempts = attempts
        self.reached = reached


class CircuitOpen(Unavailable):
    """Not asked at all, because the API failed several times in a row: come back later.

    `seconds` is the time until the API is tried again.
    """

    def __init__(self, message: str, *, seconds: float = 0.0) -> None:
        super().__init__(message)
        self.seconds = seconds


class BudgetTaken(Unavailable):
    """Not asked, because others have reserved the shared budget for too long: come back later.

    `seconds` is how long the wait would have been.
    """

    def __init__(self, message: str, *, seconds: float) -> None:
        super().__init__(message, reached=False)
        self.seconds = seconds


class Refused(OpenF1Error):
    """Give up: the question, the address or the login is wrong and stays wrong."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class Malformed(OpenF1Error):
    """The answer is JSON but cannot be placed; split to find the session it comes from."""


def holds_for_all(error: OpenF1Error) -> bool:
    """Whether smaller questions would end no better: not with a 429 either, they are more calls."""
    limited = isinstance(error, Unavailable) and error.status == 429
    splittable = isinstance(error, TooMuchAsked | Malformed | Unavailable)
    return not splittable or limited or isinstance(error, CircuitOpen | BudgetTaken)


def may_be_too_large(error: OpenF1Error) -> bool:
    """Whether a question may have failed for its size: not when the API was not even reached."""
    return isinstance(error, TooMuchAsked) or (isinstance(error, Unavailable) and error.reached)


class Kind(StrEnum):
    """What a reply means for the one who asked."""

    ROWS = "rows"  # also the true empty
    REPEAT = "repeat"
    ASTRAY = "astray"  # repeated like the above, and refused if it stays
    LIMITED = "limited"
    CLOSED = "closed"
    TOO_MUCH = "too much"
    UNAUTHORIZED = "unauthorized"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How a reply is to be taken.

    Attributes:
        kind: what to do.
        reason: why, in a few words of ours; never a part of the body.
        records: the rows, for `Kind.ROWS` only.
        retry_after: the `Retry-After` header as it came, if there is one.
        per_second: for `Kind.LIMITED`, whether the limit per second was hit (else per minute).
    """

    kind: Kind
    reason: str = ""
    records: list[dict[str, Any]] = field(default_factory=list)
    retry_after: str | None = None
    per_second: bool = False


def read_answer(status: int, headers: Mapping[str, str], body: bytes) -> Verdict:
    """Decide what a reply means; pure, and total: any status and any bytes have a verdict.

    Source: the table "Answers" of OPENF1.md. 413 and 414 are taken like 422 (a shorter question
    helps), 408 and 425 like 503. A 422 whose detail is a list is the API's complaint about a
    parameter: asking for less would not help. A 404 is the API's own only as a JSON object: one
    that is cut short is repeated, and so is a page of somebody else's, perhaps a proxy's.
    """
    retry_after = next((v for k, v in headers.items() if k.lower() == "retry-after"), None)
    if status == 200:
        return _read_rows(body)
    parsed = _error_object(body)
    detail = parsed.get("detail") if parsed is not None else None
    said = detail.lower() if isinstance(detail, str) else ""
    if status == 404 and said.strip(" .") == "no results found":
        return Verdict(kind=Kind.ROWS, reason="no results")
    if status == 404 and parsed is None:
        cut = body.lstrip()[:1] == b"{"
        kind = Kind.REPEAT if cut else Kind.ASTRAY
        return Verdict(kind=kind, reason="status 404 with a body that is no JSON object")
    if status == 401:
        if "session in progress" in said:
            return Verdict(kind=Kind.CLOSED, reason="live session", retry_after=retry_after)
        return Verdict(kind=Kind.UNAUTHORIZED, reason="login missing, wrong or expired")
    if status in (413, 414) or (status == 422 and not isinstance(detail, list)):
        return Verdict(kind=Kind.TOO_MUCH, reason="too much data asked at once")
    if status == 429:
        per_second = "/second" in said
        reason = f"limit per {'second' if per_second else 'minute'} reached"
        return Verdict(
            kind=Kind.LIMITED, reason=reason, retry_after=retry_after, per_second=per_second
        )
    if status in (408, 425) or status >= 500 or 200 <= status < 300:
        return Verdict(kind=Kind.REPEAT, reason=f"status {status}", retry_after=retry_after)
    return Verdict(kind=Kind.REFUSED, reason=f"status {status}")


def _read_rows(body: bytes) -> Verdict:
    try:
        rows = json.loads(body.decode("utf-8"), parse_constant=_no_number, parse_float=_finite)
    except (ValueError, RecursionError):
        return Verdict(kind=Kind.REPEAT, reason="status 200 with a body that is no JSON")
    if not isinstance(rows, list):
        return Verdict(kind=Kind.REPEAT, reason="status 200 with JSON that is no array")
    if not all(isinstance(row, dict) for row in rows):
        return Verdict(kind=Kind.REPEAT, reason="status 200 with an array of other than objects")
    return Verdict(kind=Kind.ROWS, records=rows)


def _no_number(literal: str) -> NoReturn:
    raise ValueError(f"{literal} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("number out of range")
    return number


def _error_object(body: bytes) -> dict[str, Any] | None:
    """The JSON object of an error body; None when it is something else, as HTML often is."""
    try:
        parsed = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


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


def without_login(url: str) -> str:
    """The address without user name and password, fit for logs and metadata.

    >>> without_login("https://me:secret@example.org/v1")
    'https://example.org/v1'
    """
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def origin(url: str) -> str:
    """Scheme, host and port: what a token is good for."""
    parts = urlsplit(without_login(url))
    return f"{parts.scheme}://{parts.netloc}".lower()


class Question:
    """A question to one endpoint.

    Attributes:
        url: what is asked, perhaps with a login in it; `shown_url` is without.
        title: for progress: endpoint and how many sessions are asked for.
        asked: for texts read by people, who do not want sixty keys.
        complaint: says what is wrong with records that cannot be an answer.
        calls, retries: HTTP requests so far, and those that repeated an earlier one.
        repeating: whether the next request repeats one.
        token_renewed: whether a refused token has been replaced already.
    """

    def __init__(
        self,
        base_url: str,
        endpoint: str,
        params: Sequence[tuple[str, str | int]],
        complaint: Callable[[list[dict[str, Any]]], str | None] | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.sessions = sum(key == "session_key" for key, _ in params)
        self.url = f"{base_url}/{endpoint}" + (f"?{urlencode(params)}" if params else "")
        self.shown_url = without_login(self.url)
        many = f"{self.sessions} session{'s' if self.sessions > 1 else ''}"
        self.title = f"{endpoint} of {many}" if self.sessions else endpoint
        self.asked = self.shown_url
        if self.sessions > 1:
            self.asked = f"{self.shown_url.partition('?')[0]} for {self.sessions} sessions"
        self.complaint = complaint
        self.course = Course()
        self.calls = 0
        self.retries = 0
        self.repeating = False
        self.token_renewed = False

    def log_fields(self, status: int | str | None, **more: object) -> dict[str, object]:
        """The structured part of a log line about this question."""
        return {
            "endpoint": self.endpoint,
            "sessions": self.sessions,
            "status": status,
            "attempt": self.calls,
            **more,
        }


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
