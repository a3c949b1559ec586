"""The environment variables of a deployment: every `F1_BRONZE_*` with its default and meaning.

Belongs here: the table. Stays out: reading and checking them (settings.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass

PREFIX = "F1_BRONZE_"
PUBLIC_API = "https://api.openf1.org/v1"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One variable: its name without prefix, default, meaning, and whether to hide its value."""

    name: str
    default: str
    meaning: str
    secret: bool = False

    @property
    def variable(self) -> str:
        """The name in the environment."""
        return PREFIX + self.name

    def read(self, environ: Mapping[str, str]) -> str:
        """The value, or the default where it is unset or empty."""
        return environ.get(self.variable, "").strip() or self.default


SETTINGS = (
    Setting(
        name="LAKE_URI",
        default="data/lake",
        meaning="Where the lake is: a folder or s3://bucket/prefix.",
    ),
    Setting(
        name="S3_ENCRYPTION",
        default="",
        meaning="Server-side encryption to ask S3 for: AES256, aws:kms; empty: the bucket's own.",
    ),
    Setting(
        name="S3_KMS_KEY_ID",
        default="",
        meaning="KMS key for aws:kms, as id, alias or ARN; empty: the account's key for S3.",
    ),
    Setting(
        name="S3_ACL",
        default="",
        meaning="Canned ACL for objects, such as bucket-owner-full-control; empty: none is sent.",
    ),
    Setting(
        name="S3_STORAGE_CLASS",
        default="",
        meaning="Storage class for objects, such as INTELLIGENT_TIERING; empty: the bucket's own.",
    ),
    Setting(name="OPENF1_URL", default=PUBLIC_API, meaning="Base URL of the OpenF1 API."),
    Setting(
        name="OPENF1_USERNAME", default="", meaning="User of the paid API; empty for free access."
    ),
    Setting(name="OPENF1_PASSWORD", default="", meaning="Its password.", secret=True),
    Setting(
        name="OPENF1_LIMITS",
        default="3/1s,30/60s",
        meaning="Calls allowed per window; paid access has 6/1s,60/60s.",
    ),
    Setting(
        name="OPENF1_BREAKER_FAILURES",
        default="5",
        meaning="Failed calls in a row after which the API is left alone.",
    ),
    Setting(
        name="OPENF1_BREAKER_SECONDS",
        default="300",
        meaning="Seconds after which it is tried again.",
    ),
    Setting(
        name="RATE_STORE",
        default="file",
        meaning="Where calls are counted: file, file:/path, memory, postgresql://… or redis://…",
    ),
    Setting(
        name="SESSION_TYPES",
        default="qualifying,race",
        meaning="Session types that are ingested, or all.",
    ),
    Setting(
        name="INGEST_NEW",
        default="false",
        meaning="true: ingest new sessions as soon as they are there, not on Mondays alone.",
    ),
    Setting(
        name="ENVIRONMENT",
        default="dev",
        meaning="Which deployment: dev, staging, production.",
    ),
    Setting(
        name="METRICS",
        default="local",
        meaning="Where metrics go: local (JSON lines in the lake) or cloudwatch.",
    ),
    Setting(
        name="LOG_FORMAT",
        default="auto",
        meaning="How log lines look: json or text; auto: text in dev, else json.",
    ),
    Setting(
        name="LOG_GROUP",
        default="",
        meaning="CloudWatch log group that gets the log lines too; empty: standard error alone.",
    ),
    Setting(
        name="LINEAGE_URL",
        default="",
        meaning="OpenLineage HTTP consumer that gets the events too; empty: the lake alone.",
    ),
    Setting(
        name="ALERT_TOPIC",
        default="",
        meaning="ARN of the SNS topic that is told what failed; empty: none.",
    ),
    Setting(
        name="ALERT_WEBHOOK",
        default="",
        meaning="Address (Slack or alike) that is told what failed; empty: none.",
        secret=True,
    ),
    Setting(
        name="DAGSTER_URL",
        default="",
        meaning="Base URL of the Dagster UI, for links in alerts; empty: no links.",
    ),
)
