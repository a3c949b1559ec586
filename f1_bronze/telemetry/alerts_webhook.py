"""A webhook as a sink of alerts: Slack, Mattermost, and whatever takes their JSON.

Belongs here: one POST, bounded in time, and what its answer means. Stays out: the words
(alerts.py). The standard library does it: requests belongs to openf1/. The address is a secret,
since who knows it can post, so only its host is ever told.
"""

import json
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from f1_bronze.telemetry.alerts import Alert
from f1_bronze.telemetry.alerts_delivery import AlertRefused, AlertsUnavailable
from f1_bronze.telemetry.in_thread import begun

SECONDS = 5.0
LONGEST_TEXT = 30_000
"""In letters; Slack cuts at 40,000."""
_MEND_URL = "Set F1_BRONZE_ALERT_WEBHOOK to the address that the receiver gives."
# Answers that are about the receiver and not about this alert: others would get the same.
_NOT_THE_ALERT = {
    401: _MEND_URL,
    403: _MEND_URL,
    404: _MEND_URL,
    405: _MEND_URL,
    407: "Check the proxy's settings.",
    408: "It is sent again.",
    410: _MEND_URL,
    425: "It is sent again.",
    429: "It is sent again.",
}


class Webhook:
    """Posts to one address; `seconds` is how long one post may take, whatever the receiver does."""

    def __init__(self, url: str, *, seconds: float = SECONDS) -> None:
        self._url, self._seconds = url, seconds
        self.host = urlsplit(url).netloc.rpartition("@")[2]

    def send(self, alert: Alert) -> None:
        """Post `{"text": …}` with the facts under `alert`; a redirect is not followed."""
        data = json.dumps(payload(alert), ensure_ascii=False).encode()
        request = Request(
            self._url,
            data=data,
            headers={"Content-Type": "application/json; charset=utf-8", "User-Agent": "f1-bronze"},
        )
        posting = begun(lambda: self._post(request), "alert-webhook")
        try:
            posting.result(timeout=self._seconds)
        except TimeoutError as error:  # also a look-up or an answer that trickles in
            raise self._unavailable(f"gave no answer within {self._seconds:g} s", "") from error
        except HTTPError as error:
            if not 400 <= error.code < 500 or error.code in _NOT_THE_ALERT:
                remedy = _MEND_URL if error.code < 400 else _NOT_THE_ALERT.get(error.code, "")
                raise self._unavailable(f"answered {error.code}", remedy) from None
            raise AlertRefused(
                f"The webhook at {self.host} refused an alert ({error.code})."
            ) from None
        except (URLError, OSError, ValueError) as error:  # ValueError: no address at all
            raise self._unavailable(f"cannot be reached ({type(error).__name__})", "") from None

    def _post(self, request: Request) -> None:
        with build_opener(_Stay).open(request, timeout=self._seconds) as answer:
            answer.read(1)

    def _unavailable(self, what: str, remedy: str) -> AlertsUnavailable:
        return AlertsUnavailable(
            f"The webhook at {self.host} {what}. {remedy or 'It is sent again.'}"
        )


class _Stay(HTTPRedirectHandler):
    """A redirected POST would arrive as a GET without its body."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> None:
        """None makes the redirect an error."""


def payload(alert: Alert) -> dict[str, Any]:
    """The JSON that is posted: `text` for people, with Slack's three letters escaped."""
    text = f"{alert.subject}\n{alert.text}"[:LONGEST_TEXT]
    for letter, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(letter, escaped)
    return {"text": text, "alert": {**alert.to_json(), "source": "f1_bronze"}}
