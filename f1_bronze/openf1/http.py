"""One attempt at a question: login, redirects, the HTTP request in its turn, what it meant.

Belongs here: what is sent for a single attempt, counted. Stays out: repeating it and the circuit
breaker (client.py), the exchange itself (transport.py), the wait for a turn (pace.py).
"""

import json
import random
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, metadata
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase

from f1_bronze.openf1.answers import (
    Counters,
    Fault,
    FaultKind,
    Kind,
    Question,
    Refused,
    Unavailable,
    Verdict,
    error_for,
    limit_pause,
    origin,
    read_answer,
    strange_records,
    without_login,
)
from f1_bronze.openf1.budget import Pace


def _user_agent() -> str:
    """Who asks, with the address that the installed package gives for itself, if it gives one."""
    try:
        known = metadata("f1-bronze")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "f1-bronze/0 (+bronze ingestion of OpenF1, checkout)"
    addresses = [entry.partition(",")[2].strip() for entry in known.get_all("Project-URL") or ()]
    return f"f1-bronze/{known['Version']} (+{(addresses or ['bronze ingestion of OpenF1'])[0]})"


_HEADERS = {
    "User-Agent": _user_agent(),
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",
}

_CHUNK = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What came back, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _Bearer(AuthBase):
    """The token of one request. As `auth` it takes the place of an entry in ~/.netrc."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token is not None:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def new_session() -> requests.Session:
    """A session with a pool of connections and no retries of its own."""
    session = requests.Session()
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(pool_connections=10, pool_maxsize=20, max_retries=0))
    return session


def exchange(
    session: requests.Session,
    method: str,
    url: str,
    *,
    timeout: tuple[float, float],
    clock: Callable[[], float],
    at_most: float,
    form: Mapping[str, str] | None = None,
    token: str | None = None,
) -> Reply:
    """Send one request and read the reply, within `at_most` seconds; redirects are not followed.

    `Fault` when it is worth repeating, `Refused` when it is not.
    """
    began = clock()
    try:
        response = session.request(
            method,
            url,
            data=form,
            headers=_HEADERS,
            auth=_Bearer(token),
            timeout=timeout,
            allow_redirects=False,
            stream=True,
        )
        try:
            body = bytearray()
            for chunk in response.iter_content(_CHUNK):
                body += chunk
                if clock() - began > at_most:  # a body that trickles in never times out by itself
                    raise Fault(FaultKind.TIMED_OUT, f"no whole answer within {at_most:.0f} s")
        finally:
            response.close()
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        raise _in_our_words(error, url) from None
    return Reply(status=response.status_code, headers=response.headers, body=bytes(body))


def _in_our_words(error: Exception, url: str) -> Exception:
    name = type(error).__name__
    causes = tuple(_causes(error))
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return Refused(
            f"The certificate of {origin(url)} cannot be verified; check the system's clock and "
            "certificates (REQUESTS_CA_BUNDLE) and F1_BRONZE_OPENF1_URL."
        )
    if any(isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError) for cause in causes):
        return Fault(FaultKind.FAILED, "TLS connection cut short")
    if isinstance(error, requests.exceptions.SSLError):
        return Refused(
            f"No TLS connection to {origin(url)} can be made; check F1_BRONZE_OPENF1_URL and the "
            "proxy."
        )
    unreached = _unreached(error, causes)
    if unreached is not None:
        return Fault(FaultKind.UNREACHED, unreached)
    if any(isinstance(c, requests.Timeout | urllib3.exceptions.ReadTimeoutError) for c in causes):
        return Fault(FaultKind.TIMED_OUT, "read timeout")
    if isinstance(error, ValueError):
        # InvalidURL, MissingSchema, InvalidHeader, InvalidProxyURL, LocationParseError: all are it.
        return Refused(
            f"{origin(url)} cannot be asked ({name}); check F1_BRONZE_OPENF1_URL and the proxy "
            "settings."
        )
    return Fault(FaultKind.FAILED, f"transport fault ({name})")


def _unreached(error: Exception, causes: Sequence[BaseException]) -> str | None:
    """Why there was no connection to the server; None when there was one."""
    if isinstance(error, requests.ConnectTimeout):
        return "no connection in time"
    if isinstance(error, requests.exceptions.ProxyError):
        return "no connection through the proxy"
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return "no address is known for its name"
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return "connection refused"
    if any(isinstance(cause, urllib3.exceptions.NewConnectionError) for cause in causes):
        return "no connection"
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and those it wraps, as requests and urllib3 do it (args, reason, cause)."""
    seen: set[int] = set()
    heap: list[object] = [error]
    while heap:
        one = heap.pop()
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            yield one
            heap += [*one.args, one.__cause__, one.__context__, getattr(one, "reason", None)]


_EARLY = 60.0

_DEFAULT_LIFE = 3600.0


@dataclass(frozen=True, kw_only=True, repr=False)
class Credentials:
    """User name and password of a paid OpenF1 account."""

    username: str = field(repr=False)
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        if not self.username or not self.password:
            raise ValueError(
                "A login needs both parts; set F1_BRONZE_OPENF1_USERNAME and "
                "F1_BRONZE_OPENF1_PASSWORD, or neither."
            )

    def __repr__(self) -> str:
        return "Credentials(…)"


def token_url(base_url: str) -> str:
    """Where a token is asked for: beside the version, `<root>/token`.

    >>> token_url("https://api.openf1.org/v1")
    'https://api.openf1.org/token'
    """
    root = base_url.rstrip("/")
    last = urlsplit(root).path.rpartition("/")[2]
    if last[:1] == "v" and last[1:].isdigit():
        root = root.removesuffix(f"/{last}")
    return f"{root}/token"


class Login:
    """The current token, asked for when needed; thread-safe.

    `send(form)` posts the form to the token address and returns the body of a successful answer;
    its errors pass through. `clock` in seconds.
    """

    def __init__(self, credentials: Credentials, clock: Callable[[], float]) -> None:
        self._credentials = credentials
        self._clock = clock
        self._lock = threading.Lock()
        self._token = ""
        self._good_until = 0.0

    def __repr__(self) -> str:
        return "Login(…)"

    def token(self, send: Callable[[dict[str, str]], bytes]) -> str:
        """A token that is still good, fetched when there is none.

        An answer without one is a `Fault`, `Refused` if it stays.
        """
        with self._lock:
            if not self._token or self._clock() >= self._good_until:
                asked_at = self._clock()
                form = {
                    "username": self._credentials.username,
                    "password": self._credentials.password,
                }
                token, life = _read_token(send(form))
                self._token = token
                self._good_until = asked_at + max(life - _EARLY, life / 2)
            return self._token

    def forget(self, token: str) -> None:
        """Drop that token, because it was refused; one that another thread has renewed stays."""
        with self._lock:
            if self._token == token:
                self._token = ""


def _read_token(body: bytes) -> tuple[str, float]:
    """Token and seconds of life (`expires_in` is a string); without a sane life, an hour."""
    try:
        answer = json.loads(body)
        token = answer["access_token"]
    except (ValueError, KeyError, TypeError):
        token = None
    # Only what may stand in a header: a line break in it would end up in an error text.
    if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
        refused = Refused(
            "OpenF1 answered the login without a token; check F1_BRONZE_OPENF1_URL, or unset "
            "F1_BRONZE_OPENF1_USERNAME and F1_BRONZE_OPENF1_PASSWORD for free access."
        )
        raise Fault(FaultKind.FAILED, "a login without a token", finally_=refused)
    try:
        life = float(answer.get("expires_in", _DEFAULT_LIFE))
    except (TypeError, ValueError):
        life = _DEFAULT_LIFE
    return token, life if 0 < life < 86_400 * 365 else _DEFAULT_LIFE


_TIMEOUT = (5.0, 30.0)

_AT_MOST = 30.0

_ONE_SESSION = (("session_key", 9158),)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How the API answered one question.

    Attributes:
        url: what was asked, without credentials.
        seconds: how long the answer took; waiting for the shared budget is not in it.
        moved_to: scheme and host that the API sends its askers to; empty if it does not.
    """

    url: str
    seconds: float
    moved_to: str = ""


def ask_once(
    base_url: str,
    *,
    pace: Pace,
    credentials: Credentials | None = None,
    clock: Callable[[], float] = time.time,
    session: requests.Session | None = None,
    observer: Callable[[str], None] | None = None,
) -> Standing:
    """Ask for one session, in turn and only once; with credentials a login precedes it.

    `ClosedForLiveSession`, `Refused` or `Unavailable` as for any other question. A 429 makes
    everybody wait who shares the budget, as it always does.
    """
    question = Question(base_url.rstrip("/"), "sessions", _ONE_SESSION)
    own = new_session() if session is None else session

    def send(method: str, url: str, form: dict[str, str] | None, token: str | None) -> Reply:
        pace.wait("doctor", observer)
        return exchange(
            *(own, method, url),
            timeout=_TIMEOUT,
            clock=clock,
            at_most=_AT_MOST,
            form=form,
            token=token,
        )

    def log_in(form: dict[str, str]) -> bytes:
        url = token_url(base_url)
        reply = send("POST", url, form, None)
        if reply.status in (400, 401, 403, 422):
            raise Refused(
                f"OpenF1 refused the login (status {reply.status}); check "
                "F1_BRONZE_OPENF1_USERNAME and F1_BRONZE_OPENF1_PASSWORD, or unset both for free "
                "access.",
                status=reply.status,
            )
        if reply.status != 200:
            _raise_unless_rows(reply, without_login(url), pace, clock)
        return reply.body

    try:
        token = Login(credentials, clock).token(log_in) if credentials else None
        began = clock()
        reply = send("GET", question.url, None, token)
        seconds = max(0.0, clock() - began)
        target = reply.headers.get("location")
        if reply.status in (301, 302, 303, 307, 308) and target:
            moved = origin(urljoin(question.url, target))
            return Standing(url=question.shown_url, seconds=seconds, moved_to=moved)
        _raise_unless_rows(reply, question.asked, pace, clock)
        return Standing(url=question.shown_url, seconds=seconds)
    except Fault as fault:
        raise fault.finally_ or Unavailable(
            f"OpenF1 did not answer {question.asked} ({fault.reason}); check the network and "
            "F1_BRONZE_OPENF1_URL, or try again later.",
            status=fault.status,
        ) from None
    finally:
        if session is None:
            own.close()


def _raise_unless_rows(reply: Reply, asked: str, pace: Pace, clock: Callable[[], float]) -> None:
    verdict, now = read_answer(reply.status, reply.headers, reply.body), clock()
    if verdict.kind is Kind.ROWS:
        return
    if verdict.kind is Kind.LIMITED:
        pace.back_off(pace.now() + limit_pause(verdict, now, random.Random()))
        raise Unavailable(
            f"OpenF1 answered {asked} with 429 ({verdict.reason}): somebody with this IP address "
            "asks besides this project, or F1_BRONZE_OPENF1_LIMITS is too high.",
            status=reply.status,
        )
    raise error_for(verdict, asked, reply.status, now)


class Tally:
    """The running counts of one client; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers: Counter[str] = Counter()
        self._by_status: Counter[str] = Counter()
        self._wait_seconds = 0.0

    def add(
        self,
        *,
        questions: int = 0,
        calls: int = 0,
        retries: int = 0,
        status: str | None = None,
        wait_seconds: float = 0.0,
        size: int = 0,
        splits: int = 0,
    ) -> None:
        """Count what happened."""
        with self._lock:
            self._numbers.update(
                questions=questions, calls=calls, retries=retries, bytes=size, splits=splits
            )
            self._wait_seconds += wait_seconds
            if status is not None:
                self._by_status[status] += 1

    def snapshot(self) -> Counters:
        """The counts now."""
        with self._lock:
            return Counters(
                questions=self._numbers["questions"],
                calls=self._numbers["calls"],
                retries=self._numbers["retries"],
                by_status=dict(self._by_status),
                wait_seconds=self._wait_seconds,
                bytes=self._numbers["bytes"],
                splits=self._numbers["splits"],
            )


_MOST_REDIRECTS = 3


class Attempts:
    """Makes single attempts, each HTTP request in its turn and counted; thread-safe.

    `timeout` is (connect, read) in seconds, `total_seconds` what a question may take in all;
    `clock` is wall-clock time in seconds.
    """

    def __init__(
        self,
        base_url: str,
        *,
        session: requests.Session,
        pace: Pace,
        login: Login | None,
        timeout: tuple[float, float],
        total_seconds: float,
        clock: Callable[[], float],
        rng: random.Random,
        observer: Callable[[str], None] | None,
        tally: Tally,
    ) -> None:
        self._base_url = base_url
        self._session = session
        self._pace = pace
        self._login = login
        self._timeout = timeout
        self._total_seconds = total_seconds
        self._clock = clock
        self._rng = rng
        self._observer = observer
        self._tally = tally

    def make(self, question: Question) -> tuple[Reply, Verdict]:
        """One attempt: an answer with rows, a `Fault` to be repeated, or an error that is final."""
        try:
            while True:
                token = None
                if self._login is not None:
                    token = self._login.token(lambda form: self._fetch_token(question, form))
                reply = self._follow(question, token)
                verdict = read_answer(reply.status, reply.headers, reply.body)
                if verdict.kind is not Kind.UNAUTHORIZED or token is None or question.token_renewed:
                    break
                assert self._login is not None  # there was a token
                self._login.forget(token)
                question.token_renewed = question.repeating = True
            self._raise_unless_rows(verdict, question, question.asked, reply.status)
            strange = question.complaint(verdict.records) if question.complaint else None
            if strange:
                raise strange_records(question, strange, reply.status)
            return reply, verdict
        except Fault as fault:
            question.course.faults[fault.kind] += 1
            question.repeating = True
            raise

    def _follow(self, question: Question, token: str | None) -> Reply:
        """Ask, and follow redirects; only the API's own host ever sees the token."""
        url = question.url
        for _ in range(_MOST_REDIRECTS + 1):
            own = origin(url) == origin(self._base_url)
            reply = self._call(question, "GET", url, token=token if own else None)
            target = reply.headers.get("location")
            if reply.status not in (301, 302, 303, 307, 308) or not target:
                return reply
            url = urljoin(url, target)
        raise Refused(
            f"{question.asked} is redirected over and over; check F1_BRONZE_OPENF1_URL.",
            status=reply.status,
        )

    def _fetch_token(self, question: Question, form: dict[str, str]) -> bytes:
        url = token_url(self._base_url)
        reply = self._call(question, "POST", url, form=form)
        if reply.status == 200:
            return reply.body
        verdict = read_answer(reply.status, reply.headers, reply.body)
        if verdict.kind in (Kind.REPEAT, Kind.LIMITED, Kind.CLOSED):
            self._raise_unless_rows(verdict, question, without_login(url), reply.status)
        raise Refused(
            f"OpenF1 refused the login (status {reply.status}); check F1_BRONZE_OPENF1_USERNAME "
            "and F1_BRONZE_OPENF1_PASSWORD, or unset both for free access.",
            status=reply.status,
        )

    def _call(
        self,
        question: Question,
        method: str,
        url: str,
        *,
        form: dict[str, str] | None = None,
        token: str | None = None,
    ) -> Reply:
        """One HTTP request, in its turn and counted."""
        waited = self._pace.wait(question.endpoint, self._observer)
        question.calls += 1
        question.retries += question.repeating
        began = self._clock()
        outcome, size = str(FaultKind.FAILED), 0
        try:
            reply = exchange(
                self._session,
                method,
                url,
                timeout=self._timeout,
                clock=self._clock,
                at_most=max(1.0, self._total_seconds - question.course.spent),
                form=form,
                token=token,
            )
            outcome, size = str(reply.status), len(reply.body)
            return reply
        except Fault as fault:
            outcome = str(fault.kind)
            raise
        finally:
            question.course.spent += max(0.0, self._clock() - began)
            self._tally.add(
                calls=1,
                retries=int(question.repeating),
                status=outcome,
                wait_seconds=waited,
                size=size,
            )
            question.repeating = False

    def _raise_unless_rows(
        self, verdict: Verdict, question: Question, asked: str, status: int
    ) -> None:
        if verdict.kind is Kind.ROWS:
            return
        now = self._clock()
        if verdict.kind is Kind.LIMITED:
            pause = limit_pause(verdict, now, self._rng)
            self._pace.back_off(self._pace.now() + pause)
            raise Fault(FaultKind.LIMITED, verdict.reason, status=status, seconds=pause)
        raise error_for(verdict, asked, status, now, several=question.sessions > 1)
