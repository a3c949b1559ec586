"""The state of a running simulator: its journal, and how it is changed, also over HTTP."""

import itertools
import json
import threading
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from f1_bronze.simulator import responses
from f1_bronze.simulator.behaviour import Behaviour, PaidLogin, WindowLimiter, read_limits
from f1_bronze.simulator.faults import ActiveFaults, InjectedFault
from f1_bronze.simulator.responses import SimulatedResponse


@dataclass(frozen=True, kw_only=True)
class LoggedRequest:
    """One request as it was answered.

    number counts from 1; status is None when the connection was cut before an answer;
    time is the arrival in epoch seconds; rows and body_bytes describe the answer; faults
    are the kinds that hit it. `query` is as sent; a login's form is never kept.
    """

    number: int
    method: str
    path: str
    query: str
    endpoint: str
    status: int | None
    time: float
    rows: int = 0
    body_bytes: int = 0
    faults: tuple[str, ...] = ()


class Journal:
    """Counts every request and keeps the last `size` of them. Safe for many threads."""

    def __init__(self, size: int) -> None:
        self._lock = threading.Lock()
        self._entries: deque[LoggedRequest] = deque(maxlen=size)
        self._by_endpoint: Counter[str] = Counter()
        self._by_status: Counter[str] = Counter()
        self._recent = {1.0: deque[float](), 60.0: deque[float]()}
        self._most = {1.0: 0, 60.0: 0}

    def arrived(self, now: float) -> None:
        """Note a call to a data endpoint the moment it arrives, for the rolling maxima."""
        with self._lock:
            for seconds, times in self._recent.items():
                times.append(now)
                while now - times[0] >= seconds:
                    times.popleft()
                self._most[seconds] = max(self._most[seconds], len(times))

    def note(self, entry: LoggedRequest) -> None:
        """Remember an answered request."""
        with self._lock:
            self._entries.append(entry)
            self._by_endpoint[entry.endpoint] += 1
            self._by_status["none" if entry.status is None else str(entry.status)] += 1

    def entries(self) -> tuple[LoggedRequest, ...]:
        """The requests still remembered, oldest first."""
        with self._lock:
            return tuple(self._entries)

    def to_json(self) -> dict[str, Any]:
        """The counters and the remembered requests; times as ISO 8601."""
        with self._lock:
            return {
                "calls": sum(self._by_endpoint.values()),
                "by_endpoint": dict(sorted(self._by_endpoint.items())),
                "by_status": dict(sorted(self._by_status.items())),
                "max_in_second": self._most[1.0],
                "max_in_minute": self._most[60.0],
                "requests": [
                    {
                        **asdict(e),
                        "faults": list(e.faults),
                        "time": datetime.fromtimestamp(e.time, UTC).isoformat(),
                    }
                    for e in self._entries
                ],
            }


CHANGEABLE = (
    "limits",
    "live",
    "latency_seconds",
    "credentials",
    "token_seconds",
    "retry_after",
    "too_much_rows",
    "too_much_rows_of",
)
"""What may be changed at run time; `for_seconds` goes with `live`."""


class Control:
    """The handle on a running simulator. Safe for many threads."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._first_behaviour = behaviour
        self._lock = threading.Lock()
        self._start_anew()

    def _start_anew(self) -> None:
        self.behaviour = self._first_behaviour
        self.journal = Journal(self.behaviour.journal_size)
        self.faults = ActiveFaults(self.behaviour.faults)
        self._numbers = itertools.count(1)
        self._tokens: dict[str, float] = {}  # and when each ends
        self._set_limiters()

    def _set_limiters(self) -> None:
        limits = read_limits(self.behaviour.limits)
        self._free = WindowLimiter(limits)
        self._paid = WindowLimiter(tuple(limit.doubled() for limit in limits))

    def state(self) -> dict[str, Any]:
        """Counters, the last requests, the faults with their hits, and the behaviour.

        JSON-ready; holds no password and no token.
        """
        behaviour = self.behaviour
        return {
            **self.journal.to_json(),
            "faults": self.faults.to_json(),
            "manners": {
                **{name: getattr(behaviour, name) for name in CHANGEABLE},
                "live": behaviour.is_live(behaviour.clock()),
                "credentials": behaviour.credentials is not None,
            },
        }

    def requests(self) -> tuple[LoggedRequest, ...]:
        """The last requests as objects, oldest first."""
        return self.journal.entries()

    def change_behaviour(self, *, for_seconds: float | None = None, **changes: Any) -> None:
        """Change some of CHANGEABLE; all others stay.

        `live=True, for_seconds=30` closes the API for 30 s of the clock. `credentials` is a
        Credentials, `{"username": …, "password": …}` or None. New limits start counting from
        nothing; new credentials end all tokens. Raises ValueError and changes nothing when a
        name or a value is wrong.
        """
        unknown = sorted(set(changes) - set(CHANGEABLE))
        if unknown:
            raise ValueError(f"no behaviour to change called {', '.join(unknown)}")
        if for_seconds is not None and changes.get("live") is not True:
            raise ValueError("for_seconds goes with live=true")
        with self._lock:
            if "live" in changes:
                until = None if for_seconds is None else self.behaviour.clock() + for_seconds
                changes["live_until"] = until
            given = changes.get("credentials")
            try:
                if isinstance(given, dict):
                    changes["credentials"] = PaidLogin(**given)
                self.behaviour = replace(self.behaviour, **changes)
            except (TypeError, AttributeError) as error:
                raise ValueError(f"this behaviour has a value of the wrong type: {error}") from None
            if "limits" in changes:
                self._set_limiters()
            if "credentials" in changes:
                self._tokens = {}

    def set_faults(self, faults: Iterable[InjectedFault]) -> None:
        """Put these faults in force instead of all others; none at all clears them."""
        self.faults.set(faults)

    def add_faults(self, *faults: InjectedFault) -> None:
        """Put these faults in force after those that are."""
        self.faults.add(faults)

    def reset(self) -> None:
        """Back to the start: first behaviour and faults, empty journal, no tokens, fresh limits."""
        with self._lock:
            self._start_anew()

    def next_number(self) -> int:
        """The number of a request, from 1; all that varies between calls is drawn from it."""
        return next(self._numbers)

    def limiter(self, *, paid: bool) -> WindowLimiter:
        """The count of free or of paid calls."""
        return self._paid if paid else self._free

    def new_token(self, username: str, password: str) -> str | None:
        """A token for the right user and password, else None."""
        with self._lock:
            if self.behaviour.credentials != PaidLogin(username=username, password=password):
                return None
            token = f"simulated-token-{len(self._tokens) + 1}"
            self._tokens[token] = self.behaviour.clock() + self.behaviour.token_seconds
            return token

    def expire_tokens(self) -> None:
        """End the life of every token given so far."""
        with self._lock:
            self._tokens = dict.fromkeys(self._tokens, float("-inf"))

    def is_valid(self, token: str) -> bool:
        """Whether a token was given here and still lives."""
        with self._lock:
            return self.behaviour.clock() < self._tokens.get(token, float("-inf"))


PREFIX = "/_control/"


def answer_control(control: Control, method: str, path: str, body: bytes) -> SimulatedResponse:
    """Carry out one control call; every one answers with the state, or 400 and why not."""
    operation = path.removeprefix(PREFIX)
    if operation not in ("state", "manners", "faults", "reset"):
        return responses.NOT_FOUND
    if (method == "GET") != (operation == "state"):
        return responses.WRONG_METHOD
    try:
        if operation == "manners":
            changes = json.loads(body)
            if not isinstance(changes, dict):
                raise ValueError("manners are a JSON object")
            control.change_behaviour(**changes)
        elif operation == "faults":
            faults = json.loads(body)
            if not isinstance(faults, list):
                raise ValueError("faults are a JSON array")
            control.set_faults([InjectedFault.from_json(one) for one in faults])
        elif operation == "reset":
            control.reset()
    except ValueError as error:  # a JSONDecodeError is one
        return responses.json_response(400, {"detail": str(error)})
    return responses.json_response(200, control.state())
