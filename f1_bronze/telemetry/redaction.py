"""Takes secrets out of texts and addresses before metrics, lineage, alerts and logs show them."""

import re
from base64 import b64encode
from collections.abc import Iterable
from urllib.parse import unquote, urlsplit, urlunsplit

_LONGEST_MESSAGE = 1_000

_SECRET = re.compile(
    r"(?i)(?P<name>(?:password|passwd|secret|token|api[_-]?key|authorization|credential)\w*"
    r"[\"']?\s*[=:]\s*(?:(?:bearer|basic)\s+)?[\"']?)[^\s\"'&,;]+"
)

_USERINFO = re.compile(r"(?P<scheme>\w://)[^/\s@]+@")


def remove_secrets(text: str, known: Iterable[str] = ()) -> str:
    """The text without what looks like a secret, cut to a thousand characters.

    Args:
        text: what is to be shown.
        known: secrets by their value, which need not look like any.

    >>> remove_secrets("GET https://me:pw@host/x?token=abc failed")
    'GET https://host/x?token=… failed'
    >>> remove_secrets("no such key: hunter2", known=["hunter2"])
    'no such key: …'
    """
    for secret in known:
        text = text.replace(secret, "…")
    text = _USERINFO.sub(r"\g<scheme>", text)
    return _SECRET.sub(r"\g<name>…", text)[:_LONGEST_MESSAGE]


def public_host(url: str) -> str:
    """Host and port of an address, without a login.

    >>> public_host("https://me:pw@marquez.example.org:5000/api?key=1")
    'marquez.example.org:5000'
    """
    return urlsplit(url).netloc.rpartition("@")[2]


def public_url(url: str) -> str:
    """The address of one session's rows without anything that could be a secret.

    >>> public_url("https://me:pw@api.openf1.org/v1/laps?session_key=9472&token=t#x")
    'https://api.openf1.org/v1/laps?session_key=9472'
    """
    parts = urlsplit(url)
    query = "&".join(p for p in parts.query.split("&") if p.startswith("session_key="))
    return urlunsplit((parts.scheme, public_host(url), parts.path, query, ""))


def login_secrets(url: str) -> tuple[str, ...]:
    """The password of an address in each form in which a server meets it, and may repeat it.

    >>> login_secrets("https://me:p%40w@host")
    ('bWU6cEB3', 'p@w', 'p%40w')
    """
    parts = urlsplit(url)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if not password:
        return ()
    return b64encode(f"{user}:{password}".encode()).decode(), password, parts.password or ""
