"""An S3 client whose PUT or DELETE does something else, and a store that uses it."""

from collections.abc import Callable
from typing import Any

import boto3
from botocore.exceptions import ClientError

from f1_bronze.lake.s3 import S3Store

CONDITIONS = ("IfMatch", "IfNoneMatch")
# Gets the client's own method, the number of the call and its arguments.
Patch = Callable[[Any, int, dict[str, Any]], Any]


class PatchedClient:
    """A boto3 client of which one method is replaced."""

    def __init__(self, verb: str, patch: Patch) -> None:
        self._client = boto3.client("s3")
        self._verb, self._patch = verb, patch
        self.calls: list[dict[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        if name != self._verb:
            return method

        def call(**arguments: Any) -> Any:
            self.calls.append(arguments)
            return self._patch(method, len(self.calls), arguments)

        return call


def client_error(code: str) -> ClientError:
    """The error that boto3 raises for this code."""
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "PutObject")


def patched_store(bucket: str, verb: str, patch: Patch) -> tuple[S3Store, PatchedClient]:
    """A store with a patched client, and that client."""
    client: Any = PatchedClient(verb, patch)
    return S3Store(bucket=bucket, client=lambda: client), client


def not_implemented(method: Any, call: int, arguments: dict[str, Any]) -> Any:
    """A store that does not support conditions and says so."""
    if any(condition in arguments for condition in CONDITIONS):
        raise client_error("NotImplemented")
    return method(**arguments)


def ignoring_conditions(method: Any, call: int, arguments: dict[str, Any]) -> Any:
    """A store that ignores conditions in silence."""
    return method(**{name: value for name, value in arguments.items() if name not in CONDITIONS})
