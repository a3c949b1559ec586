"""An SNS topic as a sink of alerts, through boto3 and the standard AWS chain.

Belongs here: the only calls to SNS, and what its refusals mean. Stays out: the words (alerts.py).
"""

import json
import re
from collections.abc import Callable
from functools import cached_property
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from f1_bronze.telemetry.alerts.wording import Alert
from f1_bronze.telemetry.outbound import AlertRefused, AlertsUnavailable, begun

CONNECT_SECONDS, READ_SECONDS = 3.0, 5.0

LONGEST_SUBJECT = 99

LONGEST_MESSAGE = 200_000

"""In bytes; SNS takes 256 KiB."""

_OF_THE_CONTENT = {"InvalidParameter", "InvalidParameterValue", "ValidationError"}

_REMEDIES = {
    "AuthorizationError": (
        "Allow this identity sns:Publish on the topic (deploy/aws/monitoring.yaml has the policy)."
    ),
    "NotFound": "There is no such topic: set F1_BRONZE_ALERT_TOPIC to one that exists.",
    "InvalidClientTokenId": "AWS does not know this access key: set a valid AWS_ACCESS_KEY_ID.",
    "SignatureDoesNotMatch": "The secret key is wrong: set a valid AWS_SECRET_ACCESS_KEY.",
    "ExpiredToken": "The session token has expired: log in to AWS again.",
    "KMSAccessDenied": "Allow this identity kms:GenerateDataKey and kms:Decrypt on its key.",
}

_ALIASES = {"AccessDenied": "AuthorizationError", "UnrecognizedClient": "InvalidClientTokenId"}

_LATER = "It is sent again."

_CREDENTIALS = "Give this process AWS credentials by the standard chain (AWS_PROFILE, a role)."


class Topic:
    """Publishes to one topic. `arn` tells the region too."""

    def __init__(self, arn: str, *, client: Callable[[str], Any] | None = None) -> None:
        self._arn = arn
        self._make_client = client or _default_client

    @cached_property
    def _client(self) -> Any:
        return self._make_client(self._arn.split(":")[3])

    def send(self, alert: Alert) -> None:
        """Publish; no retries inside, since the sensor's next tick is one."""
        from botocore import exceptions as boto

        try:
            self._client.publish(
                TopicArn=self._arn,
                Subject=subject_of(alert),
                Message=_cut(alert.text),
                MessageAttributes={
                    "kind": {"DataType": "String", "StringValue": str(alert.kind)},
                    "environment": {
                        "DataType": "String",
                        "StringValue": str(alert.facts.get("environment") or "unknown"),
                    },
                },
            )
        except boto.ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", "")).removesuffix("Exception")
            code = _ALIASES.get(code, code)
            if code in _OF_THE_CONTENT:
                raise AlertRefused(f"SNS refused an alert for its content ({code}).") from error
            raise AlertsUnavailable(
                f"SNS did not take an alert ({code}). {_REMEDIES.get(code, _LATER)}"
            ) from error
        except (boto.NoCredentialsError, boto.PartialCredentialsError) as error:
            raise AlertsUnavailable(f"There is no login for SNS. {_CREDENTIALS}") from error
        except (boto.BotoCoreError, ValueError) as error:  # ValueError: an endpoint that is none
            raise AlertsUnavailable(
                f"SNS cannot be reached ({type(error).__name__}). {_LATER} If it lasts, look at "
                "AWS_ENDPOINT_URL, AWS_PROFILE and the network."
            ) from error


def subject_of(alert: Alert) -> str:
    """The subject as SNS takes it: ASCII, one line, below 100 letters.

    >>> from f1_bronze.telemetry.alerts import AlertKind
    >>> subject_of(Alert(kind=AlertKind.FAILED_RUN, subject="f1_bronze dev: São\\nPaulo", text=""))
    'f1_bronze dev: S?o Paulo'
    """
    plain = re.sub(r"[\x00-\x1f\x7f]+", " ", alert.subject)
    return plain.encode("ascii", "replace").decode()[:LONGEST_SUBJECT]


def _cut(text: str) -> str:
    data = text.encode()
    return text if len(data) <= LONGEST_MESSAGE else data[:LONGEST_MESSAGE].decode(errors="ignore")


def _default_client(region: str) -> Any:
    import boto3
    from botocore.config import Config

    return boto3.client(
        "sns",
        region_name=region,
        config=Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"total_max_attempts": 1, "mode": "standard"},
        ),
    )


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
