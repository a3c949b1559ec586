"""What a racing rule is given, the checked sessions, and what it returns, its findings."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa

from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.datasets.sessions import SESSIONS
from f1_bronze.quality.context import CheckContext, to_frame

if TYPE_CHECKING:
    import pandas as pd

DRIVER = ["session_key", "driver_number"]


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What one rule found in all sessions at once; sessions go by their session_key.

    A session that is in neither `checked` nor `not_checked` had nothing to check. Sessions
    outside the rule's scope may be in it; the judge leaves them out.

    Attributes:
        failing: a row for each thing that fails, with session_key, the key columns that it has,
            and the columns that show why.
        checked: how many things were checked; `mostly` is a share of it.
        things: what is counted (laps, drivers, …), in the plural.
        failed: how many fail, where that is not the number of rows in `failing`.
        not_checked: why a session could not be checked.
        observed: what was seen, in a few words, where the count alone does not say it.
    """

    failing: "pd.DataFrame"
    checked: Mapping[int, int]
    things: str = "rows"
    failed: Mapping[int, int] | None = None
    not_checked: Mapping[int, str] = field(default_factory=dict)
    observed: Mapping[int, str] = field(default_factory=dict)


class CheckedSessions:
    """The sessions that are checked together and everything beside them, read when asked for.

    Frames are those of `to_frame`, with one difference: rows go by the session_key of their
    partition, so that a row of another session is checked where it is stored.
    """

    def __init__(
        self, dataset: Dataset, tables: Mapping[SessionPartition, pa.Table], context: CheckContext
    ) -> None:
        self.dataset = dataset
        self._context = context
        self._tables: dict[str, Mapping[SessionPartition, pa.Table]] = {dataset.name: tables}
        self._frames: dict[str, pd.DataFrame] = {}
        self._keys = self._session_keys(tables)
        self.partitions: Mapping[int, SessionPartition] = {
            key: partition for partition, key in self._keys.items()
        }
        """session_key → partition of every session in order, also of those without rows."""

    def rows(self, dataset: Dataset) -> "pd.DataFrame":
        """The rows of a dataset for those of the sessions that are stored in it.

        For the checked dataset itself these are the rows to be checked.
        """
        if dataset.name not in self._frames:
            tables = self._stored(dataset)
            frame = to_frame(dataset, tables)
            keys = [self._keys[p] for p, table in tables.items() for _ in range(table.num_rows)]
            self._frames[dataset.name] = frame.assign(session_key=keys).astype(
                {"session_key": "int64"}
            )
        return self._frames[dataset.name]

    def tables(self, dataset: Dataset) -> dict[int, pa.Table]:
        """What is stored of each session in a dataset, by session_key, as it is stored."""
        return {self._keys[partition]: one for partition, one in self._stored(dataset).items()}

    def stored(self, dataset: Dataset) -> frozenset[int]:
        """Keys of the sessions that are stored in a dataset, with rows or without."""
        return frozenset(self._keys[partition] for partition in self._stored(dataset))

    def compare(
        self, own: "pd.DataFrame", dataset: Dataset
    ) -> tuple["pd.DataFrame", "pd.DataFrame", dict[int, str]]:
        """For a rule between two datasets: own rows, theirs, and why the rest is not checked.

        The rows are those of sessions that have some in both.
        """
        theirs = self.rows(dataset)
        known, stored = set(theirs["session_key"]), self.stored(dataset)
        reasons = {
            key: f"{dataset.name} are stored without rows"
            if key in stored
            else f"{dataset.name} are not stored"
            for key in set(own["session_key"]) - known
        }
        mine = own[own["session_key"].isin(known)]
        return mine, theirs[theirs["session_key"].isin(set(mine["session_key"]))], reasons

    def earlier_rows(self, session_key: int) -> Sequence[int]:
        """Row counts of earlier sessions of the same type, the latest first."""
        return self._context.earlier_rows(self.dataset, self.partitions[session_key])

    def fastest_laps(self, session_key: int) -> Sequence[float]:
        """Fastest laps in seconds of other sessions on the same circuit."""
        return self._context.fastest_laps(self.partitions[session_key])

    def missing_sessions(self, dataset: Dataset, year: int) -> Sequence[SessionPartition]:
        """Ended sessions of the season that the lake lacks in a dataset."""
        return self._context.missing_sessions(dataset, year)

    def _stored(self, dataset: Dataset) -> Mapping[SessionPartition, pa.Table]:
        if dataset.name not in self._tables:
            wanted = list(self._keys)
            found = self._context.tables(dataset, wanted)
            self._tables[dataset.name] = {p: found[p] for p in wanted if p in found}
        return self._tables[dataset.name]

    def _session_keys(
        self, tables: Mapping[SessionPartition, pa.Table]
    ) -> dict[SessionPartition, int]:
        """Each session's key from its rows, else from `sessions`, else a number below 0.

        Below 0 as well where another session has the key already: sessions must not be mixed.
        """
        found = {partition: _first_key(table) for partition, table in tables.items()}
        unknown = [partition for partition, key in found.items() if key is None]
        if unknown and self.dataset is not SESSIONS:
            entries = self._context.tables(SESSIONS, unknown)
            found.update({p: _first_key(entries[p]) for p in unknown if p in entries})
        keys: dict[SessionPartition, int] = {}
        taken: set[int] = set()
        for place, (partition, key) in enumerate(found.items(), start=1):
            keys[partition] = -place if key is None or key in taken else key
            taken.add(keys[partition])
        return keys


def _first_key(table: pa.Table) -> int | None:
    if not table.num_rows:
        return None
    key: int | None = table.column("session_key")[0].as_py()
    return key


def per_session(frame: "pd.DataFrame") -> dict[int, int]:
    """How many rows of a frame belong to each session."""
    return {int(str(key)): int(rows) for key, rows in frame.groupby("session_key").size().items()}


# A rule: the rows of every checked session of its dataset, and what is beside them.
RacingRule = Callable[["pd.DataFrame", CheckedSessions], Findings]
