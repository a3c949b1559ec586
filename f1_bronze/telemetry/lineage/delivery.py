"""Sends events on to an OpenLineage consumer, in bounded time and without losing any.

Nothing waits in a spool: events are a function of a run, so they can be made again for a run whose
progress says what the consumer still lacks. While the consumer is down the progress stays.

Events of one OpenLineage run are sent one after the other; several runs are sent side by side.

An event that is refused is noted in the lake and skipped. When one fails, it is at fault or the
consumer is. To find out, the last event that was taken is sent again first, which does no harm: if
that is taken, and the event fails all the same and often enough, the event is skipped.
"""

import json
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from f1_bronze.telemetry.lineage.event_files import EventFiles
from f1_bronze.telemetry.lineage.events import LineageEvent
from f1_bronze.telemetry.lineage.names import refused_path
from f1_bronze.telemetry.outbound import (
    Dropped,
    Files,
    Outcome,
    Sent,
    SinkUnavailable,
    start_thread,
)
from f1_bronze.telemetry.redaction import login_secrets, public_host, remove_secrets

if TYPE_CHECKING:
    from openlineage.client.transport.http import HttpTransport

SECONDS = 10.0
"""How long the deliveries of one sensor tick may take together."""

AT_ONCE = 8
"""How many OpenLineage runs are sent side by side."""

MOST_FAILURES = 3
"""How often an event may fail before it is skipped: all but once beside one that is taken."""

_ENOUGH_SECONDS = 2.0

_ENDPOINT = "api/v1/lineage"

_LONGEST_REASON = 300

_FIX_URL = "Check F1_BRONZE_LINEAGE_URL and OPENLINEAGE_ENDPOINT."

_FIX_KEY = "Check OPENLINEAGE_API_KEY."

_LATER = "It is tried again."
# Answers that are about the consumer and not about the event: others would get the same.
_NOT_THE_EVENT = {
    **dict.fromkeys((401, 403), _FIX_KEY),
    **dict.fromkeys((404, 405), _FIX_URL),
    407: "Check the proxy's settings.",
    **dict.fromkeys((408, 425, 429), _LATER),
}

_log = logging.getLogger(__name__)


class ConsumerAddressError(ValueError):
    """`F1_BRONZE_LINEAGE_URL` cannot be used as the address of a consumer."""


class Consumer(Protocol):
    """Where events are sent, one at a time, also from several threads."""

    def send(self, data: bytes, *, seconds: float) -> Outcome:
        """Hand over one event; returns after so many seconds, whatever the consumer does.

        Raises `SinkUnavailable` where the consumer fails, or so it looks.
        """


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
                f"F1_BRONZE_LINEAGE_URL is {url.rpartition('@')[2]!r}, which is not an http(s) "
                "address. Write https://host, or unset it to send no events."
            )
        self.host = public_host(url)
        self._url = url.rstrip("/") + "/"
        self._endpoint = (environ.get("OPENLINEAGE_ENDPOINT") or _ENDPOINT).lstrip("/")
        self._key = environ.get("OPENLINEAGE_API_KEY", "")
        self._secrets = tuple(filter(None, (self._key, *login_secrets(url))))
        self._idle: list[HttpTransport] = []  # one for each request that is under way

    def send(self, data: bytes, *, seconds: float) -> Outcome:
        """Hand over one event; `SinkUnavailable` when there is no answer within the seconds."""
        transport = self._idle.pop() if self._idle else self._connect()
        transport.timeout = seconds
        event: Any = json.loads(data)  # the transport takes plain data too, though its types do not
        sending = start_thread(lambda: transport.emit(event), "lineage-consumer")
        try:
            response = sending.result(timeout=seconds)
        except TimeoutError:
            # Looking up a name and an answer that trickles in obey no timeout of requests.
            raise self._unavailable(f"gave no answer within {seconds:.1f} s") from None
        except OSError as error:  # every error of requests is one
            if getattr(error, "response", None) is not None:
                self._idle.append(transport)
            return self._read_error(error)
        self._idle.append(transport)
        if response.history or not 200 <= response.status_code < 300:
            raise self._unavailable(f"answered with a redirect. {_FIX_URL}")
        return Sent()

    def _connect(self) -> "HttpTransport":
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

    def _read_error(self, error: OSError) -> Outcome:
        response = getattr(error, "response", None)
        if response is None:
            raise self._unavailable(f"cannot be reached ({type(error).__name__})") from None
        status = int(response.status_code)
        if status in _NOT_THE_EVENT:
            raise self._unavailable(f"answered {status}. {_NOT_THE_EVENT[status]}") from None
        if not 400 <= status < 500:
            raise self._unavailable(f"answered {status}") from None
        said = remove_secrets(" ".join(response.text.split()), self._secrets)
        said = said[:_LONGEST_REASON] or str(response.reason)
        return Dropped(reason="refused", detail=f"{self.host} answered {status}: {said}")

    def _unavailable(self, what: str) -> SinkUnavailable:
        return SinkUnavailable(f"The lineage consumer {self.host} {what}")


@dataclass(frozen=True, kw_only=True)
class ConsumerProgress:
    """How far the consumer has got with the events of a run, to be kept in a cursor.

    Attributes:
        after: id of the last event that was taken or skipped, and all before it.
        taken: id of the last event that was taken, of this run or an earlier one.
        failures: how often the one after `after` has failed.
        proven: whether the consumer has taken another one since.
    """

    after: str | None = None
    taken: str | None = None
    failures: int = 0
    proven: bool = False

    @classmethod
    def from_json(cls, note: Mapping[str, Any], run_id: str) -> "ConsumerProgress":
        """The progress of a run in what `add_to` wrote; nothing was sent where it is not there.

        An older release noted the progress of one run alone, without its id.
        """
        own = note if "after" in note else note.get("runs", {}).get(run_id, {})
        return cls(
            after=own.get("after"),
            taken=note.get("taken"),
            failures=int(own.get("failures", 0)),
            proven=bool(own.get("proven", False)),
        )

    def add_to(self, note: Mapping[str, Any], run_id: str, *, is_done: bool) -> dict[str, Any]:
        """The note with this run's progress; without it once the run is done."""
        runs = {key: one for key, one in note.get("runs", {}).items() if key != run_id}
        if not is_done:
            runs[run_id] = {
                "after": self.after,
                "failures": self.failures,
                "proven": self.proven,
            }
        return {"taken": self.taken, "runs": runs}


@dataclass(frozen=True, kw_only=True)
class Delivered:
    """What became of some events.

    Attributes:
        progress: where to resume.
        taken: how many the consumer has taken now.
        refused: paths of the notes on those that it never will.
        waiting: why the others wait, None when there are none.
    """

    progress: ConsumerProgress
    taken: int
    refused: tuple[str, ...]
    waiting: str | None

    @property
    def is_done(self) -> bool:
        """Whether all of the events are taken or skipped."""
        return self.waiting is None


class Delivery:
    """The deliveries of one tick, which share its seconds; making events does not count.

    `files` is the lake in which the events are stored.
    """

    def __init__(
        self,
        consumer: Consumer,
        files: Files,
        *,
        seconds: float = SECONDS,
        at_once: int = AT_ONCE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._consumer = consumer
        self._files = files
        self._clock = clock
        self._at_once = at_once
        self._enough = min(seconds / 2, _ENOUGH_SECONDS)
        self._left = seconds
        self._end = 0.0

    def deliver(self, events: Sequence[LineageEvent], progress: ConsumerProgress) -> Delivered:
        """Send the events of a run that come after its progress; the lake's errors are passed on.

        All of them where the progress is at none of them.
        """
        self._end = self._clock() + self._left
        try:
            return self._deliver(events, progress)
        finally:
            self._left = self._end - self._clock()

    def _deliver(self, events: Sequence[LineageEvent], progress: ConsumerProgress) -> Delivered:
        ids = [event.id for event in events]
        taken, refused = 0, list[str]()
        waiting: str | None = None
        while waiting is None:
            place = ids.index(progress.after) + 1 if progress.after in ids else 0
            if place == len(events):
                break
            progress, waiting = self._prove_consumer(events, place, progress)
            if waiting is None and not self._has_time():
                waiting = "The time for deliveries is up; the next tick resumes them."
            if waiting is not None:
                break
            # One that has failed goes alone, so that its outcome is its own.
            batch = [events[place]] if progress.failures else self._next_batch(events, place)
            for event, result in zip(batch, self._send_batch(batch), strict=True):
                if result is None:  # its turn did not come
                    break
                if isinstance(result, Sent):
                    taken += 1
                    progress = ConsumerProgress(after=event.id, taken=event.id)
                    continue
                if isinstance(result, SinkUnavailable):
                    # The first time nobody knows whose fault it is; it counts all the same.
                    progress = replace(progress, failures=progress.failures + 1, proven=False)
                    if progress.failures < MOST_FAILURES:
                        waiting = str(result)
                        break
                    reason = str(result)
                else:
                    reason = result.detail
                refused.append(self._note_refusal(event.id, reason))
                progress = ConsumerProgress(after=event.id, taken=progress.taken)
        return Delivered(progress=progress, taken=taken, refused=tuple(refused), waiting=waiting)

    def _next_batch(self, events: Sequence[LineageEvent], place: int) -> Sequence[LineageEvent]:
        """The events of the next OpenLineage runs; those of the last run are sent alone.

        The last is the Dagster run, which must not end before its parts.
        """
        groups = [list(group) for _, group in groupby(events[place:], lambda one: one.run_id)]
        batch = groups[: self._at_once] if len(groups) == 1 else groups[:-1][: self._at_once]
        return [event for group in batch for event in group]

    def _send_batch(self, batch: Sequence[LineageEvent]) -> list[Outcome | SinkUnavailable | None]:
        """What became of each event; None for one that was not sent."""
        groups = [list(group) for _, group in groupby(batch, lambda one: one.run_id)]
        if len(groups) == 1:
            return self._send_in_order(groups[0])
        with ThreadPoolExecutor(len(groups)) as senders:
            return [one for results in senders.map(self._send_in_order, groups) for one in results]

    def _send_in_order(
        self, events: Sequence[LineageEvent]
    ) -> list[Outcome | SinkUnavailable | None]:
        results: list[Outcome | SinkUnavailable | None] = []
        for event in events:
            if results and (isinstance(results[-1], SinkUnavailable) or not self._has_time()):
                break
            results.append(self._send(event.data))
        return results + [None] * (len(events) - len(results))

    def _prove_consumer(
        self, events: Sequence[LineageEvent], place: int, progress: ConsumerProgress
    ) -> tuple[ConsumerProgress, str | None]:
        """Whether the consumer takes another event, if this one has failed; else why to wait."""
        if not progress.failures or progress.proven or not self._has_time():
            return progress, None
        known = EventFiles(self._files).find(progress.taken) if progress.taken else None
        if known is None and place + 1 < len(events):
            known = events[place + 1].data  # none was ever taken: the next must do
        if known is None:
            return replace(progress, failures=0), None
        result = self._send(known)
        if isinstance(result, Sent):
            return replace(progress, proven=True), None
        reason = result.detail if isinstance(result, Dropped) else str(result)
        return replace(progress, proven=False), reason

    def _send(self, data: bytes) -> Outcome | SinkUnavailable:
        try:
            return self._consumer.send(data, seconds=max(0.1, self._end - self._clock()))
        except SinkUnavailable as error:
            return error

    def _has_time(self) -> bool:
        """Whether enough is left for an event to fail by its own fault and not by our haste."""
        return self._end - self._clock() >= self._enough

    def _note_refusal(self, path: str, reason: str) -> str:
        note = {"event": path, "reason": reason}
        noted = refused_path(path)
        # The consumer's own words are in the note alone: they may repeat anything.
        _log.warning("A lineage event was skipped: %s; %s has the reason.", path, noted)
        data = json.dumps(note, ensure_ascii=False, sort_keys=True).encode() + b"\n"
        self._files.write(noted, data, {})
        return noted
