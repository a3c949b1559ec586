"""Several writers, one call at a time: every interleaving of their calls can be run."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from f1_bronze.lake.stores import Fetched, ObjectStore, StoredObject, Unfinished


class Scheduler:
    """Runs each writer in a thread of its own; between two calls of a store all but one wait.

    `schedule` says whose turn is next among those that are not done, round and round.
    """

    def __init__(self, schedule: Sequence[int]) -> None:
        self._schedule = schedule
        self._changed = threading.Condition()
        self._waiting: list[int] = []
        self._let: int | None = None
        self._running = 0
        self.order: list[int] = []

    def run(self, writers: Sequence[Callable[[], Any]]) -> list[Any]:
        """What each writer returned or raised."""
        results: list[Any] = [None] * len(writers)

        def run_writer(number: int) -> None:
            try:
                results[number] = writers[number]()
            except Exception as error:  # noqa: BLE001 - the test looks at it
                results[number] = error
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

        threads = [threading.Thread(target=run_writer, args=(n,)) for n in range(len(writers))]
        self._running = len(threads)
        for thread in threads:
            thread.start()
        self._schedule_calls()
        for thread in threads:
            thread.join()
        return results

    def wait_for_turn(self, number: int) -> None:
        """Wait until it is this writer's turn."""
        with self._changed:
            self._waiting.append(number)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._let == number)
            self._let = None
            self._waiting.remove(number)

    def _schedule_calls(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._let is None and len(self._waiting) == self._running
                )
                if not self._running:
                    return
                choice = self._schedule[len(self.order) % len(self._schedule)]
                ready = sorted(self._waiting)
                self._let = ready[choice % len(ready)]
                self.order.append(self._let)
                self._changed.notify_all()


class ScheduledStore:
    """One writer's view of a store: before each call it waits for its turn."""

    def __init__(self, inner: ObjectStore, scheduler: Scheduler, number: int) -> None:
        self._inner, self._scheduler, self._number = inner, scheduler, number

    def uri(self, path: str) -> str:
        return self._inner.uri(path)

    def read(self, path: str) -> bytes | None:
        self._scheduler.wait_for_turn(self._number)
        return self._inner.read(path)

    def fetch(self, path: str) -> Fetched | None:
        self._scheduler.wait_for_turn(self._number)
        return self._inner.fetch(path)

    def write(
        self,
        path: str,
        data: bytes,
        metadata: Mapping[str, str],
        *,
        expected: str | None = None,
    ) -> None:
        self._scheduler.wait_for_turn(self._number)
        self._inner.write(path, data, metadata, expected=expected)

    def delete(self, path: str, *, expected: str | None = None) -> None:
        self._scheduler.wait_for_turn(self._number)
        self._inner.delete(path, expected=expected)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        self._scheduler.wait_for_turn(self._number)
        return iter(list(self._inner.list(prefix)))

    def unfinished(self) -> Iterator[Unfinished]:
        return self._inner.unfinished()

    def check(self) -> None:
        self._inner.check()
