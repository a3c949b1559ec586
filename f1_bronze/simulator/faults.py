"""A fault as it is declared, and which requests it hits.

Belongs here: the declaration, its checks, and the counting of hits. Stays out: what a
hit does to an answer, one handler per kind (`fault_kinds`).
"""

import random
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from f1_bronze.simulator.filters import Query
from f1_bronze.simulator.source import Record

KINDS = (
    "status",
    "too_much",
    "rate_limited",
    "live",
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
)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Something that goes wrong, for some requests, some of the time.

    Whom it hits:
      kind: one of KINDS.
      endpoint: only this endpoint ("laps", "token"); None for every data endpoint.
      session_key: only requests that name this session, by equality or within a range;
        `drop_rows` and `edit` then touch the rows of that session alone.
      times: how many hits before it is spent; None for ever.
      share: the part of matching requests that is hit, drawn from `seed`.

    What it does, by kind:
      status: status:     the code (default 500); body, content_type: default by code.
      rate_limited:       retry_after: text as sent: seconds, an HTTP date, "0", or None.
      slow, stall:        seconds.
      drop_rows:          rows_share: the part of rows missing, drawn from `seed`, the same
                          rows in every answer of the same size.
      edit:               match: the values a row must have; patch: values to put in its
                          place; or edit: a function row -> row or None to lose it (Python only).
    """

    kind: str
    endpoint: str | None = None
    session_key: int | None = None
    times: int | None = None
    share: float = 1.0
    seed: int = 0
    status: int = 500
    body: str | None = None
    content_type: str | None = None
    retry_after: str | None = None
    seconds: float = 1.0
    rows_share: float = 0.5
    match: Mapping[str, Any] = field(default_factory=dict)
    patch: Mapping[str, Any] = field(default_factory=dict)
    edit: Callable[[Record], Record | None] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no fault kind {self.kind!r}; there are: {', '.join(KINDS)}")
        if self.times is not None and self.times < 1:
            raise ValueError("times is at least 1, or None for ever")
        if not 0 < self.share <= 1 or not 0 <= self.rows_share <= 1:
            raise ValueError("share is above 0 and at most 1, rows_share from 0 to 1")
        if not 200 <= self.status <= 599:
            raise ValueError(f"{self.status} is no HTTP status")
        if self.kind == "edit" and not self.patch and self.edit is None:
            raise ValueError("an edit needs a patch or a function")

    @classmethod
    def from_json(cls, value: object) -> "Fault":
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


_PLAIN = Fault(kind="status")


@dataclass
class _Armed:
    fault: Fault
    chance: random.Random
    hits: int = 0


class FaultBoard:
    """The faults in force, with their hits. Safe for many threads."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._lock = threading.Lock()
        self._armed: list[_Armed] = []
        self.set(faults)

    def set(self, faults: Iterable[Fault]) -> None:
        """Put these in force instead of all others, with no hits yet."""
        with self._lock:
            self._armed = [_Armed(fault=f, chance=random.Random(f.seed)) for f in faults]

    def add(self, faults: Iterable[Fault]) -> None:
        """Put these in force after the others."""
        with self._lock:
            self._armed += [_Armed(fault=f, chance=random.Random(f.seed)) for f in faults]

    def next_hit(self, endpoint: str, query: Query, start: int) -> tuple[int, Fault] | None:
        """The first fault at place `start` or later that hits, its hit counted; else None.

        The place after it is returned, so that a caller can go on from there.
        """
        with self._lock:
            for place in range(start, len(self._armed)):
                armed = self._armed[place]
                fault = armed.fault
                if fault.endpoint != endpoint and (fault.endpoint or endpoint == "token"):
                    continue
                if fault.session_key is not None and not query.names_session(fault.session_key):
                    continue
                if fault.times is not None and armed.hits >= fault.times:
                    continue
                if fault.share < 1 and armed.chance.random() >= fault.share:
                    continue
                armed.hits += 1
                return place + 1, fault
            return None

    def to_json(self) -> list[dict[str, Any]]:
        """Each fault with its `hits`, in the order in which they are tried."""
        with self._lock:
            return [{**armed.fault.to_json(), "hits": armed.hits} for armed in self._armed]
