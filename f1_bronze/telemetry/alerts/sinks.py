"""Sends alerts to an SNS topic and to a webhook.

Neither retries: the sensor's next tick does.
"""

import json
import re
from collections.abc import Callable, Collection, Sequence
from functools import cached_property
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from f1_bronze.telemetry.alerts.wording import Alert
from f1_bronze.telemetry.aws import aws_errors, make_client, read_failure
from f1_bronze.telemetry.outbound import Dropped, Outcome, Sent, SinkUnavailable, start_thread
from f1_bronze.telemetry.redaction import public_host

LONGEST_SUBJECT = 99

LONGEST_MESSAGE = 200_000
"""In bytes; SNS takes 256 KiB."""

LONGEST_TEXT = 30_000
"""In characters; Slack cuts at 40,000."""

POST_SECONDS = 5.0

_FIX_URL = "Set F1_BRONZE_ALERT_WEBHOOK to the address that the receiver gives."

_LATER = "It is sent again."
# Answers that are about the receiver and not about this alert: others would get the same.
_NOT_THE_ALERT = {
    **dict.fromkeys((401, 403, 404, 405, 410), _FIX_URL),
    407: "Check the proxy's settings.",
    **dict.fromkeys((408, 425, 429), _LATER),
}


class Topic:
    """Publishes to one SNS topic. `arn` has the region too."""

    def __init__(
        self,
        arn: str,
        *,
        client: Callable[[str], Any] = lambda region: make_client("sns", region=region),
    ) -> None:
        self._arn = arn
        self._make_client = client

    @cached_property
    def _client(self) -> Any:
        return self._make_client(self._arn.split(":")[3])

    def send(
        self, items: Sequence[Alert], *, sent_before: Collection[str] = ()
    ) -> tuple[Outcome, ...]:
        """Publish each alert."""
        return tuple(self._publish(alert) for alert in items)

    def _publish(self, alert: Alert) -> Outcome:
        environment = str(alert.facts.get("environment") or "unknown")
        text = alert.text.encode()[:LONGEST_MESSAGE].decode(errors="ignore")
        try:
            self._client.publish(
                TopicArn=self._arn,
                Subject=to_subject(alert),
                Message=text,
                MessageAttributes={
                    "kind": {"DataType": "String", "StringValue": str(alert.kind)},
                    "environment": {"DataType": "String", "StringValue": environment},
                },
            )
        except aws_errors() as error:
            failure = read_failure(error, "sns")
            if failure.is_content:
                return Dropped(reason="refused", detail=f"SNS {failure.what}")
            raise SinkUnavailable(f"SNS {failure.what}. {failure.remedy}") from error
        return Sent()


def to_subject(alert: Alert) -> str:
    """The subject as SNS takes it: ASCII, one line, below 100 characters.

    >>> from f1_bronze.telemetry.alerts.wording import AlertKind
    >>> to_subject(Alert(kind=AlertKind.FAILED_RUN, subject="f1_bronze dev: São\\nPaulo", text=""))
    'f1_bronze dev: S?o Paulo'
    """
    plain = re.sub(r"[\x00-\x1f\x7f]+", " ", alert.subject)
    return plain.encode("ascii", "replace").decode()[:LONGEST_SUBJECT]


class Webhook:
    """Posts to one address; `seconds` is how long one post may take, whatever the receiver does."""

    def __init__(self, url: str, *, seconds: float = POST_SECONDS) -> None:
        self._url, self._seconds = url, seconds
        self.host = public_host(url)

    def send(
        self, items: Sequence[Alert], *, sent_before: Collection[str] = ()
    ) -> tuple[Outcome, ...]:
        """Post each alert; a redirect is not followed."""
        return tuple(self._post(alert) for alert in items)

    def _post(self, alert: Alert) -> Outcome:
        request = Request(
            self._url,
            data=json.dumps(to_payload(alert), ensure_ascii=False).encode(),
            headers={"Content-Type": "application/json; charset=utf-8", "User-Agent": "f1-bronze"},
        )

        def post() -> None:
            with build_opener(_NoRedirect).open(request, timeout=self._seconds) as answer:
                answer.read(1)

        try:
            start_thread(post, "alert-webhook").result(timeout=self._seconds)
        except TimeoutError as error:  # also a look-up or an answer that trickles in
            raise self._unavailable(f"gave no answer within {self._seconds:g} s") from error
        except HTTPError as error:
            if 400 <= error.code < 500 and error.code not in _NOT_THE_ALERT:
                return Dropped(
                    reason="refused", detail=f"the webhook at {self.host} answered {error.code}"
                )
            remedy = _FIX_URL if error.code < 400 else _NOT_THE_ALERT.get(error.code, _LATER)
            raise self._unavailable(f"answered {error.code}", remedy) from None
        except (URLError, OSError, ValueError) as error:  # ValueError: not an address at all
            raise self._unavailable(f"cannot be reached ({type(error).__name__})") from None
        return Sent()

    def _unavailable(self, what: str, remedy: str = _LATER) -> SinkUnavailable:
        return SinkUnavailable(f"The webhook at {self.host} {what}. {remedy}")


class _NoRedirect(HTTPRedirectHandler):
    """A redirected POST would arrive as a GET without its body."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> None:
        """None makes the redirect an error."""


def to_payload(alert: Alert) -> dict[str, Any]:
    """The JSON that is posted: `text` for people, with Slack's three special characters escaped."""
    text = f"{alert.subject}\n{alert.text}"[:LONGEST_TEXT]
    for character, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(character, escaped)
    return {"text": text, "alert": {**alert.to_json(), "source": "f1_bronze"}}
