"""How moments, errors and facets are put for an event.

Belongs here: a moment as text, an error without secrets, a facet as plain data. Stays out: what is
told (run_facets.py, dataset_facets.py).
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

Facets = dict[str, Any]

"""Facets by the key under which an event carries them: the client's objects, or plain data."""

_LONGEST_MESSAGE = 1_000

_SECRET = re.compile(
    r"(?i)(?P<name>(?:password|passwd|secret|token|api[_-]?key|authorization|credential)\w*"
    r"[\"']?\s*[=:]\s*(?:(?:bearer|basic)\s+)?[\"']?)[^\s\"'&,;]+"
)

_USERINFO = re.compile(r"(?P<scheme>\w://)[^/\s@]+@")


def moment(at: datetime) -> str:
    """A moment as OpenLineage writes it, with microseconds.

    >>> moment(datetime(2026, 11, 23, 6, 4, 7, tzinfo=UTC))
    '2026-11-23T06:04:07.000000Z'
    """
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def remove_secrets(text: str) -> str:
    """The text with what looks like a secret taken out, and not longer than a thousand letters.

    >>> remove_secrets("GET https://me:pw@host/x?token=abc failed")
    'GET https://host/x?token=… failed'
    """
    text = _USERINFO.sub(r"\g<scheme>", text)
    return _SECRET.sub(r"\g<name>…", text)[:_LONGEST_MESSAGE]


def plain(facets: Facets) -> Mapping[str, Any]:
    """The facets as plain data.

    What a declaration alone decides is kept so, because the client takes a millisecond to turn an
    object with a hundred columns into JSON, and a season has hundreds of them.
    """
    from openlineage.client.serde import Serde

    return {key: Serde.to_dict(facet) for key, facet in facets.items()}
