"""One question on its way: what is asked, and what it has cost so far.

Belongs here: the address, how it is called in texts and logs, the tally of this one question.
Stays out: sending it (client.py) and when it is repeated (retries.py).
"""

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode

from f1_bronze.openf1.addresses import without_login
from f1_bronze.openf1.retries import Course


class Question:
    """A question to one endpoint.

    Attributes:
        url: what is asked, perhaps with a login in it; `shown_url` is without.
        title: for progress: endpoint and how many sessions are asked for.
        asked: for texts read by people, who do not want sixty keys.
        complaint: says what is wrong with records that cannot be an answer.
        calls, retries: HTTP requests so far, and those that repeated an earlier one.
        repeating: whether the next request repeats one.
        token_renewed: whether a refused token has been replaced already.
    """

    def __init__(
        self,
        base_url: str,
        endpoint: str,
        params: Sequence[tuple[str, str | int]],
        complaint: Callable[[list[dict[str, Any]]], str | None] | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.sessions = sum(key == "session_key" for key, _ in params)
        self.url = f"{base_url}/{endpoint}" + (f"?{urlencode(params)}" if params else "")
        self.shown_url = without_login(self.url)
        many = f"{self.sessions} session{'s' if self.sessions > 1 else ''}"
        self.title = f"{endpoint} of {many}" if self.sessions else endpoint
        self.asked = self.shown_url
        if self.sessions > 1:
            self.asked = f"{self.shown_url.partition('?')[0]} for {self.sessions} sessions"
        self.complaint = complaint
        self.course = Course()
        self.calls = 0
        self.retries = 0
        self.repeating = False
        self.token_renewed = False

    def log_fields(self, status: int | str | None, **more: object) -> dict[str, object]:
        """The structured part of a log line about this question."""
        return {
            "endpoint": self.endpoint,
            "sessions": self.sessions,
            "status": status,
            "attempt": self.calls,
            **more,
        }
