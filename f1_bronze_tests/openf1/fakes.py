"""Fakes that the tests of OpenF1 share: time, the network below requests, and scripted answers."""

import io
import json
import random
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter

from f1_bronze.openf1.breaker import Breaker
from f1_bronze.openf1.budget import CallBudget, Ledger, parse_limits
from f1_bronze.openf1.budget_stores import MemoryStore, RateStore
from f1_bronze.openf1.client import OpenF1Client

BASE_URL = "https://api.openf1.org/v1"
NO_RESULTS = (404, '{"detail":"No results found."}')
LIVE = (
    401,
    '{"detail":"Live F1 session in progress. Global API access (including past sessions) is '
    'restricted to authenticated users until the session ends."}',
)
TOO_MUCH = (
    422,
    '{"detail":"Failed to retrieve information. You\'re likely asking for too much data at once."}',
)
LIMITED = (
    429,
    '{"detail":"Rate limit exceeded. Max 30 requests/minute.","error":"Too Many Requests"}',
)

BUSY = (503, "upstream request timeout")
FREE = "3/1s,30/60s"

Reply = tuple[int, str | bytes] | tuple[int, str | bytes, Mapping[str, str]] | BaseException


class FakeTime:
    """A clock that only sleeping moves; it notes what was slept."""

    def __init__(self, now: float = 1_700_000_010.0) -> None:
        self.now = now
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class FakeNetwork(BaseAdapter):
    """A transport for a real requests.Session that answers from a script and notes requests.

    `script` is replies in order (the last one for ever after), or a function of the request.
    """

    def __init__(
        self, script: Iterable[Reply] | Callable[[requests.PreparedRequest], Reply]
    ) -> None:
        super().__init__()
        self._answer = script if callable(script) else self._in_turn
        self._replies = [] if callable(script) else list(script)
        self.requests: list[requests.PreparedRequest] = []
        self.timeouts: list[object] = []

    def _in_turn(self, request: requests.PreparedRequest) -> Reply:
        return self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: object = None,
        verify: object = True,
        cert: object = None,
        proxies: object = None,
    ) -> requests.Response:
        self.requests.append(request)
        self.timeouts.append(timeout)
        reply = self._answer(request)
        if isinstance(reply, BaseException):
            raise reply
        status, body, *headers = reply
        raw = urllib3.HTTPResponse(
            body=io.BytesIO(body.encode() if isinstance(body, str) else body),
            headers=dict(headers[0]) if headers else {},
            status=status,
            preload_content=False,
        )
        return HTTPAdapter().build_response(request, raw)

    def close(self) -> None:
        """Nothing is open."""

    def session(self) -> requests.Session:
        session = requests.Session()
        session.mount("https://", self)
        session.mount("http://", self)
        return session

    @property
    def urls(self) -> list[str]:
        return [str(request.url) for request in self.requests]


def make_client(
    network: FakeNetwork, time: FakeTime | None = None, *, base_url: str = BASE_URL, **changes: Any
) -> OpenF1Client:
    """A client on a fake network and a fake clock, with a budget that is never in the way."""
    changes = {"session": network.session(), **changes}
    return make_client_at(base_url, time or FakeTime(), "1000/1s", **changes)


def read_ledger(store: RateStore) -> Ledger:
    """The ledger that a store keeps; an empty one where none was written."""
    text = store.read()
    return Ledger() if text is None else Ledger.from_json(text)


def write_ledger(store: RateStore, ledger: Ledger) -> None:
    """Put a ledger in place of the one that a store keeps."""
    store.change(lambda text: ledger.to_json())


def make_client_at(
    base_url: str, time: FakeTime, limits: str = FREE, **changes: Any
) -> OpenF1Client:
    """A client on a fake clock, of an API that is there."""
    settings: dict[str, Any] = {
        "base_url": base_url,
        "budget": CallBudget(parse_limits(limits), MemoryStore(), time.clock, time.sleep),
        "breaker": Breaker(clock=time.clock),
        "clock": time.clock,
        "monotonic": time.clock,
        "sleep": time.sleep,
        "rng": random.Random(1),
    }
    return OpenF1Client(**{**settings, **changes})


def asked_keys(request: requests.PreparedRequest) -> list[int]:
    """The session keys that a request names."""
    query = parse_qsl(urlsplit(str(request.url)).query)
    return [int(value) for name, value in query if name == "session_key"]


def rows(*records: Mapping[str, Any]) -> tuple[int, str]:
    """An answer of 200 with these records."""
    return 200, json.dumps(records)


KEY = [("session_key", 9472)]
OK = rows({"session_key": 9472})
"""A request for one session, and an answer to it."""


def two_rows_each(request: requests.PreparedRequest) -> tuple[int, str]:
    """Two records for every session that a request names."""
    keys = asked_keys(request)
    return rows(*({"session_key": key, "driver_number": n} for key in keys for n in (1, 4)))
