"""The questions of `f1-bronze sql --examples` with their SQL; all work on the demo's lake."""

from typing import NamedTuple


class Example(NamedTuple):
    """A question and the query that answers it."""

    question: str
    sql: str


_RACE = "year = 2025 AND grand_prix = 'bahrain' AND session_type = 'race'"
_KEYS = "\n     USING (year, grand_prix, session_type, session_key, driver_number)"
_DRIVER = f"drivers {_KEYS}"

EXAMPLES = (
    Example(
        "Each driver's fastest lap of a race",
        f"""SELECT name_acronym, min(lap_duration) AS fastest,
       arg_min(lap_number, lap_duration) AS lap
FROM laps JOIN {_DRIVER}
WHERE {_RACE}
GROUP BY ALL ORDER BY fastest NULLS LAST""",
    ),
    Example(
        "The fastest lap of each race of a season",
        f"""SELECT grand_prix, min(lap_duration) AS fastest,
       arg_min(name_acronym, lap_duration) AS driver
FROM laps JOIN {_DRIVER}
WHERE year = 2025 AND session_type = 'race'
GROUP BY ALL ORDER BY fastest""",
    ),
    Example(
        "How long stints last on each compound",
        """SELECT compound, count(*) AS stints,
       median(lap_end - lap_start + 1) AS median_laps,
       max(lap_end - lap_start + 1) AS longest
FROM stints WHERE year = 2025
GROUP BY ALL ORDER BY median_laps DESC""",
    ),
    Example(
        "The pace on each compound: the median without in and out laps",
        f"""SELECT compound, count(*) AS laps, median(lap_duration) AS pace
FROM laps JOIN stints {_KEYS}
WHERE {_RACE}
  AND lap_number BETWEEN lap_start + 1 AND lap_end - 1 AND NOT is_pit_out_lap
GROUP BY ALL ORDER BY pace""",
    ),
    Example(
        "Places gained from qualifying to the race",
        """SELECT name_acronym, q.position AS qualifying, r.position AS race,
       q.position - r.position AS gained
FROM results AS r
JOIN results AS q USING (year, grand_prix, driver_number)
JOIN drivers ON drivers.session_key = r.session_key
            AND drivers.driver_number = r.driver_number
WHERE r.year = 2025 AND r.grand_prix = 'bahrain'
  AND r.session_type = 'race' AND q.session_type = 'qualifying'
ORDER BY gained DESC NULLS LAST""",
    ),
    Example(
        "The time that each driver lost in the pit lane",
        f"""SELECT name_acronym, count(*) AS stops,
       sum(coalesce(lane_duration, pit_duration)) AS seconds
FROM pit_stops JOIN {_DRIVER}
WHERE {_RACE}
GROUP BY ALL ORDER BY seconds""",
    ),
    Example(
        "Gaps between team-mates in qualifying, in seconds by their fastest laps",
        f"""WITH fastest AS (
    SELECT team_name, name_acronym, min(lap_duration) AS lap
    FROM laps JOIN {_DRIVER}
    WHERE year = 2025 AND grand_prix = 'bahrain' AND session_type = 'qualifying'
    GROUP BY ALL
)
SELECT team_name, arg_min(name_acronym, lap) AS faster,
       round(max(lap) - min(lap), 3) AS gap
FROM fastest GROUP BY ALL ORDER BY gap""",
    ),
    Example(
        "Points of a season",
        f"""SELECT full_name, team_name, sum(points) AS points
FROM results JOIN {_DRIVER}
WHERE year = 2025
GROUP BY ALL ORDER BY points DESC""",
    ),
    Example(
        "The highest speeds at the speed trap",
        f"""SELECT name_acronym, max(st_speed) AS km_h,
       arg_max(lap_number, st_speed) AS lap
FROM laps JOIN {_DRIVER}
WHERE {_RACE}
GROUP BY ALL ORDER BY km_h DESC NULLS LAST LIMIT 10""",
    ),
    Example(
        "Who did not finish, and after how many laps",
        f"""SELECT name_acronym, number_of_laps, dnf, dns, dsq
FROM results JOIN {_DRIVER}
WHERE {_RACE}
      AND (dnf OR dns OR dsq)
ORDER BY number_of_laps DESC""",
    ),
    Example(
        "Corrections of a season: files that later answers replaced",
        """SELECT dataset, grand_prix, session_type, replaced_at, rows
FROM revisions WHERE year = 2025 AND kept_as = 'revision'
ORDER BY replaced_at DESC""",
    ),
    Example(
        "Where a number comes from: runs that stored or confirmed a file",
        """SELECT eventTime, job.name AS job, inputs[1].namespace AS source,
       run.runId AS run
FROM lineage
WHERE eventType = 'COMPLETE'
      AND contains(event, 'grand_prix=bahrain/session_type=race/laps_')
ORDER BY eventTime""",
    ),
)
