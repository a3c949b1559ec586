"""OpenF1 as one process uses it: asked once for what several runs need between them."""

import marshal
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.openf1.answers import Counters
from f1_bronze.openf1.batches import SessionAnswer, SessionRef, fetch_batches
from f1_bronze.openf1.calendar import Calendar, read_calendar

if TYPE_CHECKING:
    from f1_bronze.openf1.client import OpenF1Client


_Packed = tuple[SessionAnswer, bytes]
"""An answer without its records, and these as bytes."""


class OpenF1:
    """One client, each season's calendar read once, and batches across runs.

    `expect` says what several runs of this process will ask for between them; `answers` then asks
    in batches across these runs.
    """

    def __init__(
        self,
        make_client: Callable[[], "OpenF1Client"],
        *,
        base_url: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._make_client = make_client
        self._clock = clock
        self.base_url = base_url
        """The address of the API, without a slash at the end."""
        self._ahead: dict[Dataset, Iterator[list[SessionAnswer]]] = {}
        self._kept: dict[tuple[Dataset, int], SessionAnswer | _Packed] = {}
        self._expected: set[tuple[Dataset, int]] = set()
        self._calendars: dict[tuple[int, ...], Calendar] = {}
        self._calendar_cost = Counters()
        self._settled = Counters()

    @cached_property
    def client(self) -> "OpenF1Client":
        """The client; made when first used, since many runs need no call at all."""
        return self._make_client()

    @property
    def counters(self) -> Counters:
        """What was asked so far; nothing at all when no call was needed."""
        return self.client.counters if "client" in self.__dict__ else Counters()

    @property
    def unsettled(self) -> Counters:
        """What was asked since the last run was settled: what the current run has cost."""
        return self.counters - self._settled

    def settle(self) -> None:
        """The current run is over; later calls belong to the next."""
        self._settled = self.counters

    def calendar(self, years: Sequence[int], placed: Mapping[int, SessionPartition]) -> Calendar:
        """All ended sessions of these seasons, of every type, in two calls.

        Three where meetings are missing and are asked for once more.

        A season that was read before is not asked again: `OpenF1Error` is not remembered.
        """
        wanted = set(years)
        for known, calendar in self._calendars.items():
            if wanted <= set(known):
                return calendar
        before = self.client.counters
        read = read_calendar(
            self.client, sorted(wanted), now=self._clock(), session_types=None, placed=placed
        )
        self._calendar_cost = self.client.counters - before
        self._calendars[tuple(sorted(wanted))] = read
        return read

    def take_calendar_cost(self) -> Counters:
        """What the calendar that was read last has cost; nothing when that was taken before."""
        cost, self._calendar_cost = self._calendar_cost, Counters()
        return cost

    def expect(self, wanted: Mapping[Dataset, Sequence[SessionRef]]) -> None:
        """The sessions that later calls of `answers` will ask for, in about that order."""
        for dataset, refs in wanted.items():
            self._ahead[dataset] = fetch_batches(self.client, dataset, refs)
            self._expected |= {(dataset, ref.session_key) for ref in refs}

    def answers(self, dataset: Dataset, refs: Sequence[SessionRef]) -> Iterator[SessionAnswer]:
        """An answer for each session, in order; at most one batch is held in memory.

        What was expected comes from the batches of all that is expected, the rest from batches
        of its own.
        """
        return chain.from_iterable(self.answer_batches(dataset, refs))

    def answer_batches(
        self, dataset: Dataset, refs: Sequence[SessionRef]
    ) -> Iterator[list[SessionAnswer]]:
        """The same, those answers together that are at hand without another call."""
        others = [ref for ref in refs if (dataset, ref.session_key) not in self._expected]
        asked = fetch_batches(self.client, dataset, others) if others else iter(())
        unasked = {(dataset, ref.session_key) for ref in others}
        now = {ref.session_key for ref in refs}
        at_hand: list[SessionAnswer] = []
        for ref in refs:
            place = dataset, ref.session_key
            if place not in self._kept and at_hand:
                yield at_hand
                at_hand = []
            while place not in self._kept:
                batch = next(asked if place in unasked else self._ahead[dataset])
                for answer in batch:
                    later = answer.session_key not in now
                    self._kept[dataset, answer.session_key] = _pack(answer) if later else answer
                batch.clear()  # or its iterator keeps the records until the next one
            self._expected.discard(place)
            at_hand.append(_unpack(self._kept.pop(place)))
        if at_hand:
            yield at_hand

    def close(self) -> None:
        """Give the connections back."""
        if "client" in self.__dict__:
            self.client.close()


def _pack(answer: SessionAnswer) -> _Packed:
    """An answer for a later run: objects take many times the memory of their bytes."""
    return replace(answer, records=[]), marshal.dumps(answer.records)


def _unpack(kept: SessionAnswer | _Packed) -> SessionAnswer:
    if isinstance(kept, SessionAnswer):
        return kept
    answer, records = kept
    return replace(answer, records=marshal.loads(records))
