"""What goes back over the wire: the exact bodies that OpenF1 sends, and rows as JSON."""

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
    """How a response travels."""

    WHOLE = "whole"
    RESET_BEFORE = "reset_before"  # the connection dies before a byte is sent
    RESET_MIDWAY = "reset_midway"  # the headers promise more than what arrives
    STALL = "stall"  # headers, then silence for pause_seconds, then the body
    REFUSED = "refused"  # no response, and the port is closed for pause_seconds


@dataclass(frozen=True, kw_only=True)
class SimulatedResponse:
    """One HTTP response. While `rows` is set the body is still to be written from it."""

    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
    rows: Sequence[Record] | None = None
    transmission: Transmission = Transmission.WHOLE
    pause_seconds: float | None = 0.0  # None: until the client hangs up


def json_response(status: int, value: object) -> SimulatedResponse:
    """Any JSON value as a response."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return SimulatedResponse(status=status, body=text.encode())


def text_response(status: int, text: str, content_type: str) -> SimulatedResponse:
    """A body that is not JSON."""
    return SimulatedResponse(status=status, body=text.encode(), content_type=content_type)


def rate_limited(limit: str, retry_after: str | None = None) -> SimulatedResponse:
    """429 with the limit in words; the Retry-After header is sent only when given."""
    body = {"detail": f"Rate limit exceeded. {limit}", "error": "Too Many Requests"}
    response = json_response(429, body)
    return replace(response, headers=(("Retry-After", retry_after),)) if retry_after else response


# The request was understood and nothing matched.
NO_RESULTS = json_response(404, {"detail": "No results found."})
# There is no such URL.
NOT_FOUND = json_response(404, {"detail": "Not Found"})
# Only GET asks, only POST logs in.
WRONG_METHOD = json_response(405, {"detail": "Method Not Allowed"})
# The query must be split.
_TOO_MUCH = "Failed to retrieve information. You're likely asking for too much data at once."
TOO_MUCH = json_response(422, {"detail": _TOO_MUCH})
# A session is running; nothing is wrong with the credentials. The true body continues with
# advertising that differs over time; this part is stable.
_LIVE = (
    "Live F1 session in progress. Global API access (including past sessions) is "
    "restricted to authenticated users until the session ends."
)
LIVE_CLOSED = json_response(401, {"detail": _LIVE})
# The token is wrong or its hour is over.
BAD_TOKEN = json_response(401, {"detail": "Invalid or expired token"})
# The token endpoint does not know this user and password.
BAD_LOGIN = json_response(401, {"detail": "Incorrect username or password"})
# A page with a stack trace, as when a query takes over 5 s.
SERVER_ERROR = text_response(500, STACK_TRACE_PAGE, HTML)


def written(response: SimulatedResponse, number: int) -> SimulatedResponse:
    """The response with its rows written as a JSON array; others are returned as they are.

    The order of keys changes from request to request (`number`) and from row to row, because
    the API does not promise one. No rows at all is the 404 of `no_results`.
    """
    if response.rows is None:
        return response
    if not response.rows:
        return replace(response, rows=None, status=NO_RESULTS.status, body=NO_RESULTS.body)
    names = sorted(set[str]().union(*response.rows))
    rng = random.Random(number)
    orders = [rng.sample(names, len(names)) for _ in range(3)]
    whole = len(names)
    shuffled = [
        {name: row[name] for name in orders[place % 3]}
        if len(row) == whole
        else {name: row[name] for name in orders[place % 3] if name in row}
        for place, row in enumerate(response.rows)
    ]
    text = json.dumps(shuffled, ensure_ascii=False, separators=(",", ":"))
    return replace(response, rows=None, body=text.encode())
