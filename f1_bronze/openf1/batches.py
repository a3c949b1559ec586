"""Several sessions in one call, and one answer for each of them.

Belongs here: how many sessions a call asks for, cutting a call in two, telling the rows apart.
Stays out: HTTP and retries (client.py), and what a row means.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from f1_bronze.datasets.dataset import Dataset
from f1_bronze.openf1.client import OpenF1Client
from f1_bronze.openf1.outcomes import (
    Answer,
    CircuitOpen,
    Malformed,
    OpenF1Error,
    TooMuchAsked,
    Unavailable,
)

MOST_SESSIONS: Mapping[str, int] = MappingProxyType(
    {"sessions": 60, "drivers": 60, "session_result": 60, "laps": 25, "stints": 25, "pit": 25}
)
"""Sessions in one call by endpoint: 25 are known to work, 60 keep the address short enough."""
MOST_ROWS = 32_500
"""Expected rows in one call: 25 races of laps, which are known to work."""
_LONGEST_QUERY = 1_800  # characters; with host and path an address stays below 2,000
_CAUTIOUS = 25
_ATTEMPTS_AFTER_SPLIT = 2


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


def plan_batches(dataset: Dataset, sessions: Sequence[SessionRef]) -> list[tuple[SessionRef, ...]]:
    """Cut the sessions, in their order, into what is asked for in one call each.

    ValueError when a session is named twice.
    """
    if len({session.session_key for session in sessions}) < len(sessions):
        raise ValueError(f"A session of {dataset.name} is named twice; ask for each one once.")
    most_sessions = MOST_SESSIONS.get(dataset.endpoint, _CAUTIOUS)
    batches: list[tuple[SessionRef, ...]] = []
    batch: list[SessionRef] = []
    rows = length = 0
    for session in sessions:
        more_rows = dataset.rows_of(session.session_type)
        more_length = len(f"session_key={session.session_key}&")
        if batch and (
            len(batch) >= most_sessions
            or rows + more_rows > MOST_ROWS
            or length + more_length > _LONGEST_QUERY
        ):
            batches.append(tuple(batch))
            batch, rows, length = [], 0, 0
        batch.append(session)
        rows += more_rows
        length += more_length
    return [*batches, tuple(batch)] if batch else batches


def fetch_sessions(
    client: OpenF1Client, dataset: Dataset, sessions: Sequence[SessionRef]
) -> Iterator[SessionAnswer]:
    """Ask for one dataset of many sessions: an answer for each, in order, as batches come in.

    A call that asks too much, fails for good or comes back malformed is cut in two, down to the
    single session, whose error it then is. What would hold for all (circuit open, closed for a
    live session, refused, limited beyond patience) ends the asking: every session left gets that
    error without a call.
    Only one batch is in memory. ValueError when a session is named twice.
    """
    work = _Work(client, dataset)
    batches = plan_batches(dataset, sessions)
    pending = [_Part(group=batch, whole=True) for batch in reversed(batches)]
    while pending:
        part = pending.pop()
        try:
            rows = work.ask(part)
        except OpenF1Error as error:
            if _holds_for_all(error):
                for left in (part, *reversed(pending)):
                    yield from work.failed(left.group, error)
                return
            if len(part.group) == 1:
                yield from work.failed(part.group, error)
                continue
            client.note_split()
            middle = len(part.group) // 2
            pending.append(_Part(group=part.group[middle:]))
            pending.append(_Part(group=part.group[:middle]))
            continue
        for session in part.group:
            yield work.answered(session, rows.pop(session.session_key))


def _holds_for_all(error: OpenF1Error) -> bool:
    """Whether smaller questions would end no better: not with a 429 either, they are more calls."""
    limited = isinstance(error, Unavailable) and error.status == 429
    splittable = isinstance(error, TooMuchAsked | Malformed | Unavailable)
    return not splittable or limited or isinstance(error, CircuitOpen)


@dataclass(frozen=True, kw_only=True)
class _Part:
    """Sessions asked for in one call: a whole batch, or what a split left of it."""

    group: tuple[SessionRef, ...]
    whole: bool = False


class _Work:
    """One dataset's asking: what each session has cost so far."""

    def __init__(self, client: OpenF1Client, dataset: Dataset) -> None:
        self._client = client
        self._dataset = dataset
        self._calls: dict[int, int] = {}
        self._retries: dict[int, int] = {}
        self._seconds: dict[int, float] = {}

    def ask(self, part: _Part) -> dict[int, list[dict[str, Any]]]:
        """The rows of each session of the part.

        What failed whole is likely to fail in halves, so a half that fails is no evidence of an
        outage for the circuit breaker: otherwise one poisonous session would open it. A whole
        batch and a single session are.
        """
        try:
            answer = self._client.get(
                self._dataset.endpoint,
                [("session_key", session.session_key) for session in part.group],
                attempts=None if part.whole else _ATTEMPTS_AFTER_SPLIT,
                evidence=part.whole or len(part.group) == 1,
            )
        except OpenF1Error as error:
            self._charge(part.group, error.attempts, error.retries, error.spent)
            raise
        self._charge(part.group, answer.attempts, answer.retries, answer.seconds)
        return self._by_session(answer, part.group)

    def answered(self, session: SessionRef, records: list[dict[str, Any]]) -> SessionAnswer:
        """The answer of a session that has rows, or truly none."""
        return self._answer(session, records, None)

    def failed(self, group: Sequence[SessionRef], error: OpenF1Error) -> Iterator[SessionAnswer]:
        """The same error for each session of the group."""
        return (self._answer(session, [], error) for session in group)

    def _answer(
        self, session: SessionRef, records: list[dict[str, Any]], error: OpenF1Error | None
    ) -> SessionAnswer:
        key = session.session_key
        return SessionAnswer(
            session_key=key,
            records=records,
            error=error,
            api_requests=self._calls.get(key, 0),
            api_retries=self._retries.get(key, 0),
            extract_seconds=self._seconds.get(key, 0.0),
            source_url=source_url(self._client.base_url, self._dataset, key),
        )

    def _charge(
        self, group: Sequence[SessionRef], calls: int, retries: int, seconds: float
    ) -> None:
        """Share out what one question cost: whole calls from the first session on, time evenly."""
        for place, session in enumerate(group):
            key = session.session_key
            size = len(group)
            self._calls[key] = self._calls.get(key, 0) + (calls + size - 1 - place) // size
            self._retries[key] = self._retries.get(key, 0) + (retries + size - 1 - place) // size
            self._seconds[key] = self._seconds.get(key, 0.0) + seconds / size

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
