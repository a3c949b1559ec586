"""An S3 client that does something else with one kind of request.

Belongs here: the client, the store that uses it, and ways to meddle that several tests share. Stays
out: assertions.
"""

from collections.abc import Callable
from typing import Any

import boto3
from botocore.exceptions import ClientError

from f1_bronze.lake.s3 import S3Store

CONDITIONS = ("IfMatch", "IfNoneMatch")
Meddle = Callable[[Any, int, dict[str, Any]], Any]
"""Gets the client's own method, the number of the call and its arguments."""


class Meddling:
    """A client that does something else with a PUT or DELETE, once or always."""

    def __init__(self, verb: str, meddle: Meddle) -> None:
        self._client = boto3.client("s3")
        self._verb, self._meddle = verb, meddle
        self.calls: list[dict[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        asked = getattr(self._client, name)
        if name != self._verb:
            return asked

        def call(**arguments: Any) -> Any:
            self.calls.append(arguments)
            return self._meddle(asked, len(self.calls), arguments)

        return call


def answering(code: str) -> ClientError:
    """The error of an S3 that answers so."""
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "PutObject")


def meddled(bucket: str, verb: str, meddle: Meddle) -> tuple[S3Store, Meddling]:
    """A store whose client does so, and that client."""
    client: Any = Meddling(verb, meddle)
    return S3Store(bucket=bucket, client=lambda: client), client


def not_implemented(asked: Any, call: int, arguments: dict[str, Any]) -> Any:
    """As a store that knows no conditions and says so."""
    if any(condition in arguments for condition in CONDITIONS):
        raise answering("NotImplemented")
    return asked(**arguments)


def unconditional(asked: Any, call: int, arguments: dict[str, Any]) -> Any:
    """As a store that passes over conditions in silence."""
    return asked(**{name: value for name, value in arguments.items() if name not in CONDITIONS})
