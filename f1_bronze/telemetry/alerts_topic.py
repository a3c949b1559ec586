"""An SNS topic as a sink of alerts, through boto3 and the standard AWS chain.

Belongs here: the only calls to SNS, and what its refusals mean. Stays out: the words (alerts.py).
"""

import re
from collections.abc import Callable
from functools import cached_property
from typing import Any

from f1_bronze.telemetry.alerts import Alert
from f1_bronze.telemetry.alerts_delivery import AlertRefused, AlertsUnavailable

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
