"""How a reply is read: the table of OPENF1.md, row by row."""

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f1_bronze.openf1.answers import (
    Answer,
    CircuitOpen,
    ClosedForLiveSession,
    Kind,
    Refused,
    Unavailable,
    read_answer,
)

from .fakes import LIMITED, LIVE, NO_RESULTS, TOO_MUCH

HTML = "<html><body>Traceback (most recent call last)</body></html>"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, '[{"a": 1}]', Kind.ROWS),
        (200, "[]", Kind.ROWS),
        (*NO_RESULTS, Kind.ROWS),
        (404, '{"detail":"Not Found"}', Kind.REFUSED),
        (404, "{}", Kind.REFUSED),
        (404, HTML, Kind.ASTRAY),
        (404, "", Kind.ASTRAY),
        (404, '{"detail":"No res', Kind.REPEAT),
        (*LIVE, Kind.CLOSED),
        (401, '{"detail":"Invalid token"}', Kind.UNAUTHORIZED),
        (401, HTML, Kind.UNAUTHORIZED),
        (*TOO_MUCH, Kind.TOO_MUCH),
        (422, '{"detail":[{"loc":["query"],"msg":"bad"}]}', Kind.REFUSED),
        (414, "", Kind.TOO_MUCH),
        (*LIMITED, Kind.LIMITED),
        (429, "slow down", Kind.LIMITED),
        (500, HTML, Kind.REPEAT),
        (502, "", Kind.REPEAT),
        (503, "upstream request timeout", Kind.REPEAT),
        (504, '{"detail":"No results found."}', Kind.REPEAT),
        (204, "", Kind.REPEAT),
        (403, "{}", Kind.REFUSED),
        (304, "", Kind.REFUSED),
    ],
)
def test_status_and_body_decide_the_outcome(status: int, body: str, kind: Kind) -> None:
    """Each row of the table has its verdict, whether the body is JSON or not."""
    assert read_answer(status, {}, body.encode()).kind is kind


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
def test_a_200_that_is_no_array_of_objects_is_to_be_repeated(body: bytes) -> None:
    """A broken 200 is never taken for rows or for an empty answer."""
    verdict = read_answer(200, {}, body)
    assert (verdict.kind, verdict.records) == (Kind.REPEAT, [])


def test_records_come_through_unchanged() -> None:
    """Rows keep their values and their order of keys."""
    records = [{"b": 1, "a": [None, 2.5], "c": "São"}, {}]
    assert read_answer(200, {}, json.dumps(records).encode()).records == records


def test_limit_per_second_is_told_from_limit_per_minute() -> None:
    """The body of a 429 says which window is full; without a word it is the minute."""
    second = b'{"detail":"Rate limit exceeded. Max 3 requests/second."}'
    assert read_answer(429, {}, second).per_second is True
    assert read_answer(429, {}, LIMITED[1].encode()).per_second is False
    assert read_answer(429, {"retry-AFTER": "7"}, b"").retry_after == "7"


@given(status=st.integers(100, 599), body=st.binary(max_size=60))
def test_any_reply_has_a_verdict_and_no_failure_has_rows(status: int, body: bytes) -> None:
    """Whatever comes, reading does not crash, and only 200 and 404 can be rows."""
    verdict = read_answer(status, {}, body)
    assert verdict.kind is not Kind.ROWS or status in (200, 404)
    assert not verdict.records or verdict.kind is Kind.ROWS


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
