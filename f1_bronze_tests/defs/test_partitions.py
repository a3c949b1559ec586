"""Partitions are registered in chronological order, whatever order they are found in."""

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.defs.partitions import order_keys, read_registered, register

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


def test_nothing_moves_under_a_run(
    instance: dg.DagsterInstance, caplog: pytest.LogCaptureFixture
) -> None:
    """While a run is under way new keys are added at the end, with a warning, and set in order
    later."""
    register(instance, parsed("2025/a/race"))
    run_id = instance.create_run_for_job(
        dg.GraphDefinition(name="any").to_job(), status=dg.DagsterRunStatus.STARTED
    ).run_id
    register(instance, parsed("2023/z/race"))
    assert read_registered(instance).session_keys == ("2025/a/race", "2023/z/race")
    assert "out of chronological order" in caplog.text
    instance.delete_run(run_id)
    register(instance, parsed("2023/z/race"))
    assert read_registered(instance).session_keys == ("2023/z/race", "2025/a/race")


def test_a_key_added_by_hand_is_listed_apart(instance: dg.DagsterInstance) -> None:
    """Anybody can add a key in the UI: it is no session, keeps its place, and hinders nothing."""
    register(instance, parsed("2025/a/race"))
    instance.add_dynamic_partitions("f1_sessions", ["foo"])
    registered = read_registered(instance)
    assert registered.session_keys == ("2025/a/race", "foo")
    assert registered.sessions == (SessionPartition.parse("2025/a/race"),)
    assert registered.added_by_hand == ("foo",)


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
