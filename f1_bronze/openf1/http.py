"""One HTTP request: connections, headers, what can go wrong in transport, and the login's token."""

import json
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, metadata
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
import urllib3
from requests.auth import AuthBase

from f1_bronze.openf1.answers import (
    FailedAttempt,
    FailureKind,
    OpenF1Error,
    Refused,
    Unavailable,
    without_login,
)
from f1_bronze.openf1.time_limit import TimeLimit, WatchedAdapter

_CHUNK = 1 << 16
_RENEW_EARLY = 60.0
"""Seconds before its end at which a token is renewed."""

_DEFAULT_TOKEN_LIFE = 3600.0


def origin(url: str) -> str:
    """Scheme, host and port: what a token is good for."""
    parts = urlsplit(without_login(url))
    return f"{parts.scheme}://{parts.netloc}".lower()


def _user_agent() -> str:
    """Our name and version, with the address that the installed package gives for itself."""
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


Params = Sequence[tuple[str, str | int]]
Validate = Callable[[list[dict[str, Any]]], str | None]


class ApiRequest:
    """What is asked of one endpoint, and how it has gone so far.

    Attributes:
        url: what is asked, perhaps with a login in it; `shown_url` is without.
        title: for progress: the endpoint and how many sessions are asked for.
        asked: for messages, where sixty keys would be too long.
        failures: failed attempts by kind.
        calls, retries: HTTP requests so far, and those that repeated an earlier one.
        spent: seconds spent on requests and back-offs.
        repeating: whether the next HTTP request repeats one.
        token_renewed: whether a refused token has been replaced, which is done once.
    """

    def __init__(
        self, base_url: str, endpoint: str, params: Params, validate: Validate | None = None
    ) -> None:
        self.endpoint = endpoint
        self.validate = validate
        self.sessions = sum(key == "session_key" for key, _ in params)
        self.url = f"{base_url}/{endpoint}" + (f"?{urlencode(params)}" if params else "")
        self.shown_url = without_login(self.url)
        many = f"{self.sessions} session{'s' if self.sessions > 1 else ''}"
        self.title = f"{endpoint} of {many}" if self.sessions else endpoint
        self.asked = self.shown_url
        if self.sessions > 1:
            self.asked = f"{self.shown_url.partition('?')[0]} for {many}"
        self.failures: Counter[FailureKind] = Counter()
        self.calls = 0
        self.retries = 0
        self.spent = 0.0
        self.repeating = False
        self.token_renewed = False

    def log_fields(self, status: int | str | None, **more: object) -> dict[str, object]:
        """The structured part of a log line about this request."""
        return {
            "endpoint": self.endpoint,
            "sessions": self.sessions,
            "status": status,
            "attempt": self.calls,
            **more,
        }

    def to_final_error(self, failed: FailedAttempt) -> OpenF1Error:
        """What to raise when the last attempt has failed."""
        if failed.final is not None:
            return failed.final
        calls = f"{self.calls} call{'s' if self.calls != 1 else ''}"
        cost = f"after {calls} in {self.spent:.0f} s ({failed.reason})"
        if failed.kind is FailureKind.UNREACHED:
            return Unavailable(
                f"OpenF1 could not be reached for {self.asked} {cost}; check the network and "
                "F1_BRONZE_OPENF1_URL, or run this again later.",
                reached=False,
            )
        fewer = "ask for fewer sessions, or " if self.sessions > 1 else ""
        return Unavailable(
            f"OpenF1 did not answer {self.asked} {cost}; {fewer}run this again later.",
            status=failed.status,
        )


@dataclass(frozen=True, kw_only=True)
class HttpResponse:
    """A response, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def redirect(self) -> str | None:
        """Where a redirect leads, as the server wrote it; None when this is no redirect."""
        redirects = self.status in (301, 302, 303, 307, 308)
        return self.headers.get("location") or None if redirects else None


class AnswerTooLarge(Exception):
    """The body of a response is larger than allowed; the rest of it was not read."""


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
        adapter = WatchedAdapter(pool_connections=10, pool_maxsize=20, max_retries=0)
        session.mount(scheme, adapter)
    return session


def send(
    session: requests.Session,
    method: str,
    url: str,
    *,
    timeout: tuple[float, float],
    clock: Callable[[], float],
    at_most: float,
    most_bytes: int,
    form: Mapping[str, str] | None = None,
    token: str | None = None,
) -> HttpResponse:
    """Send one request and read the response, within `at_most` seconds; follows no redirect.

    `clock` is in seconds and does not go back.

    Raises:
        FailedAttempt: it is worth retrying.
        Refused: it is not.
        AnswerTooLarge: the body has more than `most_bytes`, decompressed.
    """
    began = clock()
    too_late = FailedAttempt(FailureKind.TIMED_OUT, f"no complete answer within {at_most:.0f} s")
    limit = TimeLimit(at_most)
    try:
        with limit:
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
                    if len(body) > most_bytes:
                        raise AnswerTooLarge
                    if clock() - began > at_most:
                        raise too_late
            finally:
                response.close()
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        raise (too_late if limit.expired else _translate(error, url)) from None
    if limit.expired:  # a body whose length is not known ends wherever the connection does
        raise too_late
    return HttpResponse(status=response.status_code, headers=response.headers, body=bytes(body))


def _translate(error: Exception, url: str) -> FailedAttempt | Refused:
    """What to raise in place of an error of requests, whose text may hold the proxy's password."""
    causes = tuple(_causes(error))
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return Refused(
            f"The certificate of {origin(url)} cannot be verified; check the system's clock and "
            "certificates (REQUESTS_CA_BUNDLE) and F1_BRONZE_OPENF1_URL."
        )
    if any(isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError) for cause in causes):
        return FailedAttempt(FailureKind.FAILED, "TLS connection cut short")
    if isinstance(error, requests.exceptions.SSLError):
        return Refused(
            f"No TLS connection to {origin(url)} can be made; check F1_BRONZE_OPENF1_URL and the "
            "proxy."
        )
    if reason := _why_unreached(error, causes):
        return FailedAttempt(FailureKind.UNREACHED, reason)
    if any(isinstance(c, requests.Timeout | urllib3.exceptions.ReadTimeoutError) for c in causes):
        return FailedAttempt(FailureKind.TIMED_OUT, "read timeout")
    name = type(error).__name__
    if isinstance(error, ValueError):
        # InvalidURL, MissingSchema, InvalidHeader, InvalidProxyURL and LocationParseError all are.
        return Refused(
            f"{origin(url)} is not an address that can be asked ({name}); check "
            "F1_BRONZE_OPENF1_URL and the proxy settings."
        )
    return FailedAttempt(FailureKind.FAILED, f"transport error ({name})")


def _why_unreached(error: Exception, causes: Sequence[BaseException]) -> str:
    """Why there was no connection to the server; empty when there was one."""
    if isinstance(error, requests.ConnectTimeout):
        return "no connection in time"
    if isinstance(error, requests.exceptions.ProxyError):
        return "no connection through the proxy"
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return "its host name has no address"
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return "connection refused"
    if any(isinstance(cause, urllib3.exceptions.NewConnectionError) for cause in causes):
        return "no connection"
    return ""


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
    """The current token, asked for when needed; thread-safe. `clock` is in seconds."""

    def __init__(self, credentials: Credentials, clock: Callable[[], float]) -> None:
        self._credentials = credentials
        self._clock = clock
        self._lock = threading.Lock()
        self._token = ""
        self._good_until = 0.0

    def __repr__(self) -> str:
        return "Login(…)"

    def token(self, post: Callable[[dict[str, str]], bytes]) -> str:
        """A token that is still good, fetched when there is none.

        `post(form)` sends the form to the token address and returns the body of a successful
        answer; its errors pass through. An answer without a token is a `FailedAttempt`, and
        `Refused` if it stays.
        """
        with self._lock:
            if not self._token or self._clock() >= self._good_until:
                asked_at = self._clock()
                form = {
                    "username": self._credentials.username,
                    "password": self._credentials.password,
                }
                self._token, life = _read_token(post(form))
                self._good_until = asked_at + max(life - _RENEW_EARLY, life / 2)
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
        raise FailedAttempt(FailureKind.FAILED, "a login without a token", final=refused)
    try:
        life = float(answer.get("expires_in", _DEFAULT_TOKEN_LIFE))
    except (TypeError, ValueError):
        life = _DEFAULT_TOKEN_LIFE
    return token, life if 0 < life < 86_400 * 365 else _DEFAULT_TOKEN_LIFE
