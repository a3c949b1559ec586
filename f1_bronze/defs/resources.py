"""The resources: how OpenF1 is asked, and the deployment that schedules and sensors work for.

Dagster's concept: https://docs.dagster.io/guides/build/external-resources
"""

import os
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from f1_bronze.lake.errors import LakeUnavailable
from f1_bronze.lake.lake import Lake
from f1_bronze.lake.s3 import S3Writes
from f1_bronze.openf1.answers import AnswerLimits, without_login
from f1_bronze.openf1.breaker import Breaker
from f1_bronze.openf1.budget import CallBudget, parse_limits
from f1_bronze.openf1.budget_stores import open_rate_store
from f1_bronze.openf1.shared_requests import OpenF1
from f1_bronze.settings import PREFIX, PUBLIC_API, Settings

if TYPE_CHECKING:
    from f1_bronze.openf1.client import OpenF1Client
    from f1_bronze.openf1.http import Credentials
    from f1_bronze.telemetry.alerts.wording import Alert
    from f1_bronze.telemetry.lineage.delivery import Delivery, HttpConsumer
    from f1_bronze.telemetry.lineage.event_files import EventFiles
    from f1_bronze.telemetry.lineage.summaries import Summaries
    from f1_bronze.telemetry.metrics.metric_kinds import Metric
    from f1_bronze.telemetry.outbound import Sink


class OpenF1Resource(dg.ConfigurableResource[OpenF1]):
    """How OpenF1 is asked; ops receive the plain `OpenF1` that it builds."""

    url: str = Field(default=PUBLIC_API, description="Base URL, with the version: …/v1.")
    username: str = Field(default="", description="User of the paid API; empty for free access.")
    password: str = Field(default="", description="Its password; give it by dg.EnvVar.")
    limits: str = Field(default="3/1s,30/60s", description="Calls allowed per rolling window.")
    rate_store: str = Field(
        default="file",
        description="Where calls are counted: file, file:/path, memory, or postgresql://…",
    )
    breaker_failures: int = Field(
        default=5, gt=0, description="Failed calls in a row after which an endpoint is left alone."
    )
    breaker_seconds: float = Field(
        default=300.0, gt=0, description="Seconds after which it is tried again."
    )

    max_mb: int = Field(default=32, gt=0, description="Megabytes of one answer at most.")
    max_depth: int = Field(default=16, gt=0, description="Levels of nesting in a record at most.")
    max_fields: int = Field(default=256, gt=0, description="Fields of a record at most.")
    max_name: int = Field(
        default=100, gt=0, description="Characters of a name in a partition key at most."
    )

    def create_resource(self, context: dg.InitResourceContext) -> OpenF1:
        """The plain object; nothing is sent yet."""
        # Waits show in the run's log.
        return self.make_openf1(observer=context.log.info if context.log else None)

    def make_openf1(self, *, observer: Callable[[str], None] | None = None) -> OpenF1:
        """The plain object; `observer` gets a sentence when something takes long."""
        return OpenF1(
            lambda: self.make_client(observer=observer),
            base_url=without_login(self.url.rstrip("/")),
        )

    def make_budget(self) -> CallBudget:
        """The shared call budget with these settings."""
        return CallBudget(parse_limits(self.limits), open_rate_store(self.rate_store, self.url))

    def make_client(self, *, observer: Callable[[str], None] | None = None) -> "OpenF1Client":
        """A client with these settings; `observer` gets a sentence when something takes long."""
        from f1_bronze.openf1.client import OpenF1Client  # brings in requests

        return OpenF1Client(
            base_url=self.url,
            budget=self.make_budget(),
            breaker=Breaker(failures=self.breaker_failures, pause=self.breaker_seconds),
            credentials=self._credentials(),
            answer_limits=self._answer_limits(),
            observer=observer,
        )

    def make_hurried_client(self) -> "OpenF1Client":
        """A client for a tick, which ends after a minute: nothing is repeated or waited for long.

        A question takes 20 s at most, half of them for the shared budget.
        """
        from f1_bronze.openf1.client import OpenF1Client  # as above

        store = open_rate_store(self.rate_store, self.url)
        return OpenF1Client(
            base_url=self.url,
            budget=CallBudget(parse_limits(self.limits), store, longest_wait=10.0),
            breaker=Breaker(),
            credentials=self._credentials(),
            answer_limits=self._answer_limits(),
            timeout=(4, 10),
            attempts=1,
            total_seconds=10,
            rate_limit_retries=0,
        )

    def _answer_limits(self) -> AnswerLimits:
        return AnswerLimits(
            megabytes=self.max_mb,
            depth=self.max_depth,
            fields=self.max_fields,
            name=self.max_name,
        )

    def _credentials(self) -> "Credentials | None":
        if not self.username:
            return None
        from f1_bronze.openf1.http import Credentials

        return Credentials(username=self.username, password=self.password)


def openf1_resource(settings: Settings) -> OpenF1Resource:
    """The resource of a deployment; the UI shows the names of environment variables, no secrets."""
    return OpenF1Resource(
        url=_hide_login("OPENF1_URL", settings.openf1_url),
        username=dg.EnvVar("F1_BRONZE_OPENF1_USERNAME") if settings.openf1_username else "",
        password=dg.EnvVar("F1_BRONZE_OPENF1_PASSWORD") if settings.openf1_password else "",
        limits=settings.openf1_limits,
        rate_store=_hide_login("RATE_STORE", settings.rate_store),
        breaker_failures=settings.openf1_breaker_failures,
        breaker_seconds=settings.openf1_breaker_seconds,
        max_mb=settings.openf1_max_mb,
        max_depth=settings.openf1_max_depth,
        max_fields=settings.openf1_max_fields,
        max_name=settings.openf1_max_name,
    )


def _hide_login(name: str, address: str) -> str:
    """The address, or where it can hold a password the name of its variable.

    A password is in the login before the host, or among the parameters behind it.
    """
    return dg.EnvVar(PREFIX + name) if "@" in address or "?" in address else address


def resolved(resource: OpenF1Resource) -> OpenF1Resource:
    """The resource with environment variables filled in, for use outside a run."""
    values = {
        name: os.environ.get(value.env_var_name, "")
        for name, value in resource
        if isinstance(value, dg.EnvVar)
    }
    return resource.model_copy(update=values) if values else resource


class Deployment:
    """The settings, the clock, the lake and the telemetry sinks of this deployment.

    The one resource of schedules, sensors and the monitoring asset. Nothing is opened, nor its
    library imported, before it is used. `clock` gives the time, aware.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self.now = clock
        self.monotonic = monotonic

    @cached_property
    def lake(self) -> Lake:
        """The lake."""
        return Lake.at(self.settings.lake_uri, S3Writes(**self.settings.s3_writes))

    @property
    def environment(self) -> str:
        """The name of the deployment."""
        return self.settings.environment

    @property
    def openf1(self) -> OpenF1Resource:
        """How OpenF1 is asked, with passwords filled in."""
        return resolved(openf1_resource(self.settings))

    @property
    def waits_for_monday(self) -> bool:
        """Whether new sessions are ingested by the weekly run, not as soon as they are listed."""
        return not self.settings.ingest_new

    def link(self, path: str) -> str:
        """The address of a page of the UI; a path alone where F1_BRONZE_DAGSTER_URL is not set."""
        return f"{self.settings.dagster_url}{path}"

    @cached_property
    def metrics(self) -> "Sink[Metric]":
        """CloudWatch, or JSON lines in the lake."""
        if self.settings.metrics == "cloudwatch":
            from f1_bronze.telemetry.metrics.cloudwatch import CloudWatchSink

            return CloudWatchSink()
        from f1_bronze.telemetry.metrics.metric_files import MetricFiles

        return MetricFiles(self.lake.store, outages=(LakeUnavailable,))

    @property
    def glue_database(self) -> str:
        """The ARN of the Glue database that has the lake's tables; empty where it is unknown."""
        return self.settings.glue_database

    @cached_property
    def lineage_events(self) -> "EventFiles":
        """Lineage events in the lake."""
        from f1_bronze.telemetry.lineage.event_files import EventFiles

        return EventFiles(self.lake.store)

    @cached_property
    def lineage_summaries(self) -> "Summaries":
        """Their daily summaries."""
        from f1_bronze.telemetry.lineage.summaries import Summaries

        return Summaries(self.lake.store)

    def lineage_delivery(self) -> "Delivery | None":
        """One tick's deliveries to the lineage consumer; None where there is none."""
        if self._lineage_consumer is None:
            return None
        from f1_bronze.telemetry.lineage.delivery import Delivery

        return Delivery(self._lineage_consumer, self.lake.store)

    @cached_property
    def _lineage_consumer(self) -> "HttpConsumer | None":
        from f1_bronze.telemetry.lineage.delivery import HttpConsumer

        url = self.settings.lineage_url
        return HttpConsumer(url) if url else None

    @cached_property
    def alert_sinks(self) -> Mapping[str, "Sink[Alert]"]:
        """Where alerts go, by name; empty where neither a topic nor a webhook is set."""
        from f1_bronze.telemetry.alerts.sinks import Topic, Webhook

        sinks: dict[str, Sink[Alert]] = {}
        if self.settings.alert_topic:
            sinks["topic"] = Topic(self.settings.alert_topic)
        if self.settings.alert_webhook:
            sinks["webhook"] = Webhook(self.settings.alert_webhook)
        return sinks
