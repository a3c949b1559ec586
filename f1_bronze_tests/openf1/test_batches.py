"""Several sessions in one call: every session answered exactly once, whatever goes wrong."""

import json
from collections import Counter
from collections.abc import Callable

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.drivers import DRIVERS
from f1_bronze.datasets.laps import LAPS
from f1_bronze.datasets.pit_stops import PIT_STOPS
from f1_bronze.datasets.results import RESULTS
from f1_bronze.datasets.stints import STINTS
from f1_bronze.openf1.answers import (
    AnswerLimits,
    CircuitOpen,
    ClosedForLiveSession,
    ForeignRows,
    Malformed,
    OpenF1Error,
    Refused,
    TooMuchAsked,
    Unavailable,
)
from f1_bronze.openf1.batches import (
    SessionAnswer,
    SessionRef,
    fetch_sessions,
    plan_batches,
    source_query,
    source_url,
)
from f1_bronze.openf1.breaker import Breaker
from f1_bronze.openf1.shared_requests import OpenF1

from .fakes import (
    BASE_URL,
    BUSY,
    LIMITED,
    LIVE,
    NO_RESULTS,
    TOO_MUCH,
    FakeNetwork,
    Reply,
    asked_keys,
    make_client,
    rows,
    two_rows_each,
)

SEASON = [
    SessionRef(session_key=9500 + n, session_type="race" if n % 2 else "qualifying")
    for n in range(48)
]


def races(count: int) -> list[SessionRef]:
    return [SessionRef(session_key=9000 + n, session_type="race") for n in range(count)]


def poisoned(keys: set[int], answer: Callable[[requests.PreparedRequest], Reply]) -> FakeNetwork:
    """An API that answers like `answer` as soon as one of these sessions is asked for."""
    return FakeNetwork(
        lambda request: (
            answer(request) if keys & set(asked_keys(request)) else two_rows_each(request)
        )
    )


def no_session_key(request: requests.PreparedRequest) -> Reply:
    records = json.loads(two_rows_each(request)[1])
    return rows(*records, {"driver_number": 44})


POISONS: list[tuple[Callable[[requests.PreparedRequest], Reply], type[OpenF1Error]]] = [
    (lambda request: TOO_MUCH, TooMuchAsked),
    (lambda request: (500, "<html>"), Unavailable),
    (lambda request: requests.ReadTimeout(), Unavailable),
    (no_session_key, Malformed),
]


@pytest.mark.parametrize(
    ("dataset", "most"), [(DRIVERS, 1), (RESULTS, 1), (LAPS, 2), (STINTS, 1), (PIT_STOPS, 1)]
)
def test_a_season_needs_few_calls(dataset: Dataset, most: int) -> None:
    """Race and qualifying of 24 rounds: one call, two for laps; addresses stay short."""
    sessions = [s for s in SEASON if dataset.exists_for(s.session_type)]
    network = FakeNetwork(two_rows_each)
    answers = list(fetch_sessions(make_client(network), dataset, sessions))
    assert len(network.requests) == most
    assert max(map(len, network.urls)) < 2000
    assert [answer.session_key for answer in answers] == [s.session_key for s in sessions]


@given(
    dataset=st.sampled_from(DATASETS),
    types=st.lists(st.sampled_from(["race", "sprint", "qualifying", "practice_1"]), max_size=150),
    digits=st.sampled_from([1, 9_000, 10_000_000]),
)
def test_plans_hold_every_session_once_within_bounds(
    dataset: Dataset, types: list[str], digits: int
) -> None:
    """Batches together are the sessions in their order, none too many, too long or too rich."""
    sessions = [SessionRef(session_key=digits + n, session_type=t) for n, t in enumerate(types)]
    batches = plan_batches(dataset, sessions)
    assert [session for batch in batches for session in batch] == sessions
    for batch in batches:
        assert 1 <= len(batch) <= (60 if dataset.endpoint in LISTED_CHEAPLY else 25)
        assert sum(dataset.expected_rows_for(s.session_type) for s in batch) <= 32_500
        assert sum(len(f"session_key={s.session_key}&") for s in batch) <= 1_800


LISTED_CHEAPLY = {"sessions", "drivers", "session_result"}


def test_a_session_named_twice_is_a_mistake() -> None:
    """Asking for a session twice is refused before any call."""
    network = FakeNetwork(two_rows_each)
    with pytest.raises(ValueError, match="listed twice"):
        list(fetch_sessions(make_client(network), LAPS, [*races(2), races(1)[0]]))
    assert network.requests == []


def test_rows_go_to_their_session_and_none_is_a_true_empty() -> None:
    """A session without rows in a good answer is empty, and so is every one of a 404."""
    network = FakeNetwork([rows({"session_key": 9001, "lap_number": 1})])
    first, second = fetch_sessions(make_client(network), LAPS, races(2))
    assert (first.records, first.error) == ([], None)
    assert (second.records, second.error) == ([{"session_key": 9001, "lap_number": 1}], None)
    empty = list(fetch_sessions(make_client(FakeNetwork([NO_RESULTS])), STINTS, races(3)))
    assert [(answer.records, answer.error) for answer in empty] == [([], None)] * 3


def test_addresses_name_one_session() -> None:
    """Where a session's rows come from is shown without the rest of its batch."""
    assert source_query(LAPS, 9472) == "laps?session_key=9472"
    assert source_query(RESULTS, 9472) == "session_result?session_key=9472"
    assert source_url(BASE_URL + "/", PIT_STOPS, 9472) == f"{BASE_URL}/pit?session_key=9472"
    (answer,) = fetch_sessions(make_client(FakeNetwork(two_rows_each)), LAPS, races(1))
    assert answer.source_url == f"{BASE_URL}/laps?session_key=9000"


def test_answers_come_as_soon_as_their_batch() -> None:
    """The first batch is handed on before the second is asked for."""
    network = FakeNetwork(two_rows_each)
    answers = fetch_sessions(make_client(network), LAPS, races(30))
    assert next(answers).session_key == 9000
    assert len(network.requests) == 1
    assert len(list(answers)) == 29
    assert len(network.requests) == 2


def bears(most: int, network: FakeNetwork, refusal: Reply = TOO_MUCH) -> FakeNetwork:
    """An API that answers so many sessions in one call, like `network`, and refuses more."""
    return FakeNetwork(
        lambda request: refusal if len(asked_keys(request)) > most else network._answer(request)
    )


@settings(deadline=None)
@given(
    poison=st.sets(st.integers(0, 69), max_size=30),
    which=st.integers(0, len(POISONS) - 1),
    count=st.integers(1, 70),
    most=st.integers(1, 30),
    refusal=st.sampled_from([TOO_MUCH, (500, "<html>")]),
)
def test_any_poisonous_sessions_harm_only_themselves(
    poison: set[int], which: int, count: int, most: int, refusal: Reply
) -> None:
    """Each session is answered once, in order: poisonous ones by an error, others by rows.

    Whatever the API bears in one call, and whatever is learned of it on the way. Only where all
    sessions that were asked for alone, six or more, are poisonous, the rest is given up.
    """
    fault, error = POISONS[which]
    keys = {9000 + n for n in poison}
    network = bears(most, poisoned(keys, fault), refusal)
    client = make_client(network, breaker=Breaker(failures=10_000))
    answers = list(fetch_sessions(client, LAPS, races(count)))
    assert [answer.session_key for answer in answers] == [9000 + n for n in range(count)]
    alone = {asked_keys(r)[0] for r in network.requests if len(asked_keys(r)) == 1}
    given_up = len(alone) >= 6 and alone <= keys and not any(a.records for a in answers)
    for answer in answers:
        if answer.session_key in keys or given_up:
            assert type(answer.error) is error
            assert answer.records == []
        else:
            assert answer.error is None
            assert [r["session_key"] for r in answer.records] == [answer.session_key] * 2
    assert sum(answer.api_requests for answer in answers) == len(network.requests)
    assert client.counters.calls == len(network.requests)
    assert sum(answer.api_retries for answer in answers) == client.counters.retries


@pytest.mark.parametrize(
    ("reply", "error"), [(TOO_MUCH, TooMuchAsked), (rows({}), Malformed)], ids=["422", "strangers"]
)
def test_what_fails_for_every_session_is_given_up(reply: Reply, error: type[OpenF1Error]) -> None:
    """Six sessions that failed alone, from all over the season, speak for the others."""
    network = FakeNetwork([reply])
    client = make_client(network)
    answers = list(fetch_sessions(client, LAPS, SEASON))
    assert [answer.session_key for answer in answers] == [s.session_key for s in SEASON]
    assert {type(answer.error) for answer in answers} == {error}
    assert len(network.requests) == sum(answer.api_requests for answer in answers) == 11
    alone = [asked_keys(r)[0] - 9500 for r in network.requests if len(asked_keys(r)) == 1]
    assert alone == [0, 1, 2, 14, 25, 47]
    assert str(answers[-2].error).startswith("The laps of 42 sessions were not asked for, since ")
    assert "again later" in str(answers[-2].error).rpartition(";")[2]


@pytest.mark.parametrize("good", [0, 1, 2, 14, 20, 25, 47])
def test_one_session_that_is_well_keeps_up_the_hope(good: int) -> None:
    """If it is found before the rest is given up, then each session is asked for, and once."""
    keys = {9500 + n for n in range(48)} - {9500 + good}
    network = poisoned(keys, lambda request: TOO_MUCH)
    answers = list(fetch_sessions(make_client(network), LAPS, SEASON))
    found = [answer.session_key - 9500 for answer in answers if answer.records]
    assert found == ([] if good == 20 else [good])
    assert [answer.session_key for answer in answers] == [s.session_key for s in SEASON]
    alone = [asked_keys(r)[0] for r in network.requests if len(asked_keys(r)) == 1]
    assert len(alone) == len(set(alone)) == (6 if good == 20 else 48)


def test_a_few_sessions_are_never_given_up() -> None:
    """With a dozen left it is soon known which of them is well."""
    network = poisoned({9000 + n for n in range(11)}, lambda request: TOO_MUCH)
    answers = list(fetch_sessions(make_client(network), LAPS, races(12)))
    assert [bool(answer.records) for answer in answers] == [False] * 11 + [True]


@pytest.mark.parametrize("place", range(25))
def test_one_poisonous_session_does_not_open_the_circuit(place: int) -> None:
    """Wherever in a batch one session makes the API fail, all others land, at few calls."""
    network = poisoned({9000 + place}, lambda request: (500, "<html>"))
    client = make_client(network)
    answers = list(fetch_sessions(client, LAPS, races(25)))
    assert [a.session_key for a in answers if a.error] == [9000 + place]
    assert len(network.requests) <= 5 + 2 * 5 + 5


@pytest.mark.parametrize("fault", [BUSY, requests.ConnectionError(), requests.ReadTimeout()])
def test_an_outage_is_noticed_soon(fault: Reply) -> None:
    """When nothing works, five datasets of a season cost under thirty calls, then none."""
    network = FakeNetwork([fault])
    client = make_client(network)
    answers = [
        answer
        for dataset in (DRIVERS, RESULTS, LAPS, STINTS, PIT_STOPS)
        for answer in fetch_sessions(client, dataset, SEASON)
    ]
    assert len(answers) == 5 * 48
    assert all(isinstance(answer.error, Unavailable) for answer in answers)
    assert isinstance(answers[-1].error, CircuitOpen)
    assert sum(answer.api_requests for answer in answers) == len(network.requests) < 30


@pytest.mark.parametrize(
    ("reply", "error", "calls"),
    [
        (LIVE, ClosedForLiveSession, 1),
        ((404, '{"detail":"Not Found"}'), Refused, 1),
        (LIMITED, Unavailable, 11),
    ],
)
def test_what_holds_for_all_ends_the_asking(
    reply: Reply, error: type[OpenF1Error], calls: int
) -> None:
    """Closed, refused or limited: no split, no further call, the same error for what is left."""
    network = FakeNetwork([two_rows_each(REQUEST), reply])
    client = make_client(network)
    answers = list(fetch_sessions(client, LAPS, races(60)))
    assert [answer.session_key for answer in answers] == [9000 + n for n in range(60)]
    assert Counter(type(answer.error) for answer in answers) == {type(None): 25, error: 35}
    assert len(network.requests) == 1 + calls
    assert client.counters.splits == 0


REQUEST = requests.Request(
    "GET", BASE_URL, params=[("session_key", 9000 + n) for n in range(25)]
).prepare()


def test_a_circuit_that_opens_in_a_split_ends_it() -> None:
    """Sessions that were not asked for any more say that the circuit is open."""
    client = make_client(FakeNetwork([BUSY]), breaker=Breaker(failures=2))
    answers = list(fetch_sessions(client, LAPS, races(4)))
    errors = [type(answer.error) for answer in answers]
    assert errors == [Unavailable, CircuitOpen, CircuitOpen, CircuitOpen]
    assert sum(answer.api_requests for answer in answers) == client.counters.calls == 5 + 2 + 2


@pytest.mark.parametrize("key", [None, "9000", 9000.0, True, 8999, [9000]])
def test_a_record_that_belongs_nowhere_is_malformed(key: object) -> None:
    """A missing, mistyped or unasked session_key is an error that names dataset and session; that
    of another session is an error of its own."""
    network = FakeNetwork([rows({"session_key": 9000}, {"session_key": key})])
    (answer,) = fetch_sessions(make_client(network), LAPS, races(1))
    assert type(answer.error) is (ForeignRows if key == 8999 else Malformed)
    assert str(answer.error).startswith("The laps of session 9000 came with a record")
    assert "Run this again later" in str(answer.error)


@given(count=st.integers(26, 150), most=st.integers(1, 30))
@settings(deadline=None, max_examples=30)
def test_what_an_api_bears_is_found_out_once(count: int, most: int) -> None:
    """One descent by halves, then no call is refused any more: not of this asking, nor the next."""
    network = bears(most, FakeNetwork(two_rows_each))
    client = make_client(network)
    assert all(answer.error is None for answer in fetch_sessions(client, LAPS, races(count)))
    sizes = [len(asked_keys(request)) for request in network.requests]
    refused = [size for size in sizes if size > most]
    assert refused == sorted(set(refused), reverse=True)
    assert len(refused) == client.counters.splits <= 5
    network.requests.clear()
    assert len(list(fetch_sessions(client, LAPS, races(count)))) == count
    assert all(len(asked_keys(request)) <= most for request in network.requests)
    assert client.counters.splits == len(refused)


def test_what_was_learned_is_of_one_endpoint_and_in_rows() -> None:
    """After laps of 25 races failed and of 13 did not, laps come in 13s, practices in 25s."""
    network = bears(13, FakeNetwork(two_rows_each), BUSY)
    client = make_client(network)
    list(fetch_sessions(client, LAPS, races(51)))
    assert [len(asked_keys(request)) for request in network.requests] == [25] * 5 + [
        *(12, 13),
        *(13, 13),
    ]
    learned = 13 * LAPS.expected_rows_for("race")
    assert client.batch_sizes.most_rows("laps") == learned
    assert [len(batch) for batch in plan_batches(LAPS, races(51), most_rows=learned)] == [
        *(13, 13, 13, 12)
    ]
    assert [len(batch) for batch in plan_batches(LAPS, SEASON[::2], most_rows=learned)] == [24]
    assert client.batch_sizes.most_rows("stints") is None


@pytest.mark.parametrize(
    "fault", [requests.ConnectionError(ConnectionRefusedError()), (200, '[{"session_key": 1}]')]
)
def test_only_what_size_may_have_caused_is_learned(fault: Reply) -> None:
    """No connection, or rows of another session: a split that cures it says nothing of size."""
    replies = [fault] * (5 if isinstance(fault, Exception) else 1)
    turns = iter(replies)
    network = FakeNetwork(lambda request: next(turns, None) or two_rows_each(request))
    client = make_client(network)
    answers = list(fetch_sessions(client, LAPS, races(30)))
    assert [answer.error for answer in answers] == [None] * 30
    assert client.counters.splits == 1
    assert client.batch_sizes.most_rows("laps") is None
    assert [len(asked_keys(r)) for r in network.requests[len(replies) :]] == [12, 13, 5]


def test_one_poisonous_session_teaches_nothing() -> None:
    """A session that fails by itself makes no batch smaller: some half always fails with it."""
    client = make_client(poisoned({9003}, lambda request: TOO_MUCH))
    list(fetch_sessions(client, LAPS, races(60)))
    assert client.batch_sizes.most_rows("laps") is None


def test_learned_by_one_asking_used_by_another_under_way() -> None:
    """Two askings of one client share what is learned, also between their batches."""
    network = bears(25, FakeNetwork(two_rows_each))
    client = make_client(network)
    under_way = fetch_sessions(client, LAPS, races(75))
    next(under_way)
    client.batch_sizes.learn("laps", 10 * LAPS.expected_rows_for("race"))
    client.batch_sizes.learn("laps", 20 * LAPS.expected_rows_for("race"))  # known better by now
    assert [answer.session_key for answer in under_way] == [9000 + n for n in range(1, 75)]
    assert [len(asked_keys(request)) for request in network.requests] == [25, 10, 10, 10, 10, 10]


def test_splits_are_counted_and_less_patient() -> None:
    """The whole batch is tried five times, each half twice; each split is counted."""
    network = poisoned({9000}, lambda request: BUSY)
    client = make_client(network)
    list(fetch_sessions(client, LAPS, races(2)))
    assert [len(asked_keys(request)) for request in network.requests] == [2] * 5 + [1] * 3
    assert client.counters.splits == 1


def test_records_and_error_exclude_each_other() -> None:
    """An answer is rows or an error, never both."""
    with pytest.raises(ValueError, match="records or an error"):
        SessionAnswer(session_key=1, records=[{}], error=Malformed("x"))


def deep(levels: int) -> list[object]:
    value: list[object] = []
    for _ in range(levels - 1):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("field", "value", "setting"),
    [
        ("deep", deep(900), "F1_BRONZE_OPENF1_MAX_DEPTH"),
        ("wide", {f"field_{n}": n for n in range(20_000)}, "F1_BRONZE_OPENF1_MAX_FIELDS"),
    ],
)
def test_a_session_with_a_monstrous_record_fails_alone(
    field: str, value: object, setting: str
) -> None:
    """No further call is needed to find it, and the others have their rows."""

    def answer(request: requests.PreparedRequest) -> Reply:
        records = json.loads(two_rows_each(request)[1])
        records[2][field] = value
        return rows(*records)

    network = FakeNetwork(answer)
    answers = list(fetch_sessions(make_client(network), LAPS, races(5)))
    assert len(network.requests) == 1
    assert [len(answer.records) for answer in answers] == [2, 0, 2, 2, 2]
    (error,) = [answer.error for answer in answers if answer.error]
    assert isinstance(error, Malformed)
    assert "laps of session 9001" in str(error)
    assert setting in str(error)
    assert len(str(error)) < 300


def test_an_answer_that_is_too_large_is_cut_in_two() -> None:
    """As with any answer that is too much: the session that makes it so fails alone, once."""

    def answer(request: requests.PreparedRequest) -> Reply:
        records = json.loads(two_rows_each(request)[1])
        if 9001 in asked_keys(request):
            records[0]["note"] = "x" * 1_000_000
        return rows(*records)

    network = FakeNetwork(answer)
    client = make_client(network, answer_limits=AnswerLimits(megabytes=1))
    answers = list(fetch_sessions(client, LAPS, races(4)))
    assert [len(answer.records) for answer in answers] == [2, 0, 2, 2]
    assert len(network.requests) == 5
    (error,) = [answer.error for answer in answers if answer.error]
    assert str(error) == (
        f"The answer to {BASE_URL}/laps?session_key=9001 is larger than the 1 MB of "
        "F1_BRONZE_OPENF1_MAX_MB; raise it if the answer is right."
    )


@pytest.mark.parametrize(
    ("key", "described"),
    [
        (None, "a record without a session_key"),
        ("9001", "a record whose session_key is '9001', a text where a number belongs"),
        (9999, "a record of session 9999, which was not asked for"),
    ],
)
def test_rows_of_no_session_asked_for_are_described(key: object, described: str) -> None:
    """The one session whose answer has such a row fails, the others of its batch are answered;
    the message says what the key is, and a number of another session is an error of its own."""

    def answer(request: requests.PreparedRequest) -> Reply:
        records = json.loads(two_rows_each(request)[1])
        if 9001 in asked_keys(request):
            records.append({"driver_number": 44} | ({} if key is None else {"session_key": key}))
        return rows(*records)

    answers = list(fetch_sessions(make_client(FakeNetwork(answer)), RESULTS, races(4)))
    assert [len(one.records) for one in answers] == [2, 0, 2, 2]
    assert type(answers[1].error) is (ForeignRows if type(key) is int else Malformed)
    assert described in str(answers[1].error)


def test_rows_of_another_meeting_fail_their_session_alone() -> None:
    """Rows whose meeting_key is not the calendar's are not the session's content, be it one of
    them or all; rows swapped between two sessions of a batch fail both. A null proves nothing."""
    sessions = [
        SessionRef(session_key=9000 + n, session_type="race", meeting_key=1200 + n)
        for n in range(5)
    ]
    meetings = {9000: [1200, 1200], 9001: [1202] * 2, 9002: [1201] * 2, 9003: [1203, 77]}

    def answer(request: requests.PreparedRequest) -> Reply:
        return rows(
            *(
                {"session_key": key, "driver_number": n, "meeting_key": meeting}
                for key in asked_keys(request)
                for n, meeting in enumerate(meetings.get(key, [None, 1204]))
            )
        )

    network = FakeNetwork(answer)
    answers = list(fetch_sessions(make_client(network), RESULTS, sessions))
    assert [len(one.records) for one in answers] == [2, 0, 0, 0, 2]
    assert [type(one.error) for one in answers if one.error] == [ForeignRows] * 3
    assert len(network.requests) == 1
    assert (
        "The results of session 9003 came with rows of another meeting: 1 of 2 rows (meeting_key "
        "77 where the calendar has 1203). Nothing of this answer is stored"
    ) in str(answers[3].error)


def test_answers_for_a_later_run_wait_as_bytes() -> None:
    """What one batch brings for two runs is the same for both, and the second's waits packed."""
    network = FakeNetwork(two_rows_each)
    openf1 = OpenF1(lambda: make_client(network), base_url=BASE_URL)
    openf1.expect({LAPS: SEASON})
    first = list(openf1.answers(LAPS, SEASON[:10]))
    calls = len(network.requests)
    assert all(isinstance(kept, tuple) for kept in openf1._kept.values())
    assert len(openf1._kept) > 0
    second = list(openf1.answers(LAPS, SEASON[10:]))
    alone = list(fetch_sessions(make_client(FakeNetwork(two_rows_each)), LAPS, SEASON))
    assert [one.records for one in (*first, *second)] == [one.records for one in alone]
    assert calls < 10
