"""Several sessions in one call, and one answer for each of them.

Belongs here: how many sessions a call asks for, cutting a call in two, telling the rows apart.
Stays out: HTTP and retries (client.py), and what a row means.
"""

import logging
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from f1_bronze.datasets.dataset import Dataset
from f1_bronze.openf1.answers import (
    Answer,
    Malformed,
    OpenF1Error,
    TooMuchAsked,
    holds_for_all,
    may_be_too_large,
)

if TYPE_CHECKING:
    from f1_bronze.openf1.client import OpenF1Client  # brings in requests


_log = logging.getLogger("f1_bronze.openf1")


class BatchSizes:
    """The rows that may be expected of one answer, by endpoint; for all who share a client.

    Only what a split has cured is learned, and nothing is forgotten while the process lives: a
    batch too small costs one cheap call, a batch too large five slow ones. Thread-safe.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._most_rows: dict[str, int] = {}

    def most_rows(self, endpoint: str) -> int | None:
        """The rows to expect of an answer at most; None when nothing was learned."""
        with self._lock:
            return self._most_rows.get(endpoint)

    def learn(self, endpoint: str, rows: int) -> None:
        """Ask for so many rows at most: more failed, and its halves of that size did not."""
        with self._lock:
            known = self._most_rows.get(endpoint)
            if known is not None and known <= rows:
                return
            self._most_rows[endpoint] = rows
        _log.info(
            "%s: asking for about %d rows at once from now on, since more failed",
            *(endpoint, rows),
            extra={"endpoint": endpoint, "rows": rows},
        )


class Cure:
    """Two halves of a question that may have been too large: it was, if both are answered."""

    def __init__(self) -> None:
        self._rows: list[int] = []

    def answered(self, rows: int) -> int | None:
        """A half of so many expected rows was answered: what is borne then, if it was the last."""
        self._rows.append(rows)
        return max(self._rows) if len(self._rows) == 2 else None


_Session = TypeVar("_Session")

_IN_A_ROW = 3

_SAMPLES = 3

_FEW = 10  # sessions that are soon asked for one by one


class Despair:
    """One dataset's asking, as long as not a single session has been answered.

    Cutting finds the few sessions that harm a batch; where every session fails, it costs two calls
    for each. So after three single sessions in a row that failed alike for what they hold (too
    much, malformed) the last, the middle and another one of the rest are tried, and if these fail
    alike too, that is what the rest gets. A single answer, also an earlier one, ends this for good.
    """

    def __init__(self) -> None:
        self._answered = False
        self._kind: type[OpenF1Error] | None = None
        self._alike = 0
        self._sampled = False

    @property
    def complete(self) -> bool:
        """Whether the rest is to be given up."""
        return self._sampled and not self._answered and self._alike >= _IN_A_ROW + _SAMPLES

    def answered(self) -> None:
        """Some session has rows, or truly none."""
        self._answered = True

    def failed(self, error: OpenF1Error) -> None:
        """A session that was asked for by itself has failed."""
        kind = type(error) if isinstance(error, TooMuchAsked | Malformed) else None
        if kind is None or kind is not self._kind:
            self._kind, self._alike, self._sampled = kind, 0, False
        self._alike += kind is not None

    def samples(self, left: Sequence[_Session]) -> list[_Session]:
        """Those of the sessions left that are to be tried next, out of turn; mostly none."""
        if self._answered or self._sampled or self._alike < _IN_A_ROW or len(left) < _FEW:
            return []
        self._sampled = True
        return [left[-1], left[len(left) // 2], left[len(left) // 4]]


class Shares:
    """Calls, retries and seconds by session key; whole calls, that add up to those made."""

    def __init__(self) -> None:
        self.calls: Counter[int] = Counter()
        self.retries: Counter[int] = Counter()
        self._seconds: dict[int, float] = {}

    def charge(self, keys: Sequence[int], calls: int, retries: int, seconds: float) -> None:
        """Share out what one question cost: whole calls from the first session on, time evenly."""
        size = len(keys)
        for place, key in enumerate(keys):
            self.calls[key] += (calls + size - 1 - place) // size
            self.retries[key] += (retries + size - 1 - place) // size
            self._seconds[key] = self.seconds(key) + seconds / size

    def seconds(self, key: int) -> float:
        """The time that was spent for a session."""
        return self._seconds.get(key, 0.0)


MOST_SESSIONS: Mapping[str, int] = MappingProxyType(
    {"sessions": 60, "drivers": 60, "session_result": 60, "laps": 25, "stints": 25, "pit": 25}
)

"""Sessions in one call by endpoint: 25 are known to work, 60 keep the address short enough."""

MOST_ROWS = 32_500

"""Expected rows in one call: 25 races of laps, which are known to work."""

_LONGEST_QUERY = 1_800  # characters; with host and path an address stays below 2,000

_CAUTIOUS = 25

_ATTEMPTS_AFTER_SPLIT = 2

_IN_WORDS = MappingProxyType(
    {TooMuchAsked: "too much at once", Malformed: "records that belong to no session asked for"}
)


@dataclass(frozen=True, kw_only=True)
class SessionRef:
    """A session to be asked for, with the session-type slug by which its size is expected."""

    session_key: int
    session_type: str


@dataclass(frozen=True, kw_only=True)
class SessionAnswer:
    """What came for one session: records, or the error in place of them.

    Attributes:
        records: JSON objects as they came; empty without an error is a true empty.
        error: why there are none.
        api_requests, api_retries: this session's share of the calls, whole numbers that add up
            to the calls made over the sessions of a batch (most have 0).
        extract_seconds: its even share of the time.
        source_url: the address that asks for this session alone.
    """

    session_key: int
    records: list[dict[str, Any]] = field(default_factory=list)
    error: OpenF1Error | None = None
    api_requests: int = 0
    api_retries: int = 0
    extract_seconds: float = 0.0
    source_url: str = ""

    def __post_init__(self) -> None:
        if self.error is not None and self.records:
            raise ValueError("A session has records or an error; leave one out.")


def query_of(dataset: Dataset, session_key: int) -> str:
    """Endpoint and query for one session, without host: `laps?session_key=9472`."""
    return f"{dataset.endpoint}?session_key={session_key}"


def source_url(base_url: str, dataset: Dataset, session_key: int) -> str:
    """The address that answers one session alone; hand in a `base_url` without credentials."""
    return f"{base_url.rstrip('/')}/{query_of(dataset, session_key)}"


def plan_batches(
    dataset: Dataset, sessions: Sequence[SessionRef], *, most_rows: int | None = None
) -> list[tuple[SessionRef, ...]]:
    """Cut the sessions, in their order, into what is asked for in one call each.

    `most_rows` is how many rows may be expected of a call when it has turned out that
    `MOST_ROWS` are too many. ValueError when a session is named twice.
    """
    most_rows = MOST_ROWS if most_rows is None else min(most_rows, MOST_ROWS)
    if len({session.session_key for session in sessions}) < len(sessions):
        raise ValueError(f"A session of {dataset.name} is named twice; ask for each one once.")
    most_sessions = MOST_SESSIONS.get(dataset.endpoint, _CAUTIOUS)
    batches: list[tuple[SessionRef, ...]] = []
    batch: list[SessionRef] = []
    rows = length = 0
    for session in sessions:
        more_rows = dataset.expected_rows_for(session.session_type)
        more_length = len(f"session_key={session.session_key}&")
        if batch and (
            len(batch) >= most_sessions
            or rows + more_rows > most_rows
            or length + more_length > _LONGEST_QUERY
        ):
            batches.append(tuple(batch))
            batch, rows, length = [], 0, 0
        batch.append(session)
        rows += more_rows
        length += more_length
    return [*batches, tuple(batch)] if batch else batches


def fetch_sessions(
    client: "OpenF1Client", dataset: Dataset, sessions: Sequence[SessionRef]
) -> Iterator[SessionAnswer]:
    """Ask for one dataset of many sessions: an answer for each, in order, as batches come in.

    A call that asks too much, fails for good or comes back malformed is cut in two, down to the
    single session, whose error it then is; where that cures it, later calls ask for less at once,
    those planned already too. What would hold for all (circuit open, closed for a live session,
    refused, limited beyond patience) ends the asking: every session left gets that error without a
    call. So does what holds for all that were asked for one by one (despair.py). Only one batch is
    in memory. ValueError when a session is named twice.
    """
    work = _Work(client, dataset)
    pending = work.planned(sessions)
    turns = [session.session_key for session in reversed(sessions)]
    ready: dict[int, SessionAnswer] = {}
    while pending:
        pending = work.replanned(pending)
        part = pending.pop()
        try:
            rows = work.ask(part)
        except OpenF1Error as error:
            if holds_for_all(error):
                ready |= work.failed((part, *pending), error)
                pending = []
            elif len(part.group) == 1:
                ready |= work.failed((part,), error)
                if (final := work.despaired(error, pending)) is not None:
                    ready |= work.failed(pending, final)
                    pending = []
                else:
                    pending = work.with_samples_next(pending)
            else:
                pending += work.halves(part, error)
        else:
            ready |= work.answered(part, rows)
        while turns and turns[-1] in ready:
            yield ready.pop(turns.pop())


@dataclass(frozen=True, kw_only=True)
class _Part:
    """Sessions asked for in one call: a whole batch, or what a split left of it."""

    group: tuple[SessionRef, ...]
    whole: bool = False
    cure: Cure | None = None


class _Work:
    """One dataset's asking: what is asked in one call, what each session has cost so far."""

    def __init__(self, client: "OpenF1Client", dataset: Dataset) -> None:
        self._client = client
        self._dataset = dataset
        self._most_rows: int | None = None
        self._despair = Despair()
        self._shares = Shares()

    def planned(self, sessions: Sequence[SessionRef]) -> list[_Part]:
        """The calls to be made, the first one last."""
        self._most_rows = self._client.batch_sizes.most_rows(self._dataset.endpoint)
        batches = plan_batches(self._dataset, sessions, most_rows=self._most_rows)
        return [_Part(group=batch, whole=True) for batch in reversed(batches)]

    def replanned(self, pending: list[_Part]) -> list[_Part]:
        """The same calls, or smaller ones once it is known that these would ask too much.

        What is left of a split is cut further but never put together again.
        """
        if self._client.batch_sizes.most_rows(self._dataset.endpoint) == self._most_rows:
            return pending
        parts: list[_Part] = []
        for whole, run in groupby(pending, key=lambda part: part.whole):
            if whole:
                parts += self.planned([s for part in reversed(list(run)) for s in part.group])
                continue
            for part in run:
                smaller = self.planned(part.group)
                parts += [_Part(group=p.group) for p in smaller] if len(smaller) > 1 else [part]
        return parts

    def halves(self, part: _Part, error: OpenF1Error) -> list[_Part]:
        """Two calls in place of one that failed, the first one last; said, since it takes long."""
        reason = _IN_WORDS.get(type(error), "no answer")
        self._client.note_split(self._dataset.endpoint, len(part.group), reason)
        cure = Cure() if may_be_too_large(error) else None
        middle = len(part.group) // 2
        return [_Part(group=half, cure=cure) for half in (part.group[middle:], part.group[:middle])]

    def ask(self, part: _Part) -> dict[int, list[dict[str, Any]]]:
        """The rows of each session of the part.

        What failed whole is likely to fail in halves, so a half that fails is no evidence of an
        outage for the circuit breaker: otherwise one poisonous session would open it. A whole
        batch and a single session are.
        """
        keys = [session.session_key for session in part.group]
        try:
            answer = self._client.get(
                self._dataset.endpoint,
                [("session_key", key) for key in keys],
                attempts=None if part.whole else _ATTEMPTS_AFTER_SPLIT,
                evidence=part.whole or len(part.group) == 1,
            )
        except OpenF1Error as error:
            self._shares.charge(keys, error.attempts, error.retries, error.spent)
            raise
        self._shares.charge(keys, answer.attempts, answer.retries, answer.seconds)
        rows = self._by_session(answer, part.group)
        if part.cure is not None:
            borne = part.cure.answered(
                sum(self._dataset.expected_rows_for(session.session_type) for session in part.group)
            )
            if borne is not None:
                self._client.batch_sizes.learn(self._dataset.endpoint, borne)
        return rows

    def despaired(self, error: OpenF1Error, pending: Sequence[_Part]) -> OpenF1Error | None:
        """The error of all that is left, when a single session's error seems to be everyone's."""
        self._despair.failed(error)
        if not self._despair.complete:
            return None
        left = sum(len(part.group) for part in pending)
        return type(error)(
            f"The {self._dataset.name} of {left} sessions were not asked for, since none was "
            f"answered and several failed alike, the last one so: {error}"
        )

    def with_samples_next(self, pending: Sequence[_Part]) -> list[_Part]:
        """The same calls; when all seems in vain, after some single sessions from among them."""
        samples = self._despair.samples([s for part in reversed(pending) for s in part.group])
        rest = [(part, tuple(s for s in part.group if s not in samples)) for part in pending]
        parts = [replace(part, group=group) for part, group in rest if group]
        return parts + [_Part(group=(session,)) for session in samples]

    def answered(
        self, part: _Part, rows: dict[int, list[dict[str, Any]]]
    ) -> dict[int, SessionAnswer]:
        """The answers of sessions that have rows, or truly none, by session key; rows are taken."""
        self._despair.answered()
        return {
            session.session_key: self._answer(session, rows.pop(session.session_key), None)
            for session in part.group
        }

    def failed(self, parts: Iterable[_Part], error: OpenF1Error) -> dict[int, SessionAnswer]:
        """The same error for each session of the parts, by session key."""
        return {
            session.session_key: self._answer(session, [], error)
            for part in parts
            for session in part.group
        }

    def _answer(
        self, session: SessionRef, records: list[dict[str, Any]], error: OpenF1Error | None
    ) -> SessionAnswer:
        key = session.session_key
        return SessionAnswer(
            session_key=key,
            records=records,
            error=error,
            api_requests=self._shares.calls[key],
            api_retries=self._shares.retries[key],
            extract_seconds=self._shares.seconds(key),
            source_url=source_url(self._client.base_url, self._dataset, key),
        )

    def _by_session(
        self, answer: Answer, group: Sequence[SessionRef]
    ) -> dict[int, list[dict[str, Any]]]:
        rows: dict[int, list[dict[str, Any]]] = {session.session_key: [] for session in group}
        for record in answer.records:
            key = record.get("session_key")
            if type(key) is not int or key not in rows:  # True would pass for 1
                asked = f"session {group[0].session_key}"
                if len(group) > 1:
                    asked = f"{len(group)} sessions from {group[0].session_key}"
                raise Malformed(
                    f"The {self._dataset.name} of {asked} came with a record that belongs to none "
                    "of the sessions asked for; run this again later, and report it to OpenF1 if "
                    "it stays."
                )
            rows[key].append(record)
        return rows
