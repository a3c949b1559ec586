"""From sessions that are wanted to as few runs as Dagster can record truthfully."""

from datetime import UTC, datetime, timedelta

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.defs.automation.launch import Plan, PlannedRun, recent
from f1_bronze.defs.partitions import Registered
from f1_bronze.openf1.calendar import CalendarSession

START = datetime(2025, 4, 13, 15, tzinfo=UTC)
BY_NAME = {dataset.name: dataset for dataset in DATASETS}


def session(number: int, key: str) -> CalendarSession:
    """A session of the calendar, one a day."""
    return CalendarSession(
        partition=SessionPartition.parse(key),
        session_key=number,
        meeting_key=1,
        session_name="any",
        grand_prix_name="any",
        date_start=START + timedelta(days=number),
        date_end=START + timedelta(days=number, hours=2),
        record={},
    )


KEYS = ["2025/a/qualifying", "2025/a/race", "2025/b/sprint", "2025/b/qualifying", "2025/b/race"]
SESSIONS = tuple(session(number, key) for number, key in enumerate(KEYS))
REGISTERED = Registered(
    session_keys=tuple(KEYS), race_keys=("2025/a/race", "2025/b/sprint", "2025/b/race")
)


def shape(runs: list[PlannedRun]) -> list[tuple[str, list[str], tuple[str, ...]]]:
    """Job, dataset names and keys of each run."""
    return [(run.job, [d.name for d in run.datasets], run.keys) for run in runs]


def test_neighbours_make_one_run() -> None:
    """A whole season is one run of each job."""
    runs = Plan(sessions=SESSIONS, datasets=DATASETS).runs(REGISTERED)
    assert shape(runs) == [
        ("bronze_sessions", ["sessions", "drivers", "results", "laps"], tuple(KEYS)),
        (
            "bronze_races",
            ["stints", "pit_stops"],
            ("2025/a/race", "2025/b/sprint", "2025/b/race"),
        ),
    ]
    assert runs[0].tags == {
        "dagster/asset_partition_range_start": "2025/a/qualifying",
        "dagster/asset_partition_range_end": "2025/b/race",
    }


def test_a_gap_makes_two_runs() -> None:
    """A partition that is not wanted is never between the ends of a run's range."""
    plan = Plan(sessions=(SESSIONS[0], SESSIONS[1], SESSIONS[4]), datasets=(BY_NAME["laps"],))
    assert shape(plan.runs(REGISTERED)) == [
        ("bronze_sessions", ["laps"], ("2025/a/qualifying", "2025/a/race")),
        ("bronze_sessions", ["laps"], ("2025/b/race",)),
    ]
    assert plan.runs(REGISTERED)[1].tags == {"dagster/partition": "2025/b/race"}


def test_only_what_is_missing() -> None:
    """Neighbours of which different datasets are missing are different runs."""
    everything = {s.partition for s in SESSIONS}
    stored = {
        "drivers": everything,
        "laps": everything - {SESSIONS[1].partition, SESSIONS[2].partition},
        "results": everything - {SESSIONS[2].partition},
    }
    datasets = (BY_NAME["drivers"], BY_NAME["results"], BY_NAME["laps"])
    plan = Plan(sessions=SESSIONS, datasets=datasets, held=stored)
    assert shape(plan.runs(REGISTERED)) == [
        ("bronze_sessions", ["laps"], ("2025/a/race",)),
        ("bronze_sessions", ["results", "laps"], ("2025/b/sprint",)),
    ]
    sizes = {dataset.name: batches for dataset, batches in plan.batches().items()}
    assert sizes == {"drivers": [], "results": [1], "laps": [2]}
    assert plan.calls == 2


def test_long_runs_are_cut() -> None:
    """No run has more partitions than a season with every session type."""
    many = [session(number, f"2025/gp{number}/race") for number in range(300)]
    plan = Plan(sessions=tuple(many), datasets=(BY_NAME["sessions"],))
    keys = tuple(s.partition.key for s in many)
    runs = plan.runs(Registered(session_keys=keys, race_keys=keys))
    assert [len(run.keys) for run in runs] == [128, 128, 44]
    assert [key for run in runs for key in run.keys] == list(keys)


def test_calls_of_a_season() -> None:
    """48 sessions cost six calls besides the calendar."""
    season = tuple(
        session(2 * number + half, f"2025/gp{number}/{kind}")
        for number in range(24)
        for half, kind in enumerate(("qualifying", "race"))
    )
    plan = Plan(sessions=season, datasets=DATASETS)
    assert {dataset.name: batches for dataset, batches in plan.batches().items()} == {
        "sessions": [],
        "drivers": [48],
        "results": [48],
        "laps": [25, 23],
        "stints": [24],
        "pit_stops": [24],
    }
    assert plan.calls == 6


def test_runs_over_past_seasons_are_historical() -> None:
    """A run that begins before the running seasons says so; two seasons run in January."""

    def tags(first: str, now: datetime) -> dict[str, str]:
        keys = (first, "2026/a/race")
        run = PlannedRun(job="bronze_sessions", op="ingest_sessions", datasets=DATASETS, keys=keys)
        return run.historical_tags(now)

    historical = {"f1_bronze/historical": "true"}
    assert tags("2024/a/race", datetime(2026, 1, 5, tzinfo=UTC)) == historical
    assert tags("2025/a/race", datetime(2026, 1, 5, tzinfo=UTC)) == {}
    assert tags("2025/a/race", datetime(2026, 2, 1, tzinfo=UTC)) == historical
    assert tags("2026/a/qualifying", datetime(2026, 12, 24, tzinfo=UTC)) == {}


def test_recent_counts_from_the_end() -> None:
    """A session is recent by its end, not by its start."""
    now = SESSIONS[2].date_end + timedelta(days=1)
    assert recent(SESSIONS, 1, now) == SESSIONS[2:]
