"""The settings of a deployment, read from the environment and checked.

Belongs here: reading and checking. Stays out: which variables there are (variables.py), what the
settings are used for. AWS credentials, region and endpoint are no settings of ours: the standard
AWS chain has them.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from f1_bronze.datasets.partition import slug

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
        meaning="Where calls are counted: file, file:/path, memory or postgresql://…",
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


ENVIRONMENTS = ("dev", "staging", "production")

METRICS_SINKS = ("local", "cloudwatch")

LOG_FORMATS = ("auto", "json", "text")

_CHOICES = {"ENVIRONMENT": ENVIRONMENTS, "METRICS": METRICS_SINKS, "LOG_FORMAT": LOG_FORMATS}

S3_ENCRYPTIONS = ("AES256", "aws:kms", "aws:kms:dsse")

# Classes that a lake can be read from at once: GLACIER and DEEP_ARCHIVE take hours.
S3_STORAGE_CLASSES = (
    "STANDARD",
    "INTELLIGENT_TIERING",
    "STANDARD_IA",
    "ONEZONE_IA",
    "GLACIER_IR",
    "REDUCED_REDUNDANCY",
)


class SettingError(ValueError):
    """A variable whose value cannot be used; the message names it and what it takes."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings, checked. `session_types` None means every type.

    `s3_writes` holds those of encryption, kms_key_id and storage_class that are set.
    """

    lake_uri: str
    s3_writes: Mapping[str, str]
    openf1_url: str = field(repr=False)  # as are others that can hold a login
    openf1_username: str
    openf1_limits: str
    breaker_failures: int
    breaker_seconds: float
    rate_store: str = field(repr=False)
    session_types: frozenset[str] | None
    ingest_new: bool
    environment: str
    metrics: str
    logs_as_json: bool
    log_group: str
    lineage_url: str = field(repr=False)
    alert_topic: str
    alert_webhook: str = field(repr=False)
    dagster_url: str
    has_password: bool

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """From the environment; `SettingError` names the first variable that cannot be used."""
        environ = os.environ if environ is None else environ
        values = {setting.name: setting.read(environ) for setting in SETTINGS}
        url = values["OPENF1_URL"].rstrip("/")
        if not _is_http(url):
            raise SettingError(
                f"F1_BRONZE_OPENF1_URL is {url.rpartition('@')[2]!r}, which is no http(s) address. "
                f"Unset it for the public API, {PUBLIC_API}."
            )
        for name, known in _CHOICES.items():
            if values[name] not in known:
                raise SettingError(
                    f"{PREFIX}{name} is {values[name]!r}; it takes one of {', '.join(known)}."
                )
        if values["LINEAGE_URL"] and not _is_http(values["LINEAGE_URL"]):
            raise SettingError(
                f"F1_BRONZE_LINEAGE_URL is {values['LINEAGE_URL'].rpartition('@')[2]!r}, which is "
                "no http(s) address. Unset it to keep lineage events in the lake alone."
            )
        if bool(values["OPENF1_USERNAME"]) != bool(values["OPENF1_PASSWORD"]):
            raise SettingError(
                "Paid access needs both F1_BRONZE_OPENF1_USERNAME and F1_BRONZE_OPENF1_PASSWORD; "
                "set both or none."
            )
        return cls(
            lake_uri=_absolute_lake(values["LAKE_URI"]),
            s3_writes=_s3_writes(values),
            openf1_url=url,
            openf1_username=values["OPENF1_USERNAME"],
            openf1_limits=values["OPENF1_LIMITS"],
            breaker_failures=int(_number("OPENF1_BREAKER_FAILURES", values, whole=True)),
            breaker_seconds=_number("OPENF1_BREAKER_SECONDS", values),
            rate_store=values["RATE_STORE"],
            session_types=session_type_selection(values["SESSION_TYPES"]),
            ingest_new=_switch("INGEST_NEW", values),
            environment=values["ENVIRONMENT"],
            metrics=values["METRICS"],
            logs_as_json=values["LOG_FORMAT"] == "json"
            or (values["LOG_FORMAT"] == "auto" and values["ENVIRONMENT"] != "dev"),
            log_group=values["LOG_GROUP"],
            lineage_url=values["LINEAGE_URL"].rstrip("/"),
            alert_topic=_topic(values["ALERT_TOPIC"]),
            alert_webhook=_address("ALERT_WEBHOOK", values),
            dagster_url=_address("DAGSTER_URL", values).rstrip("/"),
            has_password=bool(values["OPENF1_PASSWORD"]),
        )


def session_type_selection(text: str) -> frozenset[str] | None:
    """The session types of a comma-separated text; None for `all`.

    >>> sorted(session_type_selection("Race, Sprint Qualifying"))
    ['race', 'sprint_qualifying']
    """
    names = {slug(part) for part in text.split(",")} - {""}
    if not names:
        raise SettingError(
            f"F1_BRONZE_SESSION_TYPES is {text!r}; write types such as qualifying,race, or all."
        )
    return None if "all" in names else frozenset(names)


class HomeUnusable(Exception):
    """Dagster cannot keep its record of runs where DAGSTER_HOME points."""


def dagster_home(environ: Mapping[str, str] | None = None) -> Path:
    """`DAGSTER_HOME`, or `.dagster_home` in the working directory; always absolute."""
    environ = os.environ if environ is None else environ
    return Path(environ.get("DAGSTER_HOME") or ".dagster_home").expanduser().absolute()


def _topic(arn: str) -> str:
    if arn and not re.fullmatch(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}", arn):
        raise SettingError(
            f"F1_BRONZE_ALERT_TOPIC is {arn!r}; it takes the ARN of a standard SNS topic, "
            "arn:aws:sns:REGION:ACCOUNT:NAME."
        )
    return arn


def _address(name: str, values: Mapping[str, str]) -> str:
    if values[name] and not _is_http(values[name]):  # which may be a secret
        raise SettingError(f"{PREFIX}{name} is no http(s) address. Set one, or unset it.")
    return values[name]


def _is_http(url: str) -> bool:
    return urlsplit(url).scheme in ("http", "https") and bool(urlsplit(url).netloc)


def _absolute_lake(uri: str) -> str:
    if "@" in uri.partition("://")[2].partition("/")[0]:  # it would be shown in the UI
        raise SettingError(
            "F1_BRONZE_LAKE_URI holds a login. Write s3://bucket/prefix and give AWS credentials "
            "by the standard chain (AWS_PROFILE, a role)."
        )
    # Dagster may start a run in another working directory than the one the setting was read in.
    return uri if "://" in uri else str(Path(uri).expanduser().absolute())


def _s3_writes(values: Mapping[str, str]) -> dict[str, str]:
    choices = {
        "S3_ENCRYPTION": S3_ENCRYPTIONS,
        "S3_STORAGE_CLASS": S3_STORAGE_CLASSES,
    }
    for name, known in choices.items():
        if values[name] and values[name] not in known:
            raise SettingError(
                f"{PREFIX}{name} is {values[name]!r}; it takes one of {', '.join(known)}, or "
                "nothing."
            )
    if values["S3_KMS_KEY_ID"] and not values["S3_ENCRYPTION"].startswith("aws:kms"):
        raise SettingError(
            "F1_BRONZE_S3_KMS_KEY_ID names a key, which is used with F1_BRONZE_S3_ENCRYPTION "
            "aws:kms only; set that too, or unset the key."
        )
    names = ("S3_ENCRYPTION", "S3_KMS_KEY_ID", "S3_STORAGE_CLASS")
    return {name.removeprefix("S3_").lower(): values[name] for name in names if values[name]}


def _switch(name: str, values: Mapping[str, str]) -> bool:
    switches = {"true": True, "false": False}
    if values[name].lower() not in switches:
        raise SettingError(f"{PREFIX}{name} is {values[name]!r}; it takes true or false.")
    return switches[values[name].lower()]


def _number(name: str, values: Mapping[str, str], *, whole: bool = False) -> float:
    try:
        number = int(values[name]) if whole else float(values[name])
    except ValueError:
        number = -1
    if not 0 < number < float("inf"):
        raise SettingError(
            f"{PREFIX}{name} is {values[name]!r}; it takes a {'whole ' * whole}number above 0."
        )
    return number
