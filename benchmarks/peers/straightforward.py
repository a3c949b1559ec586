"""A straightforward script: one call for each session and endpoint, requests, pandas.

python -m benchmarks.peers.straightforward URL FOLDER 2025 qualifying,race
"""

import json
import sys
import time
from pathlib import Path

import pandas as pd
import requests

ENDPOINTS = {
    "drivers": "drivers",
    "results": "session_result",
    "laps": "laps",
    "stints": "stints",
    "pit_stops": "pit",
}
RACES_ONLY = {"stints", "pit_stops"}


def fetch(base, endpoint, **query):
    """The records of one endpoint; 404 is the API's word for none."""
    while True:
        answer = requests.get(f"{base}/{endpoint}", params=query, timeout=60)
        if answer.status_code == 404:
            return []
        if answer.status_code == 429:
            time.sleep(float(answer.headers.get("Retry-After", 1)))
            continue
        answer.raise_for_status()
        return answer.json()


def save(folder, dataset, session_key, records):
    """One file for a session; fields of mixed type are JSON text."""
    if not records:
        return
    frame = pd.DataFrame(records)
    for name in ("duration", "gap_to_leader"):
        if dataset == "results" and name in frame:
            frame[name] = frame[name].map(json.dumps)
    path = folder / dataset / f"{session_key}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(path, index=False)


def main(base, folder, years, types):
    """Session by session, endpoint by endpoint."""
    now = pd.Timestamp.now(tz="UTC")
    for year in years:
        for session in fetch(base, "sessions", year=year):
            slug = session["session_name"].lower().replace(" ", "_")
            if pd.Timestamp(session["date_end"]) >= now or session.get("is_cancelled"):
                continue
            if types != "all" and slug not in types.split(","):
                continue
            key = session["session_key"]
            save(folder, "sessions", key, [session])
            for dataset, endpoint in ENDPOINTS.items():
                if dataset in RACES_ONLY and slug not in ("race", "sprint"):
                    continue
                save(folder, dataset, key, fetch(base, endpoint, session_key=key))


if __name__ == "__main__":
    url, place, seasons, kinds = sys.argv[1:5]
    main(url, Path(place), seasons.split(","), kinds)
