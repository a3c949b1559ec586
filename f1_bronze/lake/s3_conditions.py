"""Requests to S3 that are done only if an object is as expected.

Belongs here: the conditions, what a refusal means, and what to do where a store has none. Stays
out: the requests themselves (s3.py).
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from f1_bronze.lake.errors import Conflict
from f1_bronze.lake.stores import ABSENT

WRITE_ID = "write-id"
"""Object metadata: which write put this object there."""

_NOT_AS_EXPECTED = {
    "PreconditionFailed",
    "412",
    "ConditionalRequestConflict",  # another conditional write was under way
    "OperationAborted",
    "NoSuchKey",  # the object to be replaced is gone
    "404",
}
_NOT_KNOWN = {"NotImplemented", "501"}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Head:
    """What S3 says of an object without its bytes."""

    version: str
    metadata: Mapping[str, str]


class Conditions:
    """The conditional requests of one store, as far as it knows them.

    Attributes:
        known: False from the first request on whose condition the store did not know.
    """

    def __init__(self) -> None:
        self.known = True

    def put(
        self,
        uri: str,
        expected: str | None,
        metadata: Mapping[str, str],
        *,
        request: Callable[[dict[str, Any]], object],
        head: Callable[[], Head | None],
    ) -> None:
        """Send a PUT with these conditions; `Conflict` if something else lies there.

        The client repeats a request whose answer was lost, and the repetition finds our own
        object. Each write has an id in the object's metadata, so that it is known again.
        """
        if expected is None:
            request({"Metadata": dict(metadata)})
            return
        write_id = uuid4().hex
        marked = {"Metadata": {**metadata, WRITE_ID: write_id}}

        def is_ours() -> bool:
            there = head()
            return there is not None and there.metadata.get(WRITE_ID) == write_id

        condition = {"IfNoneMatch": "*"} if expected == ABSENT else {"IfMatch": expected}
        self._send(uri, expected, condition, lambda c: request(marked | c), head, is_ours)

    def delete(
        self,
        uri: str,
        expected: str | None,
        *,
        request: Callable[[dict[str, Any]], object],
        head: Callable[[], Head | None],
    ) -> None:
        """Send a DELETE with these conditions; `Conflict` if something else lies there."""
        if expected is None:
            request({})
            return
        self._send(uri, expected, {"IfMatch": expected}, request, head, lambda: head() is None)

    def _send(
        self,
        uri: str,
        expected: str,
        condition: dict[str, Any],
        request: Callable[[dict[str, Any]], object],
        head: Callable[[], Head | None],
        is_done: Callable[[], bool],
    ) -> None:
        from botocore.exceptions import ClientError

        if self.known:
            try:
                request(condition)
            except ClientError as error:
                code = error.response.get("Error", {}).get("Code", "unknown")
                if code in _NOT_AS_EXPECTED:
                    if is_done():
                        return
                    raise Conflict(uri) from error
                if code not in _NOT_KNOWN:
                    raise
                self.known = False
                _log.warning(
                    "The store of %s knows no conditional requests: let one writer at a time use "
                    "this lake.",
                    uri,
                )
            else:
                return
        there = head()  # no more than a look before the leap: the store can do no better
        if (there.version if there else ABSENT) != expected:
            raise Conflict(uri)
        request({})
