"""Sending events on: a consumer that is there, down, slow, broken, or does not like an event."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from f1_bronze.telemetry.lineage.delivery import (
    Answer,
    ConsumerAddressError,
    Delivered,
    Delivery,
    HttpConsumer,
    Position,
    Reply,
)
from f1_bronze.telemetry.lineage.event_files import EventFiles
from f1_bronze.telemetry.lineage.events import LineageEvent, end_events, start_events
from f1_bronze.telemetry.lineage.names import refused_path

from ..lake.fakes import MemoryStore
from .lineage_examples import begun, finished
from .lineage_server import LineageServer, closed_port

EVENTS = [*start_events(begun()), *end_events(finished())]
IDS = [
    f"{body['run']['runId']}/{body['eventType']}"
    for body in (json.loads(event.data) for event in EVENTS)
]


@pytest.fixture
def server() -> Iterator[LineageServer]:
    """A consumer that takes everything, until it is told otherwise."""
    running = LineageServer()
    yield running
    running.released.set()
    running.stop()


@pytest.fixture
def lake() -> MemoryStore:
    """A lake that holds the events."""
    store = MemoryStore()
    EventFiles(store).write(EVENTS)
    return store


def tick(
    server: LineageServer, lake: MemoryStore, position: Position, *, seconds: float = 2.0
) -> Delivered:
    """One tick's deliveries over HTTP, each with a consumer of its own as after a restart."""
    consumer = HttpConsumer(server.url, {})
    return Delivery(consumer, lake, seconds=seconds).deliver(EVENTS, position)


def test_everything_is_taken(server: LineageServer, lake: MemoryStore) -> None:
    """Each event arrives once, in order and whole; telling them again sends nothing."""
    done = tick(server, lake, Position())
    assert (done.taken, done.refused, done.is_done) == (len(EVENTS), (), True)
    assert server.taken == [json.loads(event.data) for event in EVENTS]
    again = tick(server, lake, done.position)
    assert (again.taken, again.is_done, again.position) == (0, True, done.position)
    assert len(server.taken) == len(EVENTS)


def test_address_and_key(server: LineageServer) -> None:
    """The official client's variables say where below the address, and with which key."""
    HttpConsumer(server.url, {}).send(EVENTS[0].data, seconds=2)
    environ = {"OPENLINEAGE_ENDPOINT": "/in/events", "OPENLINEAGE_API_KEY": "s3cret"}
    HttpConsumer(f"{server.url}/base", environ).send(EVENTS[0].data, seconds=2)
    (plain, plain_headers), (path, headers) = server.requests
    assert (plain, path) == ("/api/v1/lineage", "/base/in/events")
    assert "Authorization" not in plain_headers
    assert headers["Authorization"] == "Bearer s3cret"
    assert headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("url", ["", "marquez:5000", "ftp://host", "https://"])
def test_no_address(url: str) -> None:
    """An address that is none is told at once, with the setting's name."""
    with pytest.raises(ConsumerAddressError, match="F1_BRONZE_LINEAGE_URL is"):
        HttpConsumer(url, {})


def test_an_outage_of_hours(server: LineageServer, lake: MemoryStore) -> None:
    """While the consumer is down nothing moves and nothing is set aside; then all of it arrives,
    once and in order."""
    half = tick(server, lake, Position(), seconds=2.0)
    assert half.is_done
    server.taken.clear()
    position = Position(after=EVENTS[3].path, taken=EVENTS[3].path)
    server.stop()
    for _ in range(50):
        waiting = tick(server, lake, position)
        assert (waiting.taken, waiting.refused, waiting.is_done) == (0, (), False)
        assert "cannot be reached (ConnectionError)" in (waiting.waiting or "")
        position = waiting.position
    assert position.after == EVENTS[3].path
    server.start()
    done = tick(server, lake, position)
    assert (done.taken, done.refused, done.is_done) == (len(EVENTS) - 4, (), True)
    # The first to arrive is the last that had been taken, which is how the consumer was tried.
    assert server.run_ids == [IDS[3], *IDS[4:]]


def test_nobody_listens(lake: MemoryStore) -> None:
    """A wrong port is a sentence that names the consumer and not its credentials."""
    consumer = HttpConsumer(f"http://me:pw@127.0.0.1:{closed_port()}", {})
    reply = consumer.send(EVENTS[0].data, seconds=2)
    assert reply.answer is Answer.FAILED
    assert reply.reason.startswith("The lineage consumer 127.0.0.1:")
    assert "pw" not in reply.reason


@pytest.mark.parametrize("status", [401, 403, 404, 405, 429, 500, 503])
def test_answers_that_are_not_about_the_event(
    server: LineageServer, lake: MemoryStore, status: int
) -> None:
    """A consumer that answers so to everything only makes events wait, however often."""
    server.behaviour = lambda _: status
    position = Position(after=EVENTS[0].path, taken=EVENTS[0].path)
    for _ in range(5):
        waiting = tick(server, lake, position)
        assert f"answered {status}" in (waiting.waiting or "")
        position = waiting.position
    assert (position.after, waiting.refused) == (EVENTS[0].path, ())
    server.behaviour = lambda _: 200
    assert tick(server, lake, position).taken == len(EVENTS) - 1


def test_a_key_that_is_wrong(server: LineageServer, lake: MemoryStore) -> None:
    """The reason ends with what to mend."""
    server.behaviour = lambda _: 401
    waiting = tick(server, lake, Position())
    assert (waiting.waiting or "").endswith("Check OPENLINEAGE_API_KEY.")


def test_an_event_that_is_refused(server: LineageServer, lake: MemoryStore) -> None:
    """A 400 sets that event aside with what the consumer said, and holds up no other."""
    server.behaviour = lambda event: 400 if "errorMessage" in event["run"]["facets"] else 201
    done = tick(server, lake, Position())
    bad = [event for event in EVENTS if b"errorMessage" in event.data]
    assert done.is_done
    assert done.refused == tuple(refused_path(event.path) for event in bad)
    assert (len(bad), done.taken) == (2, len(EVENTS) - 2)
    assert done.position.taken == EVENTS[-2].path
    assert done.position.after == EVENTS[-1].path
    note = json.loads(lake.objects[done.refused[0]])
    assert note["event"] == bad[0].path
    assert note["reason"].endswith('answered 400: {"message": "no token=…"}')
    assert tick(server, lake, done.position).taken == 0


def poison(event: LineageEvent) -> Any:
    """A behaviour that breaks on that event alone."""
    body = json.loads(event.data)
    return lambda one: 500 if one == body else 201


def test_an_event_that_breaks_the_consumer(server: LineageServer, lake: MemoryStore) -> None:
    """A 500 for one event alone sets it aside, once it has failed beside another that is taken."""
    server.behaviour = poison(EVENTS[4])
    position, ticks = Position(), 0
    while not (done := tick(server, lake, position)).is_done:
        position, ticks = done.position, ticks + 1
        assert (position.after, position.failures) == (EVENTS[3].path, ticks)
    assert ticks == 2
    assert done.refused == (refused_path(EVENTS[4].path),)
    note = json.loads(lake.objects[done.refused[0]])
    assert note["reason"].endswith("answered 500")
    assert list(dict.fromkeys(server.run_ids)) == [i for i in IDS if i != IDS[4]]


def test_the_very_first_event_breaks_the_consumer(server: LineageServer, lake: MemoryStore) -> None:
    """Where none was ever taken the next one shows that the consumer works."""
    server.behaviour = poison(EVENTS[0])
    position = Position()
    for _ in range(2):
        position = tick(server, lake, position).position
    done = tick(server, lake, position)
    assert (done.refused, done.is_done) == ((refused_path(EVENTS[0].path),), True)
    assert set(server.run_ids) == set(IDS[1:])


def test_a_failing_moment_is_no_poison(server: LineageServer, lake: MemoryStore) -> None:
    """An event that fails twice and then is taken is not set aside."""
    broken = poison(EVENTS[4])
    position = Position()
    for behaviour in (broken, broken):
        server.behaviour = behaviour
        position = tick(server, lake, position).position
    assert position.failures == 2
    server.behaviour = lambda _: 200
    done = tick(server, lake, position)
    assert (done.refused, done.is_done, done.position.failures) == ((), True, 0)


def test_a_slow_consumer(server: LineageServer, lake: MemoryStore) -> None:
    """A tick takes no longer than its seconds, and the next one goes on where it stopped."""
    server.seconds = 0.12
    position, taken, ticks = Position(), 0, 0
    while True:
        begun_at = time.monotonic()
        done = tick(server, lake, position, seconds=0.6)
        assert time.monotonic() - begun_at < 0.6 + 1.0  # what else the machine is doing
        position, taken, ticks = done.position, taken + done.taken, ticks + 1
        if done.is_done:
            break
        assert "go on with the next tick" in (done.waiting or "")
    assert (taken, done.refused) == (len(EVENTS), ())
    assert server.run_ids == IDS
    assert ticks > 1


def test_a_consumer_that_never_answers(server: LineageServer, lake: MemoryStore) -> None:
    """An answer that trickles in for ever costs the tick its seconds and no more."""
    server.trickles = True
    begun_at = time.monotonic()
    waiting = tick(server, lake, Position(), seconds=0.4)
    assert time.monotonic() - begun_at < 0.4 + 1.0
    assert waiting.waiting == (
        f"The lineage consumer {server.url.removeprefix('http://')} gave no answer within 0.4 s"
    )
    assert waiting.position == Position(failures=1)


def test_a_login_page_is_no_consumer(server: LineageServer, lake: MemoryStore) -> None:
    """A redirect to a page that answers 200 has taken nothing."""
    server.moved_to = f"{server.url}/login"
    waiting = tick(server, lake, Position())
    assert (waiting.taken, waiting.position.after) == (0, None)
    assert "answered with a redirect. Check F1_BRONZE_LINEAGE_URL" in (waiting.waiting or "")


class Clocked:
    """A consumer that takes everything, each in so many seconds of a clock of its own."""

    def __init__(self, seconds: float) -> None:
        self.now = 0.0
        self.given: list[float] = []
        self._seconds = seconds

    def clock(self) -> float:
        return self.now

    def send(self, data: bytes, *, seconds: float) -> Reply:
        self.given.append(round(seconds, 3))
        taken = self._seconds <= seconds
        self.now += min(self._seconds, seconds)
        return Reply(answer=Answer.TAKEN if taken else Answer.FAILED, reason="too slow")


@pytest.mark.parametrize(("each", "a_tick"), [(0.25, 5), (0.9, 2), (1.9, 1)])
def test_an_event_has_half_of_the_time(each: float, a_tick: int, lake: MemoryStore) -> None:
    """None is begun when less is left, so that it fails by its own fault only: a consumer that
    needs almost all of a tick for an event is served all the same."""
    consumer = Clocked(each)
    position, ticks = Position(), 0
    for _ in range(len(EVENTS)):
        delivery = Delivery(consumer, lake, seconds=2.0, clock=consumer.clock)
        done = delivery.deliver(EVENTS, position)
        position, ticks = done.position, ticks + 1
        if done.is_done:
            break
        assert done.taken == a_tick
    assert done.is_done
    assert min(consumer.given) >= 1.0
    assert ticks == -(-len(EVENTS) // a_tick)


def test_only_sending_takes_time(lake: MemoryStore) -> None:
    """What passes between two runs, while events are made, is not taken from a tick's seconds;
    what their sending took is."""
    consumer = Clocked(0.25)
    delivery = Delivery(consumer, lake, seconds=2.0, clock=consumer.clock)
    consumer.now += 60
    first = delivery.deliver(EVENTS[:3], Position())
    consumer.now += 60
    second = delivery.deliver(EVENTS[3:], first.position)
    assert (first.taken, first.is_done, second.taken, second.is_done) == (3, True, 2, False)
    assert consumer.given == [2.0, 1.75, 1.5, 1.25, 1.0]


def test_several_runs_in_a_tick(server: LineageServer, lake: MemoryStore) -> None:
    """A tick's seconds and the position go from one run to the next."""
    other = [*start_events(begun(run_id="9e107d9d-372b-4b3e-8f5a-1f2e3d4c5b6a"))]
    delivery = Delivery(HttpConsumer(server.url, {}), lake)
    first = delivery.deliver(EVENTS, Position())
    second = delivery.deliver(other, first.position)
    assert (second.taken, second.position.after) == (1, other[0].path)
    assert len(server.taken) == len(EVENTS) + 1


def test_a_position_in_a_cursor() -> None:
    """It survives JSON, and what an older or newer release wrote."""
    position = Position(after="a", taken="b", failures=2, proven=True)
    assert Position.of_json(json.loads(json.dumps(position.to_json()))) == position
    assert Position.of_json({"after": "a", "colour": "red"}) == Position(after="a")
    assert Position.of_json({}) == Position()
