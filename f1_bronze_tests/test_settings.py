"""Settings are read from the environment; a wrong one says what it takes, and never a secret."""

import pytest

from f1_bronze.settings import PUBLIC_API, SETTINGS, SettingError, Settings

ARN = "arn:aws:sns:eu-west-1:123456789012:f1-bronze-alarms"
HOOK = "https://hooks.example.org/services/T0/B0/s3cr3t-part"


def test_nobody_by_default() -> None:
    """A deployment that sets nothing alerts nobody."""
    settings = Settings.read({})
    assert (settings.alert_topic, settings.alert_webhook, settings.dagster_url) == ("", "", "")


def test_they_are_read() -> None:
    """Topic, webhook, and the UI's address without its last slash; the webhook is in no repr."""
    settings = Settings.read(
        {
            "F1_BRONZE_ALERT_TOPIC": ARN,
            "F1_BRONZE_ALERT_WEBHOOK": HOOK,
            "F1_BRONZE_DAGSTER_URL": "https://dagster.example.org/f1/",
        }
    )
    assert (settings.alert_topic, settings.alert_webhook) == (ARN, HOOK)
    assert settings.dagster_url == "https://dagster.example.org/f1"
    assert "s3cr3t" not in repr(settings)
    assert {one.name for one in SETTINGS if one.secret} >= {"ALERT_WEBHOOK"}


@pytest.mark.parametrize(
    "arn", ["f1-bronze-alarms", f"{ARN}.fifo", ARN.replace("sns", "sqs"), f"{ARN}:sub"]
)
def test_a_topic_that_is_none(arn: str) -> None:
    """Only the ARN of a standard topic is one."""
    with pytest.raises(SettingError, match="it takes the ARN of a standard SNS topic"):
        Settings.read({"F1_BRONZE_ALERT_TOPIC": arn})


@pytest.mark.parametrize("name", ["ALERT_WEBHOOK", "DAGSTER_URL"])
def test_an_address_that_is_none(name: str) -> None:
    """An address without a scheme is refused by its variable's name, and is not repeated."""
    with pytest.raises(SettingError) as error:
        Settings.read({f"F1_BRONZE_{name}": HOOK.removeprefix("https://")})
    assert str(error.value) == f"F1_BRONZE_{name} is not an http(s) address; set one, or unset it."


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("ENVIRONMENT", "moon", "'moon'; it takes one of dev, staging, production."),
        ("METRICS", "statsd", "'statsd'; it takes one of local, cloudwatch."),
        ("INGEST_NEW", "maybe", "'maybe'; it takes true or false."),
        ("OPENF1_BREAKER_FAILURES", "0", "'0'; it takes a whole number above 0."),
        ("OPENF1_BREAKER_SECONDS", "inf", "'inf'; it takes a number above 0."),
        ("SESSION_TYPES", ",", "','; write types such as qualifying,race, or all."),
        (
            "OPENF1_URL",
            "me:pw@h",
            f"not an http(s) address; set one, or unset it for {PUBLIC_API}.",
        ),
    ],
)
def test_a_value_that_cannot_be_used(name: str, value: str, message: str) -> None:
    """The error names the variable, the value where it can be no secret, and what it takes."""
    with pytest.raises(SettingError) as error:
        Settings.read({f"F1_BRONZE_{name}": value})
    assert str(error.value) == f"F1_BRONZE_{name} is {message}"


def test_a_password_is_never_shown() -> None:
    """Neither the settings nor a list of them repeats it."""
    environ = {"F1_BRONZE_OPENF1_USERNAME": "me", "F1_BRONZE_OPENF1_PASSWORD": "hunter2"}
    settings = Settings.read(environ)
    assert settings.openf1_password.get_secret_value() == "hunter2"
    assert "hunter2" not in repr(settings) + str(settings) + settings.model_dump_json()


def test_empty_is_unset() -> None:
    """A variable without a value has its default, and spaces around one do not matter."""
    environ = {"F1_BRONZE_ENVIRONMENT": " ", "F1_BRONZE_SESSION_TYPES": " Race , Sprint Shootout "}
    settings = Settings.read(environ)
    assert settings.environment == "dev"
    assert settings.session_types == {"race", "sprint_qualifying"}


def test_a_glue_database() -> None:
    """The ARN of a Glue database is read; anything else says what it takes."""
    arn = "arn:aws:glue:eu-west-1:123456789012:database/f1_bronze"
    assert Settings.read({"F1_BRONZE_GLUE_DATABASE": arn}).glue_database == arn
    with pytest.raises(SettingError, match="it takes the ARN of a Glue database"):
        Settings.read({"F1_BRONZE_GLUE_DATABASE": "f1_bronze"})


def test_a_login_and_a_key_for_the_lineage_consumer() -> None:
    """A consumer takes a login in its address or a key; both together are an error that says so."""
    url = {"F1_BRONZE_LINEAGE_URL": "https://me:hunter2@marquez.example.org"}
    key = {"OPENLINEAGE_API_KEY": "s3cret"}
    with pytest.raises(SettingError, match="Unset the key, or leave the login out") as error:
        Settings.read({**url, **key})
    assert "hunter2" not in str(error.value)
    assert Settings.read(url).lineage_url.endswith("@marquez.example.org")
    assert Settings.read({"F1_BRONZE_LINEAGE_URL": "https://marquez.example.org", **key})
