"""The client against the OpenF1 simulator over real HTTP, limits on: no 429, no row lost.

Time is a test double that client and simulator share, except where real windows are the point.
"""

import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.drivers import DRIVERS
from f1_bronze.datasets.laps import LAPS
from f1_bronze.datasets.pit_stops import PIT_STOPS
from f1_bronze.datasets.results import RESULTS
from f1_bronze.datasets.stints import STINTS
from f1_bronze.openf1.answers import ClosedForLiveSession, Malformed, Unavailable
from f1_bronze.openf1.batches import SessionAnswer, SessionRef, fetch_sessions
from f1_bronze.openf1.breaker import Breaker
from f1_bronze.openf1.budget import CallBudget, parse_limits
from f1_bronze.openf1.budget_stores import FileStore
from f1_bronze.openf1.calendar import Calendar, read_calendar
from f1_bronze.openf1.client import OpenF1Client
from f1_bronze.openf1.http import Credentials
from f1_bronze.simulator.behaviour import Behaviour, PaidLogin
from f1_bronze.simulator.faults import InjectedFault
from f1_bronze.simulator.invented import InventedSeasons
from f1_bronze.simulator.server import Simulator
from f1_bronze.simulator.sources import RecordedSeasons, SeasonSource

from .fakes import FakeTime, make_client_at

RECORDINGS = Path(__file__).parents[3] / "shared" / "openf1_recordings"
SEASON_START = datetime(2026, 1, 10, tzinfo=UTC).timestamp()
SOURCE = InventedSeasons(years=[2024, 2025])
EVERY_SESSION = (DRIVERS, RESULTS, LAPS)
RACES = (STINTS, PIT_STOPS)
NUMBERS = ("driver_number", "lap_number", "stint_number")


@pytest.fixture
def shared_time() -> FakeTime:
    return FakeTime(now=SEASON_START)


@pytest.fixture
def stand_in(shared_time: FakeTime) -> Iterator[Simulator]:
    behaviour = Behaviour(clock=shared_time.clock, sleep=shared_time.sleep)
    with Simulator(SOURCE, behaviour=behaviour) as simulator:
        yield simulator


def make_calendar(client: OpenF1Client, clock: FakeTime, *years: int) -> Calendar:
    now = datetime.fromtimestamp(clock.now, UTC)
    return read_calendar(client, years, now=now, session_types={"qualifying", "race"})


def refs(calendar: Calendar, *types: str) -> list[SessionRef]:
    return [
        SessionRef(session_key=s.session_key, session_type=s.partition.session_type)
        for s in calendar.sessions
        if not types or s.partition.session_type in types
    ]


def not_as_in(
    source: SeasonSource, dataset: Dataset, answers: Iterable[SessionAnswer]
) -> list[int]:
    """Sessions whose records differ from the source's; the API promises no order of rows."""

    def content(records: Iterable[Mapping[str, object]]) -> list[Mapping[str, object]]:
        return sorted(records, key=lambda record: [record.get(name) or 0 for name in NUMBERS])

    return [
        answer.session_key
        for answer in answers
        if content(answer.records) != content(source.rows(dataset.endpoint, answer.session_key))
    ]


@pytest.mark.slow
def test_a_season_comes_whole_and_within_the_limits(
    stand_in: Simulator, shared_time: FakeTime
) -> None:
    """Calendar and five datasets of a season: every row, eight calls, not one 429."""
    with make_client_at(stand_in.url, shared_time) as client:
        calendar = make_calendar(client, shared_time, 2024)
        assert len(calendar.sessions) == 48
        for dataset in (*EVERY_SESSION, *RACES):
            wanted = refs(calendar) if dataset in EVERY_SESSION else refs(calendar, "race")
            answers = list(fetch_sessions(client, dataset, wanted))
            assert [a.session_key for a in answers] == [ref.session_key for ref in wanted]
            assert [a.error for a in answers] == [None] * len(wanted)
            assert not_as_in(SOURCE, dataset, answers) == []
        counters = client.counters
    state = stand_in.control.state()
    assert state["by_status"] == {"200": 2 + 1 + 1 + 2 + 1 + 1}
    assert counters.calls == state["calls"]
    assert counters.by_status == state["by_status"]
    assert state["max_in_second"] <= 3


def test_a_hundred_calls_keep_the_minute(stand_in: Simulator, shared_time: FakeTime) -> None:
    """Asked one by one, calls wait for their minute: no 429, thirty in any minute."""
    with make_client_at(stand_in.url, shared_time) as client:
        for ref in refs(make_calendar(client, shared_time, 2024, 2025)):
            client.get("drivers", [("session_key", ref.session_key)])
    state = stand_in.control.state()
    assert state["by_status"] == {"200": 98}
    assert (state["max_in_second"], state["max_in_minute"]) == (3, 30)
    assert 3 * 60 < shared_time.now - SEASON_START < 4 * 60


def test_a_budget_that_is_too_generous_still_lands(
    stand_in: Simulator, shared_time: FakeTime
) -> None:
    """When our limits are wrong, 429s are waited out and nothing is lost."""
    client = make_client_at(stand_in.url, shared_time, "100/1s")
    with client:
        statuses = [client.get("sessions", [("year", 2024)]).status for _ in range(40)]
    assert statuses == [200] * 40
    assert client.counters.by_status["200"] == 40
    assert 1 <= client.counters.by_status["429"] <= 20


def test_clients_of_one_file_share_real_windows(tmp_path: Path) -> None:
    """Four clients on one file, at full speed in real time, never meet a 429."""
    with Simulator(SOURCE, limits="6/0.1s") as simulator:

        def ask() -> None:
            # The server sees the hop over loopback too, so the window is kept 50 ms longer.
            budget = CallBudget(parse_limits("6/0.1s"), FileStore(tmp_path / "rate"))
            with OpenF1Client(base_url=simulator.url, budget=budget, breaker=Breaker()) as client:
                for _ in range(4):
                    client.get("meetings", [("year", 2024)])

        threads = [threading.Thread(target=ask) for _ in range(4)]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        took = time.monotonic() - began
        assert simulator.control.state()["by_status"] == {"200": 16}
    assert took >= 0.3


@pytest.mark.parametrize("kind", ["status", "truncated_json", "html_200", "reset_midway"])
def test_a_session_that_always_fails_harms_no_other(
    stand_in: Simulator, shared_time: FakeTime, kind: str
) -> None:
    """Of 24 races one cannot be had; the other 23 land with all their rows."""
    with make_client_at(stand_in.url, shared_time) as client:
        races = refs(make_calendar(client, shared_time, 2024), "race")
        bad = races[7].session_key
        stand_in.control.set_faults([InjectedFault(kind=kind, endpoint="stints", session_key=bad)])
        answers = list(fetch_sessions(client, STINTS, races))
    assert [a.session_key for a in answers] == [ref.session_key for ref in races]
    assert {a.session_key: type(a.error) for a in answers if a.error} == {bad: Unavailable}
    assert not_as_in(SOURCE, STINTS, answers) == [bad]
    assert "429" not in stand_in.control.state()["by_status"]


def test_too_much_is_split_until_it_is_not(stand_in: Simulator, shared_time: FakeTime) -> None:
    """When the API bears fewer rows than it did, batches shrink, stay small, and all lands."""
    stand_in.control.change_behaviour(too_much_rows=8_000)
    with make_client_at(stand_in.url, shared_time) as client:
        races = refs(make_calendar(client, shared_time, 2024), "race")
        answers = list(fetch_sessions(client, LAPS, races))
        assert [a.error for a in answers] == [None] * 24
        assert sum(a.api_requests for a in answers) == client.counters.calls - 2
        # 24 and 12 races were too much, 6 were not: neither the other 12 nor later ones are tried.
        assert client.counters.splits == 2
        assert not_as_in(SOURCE, LAPS, list(fetch_sessions(client, LAPS, races[:12]))) == []
        assert client.counters.splits == 2
        assert client.counters.questions == client.counters.calls == 2 + 6 + 2
    assert all(a.records for a in answers)


def test_passing_faults_leave_no_trace_in_the_rows(
    stand_in: Simulator, shared_time: FakeTime
) -> None:
    """A reset, a cut body, HTML and a 500 are repeated until the rows come."""
    with make_client_at(stand_in.url, shared_time) as client:
        races = refs(make_calendar(client, shared_time, 2024), "race")
        for kind in ("reset_before", "reset_midway", "truncated_json", "html_200", "status"):
            stand_in.control.set_faults([InjectedFault(kind=kind, times=1)])
            answers = list(fetch_sessions(client, STINTS, races))
            assert sum(a.api_retries for a in answers) == 1
            assert not_as_in(SOURCE, STINTS, answers) == []


def test_a_record_without_its_session_is_found(stand_in: Simulator, shared_time: FakeTime) -> None:
    """Rows of one session that lost their session_key cost that session only."""
    with make_client_at(stand_in.url, shared_time) as client:
        races = refs(make_calendar(client, shared_time, 2024), "race")
        bad = races[3].session_key
        edit = InjectedFault(
            kind="edit", endpoint="pit", session_key=bad, patch={"session_key": None}
        )
        stand_in.control.set_faults([edit])
        answers = list(fetch_sessions(client, PIT_STOPS, races))
    assert Counter(type(a.error) for a in answers) == {type(None): 23, Malformed: 1}
    assert isinstance(answers[3].error, Malformed)


def test_paid_access_passes_where_free_access_is_closed(
    stand_in: Simulator, shared_time: FakeTime
) -> None:
    """During a live session the free client is asked to come back; the paid one gets its rows."""
    account = PaidLogin(username="maria", password="hunter2")
    stand_in.control.change_behaviour(live=True, credentials=account)
    with make_client_at(stand_in.url, shared_time) as free, pytest.raises(ClosedForLiveSession):
        free.get("sessions", [("year", 2024)])
    login = Credentials(username="maria", password="hunter2")
    with make_client_at(stand_in.url, shared_time, credentials=login) as paid:
        assert paid.get("sessions", [("year", 2024)]).status == 200
        stand_in.control.expire_tokens()
        answer = paid.get("sessions", [("year", 2024)])
    assert (answer.status, answer.attempts) == (200, 3)


def test_recorded_answers_of_2024(shared_time: FakeTime) -> None:
    """Real recorded answers land unchanged, true empties as empty, without a 429."""
    if not RECORDINGS.exists():
        pytest.skip(f"no recordings at {RECORDINGS}")
    source = RecordedSeasons(RECORDINGS)
    behaviour = Behaviour(clock=shared_time.clock, sleep=shared_time.sleep)
    with Simulator(source, behaviour=behaviour) as simulator:
        with make_client_at(simulator.url, shared_time) as client:
            calendar = make_calendar(client, shared_time, 2024)
            for dataset in (*EVERY_SESSION, *RACES):
                answers = list(fetch_sessions(client, dataset, refs(calendar)))
                assert [a.error for a in answers] == [None] * 48
                assert not_as_in(source, dataset, answers) == []
        assert "429" not in simulator.control.state()["by_status"]
