"""A consumer joins silver to bronze: both name the same tables."""

import json
from datetime import UTC, datetime

import pytest
from openlineage.client.serde import Serde

from examples.silver.lineage import silver_event
from f1_bronze.telemetry.lineage.events import end_events

from ..telemetry.lineage_examples import RACE, finished, stored_one
from ..telemetry.openlineage_schemas import validator

AT = datetime(2026, 11, 23, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("lake", "root"),
    [
        ("s3://my-bucket/f1", "s3://my-bucket/f1"),
        ("s3://my-bucket", "s3://my-bucket"),
        ("/srv/my lake", "file:///srv/my%20lake"),
    ],
)
def test_silver_meets_bronze(lake: str, root: str) -> None:
    """What silver reads, named by the official client, is what bronze wrote; silver is downstream
    of OpenF1's endpoints in the graph of the two."""
    run = finished(
        stored=(stored_one(root=root), stored_one("results", root=root)),
        failed=(),
        checks=(),
    )
    event = silver_event(lake, "driver_pace", ("laps", "results"), RACE.key, "run", AT)
    silver = json.loads(Serde.to_json(event))
    written: dict[tuple[str, str], set[str]] = {}
    for body in (json.loads(one.data) for one in end_events(run)):
        for table in body["outputs"]:
            sources = {one["name"] for one in body["inputs"] if one["namespace"] == "openf1-api"}
            written.setdefault((table["namespace"], table["name"]), set()).update(sources)
    read = [(one["namespace"], one["name"]) for one in silver["inputs"]]
    assert set(read) == set(written)
    assert {source for table in read for source in written[table]} == {"laps", "session_result"}
    subset = silver["inputs"][0]["inputFacets"]["subset"]["inputCondition"]
    assert subset["partitions"][0]["identifier"] == RACE.key


def test_the_event_is_valid() -> None:
    """It is valid by the classes of the official client, but for producer and time of its own."""
    event = silver_event("s3://b", "tyre_pace", ("laps", "stints"), RACE.key, "run", AT)
    body = json.loads(Serde.to_json(event))
    body["eventTime"] = "2026-11-23T07:00:00.000000Z"
    validator().validate(body)
