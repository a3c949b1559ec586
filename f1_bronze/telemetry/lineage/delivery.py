"""Sending events on to a consumer, in order, in bounded time, and without losing any.

Belongs here: what is sent next, when to give up for now, and what is done with an event that the
consumer will not take. Stays out: HTTP (consumer.py), making events (events.py).

Nothing waits in a spool: events are a function of a run, so whoever remembers the run and a
`Position` can tell them again. While the consumer is down the position stays where it is.

An event that is refused is noted in the lake and passed over. When one fails, it is at fault or the
consumer is. To find out, the last event that was taken is sent again first, which harms nobody: if
that is taken, and the event fails all the same and often enough, the event is passed over.
"""

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from f1_bronze.telemetry.files import Files
from f1_bronze.telemetry.lineage.consumer import Answer, Consumer, Reply
from f1_bronze.telemetry.lineage.events import LineageEvent
from f1_bronze.telemetry.lineage.paths import refused_path

SECONDS = 2.0
"""How long the deliveries of one sensor tick may take together."""
MOST_FAILURES = 3
"""How often an event may fail before it is passed over: all but once beside one that is taken."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Position:
    """How far the consumer has got, to be kept in a cursor.

    Attributes:
        after: path of the last event that was taken or passed over.
        taken: path of the last one that was taken.
        failures: how often the one after it has failed.
        proven: whether the consumer has taken another one since.
    """

    after: str | None = None
    taken: str | None = None
    failures: int = 0
    proven: bool = False

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)

    @classmethod
    def of_json(cls, data: Mapping[str, Any]) -> "Position":
        """From plain data; what is missing has its default."""
        return cls(**{one.name: data[one.name] for one in fields(cls) if one.name in data})


@dataclass(frozen=True, kw_only=True)
class Delivered:
    """What became of some events.

    Attributes:
        position: from where to go on.
        taken: how many the consumer has taken now.
        refused: paths of the notes on those that it never will.
        waiting: why the others wait, None when there are none.
    """

    position: Position
    taken: int
    refused: tuple[str, ...]
    waiting: str | None

    @property
    def is_done(self) -> bool:
        """Whether all of the events are through, one way or the other."""
        return self.waiting is None


class Delivery:
    """The deliveries of one tick, which share its seconds; making events does not count.

    `files` is the lake in which the events lie.
    """

    def __init__(
        self,
        consumer: Consumer,
        files: Files,
        *,
        seconds: float = SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._consumer = consumer
        self._files = files
        self._clock = clock
        self._enough = seconds / 2
        self._left = seconds
        self._end = 0.0

    def deliver(self, events: Sequence[LineageEvent], position: Position) -> Delivered:
        """Send the events of a run that come after the position, in their order.

        All of them where the position is at none of them. Once it `is_done`, hand in those of the
        next run with the position that was returned; what the lake raises is passed on.
        """
        self._end = self._clock() + self._left
        try:
            return self._deliver(events, position)
        finally:
            self._left = self._end - self._clock()

    def _deliver(self, events: Sequence[LineageEvent], position: Position) -> Delivered:
        paths = [event.path for event in events]
        first = paths.index(position.after) + 1 if position.after in paths else 0
        taken, refused = 0, list[str]()
        for place in range(first, len(events)):
            position, waiting = self._proved(events, place, position)
            if waiting is None and not self._is_time():
                waiting = "The time for deliveries is up; they go on with the next tick."
            if waiting is None:
                reply = self._send(events[place].data)
                if reply.answer is Answer.TAKEN:
                    taken += 1
                    position = Position(after=paths[place], taken=paths[place])
                    continue
                if reply.answer is Answer.FAILED:
                    # The first time nobody knows whose fault it is; it counts all the same.
                    position = replace(position, failures=position.failures + 1, proven=False)
                    waiting = reply.reason
                if reply.answer is Answer.REFUSED or position.failures >= MOST_FAILURES:
                    refused.append(self._set_aside(paths[place], reply.reason))
                    position, waiting = Position(after=paths[place], taken=position.taken), None
                    continue
            return Delivered(
                position=position, taken=taken, refused=tuple(refused), waiting=waiting
            )
        return Delivered(position=position, taken=taken, refused=tuple(refused), waiting=None)

    def _proved(
        self, events: Sequence[LineageEvent], place: int, position: Position
    ) -> tuple[Position, str | None]:
        """Whether the consumer takes another event, if this one has failed; else why to wait."""
        if not position.failures or position.proven or not self._is_time():
            return position, None
        known = self._files.read(position.taken) if position.taken else None
        if known is None and place + 1 < len(events):
            known = events[place + 1].data  # none was ever taken: the next must do
        if known is None:
            return replace(position, failures=0), None
        reply = self._send(known)
        proven = reply.answer is Answer.TAKEN
        return replace(position, proven=proven), None if proven else reply.reason

    def _send(self, data: bytes) -> Reply:
        return self._consumer.send(data, seconds=self._end - self._clock())

    def _is_time(self) -> bool:
        """Whether enough is left for an event to fail by its own fault and not by our haste."""
        return self._end - self._clock() >= self._enough

    def _set_aside(self, path: str, reason: str) -> str:
        note = {"event": path, "reason": reason}
        aside = refused_path(path)
        # The consumer's own words are in the note alone: they may repeat anything.
        _log.warning("A lineage event was passed over: %s; %s says why.", path, aside)
        data = json.dumps(note, ensure_ascii=False, sort_keys=True).encode() + b"\n"
        self._files.write(aside, data, {})
        return aside
