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
import os
import time
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import SplitResult, unquote, urlsplit

from f1_bronze.telemetry.lineage.events import LineageEvent
from f1_bronze.telemetry.lineage.names import refused_path
from f1_bronze.telemetry.outbound import Files, begun
from f1_bronze.telemetry.redaction import remove_secrets

if TYPE_CHECKING:
    from openlineage.client.transport.http import HttpTransport


_ENDPOINT = "api/v1/lineage"

_LONGEST_REASON = 300

_MEND_URL = "Check F1_BRONZE_LINEAGE_URL and OPENLINEAGE_ENDPOINT."

_MEND_KEY = "Check OPENLINEAGE_API_KEY."
# Answers that are about the consumer and not about the event: others would get the same.
_NOT_THE_EVENT = {
    401: _MEND_KEY,
    403: _MEND_KEY,
    404: _MEND_URL,
    405: _MEND_URL,
    407: "Check the proxy's settings.",
    408: "It is tried again.",
    425: "It is tried again.",
    429: "It is tried again.",
}


class ConsumerAddressError(ValueError):
    """`F1_BRONZE_LINEAGE_URL` is no address of a consumer."""


class Answer(StrEnum):
    """What a consumer made of an event."""

    TAKEN = "taken"
    REFUSED = "refused"  # this event, now and for ever
    FAILED = "failed"  # whatever the event; or so it looks


@dataclass(frozen=True, kw_only=True)
class Reply:
    """The answer, and for all but `TAKEN` a sentence why."""

    answer: Answer
    reason: str = ""


class Consumer(Protocol):
    """Whoever takes events."""

    def send(self, data: bytes, *, seconds: float) -> Reply:
        """Hand over one event; returns after so many seconds, whatever the consumer does."""


class HttpConsumer:
    """A consumer behind an address such as `https://marquez.example.org`.

    Path and key come from the official client's own variables, `OPENLINEAGE_ENDPOINT` (default
    `api/v1/lineage`) and `OPENLINEAGE_API_KEY`.
    """

    def __init__(self, url: str, environ: Mapping[str, str] | None = None) -> None:
        environ = os.environ if environ is None else environ
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConsumerAddressError(
                f"F1_BRONZE_LINEAGE_URL is {url.rpartition('@')[2]!r}, which is no http(s) "
                "address. Write https://host, or unset it to send no events."
            )
        self.host = parts.netloc.rpartition("@")[2]
        self._url = url.rstrip("/") + "/"
        self._endpoint = (environ.get("OPENLINEAGE_ENDPOINT") or _ENDPOINT).lstrip("/")
        self._key = environ.get("OPENLINEAGE_API_KEY", "")
        self._secrets = tuple(filter(None, (self._key, *_written(parts))))
        self._transport: HttpTransport | None = None

    def send(self, data: bytes, *, seconds: float) -> Reply:
        """Hand over one event; `FAILED` when there is no answer within the seconds."""
        transport = self._transport = self._transport or self._connected()
        transport.timeout = seconds
        event: Any = json.loads(data)  # the transport takes plain data too, though its types do not
        sending = begun(lambda: transport.emit(event), "lineage-consumer")
        try:
            response = sending.result(timeout=seconds)
        except TimeoutError:
            # Looking up a name and an answer that trickles in obey no timeout of requests.
            self._transport = None
            return self._failed(f"gave no answer within {seconds:.1f} s")
        except OSError as error:  # every error of requests is one
            return self._meant(error)
        if response.history or not 200 <= response.status_code < 300:
            return self._failed(f"answered with a redirect. {_MEND_URL}")
        return Reply(answer=Answer.TAKEN)

    def _connected(self) -> "HttpTransport":
        from openlineage.client.transport.http import (
            ApiKeyTokenProvider,
            HttpConfig,
            HttpTransport,
            TokenProvider,
        )

        auth = ApiKeyTokenProvider({"api_key": self._key}) if self._key else TokenProvider({})
        # No retries inside: they would not know of the time that is left.
        retry = {"total": 0, "connect": 0, "read": 0, "redirect": None}
        config = HttpConfig(url=self._url, endpoint=self._endpoint, auth=auth, retry=retry)
        return HttpTransport(config)

    def _meant(self, error: OSError) -> Reply:
        response = getattr(error, "response", None)
        if response is None:
            return self._failed(f"cannot be reached ({type(error).__name__})")
        status = int(response.status_code)
        if status in _NOT_THE_EVENT:
            return self._failed(f"answered {status}. {_NOT_THE_EVENT[status]}")
        if not 400 <= status < 500:
            return self._failed(f"answered {status}")
        said = " ".join(response.text.split())
        for one in self._secrets:
            said = said.replace(one, "…")
        said = remove_secrets(said)[:_LONGEST_REASON] or str(response.reason)
        return Reply(answer=Answer.REFUSED, reason=f"{self.host} answered {status}: {said}")

    def _failed(self, what: str) -> Reply:
        return Reply(answer=Answer.FAILED, reason=f"The lineage consumer {self.host} {what}")


def _written(address: SplitResult) -> tuple[str, ...]:
    """The password of an address in each way in which a consumer meets it, and may repeat it."""
    user, password = unquote(address.username or ""), unquote(address.password or "")
    if not password:
        return ()
    basic = b64encode(f"{user}:{password}".encode()).decode()
    return basic, password, address.password or ""


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
