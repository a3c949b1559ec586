"""What goes back over the wire: the exact bodies OpenF1 sends, and rows as JSON.

Belongs here: wording and the shape of an answer. Stays out: deciding which one (`api`)
and sending it (`server`).
"""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from f1_bronze.simulator.sources import Record

HTML = "text/html; charset=utf-8"

PLAIN = "text/plain"

JSON = "application/json"

STACK_TRACE_PAGE = """<!DOCTYPE html>
<html><head><title>500 Internal Server Error</title></head><body>
<h1>500 Server Error</h1>
<pre>Traceback (most recent call last):
  File "/app/openf1/services/query_api/app.py", line 212, in _process_request
    results = await get_documents(collection, filters)
pymongo.errors.ExecutionTimeout: operation exceeded time limit</pre>
</body></html>
"""

BAD_GATEWAY_PAGE = """<html>
<head><title>502 Bad Gateway</title></head>
<body><center><h1>502 Bad Gateway</h1></center><hr><center>nginx</center></body>
</html>
"""

UPSTREAM_TIMEOUT = "upstream request timeout"


class Transmission(Enum):
    """How an answer travels."""

    WHOLE = "whole"
    RESET_BEFORE = "reset_before"  # the connection dies before a byte is sent
    RESET_MIDWAY = "reset_midway"  # the headers promise more than what arrives
    STALL = "stall"  # headers, then silence for pause_seconds, then the body
    REFUSED = "refused"  # no answer, and the port is closed for pause_seconds


@dataclass(frozen=True, kw_only=True)
class SimulatedResponse:
    """One HTTP answer. While `rows` is set the body is still to be written from it."""

    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
    rows: Sequence[Record] | None = None
    delivery: Transmission = Transmission.WHOLE
    pause_seconds: float | None = 0.0  # None: until the client hangs up


def json_answer(status: int, value: object) -> SimulatedResponse:
    """Any JSON value as an answer."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return SimulatedResponse(status=status, body=text.encode())


def text_answer(status: int, text: str, content_type: str) -> SimulatedResponse:
    """A body that is not JSON."""
    return SimulatedResponse(status=status, body=text.encode(), content_type=content_type)


def no_results() -> SimulatedResponse:
    """404: the question was understood and nothing matched."""
    return json_answer(404, {"detail": "No results found."})


def not_found() -> SimulatedResponse:
    """404: there is no such URL."""
    return json_answer(404, {"detail": "Not Found"})


def too_much() -> SimulatedResponse:
    """422: the query must be split."""
    detail = "Failed to retrieve information. You're likely asking for too much data at once."
    return json_answer(422, {"detail": detail})


def rate_limited(limit: str, retry_after: str | None = None) -> SimulatedResponse:
    """429 with the limit in words; the Retry-After header is sent only when given."""
    answer = json_answer(
        429,
        {
            "detail": f"Rate limit exceeded. {limit}",
            "error": "Too Many Requests",
        },
    )
    return replace(answer, headers=(("Retry-After", retry_after),)) if retry_after else answer


def live_closed() -> SimulatedResponse:
    """401: not about credentials, a session is running."""
    # The true body goes on with advertising that differs over time; this part is stable.
    detail = (
        "Live F1 session in progress. Global API access (including past sessions) is "
        "restricted to authenticated users until the session ends."
    )
    return json_answer(401, {"detail": detail})


def bad_token() -> SimulatedResponse:
    """401: the token is wrong or its hour is over."""
    return json_answer(401, {"detail": "Invalid or expired token"})


def bad_login() -> SimulatedResponse:
    """401: the token endpoint does not know this user and password."""
    return json_answer(401, {"detail": "Incorrect username or password"})


def wrong_method() -> SimulatedResponse:
    """405: only GET asks, only POST logs in."""
    return json_answer(405, {"detail": "Method Not Allowed"})


def server_error() -> SimulatedResponse:
    """500: an HTML page with a stack trace, as when a query takes over 5 s."""
    return text_answer(500, STACK_TRACE_PAGE, HTML)


def written(answer: SimulatedResponse, turn: int) -> SimulatedResponse:
    """The answer with its rows written as a JSON array; others are returned as they are.

    The order of keys changes from request to request (`turn`) and from row to row, because
    the API does not promise one. No rows at all is the 404 of `no_results`.
    """
    if answer.rows is None:
        return answer
    if not answer.rows:
        empty = no_results()
        return replace(answer, rows=None, status=empty.status, body=empty.body)
    names = sorted(set[str]().union(*answer.rows))
    chance = random.Random(turn)
    orders = [chance.sample(names, len(names)) for _ in range(3)]
    whole = len(names)
    shuffled = [
        {name: row[name] for name in orders[number % 3]}
        if len(row) == whole
        else {name: row[name] for name in orders[number % 3] if name in row}
        for number, row in enumerate(answer.rows)
    ]
    text = json.dumps(shuffled, ensure_ascii=False, separators=(",", ":"))
    return replace(answer, rows=None, body=text.encode())
