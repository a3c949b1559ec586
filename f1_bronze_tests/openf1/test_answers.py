"""What an answer means: the table of OPENF1.md, row by row."""

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f1_bronze.openf1.answers import (
    Answer,
    CircuitOpen,
    ClosedForLiveSession,
    FailedAttempt,
    FailureKind,
    OpenF1Error,
    Refused,
    TooMuchAsked,
    Unavailable,
    read_answer,
)

from .fakes import LIMITED, LIVE, NO_RESULTS, TOO_MUCH

HTML = "<html><body>Traceback (most recent call last)</body></html>"
RETRY = FailureKind.FAILED


@pytest.mark.parametrize(
    ("status", "body", "records"),
    [(200, '[{"a": 1}]', [{"a": 1}]), (200, "[]", []), (*NO_RESULTS, [])],
)
def test_records_and_true_empties(status: int, body: str, records: list[object]) -> None:
    """A JSON array is the records; an empty one, and the API's own 404, are truly none."""
    assert read_answer(status, {}, body.encode()) == records


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (404, '{"detail":"Not Found"}', Refused),
        (404, "{}", Refused),
        (*LIVE, ClosedForLiveSession),
        (401, '{"detail":"Invalid token"}', Refused),
        (401, HTML, Refused),
        (*TOO_MUCH, TooMuchAsked),
        (422, '{"detail":[{"loc":["query"],"msg":"bad"}]}', Refused),
        (414, "", TooMuchAsked),
        (403, "{}", Refused),
        (304, "", Refused),
    ],
)
def test_final_errors(status: int, body: str, error: type[OpenF1Error]) -> None:
    """Each of these is final, whether the body is JSON or not."""
    with pytest.raises(error) as raised:
        read_answer(status, {}, body.encode())
    assert type(raised.value) is error


@pytest.mark.parametrize(
    ("status", "body", "kind", "final"),
    [
        (404, HTML, RETRY, Refused),
        (404, "", RETRY, Refused),
        (404, '{"detail":"No res', RETRY, None),
        (*LIMITED, FailureKind.RATE_LIMITED, None),
        (429, "slow down", FailureKind.RATE_LIMITED, None),
        (500, HTML, RETRY, None),
        (502, "", RETRY, None),
        (503, "upstream request timeout", RETRY, None),
        (504, '{"detail":"No results found."}', RETRY, None),
        (204, "", RETRY, None),
    ],
)
def test_answers_to_retry(
    status: int, body: str, kind: FailureKind, final: type[OpenF1Error] | None
) -> None:
    """Each of these is retried; a page that stays in place of the API's own 404 is refused."""
    with pytest.raises(FailedAttempt) as raised:
        read_answer(status, {}, body.encode())
    assert raised.value.kind is kind
    assert type(raised.value.final) is (final or type(None))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'[{"session_key": 1}, {"sess',
        b'{"detail": "fine"}',
        b"[1, 2]",
        b"[null]",
        b"null",
        b'"[]"',
        b'[{"x": NaN}]',
        b'[{"x": -Infinity}]',
        b'[{"x": 1e999}]',
        b"<html></html>",
        b"\xff\xfe[]",
        b"[" * 100_000,
    ],
)
def test_a_200_that_is_no_array_of_objects_is_retried(body: bytes) -> None:
    """A broken 200 is never taken for records or for an empty answer."""
    with pytest.raises(FailedAttempt) as raised:
        read_answer(200, {}, body)
    assert (raised.value.kind, raised.value.final) == (RETRY, None)


@pytest.mark.parametrize(("body", "what"), [(b'[{"x": NaN}]', "NaN"), (b'[{"x": 1e999}]', "1e999")])
def test_what_is_no_number_is_named(body: bytes, what: str) -> None:
    """A body with NaN is described as what it is."""
    with pytest.raises(FailedAttempt, match=f"JSON that has {what}, which is no number"):
        read_answer(200, {}, body)


def test_records_come_through_unchanged() -> None:
    """Records keep their values and their order of keys."""
    records = [{"b": 1, "a": [None, 2.5], "c": "São"}, {}]
    assert read_answer(200, {}, json.dumps(records).encode()) == records


@pytest.mark.parametrize(
    ("body", "headers", "seconds"),
    [
        (b'{"detail":"Rate limit exceeded. Max 3 requests/second."}', {}, 1.5),
        (LIMITED[1].encode(), {}, 20.5),
        (b"", {}, 20.5),
        (b"", {"retry-AFTER": "7"}, 7.5),
        (b"", {"Retry-After": "86400"}, 120.5),
    ],
)
def test_a_429_says_how_long_to_wait(body: bytes, headers: dict[str, str], seconds: float) -> None:
    """A second, until the next clock minute, or what the server asks for; and the jitter."""
    with pytest.raises(FailedAttempt) as raised:
        read_answer(429, headers, body, now=1_700_000_020.0, jitter=0.5)
    assert raised.value.seconds == seconds


@given(status=st.integers(100, 599), body=st.binary(max_size=60))
def test_any_answer_means_something(status: int, body: bytes) -> None:
    """Whatever comes, reading does not crash, and only 200 and 404 can be records."""
    try:
        read_answer(status, {}, body)
    except (FailedAttempt, OpenF1Error):
        return
    assert status in (200, 404)


def test_errors_survive_pickling() -> None:
    """An error keeps its attributes on the way from one process to another."""
    closed = pickle.loads(pickle.dumps(ClosedForLiveSession("later", retry_after=60.0)))
    down = pickle.loads(pickle.dumps(Unavailable("down", status=503, attempts=5)))
    open_ = pickle.loads(pickle.dumps(CircuitOpen("open", seconds=12.0)))
    refused = pickle.loads(pickle.dumps(Refused("no", status=403)))
    assert (closed.retry_after, down.status, down.attempts) == (60.0, 503, 5)
    assert (open_.seconds, refused.status, str(refused)) == (12.0, 403, "no")


def test_an_answer_counts_its_call() -> None:
    """An answer that took no call cannot be made."""
    with pytest.raises(ValueError, match="at least one attempt"):
        Answer(records=[], url="u", status=200, attempts=0, seconds=0.0, bytes=2)
