"""dlt, as its users write it: a resource for each endpoint, Parquet in a folder.

python -m benchmarks.peers.with_dlt URL FOLDER 2025 qualifying,race
"""

import os
import sys
from pathlib import Path

import dlt
import pendulum
from dlt.sources.helpers.requests import Client

ENDPOINTS = {
    "drivers": "drivers",
    "results": "session_result",
    "laps": "laps",
    "stints": "stints",
    "pit_stops": "pit",
}
RACES_ONLY = {"stints", "pit_stops"}
http = Client(raise_for_status=False)  # 404 is an answer


def fetch(base, endpoint, **query):
    """The records of one endpoint; dlt's own client waits and asks again past a limit."""
    answer = http.get(f"{base}/{endpoint}", params=query)
    if answer.status_code == 404:
        return []
    answer.raise_for_status()
    return answer.json()


@dlt.source(max_table_nesting=0)
def openf1(base, years, types):
    """The six kinds of records of these seasons."""

    @dlt.resource(write_disposition="replace")
    def sessions():
        now = pendulum.now("UTC")
        for year in years:
            for session in fetch(base, "sessions", year=year):
                slug = session["session_name"].lower().replace(" ", "_")
                if pendulum.parse(session["date_end"]) >= now or session.get("is_cancelled"):
                    continue
                if types == "all" or slug in types.split(","):
                    yield session

    def of_session(dataset, endpoint):
        @dlt.transformer(data_from=sessions, name=dataset, write_disposition="replace")
        def records(session):
            slug = session["session_name"].lower().replace(" ", "_")
            if dataset not in RACES_ONLY or slug in ("race", "sprint"):
                yield fetch(base, endpoint, session_key=session["session_key"])

        return records

    return [sessions, *(of_session(*each) for each in ENDPOINTS.items())]


if __name__ == "__main__":
    url, place, seasons, kinds = sys.argv[1:5]
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    pipeline = dlt.pipeline(
        "openf1",
        pipelines_dir=str(Path(place, ".pipelines")),
        destination=dlt.destinations.filesystem(bucket_url=str(Path(place).absolute())),
        dataset_name="openf1",
    )
    pipeline.run(openf1(url, seasons.split(","), kinds), loader_file_format="parquet")
