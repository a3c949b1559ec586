"""Every kind of event is valid by OpenLineage's schemas, and these would notice if it were not."""

import json
import os
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from openlineage.client.generated.base import RunEvent
from referencing import Registry, Resource

from f1_bronze.datasets import DATASETS
from f1_bronze.telemetry.lineage.events import end_events, start_events
from f1_bronze.telemetry.run_results import RunEnd

from .lineage_examples import check, finished, only, run_start, stored_one
from .openlineage_schemas import FACETS, run_event_schema, validator


@pytest.mark.parametrize("end", RunEnd)
def test_events_are_valid(end: RunEnd) -> None:
    """Events of every dataset, revision and end of a run are valid."""
    stored = [
        stored_one(dataset.name, revision=revision)
        for dataset in DATASETS
        for revision in ("new", "changed", "unchanged", "empty")
    ]
    stored.append(stored_one(session_start=None, session_end=None, root="file:///srv/lake"))
    run = finished(end=end, stored=tuple(stored), checks=(check(), check("results", rules=())))
    events = [*start_events(run_start(parent_run_id="x", root_run_id="y")), *end_events(run)]
    checker = validator()
    seen: dict[str, set[str]] = {place: set() for place in FACETS}
    for event in events:
        body = json.loads(event.data)
        checker.validate(body)
        for place in ("run", "job"):
            seen[place] |= body[place]["facets"].keys()
        for side in ("input", "output"):
            for one in body[f"{side}s"]:
                seen["facets"] |= one["facets"].keys()
                seen[f"{side}Facets"] |= one[f"{side}Facets"].keys()
    expected = {place: set(named) for place, named in FACETS.items()}
    if end is RunEnd.SUCCESS:
        assert "errorMessage" in seen["run"]  # of what did not land
    assert seen == expected


def _break(body: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    broken = deepcopy(body)
    *parents, last = path.split("/")
    holder: Any = broken
    for part in parents:
        holder = holder[int(part) if part.isdigit() else part]
    if value is None:
        del holder[last]
    else:
        holder[last] = value
    return broken


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("eventTime", None),
        ("eventTime", "yesterday"),
        ("eventType", "DONE"),
        ("run/runId", "17"),
        ("producer", "us"),
        ("job/namespace", None),
        ("schemaURL", "https://openlineage.io/spec/1-0-0/OpenLineage.json"),
        ("run/facets/parent/run", None),
        ("run/facets/nominalTime/_producer", None),
        ("run/facets/made_up", {}),
        ("outputs/0/facets/schema/fields/0/name", 3),
        ("outputs/0/facets/columnLineage/fields/lap_number/inputFields/0/field", None),
        ("outputs/0/facets/lifecycleStateChange/lifecycleStateChange", "REPLACED"),
        ("outputs/0/outputFacets/outputStatistics/rowCount", "many"),
        ("outputs/0/facets/dataQualityAssertions", {"assertions": []}),
        ("outputs/0/inputFacets", {}),
    ],
)
def test_the_schemas_notice(path: str, value: object) -> None:
    """A valid event of which one thing was altered is not valid any more."""
    body = only(end_events(finished(failed=())), "bronze_laps")
    checker = validator()
    checker.validate(body)
    with pytest.raises(jsonschema.ValidationError):
        checker.validate(_break(body, path, value))


def test_the_schemas_are_the_standards() -> None:
    """The schema that events claim to obey is version 2 of the standard's."""
    assert RunEvent._get_schema() == (
        "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
    )
    assert sorted(run_event_schema()["required"]) == ["eventTime", "job", "producer", "run"]


PUBLISHED = Path(
    os.environ.get("OPENLINEAGE_SCHEMAS")
    or Path(__file__).resolve().parents[3] / "shared/openlineage_schemas"
)


@pytest.mark.skipif(
    not PUBLISHED.is_dir(), reason="the published schemas are not here: set OPENLINEAGE_SCHEMAS"
)
@pytest.mark.parametrize("end", RunEnd)
def test_events_are_valid_by_the_published_schemas(end: RunEnd) -> None:
    """Events, and each of their facets by the schema that it names, are valid as published."""
    schemas = [json.loads(path.read_text("utf-8")) for path in PUBLISHED.rglob("*.json")]
    registry: Registry[Any] = Registry().with_resources(
        (schema["$id"], Resource.from_contents(schema)) for schema in schemas
    )
    ids = {schema["$id"].rpartition("/")[2]: schema["$id"] for schema in schemas}
    stored = [stored_one(dataset.name) for dataset in DATASETS]
    run = finished(end=end, stored=tuple(stored), checks=(check(), check("results", rules=())))
    seen: set[str] = set()
    for event in [*start_events(run_start()), *end_events(run)]:
        body = json.loads(event.data)
        whole = {"$ref": body["schemaURL"].partition("#")[0]}
        jsonschema.Draft202012Validator(whole, registry=registry).validate(body)
        holders = [body["run"]["facets"], body["job"]["facets"]]
        for one in [*body["inputs"], *body["outputs"]]:
            holders += [one[name] for name in one if name.endswith("acets")]
        for facets in holders:
            for name, facet in facets.items():
                seen.add(name)
                # The client may know a newer patch release of a schema than this folder.
                address, _, fragment = facet["_schemaURL"].partition("#")
                by_name = {"$ref": f"{ids[address.rpartition('/')[2]]}#{fragment}"}
                jsonschema.Draft202012Validator(by_name, registry=registry).validate(facet)
    assert seen == {name for named in FACETS.values() for name in named}
