"""f1-bronze history: the list of revisions, the rows of one, and wrong use."""

from datetime import UTC, datetime

import pytest

from f1_bronze.cli.history_command import history
from f1_bronze.lake.lake import Lake
from f1_bronze.lake.landing import Candidate, Landing

from ..weekend import DATASET, RACE, Weekend

pytestmark = pytest.mark.slow

LAPS = DATASET["laps"]
FIRST = datetime(2125, 4, 20, 6, 0, tzinfo=UTC)
SECOND = datetime(2125, 4, 27, 6, 0, tzinfo=UTC)
"""After the weekend was ingested, which is when these tests run."""


def correct(
    weekend: Weekend, moment: datetime, *, rows: int | None = None, **fields: object
) -> Landing:
    """Land the race's laps again, the first of them with other values."""
    stored = weekend.lake.read(LAPS, RACE)
    records = stored.records(LAPS)[:rows]
    records[0] |= fields
    lake = Lake(weekend.lake.store, clock=lambda: moment)
    return lake.land(
        Candidate(
            dataset=LAPS,
            partition=RACE,
            session_key=stored.provenance.session_key,
            records=records,
            source=stored.provenance.source,
            notes={},
        )
    )


@pytest.fixture
def corrected(weekend: Weekend) -> Weekend:
    """The weekend after two corrections and a refused answer."""
    correct(weekend, FIRST, st_speed=1)
    correct(weekend, SECOND, st_speed=2, is_pit_out_lap=None)
    correct(weekend, SECOND, rows=100)
    return weekend


def test_list(corrected: Weekend) -> None:
    """Each revision has its time, rows, hash and what changed; values are listed, with their key;
    a refused answer is listed apart."""
    ran = corrected.run(history, "laps", "2025/bahrain/race")
    assert ran.status == 0, ran.err
    lines = [" ".join(line.split()) for line in ran.out.splitlines()]
    assert lines[0] == "revision since replaced at rows added removed changed bytes content sha256"
    arrived = corrected.lake.history(LAPS, RACE).contents[0].since
    assert arrived is not None
    assert lines[1].startswith(
        f"1 {arrived.isoformat(timespec='seconds')} 2125-04-20T06:00:00+00:00 1,080 "
    )
    assert lines[2].startswith("2 2125-04-20T06:00:00+00:00 2125-04-27T06:00:00+00:00 1,080 0 0 1 ")
    assert lines[3].startswith("3 2125-04-27T06:00:00+00:00 current 1,080 0 0 1 ")
    assert "laps of 2025/bahrain/race." in lines
    assert any(line.endswith("1 st_speed 306 1") for line in lines)
    assert "3 3 1 st_speed 1 2" in lines
    assert "3 3 1 is_pit_out_lap False None" in lines
    [refused] = [line for line in lines if line.startswith("refused 100 ")]
    assert "/refused_" in refused


def test_list_as_json(corrected: Weekend) -> None:
    """The same for programs, hashes and keys in full."""
    data = corrected.run(history, "laps", "2025/bahrain/race", "--json").data
    one, two, three = data["revisions"]
    assert data["dataset"] == "laps"
    assert (one["revision"], one["changes"]) == (1, None)
    assert one["since"] < one["replaced_at"]
    assert one["replaced_at"] == two["since"] == FIRST.isoformat()
    assert (one["current"], three["current"], three["replaced_at"]) == (False, True, None)
    assert three["content_sha256"] == corrected.lake.read(LAPS, RACE).provenance.content_sha256
    assert three["uri"] == corrected.file().as_uri().replace("%3D", "=")
    key = {"session_key": 907047, "driver_number": 3, "lap_number": 1}
    assert two["changes"] == {
        "added": [],
        "removed": [],
        "changed": [key],
        "changed_values": [
            {"key": key, "values": [{"column": "st_speed", "before": 306, "after": 1}]}
        ],
    }
    [aside] = data["kept_aside"]
    assert (aside["kept_as"], aside["rows"]) == ("refused", 100)


def test_one_revision(corrected: Weekend) -> None:
    """The rows of one: the first as a table, all of them as the API's records."""
    ran = corrected.run(history, "laps", "2025/bahrain/race", "--revision", "2")
    assert ran.status == 0
    lines = ran.out.splitlines()
    assert lines[0] == (
        "laps of 2025/bahrain/race, revision 2: 1,080 rows, current since "
        "2125-04-20T06:00:00+00:00, replaced 2125-04-27T06:00:00+00:00."
    )
    assert len(lines) == 1 + 1 + 20 + 1
    assert lines[-1] == "… and 1,060 more rows; --json prints them all"
    records = corrected.run(history, "laps", "2025/bahrain/race", "--revision", "2", "--json").data
    current = corrected.lake.read(LAPS, RACE).records(LAPS)
    assert records == [current[0] | {"st_speed": 1, "is_pit_out_lap": False}, *current[1:]]


def test_as_of(corrected: Weekend) -> None:
    """--at reads what was current then, in UTC unless the time says otherwise."""
    stored = corrected.lake.history(LAPS, RACE).contents[0].since
    assert stored is not None
    for time, speed in (
        (stored.isoformat(), 306),
        ("2125-04-20T05:59:59", 306),
        ("2125-04-20T06:00:00Z", 1),
        ("2125-04-20T07:59:59+02:00", 306),
        ("2125-04-27", 1),
        ("2130-01-01", 2),
    ):
        records = corrected.run(history, "laps", "2025/bahrain/race", "--at", time, "--json").data
        assert records[0]["st_speed"] == speed, time


def test_before_the_first_landing(corrected: Weekend) -> None:
    """A time before anything was stored is exit status 2, with the time when it was."""
    ran = corrected.run(history, "laps", "2025/bahrain/race", "--at", "2020-01-01")
    stored = corrected.lake.history(LAPS, RACE).contents[0].since
    assert stored is not None
    assert ran.status == 2
    assert (
        "laps of 2025/bahrain/race held nothing at 2020-01-01T00:00:00+00:00 that is kept: "
        f"revision 1 arrived at {stored.isoformat()}. Choose that moment or a later one."
    ) in ran.err


def test_arrival_that_is_not_known(corrected: Weekend) -> None:
    """In a lake without marks of arrivals the first content is since `?`, and a sentence says who
    knows more; it answers for every moment before."""
    for mark in (corrected.folder / "lake/revisions").rglob("arrived_*"):
        mark.unlink()
    ran = corrected.run(history, "laps", "2025/bahrain/race")
    lines = [" ".join(line.split()) for line in ran.out.splitlines()]
    assert lines[1].startswith("1 ? 2125-04-20T06:00:00+00:00 1,080 ")
    assert (
        "laps of 2025/bahrain/race. No file in the lake shows when revision 1 was "
        "stored; Dagster's record of the partition does."
    ) in lines
    at = ("--at", "2020-01-01", "--json")
    assert corrected.run(history, "laps", "2025/bahrain/race", *at).data[0]["st_speed"] == 306


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["lasp", "2025/bahrain/race"], "There is no dataset 'lasp'. Did you mean laps?"),
        (
            ["laps", "2025/bahrian/race"],
            "laps of 2025/bahrian/race is not in the lake. Ingest it with `f1-bronze ingest 2025 "
            "--grand-prix bahrian --session-type race`. The lake has 2025/bahrain/race, "
            "2025/bahrain/qualifying, …",
        ),
        (
            ["laps", "bahrain"],
            "'bahrain' is not a partition key; write YEAR/GRAND_PRIX/",
        ),
        (
            ["laps", "2025/bahrain/race", "--revision", "9"],
            "has no revision 9. Choose from 1 to 1.",
        ),
        (["laps", "2025/bahrain/race", "--at", "soon"], "'soon' is not a time; write 2025-04-14"),
        (
            ["laps", "2025/bahrain/race", "--at", "2025-01-01", "--revision", "1"],
            "--at and --revision exclude each other",
        ),
    ],
)
def test_wrong_use(ingested_weekend: Weekend, words: list[str], sentence: str) -> None:
    """What is not there is exit status 2 and a sentence with the nearest names."""
    ran = ingested_weekend.run(history, *words)
    assert ran.status == 2
    assert sentence in ran.err
    assert "Traceback" not in ran.err


def test_revision_that_cannot_be_read(corrected: Weekend) -> None:
    """A damaged revision is marked in the list, and is exit status 1 when it is asked for."""
    [path] = [
        corrected.folder / "lake" / entry.path
        for entry in corrected.lake.store.list("revisions/")
        if "21250420T" in entry.path
    ]
    path.write_bytes(b"torn")
    listed = corrected.run(history, "laps", "2025/bahrain/race")
    assert listed.status == 0
    assert "(cannot be read)" in listed.out
    asked = corrected.run(history, "laps", "2025/bahrain/race", "--revision", "1")
    assert asked.status == 1
    assert (
        f"Revision 1 of laps of 2025/bahrain/race cannot be read: {path.as_uri()}"[:60] in asked.err
    )
