"""One HTTP exchange: a request out, status, headers and body back, or a fault in our words.

Belongs here: requests, its exceptions, and the time one exchange may take. Stays out: what a
reply means (outcomes.py), pace and retries (client.py). The texts of requests' exceptions stay
here too: they can hold the address of a proxy with its password.
"""

import socket
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase

from f1_bronze.openf1.addresses import origin
from f1_bronze.openf1.outcomes import Refused
from f1_bronze.openf1.retries import Fault, FaultKind


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
