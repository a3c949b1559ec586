"""f1-bronze ingest with its lake on S3: how many requests a partition takes, lineage included."""

from collections import Counter
from collections.abc import Iterator

import pytest

from benchmarks.s3_proxy import S3Proxy, serve_proxy
from f1_bronze.lake import lake as lakes

from ..commands import Run
from ..servers import MOTO_KEYS, serve_moto

BUCKET = "a-season"
MOST_BESIDES = 60
"""Requests of a command with its two runs, however many partitions they store: listings of each
dataset, the runs' lineage, checks, metrics."""


@pytest.fixture
def proxy() -> Iterator[S3Proxy]:
    """The way to an S3 with an empty bucket."""
    with serve_moto(BUCKET) as address, serve_proxy(address, delay=0) as running:
        yield running


@pytest.mark.slow
def test_requests_of_a_season(
    run: Run, fast: dict[str, str], proxy: S3Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At most 4 a stored partition, of which none is read before it is written, and at most 1 an
    unchanged one; the lineage of a run is a file for each dataset."""
    lake = {"LAKE_URI": f"s3://{BUCKET}/f1", "AWS_ENDPOINT_URL": proxy.url, **MOTO_KEYS}
    stored = run("ingest", "2025", "--json", **fast, **lake)
    assert stored.status == 0, stored.err
    partitions = sum(row["new"] for row in stored.data["datasets"])
    assert partitions == 240
    first = Counter(proxy.take())
    assert first["write arrival marks"] == first["write partition files"] == partitions
    # A dataset of a run each; its start and its end.
    assert first["write lineage events"] == 6 + 2 * len(stored.data["runs"])
    # Charts and checks of races look at what the run before stored: it is still in memory.
    assert first["read partition files"] == 0
    assert first.total() <= 2.5 * partitions + MOST_BESIDES < 4 * partitions

    # As in another process, which has stored nothing yet.
    monkeypatch.setattr(lakes, "_RECENT", lakes._RecentFiles(32_000_000))
    again = run("ingest", "2025", "--json", **fast, **lake)
    assert sum(row["unchanged"] for row in again.data["datasets"]) == partitions
    second = Counter(proxy.take())
    assert second["write arrival marks"] == second["write partition files"] == 0
    # Charts look at what the lake has of datasets whose turn comes later.
    assert second["read partition files"] <= partitions / 2
    assert second.total() - second["read partition files"] <= MOST_BESIDES + 40
    assert second.total() <= partitions
