"""What a call came to: the answer, the errors by what to do next, and how a reply is read.

Belongs here: the table of statuses and bodies of OpenF1, and the errors every other room catches.
Stays out: sending (client.py) and when to repeat (retries.py).
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NoReturn

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
