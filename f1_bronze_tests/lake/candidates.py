"""Candidates and landings for tests: laps of Bahrain's race unless another dataset is given."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.laps import LAPS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.lake.landing import Candidate, Landing, land
from f1_bronze.lake.stores import ObjectStore

from .examples import BAHRAIN, RACE_KEY


def candidate(
    records: Sequence[Mapping[str, Any]],
    *,
    dataset: Dataset = LAPS,
    partition: SessionPartition = BAHRAIN,
    session_key: int = RACE_KEY,
    notes: Mapping[str, str] | None = None,
) -> Candidate:
    """An answer that is to become the content of a partition."""
    return Candidate(
        dataset=dataset,
        partition=partition,
        session_key=session_key,
        records=records,
        source=f"{dataset.endpoint}?session_key={session_key}",
        notes=notes or {},
    )


def put(
    store: ObjectStore,
    clock: Callable[[], datetime],
    records: Sequence[Mapping[str, Any]],
    *,
    accept_loss: bool = False,
    **what: Any,
) -> Landing:
    """Land the records at the clock's next moment; `what` as for `candidate`."""
    moment = clock()
    return land(store, candidate(records, **what), clock=lambda: moment, accept_loss=accept_loss)
