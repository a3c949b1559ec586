"""Distinct secrets, and finding them however they are written.

The values and their forms.
"""

import base64
from collections.abc import Iterator

CORE = {
    "openf1_password": "KestrelOpenfPass",
    "openf1_wrong_password": "MerlinWrongPass",
    "openf1_url_password": "HarrierUrlPass",
    "openf1_token": "simulated-token",
    "echoed_token": "OspreyEchoToken",
    "answer_body": "BuzzardAnswerBody",
    "postgresql_password": "GoshawkPostgres",
    "postgresql_query_password": "HobbyQueryPass",
    "redis_password": "PeregrineRedis",
    "aws_secret_key": "SparrowhawkAwsSecret",
    "aws_session_token": "CondorSessionToken",
    "lineage_url_password": "LannerLineagePass",
    "lineage_api_key": "GyrfalconApiKey",
    "alert_webhook": "CaracaraWebhookPath",
    "proxy_password": "KiteProxyPass",
    "misspelt_setting": "VultureMisspelt",
    "lake_address": "EagleLakeAddress",
}
"""Letters that occur nowhere else, by the place that the secret is planted in."""


def secret(name: str) -> str:
    """The value that is planted: the letters, and signs that addresses have to encode."""
    return f"{CORE[name]}/+ %1"


def forms(core: str) -> Iterator[bytes]:
    """How these letters look in a text: as they are, in hexadecimal, and anywhere in base64."""
    plain = core.encode()
    yield plain.lower()
    yield plain.hex().encode()
    for shift in range(3):
        coded = base64.b64encode(b"\0" * shift + plain)
        # The first and last letters depend on what stands beside.
        yield coded[4 if shift else 0 : len(coded) - 4].lower()


def found_in(text: bytes) -> list[str]:
    """The names of the secrets in a text, in any of their forms and in upper or lower case."""
    small = text.lower()
    return [name for name, core in CORE.items() if any(form in small for form in forms(core))]
