"""Where telemetry goes in this deployment.

Belongs here: the resource with its sinks, made when first used. Stays out: what is sent and how
(telemetry/), when (metric_sensor.py, lineage_sensors.py).
"""

from functools import cached_property
from typing import TYPE_CHECKING

from f1_bronze.lake.errors import LakeUnavailable
from f1_bronze.lake.lake import Lake
from f1_bronze.lake.s3 import S3Writes
from f1_bronze.settings import Settings

if TYPE_CHECKING:
    from f1_bronze.telemetry.lineage.delivery import Delivery, HttpConsumer
    from f1_bronze.telemetry.lineage.event_files import EventFiles
    from f1_bronze.telemetry.lineage.summaries import Summaries
    from f1_bronze.telemetry.outbound import MetricSink


class Telemetry:
    """The sinks of a deployment; nothing is opened before it is needed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.environment = settings.environment

    @cached_property
    def lake(self) -> Lake:
        """Where lineage events, and metrics without CloudWatch, are kept."""
        return Lake.at(self._settings.lake_uri, S3Writes(**self._settings.s3_writes))

    @cached_property
    def metrics(self) -> "MetricSink":
        """CloudWatch, or JSON lines in the lake."""
        if self._settings.metrics == "cloudwatch":
            from f1_bronze.telemetry.metrics.cloudwatch import CloudWatchSink

            return CloudWatchSink()
        from f1_bronze.telemetry.metrics.metric_files import MetricFiles

        return MetricFiles(self.lake.store, outages=(LakeUnavailable,))

    @cached_property
    def events(self) -> "EventFiles":
        """Lineage events in the lake."""
        from f1_bronze.telemetry.lineage.event_files import EventFiles

        return EventFiles(self.lake.store)

    @cached_property
    def summaries(self) -> "Summaries":
        """Daily summaries of them."""
        from f1_bronze.telemetry.lineage.summaries import Summaries

        return Summaries(self.lake.store)

    def delivery(self) -> "Delivery | None":
        """One tick's deliveries to the consumer; None where there is none."""
        if self._consumer is None:
            return None
        from f1_bronze.telemetry.lineage.delivery import Delivery

        return Delivery(self._consumer, self.lake.store)

    @cached_property
    def _consumer(self) -> "HttpConsumer | None":
        from f1_bronze.telemetry.lineage.delivery import HttpConsumer

        url = self._settings.lineage_url
        return HttpConsumer(url) if url else None
