"""Each thing is alerted once, however often it fails, and what a sink has not taken is kept."""

import json
from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from f1_bronze.telemetry.alerts.alert_memory import (
    MOST_CHECKS,
    MOST_GROUPS,
    MOST_WAITING,
    AlertMemory,
)
from f1_bronze.telemetry.alerts.wording import Alert, AlertKind, OverdueSession, Wording
from f1_bronze.telemetry.run_results import RunEnd, RunResult

from .metric_examples import MONDAY, QUALIFYING, RACE, check, finished, missing
from .test_alerts import SPEED, broken

WORDING = Wording(environment="dev")


class AlertedRuns:
    """Runs one after the other, and what was alerted of each; the memory goes through a cursor."""

    def __init__(self) -> None:
        self.memory = AlertMemory()

    def after(
        self, run: RunResult, *, group: str = "root", is_retried: bool = False
    ) -> AlertKind | None:
        """What kind of alert the run gave."""
        alert, memory = self.memory.after_run(run, WORDING, group=group, is_retried=is_retried)
        self.memory = AlertMemory.from_json(json.loads(json.dumps(memory.to_json())))
        return alert.kind if alert else None


def failing(*datasets: str, error: str = "Refused", key: str = RACE) -> RunResult:
    """A run in which these did not land."""
    lost = tuple(missing(name, error, key) for name in datasets)
    return finished(RunEnd.FAILURE, error=f"{key} …: {error}", failed=lost)


FAILED, CHECKS = AlertKind.FAILED_RUN, AlertKind.FAILED_CHECKS


def test_the_same_failure_is_alerted_once_for_a_group() -> None:
    """A further attempt that fails the same way, or in fewer ways, is no news; a new way is."""
    alerts = AlertedRuns()
    assert alerts.after(failing("laps", "stints")) is FAILED
    assert alerts.after(failing("laps", "stints")) is None
    assert alerts.after(failing("stints", key=QUALIFYING)) is None
    assert alerts.after(failing("laps", "results")) is FAILED
    assert alerts.after(failing("laps", error="Unavailable")) is FAILED
    assert alerts.after(failing("laps"), group="another") is FAILED


def test_a_crash_is_known_by_its_message() -> None:
    """A run that lists no failed partition is alerted once for its message."""
    alerts = AlertedRuns()
    crash = finished(RunEnd.FAILURE, error="The run worker died.")
    assert [alerts.after(crash), alerts.after(crash)] == [FAILED, None]
    assert alerts.after(replace(crash, error="No space left on device.")) is FAILED


def test_what_is_retried_by_itself_is_no_news() -> None:
    """Only the attempt that gives up is alerted, even where all failed the same way."""
    alerts = AlertedRuns()
    closed = failing("laps", error="ClosedForLiveSession")
    alerted = [alerts.after(closed, is_retried=is_retried) for is_retried in (True, True, False)]
    assert alerted == [None, None, FAILED]


def test_success_and_cancelling_are_no_news() -> None:
    """A run that succeeded, or that a person cancelled, is not alerted."""
    alerts = AlertedRuns()
    lost = (missing("laps", "Canceled"),)
    assert alerts.after(finished()) is None
    assert alerts.after(finished(RunEnd.CANCELED, failed=lost)) is None


def test_a_check_is_alerted_until_it_passes() -> None:
    """A check that goes on failing by the same rule is no news; passed and failing again, it is."""
    alerts = AlertedRuns()
    bad = finished(RunEnd.FAILURE, error="…", checks=(broken(),))
    good = finished(checks=(check("laps", passed=True),))
    other = {**SPEED, "rule": "sum_of_sectors"}
    worse = finished(RunEnd.FAILURE, error="…", checks=(broken("laps", RACE, SPEED, other),))
    alerted = [
        alerts.after(run, group=str(n)) for n, run in enumerate((bad, bad, good, bad, worse))
    ]
    assert alerted == [CHECKS, None, None, CHECKS, CHECKS]


def test_a_warning_is_no_news() -> None:
    """A check that only warned is not alerted."""
    run = finished(checks=(check("laps", passed=False, severity="WARN"),))
    assert AlertedRuns().after(run) is None


def test_checks_of_a_run_that_is_retried() -> None:
    """What a check found is alerted at once, although the run itself is attempted again."""
    alerts = AlertedRuns()
    run = replace(failing("stints", error="Unavailable"), checks=(broken(),))
    assert alerts.after(run, is_retried=True) is CHECKS
    assert alerts.after(run, is_retried=True) is None
    assert alerts.after(run) is FAILED


def test_overdue_sessions_are_alerted_once() -> None:
    """A session is alerted when it becomes overdue and when it lacks more, and not in between."""
    stale = OverdueSession(key=RACE, ended_at=MONDAY - timedelta(days=2), missing=("laps",))
    more = replace(stale, missing=("laps", "stints"))
    other = replace(stale, key=QUALIFYING)
    memory, alerted = AlertMemory(), []
    for look in ([stale], [stale, other], [more], [stale], [], [stale]):
        alert, memory = memory.after_overdue(look, WORDING, MONDAY)
        alerted.append([one["partition"] for one in alert.facts["sessions"]] if alert else [])
    assert alerted == [[RACE], [QUALIFYING], [RACE], [], [], [RACE]]


def numbered(number: int) -> Alert:
    """An alert like no other."""
    return Alert(kind=FAILED, subject=str(number), text="")


def test_what_waits_is_bounded() -> None:
    """While a sink is down the latest alerts are kept for it, and the rest is counted."""
    memory, lost = AlertMemory(), 0
    for number in range(MOST_WAITING + 3):
        memory, gone = memory.with_waiting(numbered(number), ["topic", "webhook"])
        lost += gone
        memory = memory.without_first("topic")
    assert lost == 3
    assert memory.waiting["topic"] == ()
    assert [alert.subject for alert in memory.waiting["webhook"]] == [
        str(number) for number in range(3, MOST_WAITING + 3)
    ]
    assert memory.for_sinks(["topic"]).waiting == {"topic": ()}


def test_the_cursor_does_not_grow_with_the_years() -> None:
    """Groups and checks that are known are the latest ones."""
    alerts = AlertedRuns()
    for number in range(MOST_GROUPS + 5):
        alerts.after(failing("laps"), group=str(number))
    assert next(iter(alerts.memory.causes)) == "5"
    assert len(alerts.memory.causes) == MOST_GROUPS
    checks = tuple(broken("laps", f"2024/gp_{n}/race") for n in range(MOST_CHECKS + 1))
    alerts.after(finished(RunEnd.FAILURE, error="…", checks=checks))
    assert len(alerts.memory.failing) == MOST_CHECKS


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["laps", "stints"]))))
def test_never_twice(runs: list[tuple[str, str]]) -> None:
    """Whatever fails in whatever order, a cause is alerted once for each group."""
    alerts = AlertedRuns()
    alerted = [
        (group, dataset) for group, dataset in runs if alerts.after(failing(dataset), group=group)
    ]
    assert sorted(alerted) == sorted(set(runs))
