"""What becomes of an alert that is sent.

Belongs here: the port that every sink keeps, and its errors. Stays out: the sinks
(alerts_topic.py, alerts_webhook.py).
"""

from typing import Protocol

from f1_bronze.telemetry.alerts import Alert


class AlertsUnavailable(Exception):
    """Send it later; the message ends with the remedy and holds no secret."""


class AlertRefused(Exception):
    """The sink will never take this one; nothing else is held up by it."""


class AlertSink(Protocol):
    """Where alerts are sent, within some seconds each.

    Raises `AlertsUnavailable` or `AlertRefused`.
    """

    def send(self, alert: Alert) -> None:
        """Returns when the sink has it."""
