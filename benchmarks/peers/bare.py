"""A bare script: many sessions in one call, orjson, pyarrow. The least that the work can take.

python -m benchmarks.peers.bare URL FOLDER 2025 qualifying,race
"""

import re
import sys
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import urllib3

ENDPOINTS = {
    "drivers": ("drivers", 60),
    "results": ("session_result", 60),
    "laps": ("laps", 25),
    "stints": ("stints", 25),
    "pit_stops": ("pit", 25),
}
RACES_ONLY = {"stints", "pit_stops"}
http = urllib3.PoolManager()


def get(url: str) -> list[dict[str, Any]]:
    """The records that the API answers; 404 is its word for none."""
    while True:
        answer = http.request("GET", url)
        if answer.status == 404:
            return []
        if answer.status == 429:
            time.sleep(float(answer.headers.get("Retry-After", 1)))
            continue
        if answer.status != 200:
            raise RuntimeError(f"{url}: {answer.status}")
        return orjson.loads(answer.data)


def write(folder: Path, dataset: str, session: int, records: list[dict[str, Any]]) -> None:
    """One file for a session; fields of mixed type are JSON text."""
    for record in records:
        for name in ("duration", "gap_to_leader"):
            if dataset == "results" and name in record:
                record[name] = orjson.dumps(record[name]).decode()
    (folder / dataset).mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist(records)
    pq.write_table(table, folder / dataset / f"{session}.parquet")


def main(base: str, folder: Path, years: list[str], types: str) -> None:
    """Ask and write."""
    now = datetime.now(UTC)
    wanted = []
    for year in years:
        for session in get(f"{base}/sessions?year={year}"):
            slug = re.sub("[^a-z0-9]+", "_", session["session_name"].lower())
            over = datetime.fromisoformat(session["date_end"]) < now
            if over and not session.get("is_cancelled") and (types == "all" or slug in types):
                wanted.append((session["session_key"], slug))
                write(folder, "sessions", session["session_key"], [session])
    for dataset, (endpoint, most) in ENDPOINTS.items():
        keys = [
            key for key, slug in wanted if dataset not in RACES_ONLY or slug in ("race", "sprint")
        ]
        for start in range(0, len(keys), most):
            query = "&".join(f"session_key={key}" for key in keys[start : start + most])
            by_session = defaultdict(list)
            for record in get(f"{base}/{endpoint}?{query}"):
                by_session[record["session_key"]].append(record)
            for key, records in by_session.items():
                write(folder, dataset, key, records)


if __name__ == "__main__":
    url, place, seasons, kinds = sys.argv[1:5]
    main(url, Path(place), seasons.split(","), kinds if kinds == "all" else kinds.split(","))
