"""Partitions are registered in an order that keeps selections together, however they are found."""

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.defs.automation.launch import plan_runs
from f1_bronze.defs.partitions import Registered, order_keys, read_registered, register

WEEKEND = ["2024/b/sprint", "2024/b/qualifying", "2024/b/race"]


def parsed(*keys: str) -> list[SessionPartition]:
    """The partitions of these keys."""
    return [SessionPartition.parse(key) for key in keys]


def test_races_and_sprints_are_in_both(instance: dg.DagsterInstance) -> None:
    """Only what is raced has stints and pit stops."""
    new = register(instance, parsed(*WEEKEND))
    assert [partition.key for partition in new] == WEEKEND
    registered = read_registered(instance)
    assert registered.session_keys == tuple(WEEKEND)
    assert registered.race_keys == ("2024/b/sprint", "2024/b/race")


def test_registering_again_adds_nothing(instance: dg.DagsterInstance) -> None:
    """The second registration of the same sessions finds nothing new."""
    register(instance, parsed(*WEEKEND))
    assert register(instance, parsed(*WEEKEND)) == ()
    assert read_registered(instance).session_keys == tuple(WEEKEND)


def test_an_earlier_season_goes_before(instance: dg.DagsterInstance) -> None:
    """A season that is registered later lies where its time is, and so do forgotten sessions."""
    register(instance, parsed("2025/a/race", "2025/c/race"))
    register(instance, parsed("2023/z/race"))
    register(instance, parsed("2025/a/race", "2025/b/race", "2025/c/race"))
    assert read_registered(instance).session_keys == (
        "2023/z/race",
        "2025/a/race",
        "2025/b/race",
        "2025/c/race",
    )


def start(instance: dg.DagsterInstance, **tags: str) -> str:
    """A run under way with these tags of Dagster, as its id."""
    job = dg.GraphDefinition(name="any").to_job()
    return instance.create_run_for_job(
        job,
        status=dg.DagsterRunStatus.STARTED,
        tags={f"dagster/{name}": value for name, value in tags.items()},
    ).run_id


@pytest.mark.parametrize(
    "tags",
    [
        {"partition": "2025/a/race"},
        {
            "asset_partition_range_start": "2024/y/race",
            "asset_partition_range_end": "2025/a/race",
        },
    ],
    ids=["partition", "range"],
)
def test_nothing_moves_under_a_run(
    tags: dict[str, str], instance: dg.DagsterInstance, caplog: pytest.LogCaptureFixture
) -> None:
    """While a run of keys that would move is under way new keys are added at the end, with a
    warning, and set in order later."""
    register(instance, parsed("2024/y/race", "2025/a/race"))
    run_id = start(instance, **tags)
    register(instance, parsed("2024/z/race"))
    keys = ("2024/y/race", "2025/a/race", "2024/z/race")
    assert read_registered(instance).session_keys == keys
    assert "out of order" in caplog.text
    instance.delete_run(run_id)
    register(instance, parsed("2024/z/race"))
    assert read_registered(instance).session_keys == ("2024/y/race", "2024/z/race", "2025/a/race")


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"partition": "2025-11-28"},
        {"partition": "2024/y/race"},
        {
            "asset_partition_range_start": "2023/x/race",
            "asset_partition_range_end": "2024/y/race",
        },
    ],
    ids=["coverage", "other partitions", "earlier partition", "earlier range"],
)
def test_runs_of_what_stays_hinder_nothing(
    tags: dict[str, str], instance: dg.DagsterInstance, caplog: pytest.LogCaptureFixture
) -> None:
    """A run without a partition, of other partitions, or of keys before those that move."""
    register(instance, parsed("2023/x/race", "2024/y/race", "2025/a/race"))
    start(instance, **tags)
    register(instance, parsed("2024/z/race"))
    assert read_registered(instance).session_keys == (
        "2023/x/race",
        "2024/y/race",
        "2024/z/race",
        "2025/a/race",
    )
    assert not caplog.text


def test_a_key_added_by_hand_is_listed_apart(instance: dg.DagsterInstance) -> None:
    """Anybody can add a key in the UI: it is no session, keeps its place, and hinders nothing."""
    register(instance, parsed("2025/a/race"))
    instance.add_dynamic_partitions("f1_sessions", ["foo"])
    registered = read_registered(instance)
    assert registered.session_keys == ("2025/a/race", "foo")
    assert registered.sessions == (SessionPartition.parse("2025/a/race"),)
    assert registered.added_by_hand == ("foo",)


CONVENTIONAL = ("practice_1", "practice_2", "practice_3", "qualifying", "race")
WITH_SPRINT = ("practice_1", "sprint_qualifying", "sprint", "qualifying", "race")


def season(year: int, grands_prix: str = "abcdef") -> list[SessionPartition]:
    """Testing, then weekends with every session type, every third with a sprint, in time."""
    keys = [f"{year}/testing/day_{day}" for day in (1, 2)]
    for number, name in enumerate(grands_prix):
        types = WITH_SPRINT if number % 3 == 2 else CONVENTIONAL
        keys += [f"{year}/{name}/{one}" for one in types]
    return parsed(*keys)


@pytest.mark.parametrize(
    "types",
    [{"qualifying", "race"}, {"race"}, {"sprint", "qualifying", "race"}, {"practice_1"}],
    ids=lambda types: "+".join(sorted(types)),
)
def test_a_season_is_one_run_however_many_types_are_registered(types: set[str]) -> None:
    """Beside all types of four seasons a season of these types is one run of each job."""
    every = [one for year in (2022, 2023, 2024, 2025) for one in season(year)]
    keys = order_keys([], [one.key for one in every])
    race_keys = [key for key in keys if key.endswith(("/race", "/sprint"))]
    registered = Registered(session_keys=tuple(keys), race_keys=tuple(race_keys))
    chosen = {one.key for one in every if one.session_type in types and one.year == 2023}
    runs = plan_runs(registered, dict.fromkeys(DATASETS, chosen))
    jobs = ["bronze_sessions", "bronze_races"][: 1 + bool(types & {"sprint", "race"})]
    assert [run.job for run in runs] == jobs
    assert set(runs[0].keys) == chosen


def test_the_sessions_are_in_time(instance: dg.DagsterInstance) -> None:
    """They are registered by type, and read as they took place, in this season and the next."""
    every = [*season(2024), *season(2025, "badfec")]
    register(instance, every)
    assert list(read_registered(instance).sessions) == every
    sprints_last = ("practice_1", "qualifying", "sprint_qualifying", "sprint", "race")
    earlier = parsed(*(f"2023/{name}/{one}" for name in "ab" for one in sprints_last))
    register(instance, earlier)
    assert list(read_registered(instance).sessions) == [*earlier, *every]


def test_a_new_weekend_of_a_running_season(instance: dg.DagsterInstance) -> None:
    """Its sessions come to those of their types, week after week."""
    whole = season(2025)
    for count in (2, 7, 12, len(whole)):
        register(instance, whole[:count])
    registered = read_registered(instance)
    assert list(registered.session_keys) == order_keys([], [one.key for one in whole])
    assert list(registered.sessions) == whole
    assert registered.earlier(whole[-1]) == [f"2025/{name}/race" for name in "edcba"]


def test_a_process_that_dies_while_keys_move(instance: dg.DagsterInstance) -> None:
    """It loses one key at most, which the next registration finds again."""
    whole = season(2025)
    register(instance, whole[:12])

    class Dying:
        def __init__(self, deletions: int) -> None:
            self.left = deletions

        def __getattr__(self, name: str) -> object:
            return getattr(instance, name)

        def delete_dynamic_partition(self, name: str, key: str) -> None:
            instance.delete_dynamic_partition(name, key)
            self.left -= 1
            if not self.left:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        register(Dying(3), whole)  # type: ignore[arg-type]  # it is one but for its type
    registered = read_registered(instance)
    assert len(set(whole[:12]) - set(registered.sessions)) <= 1
    register(instance, whole)
    assert list(read_registered(instance).sessions) == whole


KEYS = st.lists(
    st.builds("{}/{}/race".format, st.integers(2020, 2023), st.sampled_from("abcdefgh")),
    unique=True,
)


@given(known=KEYS, found=KEYS)
def test_in_order_keeps_every_key(known: list[str], found: list[str]) -> None:
    """Every key is there once, years ascend, and found keys keep their order within a year."""
    ordered = order_keys(known, found)
    assert sorted(ordered) == sorted(set(known) | set(found))
    years = [key[:4] for key in ordered]
    assert years == sorted(years) or not _ascending(known)
    for year in set(years):
        mine = [key for key in found if key[:4] == year]
        assert [key for key in ordered if key in mine] == mine
    assert order_keys(ordered, found) == ordered


def _ascending(keys: list[str]) -> bool:
    return [key[:4] for key in keys] == sorted(key[:4] for key in keys)
