"""What a racing rule is given and what it answers.

Belongs here: the contract between judging and the rules of this room. Stays out: the rules
themselves (a module per theme), how Findings become verdicts (quality/judging.py).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from f1_bronze.datasets.dataset import ColumnType, Dataset
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.datasets.schema import arrow_schema
from f1_bronze.datasets.sessions import SESSIONS
from f1_bronze.quality.context import Subject, Surroundings, conformed

if TYPE_CHECKING:
    import pandas as pd


_KINDS = {"year": "int64", "grand_prix": "str", "session_type": "str"}


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What one rule found in all judged sessions at once; sessions go by their session_key.

    A session that is in neither `looked_at` nor `not_judged` had nothing to look at. Sessions
    outside the rule's scope may be in it: whoever reads this leaves them out.

    Attributes:
        offences: a row per thing that is not as demanded, with session_key, the key columns
            that it has, and the columns that tell why.
        looked_at: how many things (laps, drivers, …) were looked at; `mostly` is a share of it.
        not_judged: why a session could not be judged.
        observed: what was seen, in a few words, where the count alone does not tell it.
    """

    offences: "pd.DataFrame"
    looked_at: Mapping[int, int]
    not_judged: Mapping[int, str] = field(default_factory=dict)
    observed: Mapping[int, str] = field(default_factory=dict)


class Around:
    """The judged sessions and everything beside them, read when a rule first asks for it.

    Made once per judging of one dataset. Frames have the columns year, grand_prix and
    session_type in front and then the dataset's, but for lists (mini-sectors): no rule needs
    them and they are slow. Integers with nulls are floats with NaN.
    """

    def __init__(
        self,
        dataset: Dataset,
        subjects: Mapping[SessionPartition, Subject],
        surroundings: Surroundings,
    ) -> None:
        self.dataset = dataset
        self._surroundings = surroundings
        own = {partition: subject.table for partition, subject in subjects.items()}
        self._tables: dict[str, Mapping[SessionPartition, pa.Table]] = {dataset.name: own}
        self._frames: dict[str, pd.DataFrame] = {}
        self._keys = self._session_keys(own)
        self.partitions: Mapping[int, SessionPartition] = {
            key: partition for partition, key in self._keys.items()
        }
        """session_key → partition of every judged session, also of those without rows."""

    def of(self, dataset: Dataset) -> "pd.DataFrame":
        """The rows of a dataset for those of the judged sessions that landed.

        For the judged dataset itself these are the rows to be judged.
        """
        if dataset.name not in self._frames:
            self._frames[dataset.name] = self._frame(dataset, self._landed(dataset))
        return self._frames[dataset.name]

    def landed(self, dataset: Dataset) -> frozenset[int]:
        """Keys of the judged sessions that have landed in a dataset, empty or not."""
        return frozenset(self._keys[partition] for partition in self._landed(dataset))

    def beside(
        self, own: "pd.DataFrame", dataset: Dataset
    ) -> tuple["pd.DataFrame", "pd.DataFrame", dict[int, str]]:
        """For a rule between two datasets: own rows, theirs, and why the rest is not judged.

        The rows are those of sessions that have some in both.
        """
        theirs = self.of(dataset)
        known, landed = set(theirs["session_key"]), self.landed(dataset)
        reasons = {
            key: f"{dataset.name} landed without rows"
            if key in landed
            else f"{dataset.name} have not landed"
            for key in set(own["session_key"]) - known
        }
        mine = own[own["session_key"].isin(known)]
        return mine, theirs[theirs["session_key"].isin(set(mine["session_key"]))], reasons

    def earlier_rows(self, session_key: int) -> Sequence[int]:
        """Row counts of sessions of the same type that landed before, the latest first."""
        return self._surroundings.earlier_rows(self.dataset, self.partitions[session_key])

    def fastest_laps(self, session_key: int) -> Sequence[float]:
        """Fastest laps in seconds of other sessions on the same circuit."""
        return self._surroundings.fastest_laps(self.partitions[session_key])

    def not_landed(self, dataset: Dataset, year: int) -> Sequence[SessionPartition]:
        """Ended sessions of the season that the lake lacks in a dataset."""
        return self._surroundings.not_landed(dataset, year)

    def _landed(self, dataset: Dataset) -> Mapping[SessionPartition, pa.Table]:
        if dataset.name not in self._tables:
            asked = list(self._keys)
            found = self._surroundings.tables(dataset, asked)
            self._tables[dataset.name] = {p: found[p] for p in asked if p in found}
        return self._tables[dataset.name]

    def _session_keys(
        self, own: Mapping[SessionPartition, pa.Table]
    ) -> dict[SessionPartition, int]:
        """Each session's key from its rows, else from `sessions`, else a number below 0.

        Below 0 as well where another session has the key already: sessions must not be mixed.
        """
        found = {partition: _first_key(table) for partition, table in own.items()}
        nameless = [partition for partition, key in found.items() if key is None]
        if nameless and self.dataset is not SESSIONS:
            entries = self._surroundings.tables(SESSIONS, nameless)
            found.update({p: _first_key(entries[p]) for p in nameless if p in entries})
        keys: dict[SessionPartition, int] = {}
        taken: set[int] = set()
        for place, (partition, key) in enumerate(found.items(), start=1):
            keys[partition] = -place if key is None or key in taken else key
            taken.add(keys[partition])
        return keys

    def _frame(
        self, dataset: Dataset, tables: Mapping[SessionPartition, pa.Table]
    ) -> "pd.DataFrame":
        flat = [column.name for column in dataset.columns if column.type is not ColumnType.INTEGERS]
        parts = [conformed(dataset, table).select(flat) for table in tables.values()]
        rows = [part.num_rows for part in parts]
        none = arrow_schema(dataset).empty_table().select(flat)
        frame: pd.DataFrame = pa.concat_tables([none, *parts]).to_pandas()
        # Rows go by their partition's key, so that even a foreign row has an address.
        frame["session_key"] = _repeated([self._keys[p] for p in tables], rows, "int64")
        for place, name in enumerate(_KINDS):
            values = [getattr(partition, name) for partition in tables]
            frame.insert(place, name, _repeated(values, rows, _KINDS[name]))
        return frame


def _first_key(table: pa.Table) -> int | None:
    if not table.num_rows:
        return None
    key: int | None = table.column("session_key")[0].as_py()
    return key


def _repeated(values: Sequence[Any], times: list[int], kind: str) -> "pd.Series[Any]":
    import pandas as pd

    # A kind, because without values pandas would guess one that does not compare.
    return pd.Series(values, dtype=kind).repeat(times).reset_index(drop=True)


def per_session(frame: "pd.DataFrame") -> dict[int, int]:
    """How many rows of a frame belong to each session."""
    return {int(str(key)): int(rows) for key, rows in frame.groupby("session_key").size().items()}


RacingRule = Callable[["pd.DataFrame", Around], Findings]

"""A rule: the rows of every judged session of its dataset, and what is around them."""
