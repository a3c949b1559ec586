"""What OpenF1 answers to a request, checked in this order: limits, token, live, faults, path, data.

Limits come first so that no fault hides a client that calls too often; a call refused for its
rate never uses up a fault.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qs

from f1_bronze.simulator import responses
from f1_bronze.simulator.control import Control, LoggedRequest
from f1_bronze.simulator.faults import FaultTarget, apply_fault
from f1_bronze.simulator.queries import RequestQuery
from f1_bronze.simulator.responses import SimulatedResponse, Transmission
from f1_bronze.simulator.sources import LISTINGS, SESSION_ENDPOINTS, Record, SeasonSource

BASE_PATH = "/v1"
TOKEN_PATH = "/token"
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_SESSION_FIELDS = ("session_key", "meeting_key")
_UNANSWERED = (Transmission.RESET_BEFORE, Transmission.REFUSED)


@dataclass(frozen=True, kw_only=True)
class IncomingRequest:
    """One HTTP request: path and raw query apart, the Authorization header, the body."""

    method: str
    path: str
    query: str = ""
    authorization: str | None = None
    body: bytes = b""


@dataclass(frozen=True, kw_only=True)
class _Call:
    """A request under way: its number, its time in epoch seconds, the faults that hit it so far."""

    request: IncomingRequest
    number: int
    now: float
    endpoint: str
    query: RequestQuery
    hits: list[str]


class Api:
    """Answers requests from a source, behaving as a Control says."""

    def __init__(self, source: SeasonSource, control: Control) -> None:
        self._source = source
        self._control = control

    def answer(self, request: IncomingRequest) -> SimulatedResponse:
        """The response, its body written, noted in the journal. Never raises on bad input."""
        control = self._control
        call = _Call(
            request=request,
            number=control.next_number(),
            now=control.behaviour.clock(),
            endpoint=_endpoint(request.path),
            query=RequestQuery.parse(request.query),
            hits=[],
        )
        if call.endpoint != "token":
            control.journal.arrived(call.now)
        if control.behaviour.latency_seconds:
            control.behaviour.sleep(control.behaviour.latency_seconds)
        if call.endpoint == "token":
            response = self._with_faults(call, self._target(call))
        else:
            response = self._admit(call)
        rows = len(response.rows or ())
        response = responses.written(response, call.number)
        control.journal.note(
            LoggedRequest(
                number=call.number,
                method=request.method,
                path=request.path,
                query=request.query,
                endpoint=call.endpoint,
                status=None if response.transmission in _UNANSWERED else response.status,
                time=call.now,
                rows=rows,
                body_bytes=len(response.body),
                faults=tuple(call.hits),
            )
        )
        return response

    def _admit(self, call: _Call) -> SimulatedResponse:
        control = self._control
        token = _bearer(call.request.authorization)
        paid = token is not None and control.is_valid(token)
        limiter = control.limiter(paid=paid)
        refused_by = limiter.admit(call.now)
        if refused_by is not None:
            wait = refused_by.seconds - call.now % refused_by.seconds
            header = str(int(wait) + 1) if control.behaviour.retry_after else None
            return responses.rate_limited(refused_by.sentence(), header)
        if token is not None and not paid:
            return responses.BAD_TOKEN
        if not paid and control.behaviour.is_live(call.now):
            return responses.LIVE_CLOSED
        response = self._with_faults(call, self._target(call, paid=paid))
        if response.status == 429:
            limiter.forget_one()
        return response

    def _target(self, call: _Call, *, paid: bool = False) -> FaultTarget:
        return FaultTarget(
            call.endpoint,
            call.query,
            now=call.now,
            paid=paid,
            count_rows=lambda: len(self._without_faults(call).rows or ()),
        )

    def _with_faults(self, call: _Call, target: FaultTarget, start: int = 0) -> SimulatedResponse:
        found = self._control.faults.next_hit(target, start)
        if found is None:
            return self._without_faults(call)
        place, fault = found
        call.hits.append(fault.kind)
        return apply_fault(
            fault,
            lambda: self._with_faults(call, target, place),
            number=call.number,
            now=call.now,
            sleep=self._control.behaviour.sleep,
            expire_tokens=self._control.expire_tokens,
        )

    def _without_faults(self, call: _Call) -> SimulatedResponse:
        if call.endpoint == "token":
            return self._login(call.request)
        if call.endpoint not in LISTINGS and call.endpoint not in SESSION_ENDPOINTS:
            return responses.NOT_FOUND
        if call.request.method != "GET":
            return responses.WRONG_METHOD
        query = call.query.with_latest(self._latest(call.now))
        if call.endpoint in SESSION_ENDPOINTS:
            return self._session_rows(call, query)
        source = self._source
        listing = source.sessions() if call.endpoint == "sessions" else source.meetings()
        rows: list[Record] = [row for row in listing if query.admits(row)]
        if len(rows) > self._control.behaviour.most_rows(call.endpoint):
            return responses.TOO_MUCH
        return SimulatedResponse(status=200, rows=rows)

    def _login(self, request: IncomingRequest) -> SimulatedResponse:
        if request.method != "POST":
            return responses.WRONG_METHOD
        form = parse_qs(request.body.decode("utf-8", "replace"))
        username, password = form.get("username", [""])[-1], form.get("password", [""])[-1]
        token = self._control.new_token(username, password)
        if token is None:
            return responses.BAD_LOGIN
        life = str(self._control.behaviour.token_seconds)  # a string upstream, too
        return responses.json_response(
            200, {"access_token": token, "expires_in": life, "token_type": "bearer"}
        )

    def _latest(self, now: float) -> Mapping[str, int]:
        """The keys that the word `latest` stands for: of the last session that has begun."""
        moment = datetime.fromtimestamp(now, UTC)
        begun = [s for s in self._source.sessions() if _date(s, "date_start") <= moment]
        last = max(begun, key=lambda s: _date(s, "date_start"), default=None)
        return {} if last is None else {field: last[field] for field in _SESSION_FIELDS}

    def _session_rows(self, call: _Call, query: RequestQuery) -> SimulatedResponse:
        behaviour = self._control.behaviour
        if call.endpoint == "laps" and not query.fields & {"session_key", "meeting_key"}:
            return responses.TOO_MUCH
        about_session = query.only(*_SESSION_FIELDS)
        if query.unreadable:
            return responses.NO_RESULTS
        sessions = self._source.sessions()
        keys = [s["session_key"] for s in sessions if about_session.admits(s)]
        listed = {s["session_key"] for s in sessions}
        keys += [key for key in query.listed("session_key") if key not in listed]
        if len(keys) > behaviour.too_many_sessions:
            return responses.SERVER_ERROR
        settled_by = datetime.fromtimestamp(call.now - behaviour.settle_seconds, UTC)
        unsettled = {s["session_key"] for s in sessions if _date(s, "date_end") > settled_by}
        per_row = bool(query.fields - set(_SESSION_FIELDS))
        rows: list[Record] = []
        touched = 0
        for key in keys:
            if key in unsettled:
                continue
            found = self._source.rows(call.endpoint, key)
            # The session's own keys were checked on the session, except for unlisted ones.
            skip = _SESSION_FIELDS if key in listed else ()
            if per_row or not skip:
                found = [row for row in found if query.admits(row, skip)]
            touched += bool(found)
            rows.extend(found)
            if len(rows) > behaviour.most_rows(call.endpoint):
                return responses.TOO_MUCH
        if touched > 1:
            random.Random(call.number).shuffle(rows)
        return SimulatedResponse(status=200, rows=rows)


def _date(session: Record, field: str) -> datetime:
    """When a session begins or ends; long ago where its record does not say so in ISO 8601."""
    try:
        moment = datetime.fromisoformat(session[field])
    except (KeyError, TypeError, ValueError):
        return _LONG_AGO
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _endpoint(path: str) -> str:
    return "token" if path == TOKEN_PATH else path.removeprefix(f"{BASE_PATH}/")


def _bearer(header: str | None) -> str | None:
    if header is None:
        return None
    kind, _, token = header.partition(" ")
    return token.strip() if kind.lower() == "bearer" else header
