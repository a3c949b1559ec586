"""The second wave of a backfill: stints and pit stops of the races whose sessions are on record."""

from typing import Any

import pytest

from f1_bronze.defs.run import ingestion
from f1_bronze.lake import lake

from ..commands import Run


def test_the_sessions_of_a_run_are_recorded_in_one_go(
    run: Run, fast: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All are stored before the first is recorded: a tick of the daemon finds none or all."""
    acts: list[tuple[str, str]] = []
    land, record = lake.land, ingestion.to_materialization

    def landing(store: Any, candidate: Any, **how: Any) -> Any:
        acts.append(("store", candidate.dataset.name))
        return land(store, candidate, **how)

    def recording(dataset: Any, *what: Any) -> Any:
        acts.append(("record", dataset.name))
        return record(dataset, *what)

    monkeypatch.setattr(lake, "land", landing)
    monkeypatch.setattr(ingestion, "to_materialization", recording)
    words = ("--grand-prix", "bahrain", "--grand-prix", "monaco", "--dataset", "sessions")
    assert run("ingest", "2025", *words, **fast).status == 0
    assert acts == [("store", "sessions")] * 4 + [("record", "sessions")] * 4
