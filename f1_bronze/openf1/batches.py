"""Several sessions in one call, and one answer for each of them.

`fetch_sessions` asks in batches, cuts in two what fails, and gives up early where every session
fails alike.
"""

import logging
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, groupby
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from f1_bronze.datasets.dataset import Dataset
from f1_bronze.openf1.answers import (
    Answer,
    ForeignRows,
    Malformed,
    OpenF1Error,
    TooMuchAsked,
    applies_to_all,
    may_be_too_large,
)

if TYPE_CHECKING:
    from f1_bronze.openf1.client import OpenF1Client  # brings in requests

_log = logging.getLogger("f1_bronze.openf1")

MOST_SESSIONS: Mapping[str, int] = MappingProxyType(
    {"sessions": 60, "drivers": 60, "session_result": 60, "laps": 25, "stints": 25, "pit": 25}
)
"""Sessions in one call by endpoint: 25 are known to work, 60 keep the address short enough."""

MOST_ROWS = 32_500
"""Expected rows in one call: 25 races of laps, which are known to work."""

_CAUTIOUS = 25  # sessions in one call of an endpoint that is not in the table
_LONGEST_QUERY = 1_800  # characters; with host and path an address stays below 2,000
_ATTEMPTS_AFTER_SPLIT = 2
_KEYS_SHOWN = 3
_REASONS = MappingProxyType(
    {
        TooMuchAsked: "too much at once",
        Malformed: "records without a readable session_key",
        ForeignRows: "records of sessions that were not asked for",
    }
)


@dataclass(frozen=True, kw_only=True)
class SessionRef:
    """A session to be asked for.

    Attributes:
        session_type: slug by which its size is expected.
        meeting_key: what its rows must have, by the calendar; None where that is not known.
    """

    session_key: int
    session_type: str
    meeting_key: int | None = None

    def find_foreign_rows(self, records: Sequence[Mapping[str, Any]]) -> str:
        """How many of its records are another meeting's, in words; empty when none is.

        A meeting_key that is null or no number proves nothing: that is for the rules.

        >>> ref = SessionRef(session_key=9472, session_type="race", meeting_key=1229)
        >>> ref.find_foreign_rows([{"meeting_key": 1229}, {"meeting_key": 1230}])
        '1 of 2 rows (meeting_key 1230 where the calendar has 1229)'
        """
        if self.meeting_key is None:
            return ""
        keys = [record.get("meeting_key") for record in records]
        foreign = Counter(key for key in keys if type(key) is int and key != self.meeting_key)
        if not foreign:
            return ""
        shown = ", ".join(str(key) for key, _ in foreign.most_common(_KEYS_SHOWN))
        return (
            f"{foreign.total():,} of {len(records):,} rows (meeting_key {shown} where the calendar "
            f"has {self.meeting_key})"
        )


@dataclass(frozen=True, kw_only=True)
class SessionAnswer:
    """What came for one session: records, or the error in place of them.

    Attributes:
        records: JSON objects as they came; empty without an error is a true empty.
        error: why there are none.
        request_share: its even share of the calls: 0.125 where one call asked for eight sessions.
        api_requests, api_retries: what is counted of the calls for it, whole numbers that add up
            to the calls made over the sessions of a batch (most have 0).
        extract_seconds: its even share of the time.
        source_url: the address that asks for this session alone.
    """

    session_key: int
    records: list[dict[str, Any]] = field(default_factory=list)
    error: OpenF1Error | None = None
    request_share: float = 0.0
    api_requests: int = 0
    api_retries: int = 0
    extract_seconds: float = 0.0
    source_url: str = ""

    def __post_init__(self) -> None:
        if self.error is not None and self.records:
            raise ValueError("A session has records or an error; leave one out.")


def source_query(dataset: Dataset, session_key: int) -> str:
    """Endpoint and query for one session, without host: `laps?session_key=9472`."""
    return f"{dataset.endpoint}?session_key={session_key}"


def source_url(base_url: str, dataset: Dataset, session_key: int) -> str:
    """The address that answers one session alone; pass a `base_url` without credentials."""
    return f"{base_url.rstrip('/')}/{source_query(dataset, session_key)}"


class BatchSizes:
    """How many rows may be expected of one answer, by endpoint; shared by all users of a client.

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


def plan_batches(
    dataset: Dataset, sessions: Sequence[SessionRef], *, most_rows: int | None = None
) -> list[tuple[SessionRef, ...]]:
    """Cut the sessions, in their order, into what is asked for in one call each.

    `most_rows` is how many rows may be expected of a call when it has turned out that
    `MOST_ROWS` are too many. ValueError when a session is listed twice.
    """
    most_rows = MOST_ROWS if most_rows is None else min(most_rows, MOST_ROWS)
    if len({session.session_key for session in sessions}) < len(sessions):
        raise ValueError(f"A session of {dataset.name} is listed twice; ask for each one once.")
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
    those planned already too. What applies to all (circuit open, closed for a live session,
    refused, limited beyond patience) ends the asking: every session left gets that error without a
    call. So does what every session asked for alone has in common (see `_GiveUpRule`). Only one
    batch is in memory. ValueError when a session is listed twice.
    """
    return chain.from_iterable(fetch_batches(client, dataset, sessions))


def fetch_batches(
    client: "OpenF1Client", dataset: Dataset, sessions: Sequence[SessionRef]
) -> Iterator[list[SessionAnswer]]:
    """The answers of `fetch_sessions`, those together that are at hand without another call."""
    fetch = _Fetch(client, dataset)
    pending = fetch.plan(sessions)
    order = [session.session_key for session in reversed(sessions)]
    ready: dict[int, SessionAnswer] = {}
    while pending:
        pending = fetch.replan(pending)
        part = pending.pop()
        try:
            rows = fetch.ask(part)
        except OpenF1Error as error:
            if applies_to_all(error):
                ready |= fetch.fail((part, *pending), error)
                pending = []
            elif len(part.group) > 1:
                pending += fetch.split(part, error)
            else:
                ready |= fetch.fail((part,), error)
                if (final := fetch.give_up(error, pending)) is not None:
                    ready |= fetch.fail(pending, final)
                    pending = []
                else:
                    pending = fetch.sample_next(pending)
        else:
            ready |= fetch.answer(part, rows)
        at_hand = []
        while order and order[-1] in ready:
            at_hand.append(ready.pop(order.pop()))
        if at_hand:
            yield at_hand


class _GiveUpRule:
    """When to stop asking for one dataset, of which not a single session has been answered.

    Cutting finds the few sessions that harm a batch; where every session fails, it costs two calls
    for each. So after three single sessions in a row that failed alike for what they hold (too
    much, malformed) the last, the middle and another one of the rest are tried, and if these fail
    alike too, the rest is given up. A single answer, also an earlier one, ends this for good.
    """

    IN_A_ROW = 3
    SAMPLES = 3
    FEW = 10  # sessions that are soon asked for one by one

    def __init__(self) -> None:
        self._answered = False
        self._kind: type[OpenF1Error] | None = None
        self._alike = 0
        self._sampled = False

    @property
    def reached(self) -> bool:
        """Whether to give up the rest."""
        return self._sampled and not self._answered and self._alike >= self.IN_A_ROW + self.SAMPLES

    def note_answer(self) -> None:
        """Some session has rows, or truly none."""
        self._answered = True

    def note_failure(self, error: OpenF1Error) -> None:
        """A session that was asked for alone has failed."""
        kind = type(error) if isinstance(error, TooMuchAsked | Malformed) else None
        if kind is None or kind is not self._kind:
            self._kind, self._alike, self._sampled = kind, 0, False
        self._alike += kind is not None

    def choose_samples(self, left: Sequence[SessionRef]) -> list[SessionRef]:
        """Those of the sessions left that are to be tried next, out of turn; mostly none."""
        if self._answered or self._sampled or self._alike < self.IN_A_ROW or len(left) < self.FEW:
            return []
        self._sampled = True
        return [left[-1], left[len(left) // 2], left[len(left) // 4]]


@dataclass(frozen=True, kw_only=True)
class _Part:
    """Sessions asked for in one call: a whole batch, or what a split left of it.

    `answered_halves` is shared by the two halves of a call that may have been too large: the
    expected rows of those that were answered. If both are, it was too large.
    """

    group: tuple[SessionRef, ...]
    whole: bool = False
    answered_halves: list[int] | None = None

    @property
    def keys(self) -> list[int]:
        return [session.session_key for session in self.group]


class _Fetch:
    """The asking for one dataset: what is asked in one call, what each session has cost so far."""

    def __init__(self, client: "OpenF1Client", dataset: Dataset) -> None:
        self._client = client
        self._dataset = dataset
        self._most_rows: int | None = None
        self._rule = _GiveUpRule()
        self._calls: Counter[int] = Counter()
        self._retries: Counter[int] = Counter()
        self._shares: dict[int, float] = {}
        self._seconds: dict[int, float] = {}

    def plan(self, sessions: Sequence[SessionRef]) -> list[_Part]:
        """The calls to be made, the first one last."""
        self._most_rows = self._client.batch_sizes.most_rows(self._dataset.endpoint)
        batches = plan_batches(self._dataset, sessions, most_rows=self._most_rows)
        return [_Part(group=batch, whole=True) for batch in reversed(batches)]

    def replan(self, pending: list[_Part]) -> list[_Part]:
        """The same calls, or smaller ones once it is known that these would ask too much.

        What is left of a split is cut further but never put together again.
        """
        if self._client.batch_sizes.most_rows(self._dataset.endpoint) == self._most_rows:
            return pending
        parts: list[_Part] = []
        for whole, run in groupby(pending, key=lambda part: part.whole):
            if whole:
                parts += self.plan([s for part in reversed(list(run)) for s in part.group])
                continue
            for part in run:
                smaller = self.plan(part.group)
                parts += [_Part(group=p.group) for p in smaller] if len(smaller) > 1 else [part]
        return parts

    def split(self, part: _Part, error: OpenF1Error) -> list[_Part]:
        """Two calls in place of one that failed, the first one last; reported, as it takes long."""
        reason = _REASONS.get(type(error), "no answer")
        self._client.note_split(self._dataset.endpoint, len(part.group), reason)
        answered: list[int] | None = [] if may_be_too_large(error) else None
        middle = len(part.group) // 2
        halves = part.group[middle:], part.group[:middle]
        return [_Part(group=half, answered_halves=answered) for half in halves]

    def ask(self, part: _Part) -> dict[int, list[dict[str, Any]]]:
        """The rows of each session of the part.

        What failed whole is likely to fail in halves, so a half that fails is no evidence of an
        outage for the circuit breaker: otherwise one poisonous session would open it. A whole
        batch and a single session are.
        """
        try:
            answer = self._client.get(
                self._dataset.endpoint,
                [("session_key", key) for key in part.keys],
                attempts=None if part.whole else _ATTEMPTS_AFTER_SPLIT,
                count_failure=part.whole or len(part.group) == 1,
            )
        except OpenF1Error as error:
            self._charge(part.keys, error.attempts, error.retries, error.spent)
            raise
        self._charge(part.keys, answer.attempts, answer.retries, answer.seconds)
        rows = self._by_session(answer, part)
        if part.answered_halves is not None:
            expected = (
                self._dataset.expected_rows_for(session.session_type) for session in part.group
            )
            part.answered_halves.append(sum(expected))
            if len(part.answered_halves) == 2:
                self._client.batch_sizes.learn(self._dataset.endpoint, max(part.answered_halves))
        return rows

    def give_up(self, error: OpenF1Error, pending: Sequence[_Part]) -> OpenF1Error | None:
        """The error of all that is left, when a single session's error seems to be everyone's."""
        self._rule.note_failure(error)
        if not self._rule.reached:
            return None
        left = sum(len(part.group) for part in pending)
        return type(error)(
            f"The {self._dataset.name} of {left} sessions were not asked for, since none was "
            f"answered and several failed alike, the last one so: {error}"
        )

    def sample_next(self, pending: Sequence[_Part]) -> list[_Part]:
        """The same calls; when all seems in vain, after some single sessions from among them."""
        left = [session for part in reversed(pending) for session in part.group]
        samples = self._rule.choose_samples(left)
        rest = [(part, tuple(s for s in part.group if s not in samples)) for part in pending]
        parts = [replace(part, group=group) for part, group in rest if group]
        return parts + [_Part(group=(session,)) for session in samples]

    def answer(
        self, part: _Part, rows: dict[int, list[dict[str, Any]]]
    ) -> dict[int, SessionAnswer]:
        """The answers of sessions that have rows, or truly none, by session key; takes the rows.

        A session with a record that is more than the limits allow, or that is another meeting's,
        fails alone: its answer is not the session's content, whatever else is in it.
        """
        self._rule.note_answer()
        answers = {}
        for session in part.group:
            key = session.session_key
            records = rows.pop(key)
            find_excess = self._client.answer_limits.find_excess
            excess = next(filter(None, map(find_excess, records)), "")
            error = None
            if excess:
                records = []
                error = Malformed(
                    f"The {self._dataset.name} of session {key} came with a record that has "
                    f"{excess}; run this again later, or raise the setting if the record is right."
                )
            elif foreign := session.find_foreign_rows(records):
                records = []
                error = ForeignRows(
                    f"The {self._dataset.name} of session {key} came with rows of another meeting: "
                    f"{foreign}. Nothing of this answer is stored, the lake keeps what it has. Run "
                    "this again later, and report it to OpenF1 if it stays."
                )
            answers[key] = self._to_answer(key, records, error)
        return answers

    def fail(self, parts: Iterable[_Part], error: OpenF1Error) -> dict[int, SessionAnswer]:
        """The same error for each session of the parts, by session key."""
        return {key: self._to_answer(key, [], error) for part in parts for key in part.keys}

    def _to_answer(
        self, key: int, records: list[dict[str, Any]], error: OpenF1Error | None
    ) -> SessionAnswer:
        return SessionAnswer(
            session_key=key,
            records=records,
            error=error,
            request_share=self._shares.get(key, 0.0),
            api_requests=self._calls[key],
            api_retries=self._retries[key],
            extract_seconds=self._seconds.get(key, 0.0),
            source_url=source_url(self._client.base_url, self._dataset, key),
        )

    def _charge(self, keys: Sequence[int], calls: int, retries: int, seconds: float) -> None:
        """Share out what one call cost: whole calls from the first session on, time evenly."""
        size = len(keys)
        for place, key in enumerate(keys):
            self._calls[key] += (calls + size - 1 - place) // size
            self._shares[key] = self._shares.get(key, 0.0) + calls / size
            self._retries[key] += (retries + size - 1 - place) // size
            self._seconds[key] = self._seconds.get(key, 0.0) + seconds / size

    def _by_session(self, answer: Answer, part: _Part) -> dict[int, list[dict[str, Any]]]:
        rows: dict[int, list[dict[str, Any]]] = {key: [] for key in part.keys}
        for record in answer.records:
            key = record.get("session_key")
            if type(key) is not int or key not in rows:  # True would pass for 1
                asked = f"session {part.keys[0]}"
                if len(part.group) > 1:
                    asked = f"{len(part.group)} sessions from {part.keys[0]}"
                raise (ForeignRows if type(key) is int else Malformed)(
                    f"The {self._dataset.name} of {asked} came with {_describe_key(key)}. Nothing "
                    "of this answer is stored, the lake keeps what it has. Run this again later, "
                    "and report it to OpenF1 if it stays."
                )
            rows[key].append(record)
        return rows


def _describe_key(key: object) -> str:
    """What is wrong with a record whose session_key is none of those that were asked for."""
    if type(key) is int:
        return f"a record of session {key}, which was not asked for"
    if key is None:
        return "a record without a session_key, so that nobody knows whose it is"
    kind = "a text" if isinstance(key, str) else f"a {type(key).__name__}"
    return f"a record whose session_key is {repr(key)[:40]}, {kind} where a number belongs"
