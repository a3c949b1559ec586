"""One question to OpenF1, to find out how it stands with us.

Belongs here: asking once, without repeating. Stays out: questions whose rows are wanted
(client.py), and what a person is told of the outcome (the doctor command).
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urljoin

import requests

from f1_bronze.openf1.addresses import origin, without_login
from f1_bronze.openf1.credentials import Credentials, Login, token_url
from f1_bronze.openf1.outcomes import Kind, Refused, Unavailable, read_answer
from f1_bronze.openf1.pace import Pace
from f1_bronze.openf1.question import Question
from f1_bronze.openf1.remedies import error_for, limit_pause
from f1_bronze.openf1.retries import Fault
from f1_bronze.openf1.transport import Reply, exchange, new_session

_TIMEOUT = (5.0, 30.0)
_AT_MOST = 30.0
_ONE_SESSION = (("session_key", 9158),)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How the API answered one question.

    Attributes:
        url: what was asked, without credentials.
        seconds: how long the answer took; waiting for the shared budget is not in it.
        moved_to: scheme and host that the API sends its askers to; empty if it does not.
    """

    url: str
    seconds: float
    moved_to: str = ""


def ask_once(
    base_url: str,
    *,
    pace: Pace,
    credentials: Credentials | None = None,
    clock: Callable[[], float] = time.time,
    session: requests.Session | None = None,
    observer: Callable[[str], None] | None = None,
) -> Standing:
    """Ask for one session, in turn and only once; with credentials a login precedes it.

    `ClosedForLiveSession`, `Refused` or `Unavailable` as for any other question. A 429 makes
    everybody wait who shares the budget, as it always does.
    """
    question = Question(base_url.rstrip("/"), "sessions", _ONE_SESSION)
    own = new_session() if session is None else session

    def send(method: str, url: str, form: dict[str, str] | None, token: str | None) -> Reply:
        pace.wait("doctor", observer)
        return exchange(
            *(own, method, url),
            timeout=_TIMEOUT,
            clock=clock,
            at_most=_AT_MOST,
            form=form,
            token=token,
        )

    def log_in(form: dict[str, str]) -> bytes:
        url = token_url(base_url)
        reply = send("POST", url, form, None)
        if reply.status in (400, 401, 403, 422):
            raise Refused(
                f"OpenF1 refused the login (status {reply.status}); check "
                "F1_BRONZE_OPENF1_USERNAME and F1_BRONZE_OPENF1_PASSWORD, or unset both for free "
                "access.",
                status=reply.status,
            )
        if reply.status != 200:
            _raise_unless_rows(reply, without_login(url), pace, clock)
        return reply.body

    try:
        token = Login(credentials, clock).token(log_in) if credentials else None
        began = clock()
        reply = send("GET", question.url, None, token)
        seconds = max(0.0, clock() - began)
        target = reply.headers.get("location")
        if reply.status in (301, 302, 303, 307, 308) and target:
            moved = origin(urljoin(question.url, target))
            return Standing(url=question.shown_url, seconds=seconds, moved_to=moved)
        _raise_unless_rows(reply, question.asked, pace, clock)
        return Standing(url=question.shown_url, seconds=seconds)
    except Fault as fault:
        raise fault.finally_ or Unavailable(
            f"OpenF1 did not answer {question.asked} ({fault.reason}); check the network and "
            "F1_BRONZE_OPENF1_URL, or try again later.",
            status=fault.status,
        ) from None
    finally:
        if session is None:
            own.close()


def _raise_unless_rows(reply: Reply, asked: str, pace: Pace, clock: Callable[[], float]) -> None:
    verdict, now = read_answer(reply.status, reply.headers, reply.body), clock()
    if verdict.kind is Kind.ROWS:
        return
    if verdict.kind is Kind.LIMITED:
        pace.back_off(pace.now() + limit_pause(verdict, now, random.Random()))
        raise Unavailable(
            f"OpenF1 answered {asked} with 429 ({verdict.reason}): somebody with this IP address "
            "asks besides this project, or F1_BRONZE_OPENF1_LIMITS is too high.",
            status=reply.status,
        )
    raise error_for(verdict, asked, reply.status, now)
