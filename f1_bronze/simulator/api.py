"""What OpenF1 answers to a request: the order of checks and the questions to the data.

Belongs here: everything between a request and an answer. Stays out: sockets (`server`),
the wording of bodies (`answers`), what a fault does (`faults`).

The order: limits, token, live mode, faults, path, data. Limits come first so that no fault
hides a client that asks too often; a call refused for its rate never uses up a fault.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qs

from f1_bronze.simulator import responses
from f1_bronze.simulator.control import Control, LoggedRequest
from f1_bronze.simulator.faults import HANDLERS, FaultContext, FaultTarget
from f1_bronze.simulator.queries import RequestQuery
from f1_bronze.simulator.responses import SimulatedResponse, Transmission
from f1_bronze.simulator.sources import LISTINGS, SESSION_ENDPOINTS, Record, SeasonSource

BASE_PATH = "/v1"

TOKEN_PATH = "/token"

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


class Api:
    """Answers requests from a source, behaving as a Control says."""

    def __init__(self, source: SeasonSource, control: Control) -> None:
        self._source = source
        self._control = control

    def answer(self, request: IncomingRequest) -> SimulatedResponse:
        """The answer, its body written, noted in the journal. Never raises on bad input."""
        control = self._control
        now = control.behaviour.clock()
        turn = control.next_turn()
        endpoint = _endpoint(request.path)
        if endpoint != "token":
            control.journal.arrived(now)
        if control.behaviour.latency_seconds:
            control.behaviour.sleep(control.behaviour.latency_seconds)
        hits: list[str] = []
        if endpoint == "token":
            answer = self._with_faults(
                request, self._target(request, endpoint, turn, now), turn, hits
            )
        else:
            answer = self._admitted(request, endpoint, turn, hits, now)
        rows = len(answer.rows or ())
        answer = responses.written(answer, turn)
        control.journal.note(
            LoggedRequest(
                number=turn,
                method=request.method,
                path=request.path,
                query=request.query,
                endpoint=endpoint,
                status=None if answer.delivery in _UNANSWERED else answer.status,
                time=now,
                rows=rows,
                body_bytes=len(answer.body),
                faults=tuple(hits),
            )
        )
        return answer

    def _admitted(
        self, request: IncomingRequest, endpoint: str, turn: int, hits: list[str], now: float
    ) -> SimulatedResponse:
        control = self._control
        token = _bearer(request.authorization)
        paid = token is not None and control.is_valid(token)
        limiter = control.limiter(paid=paid)
        refused_by = limiter.admit(now)
        if refused_by is not None:
            wait = refused_by.seconds - now % refused_by.seconds
            header = str(int(wait) + 1) if control.behaviour.retry_after else None
            return responses.rate_limited(refused_by.sentence(), header)
        if token is not None and not paid:
            return responses.bad_token()
        if not paid and control.behaviour.is_live(now):
            return responses.live_closed()
        target = self._target(request, endpoint, turn, now, paid=paid)
        answer = self._with_faults(request, target, turn, hits)
        if answer.status == 429:
            limiter.forget_one()
        return answer

    def _target(
        self, request: IncomingRequest, endpoint: str, turn: int, now: float, *, paid: bool = False
    ) -> FaultTarget:
        query = RequestQuery.parse(request.query)
        return FaultTarget(
            endpoint,
            query,
            now=now,
            paid=paid,
            count_rows=lambda: len(self._plain(request, endpoint, query, turn, now).rows or ()),
        )

    def _with_faults(
        self,
        request: IncomingRequest,
        target: FaultTarget,
        turn: int,
        hits: list[str],
        start: int = 0,
    ) -> SimulatedResponse:
        found = self._control.faults.next_hit(target, start)
        if found is None:
            return self._plain(request, target.endpoint, target.query, turn, target.now)
        place, fault = found
        hits.append(fault.kind)
        return HANDLERS[fault.kind](
            fault,
            FaultContext(
                turn=turn,
                now=target.now,
                sleep=self._control.behaviour.sleep,
                expire_tokens=self._control.expire_tokens,
            ),
            lambda: self._with_faults(request, target, turn, hits, place),
        )

    def _plain(
        self, request: IncomingRequest, endpoint: str, query: RequestQuery, turn: int, now: float
    ) -> SimulatedResponse:
        if endpoint == "token":
            return self._login(request)
        if endpoint not in LISTINGS and endpoint not in SESSION_ENDPOINTS:
            return responses.not_found()
        if request.method != "GET":
            return responses.wrong_method()
        query = query.with_latest(self._latest(now))
        if endpoint in LISTINGS:
            rows: list[Record] = [row for row in self._listing(endpoint) if query.admits(row)]
            if len(rows) > self._control.behaviour.most_rows(endpoint):
                return responses.too_much()
            return SimulatedResponse(status=200, rows=rows)
        return self._of_sessions(endpoint, query, turn, now)

    def _login(self, request: IncomingRequest) -> SimulatedResponse:
        if request.method != "POST":
            return responses.wrong_method()
        form = parse_qs(request.body.decode("utf-8", "replace"))
        username, password = form.get("username", [""])[-1], form.get("password", [""])[-1]
        token = self._control.new_token(username, password)
        if token is None:
            return responses.bad_login()
        life = str(self._control.behaviour.token_seconds)  # a string upstream, too
        return responses.json_answer(
            200, {"access_token": token, "expires_in": life, "token_type": "bearer"}
        )

    def _listing(self, endpoint: str) -> Sequence[Record]:
        source = self._source
        return source.sessions() if endpoint == "sessions" else source.meetings()

    def _latest(self, now: float) -> Mapping[str, int]:
        moment = datetime.fromtimestamp(now, UTC)
        begun = [s for s in self._source.sessions() if _date(s, "date_start") <= moment]
        last = max(begun, key=lambda s: _date(s, "date_start"), default=None)
        return {} if last is None else {field: last[field] for field in _SESSION_FIELDS}

    def _of_sessions(
        self, endpoint: str, query: RequestQuery, turn: int, now: float
    ) -> SimulatedResponse:
        behaviour = self._control.behaviour
        if endpoint == "laps" and not query.fields & {"session_key", "meeting_key"}:
            return responses.too_much()
        about_session = query.only(*_SESSION_FIELDS)
        if query.unreadable:
            return responses.no_results()
        sessions = self._source.sessions()
        keys = [s["session_key"] for s in sessions if about_session.admits(s)]
        listed = {s["session_key"] for s in sessions}
        keys += [key for key in query.listed("session_key") if key not in listed]
        if len(keys) > behaviour.too_many_sessions:
            return responses.server_error()
        hidden = self._unsettled(now)
        per_row = bool(query.fields - set(_SESSION_FIELDS))
        rows: list[Record] = []
        touched = 0
        for key in keys:
            if key in hidden:
                continue
            found = self._source.rows(endpoint, key)
            # The session's own keys were checked on the session, except for unlisted ones.
            skip = _SESSION_FIELDS if key in listed else ()
            if per_row or not skip:
                found = [row for row in found if query.admits(row, skip)]
            touched += bool(found)
            rows.extend(found)
            if len(rows) > behaviour.most_rows(endpoint):
                return responses.too_much()
        if touched > 1:
            random.Random(turn).shuffle(rows)
        return SimulatedResponse(status=200, rows=rows)

    def _unsettled(self, now: float) -> set[int]:
        limit = now - self._control.behaviour.settle_seconds
        moment = datetime.fromtimestamp(limit, UTC)
        return {s["session_key"] for s in self._source.sessions() if _date(s, "date_end") > moment}


def _date(session: Record, field: str) -> datetime:
    return datetime.fromisoformat(session[field])


def _endpoint(path: str) -> str:
    if path == TOKEN_PATH:
        return "token"
    return path.removeprefix(f"{BASE_PATH}/") if path.startswith(f"{BASE_PATH}/") else path


def _bearer(header: str | None) -> str | None:
    if header is None:
        return None
    kind, _, token = header.partition(" ")
    return token.strip() if kind.lower() == "bearer" else header
