"""The port to the lake: whole files by path.

Belongs here: what telemetry needs of a store. Stays out: the stores (lake/), what is kept in them.
"""

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeVar

from f1_bronze.telemetry.alerts.wording import Alert
from f1_bronze.telemetry.metrics.kinds import Metric


class Stored(Protocol):
    """One file of a listing."""

    @property
    def path(self) -> str:
        """Relative to the root."""


class Files(Protocol):
    """Whole files by path; an ObjectStore of the lake is one. What it raises is passed on."""

    def read(self, path: str) -> bytes | None:
        """The file's bytes; None when there is none."""

    def write(self, path: str, data: bytes, metadata: Mapping[str, str]) -> None:
        """Put the file in place at once."""

    def list(self, prefix: str) -> Iterator[Stored]:
        """The files whose path begins with the prefix."""


_T = TypeVar("_T")


def begun(call: Callable[[], _T], name: str) -> "Future[_T]":
    """The call, under way in a thread of this name; an executor's would outlive the process."""
    future: Future[_T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001  who waits for the result raises it
            future.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future


class DropReason(StrEnum):
    """Why a metric can never be sent."""

    NOT_FINITE = "not finite"
    OUT_OF_RANGE = "out of range"
    BAD_NAME = "bad name"
    BAD_DIMENSIONS = "bad dimensions"
    TOO_OLD = "older than two weeks"
    IN_THE_FUTURE = "more than two hours ahead"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True)
class Sent:
    """The sink has it."""

    metric: Metric


@dataclass(frozen=True, kw_only=True)
class Dropped:
    """The sink will never take it; nothing else is held up by it.

    Attributes:
        detail: what was wrong, for a log.
    """

    metric: Metric
    reason: DropReason
    detail: str


Outcome = Sent | Dropped


class SinkUnavailable(Exception):
    """Send the rest later; the message ends with the remedy.

    Attributes:
        sent: ids of the metrics that need not be sent again, for `sent_before`.
        in_doubt: whether the sink may have taken more than it said, so that a sum may count twice.
    """

    def __init__(self, message: str, *, sent: Collection[str] = (), in_doubt: bool = False) -> None:
        super().__init__(message)
        self.sent = tuple(sent)
        self.in_doubt = in_doubt


class MetricSink(Protocol):
    """Where metrics are sent."""

    def send(
        self, metrics: Sequence[Metric], *, sent_before: Collection[str] = ()
    ) -> tuple[Outcome, ...]:
        """An outcome for each metric, in their order.

        `sent_before` has ids that an earlier, interrupted sending has delivered already.
        """


class AlertsUnavailable(Exception):
    """Send it later; the message ends with the remedy and holds no secret."""


class AlertRefused(Exception):
    """The sink will never take this one; nothing else is held up by it."""


class AlertSink(Protocol):
    """Where alerts are sent, within some seconds each.

    Raises `AlertsUnavailable` or `AlertRefused`.
    """

    def send(self, alert: Alert) -> None:
        """Returns when the sink has it."""
