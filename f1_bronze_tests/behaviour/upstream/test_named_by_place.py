"""Sessions that are stored while OpenF1 has no name for their Grand Prix, and get it later."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from f1_bronze.cli import provisional_moves, verify_command
from f1_bronze.lake.local import LocalStore
from f1_bronze_tests.behaviour.upstream.season import (
    MEETING_KEY,
    Record,
    drivers,
    meeting,
    race,
    results,
    serve,
)
from f1_bronze_tests.commands import Ran, Run
from f1_bronze_tests.servers import MOTO_KEYS, serve_moto

pytestmark = pytest.mark.slow

_WRITE = LocalStore.write
EVERY = ("ingest", "2025", "--session-type", "all", "--dataset", "sessions")
BY_PLACE, BY_NAME = "2025/testville/race", "2025/test/race"
NAMELESS = [
    meeting("", meeting_official_name=None),
    meeting(
        "Other Grand Prix", meeting_key=MEETING_KEY + 1, date_start="2025-11-02T11:00:00+00:00"
    ),
]
QUALIFYING = race(
    session_key=9002,
    session_name="Qualifying",
    session_type="Qualifying",
    date_start="2025-05-03T13:00:00+00:00",
    date_end="2025-05-03T14:00:00+00:00",
)
ROWS = {"session_result": results(), "drivers": drivers()}


@pytest.fixture(params=["local", "s3"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Settings of a lake, once in a folder and once on S3."""
    if request.param == "local":
        yield {"LAKE_URI": str(tmp_path / "lake")}
        return
    with serve_moto("moved") as address:
        yield {"LAKE_URI": "s3://moved/f1", "AWS_ENDPOINT_URL": address, **MOTO_KEYS}


def settings(openf1_url: str, lake: dict[str, str]) -> dict[str, str]:
    return {"OPENF1_URL": openf1_url, "OPENF1_LIMITS": "1000/1s", **lake}


def findings(ran: Ran) -> list[tuple[str, str, str]]:
    return [(one["trouble"], one["state"], one["partition"]) for one in ran.data["findings"]]


def places(run: Run, lake: dict[str, str]) -> list[tuple[str, int]]:
    """Partition and rows, as readers see them."""
    query = (
        "SELECT year || '/' || grand_prix || '/' || session_type AS key, count(*) AS rows "
        "FROM results GROUP BY 1 ORDER BY 1"
    )
    ran = run("sql", query, "--json", **lake)
    return [(row["key"], row["rows"]) for row in ran.data]


@pytest.mark.parametrize("meetings", [[], NAMELESS], ids=["no meetings", "a nameless one"])
def test_it_is_shown_to_be_provisional(tmp_path: Path, run: Run, meetings: list[Record]) -> None:
    """Everywhere a person looks, and nothing is wrong meanwhile: the session stays in one place,
    however often it is stored."""
    local = {"LAKE_URI": str(tmp_path / "lake")}
    with serve(tmp_path / "openf1", meetings=meetings, **ROWS) as openf1:
        fast = settings(openf1.url, local)
        for revision in ("new", "unchanged"):
            ran = run(*EVERY, "--dataset", "results", "--json", **fast)
            assert ran.status == 0, ran.err
            assert [row[revision] for row in ran.data["datasets"]] == [1, 1]
        verified = run("verify", "2025", "--json", **fast)
        assert (verified.status, findings(verified)) == (
            0,
            [("provisional", "waits for OpenF1", BY_PLACE)],
        )
        repaired = run("verify", "2025", "--repair", "--json", **fast)
        assert (repaired.status, findings(repaired)) == (0, findings(verified))
    says = "Provisionally named by its place"
    assert f"{BY_PLACE} (by place)" in (shown := run("status", "2025", **local).out)
    assert says in shown
    [session] = run("status", "2025", "--json", **local).data["sessions"]
    assert session["provisional"]["moves_to"] is None
    run("report", "2025", "--output", "page.html", **local)
    assert says in (tmp_path / "page.html").read_text()


def test_it_moves_once_openf1_has_the_name(tmp_path: Path, run: Run, lake: dict[str, str]) -> None:
    """verify says so and --repair moves files and revisions, record and checks; what is stored next
    is stored there, and nothing is stored twice."""
    corrected = results()
    corrected[5]["points"] = 7.0
    with serve(tmp_path / "before", meetings=[], sessions=[race()], **ROWS) as openf1:
        fast = settings(openf1.url, lake)
        assert run(*EVERY, "--dataset", "results", "--dataset", "drivers", **fast).status == 0
    again = {**ROWS, "session_result": corrected}
    with serve(tmp_path / "corrected", meetings=[], sessions=[race()], **again) as openf1:
        assert run(*EVERY, "--dataset", "results", **settings(openf1.url, lake)).status == 0
    before = run("history", "results", BY_PLACE, "--json", **lake).data
    sessions = [QUALIFYING, race()]
    with serve(tmp_path / "named", sessions=sessions, **again) as openf1:
        fast = settings(openf1.url, lake)
        # Of the meeting, one session is new, and the one that is stored stays for now.
        ran = run(*EVERY, "--dataset", "results", "--json", **fast)
        assert f"{BY_PLACE}: Provisionally named by its place" in ran.err
        assert [(row["new"], row["unchanged"]) for row in ran.data["datasets"]] == [(1, 1), (0, 1)]
        shown = run("status", "2025", **lake).out
        assert "OpenF1 lists its Grand Prix now. `f1-bronze verify 2025 --repair`" in shown
        found = run("verify", "2025", "--json", **fast)
        assert (found.status, findings(found)) == (1, [("provisional", "wrong", BY_PLACE)])
        assert f"It belongs to {BY_NAME} (Test Grand Prix)." in found.data["findings"][0]["detail"]

        repaired = run("verify", "2025", "--repair", "--json", **fast)
        assert (repaired.status, findings(repaired)) == (
            0,
            [("provisional", "repaired", BY_PLACE)],
        )
        after = run("history", "results", BY_NAME, "--json", **lake).data
        assert [one["content_sha256"] for one in after["revisions"]] == [
            one["content_sha256"] for one in before["revisions"]
        ]
        assert [one["since"] for one in after["revisions"]] == [
            one["since"] for one in before["revisions"]
        ]
        assert places(run, lake) == [("2025/test/race", 6)]
        verified = run("verify", "2025", "--json", **fast)
        assert (verified.status, verified.data["findings"]) == (0, [])
        ran = run(*EVERY, "--dataset", "results", "--dataset", "drivers", "--json", **fast)
        assert [row["unchanged"] for row in ran.data["datasets"]] == [2, 1, 2]
        missing = run(*EVERY, "--dataset", "results", "--missing", "--json", **fast)
        assert missing.data["runs"] == []
    listed = run("status", "2025", "--json", **lake).data["sessions"]
    assert [(one["partition"], one["provisional"]) for one in listed] == [
        ("2025/test/qualifying", None),
        (BY_NAME, None),
    ]


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("at", ["files", "record", "checks", "old partition"])
def test_a_repair_that_is_killed_is_finished_by_the_next(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    """Wherever it ends: each row is in the lake, and the next one leaves nothing to be done."""
    local = {"LAKE_URI": str(tmp_path / "lake")}
    every = (*EVERY, "--dataset", "results", "--dataset", "drivers")
    with serve(tmp_path / "before", meetings=[], **ROWS) as openf1:
        assert run(*every, **settings(openf1.url, local)).status == 0
    with serve(tmp_path / "named", **ROWS) as openf1:
        fast = settings(openf1.url, local)
        with monkeypatch.context() as patched:
            left = [4]

            def die(*_: Any, **__: Any) -> None:
                raise Killed

            def write(store: LocalStore, *args: Any, **words: Any) -> None:
                if not left[0]:
                    raise Killed
                left[0] -= 1
                _WRITE(store, *args, **words)

            match at:
                case "files":
                    patched.setattr(LocalStore, "write", write)
                case "record":
                    patched.setattr(verify_command, "materialization_of", die)
                case "checks":
                    patched.setattr(verify_command, "_evaluate_checks", die)
                case _:
                    patched.setattr(provisional_moves, "give_up", die)
            with pytest.raises(Killed):
                run("verify", "2025", "--repair", **fast)
        assert {rows for _, rows in places(run, local)} == {6}
        # A run between the two finds the session where it is, and stores it nowhere else.
        assert run("ingest", "2025", "--session-type", "race", **fast).status in (0, 1)
        repaired = run("verify", "2025", "--repair", "--json", **fast)
        assert repaired.status == 0, repaired.data
        verified = run("verify", "2025", "--json", **fast)
        assert (verified.status, verified.data["findings"]) == (0, [])
    assert places(run, local) == [(BY_NAME, 6)]
    [session] = run("status", "2025", "--json", **local).data["sessions"]
    assert (session["partition"], session["provisional"]) == (BY_NAME, None)


@pytest.mark.parametrize("dataset", ["sessions", "results"])
def test_a_name_that_is_the_place_s_is_settled(tmp_path: Path, run: Run, dataset: str) -> None:
    """Monaco is called after its place: it is provisional without a meeting, not with it, and a
    later name does not move what a meeting has named."""
    local = {"LAKE_URI": str(tmp_path / "lake")}
    for number, (meetings, provisional) in enumerate(
        [
            ([], True),
            ([meeting("Testville Grand Prix")], False),
            ([meeting("Riverside Grand Prix")], False),
            ([], False),
        ]
    ):
        with serve(tmp_path / str(number), meetings=meetings, **ROWS) as openf1:
            fast = settings(openf1.url, local)
            missing = ["--missing"] * (number == 1)  # nothing is stored, and the name is learnt
            assert run(*EVERY[:-1], dataset, *missing, **fast).status == 0
            verified = run("verify", "2025", "--json", **fast)
        assert verified.status == 0
        assert bool(verified.data["findings"]) == provisional
        [session] = run("status", "2025", "--json", **local).data["sessions"]
        assert (session["partition"], bool(session["provisional"])) == (BY_PLACE, provisional)
