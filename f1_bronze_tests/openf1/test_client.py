"""One request: sent in its turn, repeated within bounds, counted, logged."""

import gzip
import logging
import random
import socket
import ssl
import threading
import time as real_time
import tracemalloc
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import urllib3

from f1_bronze.openf1.answers import (
    AnswerLimits,
    BudgetTaken,
    CircuitOpen,
    ClosedForLiveSession,
    Malformed,
    OpenF1Error,
    Refused,
    TooMuchAsked,
    Unavailable,
    applies_to_all,
)
from f1_bronze.openf1.breaker import Breaker
from f1_bronze.openf1.budget import CallBudget, parse_limits
from f1_bronze.openf1.budget_stores import MemoryStore
from f1_bronze.openf1.client import OpenF1Client
from f1_bronze.openf1.http import new_session

from .fakes import (
    BASE_URL,
    BUSY,
    KEY,
    LIMITED,
    LIVE,
    NO_RESULTS,
    OK,
    TOO_MUCH,
    FakeNetwork,
    FakeTime,
    Reply,
    make_client,
    read_ledger,
    rows,
)


def test_an_answer_says_what_it_took() -> None:
    """Records, address, status, calls and size of an answer at the first attempt."""
    network = FakeNetwork([OK])
    answer = make_client(network).get("laps", KEY)
    assert answer.records == [{"session_key": 9472}]
    assert (answer.url, answer.status) == (f"{BASE_URL}/laps?session_key=9472", 200)
    assert (answer.attempts, answer.retries, answer.bytes) == (1, 0, len(OK[1]))
    assert network.urls == [answer.url]
    assert network.timeouts == [(5, 60)]


def test_requests_name_this_project() -> None:
    """The request names this project and takes compressed answers, which are read."""
    body = gzip.compress(OK[1].encode())
    network = FakeNetwork([(200, body, {"Content-Encoding": "gzip"})])
    answer = make_client(network).get("laps", KEY)
    headers = network.requests[0].headers
    assert headers["User-Agent"].startswith("f1-bronze/")
    assert "gzip" in headers["Accept-Encoding"]
    assert "Authorization" not in headers
    assert (answer.records, answer.bytes) == ([{"session_key": 9472}], len(OK[1]))


def test_repeated_keys_and_operators_go_out_as_the_api_reads_them() -> None:
    """A key given twice is sent twice, and `date_start>` is encoded once."""
    network = FakeNetwork([NO_RESULTS])
    params = [("session_key", 1), ("session_key", 2), ("date_start>", "2024-01-01")]
    assert make_client(network).get("sessions", params).records == []
    assert network.urls == [
        f"{BASE_URL}/sessions?session_key=1&session_key=2&date_start%3E=2024-01-01"
    ]


@pytest.mark.parametrize(
    "fault",
    [
        (500, "<html>Traceback</html>"),
        (502, ""),
        BUSY,
        (200, "[{"),
        (200, "{}"),
        requests.ConnectionError("refused"),
        requests.ConnectTimeout("slow"),
        requests.exceptions.ChunkedEncodingError("cut short"),
        requests.exceptions.SSLError(ssl.SSLEOFError("EOF")),
        ConnectionResetError("reset"),
    ],
)
def test_passing_faults_are_repeated(fault: Reply) -> None:
    """Server faults, broken answers and transport faults are asked again, with a wait."""
    time = FakeTime()
    network = FakeNetwork([fault, OK])
    answer = make_client(network, time).get("laps", KEY)
    assert (answer.records, answer.attempts, answer.retries) == ([{"session_key": 9472}], 2, 1)
    assert len(time.slept) == 1
    assert 0.5 <= time.slept[0] <= 1.0


def test_attempts_are_bounded_and_waits_grow() -> None:
    """Five failures end it; the waits double, each at random between half and all of it."""
    time = FakeTime()
    network = FakeNetwork([BUSY])
    with pytest.raises(Unavailable, match="run this again later") as raised:
        make_client(network, time).get("laps", KEY)
    assert (raised.value.status, raised.value.attempts, raised.value.retries) == (503, 5, 4)
    assert len(network.requests) == 5
    for slept, most in zip(time.slept, (1, 2, 4, 8), strict=True):
        assert most / 2 <= slept <= most


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (requests.ConnectionError(ConnectionRefusedError(111, "refused")), "connection refused"),
        (requests.ConnectionError(socket.gaierror(-2, "?")), "its host name has no address"),
        (requests.ConnectTimeout("slow"), "no connection in time"),
        (requests.exceptions.ProxyError("http://me:hunter2@proxy"), "no connection through the"),
        (
            requests.ConnectionError(
                urllib3.exceptions.NewConnectionError(None, "[Errno 101] Network is unreachable")
            ),
            "no connection",
        ),
    ],
)
def test_an_api_that_cannot_be_reached_is_reported_as_that(fault: Reply, reason: str) -> None:
    """After the usual attempts the remedy is the network and the address, not fewer sessions."""
    client = make_client(FakeNetwork([fault]))
    with pytest.raises(Unavailable) as raised:
        client.get("laps", KEY)
    text = str(raised.value)
    assert text.startswith(f"OpenF1 could not be reached for {BASE_URL}/laps?session_key=9472 ")
    assert f"({reason}" in text
    assert text.endswith("; check the network and F1_BRONZE_OPENF1_URL, or run this again later.")
    assert "hunter2" not in text
    assert (raised.value.attempts, raised.value.reached) == (5, False)
    assert client.counters.by_status == {"unreached": 5}


def test_nobody_at_the_port_and_no_such_host_are_unreached(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As requests really words them: a port that nobody listens at, a name that does not exist."""
    with socket.socket() as one, new_session() as session:
        one.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{one.getsockname()[1]}/v1"
        client = make_client(FakeNetwork([OK]), base_url=url, session=session)
        with pytest.raises(Unavailable, match=r"could not be reached.*connection refused"):
            client.get("laps", KEY)

        def unknown(*args: object, **kwargs: object) -> None:
            raise socket.gaierror(-2, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", unknown)
        client = make_client(FakeNetwork([OK]), base_url="http://nowhere.invalid", session=session)
        with pytest.raises(
            Unavailable, match=r"could not be reached.*its host name has no address"
        ):
            client.get("laps", KEY)


def test_total_time_is_bounded() -> None:
    """When requests themselves take long, it ends before the attempts do."""
    time = FakeTime()

    def slow(request: requests.PreparedRequest) -> Reply:
        time.now += 50.0
        return BUSY

    network = FakeNetwork(slow)
    with pytest.raises(Unavailable):
        make_client(network, time, total_seconds=120, attempts=50).get("laps", KEY)
    assert len(network.requests) == 3


def test_waits_between_attempts_count_as_time() -> None:
    """A server that asks for a hundred seconds again and again is asked twice in three minutes."""
    time = FakeTime()
    network = FakeNetwork([(*BUSY, {"Retry-After": "100"})])
    with pytest.raises(Unavailable) as raised:
        make_client(network, time).get("laps", KEY)
    assert (time.slept, raised.value.attempts, raised.value.spent) == ([100.0], 2, 100.0)


@pytest.mark.parametrize(
    "fault",
    [
        requests.ReadTimeout("60 s"),
        requests.ConnectionError(urllib3.exceptions.ReadTimeoutError(None, "/", "in the body")),
    ],
)
def test_a_read_timeout_is_repeated_once(fault: Reply) -> None:
    """Timeouts cost a minute each, so two of them are enough; one is made good by an answer."""
    network = FakeNetwork([fault])
    with pytest.raises(Unavailable, match="read timeout") as raised:
        make_client(network).get("laps", KEY)
    assert (raised.value.attempts, raised.value.status) == (2, None)
    assert make_client(FakeNetwork([fault, OK])).get("laps", KEY).attempts == 2


def test_a_body_that_trickles_in_is_a_timeout() -> None:
    """An answer whose bytes never end is given up after the total time."""
    network = FakeNetwork([(200, b"[" + b" " * (1 << 20))])
    ticks = iter(range(0, 100_000, 100))  # each look at the clock is 100 s later
    client = make_client(network, monotonic=lambda: float(next(ticks)))
    with pytest.raises(Unavailable, match="no complete answer within"):
        client.get("laps", KEY)
    assert len(network.requests) == 1


def test_a_small_answer_that_unpacks_into_a_huge_one_takes_no_memory() -> None:
    """200 kB of gzip hold 200 MB: reading ends at the limit, and is not repeated."""
    packer = zlib.compressobj(wbits=31)
    bomb = b"".join(packer.compress(b" " * 1_000_000) for _ in range(200)) + packer.flush()
    network = FakeNetwork([(200, bomb, {"Content-Encoding": "gzip"})])
    client = make_client(network, answer_limits=AnswerLimits(megabytes=2))
    tracemalloc.start()
    try:
        with pytest.raises(TooMuchAsked, match="larger than the 2 MB of F1_BRONZE_OPENF1_MAX_MB"):
            client.get("laps", KEY)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
    assert len(network.requests) == 1


@contextmanager
def trickling(head: bytes, body: bytes = b"") -> Iterator[str]:
    """The address of a server that sends the head at once and then a byte every 50 ms."""
    stopped = threading.Event()

    def serve() -> None:
        while not stopped.is_set():
            with suppress(OSError), server.accept()[0] as connection:
                connection.recv(65536)
                connection.sendall(head)
                for place in range(1_000_000):
                    connection.sendall(body[place : place + 1] or b" ")
                    if stopped.wait(0.05):
                        return

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/v1"
        stopped.set()
        server.shutdown(socket.SHUT_RDWR)
    thread.join(10)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nX-Slow: ",
        b"",
    ],
    ids=["body", "body-without-length", "header", "status-line"],
)
def test_the_total_time_holds_for_bytes_that_trickle_in(head: bytes) -> None:
    """Each byte starts the read timeout anew; the total time ends it all the same, in real time."""
    with trickling(head) as url, new_session() as session:
        client = make_client(
            FakeNetwork([OK]), base_url=url, session=session, total_seconds=1.0, attempts=1
        )
        began = real_time.monotonic()
        with pytest.raises(Unavailable, match="no complete answer within 1 s") as raised:
            client.get("laps", KEY)
        assert real_time.monotonic() - began < 20.0
        assert raised.value.attempts == 1
        assert client.counters.by_status == {"timed out": 1}


def test_a_clock_that_is_set_throws_no_answer_away() -> None:
    """Durations are measured on a clock that is never set: a step of an hour changes nothing."""
    time = FakeTime()

    def step(request: requests.PreparedRequest) -> Reply:
        time.now += 3600.0
        return OK

    client = make_client(FakeNetwork(step), time, monotonic=lambda: 5.0)
    answer = client.get("laps", KEY)
    assert (answer.records, answer.seconds) == ([{"session_key": 9472}], 0.0)


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        ("7", 7, 8),
        ("0", 0.5, 1),
        ("-5", 0.5, 1),
        ("soon", 0.5, 1),
        ("nan", 0.5, 1),
        ("86400", 120, 121),
        ("DATE+9", 8, 9.1),
        ("DATE-9", 0.5, 1),
    ],
)
def test_retry_after_is_obeyed_within_reason(header: str, least: float, most: float) -> None:
    """Seconds and dates are obeyed; nothing, the past and nonsense are not; a day is cut."""
    time = FakeTime()
    if header.startswith("DATE"):
        date = datetime.fromtimestamp(time.now, UTC) + timedelta(seconds=int(header[4:]))
        header = format_datetime(date, usegmt=True)
    network = FakeNetwork([(*BUSY, {"Retry-After": header}), OK])
    make_client(network, time).get("laps", KEY)
    assert least <= sum(time.slept) <= most


@pytest.mark.parametrize(
    ("body", "headers", "least", "most"),
    [
        (LIMITED[1], {}, 30, 31),
        ("<html>", {}, 30, 31),
        ('{"detail":"Rate limit exceeded. Max 3 requests/second."}', {}, 1, 2),
        (LIMITED[1], {"Retry-After": "12"}, 12, 13),
        (LIMITED[1], {"Retry-After": "0"}, 30, 31),
    ],
)
def test_a_429_makes_everybody_wait(
    body: str, headers: Mapping[str, str], least: float, most: float
) -> None:
    """Until the next clock minute (in 30 s), for a second, or as the server asks, by the budget."""
    time, store = FakeTime(now=1_700_000_010.0), MemoryStore()  # 30 s past the minute
    budget = CallBudget(parse_limits("100/1s"), store, time.clock, time.sleep)
    network = FakeNetwork([(429, body, headers), OK])
    start = time.now
    answer = make_client(network, time, budget=budget).get("laps", KEY)
    assert answer.attempts == 2
    assert least <= time.now - start <= most
    assert least <= read_ledger(store).blocked_until - start <= most


def test_429s_use_no_attempts_but_are_bounded() -> None:
    """Six limits in a row are waited out by a client of two attempts; the eleventh ends it."""
    network = FakeNetwork([LIMITED] * 6 + [OK])
    assert make_client(network, attempts=2).get("laps", KEY).attempts == 7
    network = FakeNetwork([LIMITED])
    with pytest.raises(Unavailable) as raised:
        make_client(network).get("laps", KEY)
    assert (raised.value.status, len(network.requests)) == (429, 11)


@pytest.mark.parametrize(
    ("reply", "error", "remedy"),
    [
        (TOO_MUCH, TooMuchAsked, "too much at once; run this again later"),
        ((404, '{"detail":"Not Found"}'), Refused, "check F1_BRONZE_OPENF1_URL"),
        ((400, "{}"), Refused, "version of f1-bronze"),
        ((401, "{}"), Refused, "F1_BRONZE_OPENF1_PASSWORD"),
        (requests.exceptions.InvalidURL("bad"), Refused, "check F1_BRONZE_OPENF1_URL"),
        (requests.exceptions.SSLError("handshake"), Refused, "proxy"),
        (
            requests.exceptions.SSLError(ssl.SSLCertVerificationError("expired")),
            Refused,
            "certificates",
        ),
    ],
)
def test_final_outcomes_are_not_repeated(
    reply: Reply, error: type[OpenF1Error], remedy: str
) -> None:
    """What repeating cannot fix is raised at once, with the remedy."""
    time = FakeTime()
    network = FakeNetwork([reply])
    with pytest.raises(error, match=remedy) as raised:
        make_client(network, time).get("laps", KEY)
    assert (raised.value.attempts, time.slept) == (1, [])


@pytest.mark.parametrize(
    ("body", "error", "remedy"),
    [("<html>", Refused, "check F1_BRONZE_OPENF1_URL"), ('{"det', Unavailable, "again later")],
)
def test_a_404_that_is_no_json_is_repeated_first(
    body: str, error: type[OpenF1Error], remedy: str
) -> None:
    """It may be a proxy's, or cut short; if it stays, a page is refused and a cut one is later."""
    assert make_client(FakeNetwork([(404, body), NO_RESULTS])).get("laps", KEY).attempts == 2
    with pytest.raises(error, match=remedy) as raised:
        make_client(FakeNetwork([(404, body)])).get("laps", KEY)
    assert raised.value.attempts == 5


def test_asking_for_fewer_is_advised_only_where_several_were_asked_for() -> None:
    """For one session the remedy is to come back, whatever was wrong."""
    several = [("session_key", 1), ("session_key", 2)]
    for reply, error in ((BUSY, Unavailable), (TOO_MUCH, TooMuchAsked)):
        with pytest.raises(error, match="; ask for fewer sessions"):
            make_client(FakeNetwork([reply])).get("laps", several)
        with pytest.raises(error, match="; run this again later"):
            make_client(FakeNetwork([reply])).get("laps", KEY)


def test_a_split_is_reported() -> None:
    """The log says how many sessions are asked for in halves, and why."""
    messages: list[str] = []
    client = make_client(FakeNetwork([OK]), observer=messages.append)
    client.note_split("laps", 25, "no answer")
    assert messages == ["laps of 25 sessions: no answer, cut in two and asked again"]


def down(*endpoints: str) -> FakeNetwork:
    """An API where these endpoints fail and all others answer."""
    return FakeNetwork(
        lambda request: BUSY if urlsplit(str(request.url)).path[4:] in endpoints else OK
    )


def test_one_endpoint_down_leaves_the_others_open() -> None:
    """When a circuit has opened, one call to the calendar clears the API of the suspicion."""
    network = down("laps")
    client = make_client(network, attempts=1, breaker=Breaker(failures=1))
    with pytest.raises(Unavailable):
        client.get("laps", KEY)
    answer = client.get("stints", KEY)
    assert (answer.attempts, answer.retries) == (2, 0)
    assert network.urls[1:] == [
        f"{BASE_URL}/sessions?session_key=9158",
        f"{BASE_URL}/stints?session_key=9472",
    ]
    assert client.get("pit", KEY).attempts == 1
    with pytest.raises(CircuitOpen, match="for laps"):
        client.get("laps", KEY)


def test_an_outage_leaves_all_endpoints_alone() -> None:
    """Where the calendar fails too, the next endpoint costs two calls and the others none."""
    time, network = FakeTime(), down("laps", "sessions")
    client = make_client(network, time, attempts=1, breaker=Breaker(failures=1, clock=time.clock))
    with pytest.raises(Unavailable):
        client.get("laps", KEY)
    with pytest.raises(
        CircuitOpen, match="failed for laps and sessions and is not asked"
    ) as raised:
        client.get("stints", KEY)
    assert (raised.value.attempts, raised.value.retries) == (2, 1)
    for endpoint in ("pit", "stints", "sessions"):
        with pytest.raises(CircuitOpen):
            client.get(endpoint, KEY)
    assert len(network.requests) == client.counters.calls == 3
    time.now += 300
    with pytest.raises(Unavailable):
        client.get("sessions", KEY)  # the trial
    with pytest.raises(CircuitOpen):
        client.get("pit", KEY)
    time.now += 300
    network._answer = lambda request: OK
    assert client.get("pit", KEY).attempts == 2
    assert client.get("laps", KEY).attempts == 1


def test_a_limit_that_never_ends_is_waited_out_once() -> None:
    """After eleven 429s no endpoint is asked for a while: it is the address that is limited."""
    network = FakeNetwork([LIMITED])
    client = make_client(network)
    with pytest.raises(Unavailable):
        client.get("laps", KEY, count_failure=False)
    with pytest.raises(CircuitOpen, match="kept limiting this IP address"):
        client.get("stints", KEY)
    assert len(network.requests) == 11


def test_records_complained_of_are_asked_for_again() -> None:
    """What cannot be an answer is repeated like any broken answer, and malformed in the end."""

    def validate(records: list[dict[str, Any]]) -> str | None:
        return "records of nothing" if {} in records else None

    network = FakeNetwork([rows({}), OK])
    assert make_client(network).get("laps", KEY, validate=validate).attempts == 2
    with pytest.raises(Malformed, match=r"^OpenF1 answered .* with records of nothing") as raised:
        make_client(FakeNetwork([rows({})])).get("laps", KEY, validate=validate)
    assert raised.value.attempts == 5


def test_a_live_session_says_when_to_come_back() -> None:
    """The API's closure differs from a wrong login; without a header it is an hour."""
    with pytest.raises(ClosedForLiveSession, match="30 to 180 minutes") as raised:
        make_client(FakeNetwork([LIVE])).get("laps", KEY)
    assert raised.value.retry_after == 3600.0
    network = FakeNetwork([(*LIVE, {"Retry-After": "1800"})])
    with pytest.raises(ClosedForLiveSession) as raised:
        make_client(network).get("laps", KEY)
    assert raised.value.retry_after == 1800.0


def test_every_request_goes_in_its_turn() -> None:
    """Retries too are reserved in the shared budget."""
    time, store = FakeTime(), MemoryStore()
    budget = CallBudget(parse_limits("100/600s"), store, time.clock, time.sleep)
    make_client(FakeNetwork([BUSY, BUSY, OK]), time, budget=budget).get("laps", KEY)
    assert len(read_ledger(store).slots) == 3


def test_the_circuit_opens_after_failed_requests_and_answers_close_it() -> None:
    """Failures that say nothing about the API, and 4xx, do not open the circuit; others do."""
    network = FakeNetwork([BUSY])
    client = make_client(network, attempts=1, breaker=Breaker(failures=2))
    for _ in range(3):
        with pytest.raises(Unavailable):
            client.get("laps", KEY, count_failure=False)
    for _ in range(2):
        with pytest.raises(Unavailable):
            client.get("laps", KEY)
    with pytest.raises(CircuitOpen) as raised:
        client.get("laps", KEY)
    assert (raised.value.attempts, len(network.requests)) == (0, 5)
    refusing = make_client(FakeNetwork([BUSY, TOO_MUCH]), attempts=1, breaker=Breaker(failures=1))
    with pytest.raises(Unavailable):
        refusing.get("laps", KEY)
    with pytest.raises(CircuitOpen):
        refusing.get("laps", KEY)


def test_an_interrupted_request_does_not_block_the_trial() -> None:
    """Ctrl-C during a request goes through and leaves the breaker usable."""
    client = make_client(FakeNetwork([KeyboardInterrupt(), OK]))
    with pytest.raises(KeyboardInterrupt):
        client.get("laps", KEY)
    assert client.get("laps", KEY).status == 200


def test_counters_are_snapshots_that_subtract() -> None:
    """What one request did is the difference of two snapshots."""
    time = FakeTime()
    client = make_client(FakeNetwork([OK, BUSY, requests.ReadTimeout(), OK]), time)
    client.get("laps", KEY)
    before = client.counters
    client.get("laps", KEY)
    client.note_split("laps", 3, "no answer")
    done = client.counters - before
    assert (done.questions, done.calls, done.retries, done.splits) == (1, 3, 2, 1)
    assert done.by_status == {"503": 1, "timed out": 1, "200": 1}
    assert done.bytes == len(OK[1]) + len(BUSY[1])
    assert done.wait_seconds == pytest.approx(sum(time.slept))
    assert before.calls == 1


def test_log_lines_carry_fields(caplog: pytest.LogCaptureFixture) -> None:
    """A call is one readable line with endpoint, sessions, status, rows, bytes and attempts."""
    messages: list[str] = []
    client = make_client(FakeNetwork([BUSY, OK]), observer=messages.append)
    with caplog.at_level(logging.INFO, logger="f1_bronze.openf1"):
        client.get("laps", [("session_key", 9472), ("session_key", 9480)])
    retry, done = caplog.records
    assert retry.getMessage() == "laps of 2 sessions: status 503, asking again in 1 s"
    assert messages == [retry.getMessage()]
    fields = ("endpoint", "sessions", "status", "rows", "bytes", "attempt")
    values = [getattr(done, name) for name in fields]
    assert values == ["laps", 2, 200, 1, len(OK[1]), 2]
    assert done.getMessage().startswith("laps: 200, 2 sessions asked, 1 rows")


def test_redirects_are_followed_in_turn_and_not_for_ever() -> None:
    """A redirect is another paced call; a loop of them is refused."""
    network = FakeNetwork([(307, "", {"Location": "/v1/laps/?session_key=9472"}), OK])
    assert make_client(network).get("laps", KEY).attempts == 2
    assert network.urls[1] == f"{BASE_URL}/laps/?session_key=9472"
    loop = FakeNetwork([(302, "", {"Location": "/v1/laps"})])
    with pytest.raises(Refused, match="over and over"):
        make_client(loop).get("laps", KEY)
    assert len(loop.requests) == 4
    plain = FakeNetwork([(301, "", {"Location": "https://api.openf1.org/v1/laps"}), OK])
    assert make_client(plain, base_url="http://api.openf1.org/v1").get("laps", KEY).attempts == 2


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("https://elsewhere.org/v1/laps", "redirected to https://elsewhere.org, another host"),
        ("//elsewhere.org/v1/laps", "redirected to https://elsewhere.org, another host"),
        ("http://api.openf1.org/v1/laps", "to http://api.openf1.org, which is not encrypted"),
        ("https://me:pw@elsewhere.org/x", "redirected to https://elsewhere.org, another host"),
        ("ftp://api.openf1.org/v1/laps", "redirected to ftp://api.openf1.org"),
        ("file:///etc/passwd", "redirected to file://"),
    ],
)
def test_redirects_to_elsewhere_are_not_followed(target: str, message: str) -> None:
    """Another host, or a less safe scheme, is an error that names where it led; nothing is sent."""
    network = FakeNetwork([(302, "", {"Location": target})])
    with pytest.raises(Refused, match="set F1_BRONZE_OPENF1_URL to the new address") as raised:
        make_client(network).get("laps", KEY)
    assert message in str(raised.value)
    assert "pw" not in str(raised.value).replace("passwd", "")
    assert len(network.requests) == 1


def test_a_client_closes_only_what_it_opened() -> None:
    """Its own session has the pool of connections; one handed in is left open."""
    time = FakeTime()
    budget = CallBudget(parse_limits("1/1s"), MemoryStore(), time.clock, time.sleep)
    with OpenF1Client(base_url=BASE_URL + "/", budget=budget, breaker=Breaker()) as client:
        adapter = client._session.get_adapter("https://api.openf1.org")
        assert (adapter._pool_connections, adapter._pool_maxsize) == (10, 20)
        assert adapter.max_retries.total == 0
        assert client.base_url == BASE_URL
    closed: list[str] = []
    session = requests.Session()
    session.close = lambda: closed.append("closed")  # type: ignore[method-assign]  # notes it
    make_client(FakeNetwork([OK]), session=session, rng=random.Random(2)).close()
    assert closed == []


def test_a_client_in_a_hurry_asks_once() -> None:
    """One attempt, no 429 retried: a request is one call, whatever it is answered."""
    for fault in ((502, "<html>"), LIMITED, (200, "[")):
        network, time = FakeNetwork([fault]), FakeTime()
        client = make_client(network, time, attempts=1, rate_limit_retries=0)
        with pytest.raises(Unavailable):
            client.get("sessions", [("year", 2025)])
        assert (len(network.requests), time.slept) == (1, [])


def test_a_taken_budget_is_no_outage() -> None:
    """Not having been let through says nothing about the API: no circuit opens, no call is made."""
    network, time = FakeNetwork([rows()]), FakeTime()
    budget = CallBudget(
        parse_limits("1/60s"), MemoryStore(), time.clock, time.sleep, longest_wait=5.0
    )
    breaker = Breaker(failures=1, clock=time.clock)
    client = make_client(network, time, budget=budget, breaker=breaker)
    client.get("sessions", [("year", 2025)])
    with pytest.raises(BudgetTaken) as taken:
        client.get("laps", [("session_key", 1)])
    assert applies_to_all(taken.value)
    assert breaker.suspect is None
    assert (len(network.requests), taken.value.attempts) == (1, 0)
