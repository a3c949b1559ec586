"""deploy/aws/monitoring.yaml: what it looks at is really sent, and it does what it says.

ministack deploys it and evaluates its alarms, with three liberties: it looks at all dimensions of a
metric together, knows nothing of missing data, and has no composite alarms in CloudFormation.
Missing data is therefore evaluated here, by AWS's documented rules (test_missing_data).
"""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from f1_bronze.datasets import DATASETS
from f1_bronze.telemetry.metrics.cloudwatch import CloudWatchSink
from f1_bronze.telemetry.metrics.measurement import gauge, hours_since_last_success, run_metrics
from f1_bronze.telemetry.metrics.metric_kinds import METRIC_KINDS, UNUSABLE_PARTITIONS, Metric
from f1_bronze.telemetry.outbound import Sent, SinkUnavailable
from f1_bronze.telemetry.run_results import RunEnd, RunResult, Trigger

from ..telemetry.metric_examples import (
    MONDAY,
    QUALIFYING,
    check,
    finished,
    missing,
    stored_one,
)
from .clouds import Cloud, ministack_cloud
from .monitoring import COMPOSITE, Series, alarms, deploy, group_series, lines, template

PAGE = (Path(__file__).parents[2] / "docs/operations/monitoring.md").read_text("utf-8")


@pytest.fixture(autouse=True)
def own_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """No AWS session is remembered of another test."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)


@pytest.fixture(scope="module")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """ministack, enforcing."""
    with ministack_cloud(tmp_path_factory.mktemp("ministack")) as running:
        yield running


def sent(environment: str = "production") -> dict[Series, list[Metric]]:
    """What the code really sends: scheduled, by hand, of all datasets, of a backfill, hourly."""
    everything = {
        "stored": tuple(stored_one(dataset.name, rows=5) for dataset in DATASETS),
        "checks": tuple(check(dataset.name, passed=True) for dataset in DATASETS),
    }
    runs = (
        finished(**everything),
        finished(trigger=Trigger.MANUAL, **everything),
        finished(historical=True, backfill_id="abcdefgh", **everything),
    )
    metrics = [metric for run in runs for metric in run_metrics(run, environment=environment)]
    hours = hours_since_last_success(None, MONDAY, environment=environment, session_ends=[MONDAY])
    unusable = gauge(UNUSABLE_PARTITIONS, 0, MONDAY, environment=environment)
    found: dict[Series, list[Metric]] = {}
    for metric in [*metrics, hours, unusable]:
        series = metric.namespace, metric.name, tuple(sorted(metric.dimensions))
        found.setdefault(series, []).append(metric)
    return found


def test_alarms() -> None:
    """Each alarm by name: what it looks at, when it rings, and what missing data means."""
    found = {
        name: (
            one["MetricName"],
            one["Statistic"],
            one["ComparisonOperator"],
            float(one["Threshold"]),
            one["Period"] * one["EvaluationPeriods"],
            one["TreatMissingData"],
        )
        for name, one in alarms().items()
    }
    below, above = "LessThanThreshold", "GreaterThanThreshold"
    assert found == {
        "F1-EndToEnd-Pipeline-Failure": (
            *("EndToEndPipelineSuccess", "Minimum", below, 1, 900, "ignore"),
        ),
        "F1-Historical-Backfill-Failure": (
            *("HistoricalPipelineSuccess", "Minimum", below, 1, 900, "ignore"),
        ),
        "F1-High-Processing-Time": (
            *("TotalPipelineExecutionTime", "Maximum", above, 7_200, 900, "ignore"),
        ),
        "F1-Data-Validation-Failures": (
            *("UnusablePartitions", "Maximum", above, 0, 3_600, "ignore"),
        ),
        "F1-Data-Old": ("HoursSinceLastSuccess", "Maximum", above, 216, 10_800, "breaching"),
        "F1-API-Errors": ("APIErrorCount", "Maximum", above, 10, 900, "notBreaching"),
    }
    for one in alarms().values():
        assert one["AlarmActions"] == one["OKActions"] == ["AlarmTopic"]


@pytest.mark.parametrize("name", alarms())
def test_alarms_look_at_what_is_sent(name: str) -> None:
    """The series of an alarm is one that the code sends, in each environment."""
    assert group_series(alarms()[name]) in sent()
    staging = alarms(Environment="staging", NameSuffix="-staging")[f"{name}-staging"]
    assert group_series(staging) in sent("staging")
    assert group_series(staging) not in sent()


def body(**parameters: str) -> str:
    """The dashboard of the template."""
    text: str = template(**parameters)["Resources"]["Dashboard"]["Properties"]["DashboardBody"]
    return text


def test_widgets_show_what_is_sent() -> None:
    """Each line of a widget is a series that the code sends, drawn with the metric's statistic."""
    known = sent()
    statistics = {kind.name: kind.statistic.value for kind in METRIC_KINDS}
    for line in lines(body()):
        assert line.series in known, line
        assert line.statistic == statistics[line.series[1]], line


def test_widgets_leave_nothing_out() -> None:
    """Every metric is drawn somewhere, and those by dataset show every dataset."""
    drawn = list(lines(body()))
    assert {line.series[1] for line in drawn} == {kind.name for kind in METRIC_KINDS}
    for name in ("SessionsProcessed", "TotalRecordsExtracted", "DataValidationFailures"):
        finer = [dict(line.series[2]) for line in drawn if line.series[1] == name]
        shown = [one["DataType"] for one in finer if "SessionType" not in one]
        assert shown == [dataset.name for dataset in DATASETS]


def test_widgets_do_not_overlap() -> None:
    """Widgets lie beside each other on CloudWatch's 24 columns."""
    places: set[tuple[int, int]] = set()
    for widget in json.loads(body())["widgets"]:
        mine = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert not mine & places
        assert max(x for x, _ in mine) < 24
        places |= mine


def test_runbooks() -> None:
    """The link of each alarm leads to a section of the page that says what to do."""
    anchors = {
        line.removeprefix("### ").strip().lower().replace(" ", "-")
        for line in PAGE.splitlines()
        if line.startswith("### ")
    }
    base = "https://example.org/docs/operations/monitoring.md"
    found = template(RunbookUrl=base)["Resources"]
    descriptions = [
        r["Properties"]["AlarmDescription"]
        for r in found.values()
        if r["Type"].startswith("AWS::CloudWatch::") and "AlarmName" in r["Properties"]
    ]
    assert len(descriptions) == 7
    for description in descriptions:
        link, anchor = description.rpartition("Runbook: ")[2].split("#")
        assert (link, anchor in anchors) == (base, True), description


def test_deployed(ministack: Cloud) -> None:
    """The stack makes the alarms, the topic with its reader, and the dashboard as written."""
    outputs = deploy(ministack, NameSuffix="-a", AlarmEmail="race@example.org", LongestSeconds="60")
    client = ministack.client("cloudwatch")
    made = client.describe_alarms(AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    found = {one["AlarmName"]: one for one in made["MetricAlarms"]}
    expected = alarms(NameSuffix="-a", LongestSeconds="60")
    assert {name for name in found if name.endswith("-a")} == set(expected)
    for name, one in expected.items():
        assert group_series(found[name]) == group_series(one)
        assert found[name]["Threshold"] == float(one["Threshold"])
        assert found[name]["TreatMissingData"] == one["TreatMissingData"]
        assert found[name]["AlarmActions"] == found[name]["OKActions"] == [outputs["TopicArn"]]
    assert {one["AlarmName"] for one in made["CompositeAlarms"]} >= {"F1-Pipeline-Unhealthy-a"}
    stored = client.get_dashboard(DashboardName="f1-bronze-a")["DashboardBody"]
    assert list(lines(stored)) == list(lines(body()))
    [shown] = [
        w["properties"]["alarms"] for w in json.loads(stored)["widgets"] if w["type"] == "alarm"
    ]
    assert set(shown) == {found[name]["AlarmArn"] for name in expected}
    [mail] = ministack.client("sns").list_subscriptions_by_topic(TopicArn=outputs["TopicArn"])[
        "Subscriptions"
    ]
    assert (mail["Protocol"], mail["Endpoint"]) == ("email", "race@example.org")


def bad_and_good(now: datetime) -> tuple[list[Metric], list[Metric]]:
    """Metrics that ring every alarm, a moment before they are forgotten, and metrics of health."""
    soon = timedelta(seconds=4)

    def of(at: datetime, gauge_at: datetime, end: RunEnd, wrong: bool) -> list[Metric]:
        runs = [
            finished(
                end,
                run_id=f"{end}-{historical}",
                ended_at=at,
                seconds=7_201 if wrong else 60,
                historical=historical,
                stored=(stored_one("laps"),),
                checks=(check("laps", passed=not wrong),),
                api={"calls": 12, "by_status": {"503": 11} if wrong else {"200": 12}},
            )
            for historical in (False, True)
        ]
        hours = hours_since_last_success(
            gauge_at - timedelta(hours=217 if wrong else 1),
            gauge_at,
            environment="production",
            session_ends=[gauge_at - timedelta(days=day) for day in (1, 12)],
        )
        # This alarm looks back an hour, the one of the other gauge three.
        hour_ago = at if not wrong else now - timedelta(hours=1) + soon
        unusable = gauge(UNUSABLE_PARTITIONS, int(wrong), hour_ago, environment="production")
        metrics = [m for run in runs for m in run_metrics(run, environment="production")]
        return [*metrics, hours, unusable]

    bad = of(
        now - timedelta(seconds=900) + soon,
        now - timedelta(hours=3) + soon,
        RunEnd.FAILURE,
        wrong=True,
    )
    return bad, of(now, now, RunEnd.SUCCESS, wrong=False)


@pytest.mark.slow
def test_alarms_ring_and_stop(ministack: Cloud) -> None:
    """Real metrics of a bad run drive every alarm to ALARM, those of a good one back to OK.

    Each change is published to the topic; the composite follows.
    """
    topic = deploy(ministack)["TopicArn"]
    queue = reader(ministack, topic)
    client = ministack.client("cloudwatch")
    sink = CloudWatchSink(client=lambda: client)
    bad, good = bad_and_good(datetime.now(UTC))
    assert {type(outcome) for outcome in sink.send(bad)} == {Sent}
    names = {*alarms(), "F1-Pipeline-Unhealthy"}
    assert states(client, names) == dict.fromkeys(names, "ALARM")
    time.sleep(4.1)
    sink.send(good)
    assert states(client, names) == dict.fromkeys(names, "OK")
    assert notified(ministack, queue) == {
        (name, state) for name in alarms() for state in ("ALARM", "OK")
    }


def reader(ministack: Cloud, topic: str) -> str:
    """The address of a queue that gets what the topic publishes."""
    client = ministack.client("sqs")
    address: str = client.create_queue(QueueName="alarms")["QueueUrl"]
    asked = client.get_queue_attributes(QueueUrl=address, AttributeNames=["QueueArn"])
    arn = asked["Attributes"]["QueueArn"]
    allowed = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    client.set_queue_attributes(QueueUrl=address, Attributes={"Policy": policy})
    ministack.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return address


def states(client: Any, names: set[str]) -> dict[str, str]:
    """The states of these alarms."""
    made = client.describe_alarms(AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    every = [*made["MetricAlarms"], *made["CompositeAlarms"]]
    return {one["AlarmName"]: one["StateValue"] for one in every if one["AlarmName"] in names}


def notified(ministack: Cloud, queue: str) -> set[tuple[str, str]]:
    """What the topic published: alarms and their new states."""
    found: set[tuple[str, str]] = set()
    client = ministack.client("sqs")
    while messages := client.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get(
        "Messages"
    ):
        for message in messages:
            notice = json.loads(json.loads(message["Body"])["Message"])
            found.add((notice["AlarmName"], notice["NewStateValue"]))
            client.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return found


def test_sums(ministack: Cloud) -> None:
    """CloudWatch's sums of two runs are theirs, whole and by dataset.

    A run that is delivered twice counts twice in sums; minimum and maximum, at which alarms look,
    stay as they are.
    """
    client, now = ministack.client("cloudwatch"), datetime.now(UTC).replace(microsecond=0)
    sink = CloudWatchSink(client=lambda: client)
    laps, more = stored_one("laps", rows=1_080), stored_one("drivers", rows=20)
    for run_id, what in (("one", (laps, more)), ("two", (laps,))):
        run = finished(run_id=run_id, ended_at=now, stored=what)
        sink.send(run_metrics(run, environment="dev"))
    whole: Series = ("F1Pipeline/Bronze", "TotalRecordsExtracted", WHOLE_IN_DEV)
    assert statistics(client, whole, now)["Sum"] == 2_180
    by_data: Series = (*whole[:2], (*WHOLE_IN_DEV, ("DataType", "laps")))
    assert statistics(client, by_data, now)["Sum"] == 2_160
    success: Series = ("F1Pipeline/Bronze", "BronzePipelineSuccess", WHOLE_IN_DEV)
    before = statistics(client, success, now)
    sink.send(run_metrics(run, environment="dev"))
    assert statistics(client, whole, now)["Sum"] == 3_260
    after = statistics(client, success, now)
    assert (before["Minimum"], before["Maximum"]) == (after["Minimum"], after["Maximum"]) == (1, 1)
    assert statistics(client, whole, now)["Maximum"] == 1_100


WHOLE_IN_DEV = (("Environment", "dev"), ("Pipeline", "f1_bronze"), ("Layer", "bronze"))


def statistics(client: Any, series: Series, now: datetime) -> dict[str, float]:
    """What CloudWatch answers for a series, of the day around a moment."""
    namespace, name, dimensions = series
    [found] = client.get_metric_statistics(
        Namespace=namespace,
        MetricName=name,
        Dimensions=[{"Name": key, "Value": value} for key, value in dimensions],
        StartTime=now - timedelta(hours=12),
        EndTime=now + timedelta(hours=12),
        Period=86_400,
        Statistics=["Sum", "Minimum", "Maximum"],
    )["Datapoints"]
    point: dict[str, float] = found
    return point


def evaluated(alarm: dict[str, Any], points: dict[int, float], periods: int) -> str:
    """An alarm's states over so many periods, a letter each, by AWS's rules on missing data.

    `points` has the statistic of the periods that have data.
    """
    threshold, needed = float(alarm["Threshold"]), alarm["EvaluationPeriods"]
    is_less = alarm["ComparisonOperator"] == "LessThanThreshold"
    missing = alarm["TreatMissingData"]
    state, history = "-", ""
    for now in range(periods):
        window: list[bool] = []
        for period in range(now - needed + 1, now + 1):
            if period in points:
                value = points[period]
                window.append(value < threshold if is_less else value > threshold)
            elif missing != "ignore":
                window.append(missing == "breaching")
        if len(window) == needed:
            state = "A" if all(window) else "o"
        history += state
    return history


def test_missing_data() -> None:
    """A failure holds until a success, old data is also no data, no call is no error."""
    found = alarms()
    success = {1: 1.0, 3: 0.0, 7: 1.0}
    assert evaluated(found["F1-EndToEnd-Pipeline-Failure"], success, 9) == "-ooAAAAoo"
    assert evaluated(found["F1-Historical-Backfill-Failure"], success, 9) == "-ooAAAAoo"
    assert evaluated(found["F1-API-Errors"], {1: 2.0, 3: 11.0}, 6) == "oooAoo"
    assert evaluated(found["F1-Data-Old"], dict.fromkeys(range(5), 12.0), 10) == "ooooooo" + "AAA"
    assert evaluated(found["F1-Data-Old"], {n: 213.0 + n for n in range(9)}, 9) == "oooooo" + "AAA"
    assert evaluated(found["F1-Data-Validation-Failures"], {0: 2.0, 4: 0.0}, 6) == "AAAAoo"


START = datetime(2026, 11, 16, tzinfo=UTC)
"""A Monday; the week's races were the day before."""

DAEMON_OFF = (START + timedelta(days=4), START + timedelta(days=6))
"""Friday and Saturday."""


def week() -> list[RunResult]:
    """The runs of a week: two of each kind of trouble and what ends it, among runs of others."""

    def at(day: int, hour: float, end: RunEnd = RunEnd.SUCCESS, **what: Any) -> RunResult:
        ended_at = START + timedelta(days=day, hours=hour)
        return finished(end, run_id=f"{day}-{hour}", ended_at=ended_at, **what)

    stored = (stored_one("laps"),)
    closed = (missing("laps", "ClosedForLiveSession"),)
    broken, sound = (check("laps", passed=ok) for ok in (False, True))
    other = finished(RunEnd.FAILURE, ended_at=START, datasets=(), other_assets={"scratch": 1})
    return [
        at(0, 6, stored=stored, checks=(sound,)),
        at(1, 10, RunEnd.FAILURE, failed=(missing("laps", "Unavailable"),)),
        at(1, 11, RunEnd.CANCELED, failed=(missing("laps", "Canceled"),)),
        at(1, 12, RunEnd.FAILURE, failed=closed),
        # What the runbook says: `ingest --missing` of the running season, by hand.
        at(1, 14, trigger=Trigger.MANUAL, stored=stored),
        at(2, 9, RunEnd.FAILURE, failed=closed),
        at(2, 10, RunEnd.CANCELED),
        at(2, 12, RunEnd.FAILURE, stored=stored, checks=(broken,), error="a check failed"),
        at(2, 15, stored=stored, checks=(check("laps", passed=True, key=QUALIFYING),)),
        at(3, 8, stored=stored, checks=(sound,)),
        at(3, 10, RunEnd.FAILURE, historical=True, failed=(missing("laps", "Refused"),)),
        at(3, 12, historical=True, stored=stored),
        at(3, 15, seconds=7_300, stored=stored),
        at(3, 18, stored=stored),
        at(3, 20, stored=stored, api={"calls": 12, "by_status": {"503": 11}}),
        at(6, 6, stored=stored),
        *(replace(other, ended_at=START + timedelta(hours=hour)) for hour in range(168)),
    ]


def week_metrics(runs: list[RunResult]) -> list[Metric]:
    """All that arrives in CloudWatch while it is of use: runs' metrics, and gauges every hour.

    While the daemon is off nothing is sent; what its runs would have sent comes too late.
    """
    metrics = [
        metric
        for run in runs
        if not DAEMON_OFF[0] <= run.ended_at < DAEMON_OFF[1]
        for metric in run_metrics(run, environment="production")
    ]
    ours = [run for run in runs if run.start.datasets]
    races = [START - timedelta(hours=9), START - timedelta(days=14)]
    for hour in range(168):
        now = START + timedelta(hours=hour, minutes=1)
        if DAEMON_OFF[0] <= now < DAEMON_OFF[1]:
            continue
        ended = [run for run in ours if run.ended_at <= now]
        succeeded = [run.ended_at for run in ended if run.end is RunEnd.SUCCESS]
        last: dict[tuple[str, str], bool] = {}
        for run in ended:
            for one in run.checks:
                last[one.dataset, one.partition.key] = one.is_error
        metrics += [
            hours_since_last_success(
                max(succeeded, default=START - timedelta(days=7)),
                now,
                environment="production",
                session_ends=races,
            ),
            gauge(UNUSABLE_PARTITIONS, sum(last.values()), now, environment="production"),
        ]
    return metrics


def changes_of_state(alarm: dict[str, Any], metrics: list[Metric]) -> list[tuple[float, str]]:
    """When an alarm changes its state, in hours since the start; `o` is OK and `A` is ALARM."""
    seconds = alarm["Period"]
    reduce = min if alarm["Statistic"] == "Minimum" else max
    series = group_series(alarm)
    points: dict[int, float] = {}
    for metric in metrics:
        if (metric.namespace, metric.name, tuple(sorted(metric.dimensions))) == series:
            period = int((metric.at - START).total_seconds() // seconds)
            points[period] = reduce(metric.value, points.get(period, metric.value))
    states = evaluated(alarm, points, 7 * 86_400 // seconds)
    hours = seconds / 3_600
    return [
        (place * hours, state)
        for place, state in enumerate(states)
        if place == 0 or state != states[place - 1]
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # Failed on Tuesday at 10; neither the cancelled run nor the closed API ends it, the remedy
        # does. A closed API and a cancelled run ring nothing. A failed check is a failed run too.
        (
            "F1-EndToEnd-Pipeline-Failure",
            [(0, "-"), (6, "o"), (34, "A"), (38, "o"), (60, "A"), (63, "o")],
        ),
        ("F1-Historical-Backfill-Failure", [(0, "-"), (82, "A"), (84, "o")]),
        # Not ended by the run that found another partition sound at 15, but by the correction.
        ("F1-Data-Validation-Failures", [(0, "o"), (60, "A"), (80, "o")]),
        ("F1-High-Processing-Time", [(0, "-"), (6, "o"), (87, "A"), (90, "o")]),
        ("F1-API-Errors", [(0, "o"), (92, "A"), (92.25, "o")]),
        # The daemon is off from Friday: the gauge is missing for three hours.
        ("F1-Data-Old", [(0, "o"), (98, "A"), (144, "o")]),
    ],
)
def test_a_week(name: str, expected: list[tuple[float, str]]) -> None:
    """Each alarm begins with its trouble and ends with what ends it, and with nothing else."""
    assert changes_of_state(alarms()[name], week_metrics(week())) == expected


def test_old_data_rings_whatever_others_do() -> None:
    """While nothing of ours succeeds the gauge grows, though other jobs succeed every hour."""
    runs = [replace(run, end=RunEnd.FAILURE) if run.start.datasets else run for run in week()]
    metrics = [m for m in week_metrics(runs) if m.name == "HoursSinceLastSuccess"]
    assert metrics[95].value == 7 * 24 + 95 + round(1 / 60, 3)
    found = changes_of_state(alarms(OldestHours="200")["F1-Data-Old"], metrics)
    assert (found[0], found[1][1]) == ((0, "o"), "A")
    assert found[1][0] < 96


def test_composite() -> None:
    """The composite rings for each alarm that means late or wrong data, and pages only if asked."""
    composite = template()["Resources"][COMPOSITE]["Properties"]
    assert composite["AlarmRule"] == (
        'ALARM("${EndToEndFailure}") OR ALARM("${BackfillFailure}") OR '
        'ALARM("${ValidationFailures}") OR ALARM("${DataOld}")'
    )
    for actions in (composite["AlarmActions"], composite["OKActions"]):
        assert actions == ["HasPager", [""], "AWS::NoValue"]


def test_policy(ministack: Cloud) -> None:
    """The policy's one action, held to our namespaces, is what sending needs."""
    arn = deploy(ministack, NameSuffix="-b")["PolicyArn"]
    version = ministack.client("iam").get_policy_version(PolicyArn=arn, VersionId="v1")
    document = version["PolicyVersion"]["Document"]
    assert [s["Action"] for s in document["Statement"]] == [["cloudwatch:PutMetricData"]]
    assert document["Statement"][0]["Condition"] == {
        "StringEquals": {
            "cloudwatch:namespace": sorted({kind.namespace.value for kind in METRIC_KINDS})
        }
    }
    # ministack does not pass its evaluator the namespace, so the condition is left out here.
    plain = {key: part for key, part in document["Statement"][0].items() if key != "Condition"}
    metrics = [one[0] for one in sent().values()]
    allowed = ministack.client("cloudwatch", ministack.user({**document, "Statement": [plain]}))
    sink = CloudWatchSink(client=lambda: allowed, clock=lambda: MONDAY)
    assert {type(outcome) for outcome in sink.send(metrics)} == {Sent}
    other = {**plain, "Action": ["cloudwatch:GetMetricData"]}
    nobody = ministack.client("cloudwatch", ministack.user({**document, "Statement": [other]}))
    with pytest.raises(SinkUnavailable, match="Allow this identity cloudwatch:PutMetricData"):
        CloudWatchSink(client=lambda: nobody, clock=lambda: MONDAY).send(metrics)


def test_log_group(ministack: Cloud) -> None:
    """The log group is made, and the policy lets lines be written to it and to no other."""
    outputs = deploy(ministack, Environment="production", NameSuffix="-logs")
    assert outputs["LogGroupName"] == "/f1-bronze/production-logs"
    groups = ministack.client("logs").describe_log_groups(
        logGroupNamePrefix=outputs["LogGroupName"]
    )["logGroups"]
    assert [(one["logGroupName"], one["retentionInDays"]) for one in groups] == [
        (outputs["LogGroupName"], 90)
    ]
    version = ministack.client("iam").get_policy_version(
        PolicyArn=outputs["LogsPolicyArn"], VersionId="v1"
    )["PolicyVersion"]
    [statement] = version["Document"]["Statement"]
    assert statement["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
    assert outputs["LogGroupName"] in statement["Resource"]
