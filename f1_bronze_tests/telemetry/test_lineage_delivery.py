"""Sending events on: a consumer that is there, down, slow, broken, or does not like an event."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.telemetry.lineage.delivery import (
    ConsumerAddressError,
    ConsumerProgress,
    Delivered,
    Delivery,
    HttpConsumer,
)
from f1_bronze.telemetry.lineage.event_files import EventFiles
from f1_bronze.telemetry.lineage.events import LineageEvent, end_events, start_events
from f1_bronze.telemetry.lineage.names import refused_path
from f1_bronze.telemetry.outbound import Outcome, Sent, SinkUnavailable

from ..lake.fakes import MemoryStore
from .lineage_examples import finished, run_start, stored_one
from .lineage_server import LineageServer, closed_port

EVENTS = [*start_events(run_start()), *end_events(finished())]
IDS = [
    f"{body['run']['runId']}/{body['eventType']}"
    for body in (json.loads(event.data) for event in EVENTS)
]


@pytest.fixture
def server() -> Iterator[LineageServer]:
    """A consumer that takes everything, until it is set otherwise."""
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
    server: LineageServer,
    lake: MemoryStore,
    progress: ConsumerProgress,
    *,
    seconds: float = 2.0,
    at_once: int = 1,
) -> Delivered:
    """One tick's deliveries over HTTP, each with a consumer of its own as after a restart."""
    consumer = HttpConsumer(server.url, {})
    delivery = Delivery(consumer, lake, seconds=seconds, at_once=at_once)
    return delivery.deliver(EVENTS, progress)


def test_everything_is_taken(server: LineageServer, lake: MemoryStore) -> None:
    """Each event arrives once, in order and whole; a second delivery sends nothing."""
    done = tick(server, lake, ConsumerProgress())
    assert (done.taken, done.refused, done.is_done) == (len(EVENTS), (), True)
    assert server.taken == [json.loads(event.data) for event in EVENTS]
    again = tick(server, lake, done.progress)
    assert (again.taken, again.is_done, again.progress) == (0, True, done.progress)
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
    """Anything but an address is an error at once, with the setting's name."""
    with pytest.raises(ConsumerAddressError, match="F1_BRONZE_LINEAGE_URL is"):
        HttpConsumer(url, {})


def test_an_outage_of_hours(server: LineageServer, lake: MemoryStore) -> None:
    """While the consumer is down nothing moves and nothing is set aside; then all of it arrives,
    once and in order."""
    half = tick(server, lake, ConsumerProgress(), seconds=2.0)
    assert half.is_done
    server.taken.clear()
    progress = ConsumerProgress(after=EVENTS[3].id, taken=EVENTS[3].id)
    server.stop()
    for _ in range(50):
        waiting = tick(server, lake, progress)
        assert (waiting.taken, waiting.refused, waiting.is_done) == (0, (), False)
        assert "cannot be reached (ConnectionError)" in (waiting.waiting or "")
        progress = waiting.progress
    assert progress.after == EVENTS[3].id
    server.start()
    done = tick(server, lake, progress)
    assert (done.taken, done.refused, done.is_done) == (len(EVENTS) - 4, (), True)
    # The first to arrive is the last that had been taken, which is how the consumer was tried.
    assert server.run_ids == [IDS[3], *IDS[4:]]


def test_nobody_listens(lake: MemoryStore) -> None:
    """A wrong port is a sentence that names the consumer and not its credentials."""
    consumer = HttpConsumer(f"http://me:pw@127.0.0.1:{closed_port()}", {})
    with pytest.raises(SinkUnavailable, match=r"^The lineage consumer 127\.0\.0\.1:") as raised:
        consumer.send(EVENTS[0].data, seconds=2)
    assert "pw" not in str(raised.value)


@pytest.mark.parametrize("status", [401, 403, 404, 405, 429, 500, 503])
def test_answers_that_are_not_about_the_event(
    server: LineageServer, lake: MemoryStore, status: int
) -> None:
    """A consumer that answers so to everything only makes events wait, however often."""
    server.behaviour = lambda _: status
    progress = ConsumerProgress(after=EVENTS[0].id, taken=EVENTS[0].id)
    for _ in range(5):
        waiting = tick(server, lake, progress)
        assert f"answered {status}" in (waiting.waiting or "")
        progress = waiting.progress
    assert (progress.after, waiting.refused) == (EVENTS[0].id, ())
    server.behaviour = lambda _: 200
    assert tick(server, lake, progress).taken == len(EVENTS) - 1


def test_a_key_that_is_wrong(server: LineageServer, lake: MemoryStore) -> None:
    """The reason ends with what to correct."""
    server.behaviour = lambda _: 401
    waiting = tick(server, lake, ConsumerProgress())
    assert (waiting.waiting or "").endswith("Check OPENLINEAGE_API_KEY.")


def test_an_event_that_is_refused(server: LineageServer, lake: MemoryStore) -> None:
    """A 400 sets that event aside with what the consumer said, and holds up no other."""
    server.behaviour = lambda event: 400 if "errorMessage" in event["run"]["facets"] else 201
    done = tick(server, lake, ConsumerProgress())
    bad = [event for event in EVENTS if b"errorMessage" in event.data]
    assert done.is_done
    assert done.refused == tuple(refused_path(event.id) for event in bad)
    assert (len(bad), done.taken) == (2, len(EVENTS) - 2)
    assert done.progress.taken == EVENTS[-2].id
    assert done.progress.after == EVENTS[-1].id
    note = json.loads(lake.objects[done.refused[0]])
    assert note["event"] == bad[0].id
    assert note["reason"].endswith('answered 400: {"message": "no token=…"}')
    assert tick(server, lake, done.progress).taken == 0


def poison(event: LineageEvent) -> Any:
    """A behaviour that breaks on that event alone."""
    body = json.loads(event.data)
    return lambda one: 500 if one == body else 201


def test_an_event_that_breaks_the_consumer(server: LineageServer, lake: MemoryStore) -> None:
    """A 500 for one event alone sets it aside, once it has failed beside another that is taken."""
    server.behaviour = poison(EVENTS[4])
    progress, ticks = ConsumerProgress(), 0
    while not (done := tick(server, lake, progress)).is_done:
        progress, ticks = done.progress, ticks + 1
        assert (progress.after, progress.failures) == (EVENTS[3].id, ticks)
    assert ticks == 2
    assert done.refused == (refused_path(EVENTS[4].id),)
    note = json.loads(lake.objects[done.refused[0]])
    assert note["reason"].endswith("answered 500")
    assert list(dict.fromkeys(server.run_ids)) == [i for i in IDS if i != IDS[4]]


def test_the_very_first_event_breaks_the_consumer(server: LineageServer, lake: MemoryStore) -> None:
    """Where none was ever taken the next one shows that the consumer works."""
    server.behaviour = poison(EVENTS[0])
    progress = ConsumerProgress()
    for _ in range(2):
        progress = tick(server, lake, progress).progress
    done = tick(server, lake, progress)
    assert (done.refused, done.is_done) == ((refused_path(EVENTS[0].id),), True)
    assert set(server.run_ids) == set(IDS[1:])


def test_a_failing_moment_is_no_poison(server: LineageServer, lake: MemoryStore) -> None:
    """An event that fails twice and then is taken is not set aside."""
    broken = poison(EVENTS[4])
    progress = ConsumerProgress()
    for behaviour in (broken, broken):
        server.behaviour = behaviour
        progress = tick(server, lake, progress).progress
    assert progress.failures == 2
    server.behaviour = lambda _: 200
    done = tick(server, lake, progress)
    assert (done.refused, done.is_done, done.progress.failures) == ((), True, 0)


def test_a_slow_consumer(server: LineageServer, lake: MemoryStore) -> None:
    """A tick takes no longer than its seconds, and the next one goes on where it stopped."""
    server.seconds = 0.12
    progress, taken, ticks = ConsumerProgress(), 0, 0
    while True:
        begun_at = time.monotonic()
        done = tick(server, lake, progress, seconds=0.6)
        assert time.monotonic() - begun_at < 0.6 + 1.0  # what else the machine is doing
        progress, taken, ticks = done.progress, taken + done.taken, ticks + 1
        if done.is_done:
            break
        assert "the next tick resumes them" in (done.waiting or "")
    assert (taken, done.refused) == (len(EVENTS), ())
    assert server.run_ids == IDS
    assert ticks > 1


def test_a_consumer_that_never_answers(server: LineageServer, lake: MemoryStore) -> None:
    """An answer that trickles in for ever costs the tick its seconds and no more."""
    server.trickles = True
    begun_at = time.monotonic()
    waiting = tick(server, lake, ConsumerProgress(), seconds=0.4)
    assert time.monotonic() - begun_at < 0.4 + 1.0
    assert waiting.waiting == (
        f"The lineage consumer {server.url.removeprefix('http://')} gave no answer within 0.4 s"
    )
    assert waiting.progress == ConsumerProgress(failures=1)


def test_a_login_page_is_no_consumer(server: LineageServer, lake: MemoryStore) -> None:
    """A redirect to a page that answers 200 has taken nothing."""
    server.moved_to = f"{server.url}/login"
    waiting = tick(server, lake, ConsumerProgress())
    assert (waiting.taken, waiting.progress.after) == (0, None)
    assert "answered with a redirect. Check F1_BRONZE_LINEAGE_URL" in (waiting.waiting or "")


class Clocked:
    """A consumer that takes everything, each in so many seconds of a clock of its own."""

    def __init__(self, seconds: float) -> None:
        self.now = 0.0
        self.given: list[float] = []
        self._seconds = seconds

    def clock(self) -> float:
        return self.now

    def send(self, data: bytes, *, seconds: float) -> Outcome:
        self.given.append(round(seconds, 3))
        self.now += min(self._seconds, seconds)
        if self._seconds > seconds:
            raise SinkUnavailable("too slow")
        return Sent()


@pytest.mark.parametrize(("each", "a_tick"), [(0.25, 5), (0.9, 2), (1.9, 1)])
def test_an_event_has_half_of_the_time(each: float, a_tick: int, lake: MemoryStore) -> None:
    """None is begun when less is left, so that it fails by its own fault only: a consumer that
    needs almost all of a tick for an event is served all the same."""
    consumer = Clocked(each)
    progress, ticks = ConsumerProgress(), 0
    for _ in range(len(EVENTS)):
        delivery = Delivery(consumer, lake, seconds=2.0, at_once=1, clock=consumer.clock)
        done = delivery.deliver(EVENTS, progress)
        progress, ticks = done.progress, ticks + 1
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
    delivery = Delivery(consumer, lake, seconds=2.0, at_once=1, clock=consumer.clock)
    consumer.now += 60
    first = delivery.deliver(EVENTS[:3], ConsumerProgress())
    consumer.now += 60
    second = delivery.deliver(EVENTS[3:], first.progress)
    assert (first.taken, first.is_done, second.taken, second.is_done) == (3, True, 2, False)
    assert consumer.given == [2.0, 1.75, 1.5, 1.25, 1.0]


def test_several_runs_in_a_tick(server: LineageServer, lake: MemoryStore) -> None:
    """A tick's seconds and the progress go from one run to the next."""
    other = [*start_events(run_start(run_id="9e107d9d-372b-4b3e-8f5a-1f2e3d4c5b6a"))]
    delivery = Delivery(HttpConsumer(server.url, {}), lake)
    first = delivery.deliver(EVENTS, ConsumerProgress())
    second = delivery.deliver(other, first.progress)
    assert (second.taken, second.progress.after) == (1, other[0].id)
    assert len(server.taken) == len(EVENTS) + 1


def test_progress_in_a_cursor() -> None:
    """Each run's progress is its own and survives JSON; what was taken last is common to all."""
    half = ConsumerProgress(after="a", taken="b", failures=2, proven=True)
    note = half.add_to({}, "one", is_done=False)
    note = ConsumerProgress(after="x", taken="x").add_to(note, "two", is_done=True)
    note = json.loads(json.dumps(note))
    assert ConsumerProgress.from_json(note, "one") == replace(half, taken="x")
    assert ConsumerProgress.from_json(note, "two") == ConsumerProgress(taken="x")
    assert ConsumerProgress.from_json({}, "one") == ConsumerProgress()


def test_progress_of_an_older_release() -> None:
    """A cursor that noted one run's progress without its id resumes that run where it was."""
    older = {"after": EVENTS[3].id, "taken": EVENTS[3].id, "failures": 1, "proven": False}
    assert ConsumerProgress.from_json(older, "any") == ConsumerProgress(
        after=EVENTS[3].id, taken=EVENTS[3].id, failures=1
    )


def test_runs_are_sent_side_by_side(server: LineageServer, lake: MemoryStore) -> None:
    """Each OpenLineage run's START arrives before its end, and the Dagster run's end last."""
    server.seconds = 0.02
    done = tick(server, lake, ConsumerProgress(), at_once=8)
    assert (done.taken, done.is_done) == (len(EVENTS), True)
    assert sorted(server.run_ids) == sorted(IDS)
    assert server.run_ids[-1] == IDS[-1]
    for start in (one for one in server.run_ids if one.endswith("/START")):
        ends = [i for i in server.run_ids if i.split("/")[0] == start.split("/")[0]][1:]
        assert all(server.run_ids.index(start) < server.run_ids.index(end) for end in ends)


def test_a_failure_beside_others(server: LineageServer, lake: MemoryStore) -> None:
    """What failed and all after it is sent again, so that nothing is skipped; the rest is not."""
    server.behaviour = poison(EVENTS[4])
    waiting = tick(server, lake, ConsumerProgress(), at_once=8)
    assert (waiting.progress.after, waiting.progress.failures) == (EVENTS[3].id, 1)
    server.behaviour = lambda _: 201
    done = tick(server, lake, waiting.progress, at_once=8)
    assert (done.is_done, done.refused) == (True, ())
    assert set(server.run_ids) == set(IDS)


def test_a_season_in_a_tick(server: LineageServer, lake: MemoryStore) -> None:
    """394 events reach a consumer that answers in 50 ms within one tick's seconds."""
    server.seconds = 0.05
    stored = tuple(
        stored_one(dataset, partition=SessionPartition.parse(f"2025/gp_{number}/race"))
        for number in range(48)
        for dataset in ("sessions", "drivers", "results", "laps")
    )
    events = [
        *start_events(run_start()),
        *end_events(finished(stored=stored, failed=(), checks=())),
    ]
    assert len(events) == 386
    delivery = Delivery(HttpConsumer(server.url, {}), lake)
    done = delivery.deliver(events, ConsumerProgress())
    assert (done.is_done, done.taken) == (True, 386)
    assert len(set(server.run_ids)) == len(server.run_ids) == 386
