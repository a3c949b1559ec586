"""The calendar: which sessions are partitions, which are not and why."""

import json
import logging
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.openf1.answers import Malformed, Unavailable
from f1_bronze.openf1.calendar import (
    Calendar,
    LeftOutReason,
    UnknownGrandPrix,
    UnknownSeason,
    read_calendar,
    select_grands_prix,
)

from .fakes import BASE_URL, NO_RESULTS, FakeNetwork, Reply, make_client, rows

RECORDINGS = Path(__file__).parents[3] / "shared" / "openf1_recordings"
CASES = RECORDINGS.parent / "cases"
NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
Record = dict[str, Any]


def session(key: int, name: str = "Race", meeting: int | None = 1, **more: object) -> Record:
    start = datetime(2025, 3, 1, 15, tzinfo=UTC) + timedelta(days=key)
    return {
        "session_key": key,
        "meeting_key": meeting,
        "session_name": name,
        "session_type": "Race",
        "date_start": start.isoformat(),
        "date_end": (start + timedelta(hours=2)).isoformat(),
        "year": 2025,
        "location": "Sakhir",
        "country_name": "Bahrain",
        **more,
    }


def meeting(key: int = 1, name: str = "Bahrain Grand Prix", **more: object) -> Record:
    start = datetime(2025, 3, 1, tzinfo=UTC) + timedelta(days=key)
    return {
        "meeting_key": key,
        "meeting_name": name,
        "year": 2025,
        "date_start": start.isoformat(),
        **more,
    }


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def api(sessions: list[Record], meetings: list[Record]) -> FakeNetwork:
    """An API that lists these, filtered by year like the real one."""

    def answer(request: requests.PreparedRequest) -> Reply:
        parts = urlsplit(str(request.url))
        years = {int(value) for name, value in parse_qsl(parts.query) if name == "year"}
        listed = sessions if parts.path.endswith("/sessions") else meetings
        found = [record for record in listed if record.get("year") in {*years, None, "2025"}]
        return rows(*found) if found else NO_RESULTS

    return FakeNetwork(answer)


def make_calendar(
    sessions: list[Record],
    meetings: list[Record],
    *,
    now: datetime = NOW,
    session_types: set[str] | None = None,
    **more: Any,
) -> Calendar:
    client = make_client(api(sessions, meetings))
    return read_calendar(client, [2025], now=now, session_types=session_types, **more)


def partition_keys(calendar: Calendar) -> dict[int, str]:
    return {s.session_key: s.partition.key for s in calendar.sessions}


def left_out_reasons(calendar: Calendar) -> dict[int | None, str]:
    return {left.session_key: str(left.reason) for left in calendar.left_out}


def test_sessions_are_joined_to_their_meetings_in_order_of_start() -> None:
    """A session takes its name from its meeting; the order is by start, not by key."""
    sessions = [
        session(2, "Race", date_start="2025-03-02T15:00:00+03:00"),
        session(9, "Qualifying", date_start="2025-03-01T15:00:00+03:00"),
    ]
    first, second = make_calendar(sessions, [meeting()]).sessions
    assert (first.partition.key, first.session_key) == ("2025/bahrain/qualifying", 9)
    assert (second.partition.key, second.meeting_key) == ("2025/bahrain/race", 1)
    assert second.date_start == datetime(2025, 3, 2, 12, tzinfo=UTC)
    assert (second.grand_prix_name, second.session_name) == ("Bahrain Grand Prix", "Race")
    assert second.record == sessions[0]


def test_several_years_take_two_calls() -> None:
    """Years are asked for together: one call for sessions, one for meetings."""
    network = api(
        [session(1), session(2, meeting=2, year=2024)], [meeting(), meeting(2, year=2024)]
    )
    read = read_calendar(make_client(network), [2025, 2024, 2025], now=NOW, session_types=None)
    assert network.urls == [f"{BASE_URL}/{e}?year=2024&year=2025" for e in ("sessions", "meetings")]
    assert partition_keys(read) == {1: "2025/bahrain/race", 2: "2024/bahrain/race"}


def test_what_is_left_out_says_why(caplog: pytest.LogCaptureFixture) -> None:
    """Cancelled, future, live and unselected sessions are no partitions; each is accounted for."""
    soon = (NOW + timedelta(minutes=1)).isoformat()
    early = (NOW - timedelta(hours=2)).isoformat()
    sessions = [
        session(1),
        session(2, meeting=2, is_cancelled=True),
        session(3, meeting=3),
        session(4, meeting=4, date_start=soon, date_end=soon),
        session(5, meeting=5, date_start=early, date_end=(NOW - timedelta(minutes=44)).isoformat()),
        session(6, meeting=6, date_start=early, date_end=(NOW - timedelta(minutes=45)).isoformat()),
        session(7, "Practice 1"),
        session(8, "Practice 2", date_start=soon, date_end=soon),
    ]
    meetings = [meeting(n, f"Round {n}", is_cancelled=n == 3) for n in range(1, 7)]
    with caplog.at_level(logging.INFO, logger="f1_bronze.openf1"):
        read = make_calendar(sessions, meetings, session_types={"race"})
    assert set(partition_keys(read)) == {1, 6}
    assert left_out_reasons(read) == {
        2: "cancelled",
        3: "cancelled",
        4: "future",
        5: "live",
        7: "not_selected",
        8: "not_selected",
    }
    assert "future: 2025 Round 4 Race (session 4) is no partition" in caplog.messages
    assert "2 sessions are of types that are not selected" in caplog.messages
    assert not any("Practice" in message for message in caplog.messages)


def test_the_settling_time_can_be_set() -> None:
    """A session counts as live until the given time after its scheduled end."""
    end = (NOW - timedelta(minutes=10)).isoformat()
    sessions = [session(1, date_start="2025-06-01T09:00:00+00:00", date_end=end)]
    assert left_out_reasons(make_calendar(sessions, [meeting()])) == {1: "live"}
    read = make_calendar(sessions, [meeting()], settling=timedelta(minutes=5))
    assert partition_keys(read) == {1: "2025/bahrain/race"}


@pytest.mark.parametrize(
    "lack",
    [
        {"session_key": None},
        {"session_key": "1"},
        {"session_name": None},
        {"session_name": "  "},
        {"session_name": "決勝"},
        {"date_start": None},
        {"date_end": "soon"},
        {"date_start": "2025-03-01T10:00:00"},
        {"year": None},
        {"year": "2025"},
    ],
)
def test_a_record_that_cannot_be_placed_is_left_out(
    lack: Record, caplog: pytest.LogCaptureFixture
) -> None:
    """A record lacking key, name, year or a date is left out with a warning, the rest stays."""
    read = make_calendar([session(1) | lack, session(2, "Qualifying")], [meeting()])
    assert partition_keys(read) == {2: "2025/bahrain/qualifying"}
    assert [left.reason for left in read.left_out] == [LeftOutReason.UNPLACEABLE]
    assert any(record.levelno == logging.WARNING for record in caplog.records)


def test_a_missing_meeting_is_replaced_by_the_place(caplog: pytest.LogCaptureFixture) -> None:
    """Without its meeting a session is named by its place, apart from another of that name."""
    sessions = [
        session(1, meeting=1),
        session(2, "Qualifying", meeting=7, location=None, circuit_short_name="Sakhir"),
        session(3, "Race", meeting=7),
        session(4, "Race", meeting=8, location="", circuit_short_name=None),
        session(5, "Race", meeting=None, location="Imola"),
        session(6, "Qualifying", meeting=None, location="Imola"),
    ]
    read = make_calendar(sessions, [meeting(1, "Sakhir Grand Prix")])
    assert partition_keys(read) == {
        1: "2025/sakhir/race",
        2: "2025/sakhir_7/qualifying",
        3: "2025/sakhir_7/race",
        4: "2025/bahrain/race",
        5: "2025/imola/race",
        6: "2025/imola/qualifying",
    }
    warned = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len(warned) == 3
    assert warned[0].startswith("Meeting 7 of session 2 is not listed")


def test_no_meetings_at_all_is_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    """When meetings come empty, places name the Grands Prix, with a single warning."""
    read = make_calendar([session(1), session(2, meeting=2, location="Imola")], [])
    assert partition_keys(read) == {1: "2025/sakhir/race", 2: "2025/imola/race"}
    assert [r.levelno for r in caplog.records].count(logging.WARNING) == 1


def test_a_failure_of_meetings_is_no_empty_answer() -> None:
    """When meetings cannot be read, the calendar fails rather than name by place."""

    def answer(request: requests.PreparedRequest) -> Reply:
        return rows(session(1)) if "/sessions" in str(request.url) else (503, "")

    with pytest.raises(Unavailable):
        read_calendar(make_client(FakeNetwork(answer)), [2025], now=NOW, session_types=None)


def in_turn(sessions: list[Reply], meetings: list[Reply]) -> FakeNetwork:
    """An API whose lists answer these in turn, the last ones for ever after."""

    def answer(request: requests.PreparedRequest) -> Reply:
        replies = sessions if "/sessions" in str(request.url) else meetings
        return replies.pop(0) if len(replies) > 1 else replies[0]

    return FakeNetwork(answer)


def test_meetings_missing_once_name_nothing_by_place() -> None:
    """A slip of the API (no results, strangers, the meetings of another season) costs a call."""
    good = rows(meeting())
    for slip in (NO_RESULTS, rows({}), rows(meeting(7, "Dutch Grand Prix"))):
        client = make_client(in_turn([rows(session(1))], [slip, good]))
        read = read_calendar(client, [2025], now=NOW, session_types=None)
        assert partition_keys(read) == {1: "2025/bahrain/race"}
        assert client.counters.calls == 3


def test_meetings_missing_twice_are_missing() -> None:
    """One season's are, another's are not: one more look, then places name the one season."""
    sessions = rows(session(1), session(2, meeting=2, year=2024, location="Imola"))
    client = make_client(in_turn([sessions], [rows(meeting())]))
    read = read_calendar(client, [2024, 2025], now=NOW, session_types=None)
    assert partition_keys(read) == {1: "2025/bahrain/race", 2: "2024/imola/race"}
    assert client.counters.calls == 3


@pytest.mark.parametrize("endpoint", ["sessions", "meetings"])
@pytest.mark.parametrize("stranger", [{}, {"meeting_key": 1}, {"meeting_name": "A", "year": 2025}])
def test_strangers_for_ever_are_an_error(endpoint: str, stranger: Record) -> None:
    """Records that are no sessions or meetings prove no season unknown and name nothing."""
    lists = {"sessions": [rows(session(1))], "meetings": [rows(meeting())]}
    lists[endpoint] = [rows(stranger)]
    client = make_client(in_turn(**lists))
    with pytest.raises(Malformed, match=f"^OpenF1 answered .*{endpoint}.* that are no {endpoint}"):
        read_calendar(client, [2025], now=NOW, session_types=None)
    assert client.counters.calls == (5 if endpoint == "sessions" else 6)


def test_an_unknown_season_says_what_exists() -> None:
    """A year without any session is an error, not an empty calendar."""
    network = api([session(1)], [meeting()])
    with pytest.raises(UnknownSeason, match=r"no sessions of 2019; ask for a season from 2023"):
        read_calendar(make_client(network), [2019, 2025], now=NOW, session_types=None)
    assert len(network.requests) == 1
    assert read_calendar(make_client(network), [], now=NOW, session_types=None).sessions == ()


def test_the_time_of_reading_must_say_its_offset() -> None:
    """A naive `now` could be hours off, so it is refused."""
    with pytest.raises(ValueError, match="offset"):
        make_calendar([session(1)], [meeting()], now=datetime(2025, 6, 1))


def test_sessions_stay_where_they_were_placed(caplog: pytest.LogCaptureFixture) -> None:
    """A rename upstream moves no partition that exists, and is a warning."""
    placed = {1: SessionPartition(year=2025, grand_prix="bahrain", session_type="race")}
    read = make_calendar([session(1)], [meeting(1, "Gulf Grand Prix")], placed=placed)
    assert partition_keys(read) == {1: "2025/bahrain/race"}
    assert "named 2025/gulf/race upstream now and stays in partition 2025/bahrain/race" in "".join(
        caplog.messages
    )


def test_a_new_session_does_not_take_a_place() -> None:
    """A session whose place another one has gets its meeting's key, or its own within a meeting.

    A place held by a session that the calendar does not list gives nobody another name.
    """
    placed = {
        1: SessionPartition(year=2025, grand_prix="bahrain", session_type="race"),
        99: SessionPartition(year=2025, grand_prix="imola", session_type="race"),
    }
    sessions = [
        session(1, meeting=1),
        session(2, meeting=2),
        session(3, meeting=2),
        session(4, meeting=4),
        session(5, meeting=1),
    ]
    meetings = [
        meeting(1, "Gulf Grand Prix"),
        meeting(2, "Bahrain Grand Prix"),
        meeting(4, "Imola Grand Prix"),
    ]
    assert partition_keys(make_calendar(sessions, meetings, placed=placed)) == {
        1: "2025/bahrain/race",
        2: "2025/bahrain_2/race",
        3: "2025/bahrain_3/race",
        4: "2025/imola/race",  # held by 99, which is not listed: landing there is refused
        5: "2025/gulf/race",
    }


def test_two_sessions_of_one_name_in_a_meeting() -> None:
    """The later of two races of a meeting carries its own key."""
    assert partition_keys(make_calendar([session(1), session(2)], [meeting()])) == {
        1: "2025/bahrain/race",
        2: "2025/bahrain_2/race",
    }


@given(
    drawn=st.lists(
        st.tuples(
            st.integers(1, 12),
            st.sampled_from(["Race", "Qualifying", "Sprint Shootout", "Sprint Qualifying"]),
            st.sampled_from([1, 2, 3, None]),
            st.booleans(),
        ),
        min_size=1,
        max_size=12,
        unique_by=lambda one: one[0],
    ),
    listed=st.sets(st.sampled_from([1, 2, 3])),
    placed=st.dictionaries(
        st.integers(1, 14), st.sampled_from(["sakhir", "a", "a_2", "a_5"]), max_size=3
    ),
    data=st.data(),
)
def test_no_two_sessions_share_a_partition_and_none_moves(
    drawn: list[tuple[int, str, int | None, bool]],
    listed: set[int],
    placed: dict[int, str],
    data: st.DataObject,
) -> None:
    """For any calendar: keys are unique, placed ones stay, and cancelling moves no other."""
    sessions = [session(k, name, home, is_cancelled=off) for k, name, home, off in drawn]
    meetings = [meeting(key, "A Grand Prix") for key in sorted(listed)]
    taken = {
        key: SessionPartition(year=2025, grand_prix=f"{name}_x{key}", session_type="race")
        if data.draw(st.booleans())
        else SessionPartition(year=2025, grand_prix=f"{name}_{key}", session_type="qualifying")
        for key, name in placed.items()
    }
    before = partition_keys(make_calendar(sessions, meetings, placed=taken))
    assert len(set(before.values())) == len(before)
    assert all(before[key] == taken[key].key for key in before if key in taken)
    known = {one[0] for one in drawn}
    others = {p.key for key, p in taken.items() if key in known and key not in before}
    assert not others & set(before.values())
    off = data.draw(st.sampled_from([one[0] for one in drawn]))
    sessions = [
        s | {"is_cancelled": s["is_cancelled"] or s["session_key"] == off} for s in sessions
    ]
    after = partition_keys(make_calendar(sessions, meetings, placed=taken))
    assert after == {key: name for key, name in before.items() if key != off}


def test_grands_prix_are_chosen_by_slug_or_name() -> None:
    """A slug, a name with accents and one with "Grand Prix" choose the same; none means all."""
    sessions = [session(1), session(2, meeting=2), session(3, meeting=3, is_cancelled=True)]
    meetings = [meeting(), meeting(2, "São Paulo Grand Prix"), meeting(3, "Dutch Grand Prix")]
    read = make_calendar(sessions, meetings)
    for name in ("sao_paulo", "São Paulo", "São Paulo Grand Prix"):
        assert list(partition_keys(select_grands_prix(read, [name]))) == [2]
    assert select_grands_prix(read, []) == read
    cancelled = select_grands_prix(read, ["dutch"])
    assert (cancelled.sessions, left_out_reasons(cancelled)) == ((), {3: "cancelled"})
    with pytest.raises(UnknownGrandPrix) as raised:
        select_grands_prix(read, ["bahrein"])
    assert str(raised.value) == (
        "There is no Grand Prix 'bahrein'; did you mean bahrain? "
        "choose from bahrain, dutch, sao_paulo."
    )


def recorded(endpoint: str, year: int) -> list[Record]:
    path = RECORDINGS / endpoint / f"{year}.json"
    if not RECORDINGS.exists():
        pytest.skip(f"no recordings at {RECORDINGS}")
    return json.loads(path.read_text()) if path.exists() else []


def test_the_recorded_season_of_2024() -> None:
    """25 meetings make 48 races and qualifyings, named as the lake's paths name them."""
    sessions, meetings = recorded("sessions", 2024), recorded("meetings", 2024)
    assert len(meetings) == 25
    client = make_client(api(sessions, meetings))
    types = {"qualifying", "race"}
    read = read_calendar(client, [2024], now=NOW, session_types=types)
    assert len(read.sessions) == 48
    assert client.counters.calls == 2
    keys = partition_keys(read)
    assert len(set(keys.values())) == 48
    names = {s.partition.grand_prix for s in read.sessions}
    assert len(names) == 24
    assert names >= {"sao_paulo", "saudi_arabian", "emilia_romagna", "mexico_city", "las_vegas"}
    assert [s.partition.key for s in read.sessions[:2]] == [
        "2024/bahrain/qualifying",
        "2024/bahrain/race",
    ]
    assert keys[9472] == "2024/bahrain/race"
    starts = [s.date_start for s in read.sessions]
    assert starts == sorted(starts)
    assert Counter(left.reason for left in read.left_out) == {LeftOutReason.NOT_SELECTED: 75}


def test_recorded_sprints_are_apart_from_races() -> None:
    """Six sprint weekends of 2024, with sprint and sprint qualifying beside the race."""
    client = make_client(api(recorded("sessions", 2024), recorded("meetings", 2024)))
    read = read_calendar(client, [2024], now=NOW, session_types=None)
    types = Counter(s.partition.session_type for s in read.sessions)
    assert (types["race"], types["sprint"], types["sprint_qualifying"]) == (24, 6, 6)
    testing = {s.partition.key for s in read.sessions if "testing" in s.partition.grand_prix}
    assert testing == {f"2024/pre_season_testing/practice_{n}" for n in (1, 2, 3)}


def test_the_recorded_qualifyings_of_2026(caplog: pytest.LogCaptureFixture) -> None:
    """Without meetings places name them; two are cancelled, those to come are left out."""
    client = make_client(api(recorded("sessions", 2026), []))
    now = datetime(2026, 6, 20, tzinfo=UTC)
    read = read_calendar(client, [2026], now=now, session_types={"qualifying"})
    cancelled = {
        s["meeting_key"]
        for s in recorded("sessions", 2026)
        if s["session_key"] in [k for k, r in left_out_reasons(read).items() if r == "cancelled"]
    }
    assert cancelled == {1282, 1283}
    assert partition_keys(read)[11303] == "2026/barcelona/qualifying"
    assert all(s.date_end < now for s in read.sessions)
    assert Counter(left_out_reasons(read).values()).keys() == {"cancelled", "future"}
    assert len(read.sessions) + len(read.left_out) == 25
    assert [r.levelno for r in caplog.records].count(logging.WARNING) == 1


def test_a_season_that_may_be_absent() -> None:
    """The coming season may not be listed yet; that does not excuse records that are none."""
    network = api([session(1)], [meeting()])
    hurried = {"now": NOW, "session_types": None, "may_be_absent": [2025, 2026]}
    read = read_calendar(make_client(network, attempts=1), [2025, 2026], **hurried)
    assert partition_keys(read) == {1: "2025/bahrain/race"}
    one_is_strange = api([session(1), session(2, date_end="soon")], [meeting()])
    read = read_calendar(make_client(one_is_strange, attempts=1), [2025, 2026], **hurried)
    assert left_out_reasons(read) == {2: "unplaceable"}
    all_are = api([session(1, date_end="soon")], [meeting()])
    with pytest.raises(Malformed):
        read_calendar(make_client(all_are, attempts=1), [2025, 2026], **hurried)


def test_one_look_at_the_meetings() -> None:
    """A caller that must not ask a third time learns which years lack their meetings."""
    network = api([session(1)], [])
    hurried = {"now": NOW, "session_types": None, "looks": 1}
    assert read_calendar(make_client(network), [2025], **hurried).nameless == (2025,)
    assert len(network.requests) == 2
    named = api([session(1)], [meeting()])
    assert read_calendar(make_client(named), [2025], **hurried).nameless == ()


def test_what_is_left_out_keeps_its_place_and_times() -> None:
    """A session to come says which partition it will have, and when it takes place."""
    late = session(100)
    [left] = make_calendar([late], [meeting()], now=NOW).left_out
    assert left.partition == SessionPartition(year=2025, grand_prix="bahrain", session_type="race")
    assert left.date_start == datetime.fromisoformat(str(late["date_start"]))
    assert left.date_end == datetime.fromisoformat(str(late["date_end"]))


def test_a_name_that_is_too_long_leaves_its_own_sessions_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The other sessions are placed; the reason names the setting, and is no longer than needed."""
    meetings = [meeting(1, "X" * 300 + " Grand Prix"), meeting(2, "Monaco Grand Prix")]
    read = make_calendar([session(1), session(2, meeting=2)], meetings)
    assert partition_keys(read) == {2: "2025/monaco/race"}
    (left,) = read.left_out
    assert left.problem == (
        "its name has 300 characters, more than the 100 of F1_BRONZE_OPENF1_MAX_NAME"
    )
    assert len(left.name) < 100
    assert max(map(len, caplog.messages)) < 250


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"session_key": "2"}, "session_key is '2'"),
        ({"date_end": "soon", "year": None}, "year is None, date_end is 'soon'"),
        ({f"field_{n}": n for n in range(300)}, "F1_BRONZE_OPENF1_MAX_FIELDS"),
        ({"deep": nested(900)}, "nesting deeper than the 16 levels of F1_BRONZE_OPENF1_MAX_DEPTH"),
    ],
)
def test_an_unreadable_record_leaves_itself_out(change: Record, problem: str) -> None:
    """The reason names the fields and what they hold; the other sessions are placed."""
    read = make_calendar([session(1), session(2, "Qualifying", **change)], [meeting()])
    assert partition_keys(read) == {1: "2025/bahrain/race"}
    (left,) = read.left_out
    assert left.reason is LeftOutReason.UNPLACEABLE
    assert problem in left.problem


TWICE = [
    session(1, date_start="2025-03-02T13:00:00+00:00", date_end="2025-03-02T15:00:00+00:00"),
    session(1, date_start="2025-03-02T10:00:00+00:00", date_end="2025-03-02T12:00:00+00:00"),
]


def test_a_session_listed_twice_is_reported_and_order_means_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Of two times the later one is used, whichever comes first; equal records are no matter."""
    for records in (TWICE, TWICE[::-1], [*TWICE, TWICE[1]]):
        caplog.clear()
        (read,) = make_calendar(records, [meeting()]).sessions
        assert read.record == TWICE[0]
        (message,) = [text for text in caplog.messages if "with different" in text]
        assert message == (
            "OpenF1 lists session_key 1 in 2 records with different date_end, date_start; that "
            "with date_end 2025-03-02T15:00:00+00:00, date_start 2025-03-02T13:00:00+00:00 is used."
        )
    caplog.clear()
    make_calendar([TWICE[0], TWICE[0]], [meeting()])
    assert "with different" not in caplog.text


def test_a_meeting_listed_twice_is_reported_and_order_means_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Two names of one meeting give one partition, whichever comes first."""
    meetings = [meeting(name="Bahrain Grand Prix"), meeting(name="Sakhir Grand Prix")]
    for listed in (meetings, meetings[::-1]):
        assert partition_keys(make_calendar([session(1)], listed)) == {1: "2025/sakhir/race"}
    assert "meeting_key 1 in 2 records with different meeting_name" in caplog.text
    unnamed = [meeting(name=""), meetings[0]]
    caplog.clear()
    assert partition_keys(make_calendar([session(1)], unnamed)) == {1: "2025/bahrain/race"}
    assert "with different" not in caplog.text


def test_a_calendar_cut_short_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    """Sessions that the lake knows, and meetings that have begun, are missed when not listed."""
    placed = {
        key: SessionPartition(year=year, grand_prix=f"gp_{key}", session_type="race")
        for key, year in ((1, 2025), (7, 2025), (8, 2024))
    }
    meetings = [
        meeting(),
        meeting(2, "Monaco Grand Prix"),
        meeting(3, "Dutch Grand Prix", is_cancelled=True),
        meeting(200, "Qatar Grand Prix"),
    ]
    make_calendar([session(1)], meetings, placed=placed)
    known, begun = [m for m in caplog.messages if "cut short" in m]
    assert known.startswith(
        "OpenF1 does not list sessions that are known here: 2025/gp_7/race (session 7)."
    )
    assert begun.startswith(
        "OpenF1 lists no session of meetings that have begun: 2025 Monaco Grand Prix."
    )


def case(name: str, folder: str) -> Calendar:
    """The calendar of a case that was reported, as a simulator would serve it."""
    data = CASES / name / folder
    if not data.exists():
        pytest.skip(f"no cases at {CASES}")
    sessions = json.loads((data / "sessions" / "2025.json").read_text())
    return make_calendar(
        sessions,
        json.loads((data / "meetings" / "2025.json").read_text()),
        now=datetime(2026, 1, 1, tzinfo=UTC),
    )


def test_the_case_of_a_session_listed_twice() -> None:
    """The two orders of the reported records give one and the same session."""
    first, second = (case("session_listed_twice", f) for f in ("1_old_first", "2_new_first"))
    assert first == second
    assert [one.record for one in first.sessions] == [one.record for one in second.sessions]


@pytest.mark.parametrize(
    "name",
    [
        "Emilia Romagna Grand Prix",
        "emilia-romagna",
        "emilia_romagna_1",
        "Formula 1 AWS Gran Premio dell'Emilia-Romagna 2025",
        "Imola",
        "Autodromo Enzo e Dino Ferrari",
        "ITALY",
    ],
)
def test_a_grand_prix_is_found_by_any_name_that_the_calendar_has(name: str) -> None:
    """Its own, the official one, the place, the circuit, the country; accents and case are free."""
    place = {
        "location": "Imola",
        "country_name": "Italy",
        "circuit_short_name": "Autodromo Enzo e Dino Ferrari",
    }
    official = "FORMULA 1 AWS GRAN PREMIO DELL'EMILIA-ROMAGNA 2025"
    meetings = [
        meeting(1, "Emilia Romagna Grand Prix", meeting_official_name=official, **place),
        meeting(2, "Monaco Grand Prix"),
    ]
    sessions = [session(1, **place), session(2, meeting=2)]
    placed = {1: SessionPartition(year=2025, grand_prix="emilia_romagna_1", session_type="race")}
    read = make_calendar(sessions, meetings, placed=placed)
    assert list(partition_keys(select_grands_prix(read, [name]))) == [1]


def test_of_two_meetings_with_one_name_the_one_that_took_place_is_found() -> None:
    """The cancelled one is among what is left out; a slug of a session means that one alone."""
    meetings = [
        meeting(1, "Test Grand Prix", is_cancelled=True),
        meeting(2, "Test Grand Prix"),
        meeting(3, "Test Grand Prix"),
    ]
    read = make_calendar([session(n, meeting=n) for n in (1, 2, 3)], meetings)
    assert partition_keys(read) == {2: "2025/test_2/race", 3: "2025/test_3/race"}
    for name in ("Test Grand Prix", "test"):
        chosen = select_grands_prix(read, [name])
        assert (list(partition_keys(chosen)), list(left_out_reasons(chosen))) == ([2, 3], [1])
    assert list(partition_keys(select_grands_prix(read, ["test_3"]))) == [3]


def test_a_grand_prix_that_was_renamed_is_found_by_both_names() -> None:
    """A session that keeps its partition is found by the partition and by what it is called now."""
    placed = {1: SessionPartition(year=2025, grand_prix="test", session_type="race")}
    read = make_calendar(
        [session(1)], [meeting(1, "Testville-Riverside Grand Prix")], placed=placed
    )
    for name in ("test", "Testville-Riverside", "Testville-Riverside Grand Prix"):
        assert partition_keys(select_grands_prix(read, [name])) == {1: "2025/test/race"}


def test_the_case_of_one_name_for_two_meetings() -> None:
    """The race that took place is found by the name."""
    read = case("one_name_two_meetings", "data")
    assert list(partition_keys(select_grands_prix(read, ["Test Grand Prix"])).values()) == [
        "2025/test_7099/race"
    ]


def test_the_case_of_a_name_of_digits() -> None:
    """A name of digits alone is no number to any reader; it is found as it is written."""
    read = case("name_of_digits", "data")
    assert {one.partition.grand_prix for one in read.sessions} == {"grand_prix_1000"}
    assert select_grands_prix(read, ["1000"]) == select_grands_prix(read, ["1000 Grand Prix"])
