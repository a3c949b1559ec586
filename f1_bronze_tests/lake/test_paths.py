"""Paths of the lake, spelled out: each is a promise to other readers of the lake."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.lake import paths

SAO_PAULO = SessionPartition.parse("2024/sao_paulo/sprint_qualifying")
SHA = "0123456789abcdef" * 4

words = st.text("abz019", min_size=1, max_size=6)
slugs = st.lists(words, min_size=1, max_size=2).map("_".join)
partitions = st.builds(
    SessionPartition, year=st.integers(1950, 9999), grand_prix=slugs, session_type=slugs
)
names = st.sampled_from([dataset.name for dataset in DATASETS])


def test_paths() -> None:
    """Where a file, its folders and its revisions lie."""
    assert paths.hive_folder(SAO_PAULO) == (
        "year=2024/grand_prix=sao_paulo/session_type=sprint_qualifying"
    )
    assert paths.dataset_folder("laps") == "bronze/laps/"
    assert paths.dataset_folder("laps", 2024) == "bronze/laps/year=2024/"
    assert paths.partition_folder("laps", SAO_PAULO) == (
        "bronze/laps/year=2024/grand_prix=sao_paulo/session_type=sprint_qualifying/"
    )
    assert paths.file_path("pit_stops", SAO_PAULO, 9629) == (
        "bronze/pit_stops/year=2024/grand_prix=sao_paulo/session_type=sprint_qualifying/"
        "pit_stops_9629.parquet"
    )
    assert paths.revision_folder("laps", SAO_PAULO, 9629) == (
        "revisions/laps/year=2024/grand_prix=sao_paulo/session_type=sprint_qualifying/laps_9629/"
    )
    assert paths.refused_path("r/", SHA) == "r/refused_0123456789ab.parquet"
    moment = datetime(2025, 4, 14, 6, 0, 1, 250, tzinfo=UTC)
    assert paths.arrival_path("r/", moment) == "r/arrived_20250414T060001_000250Z"


def test_revision_is_named_by_its_moment_in_utc() -> None:
    """A local clock gives the same name as one in UTC, to the microsecond."""
    moment = datetime(2025, 4, 14, 6, 0, 1, 250, tzinfo=UTC)
    local = moment.astimezone(timezone(timedelta(hours=-4)))
    expected = "r/20250414T060001_000250Z_0123456789ab.parquet"
    assert paths.revision_path("r/", moment, SHA) == expected
    assert paths.revision_path("r/", local, SHA) == expected
    assert paths.arrival_path("r/", local) == paths.arrival_path("r/", moment)


@given(st.lists(st.datetimes(min_value=datetime(2000, 1, 1)), min_size=2))
def test_revisions_sort_by_time(moments: list[datetime]) -> None:
    """The order of the names is the order of the moments."""
    aware = sorted(moment.replace(tzinfo=UTC) for moment in moments)
    named = [paths.revision_path("r/", moment, SHA) for moment in aware]
    assert named == sorted(named)


@given(dataset=names, partition=partitions, session_key=st.integers(0, 10**9))
def test_file_path_reads_back(dataset: str, partition: SessionPartition, session_key: int) -> None:
    """Dataset, partition and session key are all in the path."""
    path = paths.file_path(dataset, partition, session_key)
    assert paths.parse_file_path(path) == (dataset, partition, session_key)
    assert path.startswith(paths.partition_folder(dataset, partition))
    assert path.startswith(paths.dataset_folder(dataset, partition.year))


FOLDER = "bronze/laps/year=2025/grand_prix=bahrain/session_type=race"


@given(
    st.from_regex(
        r"bronze/[a-z_/]{1,5}/year=[0-9]{4}/grand_prix=[a-zA-Z_é/]{0,4}/session_type=\w{0,4}/"
        r"laps_[0-9]{1,4}\.parquet",
        fullmatch=True,
    )
)
@example(f"{FOLDER}/laps_0010014.parquet")
@example("bronze/laps/year=0000/grand_prix=bahrain/session_type=race/laps_1.parquet")
@example("bronze/laps/year=2025/grand_prix=Bahrain/session_type=race/laps_1.parquet")
def test_what_reads_as_ours_has_exactly_our_path(path: str) -> None:
    """Any path is None, or is letter for letter the path of what it was read as."""
    found = paths.parse_file_path(path)
    assert found is None or paths.file_path(*found) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "bronze/laps/notes.txt",
        f"{FOLDER}/",
        f"{FOLDER}/laps_10014.parquet.tmp",
        f"{FOLDER}/.unfinished-x1",
        f"{FOLDER}/drivers_10014.parquet",
        f"{FOLDER}/laps_.parquet",
        f"{FOLDER}/laps_x.parquet",
        f"{FOLDER}/laps_-1.parquet",
        f"{FOLDER}/laps_010014.parquet",
        f"{FOLDER}/laps_10014.parquet\n",
        f"{FOLDER}/copy/laps_10014.parquet",
        f"/{FOLDER}/laps_10014.parquet",
        f"silver/{FOLDER}/laps_10014.parquet",
        "bronze/laps/year=25/grand_prix=bahrain/session_type=race/laps_1.parquet",
        "bronze/laps/year=1949/grand_prix=bahrain/session_type=race/laps_1.parquet",
        "bronze/laps/year=2025/grand_prix=São Paulo/session_type=race/laps_1.parquet",
        "bronze/laps/year=2025/grand_prix=bahrain/session_type=Race/laps_1.parquet",
        "bronze/laps/year=2025/session_type=race/grand_prix=bahrain/laps_1.parquet",
        f"revisions/{FOLDER}/laps_10014/20250414T060001_000000Z_0123456789ab.parquet",
    ],
)
def test_foreign_paths_are_none(path: str) -> None:
    """Whatever else lies in the lake is passed over, never an error."""
    assert paths.parse_file_path(path) is None


@given(
    name=names,
    partition=partitions,
    session_key=st.integers(0, 10**6),
    moment=st.datetimes(datetime(1950, 1, 1), timezones=st.just(UTC)),
)
def test_kept_paths_are_read_back(
    name: str, partition: SessionPartition, session_key: int, moment: datetime
) -> None:
    """What lies under revisions/ says by its path what it is; its text is never ambiguous."""
    folder = paths.revision_folder(name, partition, session_key)
    assert folder.startswith(paths.dataset_revisions(name))
    for path, kept_as, replaced_at, arrived_at in (
        (paths.revision_path(folder, moment, SHA), paths.KeptAs.REVISION, moment, None),
        (paths.refused_path(folder, SHA), paths.KeptAs.REFUSED, None, None),
        (paths.altered_path(folder, SHA), paths.KeptAs.ALTERED, None, None),
        (paths.arrival_path(folder, moment), paths.KeptAs.ARRIVED, None, moment),
    ):
        found = paths.parse_kept_path(path)
        assert found == paths.KeptPath(
            path=path,
            dataset=name,
            partition=partition,
            session_key=session_key,
            kept_as=kept_as,
            replaced_at=replaced_at,
            arrived_at=arrived_at,
            sha256="" if arrived_at else SHA[:12],
        )
        assert found.moment == (replaced_at or arrived_at)


@pytest.mark.parametrize(
    "name",
    [
        "20250414T060000_000000Z_0123456789ab.json",
        "20250414T060000Z_0123456789ab.parquet",
        "20251414T060000_000000Z_0123456789ab.parquet",
        "lost_0123456789ab.parquet",
        "refused_0123456789AB.parquet",
        "refused_0123.parquet",
        "more/refused_0123456789ab.parquet",
        "arrived_20250414T060000_000000Z.parquet",
        "arrived_20251414T060000_000000Z",
        "arrived_20250414T060000_000000Z_0123456789ab",
        "20250414T060000_000000Z",
    ],
)
def test_other_names_under_revisions(name: str) -> None:
    """Whatever else lies there is none of ours."""
    folder = paths.revision_folder("laps", SAO_PAULO, 9629)
    assert paths.parse_kept_path(f"{folder}{name}") is None


@pytest.mark.parametrize(("there", "instead"), [("laps_9629", "laps_09629"), ("sao_", "São ")])
def test_folders_under_revisions_that_are_none(there: str, instead: str) -> None:
    """A folder that no partition or session has is none of ours either."""
    path = paths.refused_path(paths.revision_folder("laps", SAO_PAULO, 9629), SHA)
    assert paths.parse_kept_path(path) is not None
    assert paths.parse_kept_path(path.replace(there, instead)) is None
