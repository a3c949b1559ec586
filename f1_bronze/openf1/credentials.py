"""The optional login of paid access: a token, kept until shortly before it expires.

Belongs here: what is sent to `/token`, what comes back, how long it holds. Stays out: HTTP
(client.py sends the form). No name, password or token ever reaches a log, a repr or an error.
"""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from f1_bronze.openf1.outcomes import Refused
from f1_bronze.openf1.retries import Fault, FaultKind

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
