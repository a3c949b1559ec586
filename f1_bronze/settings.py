"""The settings of a deployment: one typed field each, read from `F1_BRONZE_…` in the environment.

AWS credentials, region and endpoint are no settings of ours: the standard AWS chain has them.
"""

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from f1_bronze.datasets.partition import session_type_slug

PREFIX = "F1_BRONZE_"
PUBLIC_API = "https://api.openf1.org/v1"
_NOT_AN_ADDRESS = "not an http(s) address"
_GLUE_DATABASE = re.compile(r"arn:aws[a-z-]*:glue:[a-z0-9-]+:\d{12}:database/[a-z0-9_]+")
_TOPIC = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}")


class SettingError(ValueError):
    """A variable whose value cannot be used; the message names it and what it takes."""


def parse_session_types(text: object) -> frozenset[str] | None:
    """The session types of a comma-separated text; None for `all`.

    >>> sorted(parse_session_types("Race, Sprint Qualifying"))
    ['race', 'sprint_qualifying']
    """
    names = {session_type_slug(part) for part in str(text).split(",")} - {""}
    if not names:
        raise SettingError(
            f"F1_BRONZE_SESSION_TYPES is {text!r}; write types such as qualifying,race, or all."
        )
    return None if "all" in names else frozenset(names)


def _parse_switch(text: object) -> bool:
    switches = {"true": True, "false": False}
    if str(text).lower() not in switches:
        raise ValueError("it takes true or false.")
    return switches[str(text).lower()]


def _to_absolute(uri: str) -> str:
    if "@" in uri.partition("://")[2].partition("/")[0]:  # it would be shown in the UI
        raise SettingError(
            "F1_BRONZE_LAKE_URI holds a login. Write s3://bucket/prefix and give AWS credentials "
            "by the standard chain (AWS_PROFILE, a role)."
        )
    # Dagster may start a run in another working directory than the one the setting was read in.
    return uri if "://" in uri else str(Path(uri).expanduser().absolute())


def _check_topic(arn: str) -> str:
    if arn and not _TOPIC.fullmatch(arn):
        raise ValueError(
            "it takes the ARN of a standard SNS topic, arn:aws:sns:REGION:ACCOUNT:NAME."
        )
    return arn


def _check_glue_database(arn: str) -> str:
    if arn and not _GLUE_DATABASE.fullmatch(arn):
        raise ValueError(
            "it takes the ARN of a Glue database, arn:aws:glue:REGION:ACCOUNT:database/NAME."
        )
    return arn


def _check_address(url: str) -> str:
    """An http(s) address, or nothing."""
    parts = urlsplit(url)
    if url and not (parts.scheme in ("http", "https") and parts.netloc):
        raise ValueError(_NOT_AN_ADDRESS)
    return url


def _without_slash(url: str) -> str:
    return url.rstrip("/")


_Address = Annotated[str, AfterValidator(_check_address)]
_BaseUrl = Annotated[str, AfterValidator(_without_slash), AfterValidator(_check_address)]
_Whole = Annotated[int, Field(gt=0)]
_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def _setting(default: str, meaning: str, *, secret: bool = False, shown: bool = True) -> Any:
    """A field; `default` is written as in the environment.

    A `secret` is never shown; what is not `shown` in a repr can hold a login.
    """
    return Field(
        default=default,
        description=meaning,
        validate_default=True,
        repr=shown and not secret,
        json_schema_extra={"secret": secret},
    )


class Settings(BaseModel):
    """All settings, checked. `F1_BRONZE_LAKE_URI` is `lake_uri`, and so on."""

    model_config = ConfigDict(frozen=True)

    lake_uri: Annotated[str, AfterValidator(_to_absolute)] = _setting(
        "data/lake", "Where the lake is: a folder or s3://bucket/prefix."
    )
    s3_encryption: Literal["", "AES256", "aws:kms", "aws:kms:dsse"] = _setting(
        "", "Server-side encryption to ask S3 for: AES256, aws:kms; empty: the bucket's own."
    )
    s3_kms_key_id: str = _setting(
        "", "KMS key for aws:kms, as id, alias or ARN; empty: the account's key for S3."
    )
    # Classes that a lake can be read from at once: GLACIER and DEEP_ARCHIVE take hours.
    s3_storage_class: Literal[
        "",
        "STANDARD",
        "INTELLIGENT_TIERING",
        "STANDARD_IA",
        "ONEZONE_IA",
        "GLACIER_IR",
        "REDUCED_REDUNDANCY",
    ] = _setting(
        "", "Storage class for objects, such as INTELLIGENT_TIERING; empty: the bucket's own."
    )
    openf1_url: _BaseUrl = _setting(PUBLIC_API, "Base URL of the OpenF1 API.", shown=False)
    openf1_username: str = _setting("", "User of the paid API; empty for free access.", secret=True)
    openf1_password: SecretStr = _setting("", "Its password.", secret=True)
    openf1_limits: str = _setting(
        "3/1s,30/60s", "Calls allowed per window; paid access has 6/1s,60/60s."
    )
    openf1_breaker_failures: _Whole = _setting(
        "5", "Failed calls in a row after which the API is left alone."
    )
    openf1_breaker_seconds: _Positive = _setting("300", "Seconds after which it is tried again.")
    openf1_max_mb: _Whole = _setting(
        "32", "Megabytes of one answer at most, decompressed; more is refused."
    )
    openf1_max_depth: _Whole = _setting(
        "16", "Levels of nesting in one record at most; a deeper one fails its session."
    )
    openf1_max_fields: _Whole = _setting(
        "256", "Fields of one record at most; a wider one fails its session."
    )
    openf1_max_name: _Whole = _setting(
        "100", "Characters of a name in a partition key at most; a longer one is left out."
    )
    rate_store: str = _setting(
        "file", "Where calls are counted: file, file:/path, memory or postgresql://…", shown=False
    )
    session_types: Annotated[frozenset[str] | None, BeforeValidator(parse_session_types)] = (
        _setting("qualifying,race", "Session types that are ingested, or all.")
    )
    ingest_new: Annotated[bool, BeforeValidator(_parse_switch)] = _setting(
        "false", "true: ingest new sessions as soon as they are there, not on Mondays alone."
    )
    environment: Literal["dev", "staging", "production"] = _setting(
        "dev", "Which deployment: dev, staging, production."
    )
    metrics: Literal["local", "cloudwatch"] = _setting(
        "local", "Where metrics go: local (JSON lines in the lake) or cloudwatch."
    )
    log_format: Literal["auto", "json", "text"] = _setting(
        "auto", "How log lines look: json or text; auto: text in dev, else json."
    )
    log_group: str = _setting(
        "", "CloudWatch log group that gets the log lines too; empty: standard error alone."
    )
    lineage_url: _BaseUrl = _setting(
        "",
        "OpenLineage HTTP consumer that gets the events too; empty: the lake alone.",
        shown=False,
    )
    glue_database: Annotated[str, AfterValidator(_check_glue_database)] = _setting(
        "", "ARN of the Glue database of the tables, for lineage events; empty: unknown."
    )
    alert_topic: Annotated[str, AfterValidator(_check_topic)] = _setting(
        "", "ARN of the SNS topic that is notified of failures; empty: none."
    )
    alert_webhook: _Address = _setting(
        "", "Address (Slack or alike) that is notified of failures; empty: none.", secret=True
    )
    dagster_url: _BaseUrl = _setting(
        "", "Base URL of the Dagster UI, for links in alerts and for backfill; empty: none."
    )

    @model_validator(mode="after")
    def _check_pairs(self) -> Self:
        if bool(self.openf1_username) != bool(self.openf1_password):
            raise SettingError(
                "Paid access needs both F1_BRONZE_OPENF1_USERNAME and F1_BRONZE_OPENF1_PASSWORD; "
                "set both or none."
            )
        if self.s3_kms_key_id and not self.s3_encryption.startswith("aws:kms"):
            raise SettingError(
                "F1_BRONZE_S3_KMS_KEY_ID names a key, which is used with F1_BRONZE_S3_ENCRYPTION "
                "aws:kms only; set that too, or unset the key."
            )
        return self

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None) -> Self:
        """From the environment; `SettingError` names the first variable that cannot be used."""
        environ = os.environ if environ is None else environ
        values = {one.name.lower(): one.read(environ) for one in SETTINGS}
        try:
            settings = cls.model_validate(values)
        except ValidationError as error:
            raise SettingError(_explain(error)) from None  # its own text repeats the values
        if "@" in urlsplit(settings.lineage_url).netloc and environ.get("OPENLINEAGE_API_KEY"):
            raise SettingError(
                "F1_BRONZE_LINEAGE_URL holds a login, and OPENLINEAGE_API_KEY is set: a consumer "
                "takes one of them. Unset the key, or leave the login out of the address."
            )
        return settings

    @property
    def s3_writes(self) -> dict[str, str]:
        """Those of encryption, kms_key_id and storage_class that are set."""
        names = ("encryption", "kms_key_id", "storage_class")
        return {name: value for name in names if (value := getattr(self, f"s3_{name}"))}

    @property
    def logs_as_json(self) -> bool:
        """Whether log lines are JSON."""
        return self.log_format == "json" or (
            self.log_format == "auto" and self.environment != "dev"
        )


def _explain(error: ValidationError) -> str:
    """The first error in a sentence: the variable, its value unless it can hold a login."""
    first = error.errors(include_url=False)[0]
    reason = first.get("ctx", {}).get("error")
    if not first["loc"]:
        return str(reason)
    if isinstance(reason, SettingError):
        return str(reason)
    field = Settings.model_fields[str(first["loc"][0])]
    setting = next(one for one in SETTINGS if one.name.lower() == first["loc"][0])
    if str(reason) == _NOT_AN_ADDRESS:
        unset = f"unset it for {setting.default}" if setting.default else "unset it"
        # The value is not repeated: it can hold a login, or be a secret meant for another variable.
        return f"{setting.variable} is {_NOT_AN_ADDRESS}; set one, or {unset}."
    if first["type"] == "literal_error":
        choices = [choice for choice in get_args(field.annotation) if choice]
        optional = ", or nothing" if "" in get_args(field.annotation) else ""
        reason = f"it takes one of {', '.join(choices)}{optional}."
    elif reason is None:
        reason = f"it takes a {'whole ' if field.annotation is int else ''}number above 0."
    return f"{setting.variable} is {first['input']!r}; {reason}"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A setting as it is listed: name without prefix, default, meaning, whether to hide it."""

    name: str
    default: str
    meaning: str
    secret: bool

    @property
    def variable(self) -> str:
        """The name in the environment."""
        return PREFIX + self.name

    def read(self, environ: Mapping[str, str]) -> str:
        """The value as it is written, or the default where it is unset or empty."""
        return environ.get(self.variable, "").strip() or self.default


SETTINGS = tuple(
    Setting(
        name=name.upper(),
        default=str(field.default),
        meaning=str(field.description),
        secret=isinstance(field.json_schema_extra, dict)
        and field.json_schema_extra["secret"] is True,
    )
    for name, field in Settings.model_fields.items()
)
"""All settings, for lists and documents."""


DEPLOYMENT_VARIABLES = ("F1_BRONZE_CODE_SERVER",)
"""Read by the files of deploy/, not by this package: the host name of the code server."""


def find_unknown(environ: Mapping[str, str]) -> dict[str, str]:
    """Variables with our prefix that are not settings, each with the setting it may be meant for.

    The deployment's own variables are known: DEPLOYMENT_VARIABLES.

    >>> find_unknown({"F1_BRONZE_LAKE_URL": "s3://lake"})
    {'F1_BRONZE_LAKE_URL': 'F1_BRONZE_LAKE_URI'}
    """
    known = [setting.variable for setting in SETTINGS]
    names = sorted(
        name
        for name in environ
        if name.startswith(PREFIX) and name not in known and name not in DEPLOYMENT_VARIABLES
    )
    return {name: next(iter(difflib.get_close_matches(name, known, n=1)), "") for name in names}


class HomeUnusable(Exception):
    """Dagster cannot keep its record of runs where DAGSTER_HOME points."""


def dagster_home(environ: Mapping[str, str] | None = None) -> Path:
    """`DAGSTER_HOME`, or `.dagster_home` in the working directory; always absolute."""
    environ = os.environ if environ is None else environ
    return Path(environ.get("DAGSTER_HOME") or ".dagster_home").expanduser().absolute()
