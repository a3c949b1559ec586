"""Faults: how one is declared, which requests it hits, and what it does to their responses."""

import math
import random
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from email.utils import formatdate
from functools import cached_property
from typing import Any

from f1_bronze.simulator.queries import RequestQuery
from f1_bronze.simulator.responses import (
    BAD_GATEWAY_PAGE,
    BAD_TOKEN,
    HTML,
    JSON,
    LIVE_CLOSED,
    NO_RESULTS,
    NOT_FOUND,
    PLAIN,
    STACK_TRACE_PAGE,
    TOO_MUCH,
    UPSTREAM_TIMEOUT,
    SimulatedResponse,
    Transmission,
    rate_limited,
    text_response,
    written,
)
from f1_bronze.simulator.sources import Record

KINDS = (
    "status",
    "too_much",
    "rate_limited",
    "live",
    "token_expiry",
    "refused",
    "reset_before",
    "reset_midway",
    "truncated_json",
    "html_200",
    "wrong_json",
    "slow",
    "stall",
    "empty",
    "drop_rows",
    "edit",
    "unknown_path",
    "mix",
)

MIX: tuple[Mapping[str, Any], ...] = (
    *({"kind": "status", "status": status} for status in (500, 502, 503, 504)),
    *({"kind": "rate_limited", "retry_after": after} for after in (None, "0", "2", "date+2")),
    {"kind": "refused"},
    {"kind": "reset_before"},
    {"kind": "reset_midway"},
    {"kind": "truncated_json"},
    {"kind": "html_200"},
    {"kind": "wrong_json"},
    {"kind": "slow"},
    {"kind": "stall", "seconds": None},
)
"""All that passes by itself: each hit of a `mix` is one of these, drawn from its seed."""


@dataclass(frozen=True, kw_only=True)
class InjectedFault:
    """Something that goes wrong, for some requests, some of the time.

    What it hits:
      kind: one of KINDS.
      endpoint: only this endpoint ("laps", "token"); None for every data endpoint.
      session_key: only requests that name this session, by equality or within a range;
        `drop_rows` and `edit` then touch the rows of that session alone.
      sessions_above, rows_above: only requests that list more sessions than this, or whose
        answer would have more rows.
      after: so many requests that it would concern are spared first.
      times: how many hits before it is spent; None for ever.
      for_seconds: how long after its first hit it is spent, by the simulator's clock.
      share: the part of matching requests that is hit, drawn from `seed`.
      Only requests with a valid token meet `token_expiry`, only those without meet `live`.

    What it does, by kind:
      status:             status: the code (default 500); body, content_type: default by code.
      html_200, wrong_json: body.
      rate_limited:       retry_after: text as sent: seconds, an HTTP date, "0", or None;
                          "date+7" is sent as the date in 7 s.
      token_expiry:       every token given so far is worth nothing from now on.
      slow:               seconds until the answer.
      stall:              seconds of silence after the headers; None until the client hangs up.
      refused:            the port is closed, open connections end; open again after seconds.
      mix:                one of MIX for each hit; seconds are those of `slow` and `refused`.
      drop_rows:          rows_share: the part of rows missing, drawn from `seed`, the same
                          rows in every answer of the same size.
      edit:               match: the values a row must have; patch: values to put in its
                          place; or edit: a function row -> row or None to lose it (Python only).
    """

    kind: str
    endpoint: str | None = None
    session_key: int | None = None
    sessions_above: int | None = None
    rows_above: int | None = None
    after: int = 0
    times: int | None = None
    for_seconds: float | None = None
    share: float = 1.0
    seed: int = 0
    status: int = 500
    body: str | None = None
    content_type: str | None = None
    retry_after: str | None = None
    seconds: float | None = 1.0
    rows_share: float = 0.5
    match: Mapping[str, Any] = field(default_factory=dict)
    patch: Mapping[str, Any] = field(default_factory=dict)
    edit: Callable[[Record], Record | None] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no fault kind {self.kind!r}; there are: {', '.join(KINDS)}")
        if self.times is not None and self.times < 1:
            raise ValueError("times is at least 1, or None for ever")
        if self.after < 0 or (self.for_seconds is not None and self.for_seconds <= 0):
            raise ValueError("after is 0 or more, for_seconds above 0 or None")
        if min(self.sessions_above or 0, self.rows_above or 0) < 0:
            raise ValueError("sessions_above and rows_above are 0 or more, or None")
        if not 0 < self.share <= 1 or not 0 <= self.rows_share <= 1:
            raise ValueError("share is above 0 and at most 1, rows_share from 0 to 1")
        if not 200 <= self.status <= 599:
            raise ValueError(f"{self.status} is no HTTP status")
        if self.seconds is None and self.kind != "stall":
            raise ValueError("only a stall may last until the client hangs up: give seconds")
        if self.seconds is not None and self.seconds < 0:
            raise ValueError("seconds cannot be negative")
        if (self.retry_after or "").startswith("date") and self.date_after is None:
            raise ValueError("a Retry-After date is written like date+7")
        if self.kind == "edit" and not self.patch and self.edit is None:
            raise ValueError("an edit needs a patch or a function")

    @property
    def date_after(self) -> int | None:
        """How many seconds ahead a Retry-After date is; None for any other `retry_after`."""
        found = re.fullmatch(r"date\+(\d{1,6})", self.retry_after or "")
        return int(found[1]) if found else None

    @classmethod
    def from_json(cls, value: object) -> "InjectedFault":
        """A fault from a JSON object with the names above, `edit` excepted.

        Raises ValueError for anything else, naming the field.
        """
        if not isinstance(value, dict):
            raise ValueError("a fault is a JSON object")
        known = {f.name for f in fields(cls)} - {"edit"}
        unknown = sorted(set(value) - known)
        if unknown:
            raise ValueError(f"a fault has no field {', '.join(unknown)}")
        if "kind" not in value:
            raise ValueError("a fault needs a kind")
        try:
            return cls(**value)
        except TypeError as error:
            raise ValueError(f"a fault's field has the wrong type: {error}") from error

    def to_json(self) -> dict[str, Any]:
        """The fields that differ from their defaults, as `from_json` takes them."""
        plain: dict[str, Any] = {"kind": self.kind}
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name not in ("kind", "edit") and value != getattr(_PLAIN, one.name):
                plain[one.name] = dict(value) if isinstance(value, Mapping) else value
        return plain


_PLAIN = InjectedFault(kind="status")


@dataclass(frozen=True)
class FaultTarget:
    """What a fault may ask of a request; `count_rows` answers how many rows it would get."""

    endpoint: str
    query: RequestQuery
    now: float = 0.0
    paid: bool = False
    count_rows: Callable[[], int] = lambda: 0

    @cached_property
    def rows(self) -> int:
        """The rows of the answer, counted when a fault first asks."""
        return self.count_rows()


@dataclass
class _Armed:
    fault: InjectedFault
    rng: random.Random
    spared: int = 0
    hits: int = 0
    first_hit: float = 0.0

    def concerns(self, target: FaultTarget) -> bool:
        fault = self.fault
        if fault.endpoint != target.endpoint and (fault.endpoint or target.endpoint == "token"):
            return False
        if fault.kind in ("live", "token_expiry") and target.paid != (fault.kind != "live"):
            return False
        if fault.session_key is not None and not target.query.names_session(fault.session_key):
            return False
        sessions = len(target.query.listed("session_key"))
        if fault.sessions_above is not None and sessions <= fault.sessions_above:
            return False
        return fault.rows_above is None or target.rows > fault.rows_above

    def is_spent(self, now: float) -> bool:
        fault = self.fault
        if fault.times is not None and self.hits >= fault.times:
            return True
        if fault.for_seconds is None or not self.hits:
            return False
        return now - self.first_hit >= fault.for_seconds

    def hit(self, now: float) -> InjectedFault:
        if not self.hits:
            self.first_hit = now
        self.hits += 1
        if self.fault.kind != "mix":
            return self.fault
        return replace(self.fault, **self.rng.choice(MIX))


class ActiveFaults:
    """The faults in force, with their hits. Safe for many threads."""

    def __init__(self, faults: Iterable[InjectedFault] = ()) -> None:
        self._lock = threading.Lock()
        self._armed: list[_Armed] = []
        self.set(faults)

    def set(self, faults: Iterable[InjectedFault]) -> None:
        """Put these in force instead of all others, with no hits yet."""
        with self._lock:
            self._armed = [_Armed(fault=f, rng=random.Random(f.seed)) for f in faults]

    def add(self, faults: Iterable[InjectedFault]) -> None:
        """Put these in force after the others."""
        with self._lock:
            self._armed += [_Armed(fault=f, rng=random.Random(f.seed)) for f in faults]

    def next_hit(self, target: FaultTarget, start: int) -> tuple[int, InjectedFault] | None:
        """The first fault at place `start` or later that hits, its hit counted; else None.

        The place after it is returned, so that a caller can go on from there.
        """
        with self._lock:
            for place in range(start, len(self._armed)):
                armed = self._armed[place]
                if armed.is_spent(target.now) or not armed.concerns(target):
                    continue
                if armed.spared < armed.fault.after:
                    armed.spared += 1
                    continue
                if armed.fault.share < 1 and armed.rng.random() >= armed.fault.share:
                    continue
                return place + 1, armed.hit(target.now)
            return None

    def to_json(self) -> list[dict[str, Any]]:
        """Each fault with its `hits`, in the order in which they are tried."""
        with self._lock:
            return [{**armed.fault.to_json(), "hits": armed.hits} for armed in self._armed]


def apply_fault(
    fault: InjectedFault,
    proceed: Callable[[], SimulatedResponse],
    *,
    number: int,
    now: float,
    sleep: Callable[[float], None],
    expire_tokens: Callable[[], None],
) -> SimulatedResponse:
    """The response to a request that a fault hits.

    `proceed` gives what would have been sent (a further fault may have touched it); number and
    now are the request's; sleep and expire_tokens act on the simulator.
    """
    match fault.kind:
        case "status":
            text, content_type = _PAGES.get(fault.status, _OTHER_STATUS)
            body = text if fault.body is None else fault.body
            return text_response(fault.status, body, fault.content_type or content_type)
        case "too_much":
            return TOO_MUCH
        case "rate_limited":
            header = fault.retry_after
            if fault.date_after is not None:
                # Rounded up: a date has no fractions, and an early one would be no wait at all.
                header = formatdate(math.ceil(now) + fault.date_after, usegmt=True)
            return rate_limited("Max 30 requests/minute.", header)
        case "live":
            return LIVE_CLOSED
        case "token_expiry":
            expire_tokens()
            return BAD_TOKEN
        case "refused":
            refused = Transmission.REFUSED
            return replace(NO_RESULTS, transmission=refused, pause_seconds=fault.seconds)
        case "reset_before":
            return replace(NO_RESULTS, transmission=Transmission.RESET_BEFORE)
        case "reset_midway":
            return replace(proceed(), transmission=Transmission.RESET_MIDWAY)
        case "truncated_json":
            whole = written(proceed(), number)
            return replace(whole, body=whole.body[: len(whole.body) // 2])
        case "html_200":
            page = "<html><body><h1>Scheduled maintenance</h1></body></html>"
            return text_response(200, page if fault.body is None else fault.body, HTML)
        case "wrong_json":
            text = '{"detail":"No array today."}' if fault.body is None else fault.body
            return text_response(200, text, JSON)
        case "slow":
            sleep(fault.seconds or 0.0)
            return proceed()
        case "stall":
            stall = Transmission.STALL
            return replace(proceed(), transmission=stall, pause_seconds=fault.seconds)
        case "empty":
            return NO_RESULTS
        case "drop_rows":
            return _drop_rows(fault, proceed())
        case "edit":
            return _edit_rows(fault, proceed())
        case "unknown_path":
            return NOT_FOUND
    raise ValueError(f"a fault of kind {fault.kind} has no effect of its own")


_PAGES: Mapping[int, tuple[str, str]] = {
    500: (STACK_TRACE_PAGE, HTML),
    502: (BAD_GATEWAY_PAGE, HTML),
    503: (UPSTREAM_TIMEOUT, PLAIN),
    504: (UPSTREAM_TIMEOUT, PLAIN),
}
_OTHER_STATUS = ('{"detail":"Injected fault"}', JSON)


def _touches(fault: InjectedFault, row: Record) -> bool:
    if fault.session_key is not None and row.get("session_key") != fault.session_key:
        return False
    return all(key in row and row[key] == value for key, value in fault.match.items())


def _drop_rows(fault: InjectedFault, response: SimulatedResponse) -> SimulatedResponse:
    if response.rows is None:
        return response
    # Session by session and by content, so that a row lost in a batch is lost alone, too.
    by_session: dict[object, list[Record]] = {}
    for row in response.rows:
        if _touches(fault, row):
            by_session.setdefault(row.get("session_key"), []).append(row)
    lost: set[int] = set()
    for session_key, rows in by_session.items():
        rows.sort(key=lambda row: repr(sorted(row.items())))
        random.Random(f"{fault.seed}/{session_key}").shuffle(rows)
        lost.update(id(row) for row in rows[: round(len(rows) * fault.rows_share)])
    return replace(response, rows=[row for row in response.rows if id(row) not in lost])


def _edit_rows(fault: InjectedFault, response: SimulatedResponse) -> SimulatedResponse:
    if response.rows is None:
        return response
    edited: list[Record] = []
    for row in response.rows:
        changed: Record | None = row
        if _touches(fault, row):
            changed = {**row, **fault.patch}
            if fault.edit is not None:
                changed = fault.edit(changed)
        if changed is not None:
            edited.append(changed)
    return replace(response, rows=edited)
