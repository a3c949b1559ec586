"""The webhook: what is posted, what an answer means, and that nothing takes long or leaks."""

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from f1_bronze.telemetry.alerts.sinks import LONGEST_TEXT, Webhook, to_payload
from f1_bronze.telemetry.alerts.wording import Alert, AlertKind
from f1_bronze.telemetry.outbound import Dropped, Sent, SinkUnavailable

from .alert_receiver import PATH, Receiver, receiving
from .lineage_server import closed_port

ALERT = Alert(
    kind=AlertKind.FAILED_RUN,
    subject="f1_bronze dev: laps of 2025/são_paulo/race not stored",
    text="a < b & c > d\n<!channel>",
    facts={"run_id": "abc"},
)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver."""
    with receiving() as one:
        yield one


def test_what_is_posted(receiver: Receiver) -> None:
    """Slack's `text` for people, with its three letters escaped, and the facts for machines."""
    assert Webhook(receiver.url).send([ALERT]) == (Sent(),)
    assert receiver.taken == [
        {
            "text": f"{ALERT.subject}\na &lt; b &amp; c &gt; d\n&lt;!channel&gt;",
            "alert": {
                "kind": "failed_run",
                "subject": ALERT.subject,
                "text": ALERT.text,
                "facts": {"run_id": "abc"},
                "source": "f1_bronze",
            },
        }
    ]
    [(method, path, headers)] = receiver.requests
    assert (method, path) == ("POST", PATH)
    assert headers["Content-Type"] == "application/json; charset=utf-8"


def test_a_long_text_is_cut() -> None:
    """No receiver gets more than it takes."""
    assert len(to_payload(replace(ALERT, text="x" * 100_000))["text"]) == LONGEST_TEXT


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (500, "answered 500. It is sent again."),
        (503, "answered 503. It is sent again."),
        (429, "answered 429. It is sent again."),
        (404, "answered 404. Set F1_BRONZE_ALERT_WEBHOOK to the address that the receiver gives."),
        (403, "answered 403. Set F1_BRONZE_ALERT_WEBHOOK to the address that the receiver gives."),
    ],
)
def test_it_is_the_receiver(receiver: Receiver, status: int, says: str) -> None:
    """An answer that every alert would get makes the alert wait."""
    receiver.status = status
    with pytest.raises(SinkUnavailable) as error:
        Webhook(receiver.url).send([ALERT])
    assert str(error.value) == f"The webhook at {Webhook(receiver.url).host} {says}"


@pytest.mark.parametrize("status", [400, 413, 422])
def test_it_is_the_alert(receiver: Receiver, status: int) -> None:
    """What the receiver will never take is refused for good."""
    receiver.status = status
    webhook = Webhook(receiver.url)
    detail = f"the webhook at {webhook.host} answered {status}"
    assert webhook.send([ALERT]) == (Dropped(reason="refused", detail=detail),)


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    """A moved receiver would get an empty GET: it counts as not taken, and is asked once."""
    receiver.moved_to = receiver.url
    with pytest.raises(SinkUnavailable, match=r"answered 302\. Set F1_BRONZE_ALERT_WEBHOOK"):
        Webhook(receiver.url).send([ALERT])
    assert len(receiver.requests) == 1


def test_nobody_is_there() -> None:
    """A receiver that is gone is named by its host alone: the path is a secret."""
    url = f"http://127.0.0.1:{closed_port()}{PATH}"
    with pytest.raises(SinkUnavailable) as error:
        Webhook(url).send([ALERT])
    assert "cannot be reached (" in str(error.value)
    assert "s3cr3t" not in str(error.value)
    assert error.value.__cause__ is None  # which would quote the address


def test_an_answer_that_trickles_in(receiver: Receiver) -> None:
    """An answer that comes letter by letter ends at its time, like none at all."""
    receiver.trickles = True
    began = time.monotonic()
    with pytest.raises(SinkUnavailable, match=r"gave no answer within 0\.3 s"):
        Webhook(receiver.url, seconds=0.3).send([ALERT])
    assert time.monotonic() - began < 2
