"""What becomes of a metric that is sent.

Belongs here: the outcomes, the one error, and the port that every sink keeps. Stays out: the sinks
(cloudwatch.py, metric_files.py).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from f1_bronze.telemetry.metric_kinds import Metric


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
