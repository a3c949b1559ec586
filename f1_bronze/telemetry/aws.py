"""AWS as metrics, alerts and logs use it: one way to make a client, one table of its errors.

Region, endpoint and credentials come from the standard AWS chain. Clients do not retry: the
sensor that sends has a later tick, and a retry inside could count a metric twice.
"""

from dataclasses import dataclass
from typing import Any

CONNECT_SECONDS, READ_SECONDS = 3.0, 5.0

_POLICY = "(deploy/aws/monitoring.yaml has the policy)"

_ALLOW = {
    "cloudwatch": f"Allow this identity cloudwatch:PutMetricData on F1Pipeline/* {_POLICY}.",
    "cloudwatch reading": "Allow this identity cloudwatch:GetMetricData.",
    "sns": f"Allow this identity sns:Publish on the topic {_POLICY}.",
    "logs": "Allow logs:CreateLogStream and logs:PutLogEvents on the log group.",
}

_MISSING = {
    "sns": "There is no such topic: set F1_BRONZE_ALERT_TOPIC to one that exists.",
    "logs": "Create the log group, or correct F1_BRONZE_LOG_GROUP.",
}

_UNKNOWN_KEY = "AWS does not know this access key: set a valid AWS_ACCESS_KEY_ID."

_REMEDIES = {
    "InvalidClientTokenId": _UNKNOWN_KEY,
    "UnrecognizedClient": _UNKNOWN_KEY,
    "SignatureDoesNotMatch": "The secret key is wrong: set a valid AWS_SECRET_ACCESS_KEY.",
    "ExpiredToken": "The session token has expired: log in to AWS again.",
    "RequestExpired": "The clock of this machine is wrong: set it (NTP).",
    "KMSAccessDenied": "Allow this identity kms:GenerateDataKey and kms:Decrypt on its key.",
    "NoCredentialsError": (
        "Give this process AWS credentials by the standard chain (AWS_PROFILE, a role)."
    ),
    "PartialCredentialsError": "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, both or none.",
    "ProfileNotFound": "Correct AWS_PROFILE.",
    "NoRegionError": "Set AWS_DEFAULT_REGION to a region.",
    "InvalidRegionError": "Set AWS_DEFAULT_REGION to a region.",
    "ValueError": "Correct AWS_ENDPOINT_URL.",
}

_DENIED = {"AccessDenied", "AuthorizationError"}

_NOT_FOUND = {"NotFound", "ResourceNotFound"}

_CONTENT = {
    *("InvalidParameter", "InvalidParameterValue", "InvalidParameterCombination"),
    *("MissingParameter", "MissingRequiredParameter", "InvalidFormat"),
    *("ValidationError", "Validation", "Serialization", "ParamValidationError"),
}

_MAYBE_TAKEN = {"ReadTimeoutError", "ConnectionClosedError"}

LATER = "It is sent again; look at AWS_ENDPOINT_URL, the network and AWS's health if this lasts."


@dataclass(frozen=True, kw_only=True)
class AwsFailure:
    """What the exception of an AWS call means.

    Attributes:
        code: AWS's error code, or the exception's name where AWS did not answer.
        what: what happened, as the end of a sentence that begins with the service.
        remedy: what to do, a sentence; `LATER` where waiting is enough.
        is_content: AWS refuses what was sent, so that sending it again is of no use.
        in_doubt: AWS may have taken it all the same.
    """

    code: str
    what: str
    remedy: str
    is_content: bool = False
    in_doubt: bool = False


def make_client(
    service: str,
    *,
    region: str | None = None,
    connect_seconds: float = CONNECT_SECONDS,
    read_seconds: float = READ_SECONDS,
) -> Any:
    """A client by the standard AWS chain, bounded in time; errors are for `read_failure`."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        service,  # type: ignore[call-overload]  # its stubs have one overload a service
        region_name=region,
        config=Config(
            connect_timeout=connect_seconds,
            read_timeout=read_seconds,
            retries={"total_max_attempts": 1, "mode": "standard"},
        ),
    )


def aws_errors() -> tuple[type[Exception], ...]:
    """What making a client and calling it can raise, for an `except` clause."""
    from botocore.exceptions import BotoCoreError, ClientError

    return ClientError, BotoCoreError, ValueError  # ValueError: an endpoint that is no address


def read_failure(error: Exception, service: str) -> AwsFailure:
    """What one of `aws_errors` means; `service` is one that has a permission above."""
    from botocore import exceptions as boto

    name = type(error).__name__
    if isinstance(error, boto.ClientError):
        answer = error.response.get("Error", {})
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        code = short_code(str(answer.get("Code", ""))) or str(status)
        return AwsFailure(
            code=code,
            what=f"refused the request ({code})",
            remedy=find_remedy(code, service),
            is_content=code in _CONTENT,
            in_doubt=status >= 500,
        )
    if name in _CONTENT:
        return AwsFailure(code=name, what=f"cannot take this: {error}", remedy="", is_content=True)
    if isinstance(error, ValueError) and not isinstance(error, boto.BotoCoreError):
        name = "ValueError"
    return AwsFailure(
        code=name,
        what=f"{'cannot be used' if name in _REMEDIES else 'cannot be reached'} ({name})",
        remedy=find_remedy(name, service),
        in_doubt=name in _MAYBE_TAKEN,
    )


def find_remedy(code: str, service: str) -> str:
    """What to do about an error code or the name of an exception; `LATER` for any other."""
    if code in _DENIED or (service == "logs" and code == "UnrecognizedClient"):
        return _ALLOW[service]
    if code in _NOT_FOUND and service in _MISSING:
        return _MISSING[service]
    return _REMEDIES.get(code, LATER)


def short_code(code: str) -> str:
    """An error code as all of AWS's protocols agree on it.

    >>> short_code("com.amazonaws.sns#AccessDeniedException")
    'AccessDenied'
    """
    return code.rpartition("#")[2].removesuffix("Exception")
