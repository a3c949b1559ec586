"""The servers of this machine as fixtures; a test of one that is not there is skipped."""

from collections.abc import Iterator

import pytest

from . import servers


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[servers.Server]:
    """A PostgreSQL server, shared by the tests of a session."""
    pytest.importorskip("psycopg")
    try:
        with servers.postgresql() as server:
            yield server
    except servers.NoServer as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def redis_server() -> Iterator[servers.Server]:
    """A Redis server, shared by the tests of a session."""
    pytest.importorskip("redis")
    try:
        with servers.redis() as server:
            yield server
    except servers.NoServer as reason:
        pytest.skip(str(reason))


@pytest.fixture(params=["postgresql", "redis"])
def server(request: pytest.FixtureRequest) -> servers.Server:
    """Each of the two in turn."""
    found: servers.Server = request.getfixturevalue(f"{request.param}_server")
    return found
