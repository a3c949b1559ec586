"""What S3's refusals, and answers that are not S3's, mean to a person: the remedy for each.

An answer counts only with what the protocol promises of it (an ETag, a list document), so that a
proxy or a web page in the place of the bucket is an error and neither a success nor an empty lake.
"""

import re
from collections.abc import Mapping
from typing import Any

from f1_bronze.lake.errors import LakeUnavailable

# The permission that each verb of a store takes.
ACTIONS = {
    "read": "s3:GetObject",
    "write": "s3:PutObject",
    "list": "s3:ListBucket",
    "delete": "s3:DeleteObject",
}

_OTHER_ANSWER = "Look up this S3 error, fix its cause, then run again."
_NO_ANSWER = "Check AWS credentials, region and network."
_OTHER_REGION = "The bucket {bucket} is in another region: set AWS_DEFAULT_REGION to it."
_STORE_FAILED = (
    "The store of the bucket {bucket} failed, and retries were used up: run again in a few "
    "minutes. If it stays so, look at the status of the store (AWS Health Dashboard)."
)
_CONNECTION_BROKE = (
    "The connection to the store of the bucket {bucket} broke, and retries were used up: check the "
    "network and any proxy on the way (HTTPS_PROXY, AWS_ENDPOINT_URL), then run again."
)
REMEDIES = {
    "NoSuchBucket": "Create the bucket {bucket}, or correct its name in F1_BRONZE_LAKE_URI.",
    "AccessDenied": (
        "Allow this identity {action} on {place}. A lake takes s3:GetObject, s3:PutObject and "
        "s3:ListBucket (deploy/aws has the policy); `f1-bronze doctor` names each that is missing."
    ),
    "InvalidAccessKeyId": "AWS does not know this access key: set a valid AWS_ACCESS_KEY_ID.",
    "SignatureDoesNotMatch": "The secret key is wrong: set a valid AWS_SECRET_ACCESS_KEY.",
    "ExpiredToken": "The session token has expired: log in to AWS again.",
    "InvalidToken": "AWS does not know this session token: log in to AWS again.",
    "PermanentRedirect": _OTHER_REGION,
    "AuthorizationHeaderMalformed": _OTHER_REGION,
    "IllegalLocationConstraintException": _OTHER_REGION,
    "RequestTimeTooSkewed": "The clock of this machine is wrong: set it (NTP), then run again.",
    "InvalidStorageClass": (
        "The store has no such storage class: correct or unset F1_BRONZE_S3_STORAGE_CLASS."
    ),
    "KMS.NotFoundException": (
        "KMS has no such key in this region: correct F1_BRONZE_S3_KMS_KEY_ID."
    ),
    "KMS.DisabledException": "The KMS key is disabled: enable it, or use another.",
    "KMS.KMSInvalidStateException": "The KMS key cannot be used now: see its state in AWS.",
    "SlowDown": "S3 asked for fewer requests and retries were used up: run again in a few minutes.",
    "InternalError": _STORE_FAILED,
    "ServiceUnavailable": _STORE_FAILED,
    # What botocore raises without an answer of S3.
    "NoCredentialsError": "Give this process AWS credentials by the standard chain.",
    "EndpointConnectionError": "Check the network and AWS_ENDPOINT_URL.",
    "ParamValidationError": "Correct the bucket's name in F1_BRONZE_LAKE_URI.",
    "InvalidEndpoint": "Check AWS_ENDPOINT_URL: it begins with http:// or https://.",
    "ConnectionClosedError": _CONNECTION_BROKE,
    "ConnectTimeoutError": _CONNECTION_BROKE,
    "ReadTimeoutError": _CONNECTION_BROKE,
    "ResponseStreamingError": _CONNECTION_BROKE,
    "IncompleteReadError": _CONNECTION_BROKE,
    "HTTPClientError": _CONNECTION_BROKE,
    "ProxyConnectionError": _CONNECTION_BROKE,
    # Ours, for what no S3 answers.
    "NotS3": (
        "Something else answers in the place of the bucket {bucket}, such as a proxy, a login page "
        "or a web server: check AWS_ENDPOINT_URL and HTTPS_PROXY."
    ),
}
# A refusal without a body has its status for a code.
_STATUS_CODES = {
    "301": "PermanentRedirect",
    "403": "AccessDenied",
    "404": "NoSuchKey",
    "500": "InternalError",
    "502": "ServiceUnavailable",
    "503": "ServiceUnavailable",
    "504": "ServiceUnavailable",
}
_NAMED_ACTION = re.compile(r"not authorized to perform:? ((?:s3|kms|s3express):\w+)")
_EXPECTED_REGION = re.compile(r"expecting '([a-z0-9-]+)'")


class NotS3(Exception):
    """An answer without what the protocol promises."""


def explain(error: Exception, *, verb: str, uri: str, bucket: str) -> LakeUnavailable | None:
    """What went wrong with a request and what to do; None for what is no matter of the store."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    action = region = ""
    if _is_endless(error):
        code, what = "NotS3", "What answered is not S3 (redirects without end)"
    elif isinstance(error, NotS3):
        code, what = "NotS3", f"What answered is not S3 ({error})"
    elif isinstance(error, ResponseParserError):
        code, what = "NotS3", "What answered is not S3 (no document that can be read)"
    elif isinstance(error, ClientError):
        code = error_code(error.response)
        code = _STATUS_CODES.get(code, code)
        what = f"S3 answered {code}" if code != "NotS3" else "What answered is not S3 (a web page)"
        action = _missing_action(verb, code, error.response)
        region = bucket_region(error.response)
    elif isinstance(error, BotoCoreError):
        code = type(error).__name__
        what = f"S3 gave no answer ({code})"
    elif isinstance(error, ValueError) and str(error).startswith("Invalid endpoint"):
        code = "InvalidEndpoint"  # how botocore says it, before any request
        what = f"S3 gave no answer ({code})"
    else:
        return None
    place = f"the KMS key of the bucket {bucket}" if "kms:" in action else f"the bucket {bucket}"
    remedy = REMEDIES.get(code, _OTHER_ANSWER if isinstance(error, ClientError) else _NO_ANSWER)
    if remedy == _OTHER_REGION and region:
        remedy = f"The bucket {{bucket}} is in {region}: set AWS_DEFAULT_REGION to it."
    remedy = remedy.format(bucket=bucket, action=action, place=place)
    message = f"{what}: could not {verb} {uri}. {remedy}"
    return LakeUnavailable(message, code=code, action=action)


def check_answer(answer: Mapping[str, Any], *promised: str) -> None:
    """`NotS3` for a success without what S3 promises to say in it."""
    if missing := [name for name in promised if name not in answer]:
        status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
        raise NotS3(f"status {status} without {' and '.join(missing)}")


def _is_endless(error: BaseException | None) -> bool:
    """Whether Python stopped botocore, which follows a redirect to a login page without end: it
    asks the bucket for its region, and is redirected again."""
    while error is not None and not isinstance(error, RecursionError):
        error = error.__context__
    return error is not None


def error_code(response: Mapping[str, Any]) -> str:
    """S3's code for what went wrong, or the status of an answer without one.

    `NotS3` for a web page, of which botocore knows no more than the status.
    """
    code = str(response.get("Error", {}).get("Code", ""))
    if code and not code.isdigit():
        return code
    headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    is_page = "html" in headers.get("content-type", "")
    return "NotS3" if is_page else code or "unknown"


def _missing_action(verb: str, code: str, response: Mapping[str, Any]) -> str:
    """The permission whose lack S3 complains of; empty when the answer is about something else.

    S3 names it in most refusals, and it need not be the verb's own: a PUT into a bucket with a
    KMS key can lack `kms:GenerateDataKey`. Where S3 does not say, it is the verb's own.
    """
    if code != "AccessDenied":
        return ""
    named = _NAMED_ACTION.search(str(response.get("Error", {}).get("Message", "")))
    return named[1] if named else ACTIONS.get(verb, "")


def bucket_region(response: Mapping[str, Any]) -> str:
    """Where the bucket is, if the answer says so: in a header, a field or a sentence."""
    error = response.get("Error", {})
    headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    said = _EXPECTED_REGION.search(str(error.get("Message", "")))
    found = headers.get("x-amz-bucket-region") or error.get("Region") or (said[1] if said else "")
    return str(found)
