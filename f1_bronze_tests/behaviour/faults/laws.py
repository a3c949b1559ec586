"""The law of the bench: after any fault all is stored as it should be, or reported as missing.

Bytes are compared with those of a lake that a run without faults has made; nothing is ever
stored that such a run would not have stored, least of all an empty partition.
"""

import io
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

import pyarrow.parquet as pq

from .bench import PART, Bench, IngestResult, Place

Content = Mapping[str, bytes]
FAILED, CLOSED = 1, 3


def place_of(file: str) -> Place:
    """Dataset and partition key of a file of the lake or of its history."""
    _, dataset, *folders = PurePosixPath(file).parts[:5]
    return dataset, "/".join(folder.partition("=")[2] for folder in folders)


def rows_of(content: Content) -> dict[str, int]:
    """How many rows each file has."""
    return {
        file: pq.read_metadata(io.BytesIO(data)).num_rows
        for file, data in content.items()
        if file.endswith(".parquet")
    }


def assert_nothing_untrue(content: Content, clean: Content) -> None:
    """Every file is one of the clean lake's, with its rows and byte for byte."""
    assert set(content) <= set(clean)
    clean_rows = rows_of(clean)
    rows = rows_of(content)
    assert rows == {file: clean_rows[file] for file in rows}
    assert [file for file in content if content[file] != clean[file]] == []


def assert_reported(result: IngestResult, content: Content, clean: Content) -> None:
    """Status, outcome and the failures of the runs name exactly what is missing."""
    assert_nothing_untrue(content, clean)
    missing = frozenset(place_of(file) for file in set(clean) - set(content))
    if not missing:
        assert (result.status, result.failed, result.in_runs) == (0, frozenset(), frozenset())
        return
    closed = "ClosedForLiveSession" in result.errors or "closed to free users" in result.err
    assert result.status == (CLOSED if closed else FAILED)
    if not result.output.get("runs"):
        # Without the calendar no partition is known: nothing is stored, and a sentence says why.
        assert content == {}
        assert result.err.startswith("f1-bronze: OpenF1 ")
        return
    assert result.failed == missing
    assert result.in_runs == missing


def of_datasets(content: Content, *datasets: str) -> Content:
    """The files of these datasets."""
    return {file: data for file, data in content.items() if place_of(file)[0] in datasets}


def assert_truthful(bench: Bench, clean: Content, *, words: Sequence[str] = PART) -> IngestResult:
    """Ingest once under the faults in force: what is stored is true and the rest is reported."""
    result = bench.ingest(words)
    assert_reported(result, bench.content(), clean)
    return result


def assert_lawful(
    bench: Bench, clean: Content, *, words: Sequence[str] = PART, heal: float = 0.0
) -> IngestResult:
    """Ingest under the faults in force, lift them, ingest again: the law holds throughout.

    `heal` seconds pass before the second run. The first run's result is returned.
    """
    result = assert_truthful(bench, clean, words=words)
    bench.arm()
    bench.time.sleep(heal)
    again = bench.ingest([*words, "--missing"])
    assert (again.status, again.failed) == (0, frozenset())
    assert_nothing_untrue(bench.content(), clean)
    assert bench.content().keys() == clean.keys()
    missing = len({dataset for dataset, _ in result.failed})
    if result.output.get("runs"):  # calendar, and a call for each dataset that lacks something
        assert again.calls <= 2 + 2 * missing + (bench.credentials is not None)
    return result


def assert_within_limits(bench: Bench) -> None:
    """No response of the simulator was its own 429: the client kept to the budget throughout."""
    own = [
        entry
        for entry in bench.simulator.control.requests()
        if entry.status == 429 and "rate_limited" not in entry.faults
    ]
    assert own == []
