"""The ports of telemetry: files in the lake, and sinks that are sent metrics, events or alerts.

A sink answers for each item that it has it (`Sent`) or never will (`Dropped`), or it raises
`SinkUnavailable`: then the rest is sent later, and nothing is lost.
"""

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol, TypeVar

_T = TypeVar("_T")

_Item = TypeVar("_Item", contravariant=True)


class ListedFile(Protocol):
    """One file of a listing."""

    @property
    def path(self) -> str:
        """Relative to the root."""


class Files(Protocol):
    """Whole files by path; an ObjectStore of the lake is one. Its errors are passed on."""

    def read(self, path: str) -> bytes | None:
        """The file's bytes; None when there is none."""

    def write(self, path: str, data: bytes, metadata: Mapping[str, str]) -> None:
        """Put the file in place at once."""

    def list(self, prefix: str) -> Iterator[ListedFile]:
        """The files whose path begins with the prefix."""


@dataclass(frozen=True)
class Sent:
    """The sink has the item."""


@dataclass(frozen=True, kw_only=True)
class Dropped:
    """The sink will never take the item; no other is held up by it.

    Attributes:
        reason: what is wrong in two or three words.
        detail: what exactly, for a log.
    """

    reason: str
    detail: str = ""


Outcome = Sent | Dropped


class SinkUnavailable(Exception):
    """Send the rest later; the message ends with the remedy and holds no secret.

    Attributes:
        sent: ids of the items that need not be sent again, for `sent_before`.
        in_doubt: whether the sink may have taken more than it said, so that a sum may count twice.
    """

    def __init__(self, message: str, *, sent: Collection[str] = (), in_doubt: bool = False) -> None:
        super().__init__(message)
        self.sent = tuple(sent)
        self.in_doubt = in_doubt


class Sink(Protocol[_Item]):
    """Where items are sent, in bounded time."""

    def send(
        self, items: Sequence[_Item], *, sent_before: Collection[str] = ()
    ) -> tuple[Outcome, ...]:
        """An outcome for each item, in their order; raises `SinkUnavailable`.

        `sent_before` has ids that an earlier, interrupted sending has delivered already.
        """


def start_thread(call: Callable[[], _T], name: str) -> "Future[_T]":
    """The call in a daemon thread of this name; one of an executor would outlive the process."""
    future: Future[_T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001  raised again where the result is awaited
            future.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future
