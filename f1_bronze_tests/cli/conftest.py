"""A moto server for the commands that work on S3, and a client that does not pause."""

from collections.abc import Iterator

import pytest

from f1_bronze.openf1.client import OpenF1Client


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command's client does not wait between its attempts."""
    defaults = OpenF1Client.__init__.__kwdefaults__
    monkeypatch.setitem(defaults, "sleep", lambda seconds: None)


@pytest.fixture(scope="session")
def moto_server() -> Iterator[str]:
    """Its address; one server for all tests of this process."""
    from moto.server import ThreadedMotoServer

    running = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    running.start()
    yield "http://{}:{}".format(*running.get_host_and_port())
    running.stop()
