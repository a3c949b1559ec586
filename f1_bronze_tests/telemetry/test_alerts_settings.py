"""Whom to alert is a setting; a wrong one says what it takes, and never a secret."""

import pytest

from f1_bronze.settings import SETTINGS, SettingError, Settings

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
    assert str(error.value) == f"F1_BRONZE_{name} is no http(s) address. Set one, or unset it."
