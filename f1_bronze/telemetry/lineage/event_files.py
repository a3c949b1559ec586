"""The events in the lake: one file each, written together and read together.

Belongs here: doing many small files at once. Stays out: where they lie
(paths.py), what they say (events.py).
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date

from f1_bronze.telemetry.files import Files
from f1_bronze.telemetry.lineage import paths
from f1_bronze.telemetry.lineage.events import LineageEvent

_AT_ONCE = 10
"""On S3 a small object takes some 30 ms whatever is done; boto3 keeps so many connections."""


class EventFiles:
    """The lake's events."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def write(self, events: Sequence[LineageEvent]) -> set[date]:
        """Put each event in its place, and return the days that have got some.

        An event told again is written over itself, byte for byte. When the lake fails, some may
        be there and some not: write all of them again.
        """
        for event in events[:1]:  # alone: boto3 must not make its client in several threads
            self._files.write(event.path, event.data, {})
        with ThreadPoolExecutor(_AT_ONCE) as writers:
            for _ in writers.map(lambda one: self._files.write(one.path, one.data, {}), events[1:]):
                pass
        found = (paths.read_event_path(event.path) for event in events)
        return {path.day for path in found if path is not None}

    def of_day(self, day: date) -> list[tuple[str, bytes]]:
        """Path and bytes of the events of a day, in the order of their paths."""
        return self.read(stored.path for stored in self._files.list(paths.day_folder(day)))

    def of_dataset(self, dataset: str) -> list[tuple[str, bytes]]:
        """The same of all events that tell of a dataset, and of no whole run."""
        listed = (stored.path for stored in self._files.list(paths.EVENTS))
        return self.read(path for path in listed if _tells_of(path, dataset))

    def read(self, wanted: Iterable[str]) -> list[tuple[str, bytes]]:
        """Path and bytes of these files, but for those that are no more."""
        listed = list(wanted)
        with ThreadPoolExecutor(_AT_ONCE) as readers:
            found = zip(listed, readers.map(self._files.read, listed), strict=True)
            return [(path, data) for path, data in found if data is not None]


def _tells_of(path: str, dataset: str) -> bool:
    found = paths.read_event_path(path)
    return found is not None and found.dataset == dataset
