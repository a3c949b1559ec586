"""What an answer of OpenF1 means: records, an error named by what to do next, or a retry.

`read_answer` is the table of statuses and bodies; the waiting and retrying is in client.py. So
what happens on a 429? The answer is a `FailedAttempt` here, with the seconds to wait;
`OpenF1Client` makes everybody who shares the call budget wait that long, and asks again.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, NoReturn
from urllib.parse import urlsplit, urlunsplit

DEFAULT_RETRY_AFTER = 3600.0
"""Seconds after which to come back when the API is closed and does not say for how long."""

LONGEST_RETRY_AFTER = 120.0
"""Seconds for which a `Retry-After` is obeyed at most within one request to the client."""

_LONGEST_CLOSURE = 6 * 3600.0


def without_login(url: str) -> str:
    """The address without user name and password, fit for logs and metadata.

    >>> without_login("https://me:secret@example.org/v1")
    'https://example.org/v1'
    """
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The records of one endpoint, and what it cost to get them.

    Attributes:
        records: JSON objects as they came; an empty list is a true empty, never a failure.
        url: the address that was asked, without credentials.
        status: HTTP status of the answer, 200 or 404 ("No results found.").
        attempts: HTTP requests that it took, at least 1; retries and a login are among them.
        retries: those of them that repeated an earlier one.
        seconds: time spent on requests and back-offs, without waiting for the call budget.
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
    """What a client has done up to a moment; `after - before` is what it did in between.

    Attributes:
        questions: batches and listings asked for, each in one call when nothing fails; each half
            of a split batch is counted too.
        calls: HTTP requests sent; retries, redirects and logins are among them.
        retries: calls that repeated an earlier one.
        by_status: calls by HTTP status, as text, or by `failed`, `unreached` and `timed out`
            without one.
        wait_seconds: time waited for the call budget and between attempts.
        bytes: size of the answers, decompressed.
        splits: batches that were cut in two.
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

    def _combine(self, other: "Counters", sign: int) -> "Counters":
        mine, theirs = self.by_status, other.by_status
        by_status = {s: mine.get(s, 0) + sign * theirs.get(s, 0) for s in {**mine, **theirs}}
        return Counters(
            questions=self.questions + sign * other.questions,
            calls=self.calls + sign * other.calls,
            retries=self.retries + sign * other.retries,
            by_status={status: calls for status, calls in by_status.items() if calls},
            wait_seconds=self.wait_seconds + sign * other.wait_seconds,
            bytes=self.bytes + sign * other.bytes,
            splits=self.splits + sign * other.splits,
        )

    def __add__(self, other: "Counters") -> "Counters":
        return self._combine(other, 1)

    def __sub__(self, before: "Counters") -> "Counters":
        return self._combine(before, -1)


@dataclass(frozen=True, kw_only=True)
class AnswerLimits:
    """What an answer may be at most; more than that is refused before it can do harm.

    The defaults are several times what OpenF1 has ever sent: 25 races of laps are 18 MB, a record
    of a driver's lap has 16 fields and lists in it.

    Attributes:
        megabytes: size of an answer, decompressed.
        depth: how deep lists and objects of a record are nested, the record itself is 1.
        fields: fields of a record, those of objects in it included.
        name: characters of a name that becomes part of a partition key.
    """

    megabytes: int = 32
    depth: int = 16
    fields: int = 256
    name: int = 100

    def find_excess(self, record: Mapping[str, Any]) -> str:
        """What is too much about a record, and the setting for it; empty when nothing is.

        >>> AnswerLimits(fields=2).find_excess({"a": 1, "b": 2, "c": 3})
        '3 fields, more than the 2 of F1_BRONZE_OPENF1_MAX_FIELDS'
        """
        fields, depth = 0, 0
        level: list[Any] = [record]
        while level and depth <= self.depth:
            depth += 1
            fields += sum(len(value) for value in level if isinstance(value, Mapping))
            level = [
                inner
                for value in level
                for inner in (value.values() if isinstance(value, Mapping) else value)
                if isinstance(inner, Mapping | list)
            ]
        if depth > self.depth:
            return f"nesting deeper than the {self.depth} levels of F1_BRONZE_OPENF1_MAX_DEPTH"
        if fields > self.fields:
            return f"{fields} fields, more than the {self.fields} of F1_BRONZE_OPENF1_MAX_FIELDS"
        return ""


class OpenF1Error(Exception):
    """No answer. The subclass says what the caller should do, the message ends with the remedy.

    Attributes:
        attempts: HTTP requests that were made before giving up; 0 when none was.
        retries: those of them that repeated an earlier one.
        spent: seconds spent on requests and back-offs.
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
    """Ask for fewer sessions at once; repeating the request does not help."""


class Unavailable(OpenF1Error):
    """Retries are used up (5xx, timeouts, transport, 429): ask for fewer, or come back later.

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
    """Not asked, because others have reserved the call budget for too long: come back later.

    `seconds` is how long the wait would have been.
    """

    def __init__(self, message: str, *, seconds: float) -> None:
        super().__init__(message, reached=False)
        self.seconds = seconds


class Refused(OpenF1Error):
    """Give up: the request, the address or the login is wrong and stays wrong."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class Malformed(OpenF1Error):
    """The answer is JSON but cannot be used; ask for fewer, to find the session it comes from."""


class ForeignRows(Malformed):
    """Rows that belong to another session or meeting than the calendar says: ask again later."""


def applies_to_all(error: OpenF1Error) -> bool:
    """Whether asking for fewer sessions would fail as well: after a 429 it is only more calls."""
    limited = isinstance(error, Unavailable) and error.status == 429
    splittable = isinstance(error, TooMuchAsked | Malformed | Unavailable)
    return not splittable or limited or isinstance(error, CircuitOpen | BudgetTaken)


def may_be_too_large(error: OpenF1Error) -> bool:
    """Whether a request may have failed for its size: not when the API was not even reached."""
    return isinstance(error, TooMuchAsked) or (isinstance(error, Unavailable) and error.reached)


class FailureKind(StrEnum):
    """Failed attempts, told apart by how often they are retried."""

    FAILED = "failed"  # 5xx, broken answers, transport
    UNREACHED = "unreached"  # no connection
    TIMED_OUT = "timed out"
    RATE_LIMITED = "limited"


class FailedAttempt(Exception):
    """One attempt that failed and may be retried.

    `reason` is in our words, never a part of the answer; `seconds` is how long the server asked
    to wait, within reason. `final` is what is raised when retries do not help, if it is another
    error than `Unavailable`.
    """

    def __init__(
        self,
        kind: FailureKind,
        reason: str,
        *,
        status: int | None = None,
        seconds: float | None = None,
        final: OpenF1Error | None = None,
    ) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason
        self.status = status
        self.seconds = seconds
        self.final = final


def read_answer(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    asked: str = "the request",
    several: bool = False,
    now: float = 0.0,
    jitter: float = 0.0,
) -> list[dict[str, Any]]:
    """The records of an answer; any other answer raises.

    | status                 | body                          | outcome                          |
    |------------------------|-------------------------------|----------------------------------|
    | 200                    | JSON array of objects         | records                          |
    | 200                    | anything else, also cut short | retry                            |
    | 404                    | "No results found."           | no records                       |
    | 404                    | a JSON object cut short       | retry                            |
    | 404                    | no JSON object, as of a proxy | retry, `Refused` if it stays     |
    | 401                    | "… session in progress …"     | `ClosedForLiveSession`           |
    | 401                    | any other                     | `Refused`, after a new login     |
    | 422                    | detail is a list of errors    | `Refused`                        |
    | 422, 413, 414          | any other                     | `TooMuchAsked`                   |
    | 429                    | any                           | wait and retry (`FailedAttempt`) |
    | 408, 425, 5xx, any 2xx | any                           | retry                            |
    | any other              | any                           | `Refused`                        |

    Args:
        asked: what was asked for, in messages; without credentials.
        several: whether fewer sessions can be asked for.
        now: seconds since the epoch, for `Retry-After` dates and clock minutes.
        jitter: seconds added to the wait after a 429, so that processes do not return at once.

    Raises:
        FailedAttempt: to be retried. After a 429 its `seconds` are what the server asked for;
            otherwise a second for the limit per second, and until the next clock minute for the
            limit per minute, whose window is the clock minute.
        OpenF1Error: final.
    """
    if status == 200:
        return _read_records(body)
    header = next((v for k, v in headers.items() if k.lower() == "retry-after"), None)
    retry_after = read_retry_after(header, now)
    parsed = _read_error_body(body)
    detail = parsed.get("detail") if parsed is not None else None
    text = detail.lower() if isinstance(detail, str) else ""
    reason = f"status {status}"
    if status == 404 and text.strip(" .") == "no results found":
        return []
    if status == 404 and parsed is None:
        reason = "status 404 with a body that is not a JSON object"
        cut_short = body.lstrip()[:1] == b"{"
        final = None if cut_short else _refusal(asked, reason, status)
        raise FailedAttempt(FailureKind.FAILED, reason, status=status, final=final)
    if status == 401 and "session in progress" in text:
        raise ClosedForLiveSession(
            "OpenF1 is closed to free users around a live session, past sessions included; come "
            "back in 30 to 180 minutes, or set F1_BRONZE_OPENF1_USERNAME and "
            "F1_BRONZE_OPENF1_PASSWORD for paid access.",
            retry_after=min(retry_after or DEFAULT_RETRY_AFTER, _LONGEST_CLOSURE),
        )
    if status == 401:
        raise Refused(
            f"OpenF1 requires a valid login for {asked}; check F1_BRONZE_OPENF1_USERNAME and "
            "F1_BRONZE_OPENF1_PASSWORD.",
            status=status,
        )
    if status in (413, 414) or (status == 422 and not isinstance(detail, list)):
        remedy = "ask for fewer sessions" if several else "run this again later"
        raise TooMuchAsked(f"{asked} asks for too much at once; {remedy}.")
    if retry_after is not None:
        retry_after = min(retry_after, LONGEST_RETRY_AFTER)
    if status == 429:
        window, pause = ("second", 1.0) if "/second" in text else ("minute", 60.0 - now % 60.0)
        raise FailedAttempt(
            FailureKind.RATE_LIMITED,
            f"limit per {window} reached",
            status=status,
            seconds=(retry_after or pause) + jitter,
        )
    if status in (408, 425) or status >= 500 or 200 <= status < 300:
        raise FailedAttempt(FailureKind.FAILED, reason, status=status, seconds=retry_after)
    raise _refusal(asked, reason, status)


def _read_records(body: bytes) -> list[dict[str, Any]]:
    wrong = ""
    try:
        records = json.loads(
            body.decode("utf-8"), parse_constant=_refuse_constant, parse_float=_finite_float
        )
    except RecursionError:
        wrong = "JSON that is nested too deep to be read"
    except _NoNumber as error:
        wrong = f"JSON that has {error}, which is no number that JSON knows"
    except ValueError:
        wrong = "a body that is not JSON"
    else:
        if not isinstance(records, list):
            wrong = "JSON that is not an array"
        elif not all(isinstance(record, dict) for record in records):
            wrong = "an array of something else than objects"
    if wrong:
        raise FailedAttempt(FailureKind.FAILED, f"status 200 with {wrong}", status=200)
    return list(records)


class _NoNumber(ValueError):
    """NaN, Infinity, or a number beyond what a float can hold, in the place of a number."""


def _refuse_constant(literal: str) -> NoReturn:
    raise _NoNumber(literal)


def _finite_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _NoNumber(text[:20])
    return number


def _read_error_body(body: bytes) -> dict[str, Any] | None:
    """The JSON object of an error body; None when it is something else, as HTML often is."""
    try:
        parsed = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def _refusal(asked: str, reason: str, status: int) -> Refused:
    return Refused(
        f"OpenF1 refused {asked} ({reason}); check F1_BRONZE_OPENF1_URL and the version of "
        "f1-bronze.",
        status=status,
    )


def read_retry_after(header: str | None, now: float) -> float | None:
    """Seconds to wait by a `Retry-After` header (seconds or an HTTP date).

    None when it is absent, zero, in the past or nonsense: then our own rule holds. `now` is in
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
    return seconds if math.isfinite(seconds) and seconds > 0 else None
