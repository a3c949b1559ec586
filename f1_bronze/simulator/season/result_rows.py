"""Results that follow from what was driven.

Belongs here: classification, gaps and points as the session_result endpoint writes them.
Stays out: driving (`race`, `runs`).
"""

from collections.abc import Sequence
from typing import Any

from f1_bronze.simulator.season.outcome import Drive, SessionOutcome
from f1_bronze.simulator.season.race_weekends import ScheduledSession
from f1_bronze.simulator.season.rng import dice
from f1_bronze.simulator.sources import Record

_RACE_POINTS = (25, 18, 15, 12, 10, 8, 6, 4, 2, 1)

_SPRINT_POINTS = (8, 7, 6, 5, 4, 3, 2, 1)

_SPRINT_POINTS_UNTIL_2021 = (3, 2, 1)

_CLASSIFIED_SHARE = 0.9


def result_rows(seed: int, session: ScheduledSession, story: SessionOutcome) -> tuple[Record, ...]:
    """The rows of the session_result endpoint in order of classification."""
    if session.name in ("Race", "Sprint"):
        rows = _of_race(session, story)
    elif session.name in ("Qualifying", "Sprint Qualifying"):
        rows = _of_qualifying(session, story)
    else:
        rows = _of_practice(session, story)
    # Some rows say 0 laps where others say nothing at all.
    chance = dice(seed, session.key, "results")
    return tuple(
        {**row, "number_of_laps": None} if row["dns"] and chance.random() < 0.5 else row
        for row in rows
    )


def _row(session: ScheduledSession, drive: Drive, position: int | None) -> dict[str, Any]:
    return {
        "position": position,
        "driver_number": drive.driver.number,
        "number_of_laps": drive.laps,
        "dnf": drive.retired,
        "dns": drive.did_not_start,
        "dsq": drive.disqualified,
        "meeting_key": session.meeting_key,
        "session_key": session.key,
    }


def _of_race(session: ScheduledSession, story: SessionOutcome) -> list[dict[str, Any]]:
    out = [d for d in story.drives if d.did_not_start or d.disqualified]
    ranked = [d for d in story.drives if not (d.did_not_start or d.disqualified)]
    ranked.sort(key=lambda d: (-d.laps, d.retired, d.total))
    leader = next(d for d in ranked if not d.retired)
    needed = leader.laps * _CLASSIFIED_SHARE
    classified = [d for d in ranked if not d.retired or d.laps > needed]
    unclassified = [d for d in ranked if d.retired and d.laps <= needed]
    # Those who finished come before those who only got far enough.
    classified.sort(key=lambda d: (d.retired, -d.laps, d.total))
    scale = _scale(session)
    fastest = _fastest_lap_driver(session, story.laps)
    rows = []
    for place, drive in enumerate([*classified, *unclassified, *out], start=1):
        position = place if place <= len(classified) else None
        points = scale[place - 1] if position is not None and place <= len(scale) else 0
        if points and fastest == drive.driver.number:
            points += 1
        leads = drive is leader
        same_lap = position is not None and not drive.retired and drive.laps == leader.laps
        behind = leader.laps - drive.laps
        gap: object = None
        if leads:
            gap = 0
        elif same_lap:
            gap = (drive.total - leader.total) / 1000
        elif position is not None and not drive.retired:
            gap = f"+{behind} LAP{'S' if behind > 1 else ''}"
        rows.append(
            {
                **_row(session, drive, position),
                "points": float(points),
                "duration": drive.total / 1000 if same_lap else None,
                "gap_to_leader": gap,
            }
        )
    return rows


def _scale(session: ScheduledSession) -> tuple[int, ...]:
    """Points from the first position on."""
    if session.name == "Race":
        return _RACE_POINTS
    return _SPRINT_POINTS if session.year > 2021 else _SPRINT_POINTS_UNTIL_2021


def _fastest_lap_driver(session: ScheduledSession, laps: Sequence[Record]) -> int | None:
    """Who gets the point for the fastest lap: nobody in a sprint, before 2019 or after 2024."""
    timed = [lap for lap in laps if lap["lap_duration"] is not None]
    if session.name == "Sprint" or not 2019 <= session.year <= 2024 or not timed:
        return None
    return int(min(timed, key=lambda lap: float(lap["lap_duration"]))["driver_number"])


def _of_qualifying(session: ScheduledSession, story: SessionOutcome) -> list[dict[str, Any]]:
    def rank(drive: Drive) -> tuple[float, ...]:
        # Later parts rank first; without a time there, an earlier part decides.
        reached = sum(best is not None for best in drive.bests)
        last = max((n for n, best in enumerate(drive.bests) if best is not None), default=-1)
        best = drive.bests[last] if reached else None
        return (-last, float("inf") if best is None else best)

    fastest = [
        min((d.bests[part] for d in story.drives if d.bests[part] is not None), default=None)  # type: ignore[type-var]
        for part in range(3)
    ]
    rows = []
    for place, drive in enumerate(sorted(story.drives, key=rank), start=1):
        timed = any(best is not None for best in drive.bests)
        rows.append(
            {
                **_row(session, drive, place if timed else None),
                "duration": [None if b is None else b / 1000 for b in drive.bests],
                "gap_to_leader": [
                    None if b is None or f is None else (b - f) / 1000
                    for b, f in zip(drive.bests, fastest, strict=True)
                ],
            }
        )
    return rows


def _of_practice(session: ScheduledSession, story: SessionOutcome) -> list[dict[str, Any]]:
    def best(drive: Drive) -> float:
        return float("inf") if drive.bests[0] is None else drive.bests[0]

    ranked = sorted(story.drives, key=best)
    leader = ranked[0].bests[0]
    rows = []
    for place, drive in enumerate(ranked, start=1):
        own = drive.bests[0]
        gap: object = None if own is None or leader is None else (own - leader) / 1000
        rows.append(
            {
                **_row(session, drive, place),
                "duration": None if own is None else own / 1000,
                "gap_to_leader": 0 if gap == 0 else gap,
            }
        )
    return rows
