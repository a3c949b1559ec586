"""A deployment with secrets in every place that takes one, which meets every refusal.

What is set, run and broken, and keeping all that it writes in one folder.
"""

import contextlib
import io
import json
import logging
import os
import sys
import traceback
import urllib.request
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import quote

import boto3
import dagster as dg
from click.testing import CliRunner
from dagster._core.remote_representation.external_data import RepositorySnap
from moto.server import ThreadedMotoServer

from f1_bronze.cli import main
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.definitions import assemble
from f1_bronze.defs.automation.instance import open_instance
from f1_bronze.defs.partitions import register
from f1_bronze.defs.resources import openf1_resource, resolved
from f1_bronze.openf1.breaker import Breaker
from f1_bronze.openf1.budget import CallBudget, parse_limits
from f1_bronze.openf1.budget_stores import MemoryStore
from f1_bronze.openf1.client import OpenF1Client
from f1_bronze.openf1.http import Credentials
from f1_bronze.openf1.shared_requests import OpenF1
from f1_bronze.settings import Settings
from f1_bronze.simulator.behaviour import Behaviour, PaidLogin
from f1_bronze.simulator.invented import InventedSeasons
from f1_bronze.simulator.server import Simulator
from f1_bronze.telemetry.alerts.sinks import Webhook
from f1_bronze.telemetry.alerts.wording import Alert, AlertKind
from f1_bronze.telemetry.logs import close_logs
from f1_bronze.telemetry.outbound import SinkUnavailable

from ...judges import NoRules
from ...telemetry.lineage_server import closed_port
from .echo import Echo, echoing
from .planted import found_in, secret

INGEST = ("ingest", "2025", "--grand-prix", "bahrain", "--session-type", "race")
KEY = "2025/bahrain/race"
BUCKET = "lake-bucket"
LOG_GROUP = "f1-bronze"


def scenario(folder: Path) -> None:
    """Run all of it; `said/` then holds what was printed, logged, raised and sent, by case."""
    folder.mkdir()
    with contextlib.ExitStack() as stack:
        environ = {k: v for k, v in os.environ.items() if not k.startswith(("F1_BRONZE_", "AWS_"))}
        stack.enter_context(patch.dict(os.environ, environ, clear=True))
        stack.enter_context(patch("boto3.DEFAULT_SESSION", None))
        # The rules take seconds to load and meet no secret.
        stack.enter_context(patch("f1_bronze.definitions.ByRules", NoRules))
        stack.enter_context(contextlib.chdir(folder))
        stack.callback(close_logs)
        moto = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        moto.start()
        stack.callback(moto.stop)
        paid = PaidLogin(username="paid-user", password=secret("openf1_password"))
        simulator = stack.enter_context(
            Simulator(InventedSeasons(), behaviour=Behaviour(limits=None, credentials=paid))
        )
        echo = stack.enter_context(echoing())
        aws = "http://{}:{}".format(*moto.get_host_and_port())
        deployment = Deployment(folder, simulator.url, aws, echo)
        stack.enter_context(deployment.logged())
        deployment.everything()


class Deployment:
    """The deployment; every method is a case, or several."""

    def __init__(self, folder: Path, api: str, aws: str, echo: Echo) -> None:
        self.folder, self.echo, self.aws = folder, echo, aws
        self.said = folder / "said"
        self.said.mkdir()
        self.on_s3 = {"F1_BRONZE_LAKE_URI": f"s3://{BUCKET}/bronze-lake"}
        self.statuses: dict[str, int] = {}
        login = f"visitor:{quote(secret('openf1_url_password'), safe='')}@"
        lineage = f"lineage:{quote(secret('lineage_url_password'), safe='')}@"
        self.base = {
            "DAGSTER_HOME": str(folder / "home"),
            "DAGSTER_DISABLE_TELEMETRY": "1",
            "F1_BRONZE_OPENF1_URL": api.replace("://", f"://{login}"),
            "F1_BRONZE_OPENF1_USERNAME": "paid-user",
            "F1_BRONZE_OPENF1_PASSWORD": secret("openf1_password"),
            "F1_BRONZE_OPENF1_LIMITS": "50/1s",
            "F1_BRONZE_RATE_STORE": f"file:{folder / 'rate.json'}",
            "F1_BRONZE_LAKE_URI": str(folder / "local-lake"),
            "F1_BRONZE_METRICS": "cloudwatch",
            "F1_BRONZE_LOG_FORMAT": "json",
            "F1_BRONZE_LOG_GROUP": LOG_GROUP,
            "F1_BRONZE_LINEAGE_URL": echo.at(login=lineage),
            "F1_BRONZE_ALERT_WEBHOOK": echo.at(f"/hooks/{quote(secret('alert_webhook'))}"),
            "AWS_ACCESS_KEY_ID": "AKIAPLANTED000000001",
            "AWS_SECRET_ACCESS_KEY": secret("aws_secret_key"),
            "AWS_SESSION_TOKEN": secret("aws_session_token"),
            "AWS_ENDPOINT_URL": aws,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def everything(self) -> None:
        """All cases, then what servers and snapshots hold."""
        with self._environment():
            boto3.client("s3").create_bucket(Bucket=BUCKET)
            boto3.client("logs").create_log_group(logGroupName=LOG_GROUP)
        few = ("--dataset", "sessions", "--dataset", "drivers")
        self.say("landed", *INGEST, *few, **self.on_s3)
        self.login_and_budget()
        self.answers()
        self.addresses()
        self.aws_refusals()
        self.commands()
        self.sensors()
        self.webhook()
        self.snapshots()
        self.servers()
        self._write("statuses.json", json.dumps(self.statuses))

    def login_and_budget(self) -> None:
        """A wrong password; servers of the call budget that are not there or not understood."""
        few = (*INGEST, "--dataset", "drivers")
        self.say("wrong-login", *few, F1_BRONZE_OPENF1_PASSWORD=secret("openf1_wrong_password"))
        port = closed_port()
        postgresql = quote(secret("postgresql_password"), safe="")
        queried = quote(secret("postgresql_query_password"), safe="")
        for name, store in {
            "postgresql": f"postgresql://f1:{postgresql}@127.0.0.1:{port}/f1",
            "postgresql-query": f"postgresql://127.0.0.1:{port}/f1?user=f1&password={queried}",
            "postgresql-bare": f"postgresql://f1:{secret('postgresql_password')}@127.0.0.1/f1",
            "redis-bare": f"redis://:{secret('redis_password')}@127.0.0.1:{port}/0",
            "misspelt": f"postgres//f1:{postgresql}@127.0.0.1/f1",
            "unknown": f"mysql://f1:{postgresql}@127.0.0.1/f1",
        }.items():
            self.say(f"rate-store-{name}", *few, F1_BRONZE_RATE_STORE=store)
            self.say(f"rate-store-{name}-doctor", "doctor", F1_BRONZE_RATE_STORE=store)
            self.say(f"rate-store-{name}-settings", "settings", F1_BRONZE_RATE_STORE=store)
            with self._environment(F1_BRONZE_RATE_STORE=store):
                self._write(f"snapshot-{name}", _snapshot(Settings.read()))

    def answers(self) -> None:
        """Answers that repeat login and token; a run of its own where a question is repeated."""
        url = self.echo.at("/v1", login=f"me:{quote(secret('openf1_url_password'), safe='')}@")
        for status in (401, 403, 422):
            self.echo.status = status
            self.say(f"answer-{status}", *INGEST, F1_BRONZE_OPENF1_URL=url)
            self.say(f"answer-{status}-doctor", "doctor", F1_BRONZE_OPENF1_URL=url)
        for status in (200, 500):
            self.echo.status = status
            with self._environment(F1_BRONZE_OPENF1_URL=url), self._heard(f"run-{status}"):
                self.statuses[f"run-{status}"] = self._run(url)
        self.echo.status = 200

    def _run(self, url: str) -> int:
        """A run as the daemon's, with a client that does not wait; 1 when it failed."""
        login = Credentials(username="paid-user", password=secret("openf1_password"))

        def client() -> OpenF1Client:
            return OpenF1Client(
                base_url=url,
                budget=CallBudget(parse_limits("1000/1s"), MemoryStore()),
                breaker=Breaker(),
                credentials=login,
                sleep=lambda seconds: None,
            )

        settings = Settings.read()
        resource = resolved(openf1_resource(settings))
        openf1 = OpenF1(client, base_url=resource.make_openf1().base_url)
        definitions = assemble(settings, openf1=openf1)
        with open_instance() as instance:
            register(instance, [SessionPartition.parse(KEY)])
            result = definitions.resolve_job_def("bronze_sessions").execute_in_process(
                instance=instance, tags={"dagster/partition": KEY}, raise_on_error=False
            )
        return 0 if result.success else 1

    def addresses(self) -> None:
        """Addresses that are none, and passwords where nobody expects them."""
        proxy = f"http://gate:{quote(secret('proxy_password'), safe='')}@127.0.0.1:{closed_port()}"
        through = {"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy, "NO_PROXY": ""}
        away = "http://api.f1.invalid/v1"
        self.say("proxy-doctor", "doctor", F1_BRONZE_OPENF1_URL=away, **through)
        away_too = {"AWS_ENDPOINT_URL": "http://s3.invalid", **self.on_s3}
        self.say("proxy-lake", *INGEST, **away_too, **through)
        for name in ("OPENF1_URL", "LINEAGE_URL", "ALERT_WEBHOOK"):
            core = "openf1_url_password" if name == "OPENF1_URL" else "lineage_url_password"
            for wrong in (f"ftp://me:{secret(core)}@host/x", f"http:/me:{secret(core)}@host"):
                self.say(
                    f"no-address-{name}-{wrong[:3]}", "settings", **{f"F1_BRONZE_{name}": wrong}
                )
        both = {"OPENLINEAGE_API_KEY": secret("lineage_api_key")}
        self.say("no-address-LINEAGE_URL-and-key", "settings", **both)
        for number, lake in enumerate(
            ("s3://KEY:{}@bucket/x", "file://me:{}@host/x", "ftp://{}@h")
        ):
            uri = lake.format(secret("lake_address").replace("/", ""))
            self.say(f"lake-address-{number}", *INGEST, F1_BRONZE_LAKE_URI=uri)
            self.say(f"lake-address-{number}-settings", "settings", F1_BRONZE_LAKE_URI=uri)
        self.say("misspelt", "doctor", F1_BRONZE_OPENF1_PASWORD=secret("misspelt_setting"))

    def aws_refusals(self) -> None:
        """A key that nobody knows."""
        self._moto_auth("0")
        try:
            self.say("lake-forbidden", *INGEST, **self.on_s3)
            self.say("lake-forbidden-doctor", "doctor", **self.on_s3)
            self.say("lake-forbidden-sql", "sql", "SELECT count(*) FROM drivers", **self.on_s3)
        finally:
            self._moto_auth("inf")

    def commands(self) -> None:
        """What reads the deployment: in order, and with mistakes."""
        self.say("doctor", "doctor")
        self.say("doctor-json", "doctor", "--json", **self.on_s3)
        bare = {"F1_BRONZE_OPENF1_URL": f"http://me:{secret('openf1_url_password')}@host/v1"}
        for name, more in (("", {}), ("-bare", bare)):
            self.say(f"settings{name}", "settings", **more)
            self.say(f"settings{name}-json", "settings", "--json", **more)
        self.say("status", "status", "2025", **self.on_s3)
        self.say("lineage", "lineage", "drivers", KEY, **self.on_s3)
        self.say("history", "history", "drivers", KEY, **self.on_s3)
        self.say("sql", "sql", "SELECT * FROM drivers LIMIT 3", **self.on_s3)
        self.say("sql-settings", "sql", "SELECT * FROM duckdb_settings()", **self.on_s3)
        self.say("sql-secrets", "sql", "SELECT * FROM duckdb_secrets()")
        self.say("sql-environment", "sql", "SELECT getenv('AWS_SECRET_ACCESS_KEY')")
        self.say("sql-elsewhere", "sql", f"SELECT * FROM 's3://{BUCKET}/x.parquet'")
        self.say("sql-error", "sql", "SELECT nothing FROM drivers", **self.on_s3)

    def sensors(self) -> None:
        """Every sensor: while its sinks take what they get, refuse it, fail, and are away."""
        silent = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{closed_port()}"}
        key = secret("lineage_api_key")  # in place of the login in the address
        by_key = {"F1_BRONZE_LINEAGE_URL": self.echo.at(), "OPENLINEAGE_API_KEY": key}
        rounds = ((422, {}), (422, by_key), (500, {}), (401, silent), (200, by_key))
        cursors: dict[str, str | None] = {}
        for number, (status, more) in enumerate(rounds):
            self.echo.status = status
            cursors.pop("openlineage_consumer", None)  # it gets all events again
            with self._environment(**more), self._heard(f"sensors-{number}"):
                definitions = assemble(Settings.read())
                with open_instance() as instance:
                    for sensor in definitions.sensors or ():
                        if isinstance(sensor, dg.SensorDefinition):
                            for line in _tick(sensor, definitions, instance, cursors):
                                sys.stdout.write(f"{sensor.name}: {line}\n")

    def webhook(self) -> None:
        """An alert to a webhook that refuses it, fails, wants a login, and is away."""
        address = self.base["F1_BRONZE_ALERT_WEBHOOK"]
        away = address.replace(str(self.echo.port), str(closed_port()))
        alert = Alert(kind=AlertKind.FAILED_RUN, subject="laps failed", text="laps failed; why.")
        for status, url in ((422, address), (500, address), (401, address), (200, away)):
            self.echo.status = status
            with self._heard(f"webhook-{status}"):
                try:
                    sys.stdout.write(f"{Webhook(url).send([alert])}\n")
                except SinkUnavailable:
                    sys.stdout.write(traceback.format_exc())

    def snapshots(self) -> None:
        """What Dagster's UI receives of the code location, and what a debugger would show."""
        with self._environment():
            settings = Settings.read()
            self._write("snapshot", _snapshot(settings))
            self._write("settings-repr", repr(settings))

    def servers(self) -> None:
        """What was stored on S3, CloudWatch, and sent to the consumer and the webhook."""
        with self._environment():
            s3 = boto3.client("s3")
            for item in s3.list_objects_v2(Bucket=BUCKET)["Contents"]:
                stored = s3.get_object(Bucket=BUCKET, Key=item["Key"])
                place = self.folder / "s3" / item["Key"]
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(stored["Body"].read())
                self._write(f"s3-{len(os.listdir(self.said))}", json.dumps(stored["Metadata"]))
            metrics = boto3.client("cloudwatch").list_metrics()["Metrics"]
            self._write("cloudwatch-metrics", json.dumps(metrics))
            close_logs()
            lines = boto3.client("logs").filter_log_events(logGroupName=LOG_GROUP)["events"]
            self._write("cloudwatch-logs", json.dumps(lines))
        sent = [body for body in self.echo.bodies if b"password=" not in body]  # logins
        (self.said / "sent").write_bytes(b"\n".join(sent))
        handed = sorted(found_in(b"\n".join([*self.echo.heads, *self.echo.bodies])))
        self._write("handed-over.json", json.dumps(handed))

    def say(self, case: str, *words: str, **more: str) -> None:
        """A command; a traceback is what it printed then."""
        with self._environment(**more):
            result = CliRunner().invoke(main, words)
        printed = [result.stdout, result.stderr]
        if result.exception and not isinstance(result.exception, SystemExit):
            printed += traceback.format_exception(result.exception)
        self.statuses[case] = result.exit_code
        self._write(f"{case}.txt", "\n".join(printed))

    @contextlib.contextmanager
    def logged(self) -> Iterator[None]:
        """Every record of every logger from INFO on, with whatever was attached to it."""
        handler = _Everything(self.said / "log-records")
        root, level = logging.getLogger(), logging.getLogger().level
        root.addHandler(handler)
        root.setLevel(logging.INFO)
        try:
            yield
        finally:
            root.setLevel(level)
            root.removeHandler(handler)
            handler.close()

    @contextlib.contextmanager
    def _heard(self, case: str) -> Iterator[None]:
        """Both streams of this process."""
        stream = io.StringIO()
        try:
            with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
                yield
        finally:
            self._write(f"{case}.txt", stream.getvalue())

    def _environment(self, **more: str) -> Any:
        return patch.dict(os.environ, {**self.base, **more})

    def _moto_auth(self, calls_without: str) -> None:
        request = urllib.request.Request(
            f"{self.aws}/moto-api/reset-auth",
            calls_without.encode(),
            {"Content-Type": "text/plain"},
            method="POST",
        )
        urllib.request.urlopen(request).close()

    def _write(self, name: str, text: str) -> None:
        (self.said / name).write_text(text, encoding="utf-8")


class _Everything(logging.FileHandler):
    """Writes a record with all that hangs on it, not only what a formatter would take."""

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        return f"{record.name} {line} {vars(record)!r}"


def _snapshot(settings: Settings) -> str:
    """The code location as it is sent to the UI."""
    repository = assemble(settings).get_repository_def()
    with warnings.catch_warnings():
        # Dagster reads a property of its own that it has deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        return dg.serialize_value(RepositorySnap.from_def(repository))


def _tick(
    sensor: dg.SensorDefinition,
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    cursors: dict[str, str | None],
) -> Iterator[object]:
    """One evaluation, its cursor kept; what it came to, or how it broke."""
    needed: Mapping[str, object] = definitions.resources or {}
    context = dg.build_sensor_context(
        instance=instance,
        cursor=cursors.get(sensor.name),
        resources={key: needed[key] for key in sensor.required_resource_keys},
        definitions=definitions,
    )
    try:
        result = sensor.evaluate_tick(context)
    except Exception:  # noqa: BLE001 - what Dagster would show of it is what is wanted
        yield traceback.format_exc()
        return
    cursors[sensor.name] = result.cursor or cursors.get(sensor.name)
    yield result.skip_message
    yield result.cursor
    yield result.run_requests
