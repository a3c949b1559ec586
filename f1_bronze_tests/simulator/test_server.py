"""The simulator starts, stops and serves many clients."""

import http.client
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
import requests

from f1_bronze.simulator.behaviour import Behaviour
from f1_bronze.simulator.server import Simulator

from .fakes import TinySource

Simulate = Callable[..., Simulator]


def test_a_connection_is_kept_alive(simulate: Simulate) -> None:
    """Two requests go over one HTTP/1.1 connection."""
    connection = http.client.HTTPConnection(urlsplit(simulate().url).netloc, timeout=5)
    for _ in range(2):
        connection.request("GET", "/v1/sessions")
        answer = connection.getresponse()
        answer.read()
        socket = connection.sock
        assert (answer.status, answer.version) == (200, 11)
        assert connection.sock is socket is not None
    connection.close()


def test_stopping_ends_kept_alive_connections_and_it_starts_again(tiny: TinySource) -> None:
    """After stop nobody is answered; after another start everybody is."""
    sim = Simulator(tiny, limits=None).start()
    with requests.Session() as session:
        url = f"{sim.url}/sessions"
        assert session.get(url, timeout=5).status_code == 200
        sim.stop()
        with pytest.raises(requests.ConnectionError):
            session.get(url, timeout=5)
    with sim:
        assert requests.get(f"{sim.url}/sessions", timeout=5).status_code == 200
    with pytest.raises(RuntimeError, match="not running"):
        sim.url  # noqa: B018 - reading the property is the point


def test_many_clients_are_counted_exactly(simulate: Simulate) -> None:
    """Forty calls from eight threads are forty calls in the journal."""
    sim = simulate()
    url = f"{sim.url}/laps?session_key=1"
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: requests.get(url, timeout=5).status_code, range(40)))
    assert statuses == [200] * 40
    assert sim.control.state()["by_endpoint"] == {"laps": 40}


def test_it_binds_the_address_that_it_is_given(tiny: TinySource) -> None:
    """Loopback alone by default; bound to every network it is named by loopback."""
    with Simulator(tiny) as sim, pytest.raises(requests.ConnectionError):
        requests.get(f"{sim.url}/sessions".replace("127.0.0.1", "127.0.0.2"), timeout=5)
    with Simulator(tiny, host="127.0.0.2") as sim:
        assert sim.url.startswith("http://127.0.0.2:")
        assert requests.get(f"{sim.url}/sessions", timeout=5).status_code == 200
    with Simulator(tiny, host="0.0.0.0") as sim:
        assert sim.url.startswith("http://127.0.0.1:")
        for address in (sim.url, sim.url.replace("127.0.0.1", "127.0.0.2")):
            assert requests.get(f"{address}/sessions", timeout=5).status_code == 200
    with pytest.raises(OSError, match="address"):
        Simulator(tiny, host="192.0.2.1").start()


def test_limits_given_win_over_the_behaviour(tiny: TinySource) -> None:
    """The default is the free tier; `limits` replaces that of the behaviour."""
    assert Simulator(tiny).control.state()["manners"]["limits"] == "3/1s,30/60s"
    sim = Simulator(tiny, limits=None, behaviour=Behaviour(limits="1/1s"))
    assert sim.control.state()["manners"]["limits"] is None


def test_a_broken_source_is_reported(
    simulate: Simulate, capsys: pytest.CaptureFixture[str]
) -> None:
    """It answers a 500 that cannot be mistaken for an injected one."""

    class Broken(TinySource):
        def rows(self, endpoint: str, session_key: int) -> list[dict[str, object]]:
            raise OSError("disk on fire")

    answer = requests.get(f"{simulate(Broken()).url}/laps?session_key=1", timeout=5)
    assert answer.status_code == 500
    assert answer.text == "The simulator itself failed: OSError('disk on fire')"
    assert "disk on fire" in capsys.readouterr().err
