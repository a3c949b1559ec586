"""What S3's refusals say beyond their code: the missing permission, the bucket's region.

Belongs here: reading an error answer. Stays out: the calls (s3.py), who is told (probing.py).
"""

import re
from collections.abc import Mapping
from typing import Any

ACTIONS = {
    "read": "s3:GetObject",
    "write": "s3:PutObject",
    "list": "s3:ListBucket",
    "delete": "s3:DeleteObject",
}
"""The permission that each verb of a store takes."""
_NAMED = re.compile(r"not authorized to perform:? ((?:s3|kms|s3express):\w+)")
_REGIONS = re.compile(r"expecting '([a-z0-9-]+)'")


def missing_action(verb: str, code: str, response: Mapping[str, Any]) -> str:
    """The permission whose lack S3 complains of; empty when the answer is about something else.

    S3 names it in most refusals, and it need not be the verb's own: a PUT into a bucket with a
    KMS key can lack `kms:GenerateDataKey`, one with an ACL `s3:PutObjectAcl`. Where S3 does not
    say, it is the verb's own.
    """
    if code != "AccessDenied":
        return ""
    named = _NAMED.search(str(response.get("Error", {}).get("Message", "")))
    return named[1] if named else ACTIONS.get(verb, "")


def bucket_region(response: Mapping[str, Any]) -> str:
    """Where the bucket is, if the answer tells; S3 does so by header, field or sentence."""
    error = response.get("Error", {})
    headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    said = _REGIONS.search(str(error.get("Message", "")))
    found = headers.get("x-amz-bucket-region") or error.get("Region") or (said[1] if said else "")
    return str(found)
