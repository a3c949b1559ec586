"""What each kind of fault does to an answer: a table of small handlers, one per kind.

Belongs here: a handler and its line in HANDLERS; a new kind is also named in
`faults.KINDS`, and in `faults.MIX` if it passes by itself. Stays out: whom a fault hits
(`faults`, which also turns a `mix` into one of its kinds) and how bytes are sent (`server`).

A handler gets the fault, the request it hits and `proceed`, which gives the answer that
would have been sent (a further fault may have touched it). Not calling it is fine.
"""

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from email.utils import formatdate

from f1_bronze.simulator import bodies as answers
from f1_bronze.simulator.behaviour import Limit
from f1_bronze.simulator.bodies import Answer, Delivery
from f1_bronze.simulator.faults import Fault
from f1_bronze.simulator.sources import Record

Proceed = Callable[[], Answer]


@dataclass(frozen=True, kw_only=True)
class Hit:
    """What a handler may use: the request's number, the time, and ways to act on the stand-in."""

    turn: int
    now: float
    sleep: Callable[[float], None]
    expire_tokens: Callable[[], None]


Handler = Callable[[Fault, Hit, Proceed], Answer]

_USUAL: Mapping[int, tuple[str, str]] = {
    500: (answers.STACK_TRACE_PAGE, answers.HTML),
    502: (answers.BAD_GATEWAY_PAGE, answers.HTML),
    503: (answers.UPSTREAM_TIMEOUT, answers.PLAIN),
    504: (answers.UPSTREAM_TIMEOUT, answers.PLAIN),
}


def _status(fault: Fault, hit: Hit, proceed: Proceed) -> Answer:
    text, kind = _USUAL.get(fault.status, ('{"detail":"Injected fault"}', answers.JSON))
    return answers.text_answer(
        fault.status,
        text if fault.body is None else fault.body,
        fault.content_type or kind,
    )


def _too_much(fault: Fault, hit: Hit, proceed: Proceed) -> Answer:
    return answers.too_much()


def _rate_limited(fault: Fault, hit: Hit, proceed: Proceed) -> Answer:
    header = fault.retry_after
    if fault.date_after is not None:
        # Rounded up: a date has no fractions, and one that is early would be no wait at all.
        header = formatdate(math.ceil(hit.now) + fault.date_after, usegmt=True)
    return answers.rate_limited(Limit(calls=30, seconds=60), header)


def _live(fault: Fault, hit: Hit, proceed: Proceed) -> Answer:
    return answers.live_closed()


def _token_expiry(fault: Fault, hit: Hit, proceed: Proceed) -> Answer:
    hit.expire_tokens()
    return answers.bad_token()


def _refused(fault: Fault, hit: Hit, proceed: Proceed) -> Answer:
    closed = answers.no_results()
    return replace(closed, delivery=Delivery.REFUSED, pause_seconds=fault.seconds)


def _reset_before(fault: Fault, hit: Hit, proceed: Proceed) -> Answer:
    return replace(answers.no_results(), delivery=Delivery.RESET_BEFORE)


def _reset_midway(fault: Fault, hit: Hit, proceed: Proceed) -> Answer:
    return replace(proceed(), delivery=Delivery.RESET_MIDWAY)


def _truncated_json(fault: Fault, hit: Hit, proceed: Proceed) -> Answer:
    whole = answers.written(proceed(), hit.turn)
    return replace(whole, body=whole.body[: len(whole.body) // 2])


def _html_200(fault: Fault, hit: Hit, proceed: Proceed) -> Answer:
    page = "<html><body><h1>Scheduled maintenance</h1></body></html>"
    return answers.text_answer(200, page if fault.body is None else fault.body, answers.HTML)


def _wrong_json(fault: Fault, hit: Hit, proceed: Proceed) -> Answer:
    return answers.text_answer(
        200, '{"detail":"No array today."}' if fault.body is None else fault.body, answers.JSON
    )


def _slow(fault: Fault, hit: Hit, proceed: Proceed) -> Answer:
    hit.sleep(fault.seconds or 0.0)
    return proceed()


def _stall(fault: Fault, hit: Hit, proceed: Proceed) -> Answer:
    return replace(proceed(), delivery=Delivery.STALL, pause_seconds=fault.seconds)


def _empty(fault: Fault, hit: Hit, proceed: Proceed) -> Answer:
    return answers.no_results()


def _touches(fault: Fault, row: Record) -> bool:
    if fault.session_key is not None and row.get("session_key") != fault.session_key:
        return False
    return all(key in row and row[key] == value for key, value in fault.match.items())


def _drop_rows(fault: Fault, hit: Hit, proceed: Proceed) -> Answer:
    answer = proceed()
    if answer.rows is None:
        return answer
    # Session by session and by content, so that a row lost in a batch is lost alone, too.
    by_session: dict[object, list[Record]] = {}
    for row in answer.rows:
        if _touches(fault, row):
            by_session.setdefault(row.get("session_key"), []).append(row)
    lost: set[int] = set()
    for session_key, rows in by_session.items():
        rows.sort(key=lambda row: repr(sorted(row.items())))
        random.Random(f"{fault.seed}/{session_key}").shuffle(rows)
        lost.update(id(row) for row in rows[: round(len(rows) * fault.rows_share)])
    return replace(answer, rows=[row for row in answer.rows if id(row) not in lost])


def _edit(fault: Fault, hit: Hit, proceed: Proceed) -> Answer:
    answer = proceed()
    if answer.rows is None:
        return answer
    edited: list[Record] = []
    for row in answer.rows:
        changed: Record | None = row
        if _touches(fault, row):
            changed = {**row, **fault.patch}
            if fault.edit is not None:
                changed = fault.edit(changed)
        if changed is not None:
            edited.append(changed)
    return replace(answer, rows=edited)


def _unknown_path(fault: Fault, hit: Hit, proceed: Proceed) -> Answer:
    return answers.not_found()


HANDLERS: Mapping[str, Handler] = {
    "status": _status,
    "too_much": _too_much,
    "rate_limited": _rate_limited,
    "live": _live,
    "token_expiry": _token_expiry,
    "refused": _refused,
    "reset_before": _reset_before,
    "reset_midway": _reset_midway,
    "truncated_json": _truncated_json,
    "html_200": _html_200,
    "wrong_json": _wrong_json,
    "slow": _slow,
    "stall": _stall,
    "empty": _empty,
    "drop_rows": _drop_rows,
    "edit": _edit,
    "unknown_path": _unknown_path,
}
