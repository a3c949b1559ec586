"""A small season that is corrected again and again, and what must hold of its lake at all times."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.lake.history import read_history
from f1_bronze.lake.landing import Candidate
from f1_bronze.lake.paths import file_path
from f1_bronze.lake.records import to_rows
from f1_bronze.lake.stores import ObjectStore
from f1_bronze.lake.verify import Defect, LakeCheck, check_lake
from f1_bronze.simulator.invented import InventedSeasons

YEAR = 2025
_SESSIONS = {
    907043: SessionPartition.parse("2025/bahrain/qualifying"),
    907047: SessionPartition.parse("2025/bahrain/race"),
    909051: SessionPartition.parse("2025/monaco/race"),
}
_MOST_ROWS = 15
_FIELD_CORRECTED = {
    "sessions": "location",
    "drivers": "team_name",
    "results": "number_of_laps",
    "laps": "st_speed",
    "stints": "tyre_age_at_start",
    "pit_stops": "stop_duration",
}
HARMLESS = {Defect.UNFINISHED, Defect.LEFTOVER}
"""What an interrupted writer may leave behind."""


@cache
def _first_pass() -> tuple[Candidate, ...]:
    source = InventedSeasons()
    candidates = []
    for session_key, partition in _SESSIONS.items():
        for dataset in DATASETS:
            if not dataset.exists_for(partition.session_type):
                continue
            records: list[Mapping[str, Any]] = (
                [{"session_key": session_key, "year": YEAR, "location": "Sakhir"}]
                if dataset.name == "sessions"
                else list(source.rows(dataset.endpoint, 907047))[:_MOST_ROWS]
            )
            candidates.append(
                Candidate(
                    dataset=dataset,
                    partition=partition,
                    session_key=session_key,
                    records=[{**record, "session_key": session_key} for record in records],
                    source=f"{dataset.endpoint}?session_key={session_key}",
                    notes={},
                )
            )
    return tuple(candidates)


@cache
def candidates(number: int) -> tuple[Candidate, ...]:
    """What the n-th pass over the season writes; every other answer differs from the one before."""
    return tuple(
        _corrected(one, (number + place % 2) // 2) for place, one in enumerate(_first_pass())
    )


def _corrected(candidate: Candidate, correction: int) -> Candidate:
    if not correction:
        return candidate
    field = _FIELD_CORRECTED[candidate.dataset.name]
    value = f"correction {correction}" if field in ("location", "team_name") else correction
    records = [{**record, field: value} for record in candidate.records[:3]]
    return Candidate(
        dataset=candidate.dataset,
        partition=candidate.partition,
        session_key=candidate.session_key,
        records=[*records, *candidate.records[3:]],
        source=candidate.source,
        notes={},
    )


@cache
def content_hashes(number: int) -> tuple[str, ...]:
    """The content of each candidate of a pass."""
    return tuple(to_rows(one.dataset, one.records).content_sha256 for one in candidates(number))


def bronze(store: ObjectStore) -> dict[str, bytes]:
    """Every current file, byte for byte."""
    return {entry.path: store.read(entry.path) or b"" for entry in store.list("bronze/")}


def check_law(store: ObjectStore, number: int) -> LakeCheck:
    """In the middle of the n-th pass: every listed file is whole and holds what this pass or the
    one before gave it, and nothing is wrong but what interrupted writers leave."""
    checked = check_lake(store, [YEAR])
    assert {finding.defect for finding in checked.findings} <= HARMLESS, checked.findings
    held = {sound.path: sound.file.provenance.content_sha256 for sound in checked.sound}
    for place, one in enumerate(candidates(number)):
        path = file_path(one.dataset.name, one.partition, one.session_key)
        allowed = {content_hashes(number)[place]}
        allowed |= {content_hashes(number - 1)[place]} if number else {None}
        assert held.pop(path, None) in allowed, path
    assert held == {}
    return checked


def check_nothing_lost(store: ObjectStore, passes: int) -> None:
    """After so many passes each partition has held all that it was given, once and in order, from
    a moment that is known, of its arrival too."""
    for place, one in enumerate(candidates(0)):
        given = [content_hashes(number)[place] for number in range(passes)]
        expected = [sha for n, sha in enumerate(given) if n == 0 or given[n - 1] != sha]
        held = read_history(store, one.dataset, one.partition).contents
        assert [c.file and c.file.provenance.content_sha256 for c in held] == expected
        since = [c.since for c in held if c.since]
        assert len(since) == len(held)
        assert since == sorted(since)
