"""Addresses of the API as they may be shown and compared.

Belongs here: pure functions of an address. Stays out: sending anything to it (transport.py).
"""

from urllib.parse import urlsplit, urlunsplit


def without_login(url: str) -> str:
    """The address without user name and password, fit for logs and metadata.

    >>> without_login("https://me:secret@example.org/v1")
    'https://example.org/v1'
    """
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def origin(url: str) -> str:
    """Scheme, host and port: what a token is good for."""
    parts = urlsplit(without_login(url))
    return f"{parts.scheme}://{parts.netloc}".lower()
