"""What a query string asks for, read the way the API reads it.

The server rebuilds `key=value` from each parameter and then looks for an operator, so
`date_start>=v` arrives as key `date_start>` and value `v` and means "at or after", and
a key `date_start>=` becomes `date_start>==v`, which compares with the text "=v".
"""

import operator
import re
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from urllib.parse import unquote_plus

from f1_bronze.simulator.sources import Record

_PARAMETER = re.compile(r"(\w+?)(>=|<=|=|>|<)(.*)", re.DOTALL)
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_DATE = re.compile(r"\d{4}-\d{2}(-\d{2}.*)?")
_LOST_PLUS = re.compile(r" (\d{2}:\d{2})$")
_DAYS_AND_MONTHS = re.compile(
    r"(mon|tues?|wed|thu(rs)?|fri|sat|sun)(day)?|wednesday|saturday|jan(uary)?|feb(ruary)?"
    r"|mar(ch)?|apr(il)?|may|june?|july?|aug(ust)?|sept?(ember)?|oct(ober)?|nov(ember)?"
    r"|dec(ember)?",
    re.IGNORECASE,
)
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


class _Never:
    """A value that equals nothing: a word the server took for a date."""


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(_LOST_PLUS.sub(r"+\1", text))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _read(text: str) -> object:
    if _NUMBER.fullmatch(text):
        return float(text) if "." in text else int(text)
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if _DATE.fullmatch(text):
        return _moment(text if len(text) > 7 else f"{text}-01") or _Never()
    if _DAYS_AND_MONTHS.fullmatch(text):
        return _Never()
    return text


@dataclass(frozen=True, kw_only=True)
class QueryCondition:
    """One parameter: a field, an operator (`=`, `>=`, `<=`, `>`, `<`) and a value's text."""

    field: str
    operator: str
    text: str

    @cached_property
    def _wanted(self) -> object:
        return _read(self.text)

    def admits(self, value: object) -> bool:
        """Whether a record's value passes; null, lists and other types never do."""
        wanted = self._wanted
        compare = _COMPARE[self.operator]
        if isinstance(value, bool) or isinstance(wanted, bool):
            return isinstance(value, bool) and isinstance(wanted, bool) and compare(value, wanted)
        if isinstance(value, int | float):
            return isinstance(wanted, int | float) and compare(value, wanted)
        if isinstance(value, str):
            if isinstance(wanted, datetime):
                moment = _moment(value) if _DATE.fullmatch(value) else None
                return moment is not None and compare(moment, wanted)
            return isinstance(wanted, str) and compare(value, wanted)
        return False


@dataclass(frozen=True, kw_only=True)
class RequestQuery:
    """All conditions of a request. `unreadable` holds parameters without an operator."""

    conditions: tuple[QueryCondition, ...] = ()
    unreadable: tuple[str, ...] = ()

    @classmethod
    def parse(cls, raw: str) -> "RequestQuery":
        """Read the part of a URL after `?`; never fails, as the server never does."""
        conditions, unreadable = [], []
        for piece in raw.split("&"):
            if not piece:
                continue
            key, _, value = piece.partition("=")
            key, value = unquote_plus(key), unquote_plus(value)
            rebuilt = f"{key}={value}" if value else key
            found = _PARAMETER.fullmatch(rebuilt)
            if found is None:
                unreadable.append(rebuilt)
            else:
                conditions.append(QueryCondition(field=found[1], operator=found[2], text=found[3]))
        return cls(conditions=tuple(conditions), unreadable=tuple(unreadable))

    @cached_property
    def _alternatives(self) -> dict[str, list[QueryCondition]]:
        # A repeated key is OR only for equality; two bounds on one field are a range.
        found: dict[str, list[QueryCondition]] = {}
        for condition in self.conditions:
            if condition.operator == "=":
                found.setdefault(condition.field, []).append(condition)
        return found

    @cached_property
    def _integers(self) -> dict[str, frozenset[int]]:
        # A batch names 25 sessions and is compared with every session there is: be quick.
        return {
            field: frozenset(self.listed(field))
            for field, alternatives in self._alternatives.items()
            if all(type(c._wanted) is int for c in alternatives)
        }

    @cached_property
    def _bounds(self) -> list[QueryCondition]:
        return [c for c in self.conditions if c.operator != "="]

    @cached_property
    def fields(self) -> frozenset[str]:
        """The names of all fields that are asked about."""
        return frozenset(c.field for c in self.conditions)

    def admits(self, record: Record, skip: Container[str] = ()) -> bool:
        """Whether a record passes every condition, those on fields in `skip` left out."""
        if self.unreadable:
            return False
        for field, alternatives in self._alternatives.items():
            if field not in skip:
                value = record.get(field)
                if type(value) is int and field in self._integers:
                    if value not in self._integers[field]:
                        return False
                elif not any(condition.admits(value) for condition in alternatives):
                    return False
        return all(c.field in skip or c.admits(record.get(c.field)) for c in self._bounds)

    def only(self, *fields: str) -> "RequestQuery":
        """The conditions on these fields alone."""
        return RequestQuery(conditions=tuple(c for c in self.conditions if c.field in fields))

    def listed(self, field: str) -> tuple[int, ...]:
        """The integers that a field is asked to equal, in order, each once."""
        wanted = [c._wanted for c in self._alternatives.get(field, [])]
        return tuple(dict.fromkeys(w for w in wanted if type(w) is int))

    def names_session(self, session_key: int) -> bool:
        """Whether the query speaks of session keys and of this one among them."""
        mine = self.only("session_key")
        return bool(mine.conditions) and mine.admits({"session_key": session_key})

    def with_latest(self, latest: Mapping[str, int]) -> "RequestQuery":
        """The same query with the word `latest` replaced, by field."""
        return replace(
            self,
            conditions=tuple(
                replace(c, text=str(latest[c.field]))
                if c.text == "latest" and c.field in latest
                else c
                for c in self.conditions
            ),
        )
