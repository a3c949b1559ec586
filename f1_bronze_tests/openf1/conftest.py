"""A PostgreSQL server as a fixture; tests of it are skipped where there is none."""

from collections.abc import Iterator

import pytest

from . import servers


@pytest.fixture(scope="session")
def postgresql() -> Iterator[servers.Server]:
    """A PostgreSQL server, shared by the tests of a session."""
    pytest.importorskip("psycopg2")
    try:
        with servers.postgresql() as server:
            yield server
    except servers.NoServer as reason:
        pytest.skip(str(reason))
